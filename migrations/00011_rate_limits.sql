-- kb.rate_limits: what all processes together know of the limits of third parties' tokens.

-- +goose Up

-- A row belongs to no tenant: two organisations may use the same token, and its limit is one. The fingerprint is keyed, so
-- a row tells nothing of whose token it is. Rows change several times a second, in place.
CREATE TABLE kb.rate_limits (
  fingerprint varchar(64) CONSTRAINT rate_limits_pkey PRIMARY KEY CONSTRAINT rate_limits_fingerprint_check CHECK (fingerprint <> ''),
  -- package provider's own.
  state jsonb NOT NULL DEFAULT '{}' CONSTRAINT rate_limits_state_check CHECK (jsonb_typeof(state) = 'object'),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON kb.rate_limits TO patchbay_serve;

ALTER TABLE kb.rate_limits ENABLE ROW LEVEL SECURITY;
CREATE POLICY rate_limits_shared ON kb.rate_limits TO patchbay_serve USING (true);
