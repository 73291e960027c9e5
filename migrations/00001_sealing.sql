-- Sealing: the only two ways in and out of an encrypted column, and the trigger function for updated_at.

-- +goose Up

CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA kb;

-- pgcrypto may have been installed before, in any schema: the functions name the one it is in, so that no search_path
-- can put other functions under its names.
--
-- cipher-algo=aes256: pgcrypto's own default is AES-128. s2k-mode=1 (salted, not iterated): the passphrase is 256 bits
-- of HKDF output, which stretching cannot strengthen; pgcrypto's default stretching makes a call 35 to 58 times slower.
-- A NULL passphrase would silently give a NULL ciphertext, and a short one is no derived key: both are refused.
-- +goose StatementBegin
DO $do$
DECLARE
  crypto text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgcrypto');
BEGIN
  EXECUTE format($create$
    CREATE FUNCTION kb.seal(plaintext text, passphrase text) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $body$
    BEGIN
      IF plaintext IS NULL OR passphrase IS NULL OR length(passphrase) < 64 THEN
        RAISE EXCEPTION 'kb.seal needs a plaintext and a derived passphrase' USING ERRCODE = 'null_value_not_allowed';
      END IF;
      RETURN encode(%1$I.pgp_sym_encrypt(plaintext, passphrase,
        'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0'), 'base64');
    END
    $body$
  $create$, crypto);
  EXECUTE format($create$
    CREATE FUNCTION kb.unseal(sealed text, passphrase text) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $body$
    BEGIN
      IF sealed IS NULL OR passphrase IS NULL THEN
        RAISE EXCEPTION 'kb.unseal needs a sealed value and a passphrase' USING ERRCODE = 'null_value_not_allowed';
      END IF;
      RETURN %1$I.pgp_sym_decrypt(decode(sealed, 'base64'), passphrase);
    END
    $body$
  $create$, crypto);
END
$do$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION kb.seal(text, text), kb.unseal(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.seal(text, text), kb.unseal(text, text) TO patchbay_serve;

-- +goose StatementBegin
CREATE FUNCTION kb.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$$;
-- +goose StatementEnd
