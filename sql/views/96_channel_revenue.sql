CREATE OR REPLACE VIEW bi.channel_revenue AS
SELECT
    revenue.account,
    revenue.channel_id,
    channel.title AS channel_title,
    revenue.day,
    revenue.currency,
    revenue.estimated_revenue,
    revenue.estimated_ad_revenue,
    revenue.estimated_red_partner_revenue,
    revenue.gross_revenue,
    revenue.monetized_playbacks,
    revenue.playback_based_cpm,
    revenue.ad_impressions,
    revenue.cpm,
    revenue.collected_at,
    revenue.source = 'synthetic' AS is_synthetic
FROM metrics.channel_revenue AS revenue
LEFT JOIN metrics.channels AS channel USING (channel_id);

COMMENT ON VIEW bi.channel_revenue IS
    'One row per account, channel and Pacific day: what the channel earned, by YouTube''s own estimate, which it corrects until the middle of the next month. Amounts are in the row''s currency. Of content owners bi.report_revenue has it.';
