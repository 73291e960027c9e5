-- kb.api_keys: of a key only its SHA-256 is stored; a key has 256 random bits, so no slow hash is needed.

-- +goose Up

CREATE TABLE kb.api_keys (
  id uuid CONSTRAINT api_keys_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
  org_id varchar(255) NOT NULL CONSTRAINT api_keys_org_id_check CHECK (org_id <> ''),
  name varchar(200) NOT NULL,
  -- The key's first characters, to recognise it by.
  prefix varchar(16) NOT NULL,
  hash bytea NOT NULL
    CONSTRAINT api_keys_hash_key UNIQUE
    CONSTRAINT api_keys_hash_check CHECK (length(hash) = 32),
  role text NOT NULL CONSTRAINT api_keys_role_check CHECK (role IN ('VIEWER', 'EDITOR', 'ADMIN')),
  -- NULL means every project of the organisation.
  project_ids uuid[],
  -- Whose browser session it is: sessions are API keys of limited life. NULL for a key that was asked for.
  subject varchar(255),
  created_by varchar(255),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

CREATE INDEX api_keys_org_id_idx ON kb.api_keys (org_id, created_at, id);
-- For look-ups by id: another organisation's key is not even found, and takes no other time than what nobody has.
CREATE INDEX api_keys_org_id_id_idx ON kb.api_keys (org_id, id);

-- The hash can be written and not read back: only kb.authenticate_api_key compares it.
GRANT SELECT (id, org_id, name, prefix, role, project_ids, subject, created_by, created_at, expires_at, last_used_at, revoked_at),
  INSERT, UPDATE (revoked_at) ON kb.api_keys TO patchbay_serve;

ALTER TABLE kb.api_keys ENABLE ROW LEVEL SECURITY;
-- Who is limited to some projects sees and makes only keys that are limited to some of the same.
CREATE POLICY api_keys_tenant ON kb.api_keys TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
      OR project_ids IS NOT NULL AND project_ids <@ (SELECT nullif(current_setting('app.projects', true), ''))::uuid[]));

-- Authentication comes before any tenant is known. Also notes the use, at most once a minute.
-- +goose StatementBegin
CREATE FUNCTION kb.authenticate_api_key(key_hash bytea)
RETURNS TABLE (id uuid, org_id varchar, name varchar, prefix varchar, subject varchar, role text, project_ids uuid[], expires_at timestamptz)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH used AS (
    UPDATE kb.api_keys k
    SET last_used_at = now()
    WHERE k.hash = key_hash
      AND k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > now())
      AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
  )
  SELECT k.id, k.org_id, k.name, k.prefix, k.subject, k.role, k.project_ids, k.expires_at
  FROM kb.api_keys k
  WHERE k.hash = key_hash
    AND k.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > now())
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.authenticate_api_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.authenticate_api_key(bytea) TO patchbay_serve;
