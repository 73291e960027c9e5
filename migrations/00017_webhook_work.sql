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
