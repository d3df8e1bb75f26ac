CREATE OR REPLACE VIEW bi.report_provinces AS
SELECT
    report.day,
    report.account,
    report.channel_id,
    channel.title AS channel_title,
    report.video_id,
    video.title,
    report.claimed_status,
    report.uploader_type,
    report.live_or_on_demand,
    report.subscribed_status,
    report.country_code,
    report.province_code,
    report.engaged_views,
    report.views,
    report.watch_time_minutes,
    report.average_view_duration_seconds,
    report.average_view_duration_percentage,
    report.red_views,
    report.red_watch_time_minutes,
    report.reported_at,
    report.source = 'synthetic' AS is_synthetic
FROM metrics.report_provinces AS report
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = report.channel_id;

COMMENT ON VIEW bi.report_provinces IS
    'One row per account, Pacific day, channel, video, kind of broadcast, subscription, country and province: figures of the owner''s bulk reports. These are YouTube''s own; days are those of Pacific time.';
