"""A day's rows do not depend on the days that are made with it: a version in the books says what they were made from.

Against Postgres, as what a call reads belongs to the rule: the days that `catalog/lineage.py` declares, and no others.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import DAILY_TABLES
from yt_platform.metrics.channel_days import load_channel_days
from yt_platform.metrics.revenue import RevenueRates
from yt_platform.metrics.tables import (
    CHANNEL_DAILY,
    CHANNEL_SNAPSHOTS,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
)
from yt_platform.metrics.view_definition import ALL_FORMATS_CHANGE, view_definition
from yt_platform.monitoring.anomalies_store import find_anomalies
from yt_platform.monitoring.quality_store import score_quality
from yt_platform.monitoring.tables import ANOMALIES, QUALITY_SCORES
from yt_platform.progress import silent
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.loading import load_from_tables
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.reporting_api.tables import REPORT_BASIC
from yt_platform_tests.frames import RUN_ID, accepted, obtained, snapshot, snapshots
from yt_platform_tests.warehouse_state import fingerprint

MINUTES = 1440
DAYS = 26
FIRST = ALL_FORMATS_CHANGE.tz_localize(None) - timedelta(days=15)
ALL_DAYS = [day.date() for day in pd.date_range(FIRST, periods=DAYS)]

Load = Callable[[Warehouse, Window], object]


def from_tables(table: Table) -> Load:
    return lambda warehouse, window: load_from_tables(warehouse, table, table.maker, window, RUN_ID, silent)


LOADS: dict[str, Load] = {
    **{table.name: from_tables(table) for table in DAILY_TABLES if table.made_by},
    CHANNEL_DAILY.name: lambda warehouse, window: load_channel_days(warehouse, window, RevenueRates(), RUN_ID, silent),
    ANOMALIES.name: lambda warehouse, window: find_anomalies(warehouse, window, RUN_ID, silent),
    QUALITY_SCORES.name: lambda warehouse, window: score_quality(warehouse, window, RUN_ID, silent),
}
MADE = [table.name for table in DAILY_TABLES if not any(source.name.startswith("raw.") for source in table.inputs)]


def rhythms(random: np.random.Generator) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
    """Minutes at which a series is read: hour by hour with whole days left out, once a day, about once a week with
    readings at midnights, in a few hours of some mornings, and twice far apart."""
    days = np.arange(DAYS)
    for kept in random.random((3, DAYS)) < 0.6:
        yield np.concatenate([day * MINUTES + np.arange(24) * 60 + random.integers(0, 60, 24) for day in days[kept]])
    for late in random.integers(0, MINUTES, (6, DAYS)):
        yield days * MINUTES + late
    for steps in random.integers(5 * 24, 10 * 24, (8, 5)):
        yield np.cumsum(steps) * 60 // MINUTES * MINUTES + random.choice([0, 0, 700], 5)
    for kept in random.random((3, DAYS)) < 0.5:
        yield np.concatenate([day * MINUTES + random.choice(600, 5, replace=False) for day in days[kept]])
    for apart in (7, 8, 13, 15):
        yield np.array([3, 3 + apart]) * MINUTES


def generated(random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Rows of `metrics.video_snapshots`: what is hidden, not told, or read at once from two places as well."""
    for number, minutes in enumerate(rhythms(random)):
        minutes = np.sort(minutes[minutes < DAYS * MINUTES])
        views = 5_000 + np.cumsum(random.integers(-3, 400, len(minutes)) * random.choice([1, 1, 1, 30], len(minutes)))
        age = int(random.choice([300, 3_000, 30_000]))
        published = FIRST.tz_localize("UTC") + timedelta(minutes=int(minutes[0]) - age)
        for minute, count in zip(minutes, views, strict=True):
            at = str(FIRST + timedelta(minutes=int(minute)))
            row = snapshot(
                at,
                int(count),
                video_id=f"video_{number:05d}",
                channel_id=None if random.random() < 0.03 else "UC" + str(number % 4) * 22,
                published_at=None if random.random() < 0.2 else published,
                like_count=None if number % 5 == 0 else int(count) // 20,
                comment_count=int(count) // 90,
            )
            yield row
            if random.random() < 0.1:
                yield {**row, "source": "other", "region": "DE", "like_count": int(count) // 21}


def of_channels(random: np.random.Generator) -> pd.DataFrame:
    """Two channels read daily with gaps, one by two sources at once, and two about once a week."""
    rows = []
    for number, often in enumerate([0.9, 0.5, 0.15, 0.1]):
        for day in np.flatnonzero(random.random(DAYS) < often):
            at = FIRST + timedelta(days=int(day), hours=int(random.choice([0, 0, 5, 23])))
            for source in ("test", "other")[: 1 + (number == 1)]:
                views, subscribers = 10_000_000 + 10_000 * int(day) + random.integers(0, 3_000, 2)
                rows.append(
                    {
                        "source": source,
                        "channel_id": "UC" + str(number) * 22,
                        "collected_at": at.tz_localize("UTC"),
                        "view_count": int(views),
                        "subscriber_count": int(subscribers),
                        "video_count": 10 + int(day),
                        **obtained(str(at)),
                    }
                )
    frame = pd.DataFrame(rows)
    frame["view_definition"] = view_definition(frame["collected_at"])
    return accepted(CHANNEL_SNAPSHOTS, frame[CHANNEL_SNAPSHOTS.column_names])


def of_owners(random: np.random.Generator) -> pd.DataFrame:
    """Reports of one channel that is read seldom, by two accounts, and of one that is never read."""
    rows = []
    for day in pd.date_range(FIRST, periods=DAYS):
        for account, channel in (("a", "UC" + "2" * 22), ("b", "UC" + "2" * 22), ("b", "UC" + "9" * 22)):
            row = dict.fromkeys(REPORT_BASIC.key, "") | {"day": day, "account": account, "channel_id": channel}
            row |= dict.fromkeys(("dislikes", "shares", "comments", "subscribers_gained", "subscribers_lost"), 0)
            row |= {"views": int(random.integers(0, 900)), "likes": 1, "source": "api", "access": "owner"}
            at = {name: day.tz_localize("UTC") + timedelta(days=2) for name in ("reported_at", "refreshed_at")}
            rows.append({**row, **at})
    return accepted(REPORT_BASIC, pd.DataFrame(rows).reindex(columns=REPORT_BASIC.column_names))


def of_metadata(readings: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """A version of a video for a tenth of its readings, with what metadata may lack left out."""
    seen = readings[random.random(len(readings)) < 0.1].drop_duplicates(["video_id", "collected_at"])
    frame = seen.reset_index(drop=True).assign(title=[f"Title {n}!" for n in range(len(seen))])
    return accepted(VIDEO_VERSIONS, frame.reindex(columns=VIDEO_VERSIONS.column_names))


def windows(cuts: list[int]) -> list[Window]:
    ends = [0, *cuts, DAYS]
    return [Window(ALL_DAYS[begin], ALL_DAYS[end - 1]) for begin, end in pairwise(ends)]


def made(warehouse: Warehouse, grouping: list[Window]) -> dict[str, str]:
    """Hashes of every table made anew, with its books, table by table as their inputs come first."""
    with warehouse.transaction() as transaction:
        transaction.execute(f"TRUNCATE ops.loads, ops.quarantine, {', '.join(MADE)}")
    for table in MADE:
        for window in grouping:
            LOADS[table](warehouse, window)
    found = {table: fingerprint(warehouse, table, TABLES[table].column_names) for table in MADE}
    return {**found, "books": fingerprint(warehouse, "ops.loads", ("table_name", "partition_day", "row_count"))}


def test_days_have_the_same_rows_however_they_are_grouped(warehouse: Warehouse) -> None:
    """Reports of a range once read past the reach of a day: a run day by day gave other rows of the same version."""
    assert set(LOADS) == set(MADE)
    random = np.random.default_rng(1)
    frame = snapshots(*generated(random))
    frame["view_definition"] = view_definition(frame["collected_at"])
    with warehouse.transaction() as transaction:
        transaction.upsert(VIDEO_SNAPSHOTS, frame, RUN_ID)
        transaction.upsert(CHANNEL_SNAPSHOTS, of_channels(random), RUN_ID)
        transaction.upsert(REPORT_BASIC, of_owners(random), RUN_ID)
        transaction.upsert(VIDEO_VERSIONS, of_metadata(frame, random), RUN_ID)
    at_once = made(warehouse, windows([]))
    for table in MADE:
        assert warehouse.records(f"SELECT count(*) AS n FROM {table}")[0]["n"] > DAYS, table
    cuts = [8, 9, 10, 17, 18]  # days alone, two of them neighbours, and ranges; the newest first
    assert made(warehouse, windows(cuts)[::-1]) == at_once
