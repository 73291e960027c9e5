-- kb.projects. A host product may own this table already: then it is left as it is, without a policy of ours, and needs
-- no more than id uuid, unique, and org_id. Reads name the organisation themselves for that reason.

-- +goose Up

-- +goose StatementBegin
DO $do$
BEGIN
  IF to_regclass('kb.projects') IS NOT NULL THEN
    IF (SELECT count(*) FROM pg_attribute a
        WHERE a.attrelid = 'kb.projects'::regclass AND NOT a.attisdropped
          AND (a.attname = 'id' AND a.atttypid = 'uuid'::regtype
            OR a.attname = 'org_id' AND a.atttypid IN ('text'::regtype, 'varchar'::regtype))) < 2 THEN
      RAISE EXCEPTION 'the table kb.projects that exists already needs the columns id uuid and org_id varchar or text';
    END IF;
    IF NOT EXISTS (
        SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = 'kb.projects'::regclass AND a.attname = 'id' AND i.indnkeyatts = 1
          AND i.indisunique AND i.indimmediate AND i.indpred IS NULL) THEN
      RAISE EXCEPTION 'the table kb.projects that exists already needs a primary key or unique constraint on its column id, not deferrable';
    END IF;
    RETURN;
  END IF;

  CREATE TABLE kb.projects (
    id uuid CONSTRAINT projects_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id varchar(255) NOT NULL CONSTRAINT projects_org_id_check CHECK (org_id <> ''),
    name varchar(255) NOT NULL CONSTRAINT projects_name_check CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX projects_org_id_idx ON kb.projects (org_id, lower(name), id);
  -- For look-ups by id: another organisation's project is not even found, and takes no other time than what nobody has.
  CREATE INDEX projects_org_id_id_idx ON kb.projects (org_id, id);
  GRANT SELECT, INSERT ON kb.projects TO patchbay_serve;

  ALTER TABLE kb.projects ENABLE ROW LEVEL SECURITY;
  -- Inside a sub-select a setting is read once a statement; nullif, because a setting that was local to an earlier
  -- transaction reads as ''.
  CREATE POLICY projects_tenant ON kb.projects TO patchbay_serve
    USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
      AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
        OR id = ANY ((SELECT nullif(current_setting('app.projects', true), ''))::uuid[])));
END
$do$;
-- +goose StatementEnd
