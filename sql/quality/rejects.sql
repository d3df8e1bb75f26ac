-- Refused rows by the table that refused them and the source they name, '' where they name none.
SELECT partition_day AS day, table_name, coalesce(record ->> 'source', '') AS source, count(*) AS reject_count
FROM ops.quarantine
WHERE partition_day >= $1::date AND partition_day < $2::date AND table_name = ANY($3)
GROUP BY 1, 2, 3
