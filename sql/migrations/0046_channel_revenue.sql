-- What channels earned, by day, as YouTube Analytics tells their owners.

CREATE TABLE metrics.channel_revenue (
    account text NOT NULL,
    channel_id text NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    estimated_revenue double precision,
    estimated_ad_revenue double precision,
    estimated_red_partner_revenue double precision,
    gross_revenue double precision,
    monetized_playbacks bigint,
    playback_based_cpm double precision,
    ad_impressions bigint,
    cpm double precision,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (account, channel_id, day)
);
