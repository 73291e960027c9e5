-- kb.api_usage: how much of their budgets the API's users have used, which several servers share.

-- +goose Up

-- Unlogged: after a crash every budget is whole again, which is no loss. Half-empty pages keep updates in place.
CREATE UNLOGGED TABLE kb.api_usage (
  -- SHA-256 of an organisation and a subject. The table is no tenant's: it names nobody, and has a row only for who used
  -- much within minutes.
  account bytea CONSTRAINT api_usage_pkey PRIMARY KEY CONSTRAINT api_usage_account_check CHECK (octet_length(account) = 32),
  -- What was used and has not been given back yet, at the time in at; it drains steadily.
  points double precision NOT NULL,
  at timestamptz NOT NULL
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE ON kb.api_usage TO patchbay_serve;
