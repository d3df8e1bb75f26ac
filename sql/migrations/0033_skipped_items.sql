-- What a collection skipped or could not read to its end, and when it asks again: later and later, item by item.

CREATE TABLE ops.skipped_items (
    method text NOT NULL,
    item text NOT NULL,
    channel_id text,
    video_id text,
    setback text NOT NULL CHECK (setback IN ('refused', 'cut short', 'failed')),
    reason text NOT NULL,
    times integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (method, item)
);
CREATE INDEX skipped_items_channel ON ops.skipped_items (channel_id);
CREATE INDEX skipped_items_video ON ops.skipped_items (video_id);
COMMENT ON TABLE ops.skipped_items IS 'One row per item that YouTube did not let be read, or not to its end; it goes once the item is read to its end.';
COMMENT ON COLUMN ops.skipped_items.method IS 'What is called of it: playlistItems.list for uploads, commentThreads.list for comments, comments.list for replies, channels.list';
COMMENT ON COLUMN ops.skipped_items.item IS 'Channel, by id or by handle until that is resolved; video; comment whose replies are asked for';
COMMENT ON COLUMN ops.skipped_items.channel_id IS 'Whose it is, where that is known';
COMMENT ON COLUMN ops.skipped_items.setback IS 'refused: YouTube does not give it; cut short: it gave the beginning; failed: no try was answered, though others were';
COMMENT ON COLUMN ops.skipped_items.reason IS 'In YouTube''s word';
COMMENT ON COLUMN ops.skipped_items.times IS 'How often in a row; the time to the next try doubles with each';
COMMENT ON COLUMN ops.skipped_items.retry_at IS 'From when it is asked for again, from its beginning';
