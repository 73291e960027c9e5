-- When each secret setting was given last.

-- +goose Up

ALTER TABLE kb.integrations
  -- An object of times by the setting's name. Those given before this was kept have none.
  ADD COLUMN secret_changes jsonb NOT NULL DEFAULT '{}' CONSTRAINT integrations_secret_changes_check CHECK (jsonb_typeof(secret_changes) = 'object');
