CREATE TABLE metrics.video_snapshots (
    source text NOT NULL,
    video_id text NOT NULL,
    region text NOT NULL,
    collected_at timestamptz NOT NULL,
    channel_id text,
    published_at timestamptz,
    view_count bigint NOT NULL,
    like_count bigint,
    comment_count bigint,
    likes_known boolean NOT NULL,
    comments_known boolean NOT NULL,
    view_definition text NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (source, video_id, region, collected_at)
) PARTITION BY RANGE (collected_at);
CREATE INDEX video_snapshots_collected_at ON metrics.video_snapshots USING brin (collected_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE metrics.channel_snapshots (
    source text NOT NULL,
    channel_id text NOT NULL,
    collected_at timestamptz NOT NULL,
    subscriber_count bigint,
    view_count bigint,
    video_count bigint,
    view_definition text NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (source, channel_id, collected_at)
) PARTITION BY RANGE (collected_at);
CREATE INDEX channel_snapshots_collected_at ON metrics.channel_snapshots USING brin (collected_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE metrics.videos (
    video_id text NOT NULL,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    channel_id text,
    channel_title text,
    title text,
    description text,
    published_at timestamptz,
    duration_seconds bigint,
    category_id text,
    tags text,
    default_language text,
    default_audio_language text,
    live_broadcast_content text,
    definition text,
    caption boolean,
    licensed_content boolean,
    embeddable boolean,
    made_for_kids boolean,
    is_short_guess boolean,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id)
);

CREATE TABLE metrics.video_versions (
    video_id text NOT NULL,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    channel_id text,
    channel_title text,
    title text,
    description text,
    published_at timestamptz,
    duration_seconds bigint,
    category_id text,
    tags text,
    default_language text,
    default_audio_language text,
    live_broadcast_content text,
    definition text,
    caption boolean,
    licensed_content boolean,
    embeddable boolean,
    made_for_kids boolean,
    is_short_guess boolean,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, collected_at)
);
CREATE INDEX video_versions_collected_at ON metrics.video_versions USING brin (collected_at) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE metrics.channels (
    channel_id text NOT NULL,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    title text,
    handle text,
    description text,
    country text,
    published_at timestamptz,
    uploads_playlist_id text,
    is_complete boolean NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (channel_id)
);

CREATE TABLE metrics.video_daily (
    video_id text NOT NULL,
    day date NOT NULL,
    channel_id text,
    published_at timestamptz,
    collected_at timestamptz NOT NULL,
    view_count bigint NOT NULL,
    like_count bigint,
    comment_count bigint,
    view_increment bigint,
    like_increment bigint,
    comment_increment bigint,
    view_count_fell boolean NOT NULL,
    like_count_fell boolean NOT NULL,
    comment_count_fell boolean NOT NULL,
    reading_count bigint NOT NULL,
    region_count bigint NOT NULL,
    source_count bigint NOT NULL,
    view_definition text NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, day)
);
CREATE INDEX video_daily_day ON metrics.video_daily USING brin (day) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE models.scorecards (
    model_version text NOT NULL,
    horizon_days bigint NOT NULL,
    target text NOT NULL,
    trained_until date NOT NULL,
    fold_trained_until date NOT NULL,
    fold_tested_until date NOT NULL,
    row_count bigint NOT NULL,
    wape double precision,
    naive_wape double precision,
    pinball double precision,
    coverage80 double precision,
    width80 double precision,
    promoted boolean NOT NULL,
    scored_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (model_version, horizon_days, target)
);

CREATE TABLE predictions.video_forecast (
    video_id text NOT NULL,
    origin_day date NOT NULL,
    horizon_days bigint NOT NULL,
    target text NOT NULL,
    model_version text NOT NULL,
    channel_id text,
    p10 double precision,
    p50 double precision,
    p90 double precision,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, origin_day, horizon_days, target, model_version)
);
CREATE INDEX video_forecast_origin_day ON predictions.video_forecast USING brin (origin_day) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE features.video_day (
    video_id text NOT NULL,
    day date NOT NULL,
    channel_id text,
    view_increment_1 double precision,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, day)
);
CREATE INDEX video_day_day ON features.video_day USING brin (day) WITH (pages_per_range = 32, autosummarize = on);

