-- kb.sync_states, one row per integration from its creation on, and the view of it that readers of the earlier module know.

-- +goose Up

CREATE TABLE kb.sync_states (
  id uuid CONSTRAINT sync_states_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
  integration_id uuid NOT NULL
    CONSTRAINT sync_states_integration_id_key UNIQUE
    CONSTRAINT sync_states_integration_id_fkey REFERENCES kb.integrations (id) ON DELETE CASCADE,
  org_id varchar(255) NOT NULL,
  project_id uuid NOT NULL,
  last_sync_at timestamptz,
  last_successful_sync timestamptz,
  sync_status text NOT NULL DEFAULT 'PENDING'
    CONSTRAINT sync_states_sync_status_check CHECK (sync_status IN ('PENDING', 'RUNNING', 'SUCCESS', 'PARTIAL', 'ERROR', 'CANCELLED')),
  sync_error text,
  total_synced integer NOT NULL DEFAULT 0 CONSTRAINT sync_states_total_synced_check CHECK (total_synced >= 0),
  -- {kind: last external id that was stored}
  last_synced jsonb NOT NULL DEFAULT '{}' CONSTRAINT sync_states_last_synced_check CHECK (jsonb_typeof(last_synced) = 'object'),
  -- The provider's own, opaque.
  cursor jsonb,
  -- External ids that syncs are limited to; NULL means everything.
  selection text[],
  workspace_id text,
  workspace_name text,
  -- {SPACE | FOLDER | LIST | USER | CUSTOM_FIELD: {external id: target}}
  mappings jsonb NOT NULL DEFAULT '{}' CONSTRAINT sync_states_mappings_check CHECK (jsonb_typeof(mappings) = 'object'),
  every_minutes integer CONSTRAINT sync_states_every_minutes_check CHECK (every_minutes BETWEEN 1 AND 10080),
  cron text,
  time_zone text,
  next_sync_at timestamptz,
  consecutive_failures integer NOT NULL DEFAULT 0 CONSTRAINT sync_states_consecutive_failures_check CHECK (consecutive_failures >= 0),
  -- The counter that numbers changes of imported objects.
  change_seq bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT sync_states_schedule_check CHECK (every_minutes IS NULL OR cron IS NULL)
);

CREATE INDEX sync_states_project_id_idx ON kb.sync_states (project_id);
CREATE INDEX sync_states_sync_status_idx ON kb.sync_states (sync_status);

CREATE TRIGGER sync_states_touch BEFORE UPDATE ON kb.sync_states
  FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION kb.touch_updated_at();

-- No DELETE: an integration has its state as long as it lives, and they go together.
GRANT SELECT, INSERT, UPDATE ON kb.sync_states TO patchbay_serve;

ALTER TABLE kb.sync_states ENABLE ROW LEVEL SECURITY;
CREATE POLICY sync_states_tenant ON kb.sync_states TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
      OR project_id = ANY ((SELECT nullif(current_setting('app.projects', true), ''))::uuid[])));

-- security_invoker: a plain view would run as its owner and show every tenant's rows.
CREATE VIEW kb.clickup_sync_state WITH (security_invoker = true) AS
SELECT
  s.id,
  s.integration_id,
  s.project_id,
  s.last_sync_at,
  s.last_successful_sync,
  CASE s.sync_status
    WHEN 'RUNNING' THEN 'running'
    WHEN 'SUCCESS' THEN 'success'
    WHEN 'PARTIAL' THEN 'error'
    WHEN 'ERROR' THEN 'error'
    ELSE 'pending'
  END::varchar(50) AS sync_status,
  s.sync_error,
  s.total_synced,
  s.last_synced ->> 'task' AS last_task_synced_id,
  s.last_synced ->> 'doc' AS last_doc_synced_id,
  s.last_synced ->> 'list' AS last_list_synced_id,
  s.last_synced ->> 'folder' AS last_folder_synced_id,
  s.last_synced ->> 'space' AS last_space_synced_id,
  s.created_at,
  s.updated_at,
  s.workspace_id,
  s.workspace_name,
  coalesce(s.mappings -> 'SPACE', '{}') AS space_mappings,
  coalesce(s.mappings -> 'LIST', '{}') AS list_mappings,
  coalesce(s.mappings -> 'FOLDER', '{}') AS folder_mappings,
  coalesce(s.mappings -> 'USER', '{}') AS user_mappings,
  coalesce(s.mappings -> 'CUSTOM_FIELD', '{}') AS custom_field_mappings
FROM kb.sync_states s
JOIN kb.integrations i ON i.id = s.integration_id
WHERE i.provider = 'clickup';

GRANT SELECT ON kb.clickup_sync_state TO patchbay_serve;
