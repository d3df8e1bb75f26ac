-- Forecasts of hours that their model was trained on
SELECT forecast.origin_hour, forecast.model_version, scorecard.trained_until, count(*) AS row_count
FROM predictions.video_hour_forecast AS forecast
JOIN models.scorecards AS scorecard
    ON scorecard.model_version = forecast.model_version AND scorecard.horizon = forecast.horizon_hours
    AND scorecard.target = forecast.target
WHERE forecast.origin_hour >= $1 AND forecast.origin_hour < $2
    AND (forecast.origin_hour AT TIME ZONE 'UTC')::date <= scorecard.trained_until
GROUP BY 1, 2, 3
