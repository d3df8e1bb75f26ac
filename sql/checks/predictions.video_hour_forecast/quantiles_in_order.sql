-- Forecasts whose quantiles cross
SELECT video_id, origin_hour, horizon_hours, model_version, p10, p50, p90
FROM predictions.video_hour_forecast
WHERE origin_hour >= $1 AND origin_hour < $2 AND NOT (p10 <= p50 AND p50 <= p90)
