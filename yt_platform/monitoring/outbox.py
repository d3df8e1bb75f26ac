"""Telling people of alerts: every channel once when one opens, again when it gets worse, and when it is over.

What a channel was told is written after it took the message, so that a crash between tells it twice and never not at
all. A channel that takes nothing keeps no other waiting, and is tried again the next time. What is over before a
channel heard of it is not told there.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from yt_platform.monitoring.alerts import ERROR
from yt_platform.monitoring.notify import Channel, Message, NotDeliveredError
from yt_platform.warehouse.warehouse import Warehouse

RESOLVED = "resolved"

AT_ONCE = 20
"""Alerts in one message; a channel gets one message a time, so that one which is slow costs one timeout."""

SHOWN = 500
"""Characters of an alert's own message."""

_UNTOLD = f"""
SELECT alert_id, kind, subject, severity, message, remedy, link, first_seen_at, occurrence_count, resolved_at,
    CASE WHEN resolved_at IS NULL THEN severity ELSE '{RESOLVED}' END AS told
FROM ops.alerts
LEFT JOIN LATERAL (
    SELECT array_agg(told) AS heard FROM ops.alert_deliveries WHERE alert_id = alerts.alert_id AND channel = $1
) AS deliveries ON true
WHERE CASE
    WHEN resolved_at IS NOT NULL THEN heard IS NOT NULL AND NOT '{RESOLVED}' = ANY (heard)
    ELSE heard IS NULL OR NOT heard && ARRAY[severity, '{ERROR}']
END
ORDER BY alert_id
LIMIT {AT_ONCE}
"""

Alerts = Sequence[Mapping[str, Any]]


def deliver(warehouse: Warehouse, channels: Iterable[Channel], ui_base: str) -> tuple[int, list[str]]:
    """Tell every channel what it has not heard. Returns how many alerts were told, and why a channel took none."""
    told, faults = 0, []
    for channel in channels:
        alerts = warehouse.records(_UNTOLD, (channel.name,))
        if not alerts:
            continue
        try:
            channel.deliver(as_message(alerts, ui_base))
        except NotDeliveredError as error:
            faults.append(str(error))
            continue
        _keep(warehouse, channel.name, alerts)
        told += len(alerts)
    return told, faults


def _keep(warehouse: Warehouse, channel: str, alerts: Alerts) -> None:
    with warehouse.transaction() as transaction:
        for alert in alerts:
            transaction.execute(
                "INSERT INTO ops.alert_deliveries (alert_id, channel, told) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                (alert["alert_id"], channel, alert["told"]),
            )


def as_message(alerts: Alerts, ui_base: str) -> Message:
    """One message of all the alerts, the errors first."""
    order = [ERROR, "warning", RESOLVED]
    ordered = sorted(alerts, key=lambda alert: order.index(alert["told"]))
    return Message(_subject(ordered), "\n\n".join(_paragraph(alert, ui_base) for alert in ordered))


def _subject(alerts: Alerts) -> str:
    first = f"{alerts[0]['told']}: {alerts[0]['kind']} {alerts[0]['subject']}"
    return first if len(alerts) == 1 else f"{first} and {len(alerts) - 1} more"


def _paragraph(alert: Mapping[str, Any], ui_base: str) -> str:
    seen = f"seen {alert['occurrence_count']} times since {_minute(alert['first_seen_at'])}"
    over = f"over at {_minute(alert['resolved_at'])}" if alert["resolved_at"] else None
    lines = [
        f"{alert['told']}: {alert['kind']} {alert['subject']}",
        alert["message"][:SHOWN],
        over or (f"What to do: {alert['remedy']}" if alert["remedy"] else None),
        f"{ui_base}{alert['link']}" if alert["link"] else None,
        seen if alert["occurrence_count"] > 1 else None,
    ]
    return "\n".join(line for line in lines if line)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
