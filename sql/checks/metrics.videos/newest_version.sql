-- Videos whose current state is older than a version collected since
SELECT videos.video_id, videos.collected_at, max(versions.collected_at) AS newer_version
FROM metrics.video_versions AS versions
JOIN metrics.videos AS videos USING (video_id)
WHERE versions.collected_at >= $1 AND versions.collected_at < $2 AND versions.collected_at > videos.collected_at
GROUP BY videos.video_id, videos.collected_at
