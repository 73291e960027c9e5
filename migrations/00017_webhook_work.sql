-- What webhooks' work needs to know between its attempts, and to be found by.

-- +goose Up

ALTER TABLE kb.webhook_objects
  -- It was not there any more then. A run that was queued before may store it again: it is asked for once more after that has ended.
  ADD COLUMN gone_at timestamptz,
  -- What is still to be read with it: {"At": when it was found out, "Objects": [{"Type", "ExternalID"}], "Failure": of what was read before}.
  ADD COLUMN rest jsonb CONSTRAINT webhook_objects_rest_check CHECK (jsonb_typeof(rest) = 'object');

-- What was taken over from the earlier module may have a webhook that leads to the address which all integrations of a provider have in
-- common: it is looked for once.
INSERT INTO kb.webhooks AS w (integration_id, org_id, project_id, check_at)
SELECT i.id, i.org_id, i.project_id, now()
FROM kb.integrations i
WHERE EXISTS (SELECT FROM kb.audit_events e WHERE e.org_id = i.org_id AND e.integration_id = i.id AND e.action = 'integration.adopt')
ON CONFLICT (integration_id) DO UPDATE
SET check_at = coalesce(w.check_at, excluded.check_at);

-- For removing an organisation's old deliveries, and for listing those of one status.
CREATE INDEX webhook_deliveries_org_id_received_at_idx ON kb.webhook_deliveries (org_id, received_at);
CREATE INDEX webhook_deliveries_status_idx ON kb.webhook_deliveries (integration_id, status, received_at, id);

-- Objects that no worker has been heard of for so long, and that no job of River's is for: nobody would go on with them. In plpgsql for the
-- reason of kb.orphaned_webhook_objects.
-- +goose StatementBegin
CREATE FUNCTION kb.jobless_webhook_objects(stale_for interval, most integer) RETURNS TABLE (org_id varchar, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT w.org_id, w.id
    FROM kb.webhook_objects w
    WHERE w.heartbeat_at < clock_timestamp() - stale_for
      AND w.told_at < clock_timestamp() - stale_for
      AND NOT EXISTS (
        SELECT
        FROM river.river_job j
        WHERE j.queue = 'webhook'
          AND j.state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
          AND (j.args ->> 'object')::uuid = w.id
          AND (j.args ->> 'fence')::integer = w.fence)
    LIMIT most;
END
$$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION kb.jobless_webhook_objects(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.jobless_webhook_objects(interval, integer) TO patchbay_serve;
