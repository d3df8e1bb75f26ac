-- Forecasts whose quantiles cross
SELECT channel_id, origin_day, horizon_days, model_version, p10, p50, p90
FROM predictions.channel_forecast
WHERE origin_day >= $1::date AND origin_day < $2::date AND NOT (p10 <= p50 AND p50 <= p90)
