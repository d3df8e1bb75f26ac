-- Videos whose snapshots name more than one channel: a video never moves
SELECT video_id, min(channel_id) AS one_channel, max(channel_id) AS other_channel
FROM metrics.video_snapshots
WHERE collected_at >= $1 AND collected_at < $2
GROUP BY video_id
HAVING min(channel_id) <> max(channel_id)
