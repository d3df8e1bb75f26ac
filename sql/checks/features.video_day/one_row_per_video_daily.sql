-- Days that have more or fewer feature rows than daily rows
-- blocking
WITH daily AS (
    SELECT day, count(*) AS row_count FROM metrics.video_daily WHERE day >= $1::date AND day < $2::date GROUP BY day
), features AS (
    SELECT day, count(*) AS row_count FROM features.video_day WHERE day >= $1::date AND day < $2::date GROUP BY day
)
SELECT day, daily.row_count AS daily_rows, features.row_count AS feature_rows
FROM daily FULL JOIN features USING (day)
WHERE daily.row_count IS DISTINCT FROM features.row_count
