-- What answers of the Data API tell since 2026: shapes of players, pictures, brand partners, and comments that are a
-- picture alone. Guesses of Shorts made until now were made by the duration alone.

ALTER TABLE metrics.videos
    ADD COLUMN embed_width bigint,
    ADD COLUMN embed_height bigint,
    ADD COLUMN short_guess_rule text NOT NULL DEFAULT 'duration',
    ADD COLUMN thumbnail_url text,
    ADD COLUMN brand_partner_channel_id text;
ALTER TABLE metrics.video_versions
    ADD COLUMN embed_width bigint,
    ADD COLUMN embed_height bigint,
    ADD COLUMN short_guess_rule text NOT NULL DEFAULT 'duration',
    ADD COLUMN thumbnail_url text,
    ADD COLUMN brand_partner_channel_id text;

ALTER TABLE metrics.comments ALTER COLUMN text DROP NOT NULL;
ALTER TABLE metrics.comments ADD COLUMN image_url text;
