-- What collection by the API keeps: the watch list, the state of every video, and the quota's ledger.

ALTER TABLE raw.batches ALTER COLUMN original_name DROP NOT NULL;
ALTER TABLE raw.batches ALTER COLUMN original_sha256 DROP NOT NULL;
ALTER TABLE raw.batches ADD COLUMN source text NOT NULL DEFAULT 'import';
ALTER TABLE raw.batches ALTER COLUMN source DROP DEFAULT;
COMMENT ON COLUMN raw.batches.source IS 'import, or api: pulled from YouTube (original_name is NULL then)';
COMMENT ON COLUMN raw.batches.row_count IS 'Rows of an import, answers of a pull';

CREATE TABLE ops.turn ();
COMMENT ON TABLE ops.turn IS 'Locked while a command imports or brings tables up to date, so that one at a time does.';

CREATE TABLE ops.writers (table_name text PRIMARY KEY);
COMMENT ON TABLE ops.writers IS 'Whose row a transaction changes before it writes the table: writers take turns by that.';

CREATE TABLE ops.accepted_rejects (
    table_name text NOT NULL,
    partition_day date NOT NULL,
    reject_count bigint NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_name, partition_day)
);
COMMENT ON TABLE ops.accepted_rejects IS 'Days whose refused rows a person has looked at: so many block nothing.';

CREATE TABLE ops.watched_channels (
    reference text PRIMARY KEY,
    channel_id text UNIQUE,
    uploads_playlist_id text,
    paused boolean NOT NULL DEFAULT false,
    list_fully boolean NOT NULL DEFAULT false,
    failure text,
    channel_polled_at timestamptz,
    uploads_polled_at timestamptz,
    added_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ops.watched_channels IS 'One row per channel to collect, as the user named it.';
COMMENT ON COLUMN ops.watched_channels.reference IS 'Channel id, or @handle, which is resolved once';
COMMENT ON COLUMN ops.watched_channels.channel_id IS 'NULL until a handle is resolved';
COMMENT ON COLUMN ops.watched_channels.list_fully IS 'The whole uploads playlist is to be listed at the next poll, not its newest part';
COMMENT ON COLUMN ops.watched_channels.failure IS 'Why the last poll of this channel was skipped';

CREATE TABLE ops.tracked_videos (
    video_id text PRIMARY KEY,
    channel_id text NOT NULL,
    published_at timestamptz,
    discovered_at timestamptz NOT NULL,
    metadata_polled_at timestamptz,
    stats_polled_at timestamptz,
    comments_polled_at timestamptz,
    view_count bigint,
    views_per_day double precision,
    unreturned_at timestamptz,
    comments_failure text
);
CREATE INDEX tracked_videos_channel ON ops.tracked_videos (channel_id);
COMMENT ON TABLE ops.tracked_videos IS 'One row per video of a watched channel: when it was last polled, and how it moves.';
COMMENT ON COLUMN ops.tracked_videos.views_per_day IS 'Between the last two polls of its counts';
COMMENT ON COLUMN ops.tracked_videos.unreturned_at IS 'When YouTube first left it out of an answer: deleted, private or blocked; NULL while returned';
COMMENT ON COLUMN ops.tracked_videos.comments_failure IS 'Why its comments were skipped at the last poll';

CREATE TABLE ops.quota_ledger (
    pacific_day date NOT NULL,
    bucket text NOT NULL,
    units integer NOT NULL CHECK (units >= 0),
    stopped_at timestamptz,
    stop_reason text,
    PRIMARY KEY (pacific_day, bucket)
);
COMMENT ON TABLE ops.quota_ledger IS 'Units charged, by Pacific day and bucket; each is charged before its call is sent.';
COMMENT ON COLUMN ops.quota_ledger.stopped_at IS 'When YouTube said that the bucket is empty; nothing is sent until the reset';

CREATE TABLE ops.quota_calls (
    pacific_day date NOT NULL,
    method text NOT NULL,
    calls integer NOT NULL,
    PRIMARY KEY (pacific_day, method)
);
COMMENT ON TABLE ops.quota_calls IS 'Calls charged, by Pacific day and method: what the units went to.';

-- As before, without an advisory lock: writers of a table take turns by ops.writers.
CREATE OR REPLACE FUNCTION ops.ensure_month(parent regclass, month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child text := (SELECT relname FROM pg_class WHERE oid = parent) || to_char(month, '"_"YYYYMM');
    layer text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = parent);
BEGIN
    IF to_regclass(format('%I.%I', layer, child)) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I.%I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)',
            layer, child, parent, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC'
        );
    END IF;
END
$$;
