CREATE OR REPLACE VIEW bi.anomalies AS
SELECT
    anomaly.at,
    anomaly.severity,
    anomaly.kind,
    anomaly.target,
    anomaly.series,
    anomaly.video_id,
    video.title,
    anomaly.channel_id,
    channel.title AS channel_title,
    anomaly.observed,
    anomaly.expected,
    anomaly.score,
    anomaly.detail,
    coalesce(video.source = 'synthetic', false) AS is_synthetic
FROM ops.anomalies AS anomaly
LEFT JOIN metrics.videos AS video USING (video_id)
LEFT JOIN metrics.channels AS channel ON channel.channel_id = anomaly.channel_id;

COMMENT ON VIEW bi.anomalies IS
    'One row per video, instant, series, kind and count: unusual readings of counters. Not YouTube''s figures.';
