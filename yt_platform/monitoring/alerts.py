"""The list of what went wrong and is not yet right again, in `ops.alerts`; `monitoring/outbox.py` tells people of
it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yt_platform.warehouse.warehouse import Warehouse

TRAINING = "training"
ACCURACY = "accuracy"
DRIFT = "drift"
RUN = "run"
CHECK = "check"
QUOTA = "quota"
ANOMALY = "anomaly"
QUALITY = "quality"
FRESHNESS = "freshness"
AUTHORIZATION = "authorization"
PUSH = "push"

WARNING = "warning"
ERROR = "error"

MESSAGE_LIMIT = 2_000
"""Characters of a message; a driver's error may repeat a whole statement."""

_SECRETS = (
    (re.compile(r"(://[^\s:/@]*):\S*@"), r"\1:***@"),  # user:password@ of a URL; a password may hold anything
    (re.compile(r"(?i)\b((?:password|passwd|pwd|token|secret|api_?key|key)\s*[=:]\s*)[^\s,;&]+"), r"\1***"),
    (re.compile(r"AIza[0-9A-Za-z_-]{35}"), "***"),  # a key of Google's APIs
    (re.compile(r"ya29\.[\w.-]+|\b[14]//?[\w-]{20,}|GOCSPX-[\w-]+"), "***"),  # Google's tokens and client secrets
)


@dataclass(frozen=True)
class Alert:
    """Something that went wrong with `subject`; seen again, it is the same alert while that is open.

    `link` is a path in Dagster's UI, the run's page where none is given.
    """

    kind: str
    subject: str
    severity: str
    message: str
    remedy: str | None = None
    link: str | None = None


def raise_alert(warehouse: Warehouse, alert: Alert, at: datetime, run_id: str | None) -> None:
    """Open the alert, or count it once more where it is open; passwords and keys in its message are struck out."""
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.alerts "
            "(dedupe_key, severity, kind, subject, message, first_seen_at, last_seen_at, run_id, remedy, link) "
            "VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $6::timestamptz, $7::uuid, $8, $9) "
            "ON CONFLICT (dedupe_key) WHERE resolved_at IS NULL DO UPDATE SET severity = excluded.severity, "
            "message = excluded.message, last_seen_at = excluded.last_seen_at, run_id = excluded.run_id, "
            "remedy = excluded.remedy, link = excluded.link, "
            "occurrence_count = alerts.occurrence_count + 1, loaded_at = now()",
            (
                _dedupe_key(alert.kind, alert.subject),
                alert.severity,
                alert.kind,
                alert.subject,
                without_secrets(alert.message)[:MESSAGE_LIMIT],
                at,
                run_id,
                alert.remedy,
                alert.link or (f"/runs/{run_id}" if run_id else None),
            ),
        )


def resolve_alert(warehouse: Warehouse, kind: str, subject: str, at: datetime) -> None:
    """Close the alert, where one is open."""
    with warehouse.transaction() as transaction:
        transaction.execute(
            "UPDATE ops.alerts SET resolved_at = $2::timestamptz, loaded_at = now() "
            "WHERE dedupe_key = $1 AND resolved_at IS NULL",
            (_dedupe_key(kind, subject), at),
        )


def settle_alerts(warehouse: Warehouse, kind: str, found: Iterable[Alert], at: datetime) -> None:
    """Make the open alerts of `kind` be `found`, all that is wrong now; those open with the same words stay as they
    are."""
    wrong = {alert.subject: alert for alert in found}
    known = open_of_kind(warehouse, kind)
    for subject in known.keys() - wrong.keys():
        resolve_alert(warehouse, kind, subject, at)
    for subject, alert in wrong.items():
        said = known.get(subject, {})
        if (said.get("severity"), said.get("message")) != (alert.severity, alert.message):
            raise_alert(warehouse, alert, at, None)


def open_alerts(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Alerts that are not resolved, oldest first, with the columns of `ops.alerts`."""
    return warehouse.records(
        "SELECT alert_id, severity, kind, subject, message, first_seen_at, last_seen_at, occurrence_count, "
        "run_id::text AS run_id, remedy, link "
        "FROM ops.alerts WHERE resolved_at IS NULL ORDER BY alert_id"
    )


def open_of_kind(warehouse: Warehouse, kind: str) -> dict[str, dict[str, Any]]:
    """The open alerts of a kind, by subject."""
    return {alert["subject"]: alert for alert in open_alerts(warehouse) if alert["kind"] == kind}


def without_secrets(text: str) -> str:
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _dedupe_key(kind: str, subject: str) -> str:
    return f"{kind}:{subject}"
