-- What webhooks' work needs to know between its attempts, and to be found by.

-- +goose Up

ALTER TABLE kb.webhook_objects
  -- It was not there any more then. A run that was queued before may store it again: it is asked for once more after that has ended.
  ADD COLUMN gone_at timestamptz,
  -- What is still to be read with it: {"At": when it was found out, "Objects": [{"Type", "ExternalID"}], "Failure": of what was read before}.
  ADD COLUMN rest jsonb CONSTRAINT webhook_objects_rest_check CHECK (jsonb_typeof(rest) = 'object');
