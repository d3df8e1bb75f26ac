-- How forecasts of channels and of the next hour did.

CREATE TABLE predictions.video_hour_forecast_accuracy (
    video_id text NOT NULL,
    origin_hour timestamptz NOT NULL,
    horizon_hours bigint NOT NULL,
    target text NOT NULL,
    model_version text NOT NULL,
    target_hour timestamptz NOT NULL,
    channel_id text,
    p10 double precision,
    p50 double precision,
    p90 double precision,
    actual bigint NOT NULL,
    naive double precision,
    error double precision,
    within80 boolean NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, origin_hour, horizon_hours, target, model_version)
);
CREATE INDEX video_hour_forecast_accuracy_target_hour ON predictions.video_hour_forecast_accuracy
    USING brin (target_hour) WITH (pages_per_range = 32, autosummarize = on);

CREATE TABLE predictions.channel_forecast_accuracy (
    channel_id text NOT NULL,
    origin_day date NOT NULL,
    horizon_days bigint NOT NULL,
    target text NOT NULL,
    model_version text NOT NULL,
    target_day date NOT NULL,
    p10 double precision,
    p50 double precision,
    p90 double precision,
    actual bigint NOT NULL,
    naive double precision,
    error double precision,
    within80 boolean NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (channel_id, origin_day, horizon_days, target, model_version)
);
CREATE INDEX channel_forecast_accuracy_target_day ON predictions.channel_forecast_accuracy
    USING brin (target_day) WITH (pages_per_range = 32, autosummarize = on);
