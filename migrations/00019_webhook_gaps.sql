-- What webhooks leave out, and webhooks that are to be made anew.

-- +goose Up

ALTER TABLE kb.webhooks
  -- The run of catch_up_at is to read everything: deletions or moves may have been lost, which one of changes does not find.
  ADD COLUMN catch_up_full boolean NOT NULL DEFAULT false;

-- A webhook that is to be made has hook_url, where it is to lead, and no hook_registered_at; hook_id is the one that it replaces.
-- It is looked after whenever the one from before delivered.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION kb.due_webhook_checks(alive interval, most integer) RETURNS TABLE (org_id varchar, integration_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT w.org_id, w.integration_id
  FROM kb.webhooks w
  JOIN kb.integrations i ON i.id = w.integration_id
  WHERE w.check_at <= clock_timestamp()
    AND (w.hook_registered_at IS NULL OR w.last_delivery_at IS NULL OR w.last_delivery_at < clock_timestamp() - alive)
    AND i.enabled
  ORDER BY w.check_at
  LIMIT most
$$;
-- +goose StatementEnd
