"""Materialised views of the `bi` schema: when one is behind what it is made from, and bringing it up to date.

What they show is in `sql/views`.
"""

from dataclasses import dataclass
from datetime import date

from yt_platform.warehouse.loading import book
from yt_platform.warehouse.warehouse import Warehouse

CHANNEL_OVERVIEW_CACHED = "bi.channel_overview_cached"

MADE_FROM = ("metrics.video_daily", "predictions.video_forecast")
"""Tables after whose loads it is refreshed. It also shows totals of channels, which every hour changes."""


@dataclass(frozen=True)
class Due:
    """A refresh: the newest day of what the view is made from, and the version of it that is wanted."""

    day: date
    version: str


def refresh_due(warehouse: Warehouse) -> Due | None:
    """The refresh that is to be made, where tables were loaded since the last one."""
    row = warehouse.records(
        "SELECT max(partition_day) AS day, max(loaded_at) AS loaded_at FROM ops.loads WHERE table_name = ANY($1)",
        (list(MADE_FROM),),
    )[0]
    if row["day"] is None:
        return None
    due = Due(row["day"], row["loaded_at"].isoformat())
    made = warehouse.records(
        "SELECT input_version FROM ops.loads WHERE table_name = $1 ORDER BY loaded_at DESC LIMIT 1",
        (CHANNEL_OVERVIEW_CACHED,),
    )
    return None if made and made[0]["input_version"] == due.version else due


def refresh(warehouse: Warehouse, run_id: str) -> int:
    """Make the view anew while readers go on with what it held; returns its rows."""
    due = refresh_due(warehouse)
    with warehouse.transaction() as transaction:
        transaction.execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {CHANNEL_OVERVIEW_CACHED}")
        rows: int = transaction.records(f"SELECT count(*) AS rows FROM {CHANNEL_OVERVIEW_CACHED}")[0]["rows"]
        if due:  # as it was before: what was loaded meanwhile may be in it or not
            book(transaction, CHANNEL_OVERVIEW_CACHED, due.day, due.version, rows, run_id)
    return rows
