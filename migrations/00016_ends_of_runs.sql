-- What runs look for at their end.

-- +goose Up

-- Objects below one that was deleted before.
CREATE INDEX synced_objects_deleted_idx ON kb.synced_objects (integration_id, external_id) WHERE deleted_at IS NOT NULL;
