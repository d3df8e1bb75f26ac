-- What channels gained from midnight to midnight, interpolated, from readings of channels and of their videos.
--   complete    of a channel that was read or reported its gains of views and subscribers are known, and of one with
--               tracked videos what these gained of views, likes and comments
--   in range    no fall of the channel's views by more than 10 % in a day, at most a billion subscribers, and no more
--               likes and comments gained than views
--   agreeing    the views at the day's end are those at the end of the day before and the gain, but for rounding; where
--               the gain is a report's, they are of other sources
-- The key, channel and day, leaves no room for a row twice. A day is counted anew when a later reading changes it.
WITH kept AS (
    SELECT * FROM metrics.channel_daily WHERE day >= $1::date AND day < $2::date
), counted AS (
    SELECT day,
        count(*) AS row_count,
        2 * count(*) FILTER (WHERE view_count IS NOT NULL OR subscriber_count IS NOT NULL OR basis = 'report')
            + 3 * count(*) FILTER (WHERE tracked_video_count > 0) AS values_expected,
        count(view_increment) + count(subscriber_increment) + count(tracked_view_increment)
            + count(tracked_like_increment) + count(tracked_comment_increment) AS values_known,
        count(*) FILTER (WHERE
            coalesce(growth_rate >= -0.1, true)
            AND coalesce(subscriber_count <= 1000000000, true)
            AND coalesce(engagement_rate BETWEEN 0 AND 1, true)
        ) AS rows_in_range
    FROM kept
    GROUP BY day
), compared AS (
    SELECT kept.day,
        count(*) AS pairs_compared,
        count(*) FILTER (WHERE
            abs(kept.view_count - kept.view_increment - before.view_count) <= 1 + 0.000001 * kept.view_count
        ) AS pairs_agreeing
    FROM kept JOIN metrics.channel_daily AS before ON before.channel_id = kept.channel_id AND before.day = kept.day - 1
    WHERE before.day >= $1::date - 1 AND before.day < $2::date AND kept.basis = 'readings'
        AND kept.view_increment IS NOT NULL AND before.view_count IS NOT NULL
    GROUP BY kept.day
), around AS (
    SELECT DISTINCT day FROM metrics.channel_daily WHERE day >= $1::date - $3::integer AND day < $2::date
), before AS (
    SELECT day, lag(day) OVER (ORDER BY day) AS day_before FROM around
), gap AS (
    SELECT day,
        CASE
            WHEN day_before IS NOT NULL THEN least(24 * (day - day_before), 24 * $3)::double precision
            WHEN EXISTS (SELECT FROM metrics.channel_daily AS old WHERE old.day < $1::date - $3::integer) THEN 24 * $3
        END AS gap_hours
    FROM before
    WHERE day >= $1::date
)
SELECT day, '' AS source, row_count, values_expected, values_known, rows_in_range, pairs_compared, pairs_agreeing,
    NULL::bigint AS rows_distinct, gap_hours
FROM counted
JOIN gap USING (day)
LEFT JOIN compared USING (day)
