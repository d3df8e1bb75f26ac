"""The list of what went wrong and is not yet right again, in `ops.alerts`; who is told of it belongs elsewhere."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yt_platform.io.warehouse import Warehouse

TRAINING = "training"
ACCURACY = "accuracy"
DRIFT = "drift"

WARNING = "warning"
ERROR = "error"

MESSAGE_LIMIT = 2_000
"""Characters of a message; a driver's error may repeat a whole statement."""

_SECRETS = (
    (re.compile(r"(://[^\s:/@]*):\S*@"), r"\1:***@"),  # user:password@ of a URL; a password may hold anything
    (re.compile(r"(?i)\b((?:password|passwd|pwd|token|secret|api_?key|key)\s*[=:]\s*)[^\s,;&]+"), r"\1***"),
    (re.compile(r"AIza[0-9A-Za-z_-]{35}"), "***"),  # a key of Google's APIs
)


@dataclass(frozen=True)
class Alert:
    """Something that went wrong with `subject`; seen again, it is the same alert while that is open."""

    kind: str
    subject: str
    severity: str
    message: str


def raise_alert(warehouse: Warehouse, alert: Alert, at: datetime, run_id: str) -> None:
    """Open the alert, or count it once more where it is open; passwords and keys in its message are struck out."""
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.alerts "
            "(dedupe_key, severity, kind, subject, message, first_seen_at, last_seen_at, run_id) "
            "VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $6::timestamptz, $7::uuid) "
            "ON CONFLICT (dedupe_key) WHERE resolved_at IS NULL DO UPDATE SET severity = excluded.severity, "
            "message = excluded.message, last_seen_at = excluded.last_seen_at, run_id = excluded.run_id, "
            "occurrence_count = alerts.occurrence_count + 1, loaded_at = now()",
            (
                _dedupe_key(alert.kind, alert.subject),
                alert.severity,
                alert.kind,
                alert.subject,
                without_secrets(alert.message)[:MESSAGE_LIMIT],
                at,
                run_id,
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


def open_alerts(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Alerts that are not resolved, oldest first, with the columns of `ops.alerts`."""
    return warehouse.records(
        "SELECT alert_id, severity, kind, subject, message, first_seen_at, last_seen_at, occurrence_count "
        "FROM ops.alerts WHERE resolved_at IS NULL ORDER BY alert_id"
    )


def without_secrets(text: str) -> str:
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _dedupe_key(kind: str, subject: str) -> str:
    return f"{kind}:{subject}"
