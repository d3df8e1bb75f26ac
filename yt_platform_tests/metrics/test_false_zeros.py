"""Zeros that stand for missing never reach a table that counts gains, against Postgres: the rule reads earlier days."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from yt_platform.features.tables import CHANNEL_DAY, VIDEO_DAY
from yt_platform.history.importing import import_history
from yt_platform.metrics import parse
from yt_platform.metrics.channel_days import load_channel_days
from yt_platform.metrics.false_zeros import MANY, REASON, withdraw_false_zeros
from yt_platform.metrics.revenue import RevenueRates
from yt_platform.metrics.tables import (
    CHANNEL_SNAPSHOTS,
    VIDEO_DAILY,
    VIDEO_HOURLY,
    VIDEO_SNAPSHOTS,
)
from yt_platform.progress import silent
from yt_platform.storage.raw import RawStore
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.loading import Loaded, load_from_raw, load_from_tables
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import CHANNEL, RUN_ID, VIDEO, accepted, obtained, snapshot, snapshots

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 10)
WINDOW = Window(FIRST, LAST)
FALSE_DAY = date(2026, 3, 6)
PARSERS = {
    VIDEO_SNAPSHOTS.name: {"video_snapshots": parse.video_snapshots},
    CHANNEL_SNAPSHOTS.name: {"channel_snapshots": parse.channel_snapshots},
}
CHANNELS = [f"UCinvented{number:014}" for number in range(4)]
VIDEOS = [f"inv{number:08}" for number in range(6)]


def written(folder: Path) -> Path:
    """Ten days of six videos and four channels, of which some were read as zeros on the sixth day; one channel hides
    its subscribers, and its collector wrote 0."""
    folder.mkdir()
    videos, channels = [], []
    for number, day in enumerate(WINDOW.days):
        false = day == FALSE_DAY
        for video, name in enumerate(VIDEOS):
            views = 1_000_000 * (video + 1) + 20_000 * number
            counts = (0, 0, 0) if false and video < 3 else (views, views // 30, views // 400)
            videos.append(f"{day}T06:00:00Z,{name},{counts[0]},{counts[1]},{counts[2]}\n")
        for channel, name in enumerate(CHANNELS):
            subscribers, views = 10_000 * (channel + 1) + 50 * number, 1_000_000 * (channel + 1) + 10_000 * number
            if channel == 1 or (false and channel == 2):
                subscribers, views = 0, 0 if channel == 2 else views
            channels.append(f"{day},{name},C,{subscribers},{views},{50 + number}\n")
    header = "timestamp,video_id,view_count,like_count,comment_count\n"
    (folder / "tracker.csv").write_text(header + "".join(videos))
    (folder / "channels.csv").write_text(
        "date_utc,channel_id,channel_title,subscribers,views,videos\n" + "".join(channels)
    )
    return folder


def imported(warehouse: Warehouse, tmp_path: Path, path: Path) -> RawStore:
    store = RawStore(str(tmp_path / "raw"))
    (tmp_path / "spool").mkdir(exist_ok=True)
    import_history(warehouse, store, path, tmp_path / "spool", Window(date(2026, 1, 1), LAST), RUN_ID, silent)
    return store


def load(warehouse: Warehouse, store: RawStore, table: Table, window: Window = WINDOW) -> Loaded:
    return load_from_raw(warehouse, store, table, PARSERS[table.name], window, RUN_ID, silent)


def values(warehouse: Warehouse, query: str) -> list[Any]:
    return [next(iter(row.values())) for row in warehouse.records(query)]


def test_no_table_sees_the_fall_to_a_zero_that_stands_for_missing(warehouse: Warehouse, tmp_path: Path) -> None:
    """A channel once lost 3,040,000 views in a day and gained 3,060,000 in the next."""
    store = imported(warehouse, tmp_path, written(tmp_path / "in"))
    loaded = load(warehouse, store, VIDEO_SNAPSHOTS)
    assert (loaded.rows[FALSE_DAY], loaded.row_count, loaded.unusable(0.01)) == (3, 57, [])
    load(warehouse, store, CHANNEL_SNAPSHOTS)
    quarantine = "SELECT DISTINCT reason || ': ' || (record ->> 'video_id') FROM ops.quarantine ORDER BY 1"
    assert values(warehouse, quarantine) == [f"{REASON}: {name}" for name in VIDEOS[:3]]
    for table in (VIDEO_DAILY, VIDEO_HOURLY, CHANNEL_DAY, VIDEO_DAY):
        load_from_tables(warehouse, table, table.maker, WINDOW, RUN_ID, silent)
    load_channel_days(warehouse, WINDOW, RevenueRates(), RUN_ID, silent)

    increments = f"SELECT view_increment FROM metrics.video_daily WHERE video_id = '{VIDEOS[0]}' ORDER BY day"
    assert values(warehouse, increments) == [None, *[20_000] * 4, None, *[20_000] * 3]
    since = f"SELECT DISTINCT view_rate_since_reading FROM features.video_day WHERE video_id = '{VIDEOS[0]}' ORDER BY 1"
    assert values(warehouse, since) == [20_000, None]
    for channel, subscribers in ((1, {None}), (2, {50, 0})):  # the last reading is of the last day's first instant
        of = f"FROM metrics.channel_daily WHERE channel_id = '{CHANNELS[channel]}'"
        assert set(values(warehouse, f"SELECT round(view_increment::numeric)::int {of}")) == {10_000, 0}
        assert set(values(warehouse, f"SELECT round(subscriber_increment::numeric)::int {of}")) == subscribers
    for table, column in (
        ("metrics.video_hourly", "view_increment"),
        ("features.video_day", "view_rate_lag_0"),
        ("features.channel_day", "view_increment"),
        ("features.channel_day", "subscribers_gained_7d"),
    ):
        assert values(warehouse, f"SELECT count(*) FROM {table} WHERE {column} < 0") == [0]


def test_the_days_give_the_same_rows_in_whatever_order_they_are_made(warehouse: Warehouse, tmp_path: Path) -> None:
    store = imported(warehouse, tmp_path, written(tmp_path / "in"))
    kept = []
    for windows in ([WINDOW], [Window(day, day) for day in reversed(WINDOW.days)]):
        for window in windows:
            load(warehouse, store, VIDEO_SNAPSHOTS, window)
            load(warehouse, store, CHANNEL_SNAPSHOTS, window)
        _load_stale(warehouse, store)
        kept.append(_rows(warehouse))
        for table in (VIDEO_SNAPSHOTS, CHANNEL_SNAPSHOTS):  # all is forgotten of how it was made
            with warehouse.transaction() as transaction:
                transaction.execute(f"DELETE FROM {table.name}")
                transaction.execute("DELETE FROM ops.loads")
                transaction.execute("DELETE FROM ops.quarantine")
    assert kept[0] == kept[1]


def _load_stale(warehouse: Warehouse, store: RawStore) -> list[date]:
    days = []
    for ends, tables in stale_ranges(warehouse, LAST):
        for table in (VIDEO_SNAPSHOTS, CHANNEL_SNAPSHOTS):
            if table.name in tables:
                load(warehouse, store, table, ends)
                days += ends.days if table is VIDEO_SNAPSHOTS else []
    return days


def _rows(warehouse: Warehouse) -> list[list[dict[str, Any]]]:
    return [
        warehouse.records(f"SELECT {', '.join(table.column_names)} FROM {table.name} ORDER BY 1, 2, 3, 4")
        for table in (VIDEO_SNAPSHOTS, CHANNEL_SNAPSHOTS)
    ] + [warehouse.records("SELECT reason, record FROM ops.quarantine ORDER BY record::text")]


def test_an_earlier_day_that_comes_later_takes_the_zero_out(warehouse: Warehouse, tmp_path: Path) -> None:
    header = "timestamp,video_id,view_count,like_count,comment_count\n"
    found = []
    for name, day, views in (("zero.csv", "2026-03-06", 0), ("before.csv", "2026-02-20", 900)):
        (tmp_path / name).write_text(f"{header}{day}T06:00:00Z,{VIDEO},{views},0,0\n")
        store = imported(warehouse, tmp_path, tmp_path / name)
        days = _load_stale(warehouse, store)
        assert date(2026, 3, 6) in days
        found.append(values(warehouse, "SELECT view_count FROM metrics.video_snapshots"))
        assert _load_stale(warehouse, store) == []
    assert found == [[0], [900]]


def _kept(warehouse: Warehouse, table: Table, frame: pd.DataFrame, columns: Iterable[str]) -> list[tuple[Any, ...]]:
    days = frame["collected_at"].dt.date
    window = Window(days.min(), days.max())
    with warehouse.transaction() as transaction:
        transaction.write(table, frame, window, RUN_ID)
        withdraw_false_zeros(transaction, table, window)
    rows = warehouse.records(f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY collected_at")
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(
    ("readings", "kept"),
    [
        ([(0, 0, 0), (5, 1, 0)], [(0, 0, 0), (5, 1, 0)]),
        ([(0, None, None), (0, None, None)], [(0, None, None), (0, None, None)]),
        ([(1000, 50, 40), (900, 45, 1)], [(1000, 50, 40), (900, 45, 1)]),
        ([(1000, 50, 40), (0, 0, 0), (1100, 55, 44)], [(1000, 50, 40), (1100, 55, 44)]),
        ([(1000, None, None), (0, None, 0)], [(1000, None, None)]),
        ([(1000, 50, 40), (0, 50, 40)], [(1000, 50, 40)]),
        ([(1000, 50, 40), (1100, 0, 0)], [(1000, 50, 40), (1100, None, None)]),
        ([(1000, 3, MANY - 1), (1100, 0, 0)], [(1000, 3, MANY - 1), (1100, 0, 0)]),
        ([(1000, 50, 40), (0, 0, 0), (0, 0, 0), (2000, 60, 50)], [(1000, 50, 40), (2000, 60, 50)]),
    ],
    ids=[
        "a new video",
        "a new video that hides",
        "a purge",
        "zeros after more",
        "hidden and zeros",
        "no views but likes",
        "zeros beside views",
        "few are taken back",
        "several days",
    ],
)
@pytest.mark.parametrize("source", ["tracker", "api"])
def test_zeros_of_videos(
    warehouse: Warehouse, readings: list[tuple[Any, ...]], kept: list[tuple[Any, ...]], source: str
) -> None:
    """Of imports and of what was collected alike."""
    columns = ["view_count", "like_count", "comment_count", "likes_known", "comments_known"]
    rows = [
        snapshot(f"2026-03-{day:02}", views, like_count=likes, comment_count=comments, source=source)
        | {"likes_known": likes is not None, "comments_known": comments is not None}
        for day, (views, likes, comments) in enumerate(readings, 1)
    ]
    found = _kept(warehouse, VIDEO_SNAPSHOTS, snapshots(*rows), columns)
    assert found == [(*row, row[1] is not None, row[2] is not None) for row in kept]


@pytest.mark.parametrize(
    ("readings", "kept"),
    [
        ([(0, 0, 0), (0, 500, 1)], [(0, 0, 0), (0, 500, 1)]),
        ([(100, 9000, 10), (0, 0, 10), (110, 9100, 10)], [(100, 9000, 10), (None, None, 10), (110, 9100, 10)]),
        ([(100, 9000, 10), (0, 0, 0)], [(100, 9000, 10)]),
        ([(100, 9000, 10), (100, 0, 0)], [(100, 9000, 10), (100, 0, 0)]),
        ([(100, 9000, 10), (0, 9100, 10)], [(100, 9000, 10), (None, 9100, 10)]),
        ([(2, 9000, 10), (0, 9100, 10)], [(2, 9000, 10), (0, 9100, 10)]),
    ],
    ids=["a new channel", "zeros beside videos", "all zeros", "no videos left", "hidden since", "few who left"],
)
def test_zeros_of_channels(warehouse: Warehouse, readings: list[tuple[Any, ...]], kept: list[tuple[Any, ...]]) -> None:
    columns = ["subscriber_count", "view_count", "video_count"]
    rows = [
        dict(zip(columns, counts, strict=True))
        | {"source": "test", "channel_id": CHANNEL, "collected_at": pd.Timestamp(f"2026-03-{day:02}", tz="UTC")}
        | {"view_definition": "shorts_at_start", **obtained(f"2026-03-{day:02}")}
        for day, counts in enumerate(readings, 1)
    ]
    frame = accepted(CHANNEL_SNAPSHOTS, pd.DataFrame(rows)[CHANNEL_SNAPSHOTS.column_names])
    assert _kept(warehouse, CHANNEL_SNAPSHOTS, frame, columns) == kept


def test_a_zero_long_after_is_a_reading(warehouse: Warehouse) -> None:
    """Nothing looks back further than 28 days, so that nothing takes it for a fall."""
    late = date(2026, 3, 1) + timedelta(days=29)
    frame = snapshots(snapshot("2026-03-01", 1000), snapshot(f"{late}", 0))
    assert _kept(warehouse, VIDEO_SNAPSHOTS, frame, ["view_count"]) == [(1000,), (0,)]
