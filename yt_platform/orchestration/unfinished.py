"""What was left behind and comes by no run of its own: days not made, days not collected, forecasts not scored.

Read from the books of the warehouse; who is told of it belongs elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from yt_platform.forecasting.accuracy_store import accuracy_due
from yt_platform.forecasting.registered import MODELS
from yt_platform.warehouse.staleness import Overdue, collected_days
from yt_platform.warehouse.warehouse import Warehouse

GAP_DAYS = 7
"""How long a day without collection is told of: its readings cannot be had again, and reports bridge it by then."""


@dataclass(frozen=True)
class Unfinished:
    """Days of one thing that should have been done by now, and what to do."""

    what: str
    first: date
    last: date
    days: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}, on {self.days} days between {self.first} and {self.last}"


def unfinished(warehouse: Warehouse, overdue: Sequence[Overdue], last_due: date) -> list[Unfinished]:
    """What should have been done up to `last_due`, the newest day that is to be made by now; `overdue` are the
    `overdue_ranges` up to it."""
    return [
        *_not_made(overdue),
        *_not_collected(collected_days(warehouse), last_due),
        *_not_scored(warehouse, last_due),
    ]


def _not_made(overdue: Sequence[Overdue]) -> list[Unfinished]:
    days: dict[str, list[date]] = {}
    for item in overdue:
        for table in item.tables:
            days.setdefault(table, []).extend(item.window.days)
    remedy = "yt-platform run; where it fails, its message says why"
    return [_of(f"{table} is missing or older than its inputs", found, remedy) for table, found in sorted(days.items())]


def _not_collected(collected: list[date], last_due: date) -> list[Unfinished]:
    if not collected:
        return []
    begin = max(collected[0], last_due - timedelta(days=GAP_DAYS - 1))
    expected = [begin + timedelta(days=n) for n in range((last_due - begin).days + 1)]
    missing = sorted({*expected} - {*collected})
    remedy = (
        "their counts cannot be had again: see that `yt-platform up` runs, and what `yt-platform quota status` says"
    )
    return [_of("nothing was collected", missing, remedy)] if missing else []


def _not_scored(warehouse: Warehouse, last_due: date) -> list[Unfinished]:
    # the daily run makes a day's readings, and the look at forecasts may be a day later
    until = last_due - timedelta(days=1)
    due = [
        (spec, [day for window in accuracy_due(spec, warehouse, until) for day in window.days])
        for spec in MODELS.values()
    ]
    remedy = "materialise {} for these days; where that fails, its message says why"
    return [
        _of(f"{spec.forecasts.name} is not scored", days, remedy.format(spec.accuracy.name))
        for spec, days in due
        if days
    ]


def _of(what: str, days: list[date], remedy: str) -> Unfinished:
    return Unfinished(what, min(days), max(days), len(set(days)), remedy)
