-- What is forgotten on request, and the backups that still hold it.

ALTER TABLE raw.batches ADD COLUMN supersedes text;
COMMENT ON COLUMN raw.batches.supersedes IS 'Hash of the file this one replaced when something in it was forgotten';

CREATE TABLE ops.forgotten_salt (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    salt bytea NOT NULL
);
COMMENT ON TABLE ops.forgotten_salt IS 'Key of the digests in ops.forgotten; without it they cannot be told from noise.';
INSERT INTO ops.forgotten_salt (salt)
VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

CREATE TABLE ops.forgotten (
    digest text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('channel', 'author', 'video')),
    forgotten_at timestamptz NOT NULL DEFAULT now(),
    pending text
);
COMMENT ON TABLE ops.forgotten IS 'One row per id that imports, collections and restores leave out, as HMAC-SHA256 of it.';
COMMENT ON COLUMN ops.forgotten.pending IS 'The id itself while its deletion is under way or interrupted; NULL after it';

CREATE TABLE ops.backups (
    folder text PRIMARY KEY,
    created_at timestamptz NOT NULL,
    keep_until timestamptz NOT NULL
);
COMMENT ON TABLE ops.backups IS 'Backups that were made, and until when each may be kept; a person deletes them.';
