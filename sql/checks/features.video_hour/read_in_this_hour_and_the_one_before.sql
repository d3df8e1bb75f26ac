-- Feature rows of hours that nobody read, or that follow an hour that nobody read
-- blocking
SELECT features.video_id, features.hour
FROM features.video_hour AS features
LEFT JOIN metrics.video_hourly AS origin USING (video_id, hour)
LEFT JOIN metrics.video_hourly AS before
    ON before.video_id = features.video_id AND before.hour = features.hour - interval '1 hour'
WHERE features.hour >= $1 AND features.hour < $2 AND (origin.hour IS NULL OR before.hour IS NULL)
