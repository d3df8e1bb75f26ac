-- Rows whose increment is not the difference to the row of the day before
-- blocking
SELECT today.video_id, today.day, today.view_increment, today.view_count - yesterday.view_count AS difference
FROM metrics.video_daily AS today
LEFT JOIN metrics.video_daily AS yesterday
    ON yesterday.video_id = today.video_id AND yesterday.day = today.day - 1
WHERE today.day >= $1::date AND today.day < $2::date
    AND today.view_increment IS DISTINCT FROM today.view_count - yesterday.view_count
