-- By what an import of the same files is known, so that it takes the place of one that read them otherwise.

ALTER TABLE raw.imports ADD COLUMN contents text[];
COMMENT ON COLUMN raw.imports.contents IS 'Hash of each of its files; of an import by an earlier version those that its batches tell';
ALTER TABLE raw.imports ADD COLUMN reading text;
COMMENT ON COLUMN raw.imports.reading IS 'Version of the importer, and what was said about names and dates; NULL where an earlier version imported it';

UPDATE raw.imports SET contents = (
    SELECT array_agg(DISTINCT original_sha256) FROM raw.import_batches JOIN raw.batches USING (batch_id)
    WHERE import_batches.import_id = imports.import_id
);
