-- kb.audit_events: who did what, written in the transaction that does it, never changed. kb.audit_chain numbers and
-- hashes them per organisation shortly afterwards, so that writers do not queue for the chain.

-- +goose Up

CREATE TABLE kb.audit_events (
  id uuid CONSTRAINT audit_events_pkey PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  org_id varchar(255) NOT NULL,
  -- NULL where the whole organisation is concerned. No foreign key: events outlive what they tell of.
  project_id uuid,
  integration_id uuid,
  actor varchar(255) NOT NULL CONSTRAINT audit_events_actor_check CHECK (actor <> ''),
  action varchar(64) NOT NULL CONSTRAINT audit_events_action_check CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
  -- Names of what changed; never a secret's value.
  changes jsonb NOT NULL CONSTRAINT audit_events_changes_check CHECK (jsonb_typeof(changes) = 'object'),
  request_id varchar(64),
  remote_addr varchar(64)
);

CREATE INDEX audit_events_org_id_idx ON kb.audit_events (org_id, at, id);
CREATE INDEX audit_events_project_id_idx ON kb.audit_events (org_id, project_id, at, id);

GRANT SELECT, INSERT ON kb.audit_events TO patchbay_serve;

ALTER TABLE kb.audit_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_events_tenant ON kb.audit_events TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
      OR project_id = ANY ((SELECT nullif(current_setting('app.projects', true), ''))::uuid[])))
  -- Who is limited to some projects may still be denied something that is in none.
  WITH CHECK (org_id = (SELECT nullif(current_setting('app.org', true), '')));

CREATE TABLE kb.audit_chain (
  org_id varchar(255) NOT NULL,
  position bigint NOT NULL CONSTRAINT audit_chain_position_check CHECK (position > 0),
  event_id uuid NOT NULL CONSTRAINT audit_chain_event_id_key UNIQUE,
  -- SHA-256 of the hash before it and the event.
  hash bytea NOT NULL CONSTRAINT audit_chain_hash_check CHECK (length(hash) = 32),
  CONSTRAINT audit_chain_pkey PRIMARY KEY (org_id, position)
);

GRANT SELECT, INSERT ON kb.audit_chain TO patchbay_serve;

ALTER TABLE kb.audit_chain ENABLE ROW LEVEL SECURITY;
-- The chain is the whole organisation's: who is limited to some projects has no part in it.
CREATE POLICY audit_chain_tenant ON kb.audit_chain TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND (SELECT nullif(current_setting('app.projects', true), '')) IS NULL);

-- Events that the chain does not have yet: what the chainer has to look at, however long the trail is.
CREATE TABLE kb.audit_pending (
  event_id uuid CONSTRAINT audit_pending_pkey PRIMARY KEY,
  org_id varchar(255) NOT NULL
);

CREATE INDEX audit_pending_org_id_idx ON kb.audit_pending (org_id);

GRANT SELECT, INSERT, DELETE ON kb.audit_pending TO patchbay_serve;

ALTER TABLE kb.audit_pending ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_pending_tenant ON kb.audit_pending TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND (SELECT nullif(current_setting('app.projects', true), '')) IS NULL)
  -- Everybody's events are noted.
  WITH CHECK (org_id = (SELECT nullif(current_setting('app.org', true), '')));

-- +goose StatementBegin
CREATE FUNCTION kb.note_audit_pending() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  INSERT INTO kb.audit_pending (event_id, org_id) VALUES (NEW.id, NEW.org_id);
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_pending AFTER INSERT ON kb.audit_events
  FOR EACH ROW EXECUTE FUNCTION kb.note_audit_pending();

-- Append-only for the owner too: the serving role has no privilege to change anything here in the first place.
-- +goose StatementBegin
CREATE FUNCTION kb.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kb.audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION kb.refuse_change();
CREATE TRIGGER audit_chain_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kb.audit_chain
  FOR EACH STATEMENT EXECUTE FUNCTION kb.refuse_change();

-- The hash of an event, given the hash before it. Every field goes in with its length, so that none can be moved into
-- another.
-- +goose StatementBegin
CREATE FUNCTION kb.audit_hash(before bytea, event kb.audit_events) RETURNS bytea
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT sha256(before || convert_to(string_agg(CASE WHEN field IS NULL THEN '-;' ELSE length(field) || ':' || field || ';' END, '' ORDER BY number), 'UTF8'))
  FROM unnest(ARRAY[
    event.id::text, extract(epoch FROM event.at)::text, event.org_id, event.project_id::text, event.integration_id::text,
    event.actor, event.action, event.changes::text, event.request_id, event.remote_addr
  ]) WITH ORDINALITY AS fields (field, number)
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.audit_hash(bytea, kb.audit_events) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.audit_hash(bytea, kb.audit_events) TO patchbay_serve;

-- Appends to the chain of the present tenant at most so many events that are not in it yet, and returns how many. The
-- lock keeps two chainers of one organisation apart until the transaction ends.
-- +goose StatementBegin
CREATE FUNCTION kb.extend_audit_chain(most integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  org text := nullif(current_setting('app.org', true), '');
  last kb.audit_chain;
  event kb.audit_events;
  added integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('kb.audit_chain:' || org, 0));
  SELECT * INTO last FROM kb.audit_chain c WHERE c.org_id = org ORDER BY c.position DESC LIMIT 1;
  FOR event IN
    SELECT e.*
    FROM kb.audit_pending p
    JOIN kb.audit_events e ON e.id = p.event_id
    WHERE p.org_id = org
    ORDER BY e.at, e.id
    LIMIT most
  LOOP
    INSERT INTO kb.audit_chain (org_id, position, event_id, hash)
    VALUES (org, coalesce(last.position, 0) + 1, event.id, kb.audit_hash(coalesce(last.hash, ''::bytea), event))
    RETURNING * INTO last;
    DELETE FROM kb.audit_pending p WHERE p.event_id = event.id;
    added := added + 1;
  END LOOP;
  RETURN added;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.extend_audit_chain(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.extend_audit_chain(integer) TO patchbay_serve;

-- The chainer asks which organisations have work before it becomes each of them in turn.
-- +goose StatementBegin
CREATE FUNCTION kb.organisations_to_chain() RETURNS TABLE (org_id varchar)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT DISTINCT p.org_id
  FROM kb.audit_pending p
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.organisations_to_chain() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.organisations_to_chain() TO patchbay_serve;
