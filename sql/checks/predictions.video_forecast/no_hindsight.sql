-- Forecasts of days that their model was trained on
SELECT forecast.origin_day, forecast.model_version, scorecard.trained_until, count(*) AS row_count
FROM predictions.video_forecast AS forecast
JOIN models.scorecards AS scorecard USING (model_version, horizon_days, target)
WHERE forecast.origin_day >= $1::date AND forecast.origin_day < $2::date
    AND forecast.origin_day <= scorecard.trained_until
GROUP BY 1, 2, 3
