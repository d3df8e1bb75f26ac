-- What an alert tells people besides its message, and whom it was told to.

ALTER TABLE ops.alerts ADD COLUMN remedy text;
ALTER TABLE ops.alerts ADD COLUMN link text;
ALTER TABLE ops.alerts ALTER COLUMN run_id DROP NOT NULL; -- a sensor that looks at the data is no run

CREATE TABLE ops.alert_deliveries (
    alert_id bigint NOT NULL REFERENCES ops.alerts ON DELETE CASCADE,
    channel text NOT NULL,
    told text NOT NULL,
    delivered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, channel, told)
);
COMMENT ON TABLE ops.alert_deliveries IS 'What each channel was told of an alert, written after it took the message.';
COMMENT ON COLUMN ops.alert_deliveries.channel IS 'log, webhook or mail';
COMMENT ON COLUMN ops.alert_deliveries.told IS 'The severity it was told with, or resolved';
