-- Scored rows that are not, or no longer, what was forecast
SELECT accuracy.channel_id, accuracy.origin_day, accuracy.horizon_days, accuracy.target, accuracy.model_version
FROM predictions.channel_forecast_accuracy AS accuracy
LEFT JOIN predictions.channel_forecast AS forecast ON forecast.channel_id = accuracy.channel_id
    AND forecast.origin_day = accuracy.origin_day AND forecast.horizon_days = accuracy.horizon_days
    AND forecast.target = accuracy.target AND forecast.model_version = accuracy.model_version
    AND forecast.origin_day >= $1::date - 28 -- the furthest horizon; older forecasts need not be read
WHERE accuracy.target_day >= $1::date AND accuracy.target_day < $2::date
    AND (accuracy.p10, accuracy.p50, accuracy.p90) IS DISTINCT FROM (forecast.p10, forecast.p50, forecast.p90)
