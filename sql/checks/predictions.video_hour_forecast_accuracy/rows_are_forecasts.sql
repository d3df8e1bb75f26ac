-- Scored rows that are not, or no longer, what was forecast
SELECT accuracy.video_id, accuracy.origin_hour, accuracy.horizon_hours, accuracy.target, accuracy.model_version
FROM predictions.video_hour_forecast_accuracy AS accuracy
LEFT JOIN predictions.video_hour_forecast AS forecast ON forecast.video_id = accuracy.video_id
    AND forecast.origin_hour = accuracy.origin_hour AND forecast.horizon_hours = accuracy.horizon_hours
    AND forecast.target = accuracy.target AND forecast.model_version = accuracy.model_version
    AND forecast.origin_hour >= $1::timestamptz - interval '1 hour' -- the furthest horizon; older forecasts need not be read
WHERE accuracy.target_hour >= $1 AND accuracy.target_hour < $2
    AND (accuracy.p10, accuracy.p50, accuracy.p90) IS DISTINCT FROM (forecast.p10, forecast.p50, forecast.p90)
