"""Revenue of channels by day, of which Google makes no bulk report: days to ask for, and answers as rows of
`metrics.channel_revenue`.

Not here: what a query is (`youtube/analytics_api/queries.py`), asking and keeping (`youtube/analytics_api/revenue.py`),
and revenue of content owners, which their bulk reports have (`metrics.report_revenue`).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from yt_platform.metrics.tables import CHANNEL_REVENUE
from yt_platform.tables.columns import INSTANT
from yt_platform.tables.validation import Malformed
from yt_platform.youtube.analytics_api.queries import LATENCY_DAYS, cells, figure
from yt_platform.youtube.reporting_api.reports import PACIFIC

HISTORY_DAYS = 365
"""Days that a channel is asked for at first."""

REVISED_DAYS = 45
"""Days that are asked for again: YouTube corrects a month's estimates until the middle of the next one."""

AMOUNTS = {
    "estimated_revenue": "estimatedRevenue",
    "estimated_ad_revenue": "estimatedAdRevenue",
    "estimated_red_partner_revenue": "estimatedRedPartnerRevenue",
    "gross_revenue": "grossRevenue",
    "playback_based_cpm": "playbackBasedCpm",
    "cpm": "cpm",
}
COUNTS = {"monetized_playbacks": "monetizedPlaybacks", "ad_impressions": "adImpressions"}
"""Columns, and the metrics they hold."""


def days_to_ask(now: datetime, newest: date | None) -> tuple[date, date]:
    """First and last Pacific day to ask for at `now`, where days up to `newest` are stored (None: none is)."""
    last = now.astimezone(PACIFIC).date() - timedelta(days=LATENCY_DAYS)
    if newest is None:
        return last - timedelta(days=HISTORY_DAYS), last
    return min(newest, last) - timedelta(days=REVISED_DAYS), last


def channel_revenue(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `analytics_channel_revenue` to `metrics.channel_revenue`, a row for each day that an answer has; cells
    that are not of their column's type are `Malformed`."""
    records = [
        {**_asked(answer), **figures} for answer in raw.to_pylist() for figures in _days(json.loads(answer["body"]))
    ]
    frame = pd.DataFrame.from_records(records, columns=CHANNEL_REVENUE.column_names)
    return frame.astype({"collected_at": INSTANT, "refreshed_at": INSTANT})


def _asked(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same of all days: from the call, and the account and channel it was made for."""
    asked = json.loads(answer["parameters"])
    return {
        "account": asked["account"],
        "channel_id": asked["channel_id"],
        "currency": asked["currency"],
        "collected_at": answer["collected_at"],
        "source": answer["source"],
        "access": answer["access"],
        "refreshed_at": answer["collected_at"],
    }


def _days(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in cells(answer):
        if isinstance(row, Malformed):
            yield {"day": row}
        else:
            yield {
                "day": _day(row.get("day")),
                **{column: figure(row.get(metric)) for column, metric in AMOUNTS.items()},
                **{column: _count(row.get(metric)) for column, metric in COUNTS.items()},
            }


def _day(value: Any) -> pd.Timestamp | Malformed:
    try:
        return pd.Timestamp(date.fromisoformat(value))
    except (TypeError, ValueError):
        return Malformed(str(value)[:100])


def _count(value: Any) -> float | Malformed | None:
    """A whole number, however it is written."""
    found = figure(value)
    return Malformed(str(value)[:100]) if isinstance(found, float) and not found.is_integer() else found
