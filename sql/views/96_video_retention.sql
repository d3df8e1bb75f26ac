CREATE OR REPLACE VIEW bi.video_retention AS
SELECT
    curve.account,
    curve.channel_id,
    channel.title AS channel_title,
    curve.video_id,
    video.title,
    video.published_at,
    video.duration_seconds,
    curve.age_days,
    curve.first_day,
    curve.last_day,
    curve.elapsed_video_time_ratio,
    curve.audience_watch_ratio,
    curve.relative_retention_performance,
    curve.collected_at,
    curve.source = 'synthetic' AS is_synthetic
FROM metrics.video_retention AS curve
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = curve.channel_id;

COMMENT ON VIEW bi.video_retention IS
    'One row per account, video, age in days and hundredth of the video''s length: how it held its viewers up to that age. These figures are YouTube''s own, told to the owner; days are those of Pacific time.';
