-- How forecasts did, drift of what models are given, and alerts.

CREATE TABLE predictions.forecast_accuracy (
    video_id text NOT NULL,
    origin_day date NOT NULL,
    horizon_days bigint NOT NULL,
    target text NOT NULL,
    model_version text NOT NULL,
    target_day date NOT NULL,
    channel_id text,
    p10 double precision,
    p50 double precision,
    p90 double precision,
    actual bigint NOT NULL,
    naive double precision,
    error double precision,
    within80 boolean NOT NULL,
    basis text NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, origin_day, horizon_days, target, model_version)
);
CREATE INDEX forecast_accuracy_target_day ON predictions.forecast_accuracy USING brin (target_day) WITH (pages_per_range = 32, autosummarize = on);

-- Forecasts enter the books of loads from now on; those that are there already, too.
INSERT INTO ops.loads (table_name, partition_day, input_version, code_version, row_count, run_id, loaded_at)
SELECT 'predictions.video_forecast', origin_day, max(model_version), '1', count(*), max(run_id::text)::uuid, max(loaded_at)
FROM predictions.video_forecast
GROUP BY origin_day;

CREATE TABLE ops.drift (
    day date NOT NULL,
    model_version text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    reference_from date,
    reference_until date,
    reference_rows bigint NOT NULL,
    window_rows bigint NOT NULL,
    reference_size bigint NOT NULL,
    window_size bigint NOT NULL,
    reference_unknown double precision,
    window_unknown double precision,
    psi double precision,
    psi_limit double precision,
    jensen_shannon double precision,
    jensen_shannon_limit double precision,
    kolmogorov_smirnov double precision,
    kolmogorov_smirnov_limit double precision,
    status text NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (day, model_version, kind, name)
);

CREATE TABLE ops.alerts (
    alert_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedupe_key text NOT NULL,
    severity text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    message text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    occurrence_count bigint NOT NULL DEFAULT 1,
    resolved_at timestamptz,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX alerts_open ON ops.alerts (dedupe_key) WHERE resolved_at IS NULL;
