"""The plan and what is due: pure functions, held against the arithmetic they are to follow."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt_platform.policy import first_kept
from yt_platform.youtube.data_api.polling import (
    COMMENTS_AT_LEAST,
    IDS_PER_CALL,
    Purpose,
    Setback,
    due,
    due_comments,
    due_metadata,
    due_stats,
    plan,
    retry_after,
    stats_intervals,
)
from yt_platform.youtube.data_api.quota import Bucket

NOW = pd.Timestamp("2026-03-02 12:00", tz="UTC")
ALLOWED = {Bucket.DEFAULT: 9_000, Bucket.STATS: 9_000}


def videos(count: int, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"video_id": [f"v{number:06}" for number in range(count)]})
    times = dict.fromkeys(
        ("published_at", "metadata_polled_at", "stats_polled_at", "comments_polled_at", "unreturned_at"),
        pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns, UTC]"),
    )
    frame = frame.assign(**times, views_per_day=np.nan).assign(**columns)
    return frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in times})


def test_the_plan_of_250_channels_is_the_arithmetic_of_the_facts() -> None:
    """Channels 5, uploads 3,000, new metadata 10 and re-checks 67, comments 1,500; counts 2,000 in their own bucket."""
    found = plan(250, 100_000, 500, ALLOWED)
    units = {share.purpose: share.units for share in found.shares}
    assert units[Purpose.CHANNELS] == 5
    assert units[Purpose.UPLOADS] == 3_000
    assert 77 <= units[Purpose.METADATA] <= 94
    assert units[Purpose.COMMENTS] == 1_500
    assert units[Purpose.STATS] == 2_000
    assert sum(share.units for share in found.shares if share.bucket is Bucket.DEFAULT) <= 1.05 * 4_600


@settings(deadline=None)
@given(
    st.integers(0, 20_000),
    st.integers(0, 2_000_000),
    st.floats(0, 50_000),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
)
def test_no_plan_spends_more_than_is_allowed(channels: int, tracked: int, new: float, shared: int, stats: int) -> None:
    found = plan(channels, tracked, new, {Bucket.DEFAULT: shared, Bucket.STATS: stats})
    for bucket, allowed in ((Bucket.DEFAULT, shared), (Bucket.STATS, stats)):
        assert 0 <= sum(share.units for share in found.shares if share.bucket is bucket) <= allowed
    assert timedelta(hours=2) <= found.uploads_every <= timedelta(days=30)


def test_comments_of_channels_just_added_are_caught_up_with() -> None:
    assert plan(5, 300, 1, ALLOWED).units(Purpose.COMMENTS) == COMMENTS_AT_LEAST


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_readings_a_day_stay_within_the_share_while_there_are_quiet_videos(seed: int) -> None:
    random = np.random.default_rng(seed)
    age = random.uniform(0, 400, 5_000)
    frame = videos(
        5_000,
        published_at=NOW - pd.to_timedelta(age, unit="D"),
        views_per_day=random.lognormal(3, 3, 5_000),
    )
    interval = stats_intervals(frame, NOW, 5_000 / IDS_PER_CALL)
    readings = (timedelta(days=1) / interval).sum()
    assert readings <= 5_000 + 1
    assert (interval[age < 1] == timedelta(hours=1)).all()
    assert (interval[(age >= 1) & (age < 30)] <= timedelta(days=1)).all()
    weekly, daily = interval == timedelta(days=7), interval == timedelta(days=1)
    if weekly.any():
        settled_daily = frame.loc[daily & (age >= 30), "views_per_day"]
        assert frame.loc[weekly, "views_per_day"].max() <= settled_daily.min()


def test_what_is_most_overdue_comes_first_and_calls_are_filled_up() -> None:
    polled = NOW - pd.to_timedelta(np.linspace(0.1, 3, 120), unit="D")
    frame = videos(120, published_at=NOW - timedelta(days=100), stats_polled_at=polled, views_per_day=5.0)
    found = due_stats(frame, NOW, 1_000)
    overdue = int((NOW - polled >= timedelta(hours=23, minutes=50)).sum())
    assert overdue == 83
    assert len(found) == 100
    assert list(found["video_id"]) == list(frame["video_id"])[::-1][:100]
    assert due_stats(frame.assign(stats_polled_at=NOW), NOW, 1_000).empty
    assert due_stats(frame.iloc[:0], NOW, 1_000).empty


def test_metadata_is_read_when_new_before_it_is_deleted_and_weekly_of_what_is_gone() -> None:
    age = [np.nan, 1, 25, 27, 28, 31, 3, 8]
    gone = [False] * 6 + [True] * 2
    frame = videos(
        8,
        metadata_polled_at=NOW - pd.to_timedelta(age, unit="D"),
        unreturned_at=pd.Series(NOW, index=range(8)).where(gone),
    )
    found = set(due_metadata(frame, NOW)["video_id"])
    assert found == {"v000000", "v000003", "v000004", "v000005", "v000007"}  # 27 days old: there is room in the call
    full = pd.concat([frame.iloc[[3]], videos(50).assign(video_id=[f"n{number}" for number in range(50)])])
    assert "v000003" not in set(due_metadata(full.reset_index(drop=True), NOW)["video_id"])


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_metadata_is_read_again_on_the_last_day_before_it_is_deleted(hour: int) -> None:
    """It was once due 29 days later to the hour, and gone since that day began: tables lacked it for up to a day."""
    polled = NOW.floor("D") + timedelta(hours=hour)
    frame = videos(1, metadata_polled_at=polled, unreturned_at=pd.NaT)
    [last_day] = [
        day
        for day in pd.date_range(NOW.floor("D"), periods=40)
        if first_kept(day.date()) == polled.date() < first_kept(day.date() + timedelta(days=1))
    ]
    for now in (last_day, last_day + timedelta(hours=23)):
        assert len(due_metadata(frame, now)) == 1
    assert due_metadata(frame, last_day - timedelta(minutes=1)).empty


@pytest.mark.parametrize(
    ("age_days", "polled_age_days", "is_due"),
    [(0.5, None, False), (1, None, True), (2, 1.1, False), (3.1, 1.1, True), (6, 3.1, False), (7.2, 3.1, True),
     (20, 7.5, False), (20, None, True), (40, None, False)],
)  # fmt: skip
def test_comments_are_read_at_1_3_and_7_days(age_days: float, polled_age_days: float | None, is_due: bool) -> None:
    published = NOW - timedelta(days=age_days)
    polled = published + timedelta(days=polled_age_days) if polled_age_days is not None else pd.NaT
    assert len(due_comments(videos(1, published_at=published, comments_polled_at=polled), NOW)) == is_due


def test_comments_never_read_come_first_then_those_read_longest_ago() -> None:
    """With the newest always first, the readings at seven days were never made where the units did not suffice."""
    published = [NOW - timedelta(days=days) for days in (7, 3, 1, 2)]
    polled = [NOW - timedelta(days=4), NOW - timedelta(days=2), pd.NaT, pd.NaT]
    found = due_comments(videos(4, published_at=published, comments_polled_at=polled), NOW)
    assert list(found["video_id"]) == ["v000002", "v000003", "v000000", "v000001"]


def test_a_poll_is_due_ten_minutes_early_as_hourly_runs_jitter() -> None:
    polled = pd.Series([NOW - timedelta(minutes=49), NOW - timedelta(minutes=51), pd.NaT])
    assert due(polled, timedelta(hours=1), NOW).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("setback", "reason", "hours"),
    [
        (Setback.REFUSED, "forbidden", [24, 48, 96, 192, 384, 672, 672]),
        (Setback.REFUSED, "playlistNotFound", [24, 24, 24]),  # a channel gets its playlist with its first upload
        (Setback.CUT_SHORT, "invalidPageToken", [2, 4, 8, 16, 32]),
        (Setback.FAILED, "HTTP 500", [0, 1, 3, 7, 15, 24, 24]),
    ],
)
def test_an_item_is_asked_for_later_and_later(setback: Setback, reason: str, hours: list[int]) -> None:
    found = [retry_after(setback, reason, times) / timedelta(hours=1) for times in range(1, len(hours) + 1)]
    assert found == hours
    assert retry_after(setback, reason, 10_000) <= timedelta(days=28)
