-- Accounts of owners, as a person needs to see them; their secrets are in files below YT_HOME and nowhere else.

CREATE TABLE ops.accounts (
    name text PRIMARY KEY,
    kind text NOT NULL,
    channel_id text,
    content_owner text,
    scopes text NOT NULL,
    authorized_at timestamptz NOT NULL,
    authorization_checked_at timestamptz NOT NULL,
    state text NOT NULL,
    reason text,
    remedy text,
    run_id uuid,
    loaded_at timestamptz NOT NULL DEFAULT now()
);
