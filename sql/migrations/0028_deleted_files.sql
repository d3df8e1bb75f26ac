-- Which files of purged batches are gone: a deletion that was interrupted is due until they are.

ALTER TABLE raw.batches ADD COLUMN file_deleted_at timestamptz;
COMMENT ON COLUMN raw.batches.purged_at IS 'When the file was to be deleted under the 30-day rule; the hash stays, so that what was made from it is not made anew from less';
COMMENT ON COLUMN raw.batches.file_deleted_at IS 'When it was, of a batch that was purged';
