-- What webhooks leave out, and webhooks that are to be made anew.

-- +goose Up

ALTER TABLE kb.webhooks
  -- The run of catch_up_at is to read everything: deletions or moves may have been lost, which one of changes does not find.
  ADD COLUMN catch_up_full boolean NOT NULL DEFAULT false;
