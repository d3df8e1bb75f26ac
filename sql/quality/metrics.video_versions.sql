-- Metadata of videos as it was read, by source.
--   complete    channel, title, publication, duration and category are known
--   in range    published since YouTube began, at most 30 days long, a title of at most YouTube's 100 characters
--   agreeing    the channel is the one named by the video's readings of that day
--   distinct    one version per video and minute
-- Metadata is read when a video is new and refreshed within 30 days: no rhythm, so no gaps to judge.
WITH kept AS (
    SELECT *, (collected_at AT TIME ZONE 'UTC')::date AS day
    FROM metrics.video_versions
    WHERE collected_at >= $1 AND collected_at < $2
), counted AS (
    SELECT day, source,
        count(*) AS row_count,
        5 * count(*) AS values_expected,
        count(channel_id) + count(title) + count(published_at) + count(duration_seconds) + count(category_id)
            AS values_known,
        count(*) FILTER (WHERE
            coalesce(published_at >= '2005-02-14 00:00Z', true)
            AND coalesce(duration_seconds <= 30 * 86400, true)
            AND coalesce(length(title) <= 100, true)
        ) AS rows_in_range
    FROM kept
    GROUP BY day, source
), compared AS (
    SELECT day, source,
        count(*) AS pairs_compared,
        count(*) FILTER (WHERE kept.channel_id = daily.channel_id) AS pairs_agreeing
    FROM kept JOIN metrics.video_daily AS daily USING (video_id, day)
    WHERE daily.day >= $1::date AND daily.day < $2::date
        AND kept.channel_id IS NOT NULL AND daily.channel_id IS NOT NULL
    GROUP BY day, source
), told AS (
    SELECT day, source, count(*) AS rows_distinct
    FROM (SELECT DISTINCT day, source, video_id, date_trunc('minute', collected_at) FROM kept) AS versions
    GROUP BY day, source
)
SELECT day, source, row_count, values_expected, values_known, rows_in_range, pairs_compared, pairs_agreeing,
    rows_distinct, NULL::double precision AS gap_hours
FROM counted
JOIN told USING (day, source)
LEFT JOIN compared USING (day, source)
