CREATE OR REPLACE VIEW bi.report_playlists AS
SELECT
    report.day,
    report.account,
    report.channel_id,
    channel.title AS channel_title,
    report.video_id,
    video.title,
    report.playlist_id,
    report.live_or_on_demand,
    report.subscribed_status,
    report.country_code,
    report.engaged_views,
    report.views,
    report.watch_time_minutes,
    report.average_view_duration_seconds,
    report.playlist_starts,
    report.playlist_saves_added,
    report.playlist_saves_removed,
    report.reported_at,
    report.source = 'synthetic' AS is_synthetic
FROM metrics.report_playlists AS report
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = report.channel_id;

COMMENT ON VIEW bi.report_playlists IS
    'One row per account, Pacific day, channel, video, playlist, kind of broadcast, subscription and country, for views inside playlists: figures of the owner''s bulk reports. These are YouTube''s own; days are those of Pacific time.';
