"""Writes against a real PostgreSQL: what is there afterwards, whatever was there before."""

from datetime import UTC, date, datetime
from typing import Any

import adbc_driver_manager
import pandas as pd
import pytest

from yt_platform.clock import Clock
from yt_platform.metrics.tables import CHANNELS, VIDEO_SNAPSHOTS, VIDEOS
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import CHANNEL, RUN_ID, VIDEO, accepted, obtained, snapshot, snapshots

JANUARY_2 = Window(date(2026, 1, 2), date(2026, 1, 2))


def views(warehouse: Warehouse) -> list[int]:
    return [row["view_count"] for row in warehouse.records("SELECT view_count FROM metrics.video_snapshots ORDER BY 1")]


def replace(warehouse: Warehouse, frame: pd.DataFrame, window: Window = JANUARY_2) -> None:
    with warehouse.transaction() as transaction:
        transaction.replace(VIDEO_SNAPSHOTS, frame, window, RUN_ID)


def test_replacing_a_window_leaves_its_neighbours(warehouse: Warehouse) -> None:
    both = Window(date(2026, 1, 1), date(2026, 1, 3))
    replace(warehouse, snapshots(*(snapshot(f"2026-01-0{n} 12:00", n) for n in (1, 2, 3))), both)
    replace(warehouse, snapshots(snapshot("2026-01-02 13:00", 20)))
    assert views(warehouse) == [1, 3, 20]


def test_the_window_is_midnight_to_midnight_utc(warehouse: Warehouse) -> None:
    edges = ["2026-01-01 23:59:59.999999", "2026-01-02 00:00", "2026-01-02 23:59:59.999999", "2026-01-03 00:00"]
    frame = snapshots(*(snapshot(at, n) for n, at in enumerate(edges)))
    replace(warehouse, frame, Window(date(2026, 1, 1), date(2026, 1, 3)))
    replace(warehouse, frame.iloc[:0])
    assert views(warehouse) == [0, 3]


def test_of_a_key_that_comes_twice_the_last_counts(warehouse: Warehouse) -> None:
    replace(warehouse, snapshots(snapshot("2026-01-02", 1), snapshot("2026-01-02", 2)))
    assert views(warehouse) == [2]


def test_an_error_rolls_everything_back(warehouse: Warehouse) -> None:
    replace(warehouse, snapshots(snapshot("2026-01-02", 1)))
    with pytest.raises(adbc_driver_manager.ProgrammingError):
        _replace_and_fail(warehouse)
    assert views(warehouse) == [1]


def _replace_and_fail(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        transaction.replace(VIDEO_SNAPSHOTS, snapshots(snapshot("2026-01-02", 2)), JANUARY_2, RUN_ID)
        transaction.execute("SELECT broken")


def test_a_month_gets_its_partition_when_its_first_row_comes(warehouse: Warehouse) -> None:
    frame = snapshots(snapshot("2026-01-31 23:59", 1), snapshot("2026-02-01 00:00", 2), snapshot("2017-11-14", 3))
    replace(warehouse, frame, Window(date(2017, 1, 1), date(2026, 2, 1)))
    rows = warehouse.records(
        "SELECT tableoid::regclass::text AS name, view_count FROM metrics.video_snapshots ORDER BY view_count"
    )
    assert [row["name"].removeprefix("metrics.video_snapshots_") for row in rows] == ["202601", "202602", "201711"]


def channel(at: int, title: str, *, complete: bool) -> pd.DataFrame:
    row = {
        "channel_id": CHANNEL,
        "collected_at": pd.Timestamp(f"2026-01-{at:02d}", tz="UTC"),
        "source": "test",
        "title": title,
        "is_complete": complete,
        **obtained(f"2026-01-{at:02d}"),
    }
    return accepted(CHANNELS, pd.DataFrame([row]).reindex(columns=CHANNELS.column_names))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_state_of_a_channel_does_not_depend_on_the_order_of_loading(
    order: tuple[int, ...], warehouse: Warehouse
) -> None:
    records = [
        channel(1, "own, old", complete=True),
        channel(5, "own, new", complete=True),
        channel(2, "by video, old", complete=False),
        channel(9, "by video, new", complete=False),
    ]
    for index in order:
        with warehouse.transaction() as transaction:
            transaction.upsert(CHANNELS, records[index], RUN_ID)
    assert [row["title"] for row in warehouse.records("SELECT title FROM metrics.channels")] == ["own, new"]


def video(at: int, title: str) -> pd.DataFrame:
    row: dict[str, Any] = {
        "video_id": VIDEO,
        "collected_at": pd.Timestamp(f"2026-01-{at:02d}", tz="UTC"),
        "source": "test",
        "title": title,
        **obtained(f"2026-01-{at:02d}"),
    }
    return accepted(VIDEOS, pd.DataFrame([row]).reindex(columns=VIDEOS.column_names))


def test_an_older_record_never_overwrites_a_newer_one(warehouse: Warehouse) -> None:
    for at, title in ((5, "new"), (3, "old")):
        with warehouse.transaction() as transaction:
            transaction.upsert(VIDEOS, video(at, title), RUN_ID)
    assert [row["title"] for row in warehouse.records("SELECT title FROM metrics.videos")] == ["new"]


def test_repeating_an_upsert_touches_no_row(warehouse: Warehouse) -> None:
    versions = []
    for _ in range(2):
        with warehouse.transaction() as transaction:
            transaction.upsert(VIDEOS, video(5, "same"), RUN_ID)
        versions.append(warehouse.records("SELECT xmin::text, loaded_at FROM metrics.videos"))
    assert versions[0] == versions[1]


def test_quarantine_of_a_window_is_replaced(warehouse: Warehouse) -> None:
    rejected = pd.DataFrame(
        {
            "partition_day": pd.to_datetime(["2026-01-02"]),
            "origin": ["b"],
            "reason": ["r\x00"],
            "record": ['{"a": "ü\\u0001\\u0000"}'],
        }
    )
    for _ in range(2):
        with warehouse.transaction() as transaction:
            transaction.quarantine("metrics.video_snapshots", rejected, JANUARY_2, RUN_ID)
    rows = warehouse.records("SELECT reason, record ->> 'a' AS a, run_id::text FROM ops.quarantine")
    # Postgres holds no NUL: one in a file once failed its import for good
    assert rows == [{"reason": "r\ufffd", "a": "ü\x01\ufffd", "run_id": RUN_ID}]


def test_the_clock_is_real_until_it_is_simulated(warehouse: Warehouse) -> None:
    clock = Clock(warehouse)
    assert clock.simulated_at is None
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 60
    at = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    clock.simulate(at)
    assert clock.now() == clock.simulated_at == at
    clock.run()
    assert clock.simulated_at is None
