-- kb.key_rotations: an organisation's secrets sealed anew under another key, in batches, by jobs.

-- +goose Up

CREATE TABLE kb.key_rotations (
  id uuid CONSTRAINT key_rotations_pkey PRIMARY KEY,
  org_id varchar(255) NOT NULL CONSTRAINT key_rotations_org_id_check CHECK (org_id <> ''),
  -- The key that everything ends under.
  key_id text NOT NULL,
  -- Rows under another key when it began.
  total integer NOT NULL CONSTRAINT key_rotations_total_check CHECK (total >= 0),
  -- Rows sealed anew so far.
  done integer NOT NULL DEFAULT 0 CONSTRAINT key_rotations_done_check CHECK (done >= 0),
  -- Rows of this pass that did not open, and stayed as they are.
  failed integer NOT NULL DEFAULT 0 CONSTRAINT key_rotations_failed_check CHECK (failed >= 0),
  -- The last integration that was looked at; NULL at the beginning of a pass.
  cursor uuid,
  requested_by varchar(255) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  -- When a job last advanced it: stale while unfinished, it is an orphan.
  heartbeat_at timestamptz NOT NULL DEFAULT now(),
  -- Each job holds the number that was written when it was queued; with another one it changes nothing.
  fence integer NOT NULL DEFAULT 1
);

CREATE UNIQUE INDEX key_rotations_unfinished_key ON kb.key_rotations (org_id) WHERE finished_at IS NULL;
CREATE INDEX key_rotations_org_id_idx ON kb.key_rotations (org_id, created_at, id);

GRANT SELECT, INSERT, UPDATE ON kb.key_rotations TO patchbay_serve;

ALTER TABLE kb.key_rotations ENABLE ROW LEVEL SECURITY;
-- A rotation is the whole organisation's: who is limited to some projects has no part in it.
CREATE POLICY key_rotations_tenant ON kb.key_rotations TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND (SELECT nullif(current_setting('app.projects', true), '')) IS NULL);

-- A row sealed anew is the same row to its readers.
DROP TRIGGER integrations_touch ON kb.integrations;
CREATE TRIGGER integrations_touch BEFORE UPDATE ON kb.integrations
  FOR EACH ROW WHEN (OLD.revision IS DISTINCT FROM NEW.revision) EXECUTE FUNCTION kb.touch_updated_at();

-- Opens with one passphrase and seals with another, so that no plaintext leaves the database; NULL where it does not
-- open. The sealing stands outside the block: what is wrong there is an error.
-- +goose StatementBegin
CREATE FUNCTION kb.reseal(sealed text, old_passphrase text, new_passphrase text) RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  plaintext text;
BEGIN
  BEGIN
    plaintext := kb.unseal(sealed, old_passphrase);
  EXCEPTION WHEN data_exception OR external_routine_invocation_exception THEN
    RETURN NULL;
  END;
  RETURN kb.seal(plaintext, new_passphrase);
END
$$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION kb.reseal(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.reseal(text, text, text) TO patchbay_serve;

-- The operator rotates every organisation's rows, and becomes each organisation in turn.
-- +goose StatementBegin
CREATE FUNCTION kb.organisations_to_rotate(current_key text) RETURNS TABLE (org_id varchar)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT i.org_id
  FROM kb.integrations i
  WHERE i.key_id <> current_key
  ORDER BY i.org_id
$$;
-- +goose StatementEnd

-- Unfinished rotations that no job has advanced for so long and that none is queued for: their worker has died. In
-- plpgsql, which looks for River's table only when it is called: River's own migrations come after these.
-- +goose StatementBegin
CREATE FUNCTION kb.orphaned_rotations(since interval) RETURNS TABLE (org_id varchar, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT r.org_id, r.id
    FROM kb.key_rotations r
    WHERE r.finished_at IS NULL
      AND r.heartbeat_at < clock_timestamp() - since
      AND NOT EXISTS (
        SELECT FROM river.river_job j
        WHERE j.state = 'available' AND j.queue = 'rotation' AND j.args ->> 'rotation' = r.id::text);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.organisations_to_rotate(text), kb.orphaned_rotations(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.organisations_to_rotate(text), kb.orphaned_rotations(interval) TO patchbay_serve;
