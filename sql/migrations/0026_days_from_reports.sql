-- A day of a channel whose gains are those of its owner's report, as nothing was read on it, says so.
ALTER TABLE metrics.channel_daily
    ADD COLUMN basis text NOT NULL DEFAULT 'readings',
    ADD COLUMN tracked_basis text NOT NULL DEFAULT 'readings';
ALTER TABLE metrics.channel_daily
    ALTER COLUMN basis DROP DEFAULT,
    ALTER COLUMN tracked_basis DROP DEFAULT;
