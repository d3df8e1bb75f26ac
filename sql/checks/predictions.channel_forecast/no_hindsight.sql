-- Forecasts of days that their model was trained on
SELECT forecast.origin_day, forecast.model_version, scorecard.trained_until, count(*) AS row_count
FROM predictions.channel_forecast AS forecast
JOIN models.scorecards AS scorecard
    ON scorecard.model_version = forecast.model_version AND scorecard.horizon = forecast.horizon_days
    AND scorecard.target = forecast.target
WHERE forecast.origin_day >= $1::date AND forecast.origin_day < $2::date
    AND forecast.origin_day <= scorecard.trained_until
GROUP BY 1, 2, 3
