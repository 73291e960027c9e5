-- Browser sessions that expired long ago are removed: each sign-in leaves one, and the trail has it for good.

-- +goose Up

CREATE INDEX IF NOT EXISTS api_keys_sessions_idx ON kb.api_keys (expires_at) WHERE subject IS NOT NULL;
-- For each that is removed PostgreSQL looks whether a session was begun with it, which the index that begins with the organisation
-- was of no use for.
CREATE INDEX IF NOT EXISTS api_keys_begun_with_idx ON kb.api_keys (parent_id) WHERE parent_id IS NOT NULL;
DROP INDEX IF EXISTS kb.api_keys_parent_id_idx;

-- Whatever the organisation. Keys that were asked for stay: the trail names their ids, and the list says what those were.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kb.prune_sessions(since interval, at_once integer)
RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM kb.api_keys
  WHERE id IN (
    SELECT id
    FROM kb.api_keys
    WHERE subject IS NOT NULL
      AND expires_at < now() - since
    LIMIT at_once
    FOR UPDATE SKIP LOCKED)
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.prune_sessions(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.prune_sessions(interval, integer) TO patchbay_serve;
