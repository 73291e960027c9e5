-- What keeps runs short, however much there is and was.

-- +goose Up

-- Full runs look below what was deleted since the last one, and no longer below all that ever was.
CREATE INDEX synced_objects_deleted_at_idx ON kb.synced_objects (integration_id, deleted_at) WHERE deleted_at IS NOT NULL;
DROP INDEX kb.synced_objects_deleted_idx;

-- Up to which object, by external id, details are read anew, and of which listings; NULL while they are not. A run reads a part of them, and the
-- next one goes on. From then on details_swept_at is when that was last done.
ALTER TABLE kb.sync_states ADD COLUMN details_sweep_after text COLLATE "C", ADD COLUMN details_sweep_listings text[] COLLATE "C";
