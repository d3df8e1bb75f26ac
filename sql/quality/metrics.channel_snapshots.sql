-- Readings of channels, by source.
--   complete    subscribers, views and videos are known
--   in range    at most a billion subscribers, a trillion views and 10 million videos
--   agreeing    the channel's views are at least those of its videos read that day, but for 1 %
--   distinct    one reading per channel and minute
WITH kept AS (
    SELECT *, (collected_at AT TIME ZONE 'UTC')::date AS day
    FROM metrics.channel_snapshots
    WHERE collected_at >= $1 AND collected_at < $2
), counted AS (
    SELECT day, source,
        count(*) AS row_count,
        3 * count(*) AS values_expected,
        count(subscriber_count) + count(view_count) + count(video_count) AS values_known,
        count(*) FILTER (WHERE
            coalesce(subscriber_count <= 1000000000, true)
            AND coalesce(view_count <= 1000000000000, true)
            AND coalesce(video_count <= 10000000, true)
        ) AS rows_in_range
    FROM kept
    GROUP BY day, source
), of_videos AS (
    SELECT channel_id, day, sum(view_count) AS view_count
    FROM metrics.video_daily
    WHERE day >= $1::date AND day < $2::date
    GROUP BY channel_id, day
), compared AS (
    SELECT day, source,
        count(*) AS pairs_compared,
        count(*) FILTER (WHERE channel.view_count >= 0.99 * of_videos.view_count) AS pairs_agreeing
    FROM (
        SELECT day, source, channel_id, max(view_count) AS view_count FROM kept GROUP BY day, source, channel_id
    ) AS channel
    JOIN of_videos USING (channel_id, day)
    WHERE channel.view_count IS NOT NULL
    GROUP BY day, source
), told AS (
    SELECT day, source, count(*) AS rows_distinct
    FROM (SELECT DISTINCT day, source, channel_id, date_trunc('minute', collected_at) FROM kept) AS readings
    GROUP BY day, source
), around AS (
    SELECT (collected_at AT TIME ZONE 'UTC')::date AS day, source, min(collected_at) AS first_at, max(collected_at) AS last_at
    FROM metrics.channel_snapshots
    WHERE collected_at >= $1::timestamptz - $3 * interval '1 day' AND collected_at < $2
    GROUP BY 1, 2
), before AS (
    SELECT day, source, first_at, lag(last_at) OVER (PARTITION BY source ORDER BY day) AS last_before FROM around
), gap AS (
    SELECT day, source,
        CASE
            WHEN last_before IS NOT NULL
                THEN least(extract(epoch FROM first_at - last_before) / 3600, 24 * $3)::double precision
            WHEN EXISTS (
                SELECT FROM metrics.channel_snapshots AS old
                WHERE old.source = before.source AND old.collected_at < $1::timestamptz - $3 * interval '1 day'
            ) THEN 24 * $3
        END AS gap_hours
    FROM before
    WHERE day >= $1::date
)
SELECT day, source, row_count, values_expected, values_known, rows_in_range, pairs_compared, pairs_agreeing,
    rows_distinct, gap_hours
FROM counted
JOIN told USING (day, source)
JOIN gap USING (day, source)
LEFT JOIN compared USING (day, source)
