CREATE OR REPLACE VIEW bi.video_hour_forecast AS
SELECT
    forecast.video_id,
    video.title,
    forecast.channel_id,
    channel.title AS channel_title,
    forecast.origin_hour,
    forecast.origin_hour + forecast.horizon_hours * interval '1 hour' AS target_hour,
    forecast.horizon_hours,
    forecast.target,
    origin.view_count::bigint AS view_count_at_origin,
    forecast.p10 AS increment_p10,
    forecast.p50 AS increment_p50,
    forecast.p90 AS increment_p90,
    origin.view_count + forecast.p10 AS total_p10,
    origin.view_count + forecast.p50 AS total_p50,
    origin.view_count + forecast.p90 AS total_p90,
    forecast.model_version,
    coalesce(video.source = 'synthetic', false) AS is_synthetic
FROM predictions.video_hour_forecast AS forecast
JOIN features.video_hour AS origin ON origin.video_id = forecast.video_id AND origin.hour = forecast.origin_hour
LEFT JOIN metrics.videos AS video ON video.video_id = forecast.video_id
LEFT JOIN metrics.channels AS channel ON channel.channel_id = forecast.channel_id;

COMMENT ON VIEW bi.video_hour_forecast IS
    'One row per video read hour by hour, origin hour, horizon and model version: forecast increments of views, and totals at the last reading of the target hour. Not YouTube''s figures.';
