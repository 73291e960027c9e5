-- Webhooks: what third parties tell of changes, and what becomes of it.

-- +goose Up

-- What is known of an integration's webhook; a row is made when there is something to note.
CREATE TABLE kb.webhooks (
  integration_id uuid CONSTRAINT webhooks_pkey PRIMARY KEY CONSTRAINT webhooks_integration_id_fkey REFERENCES kb.integrations (id) ON DELETE CASCADE,
  org_id varchar(255) NOT NULL,
  project_id uuid NOT NULL,
  -- The third party's id of it, and when this server made or found it there.
  hook_id text COLLATE "C",
  hook_registered_at timestamptz,
  -- Written every few seconds, not with each delivery: one row would make deliveries wait for each other.
  last_delivery_at timestamptz,
  -- Deliveries that no secret of the integration's had signed; nothing else of these is stored.
  refused bigint NOT NULL DEFAULT 0,
  -- Deliveries came while the integration was disabled: they are worked on once it is enabled.
  parked boolean NOT NULL DEFAULT false
);

CREATE INDEX webhooks_hook_id_idx ON kb.webhooks (hook_id);
CREATE INDEX webhooks_parked_idx ON kb.webhooks (integration_id) WHERE parked;

GRANT SELECT, INSERT, UPDATE ON kb.webhooks TO patchbay_serve;

ALTER TABLE kb.webhooks ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhooks_tenant ON kb.webhooks TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
      OR project_id = ANY ((SELECT nullif(current_setting('app.projects', true), ''))::uuid[])));

CREATE TABLE kb.webhook_deliveries (
  id uuid CONSTRAINT webhook_deliveries_pkey PRIMARY KEY,
  integration_id uuid NOT NULL CONSTRAINT webhook_deliveries_integration_id_fkey REFERENCES kb.integrations (id) ON DELETE CASCADE,
  org_id varchar(255) NOT NULL,
  project_id uuid NOT NULL,
  -- Tells deliveries of one integration apart: SHA-256 of what the third party tells them apart by.
  delivery_key bytea NOT NULL CONSTRAINT webhook_deliveries_delivery_key_check CHECK (length(delivery_key) = 32),
  -- The third party's id of it, for people.
  delivery_id text NOT NULL,
  event text NOT NULL,
  status text NOT NULL CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('RECEIVED', 'PROCESSED', 'IGNORED', 'FAILED')),
  -- What it is about, as in kb.webhook_objects; NULL where it is ignored.
  object text COLLATE "C",
  -- What to read anew: {"Changed": [{"Type", "ExternalID"}], "Details", "Moved", "Gone"}.
  reads jsonb NOT NULL CONSTRAINT webhook_deliveries_reads_check CHECK (jsonb_typeof(reads) = 'object'),
  -- The raw body, which may hold personal data, and the headers that it is read with. They go with the row, by age.
  payload bytea NOT NULL,
  headers jsonb NOT NULL CONSTRAINT webhook_deliveries_headers_check CHECK (jsonb_typeof(headers) = 'object'),
  attempts integer NOT NULL DEFAULT 0,
  error text,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  processed_at timestamptz,
  CONSTRAINT webhook_deliveries_integration_id_delivery_key_key UNIQUE (integration_id, delivery_key),
  CONSTRAINT webhook_deliveries_object_check CHECK (status NOT IN ('RECEIVED', 'PROCESSED') OR object IS NOT NULL),
  CONSTRAINT webhook_deliveries_processed_at_check CHECK ((processed_at IS NULL) = (status = 'RECEIVED'))
);

CREATE INDEX webhook_deliveries_integration_id_idx ON kb.webhook_deliveries (integration_id, received_at, id);
CREATE INDEX webhook_deliveries_object_idx ON kb.webhook_deliveries (integration_id, object) WHERE status = 'RECEIVED';
CREATE INDEX webhook_deliveries_received_at_idx ON kb.webhook_deliveries (received_at);
-- For look-ups by id: another organisation's delivery is not even found, and takes no other time than what nobody has.
CREATE INDEX webhook_deliveries_org_id_id_idx ON kb.webhook_deliveries (org_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON kb.webhook_deliveries TO patchbay_serve;

ALTER TABLE kb.webhook_deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhook_deliveries_tenant ON kb.webhook_deliveries TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
      OR project_id = ANY ((SELECT nullif(current_setting('app.projects', true), ''))::uuid[])));

