-- Webhooks that this server set up itself, and keeps.

-- +goose Up

ALTER TABLE kb.webhooks
  -- The address that the third party has of it; that of the server may have changed since.
  ADD COLUMN hook_url text,
  -- Somebody sets it up until then at the latest: two at once would remove each other's.
  ADD COLUMN claimed_until timestamptz,
  -- When it is to be looked at next; NULL without one.
  ADD COLUMN check_at timestamptz,
  -- Deliveries may have been lost: from then on, a run is to find what they would have told.
  ADD COLUMN catch_up_at timestamptz,
  ADD CONSTRAINT webhooks_hook_check CHECK (hook_registered_at IS NULL OR hook_id IS NOT NULL AND hook_url IS NOT NULL);

CREATE INDEX webhooks_check_at_idx ON kb.webhooks (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX webhooks_catch_up_at_idx ON kb.webhooks (catch_up_at) WHERE catch_up_at IS NOT NULL;

-- Webhooks that are to be looked at, before the watcher becomes each tenant in turn. One that delivered within the interval is
-- alive. A disabled integration's rests.
-- +goose StatementBegin
CREATE FUNCTION kb.due_webhook_checks(alive interval, most integer) RETURNS TABLE (org_id varchar, integration_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT w.org_id, w.integration_id
  FROM kb.webhooks w
  JOIN kb.integrations i ON i.id = w.integration_id
  WHERE w.check_at <= clock_timestamp()
    AND (w.last_delivery_at IS NULL OR w.last_delivery_at < clock_timestamp() - alive)
    AND i.enabled
  ORDER BY w.check_at
  LIMIT most
$$;
-- +goose StatementEnd

-- Integrations for which a run is to find what was not told. One with a live run waits for its end.
-- +goose StatementBegin
CREATE FUNCTION kb.due_catch_ups(most integer) RETURNS TABLE (org_id varchar, integration_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT w.org_id, w.integration_id
  FROM kb.webhooks w
  JOIN kb.integrations i ON i.id = w.integration_id
  WHERE w.catch_up_at <= clock_timestamp()
    AND i.enabled
    AND NOT EXISTS (SELECT FROM kb.sync_runs r WHERE r.integration_id = w.integration_id AND r.finished_at IS NULL)
  ORDER BY w.catch_up_at
  LIMIT most
$$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION kb.due_webhook_checks(interval, integer), kb.due_catch_ups(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.due_webhook_checks(interval, integer), kb.due_catch_ups(integer) TO patchbay_serve;
