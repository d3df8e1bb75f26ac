-- Since when a hub has confirmed no request about a channel: an alert is raised after a day.

ALTER TABLE ops.push_subscriptions ADD COLUMN asked_since timestamptz;
COMMENT ON COLUMN ops.push_subscriptions.asked_since IS 'When the hub was first asked to subscribe since it last confirmed; NULL where no request is open';