-- Objects with deliveries that are RECEIVED, each worked on by one job at a time.
CREATE TABLE kb.webhook_objects (
  id uuid CONSTRAINT webhook_objects_pkey PRIMARY KEY,
  integration_id uuid NOT NULL CONSTRAINT webhook_objects_integration_id_fkey REFERENCES kb.integrations (id) ON DELETE CASCADE,
  org_id varchar(255) NOT NULL,
  project_id uuid NOT NULL,
  object text COLLATE "C" NOT NULL,
  -- A job holds the number that was written when it was queued; with another one it changes nothing.
  fence integer NOT NULL DEFAULT 1,
  -- When a worker last held it.
  heartbeat_at timestamptz NOT NULL DEFAULT now(),
  -- How often in a row it failed.
  attempts integer NOT NULL DEFAULT 0,
  -- The latest delivery; writing it makes deliveries of one object and the end of its job wait for each other.
  told_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT webhook_objects_integration_id_object_key UNIQUE (integration_id, object)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON kb.webhook_objects TO patchbay_serve;

ALTER TABLE kb.webhook_objects ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhook_objects_tenant ON kb.webhook_objects TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
      OR project_id = ANY ((SELECT nullif(current_setting('app.projects', true), ''))::uuid[])));

-- Whom a webhook's address belongs to, before any tenant is known. The revision tells when secrets are to be opened anew.
-- +goose StatementBegin
CREATE FUNCTION kb.webhook_target(integration uuid)
RETURNS TABLE (integration_id uuid, org_id varchar, project_id uuid, provider varchar, enabled boolean, revision integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.id, i.org_id, i.project_id, i.provider, i.enabled, i.revision
  FROM kb.integrations i
  WHERE i.id = integration
$$;
-- +goose StatementEnd

-- The same by the third party's id of the webhook. Several may have the same.
-- +goose StatementBegin
CREATE FUNCTION kb.webhook_targets_by_hook(of_provider text, hook text)
RETURNS TABLE (integration_id uuid, org_id varchar, project_id uuid, provider varchar, enabled boolean, revision integer)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.id, i.org_id, i.project_id, i.provider, i.enabled, i.revision
  FROM kb.webhooks w
  JOIN kb.integrations i ON i.id = w.integration_id
  WHERE w.hook_id = hook
    AND i.provider = of_provider
  ORDER BY i.id
  LIMIT 10
$$;
-- +goose StatementEnd

-- Objects whose job was taken up so long ago, and whose worker has not been heard of since. In plpgsql, which looks for River's
-- table only when it is called: River's own migrations come after these.
-- +goose StatementBegin
CREATE FUNCTION kb.orphaned_webhook_objects(stale_for interval) RETURNS TABLE (org_id varchar, id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    SELECT w.org_id, w.id
    FROM river.river_job j
    JOIN kb.webhook_objects w ON w.id = (j.args ->> 'object')::uuid AND w.fence = (j.args ->> 'fence')::integer
    WHERE j.state = 'running'
      AND j.queue = 'webhook'
      AND j.attempted_at < clock_timestamp() - stale_for
      AND w.heartbeat_at < clock_timestamp() - stale_for;
END
$$;
-- +goose StatementEnd

-- Integrations that were enabled since deliveries were parked.
-- +goose StatementBegin
CREATE FUNCTION kb.parked_webhooks(most integer) RETURNS TABLE (org_id varchar, integration_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT w.org_id, w.integration_id
  FROM kb.webhooks w
  JOIN kb.integrations i ON i.id = w.integration_id
  WHERE w.parked
    AND i.enabled
  LIMIT most
$$;
-- +goose StatementEnd

-- Organisations with deliveries that came before a time, for pruning.
-- +goose StatementBegin
CREATE FUNCTION kb.organisations_with_old_deliveries(before timestamptz) RETURNS TABLE (org_id varchar)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT d.org_id
  FROM kb.webhook_deliveries d
  WHERE d.received_at < before
$$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION kb.webhook_target(uuid), kb.webhook_targets_by_hook(text, text), kb.orphaned_webhook_objects(interval),
  kb.parked_webhooks(integer), kb.organisations_with_old_deliveries(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.webhook_target(uuid), kb.webhook_targets_by_hook(text, text), kb.orphaned_webhook_objects(interval),
  kb.parked_webhooks(integer), kb.organisations_with_old_deliveries(timestamptz) TO patchbay_serve;
