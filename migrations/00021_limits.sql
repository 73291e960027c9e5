-- Limits of third parties: how long runs have waited for one, and the key that tokens are named with.

-- +goose Up

-- Since when a run has only waited for the third party's limit; NULL once it advances.
ALTER TABLE kb.sync_runs ADD COLUMN limited_since timestamptz;

-- The key that the fingerprints of kb.rate_limits are made with: one for all processes, whichever master keys they have, or a token would have
-- a row for each of these while a new one is rolled out, and be used twice as much as its limit allows. Who has the database can try
-- guesses of tokens with it; tokens are long and random, so none would hit.
CREATE TABLE kb.fingerprint_key (
  key bytea CONSTRAINT fingerprint_key_pkey PRIMARY KEY CONSTRAINT fingerprint_key_check CHECK (octet_length(key) = 32)
);
CREATE UNIQUE INDEX fingerprint_key_one_key ON kb.fingerprint_key ((true));
INSERT INTO kb.fingerprint_key (key)
VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

-- Its only reader.
-- +goose StatementBegin
CREATE FUNCTION kb.the_fingerprint_key() RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT k.key
  FROM kb.fingerprint_key k
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.the_fingerprint_key() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.the_fingerprint_key() TO patchbay_serve;
