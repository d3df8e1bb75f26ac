-- Layers of the warehouse, the catalogue of raw batches and the books of operation.

CREATE SCHEMA raw;
CREATE SCHEMA metrics;
CREATE SCHEMA features;
CREATE SCHEMA models;
CREATE SCHEMA predictions;
CREATE SCHEMA bi;
CREATE SCHEMA ops;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

COMMENT ON SCHEMA raw IS 'Catalogue of immutable raw files';
COMMENT ON SCHEMA metrics IS 'Validated facts, rebuilt from raw at no quota';
COMMENT ON SCHEMA features IS 'What was known of a video at the end of a day';
COMMENT ON SCHEMA models IS 'How models did; the models themselves are in MLflow';
COMMENT ON SCHEMA predictions IS 'Forecasts';
COMMENT ON SCHEMA bi IS 'Views for readers; nothing else is promised to them';
COMMENT ON SCHEMA ops IS 'Clock, quarantine and books of what was loaded';

CREATE TABLE raw.imports (
    import_id text PRIMARY KEY,
    name text NOT NULL,
    formats text[] NOT NULL,
    row_count bigint NOT NULL,
    reject_count bigint NOT NULL,
    run_id uuid NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE raw.imports IS 'One row per imported file or folder, by the hash of its contents.';

CREATE TABLE raw.batches (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint text NOT NULL,
    partition_day date NOT NULL,
    collected_at timestamptz NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    row_count bigint NOT NULL,
    quota_units integer NOT NULL DEFAULT 0,
    synthetic boolean NOT NULL DEFAULT false,
    original_name text NOT NULL,
    original_sha256 text NOT NULL,
    run_id uuid NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (endpoint, partition_day, sha256)
);
CREATE INDEX batches_partition_day ON raw.batches (partition_day, endpoint);
COMMENT ON TABLE raw.batches IS 'One row per immutable raw file: what it holds, where it lies and what it came from.';

CREATE TABLE ops.clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    simulated_at timestamptz
);
COMMENT ON TABLE ops.clock IS 'The one clock: simulated at an instant, or real where simulated_at is NULL.';
INSERT INTO ops.clock (simulated_at) VALUES (NULL);

CREATE TABLE ops.quarantine (
    quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    partition_day date,
    origin text NOT NULL,
    reason text NOT NULL,
    record jsonb NOT NULL,
    run_id uuid NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_table_day ON ops.quarantine (table_name, partition_day);
COMMENT ON TABLE ops.quarantine IS 'Rows that were refused, as they came, with the reason.';
COMMENT ON COLUMN ops.quarantine.table_name IS 'Table that refused the row; raw.history when the importer could not read it';
COMMENT ON COLUMN ops.quarantine.origin IS 'Batch of the row, or file and line where it could not be read';

CREATE TABLE ops.loads (
    table_name text NOT NULL,
    partition_day date NOT NULL,
    input_version text NOT NULL,
    code_version text NOT NULL,
    batch_ids bigint[] NOT NULL DEFAULT '{}',
    row_count bigint NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_name, partition_day)
);
COMMENT ON COLUMN ops.loads.batch_ids IS 'Raw batches the rows were parsed from; empty for tables made from tables';
COMMENT ON TABLE ops.loads IS 'One row per table and partition day: from which version of its inputs the rows were made.';

-- Adds the month's partition of a table that is partitioned by month. The lock makes two writers take turns.
CREATE FUNCTION ops.ensure_month(parent regclass, month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child text := (SELECT relname FROM pg_class WHERE oid = parent) || to_char(month, '"_"YYYYMM');
    layer text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = parent);
BEGIN
    IF to_regclass(format('%I.%I', layer, child)) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('ops.ensure_month'));
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I.%I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)',
            layer, child, parent, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC'
        );
    END IF;
END
$$;
