-- Push notifications of uploads, beside the polling of uploads.

CREATE TABLE ops.push_subscriptions (
    channel_id text PRIMARY KEY,
    requested_at timestamptz NOT NULL,
    verified_at timestamptz,
    lease_expires_at timestamptz,
    failure text
);
COMMENT ON TABLE ops.push_subscriptions IS 'One row per channel that a WebSub hub was asked about.';
COMMENT ON COLUMN ops.push_subscriptions.lease_expires_at IS 'Until when the hub tells of uploads; NULL before it has verified';
COMMENT ON COLUMN ops.push_subscriptions.failure IS 'Why the last request came to nothing';

CREATE TABLE ops.push_notices (
    video_id text NOT NULL,
    updated_at timestamptz NOT NULL,
    channel_id text NOT NULL,
    deleted boolean NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (video_id, updated_at)
);
COMMENT ON TABLE ops.push_notices IS 'One row per upload, edit or deletion that a hub told of in the last 30 days: the same twice is one.';

ALTER TABLE ops.tracked_videos ADD COLUMN pushed_at timestamptz;
COMMENT ON COLUMN ops.tracked_videos.pushed_at IS 'When a hub told of it; NULL once it was seen in the uploads playlist, which is listed down to what was seen there';
