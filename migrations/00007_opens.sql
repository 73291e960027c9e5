-- Whether a sealed value opens, for `patchbay doctor` and the encryption status: the answer is all that leaves the database.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION kb.opens(sealed text, passphrase text) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF sealed IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM kb.unseal(sealed, passphrase);
  RETURN true;
EXCEPTION
  -- Two whole classes of errors: pgcrypto's, and those of decode() and of text that is not valid. All else, such as a
  -- missing privilege, says nothing of the value and fails.
  WHEN external_routine_invocation_exception OR data_exception THEN
    RETURN false;
END
$$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION kb.opens(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.opens(text, text) TO patchbay_serve;
