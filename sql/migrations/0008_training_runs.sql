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
