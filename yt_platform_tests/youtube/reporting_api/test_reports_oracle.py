"""Values between readings against the same rules written out reading by reading, on generated series with gaps."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from yt_platform.metrics.interpolation import channel_daily
from yt_platform.metrics.readings import video_hourly
from yt_platform.metrics.revenue import RevenueRates
from yt_platform.metrics.tables import CHANNEL_DAILY, CHANNEL_SNAPSHOTS, VIDEO_HOURLY, VIDEO_WINDOWS
from yt_platform.metrics.windows import LATENESS, SLIDING, SUB_DAILY_HOURS, video_windows
from yt_platform.tables.times import REACH_DAYS
from yt_platform_tests.frames import CHANNEL, accepted, snapshot, snapshots

FIRST, LAST = pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-08")
RATES = RevenueRates()
NO_CHANNELS = accepted(CHANNEL_SNAPSHOTS, pd.DataFrame(columns=CHANNEL_SNAPSHOTS.column_names))


def generated(videos: int, readings: int, seed: int) -> pd.DataFrame:
    """Readings at irregular instants of the 30 days around the window; some counts hidden, some videos young."""
    random = np.random.default_rng(seed)
    rows = []
    for video in range(videos):
        minutes = np.sort(random.choice(30 * 1440, readings, replace=False))
        published = pd.Timestamp("2026-02-15", tz="UTC") + timedelta(
            minutes=int(minutes[0]) - int(random.integers(1, 999))
        )
        for minute, views in zip(minutes, np.cumsum(random.integers(-3, 40, readings)) + 100, strict=True):
            rows.append(
                snapshot(
                    str(pd.Timestamp("2026-02-15") + timedelta(minutes=int(minute))),
                    int(views),
                    video_id=f"video_{video:05d}",
                    channel_id="UC" + str(video % 2) * 22,
                    published_at=published,
                    like_count=None if video % 3 == 0 else int(views // 9),
                )
            )
    return snapshots(*rows)


def hourly_of(frame: pd.DataFrame) -> pd.DataFrame:
    begin, end = FIRST - timedelta(days=REACH_DAYS), LAST + timedelta(days=REACH_DAYS)
    return accepted(VIDEO_HOURLY, video_hourly(frame, begin, end))


def gains(*rows: dict[str, Any]) -> pd.DataFrame:
    """What owners' reports say: of CHANNEL on 2026-03-04, but for what a row says."""
    every = {"channel_id": CHANNEL, "day": pd.Timestamp("2026-03-04"), "view_increment": 70.0}
    every |= {"subscriber_increment": -2.0, "tracked_video_count": 3, "tracked_view_increment": 70.0}
    every |= {"tracked_like_increment": 7.0, "tracked_comment_increment": 0.0}
    return pd.DataFrame([{**every, **row} for row in rows], columns=list(every)).astype({"day": "datetime64[ns]"})


NO_REPORTS = gains()


def daily_of(
    hourly: pd.DataFrame, channels: pd.DataFrame = NO_CHANNELS, reported: pd.DataFrame = NO_REPORTS
) -> pd.DataFrame:
    found = channel_daily(hourly, channels, reported, RATES, FIRST, LAST)
    return accepted(CHANNEL_DAILY, found).set_index(["channel_id", "day"])


def at_midnight(readings: list[Any], midnight: pd.Timestamp, count: str) -> tuple[float | None, bool]:
    """The count of one video at a midnight, and whether it is final, by the rule as it is written."""
    known = [reading for reading in readings if pd.notna(getattr(reading, count))]
    reach = timedelta(days=REACH_DAYS)
    old = [reading for reading in known if timedelta(0) <= midnight - reading.collected_at <= reach]
    new = [reading for reading in known if timedelta(0) < reading.collected_at - midnight < reach]
    if old and new:
        a, b = old[-1], new[0]
        share = (midnight - a.collected_at) / (b.collected_at - a.collected_at)
        return getattr(a, count) + share * (getattr(b, count) - getattr(a, count)), True
    if old and midnight - old[-1].collected_at <= timedelta(days=1):
        return getattr(old[-1], count), False
    later = [reading for reading in readings if timedelta(0) < reading.collected_at - midnight < reach]
    if not old and later and midnight <= later[0].published_at:
        return 0.0, True
    return None, False


