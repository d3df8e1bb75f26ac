CREATE OR REPLACE VIEW bi.report_cards AS
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
    report.card_type,
    report.card_id,
    report.card_impressions,
    report.card_clicks,
    report.card_click_rate,
    report.card_teaser_impressions,
    report.card_teaser_clicks,
    report.card_teaser_click_rate,
    report.reported_at,
    report.source = 'synthetic' AS is_synthetic
FROM metrics.report_cards AS report
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = report.channel_id;

COMMENT ON VIEW bi.report_cards IS
    'One row per account, Pacific day, channel, video, kind of broadcast, subscription, country and card: figures of the owner''s bulk reports. These are YouTube''s own; days are those of Pacific time.';
