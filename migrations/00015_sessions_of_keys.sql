-- Browser sessions that an API key began. Such a session never outlives its key.

-- +goose Up

ALTER TABLE kb.api_keys
  -- The API key that the session was begun with; NULL for any other session, and for what is no session.
  ADD COLUMN parent_id uuid CONSTRAINT api_keys_parent_id_fkey REFERENCES kb.api_keys (id),
  ADD CONSTRAINT api_keys_parent_check CHECK (parent_id IS NULL OR subject IS NOT NULL);

-- For revoking a key's sessions with it.
CREATE INDEX api_keys_parent_id_idx ON kb.api_keys (org_id, parent_id) WHERE parent_id IS NOT NULL;

GRANT SELECT (parent_id) ON kb.api_keys TO patchbay_serve;

-- Authentication comes before any tenant is known. Also notes the use, at most once a minute. A session counts only while its
-- key does: one that began while its key was being revoked is not among those that were revoked with it.
DROP FUNCTION kb.authenticate_api_key(bytea);
-- +goose StatementBegin
CREATE FUNCTION kb.authenticate_api_key(key_hash bytea)
RETURNS TABLE (id uuid, org_id varchar, name varchar, prefix varchar, subject varchar, role text, project_ids uuid[], expires_at timestamptz, parent_id uuid)
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
  SELECT k.id, k.org_id, k.name, k.prefix, k.subject, k.role, k.project_ids, k.expires_at, k.parent_id
  FROM kb.api_keys k
  WHERE k.hash = key_hash
    AND k.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > now())
    AND (k.parent_id IS NULL
      OR EXISTS (SELECT FROM kb.api_keys p WHERE p.id = k.parent_id AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now())))
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.authenticate_api_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.authenticate_api_key(bytea) TO patchbay_serve;
