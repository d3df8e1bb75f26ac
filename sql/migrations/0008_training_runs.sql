-- Scores of every candidate of a training, how it compared with naive and the champion, and who was champion when.

ALTER TABLE models.scorecards RENAME COLUMN horizon_days TO horizon;
ALTER TABLE models.scorecards
    ADD COLUMN task text NOT NULL DEFAULT 'video_day',
    ADD COLUMN kind text NOT NULL DEFAULT 'lightgbm',
    ADD COLUMN recipe_digest text NOT NULL DEFAULT '',
    ADD COLUMN data_version text NOT NULL DEFAULT '',
    ADD COLUMN fold_count bigint NOT NULL DEFAULT 1,
    ADD COLUMN wape_7d_min double precision,
    ADD COLUMN wape_7d_max double precision,
    ADD COLUMN coverage80_7d_min double precision,
    ADD COLUMN coverage80_7d_max double precision,
    ADD COLUMN champion_version text,
    ADD COLUMN champion_wape double precision,
    ADD COLUMN p_naive double precision,
    ADD COLUMN p_champion double precision,
    ADD COLUMN decision text NOT NULL DEFAULT '';
ALTER TABLE models.scorecards
    ALTER COLUMN task DROP DEFAULT,
    ALTER COLUMN kind DROP DEFAULT,
    ALTER COLUMN recipe_digest DROP DEFAULT,
    ALTER COLUMN data_version DROP DEFAULT,
    ALTER COLUMN fold_count DROP DEFAULT,
    ALTER COLUMN decision DROP DEFAULT;

CREATE TABLE models.champions (
    model text NOT NULL,
    change bigint NOT NULL,
    model_version text NOT NULL,
    replaced text,
    reason text NOT NULL,
    changed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (model, change)
);

CREATE TABLE models.backtest_forecasts (
    model_version text NOT NULL,
    fold_trained_until date NOT NULL,
    series text NOT NULL,
    origin timestamptz NOT NULL,
    target text NOT NULL,
    horizon bigint NOT NULL,
    task text NOT NULL,
    p10 double precision,
    p50 double precision,
    p90 double precision,
    actual double precision,
    naive double precision,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (model_version, fold_trained_until, series, origin, target, horizon)
);

CREATE TABLE models.tuned_recipes (
    task text NOT NULL,
    kind text NOT NULL,
    parameters text NOT NULL,
    wape double precision,
    default_wape double precision,
    trial_count bigint NOT NULL,
    tuned_until date NOT NULL,
    tuned_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (task, kind)
);
