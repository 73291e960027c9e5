-- How long runs have waited for a limit.

-- +goose Up

-- Since when a run has only waited for the third party's limit; NULL once it advances.
ALTER TABLE kb.sync_runs ADD COLUMN limited_since timestamptz;
