"""The rule of the day's reading, case by case; the oracle in SQL covers the bulk."""

import pandas as pd

from yt_platform.metrics.readings import video_daily
from yt_platform_tests.frames import CHANNEL, snapshot, snapshots


def daily(*rows: dict[str, object], first: str = "2026-01-01", last: str = "2026-01-31") -> pd.DataFrame:
    return video_daily(snapshots(*rows), pd.Timestamp(first), pd.Timestamp(last))


def test_the_last_reading_stands_for_the_day() -> None:
    found = daily(snapshot("2026-01-02 03:00", 10, region="FR"), snapshot("2026-01-02 05:00", 12, region="DE"))
    assert found["view_count"].tolist() == [12]
    assert found[["reading_count", "region_count", "source_count"]].to_numpy().tolist() == [[2, 2, 1]]


def test_each_count_is_the_last_known_one() -> None:
    found = daily(
        snapshot("2026-01-02 03:00", 10, like_count=4, likes_known=True, source="a"),
        snapshot("2026-01-02 05:00", 12, source="b"),
    )
    assert found["view_count"].tolist() == [12]
    assert found["like_count"].tolist() == [4]
    assert found["comment_count"].isna().all()
    assert found["source_count"].tolist() == [2]


def test_readings_of_one_instant_take_the_higher_count_whatever_their_order() -> None:
    rows = [snapshot("2026-01-02 03:00", 12, region="FR"), snapshot("2026-01-02 03:00", 10, region="DE")]
    assert daily(*rows)["view_count"].tolist() == daily(*rows[::-1])["view_count"].tolist() == [12]


def test_days_are_utc_days() -> None:
    found = daily(snapshot("2026-01-02 23:59:59.999999", 10), snapshot("2026-01-03 00:00", 11))
    assert found["day"].dt.strftime("%Y-%m-%d").tolist() == ["2026-01-02", "2026-01-03"]


def test_increments_need_the_day_before() -> None:
    found = daily(snapshot("2026-01-02", 10), snapshot("2026-01-03", 15), snapshot("2026-01-05", 40))
    assert found["view_increment"].tolist() == [pd.NA, 5, pd.NA]


def test_counts_that_fall_are_kept_and_flagged() -> None:
    found = daily(snapshot("2026-01-02", 10), snapshot("2026-01-03", 7))
    assert found["view_count"].tolist() == [10, 7]
    assert found["view_increment"].tolist() == [pd.NA, -3]
    assert found["view_count_fell"].tolist() == [False, True]
    assert found["like_count_fell"].tolist() == [False, False]


def test_the_day_before_the_window_is_read_and_not_returned() -> None:
    found = daily(snapshot("2026-01-02", 10), snapshot("2026-01-03", 15), first="2026-01-03")
    assert found["view_increment"].tolist() == [5]


def test_videos_do_not_mix() -> None:
    found = daily(snapshot("2026-01-02", 10), snapshot("2026-01-03", 99, video_id="other_video"))
    assert found["view_increment"].isna().all()
    assert found["channel_id"].tolist() == [CHANNEL, CHANNEL]


def test_no_snapshots_no_rows() -> None:
    assert video_daily(
        snapshots(snapshot("2026-01-02", 1)).iloc[:0], pd.Timestamp("2026-01-02"), pd.Timestamp("2026-01-02")
    ).empty
