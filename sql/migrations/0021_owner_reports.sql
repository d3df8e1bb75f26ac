-- Bulk reports of channels' owners: their files, how far each account's jobs were read, and a table for each family.

CREATE TABLE raw.reports (
    batch_id bigint PRIMARY KEY REFERENCES raw.batches ON DELETE CASCADE,
    account text NOT NULL,
    report_type text NOT NULL,
    type_version integer NOT NULL,
    job_id text NOT NULL,
    report_id text NOT NULL,
    start_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    unknown_columns text[] NOT NULL DEFAULT '{}',
    UNIQUE (account, report_id)
);
COMMENT ON TABLE raw.reports IS 'One row per stored bulk report, beside its row in raw.batches.';
COMMENT ON COLUMN raw.reports.type_version IS '3 for channel_basic_a3';
COMMENT ON COLUMN raw.reports.create_time IS 'When YouTube made the report: the latest of a day counts';
COMMENT ON COLUMN raw.reports.unknown_columns IS 'Columns of the file that no table has';

CREATE VIEW raw.superseded_reports AS
SELECT batch_id, endpoint, partition_day
FROM (
    SELECT batch_id, endpoint, partition_day, row_number() OVER (
        PARTITION BY endpoint, partition_day, account ORDER BY type_version DESC, create_time DESC, batch_id DESC
    ) AS place
    FROM raw.reports JOIN raw.batches USING (batch_id)
) AS ranked
WHERE place > 1;
COMMENT ON VIEW raw.superseded_reports IS
    'Batches of reports that YouTube restated: of an account, family and day the newest type counts, and of it the report made last.';

CREATE TABLE ops.report_cursors (
    account text NOT NULL,
    job_id text NOT NULL,
    report_type text NOT NULL,
    created_until timestamptz NOT NULL,
    PRIMARY KEY (account, job_id)
);
COMMENT ON TABLE ops.report_cursors IS 'How far the reports of each account and job are stored.';
COMMENT ON COLUMN ops.report_cursors.created_until IS 'Reports that YouTube made up to then are stored';

CREATE TABLE metrics.report_basic (
    day date NOT NULL,
    account text NOT NULL,
    channel_id text NOT NULL,
    video_id text NOT NULL,
    claimed_status text NOT NULL,
    uploader_type text NOT NULL,
    live_or_on_demand text NOT NULL,
    subscribed_status text NOT NULL,
    country_code text NOT NULL,
    engaged_views bigint,
    views bigint NOT NULL,
    likes bigint NOT NULL,
    dislikes bigint NOT NULL,
    shares bigint NOT NULL,
    comments bigint NOT NULL,
    videos_added_to_playlists bigint,
    videos_removed_from_playlists bigint,
    watch_time_minutes double precision,
    average_view_duration_seconds double precision,
    average_view_duration_percentage double precision,
    subscribers_gained bigint NOT NULL,
    subscribers_lost bigint NOT NULL,
    red_views bigint,
    red_watch_time_minutes double precision,
    reported_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (day, account, channel_id, video_id, claimed_status, uploader_type, live_or_on_demand, subscribed_status, country_code)
);

CREATE TABLE metrics.report_demographics (
    day date NOT NULL,
    account text NOT NULL,
    channel_id text NOT NULL,
    video_id text NOT NULL,
    claimed_status text NOT NULL,
    uploader_type text NOT NULL,
    live_or_on_demand text NOT NULL,
    subscribed_status text NOT NULL,
    country_code text NOT NULL,
    age_group text NOT NULL,
    gender text NOT NULL,
    views_percentage double precision,
    reported_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (day, account, channel_id, video_id, claimed_status, uploader_type, live_or_on_demand, subscribed_status, country_code, age_group, gender)
);

CREATE TABLE metrics.report_traffic_sources (
    day date NOT NULL,
    account text NOT NULL,
    channel_id text NOT NULL,
    video_id text NOT NULL,
    claimed_status text NOT NULL,
    uploader_type text NOT NULL,
    live_or_on_demand text NOT NULL,
    subscribed_status text NOT NULL,
    country_code text NOT NULL,
    traffic_source_type text NOT NULL,
    traffic_source_detail text NOT NULL,
    engaged_views bigint,
    views bigint NOT NULL,
    watch_time_minutes double precision,
    average_view_duration_seconds double precision,
    average_view_duration_percentage double precision,
    red_views bigint,
    red_watch_time_minutes double precision,
    reported_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (day, account, channel_id, video_id, claimed_status, uploader_type, live_or_on_demand, subscribed_status, country_code, traffic_source_type, traffic_source_detail)
);

CREATE TABLE metrics.report_reach (
    day date NOT NULL,
    account text NOT NULL,
    channel_id text NOT NULL,
    video_id text NOT NULL,
    claimed_status text NOT NULL,
    uploader_type text NOT NULL,
    live_or_on_demand text NOT NULL,
    subscribed_status text NOT NULL,
    country_code text NOT NULL,
    video_thumbnail_impressions bigint NOT NULL,
    video_thumbnail_impressions_ctr double precision,
    reported_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (day, account, channel_id, video_id, claimed_status, uploader_type, live_or_on_demand, subscribed_status, country_code)
);

CREATE TABLE metrics.report_revenue (
    day date NOT NULL,
    account text NOT NULL,
    channel_id text NOT NULL,
    video_id text NOT NULL,
    claimed_status text NOT NULL,
    uploader_type text NOT NULL,
    country_code text NOT NULL,
    estimated_partner_revenue double precision,
    estimated_partner_ad_revenue double precision,
    estimated_partner_ad_auction_revenue double precision,
    estimated_partner_ad_reserved_revenue double precision,
    estimated_youtube_ad_revenue double precision,
    estimated_monetized_playbacks bigint,
    estimated_playback_based_cpm double precision,
    ad_impressions bigint,
    estimated_cpm double precision,
    estimated_partner_red_revenue double precision,
    estimated_partner_transaction_revenue double precision,
    reported_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (day, account, channel_id, video_id, claimed_status, uploader_type, country_code)
);
