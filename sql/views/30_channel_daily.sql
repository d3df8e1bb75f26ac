CREATE OR REPLACE VIEW bi.channel_daily AS
SELECT
    daily.channel_id,
    channel.title,
    daily.day,
    daily.view_count,
    daily.subscriber_count,
    daily.view_increment,
    daily.subscriber_increment,
    daily.tracked_video_count,
    daily.tracked_view_increment,
    daily.tracked_like_increment,
    daily.tracked_comment_increment,
    daily.engagement_rate,
    daily.growth_rate,
    daily.views_per_hour,
    daily.ad_revenue_estimate,
    daily.affiliate_revenue_estimate,
    daily.sponsorship_revenue_estimate,
    daily.revenue_assumptions,
    daily.is_final,
    coalesce(channel.source = 'synthetic', false) AS is_synthetic,
    daily.basis,
    daily.tracked_basis
FROM metrics.channel_daily AS daily
LEFT JOIN metrics.channels AS channel USING (channel_id);

COMMENT ON VIEW bi.channel_daily IS
    'One row per channel and UTC day: what it gained between the midnights, interpolated between readings or, on a day without any, by its owner''s report (basis), and what that may have earned. Estimates and interpolations, not YouTube''s figures.';
