-- Collection: under which terms a row was obtained and when it was last confirmed; comments.
-- What is there so far came from imports. Changing the type of the new column writes each table anew once, where an
-- UPDATE would leave as many dead rows as live ones.

ALTER TABLE metrics.video_snapshots
    ADD COLUMN access text NOT NULL DEFAULT 'import',
    ADD COLUMN refreshed_at timestamptz;
ALTER TABLE metrics.video_snapshots
    ALTER COLUMN access DROP DEFAULT,
    ALTER COLUMN refreshed_at TYPE timestamptz USING collected_at,
    ALTER COLUMN refreshed_at SET NOT NULL;

ALTER TABLE metrics.channel_snapshots
    ADD COLUMN access text NOT NULL DEFAULT 'import',
    ADD COLUMN refreshed_at timestamptz;
ALTER TABLE metrics.channel_snapshots
    ALTER COLUMN access DROP DEFAULT,
    ALTER COLUMN refreshed_at TYPE timestamptz USING collected_at,
    ALTER COLUMN refreshed_at SET NOT NULL;

ALTER TABLE metrics.videos
    ADD COLUMN access text NOT NULL DEFAULT 'import',
    ADD COLUMN refreshed_at timestamptz;
ALTER TABLE metrics.videos
    ALTER COLUMN access DROP DEFAULT,
    ALTER COLUMN refreshed_at TYPE timestamptz USING collected_at,
    ALTER COLUMN refreshed_at SET NOT NULL;

ALTER TABLE metrics.video_versions
    ADD COLUMN access text NOT NULL DEFAULT 'import',
    ADD COLUMN refreshed_at timestamptz;
ALTER TABLE metrics.video_versions
    ALTER COLUMN access DROP DEFAULT,
    ALTER COLUMN refreshed_at TYPE timestamptz USING collected_at,
    ALTER COLUMN refreshed_at SET NOT NULL;

ALTER TABLE metrics.channels
    ADD COLUMN access text NOT NULL DEFAULT 'import',
    ADD COLUMN refreshed_at timestamptz;
ALTER TABLE metrics.channels
    ALTER COLUMN access DROP DEFAULT,
    ALTER COLUMN refreshed_at TYPE timestamptz USING collected_at,
    ALTER COLUMN refreshed_at SET NOT NULL;

CREATE TABLE metrics.comments (
    comment_id text NOT NULL,
    video_id text,
    parent_id text,
    channel_id text,
    author_channel_id text,
    author_name text,
    text text NOT NULL,
    like_count bigint,
    reply_count bigint,
    published_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    collected_at timestamptz NOT NULL,
    source text NOT NULL,
    access text NOT NULL,
    refreshed_at timestamptz NOT NULL,
    run_id uuid NOT NULL,
    loaded_at timestamptz NOT NULL,
    PRIMARY KEY (comment_id)
);
CREATE INDEX comments_collected_at ON metrics.comments USING brin (collected_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX comments_video_id ON metrics.comments (video_id, published_at);
