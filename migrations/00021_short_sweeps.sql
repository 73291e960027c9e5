-- What keeps the end of runs short, however much was deleted before.

-- +goose Up

-- Full runs look below what was deleted since the last one, and no longer below all that ever was.
CREATE INDEX synced_objects_deleted_at_idx ON kb.synced_objects (integration_id, deleted_at) WHERE deleted_at IS NOT NULL;
DROP INDEX kb.synced_objects_deleted_idx;
