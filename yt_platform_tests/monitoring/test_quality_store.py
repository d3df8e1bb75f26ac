"""Quality of rows in a real warehouse: that each file of `sql/quality` counts what its head says, and the alert's
life."""

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from yt_platform.catalog import TABLES
from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import (
    CHANNEL_DAILY,
    CHANNEL_SNAPSHOTS,
    COMMENTS,
    VIDEO_DAILY,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
)
from yt_platform.monitoring.alerts import open_alerts
from yt_platform.monitoring.quality import COUNTS, SCORED
from yt_platform.monitoring.quality_store import alert_on_quality, count_rows, newest_scores, score_quality
from yt_platform.monitoring.tables import QUALITY_SCORES
from yt_platform.progress import silent
from yt_platform.warehouse.migrations import SQL_FOLDER
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import CHANNEL, RUN_ID, VIDEO, accepted, obtained, snapshot, snapshots

DAY = date(2026, 1, 10)
OTHER = "lmnopqrstuv"
WHOLE = {"like_count": 5, "comment_count": 1, "likes_known": True, "comments_known": True}
NOW = datetime(2026, 1, 11, tzinfo=UTC)


def put_snapshots(warehouse: Warehouse, *rows: dict[str, Any]) -> None:
    made = snapshots(*rows)
    days = made["collected_at"].dt.tz_localize(None).dt.normalize()
    window = Window(days.min().date(), days.max().date())
    daily = accepted(VIDEO_DAILY, video_daily(made, days.min(), days.max()))
    with warehouse.transaction() as transaction:
        transaction.replace(VIDEO_SNAPSHOTS, made, window, RUN_ID)
        transaction.replace(VIDEO_DAILY, daily, window, RUN_ID)


def put(warehouse: Warehouse, table: Any, *rows: dict[str, Any]) -> None:
    frame = pd.DataFrame(rows).reindex(columns=table.column_names)
    with warehouse.transaction() as transaction:
        transaction.upsert(table, accepted(table, frame), RUN_ID)


def refuse(warehouse: Warehouse, table: str, source: str, count: int, day: date = DAY) -> None:
    rejected = pd.DataFrame({"reason": ["no"] * count, "record": [f'{{"source": "{source}"}}'] * count})
    rejected = rejected.assign(partition_day=pd.Timestamp(day), origin="a file")
    with warehouse.transaction() as transaction:
        transaction.add_to_quarantine(table, rejected, RUN_ID)


def counted(warehouse: Warehouse, table: str, first: date = DAY, last: date = DAY) -> dict[Any, dict[str, Any]]:
    """What the table's query counts, by source, or by source and day for several days."""
    rows = count_rows(warehouse, table, Window(first, last))
    return {row["source"] if first == last else (row["source"], row["day"]): row for row in rows}


def score(warehouse: Warehouse, first: date = DAY, last: date = DAY) -> list[dict[str, Any]]:
    score_quality(warehouse, Window(first, last), RUN_ID, silent)
    return warehouse.records("SELECT * FROM bi.quality_scores ORDER BY day, table_name, source")


def test_every_table_scored_has_its_query_and_every_query_its_table() -> None:
    files = {path.stem for path in (SQL_FOLDER / "quality").glob("*.sql")}
    assert files == {*SCORED, "rejects"}
    assert set(SCORED) <= set(TABLES)


@pytest.mark.parametrize("table", SCORED)
def test_a_day_without_rows_has_no_counts(warehouse: Warehouse, table: str) -> None:
    assert count_rows(warehouse, table, Window(DAY, DAY)) == []


