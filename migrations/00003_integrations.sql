-- kb.integrations, and which keys sealed it.

-- +goose Up

CREATE TABLE kb.integrations (
  id uuid CONSTRAINT integrations_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
  -- A slug. "C" keeps the order, and so the cursors, the same under every collation library.
  name varchar(50) COLLATE "C" NOT NULL CONSTRAINT integrations_name_check CHECK (name ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  provider varchar(50) NOT NULL,
  display_name varchar(255) NOT NULL,
  description text,
  enabled boolean NOT NULL DEFAULT true,
  org_id varchar(255) NOT NULL,
  project_id uuid NOT NULL CONSTRAINT integrations_project_id_fkey REFERENCES kb.projects (id) ON DELETE CASCADE,
  -- Base64 of an OpenPGP message: a JSON object of the secret settings. NULL when there are none.
  settings text,
  -- Sealed in the same way, with a passphrase of its own.
  webhook_secret text,
  -- The one before, sealed with a passphrase of its own, and until when it counts; NULL where there is none.
  previous_webhook_secret text,
  previous_webhook_secret_until timestamptz,
  -- Which key sealed settings, webhook_secret and previous_webhook_secret.
  key_id text,
  -- Names of the secret settings that have a value.
  configured_secrets text[] NOT NULL DEFAULT '{}',
  -- The settings that the provider's schema declares not secret, and nothing else.
  public_settings jsonb NOT NULL DEFAULT '{}' CONSTRAINT integrations_public_settings_check CHECK (jsonb_typeof(public_settings) = 'object'),
  logo_url varchar(512),
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  created_by varchar(255),
  -- Also serves look-ups by project, and the list of a project in its order.
  CONSTRAINT integrations_project_id_name_key UNIQUE (project_id, name),
  -- A ciphertext that came out NULL by mistake is refused here.
  CONSTRAINT integrations_settings_check CHECK ((settings IS NULL) = (configured_secrets = '{}')),
  CONSTRAINT integrations_key_id_check CHECK ((key_id IS NULL) = (settings IS NULL AND webhook_secret IS NULL)),
  CONSTRAINT integrations_previous_webhook_secret_check CHECK (
    (previous_webhook_secret IS NULL) = (previous_webhook_secret_until IS NULL)
    AND (previous_webhook_secret IS NULL OR webhook_secret IS NOT NULL))
);

-- With the id: what another organisation has under an id is not even found, and takes no other time than what nobody has.
CREATE INDEX integrations_org_id_idx ON kb.integrations (org_id, id);
CREATE INDEX integrations_enabled_idx ON kb.integrations (enabled);
CREATE INDEX integrations_name_idx ON kb.integrations (name);
CREATE INDEX integrations_created_at_idx ON kb.integrations (created_at);
CREATE INDEX integrations_key_id_idx ON kb.integrations (key_id);

CREATE TRIGGER integrations_touch BEFORE UPDATE ON kb.integrations
  FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION kb.touch_updated_at();

GRANT SELECT, INSERT, UPDATE, DELETE ON kb.integrations TO patchbay_serve;

ALTER TABLE kb.integrations ENABLE ROW LEVEL SECURITY;
CREATE POLICY integrations_tenant ON kb.integrations TO patchbay_serve
  USING (org_id = (SELECT nullif(current_setting('app.org', true), ''))
    AND ((SELECT nullif(current_setting('app.projects', true), '')) IS NULL
      OR project_id = ANY ((SELECT nullif(current_setting('app.projects', true), ''))::uuid[])));

-- Start-up asks this before any tenant is known: does the server have every key that sealed a row?
-- +goose StatementBegin
CREATE FUNCTION kb.sealing_keys() RETURNS TABLE (key_id text, sealed_rows bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.key_id, count(*)
  FROM kb.integrations i
  WHERE i.key_id IS NOT NULL
  GROUP BY i.key_id
  ORDER BY i.key_id
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION kb.sealing_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kb.sealing_keys() TO patchbay_serve;
