-- Comments by source and the day their newest state was collected: one that is collected again leaves its earlier day.
--   complete    video, author and likes are known
--   in range    a text or a picture; written since YouTube began, edited after that, and collected after both
--   agreeing    a reply is on the video of its thread, and not older
--   distinct    one comment per author, video, text and second
-- Comments are collected when a video has new ones: no rhythm, so no gaps to judge.
WITH kept AS (
    SELECT *, (collected_at AT TIME ZONE 'UTC')::date AS day
    FROM metrics.comments
    WHERE collected_at >= $1 AND collected_at < $2
), counted AS (
    SELECT day, source,
        count(*) AS row_count,
        3 * count(*) AS values_expected,
        count(video_id) + count(author_channel_id) + count(like_count) AS values_known,
        count(*) FILTER (WHERE
            (text <> '' OR image_url IS NOT NULL)
            AND published_at BETWEEN '2005-02-14 00:00Z' AND updated_at
            AND updated_at <= collected_at
        ) AS rows_in_range
    FROM kept
    GROUP BY day, source
), compared AS (
    SELECT reply.day, reply.source,
        count(*) AS pairs_compared,
        count(*) FILTER (WHERE
            coalesce(reply.video_id = thread.video_id, true) AND reply.published_at >= thread.published_at
        ) AS pairs_agreeing
    FROM kept AS reply JOIN metrics.comments AS thread ON thread.comment_id = reply.parent_id
    GROUP BY reply.day, reply.source
), told AS (
    SELECT day, source, count(*) AS rows_distinct
    FROM (
        SELECT DISTINCT day, source, coalesce(author_channel_id, comment_id), video_id, parent_id,
            md5(coalesce(text, comment_id)),
            date_trunc('second', published_at)
        FROM kept
    ) AS comments
    GROUP BY day, source
)
SELECT day, source, row_count, values_expected, values_known, rows_in_range, pairs_compared, pairs_agreeing,
    rows_distinct, NULL::double precision AS gap_hours
FROM counted
JOIN told USING (day, source)
LEFT JOIN compared USING (day, source)
