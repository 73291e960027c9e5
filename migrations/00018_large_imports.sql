-- What large imports need: counts and lists by type, and an end that takes no longer for them.

-- +goose Up

-- Counts, and lists of one type, read this index alone: it holds what they ask for, and what row-level security does. An index by type would
-- take a tenth of an import.
DROP INDEX kb.synced_objects_change_seq_key;
CREATE UNIQUE INDEX synced_objects_change_seq_key ON kb.synced_objects (integration_id, change_seq) INCLUDE (org_id, project_id, type, deleted_at);

-- Integrations that are gone and whose imported rows are still being removed, in steps, by whoever works on jobs.
CREATE TABLE kb.forgotten_integrations (
  integration_id uuid CONSTRAINT forgotten_integrations_pkey PRIMARY KEY
);

-- Removes at most so many of an integration's imported rows of each kind, and returns whether any may be left.
-- +goose StatementBegin
CREATE FUNCTION kb.forget_some(integration uuid, most integer) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  removed bigint;
  rest boolean := false;
BEGIN
  DELETE FROM kb.synced_relationships
  WHERE ctid = ANY (ARRAY (SELECT ctid FROM kb.synced_relationships WHERE integration_id = integration LIMIT most));
  GET DIAGNOSTICS removed = ROW_COUNT;
  rest := rest OR removed = most;
  DELETE FROM kb.sync_pending
  WHERE ctid = ANY (ARRAY (SELECT ctid FROM kb.sync_pending WHERE integration_id = integration LIMIT most));
  GET DIAGNOSTICS removed = ROW_COUNT;
  rest := rest OR removed = most;
  DELETE FROM kb.synced_objects
  WHERE ctid = ANY (ARRAY (SELECT ctid FROM kb.synced_objects WHERE integration_id = integration LIMIT most));
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN rest OR removed = most;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.forget_some(uuid, integer) FROM PUBLIC;

-- With an integration's state go its imported rows: a few at once, more of them later, so that whoever deletes need not wait.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kb.forget_synced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF kb.forget_some(OLD.integration_id, 5000) THEN
    INSERT INTO kb.forgotten_integrations (integration_id) VALUES (OLD.integration_id) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
-- +goose StatementEnd

-- Goes on with one of them, and returns whether there is more to do. It is asked of no tenant: none can see these rows any more.
-- +goose StatementBegin
CREATE FUNCTION kb.forget_more(most integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  gone uuid;
BEGIN
  SELECT integration_id INTO gone
  FROM kb.forgotten_integrations
  ORDER BY integration_id
  LIMIT 1
  FOR UPDATE SKIP LOCKED;
  IF gone IS NULL THEN
    RETURN false;
  END IF;
  IF NOT kb.forget_some(gone, most) THEN
    DELETE FROM kb.forgotten_integrations WHERE integration_id = gone;
  END IF;
  RETURN true;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.forget_more(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.forget_more(integer) TO patchbay_serve;

-- A search is planned for its words: a plan for any words reads every object where they are frequent.
ALTER FUNCTION kb.search_objects(uuid, tsquery, text, boolean, bigint, integer) SET plan_cache_mode = 'force_custom_plan';