def test_snapshots_are_counted_by_source(warehouse: Warehouse) -> None:
    put_snapshots(
        warehouse,
        snapshot("2026-01-10 01:00", 100, source="a", **WHOLE),
        snapshot("2026-01-10 01:00:20", 100, source="a", **WHOLE),  # again within its minute
        snapshot("2026-01-10 02:00", 99, source="b"),  # a little below what the other source read; likes unknown
        snapshot("2026-01-10 03:00", 90, source="a", **WHOLE),  # far below it
        snapshot("2026-01-10 04:00", 3, source="a", video_id=OTHER, **WHOLE),  # more likes than views
        snapshot(
            "2026-01-10 05:00",
            10,
            source="b",
            video_id=OTHER,
            published_at=pd.Timestamp("2026-01-10 06:00", tz="UTC"),
            channel_id=None,
        ),
        snapshot("2026-01-11 01:00", 1, source="a"),  # another day
    )
    found = counted(warehouse, "metrics.video_snapshots")
    a, b = ([found[source][name] for name in COUNTS] for source in "ab")
    assert a == [4, 16, 16, 3, 3, 2, 3, None]
    assert b == [2, 8, 3, 1, 3, 2, 2, None]


def test_a_gap_is_from_the_last_data_of_the_source_and_told_up_to_seven_days(warehouse: Warehouse) -> None:
    put_snapshots(
        warehouse,
        snapshot("2026-01-01 12:00", 1, source="a"),
        snapshot("2026-01-03 00:00", 2, source="a"),
        snapshot("2026-01-10 00:00", 3, source="b"),
        snapshot("2026-01-14 06:00", 4, source="a"),
        snapshot("2026-01-14 23:00", 4, source="b"),
        snapshot("2026-01-15 06:00", 4, source="a"),
    )
    expected = {
        ("a", date(2026, 1, 1)): None,
        ("a", date(2026, 1, 3)): 36,
        ("b", date(2026, 1, 10)): None,
        ("a", date(2026, 1, 14)): 168,
        ("b", date(2026, 1, 14)): 119,
        ("a", date(2026, 1, 15)): 24,
    }
    whole = counted(warehouse, "metrics.video_snapshots", date(2026, 1, 1), date(2026, 1, 15))
    assert {key: row["gap_hours"] for key, row in whole.items()} == expected
    for source, day in expected:
        alone = counted(warehouse, "metrics.video_snapshots", day, day)
        assert alone[source]["gap_hours"] == expected[source, day]


def test_daily_rows_agree_when_made_of_exactly_the_snapshots(warehouse: Warehouse) -> None:
    put_snapshots(
        warehouse,
        snapshot("2026-01-09 01:00", 1_000, **WHOLE),
        snapshot("2026-01-10 01:00", 800, **WHOLE),  # a fall of a fifth
        snapshot("2026-01-10 02:00", 50, video_id=OTHER),
    )
    found = counted(warehouse, "metrics.video_daily")[""]
    assert [found[name] for name in COUNTS] == [2, 8, 6, 1, 2, 2, None, 24]
    with warehouse.transaction() as transaction:  # a reading that the daily row has not seen
        late = snapshots(
            snapshot("2026-01-10 03:00", 60, video_id=OTHER), snapshot("2026-01-10 04:00", 7, video_id="x" * 11)
        )
        transaction.upsert(VIDEO_SNAPSHOTS, late, RUN_ID)
    found = counted(warehouse, "metrics.video_daily")[""]
    assert (found["pairs_compared"], found["pairs_agreeing"]) == (3, 1)


def channel(at: str, channel_id: str = CHANNEL, **columns: Any) -> dict[str, Any]:
    row = {"source": "a", "channel_id": channel_id, "collected_at": pd.Timestamp(at, tz="UTC"), "view_count": 1_000}
    row |= {"subscriber_count": 10, "video_count": 2, "view_definition": "all_at_start", **obtained(at)}
    return {**row, **columns}


def test_channels_are_compared_with_the_sum_of_their_videos(warehouse: Warehouse) -> None:
    put_snapshots(
        warehouse,
        snapshot("2026-01-10 01:00", 600, **WHOLE),
        snapshot("2026-01-10 02:00", 405, video_id=OTHER, **WHOLE),  # 1,005 together
    )
    put(
        warehouse,
        CHANNEL_SNAPSHOTS,
        channel("2026-01-09 01:00"),
        channel("2026-01-10 02:00"),
        channel("2026-01-10 02:00:30"),
        channel("2026-01-10 03:00", source="b", view_count=990, subscriber_count=None),
        channel("2026-01-10 04:00", source="b", channel_id="UC" + "b" * 22, subscriber_count=2_000_000_000),
    )
    found = counted(warehouse, "metrics.channel_snapshots")
    a, b = ([found[source][name] for name in COUNTS] for source in "ab")
    assert a == [2, 6, 6, 2, 1, 1, 1, 25]
    assert b == [2, 6, 5, 1, 1, 0, 2, None]


