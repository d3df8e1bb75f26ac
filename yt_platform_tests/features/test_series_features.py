"""Features of hours and of channels as of their origin: what must not change them, and small histories by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.channels import build_channel_day
from yt_platform.features.hours import build_video_hour
from yt_platform.features.tables import CHANNEL_DAY, CHANNEL_DAY_FEATURES, VIDEO_HOUR, VIDEO_HOUR_FEATURES
from yt_platform.metrics.readings import video_hourly
from yt_platform.metrics.tables import VIDEO_HOURLY
from yt_platform.tables.declaration import Table
from yt_platform.tables.times import HOURS_DAYS, LOOKBACK_DAYS
from yt_platform_tests.forecasting import generated
from yt_platform_tests.frames import CHANNEL, accepted, snapshot, snapshots

DAYS = 36
FIRST, LAST = generated.FIRST, generated.FIRST + pd.Timedelta(days=DAYS - 1)

Build = Callable[[pd.DataFrame, pd.Timestamp, pd.Timestamp], pd.DataFrame]


def hours_of(read: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Features of hours from snapshots, through `metrics.video_hourly`."""
    hourly = accepted(VIDEO_HOURLY, video_hourly(read, first - pd.Timedelta(days=HOURS_DAYS), last))
    return build_video_hour(hourly, first, last)


EITHER = pytest.mark.parametrize(
    ("read", "build", "time", "lookback"),
    [
        pytest.param(generated.read_hourly(8, DAYS), hours_of, "hour", HOURS_DAYS, id="hours"),
        pytest.param(generated.channel_snapshots(12, DAYS), build_channel_day, "day", LOOKBACK_DAYS, id="channels"),
    ],
)


@EITHER
def test_the_future_changes_nothing(read: pd.DataFrame, build: Build, time: str, lookback: int) -> None:
    """On the frame, for every column: a feature that sees past its origin wins every backtest and fails in use."""
    end = FIRST + pd.Timedelta(days=20, hours=13 if time == "hour" else 0)
    later = read["collected_at"].dt.tz_localize(None) >= end
    other = read[later].sample(frac=0.8, random_state=1)
    for column in [name for name in read if name.endswith("_count")]:
        other[column] = other[column].sample(frac=1, random_state=2).array

    before, after = (build(frame, FIRST, LAST) for frame in (read, pd.concat([other, read[~later]])))
    known = [(frame[time] < end.tz_localize(frame[time].dt.tz)) for frame in (before, after)]
    assert known[0].sum() > 200
    assert not before[~known[0]].reset_index(drop=True).equals(after[~known[1]].reset_index(drop=True))
    pd.testing.assert_frame_equal(
        after[known[1]].reset_index(drop=True), before[known[0]].reset_index(drop=True), check_exact=True
    )


@EITHER
def test_days_one_by_one_are_the_days_at_once(read: pd.DataFrame, build: Build, time: str, lookback: int) -> None:
    """On the frame, bit for bit: a backfill and daily runs must leave the same rows."""
    at_once = build(read, FIRST, LAST)
    day = read["collected_at"].dt.tz_localize(None).dt.normalize()
    parts = []
    for origin in pd.date_range(FIRST, LAST):
        taken = read[day.between(origin - pd.Timedelta(days=lookback), origin)]
        parts.append(build(taken.sample(frac=1, random_state=1), origin, origin))
    one_by_one = pd.concat(parts).sort_values(list(at_once.columns[:2]), ignore_index=True)
    pd.testing.assert_frame_equal(one_by_one, at_once, check_exact=True)


@pytest.mark.parametrize(
    ("table", "features", "names"),
    [
        pytest.param(VIDEO_HOUR, hours_of(generated.read_hourly(8, 9), FIRST, LAST), VIDEO_HOUR_FEATURES, id="hours"),
        pytest.param(
            CHANNEL_DAY,
            build_channel_day(generated.channel_snapshots(12, DAYS), FIRST, LAST),
            CHANNEL_DAY_FEATURES,
            id="channels",
        ),
    ],
)
def test_every_feature_keeps_its_contract_and_is_known_somewhere(
    table: Table, features: pd.DataFrame, names: tuple[str, ...]
) -> None:
    """On the frame: a column that is never known, or out of its range, would be quarantined or ignored in silence."""
    known = accepted(table, features)[list(names)].notna().any()
    assert known.all(), known[~known].index.tolist()