def test_days_of_channels_are_sums_of_their_videos_between_midnights() -> None:
    """Against the rule video by video and midnight by midnight."""
    hourly = hourly_of(generated(12, 25, seed=3))
    found = daily_of(hourly)
    checked = 0
    for channel in hourly["channel_id"].unique():
        for day in pd.date_range(FIRST, LAST):
            begin, end = day.tz_localize("UTC"), day.tz_localize("UTC") + timedelta(days=1)
            gained: dict[str, list[float]] = {"view": [], "like": []}
            final = True
            for _, video in hourly[hourly["channel_id"] == channel].groupby("video_id"):
                readings = list(video.sort_values("collected_at").itertuples())
                for name, values in gained.items():
                    (old, old_final), (new, new_final) = (
                        at_midnight(readings, at, f"{name}_count") for at in (begin, end)
                    )
                    if old is not None and new is not None:
                        values.append(new - old)
                        final &= old_final and new_final
            if gained["view"]:
                row = found.loc[(channel, day)]
                checked += 1
                assert row["tracked_video_count"] == len(gained["view"])
                assert row["tracked_view_increment"] == pytest.approx(sum(gained["view"]))
                assert bool(row["is_final"]) == final
                if gained["like"]:
                    assert row["tracked_like_increment"] == pytest.approx(sum(gained["like"]))
    assert checked == 14


def test_a_day_turns_final_with_the_next_reading() -> None:
    """By hand: 100 views at noon, 148 at noon the next day: 124 at midnight, of which nothing is known before then."""
    first = snapshot("2026-03-03 12:00", 100, published_at=pd.Timestamp("2026-03-03 06:00", tz="UTC"))
    alone = daily_of(hourly_of(snapshots(first))).loc[(CHANNEL, pd.Timestamp("2026-03-03"))]
    assert (alone["tracked_view_increment"], alone["is_final"]) == (100, False)
    both = daily_of(hourly_of(snapshots(first, snapshot("2026-03-04 12:00", 148, published_at=first["published_at"]))))
    day = both.loc[(CHANNEL, pd.Timestamp("2026-03-03"))]
    assert (day["tracked_view_increment"], day["is_final"]) == (124, True)
    assert not both.loc[(CHANNEL, pd.Timestamp("2026-03-04")), "is_final"]


def test_a_change_of_what_counts_as_a_view_is_never_interpolated() -> None:
    """By hand: the jump of 2026-08-24 would be the channel's best day."""
    readings = snapshots(
        snapshot("2026-03-03 12:00", 100),
        snapshot("2026-03-04 12:00", 110),
        snapshot("2026-03-05 12:00", 900, view_definition="all_at_start"),
        snapshot("2026-03-06 12:00", 910, view_definition="all_at_start"),
    )
    found = daily_of(hourly_of(readings).assign(view_definition=list(readings["view_definition"])))
    assert found["tracked_view_increment"].max() <= 10


