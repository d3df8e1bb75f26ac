-- Hours, channels by day and sliding windows: what reports read.

CREATE TABLE metrics.video_hourly (
    video_id text NOT NULL,
    hour timestamptz NOT NULL,
    channel_id text,
    published_at timestamptz,
    collected_at timestamptz NOT NULL,
    view_count bigint NOT NULL,
    like_count bigint,
    comment_count bigint,
    view_increment bigint,
    like_increment bigint,
    comment_increment bigint,
    reading_count bigint NOT NULL,
    engagement_rate double precision,
    growth_rate double precision,
    views_per_hour double precision,
    view_definition text NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, hour)
);
CREATE INDEX video_hourly_hour ON metrics.video_hourly USING brin (hour) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE metrics.channel_daily (
    channel_id text NOT NULL,
    day date NOT NULL,
    view_count double precision,
    subscriber_count double precision,
    view_increment double precision,
    subscriber_increment double precision,
    tracked_video_count bigint NOT NULL,
    tracked_view_increment double precision,
    tracked_like_increment double precision,
    tracked_comment_increment double precision,
    engagement_rate double precision,
    growth_rate double precision,
    views_per_hour double precision,
    ad_revenue_estimate double precision,
    affiliate_revenue_estimate double precision,
    sponsorship_revenue_estimate double precision,
    revenue_assumptions text NOT NULL,
    is_final boolean NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (channel_id, day)
);
CREATE INDEX channel_daily_day ON metrics.channel_daily USING brin (day) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE metrics.video_windows (
    channel_id text NOT NULL,
    window_minutes bigint NOT NULL,
    window_start timestamptz NOT NULL,
    reading_count bigint NOT NULL,
    video_count bigint NOT NULL,
    view_increment bigint,
    like_increment bigint,
    comment_increment bigint,
    is_final boolean NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (channel_id, window_minutes, window_start)
);
CREATE INDEX video_windows_start ON metrics.video_windows USING brin (window_start) WITH (pages_per_range = 32, autosummarize = on);
