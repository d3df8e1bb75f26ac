-- Comments edited before they were written, or read before they were edited
SELECT comment_id, published_at, updated_at, collected_at
FROM metrics.comments
WHERE collected_at >= $1 AND collected_at < $2
    AND (updated_at < published_at OR updated_at > collected_at + interval '10 minutes') -- two clocks
