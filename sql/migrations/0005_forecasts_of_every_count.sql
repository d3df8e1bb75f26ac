-- Likes and comments are forecast as views are, from their last daily increments.

ALTER TABLE features.video_day ADD COLUMN like_increment double precision;
ALTER TABLE features.video_day ADD COLUMN comment_increment double precision;