def hours(*rows: dict[str, object]) -> pd.DataFrame:
    frame = hours_of(snapshots(*rows), pd.Timestamp("2026-03-01"), pd.Timestamp("2026-03-31"))
    return accepted(VIDEO_HOUR, frame).set_index("hour")


def test_an_hour_counts_by_its_last_reading_and_only_beside_one_in_the_hour_before() -> None:
    """By hand: 12:00 follows a gap, so what was gained since 10:30 is no hour's."""
    found = hours(
        snapshot("2026-03-01T09:10", 100),
        snapshot("2026-03-01T10:05", 130),
        snapshot("2026-03-01T10:30", 150),
        snapshot("2026-03-01T12:20", 400),
        snapshot("2026-03-01T13:20", 460),
    )
    assert [f"{hour:%H:%M}" for hour in found.index] == ["10:00", "13:00"]
    assert found["view_increment"].tolist() == [50, 60]
    assert found["view_rate_lag_0"].tolist() == pytest.approx([50 / (80 / 60), 60])
    assert found["view_rate_span_3h"].isna().tolist() == [True, False]
    assert found["view_rate_span_3h"].iloc[1] == pytest.approx((460 - 150) / (170 / 60))
    assert found["reading_minute"].tolist() == [30, 20]
    assert found["hours_observed_in_a_row"].tolist() == [2, 2]


def test_a_video_read_once_a_day_has_no_hours() -> None:
    """By hand: two regional charts read on either side of midnight days apart are no hourly series."""
    assert hours(*(snapshot(f"2026-03-{day:02d}T05:00", 100 * day) for day in range(1, 9))).empty


def test_a_change_of_what_counts_as_a_view_is_not_growth() -> None:
    """By hand: at midnight of 2026-08-24 every count may jump."""
    rows = [
        snapshot("2026-08-23T22:30", 100),
        snapshot("2026-08-23T23:30", 110),
        snapshot("2026-08-24T00:30", 900, view_definition="all_at_start"),
        snapshot("2026-08-24T01:30", 905, view_definition="all_at_start"),
    ]
    found = hours_of(snapshots(*rows), pd.Timestamp("2026-08-23"), pd.Timestamp("2026-08-24"))
    assert found["view_increment"].tolist() == [10, 5]
    assert found["view_rate_span_2h"].isna().all()


def channels(*views: int | None) -> pd.DataFrame:
    """Features of a channel read at noon from 2026-03-01, None for a day without a reading."""
    days = pd.date_range("2026-03-01T12:00", periods=len(views), tz="UTC")
    rows = pd.DataFrame(
        {
            "source": "test",
            "channel_id": CHANNEL,
            "collected_at": days,
            "subscriber_count": 10,
            "view_count": pd.array(views, dtype="Int64"),
            "video_count": range(len(views)),
            "view_definition": "shorts_at_start",
        }
    )
    frame = build_channel_day(rows[rows["view_count"].notna()], pd.Timestamp("2026-03-01"), pd.Timestamp("2026-04-30"))
    return accepted(CHANNEL_DAY, frame).set_index("day")


def test_gains_of_a_channel() -> None:
    """By hand: over a gap the increment is unknown, and what was gained since a week ago is not."""
    found = channels(100, 300, None, None, 900, 1000, None, 1500, 1600)
    assert found["view_increment"].isna().tolist() == [True, False, True, False, True, False]
    assert found["view_increment"].dropna().tolist() == [200, 100, 100]
    assert found["view_rate_span_7d"].tolist()[-2:] == pytest.approx([200.0, 1300 / 7])
    assert found["videos_gained_7d"].iloc[-1] == 7
    assert found["days_observed"].tolist() == [1, 2, 3, 4, 5, 6]


def test_nothing_read_makes_no_rows() -> None:
    """On both: a platform that follows no channels and reads once a day."""
    assert accepted(VIDEO_HOUR, hours_of(generated.read_hourly(2, 2).iloc[:0], FIRST, LAST)).empty
    assert accepted(CHANNEL_DAY, build_channel_day(generated.channel_snapshots(2, 2).iloc[:0], FIRST, LAST)).empty


def test_a_channel_of_a_billion_views_a_day() -> None:
    """By hand: sums of this size must stay exact."""
    found = channels(*(10**9 * day for day in range(1, 6)))
    assert found["view_increment"].tolist()[1:] == [10**9] * 4
    assert np.isfinite(found["view_growth"].iloc[1:]).all()
