-- A day's last readings of videos, made from all sources.
--   complete    channel, publication, likes and comments are known
--   in range    no more likes or comments than views, and no fall of views by more than 10 % in a day
--   agreeing    the row is made of exactly the day's snapshots: their number and the last instant are the same, and the
--               views are among theirs; a video that only one of both tables has does not agree
-- The key, video and day, leaves no room for a row twice.
WITH counted AS (
    SELECT day,
        count(*) AS row_count,
        4 * count(*) AS values_expected,
        count(channel_id) + count(published_at) + count(like_count) + count(comment_count) AS values_known,
        count(*) FILTER (WHERE
            coalesce(like_count, 0) <= view_count
            AND coalesce(comment_count, 0) <= view_count
            AND coalesce(-view_increment <= 0.1 * (view_count - view_increment), true)
        ) AS rows_in_range
    FROM metrics.video_daily
    WHERE day >= $1::date AND day < $2::date
    GROUP BY day
), snapshots AS (
    SELECT (collected_at AT TIME ZONE 'UTC')::date AS day, video_id,
        count(*) AS reading_count,
        max(collected_at) AS last_at,
        min(view_count) AS fewest,
        max(view_count) AS most
    FROM metrics.video_snapshots
    WHERE collected_at >= $1 AND collected_at < $2
    GROUP BY 1, 2
), daily AS (
    SELECT day, video_id, reading_count, collected_at, view_count
    FROM metrics.video_daily
    WHERE day >= $1::date AND day < $2::date
), compared AS (
    SELECT day,
        count(*) AS pairs_compared,
        count(*) FILTER (WHERE
            daily.reading_count = snapshots.reading_count
            AND daily.collected_at = snapshots.last_at
            AND daily.view_count BETWEEN snapshots.fewest AND snapshots.most
        ) AS pairs_agreeing
    FROM daily FULL JOIN snapshots USING (day, video_id)
    GROUP BY day
), around AS (
    SELECT day, min(collected_at) AS first_at, max(collected_at) AS last_at
    FROM metrics.video_daily
    WHERE day >= $1::date - $3::integer AND day < $2::date
    GROUP BY day
), before AS (
    SELECT day, first_at, lag(last_at) OVER (ORDER BY day) AS last_before FROM around
), gap AS (
    SELECT day,
        CASE
            WHEN last_before IS NOT NULL
                THEN least(extract(epoch FROM first_at - last_before) / 3600, 24 * $3)::double precision
            WHEN EXISTS (SELECT FROM metrics.video_daily AS old WHERE old.day < $1::date - $3::integer) THEN 24 * $3
        END AS gap_hours
    FROM before
    WHERE day >= $1::date
)
SELECT day, '' AS source, row_count, values_expected, values_known, rows_in_range, pairs_compared, pairs_agreeing,
    NULL::bigint AS rows_distinct, gap_hours
FROM counted
JOIN compared USING (day)
JOIN gap USING (day)
