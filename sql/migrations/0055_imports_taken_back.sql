-- What each import brought, so that it can be taken back. Two imports may have brought the same batch, which stays then.

CREATE TABLE raw.import_batches (
    import_id text NOT NULL REFERENCES raw.imports ON DELETE CASCADE,
    batch_id bigint NOT NULL REFERENCES raw.batches ON DELETE CASCADE,
    PRIMARY KEY (import_id, batch_id)
);
CREATE INDEX import_batches_batch_id ON raw.import_batches (batch_id);
COMMENT ON TABLE raw.import_batches IS 'One row per import and raw batch that it brought.';
INSERT INTO raw.import_batches (import_id, batch_id)
SELECT import_id, batch_id FROM raw.imports JOIN raw.batches USING (run_id) WHERE source = 'import';

ALTER TABLE raw.imports ADD COLUMN record_count bigint;
COMMENT ON COLUMN raw.imports.row_count IS 'Rows of the batches: a line of a file may become a row of counts and one of metadata';
COMMENT ON COLUMN raw.imports.record_count IS 'Lines or rows of the files that were taken; NULL where an earlier version imported them';
COMMENT ON COLUMN raw.imports.reject_count IS 'Lines or rows of the files that were refused';
ALTER TABLE raw.imports ADD COLUMN accepted_at timestamptz;
COMMENT ON COLUMN raw.imports.accepted_at IS 'When a person accepted that so many rows were refused';
ALTER TABLE raw.imports ADD COLUMN undoing text[];
COMMENT ON COLUMN raw.imports.undoing IS 'Files still to be deleted while the import is being taken back; NULL for every other import';