def reported(day: str, end: float | None, gained: float | None, **columns: Any) -> dict[str, Any]:
    """A row of `metrics.channel_daily`."""
    row = {"channel_id": CHANNEL, "day": pd.Timestamp(day), "view_count": end, "view_increment": gained}
    row |= {"subscriber_count": 10.0, "subscriber_increment": 0.0, "tracked_video_count": 0, "is_final": True}
    return {**row, "revenue_assumptions": "none", "basis": "readings", "tracked_basis": "readings", **columns}


def test_reports_of_channels_go_on_from_the_day_before(warehouse: Warehouse) -> None:
    of_videos = {"tracked_video_count": 1, "tracked_view_increment": 10.0, "engagement_rate": 0.1}
    put(
        warehouse,
        CHANNEL_DAILY,
        reported("2026-01-01", 1_000, None),
        reported("2026-01-09", 1_100, 50, **of_videos, tracked_like_increment=1.0, tracked_comment_increment=0.0),
        reported("2026-01-09", 500, None, channel_id="UC" + "b" * 22),
        reported("2026-01-10", 1_160, 60, growth_rate=0.05),
        reported("2026-01-10", 400, -100, channel_id="UC" + "b" * 22, growth_rate=-0.2),  # a fall of a fifth
        reported("2026-01-10", 700, 5, channel_id="UC" + "c" * 22),  # no day before
        reported(  # of a channel that is known by its videos alone, and their likes are hidden
            "2026-01-10", None, None, **of_videos, channel_id="UC" + "d" * 22, subscriber_count=None,
            subscriber_increment=None,
        ),
    )  # fmt: skip
    found = counted(warehouse, "metrics.channel_daily")[""]
    assert [found[name] for name in COUNTS] == [4, 9, 7, 3, 2, 2, None, 24]
    before = counted(warehouse, "metrics.channel_daily", date(2026, 1, 9), date(2026, 1, 9))[""]
    assert (before["values_expected"], before["values_known"], before["gap_hours"]) == (7, 6, 168)
    put(warehouse, CHANNEL_DAILY, reported("2026-01-09", 1_105, 55))  # made again, and the day after it was not
    found = counted(warehouse, "metrics.channel_daily")[""]
    assert (found["pairs_compared"], found["pairs_agreeing"]) == (2, 1)


def test_versions_name_the_channel_of_the_readings(warehouse: Warehouse) -> None:
    put_snapshots(warehouse, snapshot("2026-01-10 01:00", 600), snapshot("2026-01-10 02:00", 405, video_id=OTHER))
    known = {"source": "a", "published_at": pd.Timestamp("2026-01-01", tz="UTC"), "category_id": "1"}
    at = "2026-01-10 05:00"
    version = {
        **known,
        **obtained(at),
        "title": "T",
        "duration_seconds": 60,
        "collected_at": pd.Timestamp(at, tz="UTC"),
    }
    put(
        warehouse,
        VIDEO_VERSIONS,
        {**version, "video_id": VIDEO, "channel_id": CHANNEL},
        {**version, "video_id": OTHER, "channel_id": "UC" + "b" * 22, "title": "T" * 101, "duration_seconds": None},
    )
    found = counted(warehouse, "metrics.video_versions")["a"]
    assert [found[name] for name in COUNTS] == [2, 10, 9, 1, 2, 1, 2, None]


