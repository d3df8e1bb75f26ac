-- Days that have more or fewer feature rows than channels whose views were read
-- blocking
WITH read AS (
    SELECT (collected_at AT TIME ZONE 'UTC')::date AS day, count(DISTINCT channel_id) AS channel_count
    FROM metrics.channel_snapshots
    WHERE collected_at >= $1 AND collected_at < $2 AND view_count IS NOT NULL
    GROUP BY 1
), features AS (
    SELECT day, count(*) AS row_count FROM features.channel_day WHERE day >= $1::date AND day < $2::date GROUP BY day
)
SELECT day, read.channel_count AS channels_read, features.row_count AS feature_rows
FROM read FULL JOIN features USING (day)
WHERE read.channel_count IS DISTINCT FROM features.row_count
