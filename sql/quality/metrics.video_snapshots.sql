-- Readings of videos, by source.
--   complete    channel, publication, likes and comments are known
--   in range    no more likes or comments than views, at most 100 billion views, published since YouTube began and
--               before the reading
--   agreeing    a count read after one of another source is not below it by more than 1 %; both sources share the pair
--   distinct    one reading per video, region and minute
WITH kept AS (
    SELECT *, (collected_at AT TIME ZONE 'UTC')::date AS day
    FROM metrics.video_snapshots
    WHERE collected_at >= $1 AND collected_at < $2
), counted AS (
    SELECT day, source,
        count(*) AS row_count,
        4 * count(*) AS values_expected,
        count(channel_id) + count(published_at) + count(like_count) + count(comment_count) AS values_known,
        count(*) FILTER (WHERE
            coalesce(like_count, 0) <= view_count
            AND coalesce(comment_count, 0) <= view_count
            AND view_count <= 100000000000
            AND coalesce(published_at BETWEEN '2005-02-14 00:00Z' AND collected_at, true)
        ) AS rows_in_range
    FROM kept
    GROUP BY day, source
), of_several_sources AS (
    SELECT day, source, kept.view_count,
        lag(source) OVER earlier AS source_before,
        lag(kept.view_count) OVER earlier AS view_count_before
    FROM kept JOIN metrics.video_daily AS daily USING (video_id, day)
    WHERE daily.day >= $1::date AND daily.day < $2::date AND daily.source_count > 1
    WINDOW earlier AS (PARTITION BY video_id, day ORDER BY kept.collected_at, source)
), compared AS (
    SELECT day, unnest(ARRAY[source, source_before]) AS source,
        count(*) AS pairs_compared,
        count(*) FILTER (WHERE view_count >= 0.99 * view_count_before) AS pairs_agreeing
    FROM of_several_sources
    WHERE source <> source_before
    GROUP BY 1, 2
), told AS (
    SELECT day, source, count(*) AS rows_distinct
    FROM (SELECT DISTINCT day, source, video_id, region, date_trunc('minute', collected_at) FROM kept) AS readings
    GROUP BY day, source
), around AS (
    SELECT (collected_at AT TIME ZONE 'UTC')::date AS day, source, min(collected_at) AS first_at, max(collected_at) AS last_at
    FROM metrics.video_snapshots
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
                SELECT FROM metrics.video_snapshots AS old
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
