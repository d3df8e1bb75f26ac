-- Quality scores over time.

CREATE TABLE ops.quality_scores (
    day date NOT NULL,
    table_name text NOT NULL,
    source text NOT NULL,
    score double precision,
    status text NOT NULL,
    completeness double precision,
    accuracy double precision,
    consistency double precision,
    timeliness double precision,
    uniqueness double precision,
    validity double precision,
    row_count bigint NOT NULL,
    reject_count bigint NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (day, table_name, source)
);
