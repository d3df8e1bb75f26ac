-- Replies that name another video than their thread, or are older than it
SELECT reply.comment_id, reply.parent_id, reply.video_id, thread.video_id AS video_of_thread,
    reply.published_at, thread.published_at AS thread_published_at
FROM metrics.comments AS reply
JOIN metrics.comments AS thread ON thread.comment_id = reply.parent_id
WHERE reply.collected_at >= $1 AND reply.collected_at < $2
    AND (reply.video_id <> thread.video_id OR reply.published_at < thread.published_at)