def channel_rows(*rows: tuple[str, int, int | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["collected_at", "view_count", "subscriber_count"])
    frame["collected_at"] = pd.to_datetime(frame["collected_at"], utc=True)
    frame = frame.assign(
        source="test",
        channel_id=CHANNEL,
        video_count=3,
        view_definition="shorts_at_start",
        access="import",
        refreshed_at=frame["collected_at"],
    )
    return accepted(CHANNEL_SNAPSHOTS, frame[CHANNEL_SNAPSHOTS.column_names])


def test_totals_rates_and_estimates_by_hand() -> None:
    """24,000 views in a day from 240,000; 6 % engagement: 48 x 1.5 by ads, 7.2 by links, 14 for 14,000 views beyond."""
    channels = channel_rows(("2026-03-03", 240_000, None), ("2026-03-04", 264_000, None), ("2026-03-05", 264_000, None))
    videos = [
        snapshot(f"2026-03-0{day}", views, like_count=views * 6 // 100)
        for day, views in ((3, 0), (4, 10_000), (5, 10_000))
    ]
    row = daily_of(hourly_of(snapshots(*videos)), channels).loc[(CHANNEL, pd.Timestamp("2026-03-03"))]
    assert row["view_increment"] == 24_000
    assert row["growth_rate"] == pytest.approx(0.1)
    assert row["views_per_hour"] == 1_000
    assert row["engagement_rate"] == pytest.approx(0.06)
    assert row["ad_revenue_estimate"] == pytest.approx(48 * 1.5)
    assert row["affiliate_revenue_estimate"] == pytest.approx(7.2)
    assert row["sponsorship_revenue_estimate"] == pytest.approx(14)
    assert np.isnan(row["subscriber_increment"])
    assert row["revenue_assumptions"].startswith("estimate: 2 per 1,000 views")


def test_a_day_without_a_reading_is_what_its_owner_was_reported() -> None:
    """By hand: 100 views were gained on two days, of which nobody was there to read the first; 70 were reported."""
    channels = channel_rows(("2026-03-03 12:00", 1_000, 50), ("2026-03-05 12:00", 1_100, 50))
    videos = snapshots(
        snapshot("2026-03-03 12:00", 500), snapshot("2026-03-04 12:00", 540), snapshot("2026-03-05 12:00", 560)
    )
    other, quiet = "UC" + "b" * 22, {"tracked_video_count": 0, "tracked_view_increment": 0.0}
    reported = gains({}, {"day": pd.Timestamp("2026-03-05"), "view_increment": 9.0}, {"channel_id": other, **quiet})
    found = daily_of(hourly_of(videos), channels, reported)
    days = found.loc[CHANNEL]
    read = daily_of(hourly_of(videos), channels).loc[CHANNEL]
    assert days["basis"].tolist() == ["readings", "report", "readings"]
    assert days["view_increment"].tolist()[1:] == [70, read["view_increment"].iloc[2]]
    assert days["subscriber_increment"].iloc[1] == -2
    assert days["growth_rate"].iloc[1] == pytest.approx(70 / read["view_count"].iloc[0])
    assert days["is_final"].tolist() == [True, False, False]
    assert read["is_final"].tolist() == [True, True, False]
    # its videos were read, and what they gained is known as ever
    assert set(days["tracked_basis"]) == {"readings"}
    assert days["tracked_view_increment"].equals(read["tracked_view_increment"])
    assert days["view_count"].equals(read["view_count"])
    # nothing was ever read of the other
    row = found.loc[(other, pd.Timestamp("2026-03-04"))]
    assert (row["basis"], row["tracked_basis"], row["view_increment"]) == ("report", "report", 70)
    assert (row["tracked_video_count"], row["tracked_like_increment"]) == (0, 7)
    assert np.isnan(row["view_count"])


def test_videos_that_nobody_read_gain_what_was_reported() -> None:
    channels = channel_rows(("2026-03-04 01:00", 1_000, 50), ("2026-03-05 01:00", 1_100, 50))
    videos = snapshots(snapshot("2026-03-03 12:00", 500), snapshot("2026-03-05 12:00", 560))
    day = daily_of(hourly_of(videos), channels, gains({})).loc[(CHANNEL, pd.Timestamp("2026-03-04"))]
    assert (day["basis"], day["tracked_basis"]) == ("readings", "report")
    assert (day["tracked_video_count"], day["tracked_view_increment"], day["engagement_rate"]) == (3, 70, 0.1)


def test_rates_without_a_base_are_unknown() -> None:
    """By hand: 0 or 100 % would be read as a measurement."""
    readings = snapshots(
        snapshot("2026-03-03 01:30", 0, like_count=0, comment_count=0),
        snapshot("2026-03-03 02:30", 8),
        snapshot("2026-03-03 03:30", 16, like_count=4),
    )
    hourly = hourly_of(readings)
    assert hourly["engagement_rate"].isna().tolist() == [True, True, False]
    assert hourly["growth_rate"].isna().tolist() == [True, True, False]
    assert hourly.loc[2, ["engagement_rate", "growth_rate", "views_per_hour"]].tolist() == [0.25, 1.0, 8.0]


def test_hours_hold_the_last_reading_and_no_other() -> None:
    """Against a walk over the readings in order; an hour without one has no row."""
    frame = generated(4, 400, seed=5)
    hourly = hourly_of(frame).set_index(["video_id", "hour"])
    last: dict[tuple[str, pd.Timestamp], Any] = {}
    for reading in frame.sort_values("collected_at").itertuples():
        last[reading.video_id, reading.collected_at.floor("h")] = reading
    inside = {
        key: reading
        for key, reading in last.items()
        if FIRST - timedelta(days=REACH_DAYS) <= key[1].tz_localize(None) < LAST + timedelta(days=REACH_DAYS + 1)
    }
    assert set(hourly.index) == set(inside)
    for (video, hour), reading in inside.items():
        row = hourly.loc[(video, hour)]
        assert row["view_count"] == reading.view_count
        before = last.get((video, hour - timedelta(hours=1)))
        if before is None:
            assert pd.isna(row["view_increment"])
        else:
            assert row["view_increment"] == reading.view_count - before.view_count


def test_windows_hold_every_reading_inside_them() -> None:
    """Against a loop over all windows and readings of two days read every few minutes."""
    random = np.random.default_rng(2)
    minutes = np.sort(random.choice(3 * 1440, 60, replace=False))
    rows = [
        snapshot(str(pd.Timestamp("2026-03-02") + timedelta(minutes=int(minute), seconds=30)), 10 * n + n % 3)
        for n, minute in enumerate(minutes)
    ]
    frame = snapshots(*rows)
    found = accepted(VIDEO_WINDOWS, video_windows(frame, FIRST, FIRST + timedelta(days=1)))
    readings = frame.sort_values("collected_at").assign(gained=lambda rows: rows["view_count"].diff())
    hours = readings["collected_at"].dt.floor("h")
    assert hours.groupby(hours.dt.date).nunique().min() >= SUB_DAILY_HOURS
    watermark = readings["collected_at"].max() - LATENESS
    expected = {}
    for length, step in SLIDING.items():
        for start in pd.date_range(FIRST, FIRST + timedelta(days=2), freq=f"{step}min", inclusive="left", tz="UTC"):
            end = start + timedelta(minutes=length)
            inside = readings[(readings["collected_at"] >= start) & (readings["collected_at"] < end)]
            if len(inside):
                gained = inside["gained"].sum(min_count=1)
                expected[length, start] = (len(inside), None if pd.isna(gained) else int(gained), end <= watermark)
    rows_found = found.astype({"view_increment": object}).replace({pd.NA: None})
    assert expected == {
        (row.window_minutes, row.window_start): (
            row.reading_count,
            None if pd.isna(row.view_increment) else int(row.view_increment),
            row.is_final,
        )
        for row in rows_found.itertuples()
    }


def test_charts_read_once_a_morning_have_no_windows() -> None:
    readings = snapshots(*(snapshot(f"2026-03-03 0{hour}:10", 10 * hour, region=f"R{hour}") for hour in (1, 2, 3)))
    assert video_windows(readings, FIRST, LAST).empty


def test_nothing_read_is_nothing_reported() -> None:
    nothing = snapshots(snapshot("2026-03-03", 1)).iloc[:0]
    assert video_windows(nothing, FIRST, LAST).empty
    assert video_hourly(nothing, FIRST, LAST).empty
    assert daily_of(accepted(VIDEO_HOURLY, video_hourly(nothing, FIRST, LAST))).empty