def test_replies_are_compared_with_their_threads(warehouse: Warehouse) -> None:
    thread, lone = "A" * 20, "B" * 20

    def comment(comment_id: str, written: str, **columns: Any) -> dict[str, Any]:
        at = pd.Timestamp(written, tz="UTC")
        row = {"comment_id": comment_id, "video_id": VIDEO, "text": "Hello", "published_at": at, "updated_at": at}
        obtained_at = {"collected_at": pd.Timestamp("2026-01-10 05:00", tz="UTC"), **obtained("2026-01-10 05:00")}
        return {**row, "author_channel_id": CHANNEL, "like_count": 0, "source": "a", **obtained_at, **columns}

    put(
        warehouse,
        COMMENTS,
        comment(thread, "2026-01-05"),
        comment(lone, "2026-01-05"),  # the same again
        comment(f"{thread}.aaaaaaaaaa", "2026-01-06", parent_id=thread),
        comment(f"{thread}.bbbbbbbbbb", "2026-01-04", parent_id=thread, like_count=None),  # before its thread
        comment("C" * 20, "2026-01-11", author_channel_id=None),  # after it was collected
    )
    found = counted(warehouse, "metrics.comments")["a"]
    assert [found[name] for name in COUNTS] == [5, 15, 13, 4, 2, 1, 4, None]


def test_rows_of_several_days_are_those_of_each_day(warehouse: Warehouse) -> None:
    put_snapshots(
        warehouse,
        *(
            snapshot(f"2026-01-{day:02} 0{hour}:00", 100 + day, source=source, **WHOLE)
            for day in (1, 2, 4, 5)
            for hour, source in enumerate("ab")
        ),
    )
    first, last = date(2026, 1, 1), date(2026, 1, 5)
    together = score(warehouse, first, last)
    for day in Window(first, last).days:
        score(warehouse, day, day)
    assert score(warehouse, last, last) == together
    assert {row["score"] for row in together} == {100, 96.25}  # snapshots after a gap of 48 hours
    assert len(together) == 4 * 3


def test_a_day_of_nothing_but_refused_rows_is_an_error_and_a_day_of_nothing_has_no_row(warehouse: Warehouse) -> None:
    refuse(warehouse, "metrics.video_snapshots", "a", 3)
    refuse(warehouse, "features.video_day", "", 3)  # not scored
    refuse(warehouse, "metrics.video_snapshots", "a", 3, date(2026, 1, 20))
    (row,) = score(warehouse, date(2026, 1, 9), DAY)
    assert (row["day"], row["table_name"], row["source"]) == (DAY, "metrics.video_snapshots", "a")
    assert (row["score"], row["validity"], row["status"]) == (0, 0, "error")
    assert (row["row_count"], row["reject_count"], row["accuracy"]) == (0, 3, None)


def scored(warehouse: Warehouse, day: date, **scores: float) -> None:
    """Scores of `metrics.comments` by source, as if made."""
    rows = [
        {
            "day": pd.Timestamp(day),
            "table_name": "metrics.comments",
            "source": source,
            "score": value,
            "status": "error" if value < 70 else "warning" if value < 85 else "ok",
            "accuracy": value,
            "row_count": 1,
            "reject_count": 0,
        }
        for source, value in scores.items()
    ]
    put(warehouse, QUALITY_SCORES, *rows)


def told(warehouse: Warehouse) -> dict[str, tuple[str, int]]:
    alert_on_quality(warehouse, NOW)
    return {alert["subject"]: (alert["severity"], alert["occurrence_count"]) for alert in open_alerts(warehouse)}


def test_an_alert_lives_as_long_as_the_newest_score_is_low(warehouse: Warehouse) -> None:
    assert told(warehouse) == {}
    scored(warehouse, date(2026, 1, 1), api=80.0, other=99.0)
    assert told(warehouse) == {"metrics.comments (api)": ("warning", 1)}
    scored(warehouse, date(2026, 1, 2), api=60.0, other=99.0)
    assert told(warehouse) == {"metrics.comments (api)": ("error", 2)}
    assert "accuracy 60.0" in open_alerts(warehouse)[0]["message"]
    scored(warehouse, date(2026, 1, 3), api=85.0, other=70.0)
    assert told(warehouse) == {"metrics.comments (other)": ("warning", 1)}
    scored(warehouse, date(2026, 1, 9), api=90.0)  # the other source is still recent
    assert told(warehouse) == {"metrics.comments (other)": ("warning", 1)}
    scored(warehouse, date(2026, 1, 10), api=90.0)  # and now is silent for a week
    assert told(warehouse) == {}
    assert [row["source"] for row in newest_scores(warehouse)] == ["api"]
