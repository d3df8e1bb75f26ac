CREATE OR REPLACE VIEW bi.alerts AS
SELECT
    alert_id,
    kind,
    subject,
    severity,
    message,
    remedy,
    link,
    first_seen_at,
    last_seen_at,
    occurrence_count,
    resolved_at,
    resolved_at IS NULL AS is_open
FROM ops.alerts;

COMMENT ON VIEW bi.alerts IS
    'One row per thing that went wrong, open or past: what, since when, what to do, and when it was over. link is a path of the page in Dagster.';
