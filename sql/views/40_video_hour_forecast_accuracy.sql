CREATE OR REPLACE VIEW bi.video_hour_forecast_accuracy AS
SELECT
    accuracy.video_id,
    video.title,
    accuracy.channel_id,
    channel.title AS channel_title,
    accuracy.target_hour,
    accuracy.origin_hour,
    accuracy.horizon_hours,
    accuracy.target,
    accuracy.p10 AS increment_p10,
    accuracy.p50 AS increment_p50,
    accuracy.p90 AS increment_p90,
    accuracy.actual AS increment_actual,
    accuracy.naive AS increment_naive,
    accuracy.error,
    abs(accuracy.error) AS absolute_error,
    accuracy.within80,
    accuracy.model_version,
    coalesce(video.source = 'synthetic', false) AS is_synthetic
FROM predictions.video_hour_forecast_accuracy AS accuracy
LEFT JOIN metrics.videos AS video ON video.video_id = accuracy.video_id
LEFT JOIN metrics.channels AS channel ON channel.channel_id = accuracy.channel_id;

COMMENT ON VIEW bi.video_hour_forecast_accuracy IS
    'One row per forecast of an hour whose outcome is known: what was forecast and what was gained. WAPE is sum(absolute_error) / sum(increment_actual), the coverage of the 80 % interval avg(within80::int). Not YouTube''s figures.';
