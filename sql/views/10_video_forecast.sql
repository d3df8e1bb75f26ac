CREATE OR REPLACE VIEW bi.video_forecast AS
SELECT
    forecast.video_id,
    video.title,
    forecast.channel_id,
    channel.title AS channel_title,
    forecast.origin_day,
    forecast.origin_day + forecast.horizon_days::integer AS target_day,
    forecast.horizon_days,
    forecast.target,
    daily.view_count AS view_count_at_origin,
    forecast.p10 AS increment_p10,
    forecast.p50 AS increment_p50,
    forecast.p90 AS increment_p90,
    counted.at_origin + forecast.p10 AS total_p10,
    counted.at_origin + forecast.p50 AS total_p50,
    counted.at_origin + forecast.p90 AS total_p90,
    forecast.model_version,
    coalesce(video.source = 'synthetic', false) AS is_synthetic,
    forecast.basis
FROM predictions.video_forecast AS forecast
LEFT JOIN metrics.video_daily AS daily ON daily.video_id = forecast.video_id AND daily.day = forecast.origin_day
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN forecast.basis = 'no_reading' THEN 0
        WHEN forecast.target = 'views' THEN daily.view_count
        WHEN forecast.target = 'likes' THEN daily.like_count
        ELSE daily.comment_count
    END AS at_origin
) AS counted
LEFT JOIN metrics.videos AS video ON video.video_id = forecast.video_id
LEFT JOIN metrics.channels AS channel ON channel.channel_id = forecast.channel_id;

COMMENT ON VIEW bi.video_forecast IS
    'One row per video, origin day, horizon, target and model version: forecast increments, and totals at the target day. Not YouTube''s figures.';
