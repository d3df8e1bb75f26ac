CREATE OR REPLACE VIEW bi.channel_forecast AS
SELECT
    forecast.channel_id,
    channel.title AS channel_title,
    forecast.origin_day,
    forecast.origin_day + forecast.horizon_days::integer AS target_day,
    forecast.horizon_days,
    forecast.target,
    origin.view_count::bigint AS view_count_at_origin,
    forecast.p10 AS increment_p10,
    forecast.p50 AS increment_p50,
    forecast.p90 AS increment_p90,
    origin.view_count + forecast.p10 AS total_p10,
    origin.view_count + forecast.p50 AS total_p50,
    origin.view_count + forecast.p90 AS total_p90,
    forecast.model_version,
    coalesce(channel.source = 'synthetic', false) AS is_synthetic
FROM predictions.channel_forecast AS forecast
JOIN features.channel_day AS origin ON origin.channel_id = forecast.channel_id AND origin.day = forecast.origin_day
LEFT JOIN metrics.channels AS channel ON channel.channel_id = forecast.channel_id;

COMMENT ON VIEW bi.channel_forecast IS
    'One row per channel, origin day, horizon and model version: forecast increments of the views of all its videos, and totals at the target day. Not YouTube''s figures.';
