"""The day in one message: what was collected, failed, found and forecast, and how earlier forecasts did.

Belongs here: asking Postgres, and putting the figures into words, tables and plots. Not here: when it is sent, and to
whom (`monitoring/notify.py` delivers).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from typing import Any

from yt_platform.monitoring.notify import Message, Picture
from yt_platform.monitoring.plots import bars, quality
from yt_platform.monitoring.quality_store import recent_scores
from yt_platform.printable import printable
from yt_platform.warehouse.warehouse import Warehouse

PLOTTED_DAYS = 28
TOP = 10

Rows = Sequence[Mapping[str, Any]]

_SECTIONS = {
    "Collected": (
        "SELECT source, endpoint, count(*) AS batches, sum(row_count)::bigint AS rows FROM raw.batches "
        "WHERE partition_day = $1 GROUP BY source, endpoint ORDER BY source, endpoint"
    ),
    "Units of the YouTube Data API": (
        "SELECT bucket, units, coalesce(stop_reason, '') AS stopped FROM ops.quota_ledger "
        "WHERE pacific_day = $1 ORDER BY bucket"
    ),
    "Refused rows": (
        "SELECT table_name AS table, reason, count(*) AS rows FROM ops.quarantine WHERE partition_day = $1 "
        f"GROUP BY table_name, reason ORDER BY rows DESC, reason LIMIT {TOP}"
    ),
    "Open alerts": (
        "SELECT severity, kind, subject, message, last_seen_at AS seen FROM ops.alerts "
        "WHERE resolved_at IS NULL AND first_seen_at < $1 + 1 ORDER BY last_seen_at DESC"
    ),
    "Mended on the day": (
        "SELECT severity, kind, subject, message, resolved_at AS mended FROM ops.alerts "
        "WHERE resolved_at >= $1 AND resolved_at < $1 + 1 ORDER BY resolved_at"
    ),
    "Quality of the day's data, of 100": (
        "SELECT table_name AS table, source, round(score::numeric, 1) AS score, status, row_count AS rows, "
        "reject_count AS refused FROM ops.quality_scores WHERE day = $1 ORDER BY score, table_name, source"
    ),
    "Unusual readings": (
        "SELECT severity, kind, target, count(*) AS readings, count(DISTINCT video_id) AS videos FROM ops.anomalies "
        "WHERE at >= $1 AND at < $1 + 1 GROUP BY severity, kind, target "
        "ORDER BY array_position(ARRAY['high', 'medium', 'low'], severity), readings DESC, kind, target"
    ),
    "Forecast": (
        "SELECT model_version AS model, target, horizon_days AS days_ahead, count(*) AS forecasts, "
        "sum(p50)::bigint AS expected FROM predictions.video_forecast WHERE origin_day = $1 "
        "GROUP BY model_version, target, horizon_days ORDER BY model_version, target DESC, horizon_days"
    ),
    "How forecasts of the last 7 days did": (
        "SELECT target, horizon_days AS days_ahead, count(*) AS forecasts, "
        "round((sum(abs(actual - p50)) / nullif(sum(actual), 0))::numeric, 3) AS wape, "
        "round(avg(within80::integer), 3) AS in_80_percent FROM predictions.forecast_accuracy "
        "WHERE target_day > $1 - 7 AND target_day <= $1 GROUP BY target, horizon_days "
        "ORDER BY target DESC, horizon_days"
    ),
    "Gained most views": (
        "SELECT coalesce(channel.title, daily.channel_id) AS channel, sum(daily.view_increment)::bigint AS views, "
        "count(*) AS videos FROM metrics.video_daily AS daily LEFT JOIN metrics.channels AS channel USING (channel_id) "
        "WHERE daily.day = $1 AND daily.view_increment > 0 GROUP BY 1 ORDER BY views DESC "
        f"LIMIT {TOP}"
    ),
}


@dataclass(frozen=True)
class DailyReport:
    """Rows by section, the views that tracked videos gained on each of the last days, and the scores of quality."""

    day: date
    sections: Mapping[str, Rows]
    views: Mapping[date, int]
    scores: Rows
    is_synthetic: bool


def daily_report(warehouse: Warehouse, day: date) -> DailyReport:
    """What the warehouse says of a UTC day."""
    views = warehouse.records(
        "SELECT day, sum(greatest(view_increment, 0))::bigint AS views FROM metrics.video_daily "
        "WHERE day > $1 AND day <= $2 AND view_increment IS NOT NULL GROUP BY day ORDER BY day",
        (day - timedelta(days=PLOTTED_DAYS), day),
    )
    synthetic = warehouse.records("SELECT coalesce(bool_or(synthetic), false) AS found FROM raw.batches")[0]["found"]
    return DailyReport(
        day,
        {title: warehouse.records(query, (day,)) for title, query in _SECTIONS.items()},
        {row["day"]: row["views"] for row in views},
        recent_scores(warehouse, day),
        synthetic,
    )


def as_message(report: DailyReport) -> Message:
    """Text for terminals and webhooks, HTML with a plot for mail."""
    alerts = len(report.sections["Open alerts"])
    subject = f"YouTube data of {report.day}: {alerts or 'no'} open alert{'' if alerts == 1 else 's'}"
    note = "Generated data, not YouTube's." if report.is_synthetic else "Forecasts are not YouTube's figures."
    pictures = (
        *([Picture("views", bars("Views gained by tracked videos", report.views))] if report.views else []),
        *([Picture("quality", quality(report.scores))] if report.scores else []),
    )
    text = "\n\n".join([*(_as_text(title, rows) for title, rows in report.sections.items()), note])
    return Message(subject, text, _as_html(subject, report.sections, note, pictures), pictures)


def _as_text(title: str, rows: Rows) -> str:
    if not rows:
        return f"{title}: none"
    lines = [" | ".join(rows[0]), *(" | ".join(_shown(value) for value in row.values()) for row in rows)]
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)])


def _as_html(subject: str, sections: Mapping[str, Rows], note: str, pictures: Sequence[Picture]) -> str:
    images = [f'<p><img src="cid:{picture.name}" alt="{picture.name}"></p>' for picture in pictures]
    tables = [f"<h2>{escape(title)}</h2>{_as_table(rows)}" for title, rows in sections.items()]
    style = "body{font:14px sans-serif}td,th{padding:2px 12px 2px 0;text-align:left}"
    parts = [f"<h1>{escape(subject)}</h1>", *images, *tables, f"<p>{escape(note)}</p>"]
    head = f'<meta charset="utf-8"><title>{escape(subject)}</title><style>{style}</style>'
    return f"<!doctype html><html><head>{head}</head><body>{''.join(parts)}</body></html>"


def _as_table(rows: Rows) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(value))}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _shown(value: Any) -> str:
    """On one line, as a reason may hold what broke a table's contract, and a title what its author likes."""
    return f"{value:,}" if isinstance(value, int) else printable(" ".join(str(value).split()))
