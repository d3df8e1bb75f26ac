CREATE OR REPLACE VIEW bi.report_revenue AS
SELECT
    report.day,
    report.account,
    report.channel_id,
    channel.title AS channel_title,
    report.video_id,
    video.title,
    report.claimed_status,
    report.uploader_type,
    report.country_code,
    report.estimated_partner_revenue,
    report.estimated_partner_ad_revenue,
    report.estimated_partner_ad_auction_revenue,
    report.estimated_partner_ad_reserved_revenue,
    report.estimated_youtube_ad_revenue,
    report.estimated_monetized_playbacks,
    report.estimated_playback_based_cpm,
    report.ad_impressions,
    report.estimated_cpm,
    report.estimated_partner_red_revenue,
    report.estimated_partner_transaction_revenue,
    report.reported_at,
    report.source = 'synthetic' AS is_synthetic
FROM metrics.report_revenue AS report
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = report.channel_id;

COMMENT ON VIEW bi.report_revenue IS
    'One row per account, Pacific day, channel, video, claim, uploader and country: figures of the owner''s bulk reports. These are YouTube''s own; days are those of Pacific time.';
