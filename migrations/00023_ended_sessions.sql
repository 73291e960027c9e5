-- Browser sessions that ended long ago are removed: each sign-in leaves one, and the trail has it for good.

-- +goose Up

CREATE INDEX IF NOT EXISTS api_keys_sessions_idx ON kb.api_keys (expires_at) WHERE subject IS NOT NULL;

-- Whatever the organisation. Keys that were asked for stay: the trail names their ids, and the list says what those were.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kb.prune_sessions(since interval, at_once integer)
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  WITH pruned AS (
    DELETE FROM kb.api_keys
    WHERE id IN (
      SELECT id
      FROM kb.api_keys
      WHERE subject IS NOT NULL
        AND expires_at < now() - since
      LIMIT at_once
      FOR UPDATE SKIP LOCKED)
    RETURNING 1
  )
  SELECT count(*) FROM pruned
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.prune_sessions(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.prune_sessions(interval, integer) TO patchbay_serve;
