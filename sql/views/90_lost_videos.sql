CREATE OR REPLACE VIEW bi.lost_videos AS
SELECT
    tracked.video_id,
    video.title,
    tracked.channel_id,
    channel.title AS channel_title,
    tracked.published_at,
    tracked.unreturned_at AS lost_at,
    tracked.stats_polled_at AS asked_at,
    tracked.view_count AS last_view_count,
    watched.paused IS NOT DISTINCT FROM false AS is_asked_for,
    coalesce(video.source = 'synthetic', false) AS is_synthetic
FROM ops.tracked_videos AS tracked
LEFT JOIN ops.watched_channels AS watched USING (channel_id)
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = tracked.channel_id
WHERE tracked.unreturned_at IS NOT NULL;

COMMENT ON VIEW bi.lost_videos IS
    'One row per tracked video that YouTube leaves out of its answers: deleted, private or blocked. lost_at is the first answer without it, asked_at the last time it was asked for, weekly unless its channel is paused. One that is back is no row.';
