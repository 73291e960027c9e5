-- What runs look for at their end, and how often they lose their worker.

-- +goose Up

-- Objects below one that was deleted before.
CREATE INDEX synced_objects_deleted_idx ON kb.synced_objects (integration_id, external_id) WHERE deleted_at IS NOT NULL;

-- How often a run lost its worker since it last advanced; attempts counts failures alone.
ALTER TABLE kb.sync_runs ADD COLUMN lost integer NOT NULL DEFAULT 0;
