-- Days whose rows are not exactly the videos with a snapshot that day
-- blocking
WITH snapshots AS (
    SELECT (collected_at AT TIME ZONE 'UTC')::date AS day, count(DISTINCT video_id) AS video_count
    FROM metrics.video_snapshots
    WHERE collected_at >= $1 AND collected_at < $2
    GROUP BY 1
), daily AS (
    SELECT day, count(*) AS video_count
    FROM metrics.video_daily
    WHERE day >= $1::date AND day < $2::date
    GROUP BY 1
)
SELECT day, snapshots.video_count AS videos_with_snapshots, daily.video_count AS rows_in_video_daily
FROM snapshots FULL JOIN daily USING (day)
WHERE snapshots.video_count IS DISTINCT FROM daily.video_count
