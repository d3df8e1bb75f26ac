-- Retention curves of owned videos, and which were asked for.

CREATE TABLE metrics.video_retention (
    account text NOT NULL,
    video_id text NOT NULL,
    age_days bigint NOT NULL,
    elapsed_video_time_ratio double precision NOT NULL,
    channel_id text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    audience_watch_ratio double precision,
    relative_retention_performance double precision,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (account, video_id, age_days, elapsed_video_time_ratio)
);

CREATE TABLE ops.asked_curves (
    account text NOT NULL,
    video_id text NOT NULL,
    age_days bigint NOT NULL,
    channel_id text NOT NULL,
    asked_at timestamptz NOT NULL,
    point_count bigint NOT NULL,
    PRIMARY KEY (account, video_id, age_days)
);
COMMENT ON TABLE ops.asked_curves IS 'One row per account, video and age of which YouTube Analytics was asked for the retention curve.';
COMMENT ON COLUMN ops.asked_curves.asked_at IS 'When it was last asked';
COMMENT ON COLUMN ops.asked_curves.point_count IS 'Points the answer had; 0 where there was no curve yet or the video was refused, which is asked again for a while';

COMMENT ON COLUMN raw.batches.source IS 'import; api: pulled from YouTube with a key; report: told to an owner alone (original_name is NULL for both)';
