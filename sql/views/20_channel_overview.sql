CREATE OR REPLACE VIEW bi.channel_overview AS
WITH latest AS (
    SELECT max(day) AS day FROM metrics.video_daily
), activity AS (
    SELECT
        daily.channel_id,
        count(DISTINCT daily.video_id) AS video_count_7d,
        sum(greatest(daily.view_increment, 0))::bigint AS view_increment_7d,
        sum(greatest(daily.like_increment, 0))::bigint AS like_increment_7d,
        sum(greatest(daily.comment_increment, 0))::bigint AS comment_increment_7d,
        max(daily.day) AS last_day
    FROM metrics.video_daily AS daily, latest
    WHERE daily.day > latest.day - 7
    GROUP BY daily.channel_id
), newest_snapshot AS (
    SELECT DISTINCT ON (channel_id) channel_id, subscriber_count, view_count, video_count, collected_at
    FROM metrics.channel_snapshots
    ORDER BY channel_id, collected_at DESC
), newest_origin AS (
    SELECT max(origin_day) AS origin_day FROM predictions.video_forecast
), newest_version AS (
    SELECT forecast.model_version
    FROM predictions.video_forecast AS forecast JOIN newest_origin USING (origin_day)
    ORDER BY forecast.loaded_at DESC
    LIMIT 1
), forecast AS (
    SELECT channel_id, sum(p50) AS view_increment_next_7d_p50
    FROM predictions.video_forecast
    JOIN newest_origin USING (origin_day)
    JOIN newest_version USING (model_version)
    WHERE horizon_days = 7 AND target = 'views'
    GROUP BY channel_id
)
SELECT
    channel.channel_id,
    channel.title,
    channel.handle,
    channel.country,
    snapshot.subscriber_count,
    snapshot.view_count AS channel_view_count,
    snapshot.video_count AS public_video_count,
    coalesce(activity.video_count_7d, 0) AS video_count_7d,
    activity.view_increment_7d,
    activity.like_increment_7d,
    activity.comment_increment_7d,
    forecast.view_increment_next_7d_p50,
    activity.last_day,
    coalesce(channel.source = 'synthetic', false) AS is_synthetic
FROM metrics.channels AS channel
LEFT JOIN activity USING (channel_id)
LEFT JOIN newest_snapshot AS snapshot USING (channel_id)
LEFT JOIN forecast USING (channel_id);

COMMENT ON VIEW bi.channel_overview IS
    'One row per channel: its newest totals, what its tracked videos gained in the last 7 days of data, and the sum of their median forecasts for the next 7. Increments and forecasts are not YouTube''s figures.';
