-- Videos without a last daily increment are forecast too, and a forecast says what it rests on.

ALTER TABLE features.video_day ADD COLUMN view_acceleration_of_day double precision;
ALTER TABLE features.video_day ADD COLUMN days_since_reading double precision;
ALTER TABLE features.video_day ADD COLUMN view_rate_since_reading double precision;
ALTER TABLE features.video_day ADD COLUMN like_rate_since_reading double precision;
ALTER TABLE features.video_day ADD COLUMN comment_rate_since_reading double precision;

ALTER TABLE predictions.video_forecast ADD COLUMN basis text NOT NULL DEFAULT 'increments';
ALTER TABLE predictions.video_forecast ALTER COLUMN basis DROP DEFAULT;
