CREATE OR REPLACE VIEW bi.report_end_screens AS
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
    report.end_screen_element_type,
    report.end_screen_element_id,
    report.end_screen_element_impressions,
    report.end_screen_element_clicks,
    report.end_screen_element_click_rate,
    report.reported_at,
    report.source = 'synthetic' AS is_synthetic
FROM metrics.report_end_screens AS report
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = report.channel_id;

COMMENT ON VIEW bi.report_end_screens IS
    'One row per account, Pacific day, channel, video, kind of broadcast, subscription, country and element of the end screen: figures of the owner''s bulk reports. These are YouTube''s own; days are those of Pacific time.';
