-- Days with more snapshots than their raw batches can hold, an answer of the API at most 50: rows from nowhere
-- blocking
WITH kept AS (
    SELECT (collected_at AT TIME ZONE 'UTC')::date AS day, count(*) AS row_count
    FROM metrics.video_snapshots
    WHERE collected_at >= $1 AND collected_at < $2
    GROUP BY 1
), stored AS (
    SELECT partition_day AS day, sum(CASE endpoint WHEN 'video_snapshots' THEN row_count ELSE 50 * row_count END) AS row_count
    FROM raw.batches
    WHERE endpoint IN ('video_snapshots', 'api_videos', 'api_video_stats') AND partition_day >= $1 AND partition_day < $2
    GROUP BY 1
)
SELECT day, kept.row_count AS kept_rows, coalesce(stored.row_count, 0) AS stored_rows
FROM kept LEFT JOIN stored USING (day)
WHERE kept.row_count > coalesce(stored.row_count, 0)
