-- A search reads the words of its own integration: with an index of words alone it took as long as other tenants have matches, and told
-- by that what they write.

-- +goose Up

-- Of the server's own contrib modules, and trusted as pgcrypto is: whoever owns the database may install it.
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA kb;

DROP INDEX kb.synced_objects_words_idx;
CREATE INDEX synced_objects_words_idx ON kb.synced_objects USING gin (integration_id, words);
