-- Unusual readings of counters.

CREATE TABLE ops.anomalies (
    video_id text NOT NULL,
    at timestamptz NOT NULL,
    series text NOT NULL,
    kind text NOT NULL,
    target text NOT NULL,
    severity text NOT NULL,
    score double precision,
    observed double precision,
    expected double precision,
    channel_id text,
    detail text NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, at, series, kind, target)
);
CREATE INDEX anomalies_at ON ops.anomalies USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
