-- Batches whose files were deleted because YouTube's policies let nobody keep them longer.

ALTER TABLE raw.batches ADD COLUMN purged_at timestamptz;
COMMENT ON COLUMN raw.batches.purged_at IS 'When the file was deleted under the 30-day rule; the hash stays, so that what was made from it is not made anew from less';
