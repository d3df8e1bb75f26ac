"""Snapshots to daily and hourly metrics: which reading stands for a day or an hour, and what changed since the one
before. Nothing here looks past the day or hour; values that do are in `metrics/interpolation.py`."""

import pandas as pd

from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_HOURLY
from yt_platform.metrics.view_definition import view_definition
from yt_platform.panel import Floats, floats, ratio

COUNTS = ("view", "like", "comment")
DAY, HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)


def video_daily(snapshots: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """`metrics.video_daily` for the days `first` to `last` (naive midnights, both included).

    `snapshots` are rows of `metrics.video_snapshots` from the day before `first` to `last`, in any order.

    The day's reading of a video is the last known value of each count that day, over all sources and regions:
    readings are taken in the order of `collected_at`; of readings at the same instant the higher count, then the
    alphabetically last source and region, comes last. Counts only rest or grow between corrections, so the last
    reading is the best knowledge of the day. Increments are against the row of the day before, unknown where there
    is none; a negative increment is kept and flagged.
    """
    if snapshots.empty:
        return pd.DataFrame(columns=VIDEO_DAILY.column_names)
    days = snapshots["collected_at"].dt.tz_localize(None).dt.normalize().astype("datetime64[ns]")
    daily = _with_increments(_last_readings(snapshots.assign(day=days), "day"), "day", DAY)
    daily["view_definition"] = view_definition(daily["collected_at"])
    wanted = daily["day"].between(first, last)
    return daily.loc[wanted, VIDEO_DAILY.column_names].reset_index(drop=True)


def video_hourly(snapshots: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """`metrics.video_hourly` for the days `first` to `last` (naive midnights, both included).

    `snapshots` are rows of `metrics.video_snapshots` from the day before `first` to `last`, in any order. The hour's
    reading is chosen as the day's is (`video_daily`); an hour without a reading has no row. Increments are against the
    row of the hour before, `views_per_hour` against the last row of the 24 hours before.
    """
    if snapshots.empty:
        return pd.DataFrame(columns=VIDEO_HOURLY.column_names)
    hours = snapshots["collected_at"].dt.floor("h").astype("datetime64[us, UTC]")
    hourly = _last_readings(snapshots.assign(hour=hours), "hour")
    hourly = _with_increments(hourly, "hour", HOUR)
    hourly["engagement_rate"] = engagement_rate(hourly["view_count"], hourly["like_count"], hourly["comment_count"])
    hourly["growth_rate"] = growth_rate(hourly)
    hourly["views_per_hour"] = _views_per_hour(hourly)
    hourly["view_definition"] = view_definition(hourly["collected_at"])
    wanted = hourly["hour"].dt.tz_localize(None).between(first, last + DAY, inclusive="left")
    found: pd.DataFrame = hourly.loc[wanted, VIDEO_HOURLY.column_names].reset_index(drop=True)
    return found


def growth_rate(counted: pd.DataFrame) -> Floats:
    """`view_increment` over the views before it; unknown where there were none, for no base is no rate."""
    return ratio(floats(counted["view_increment"]), floats(counted["view_count"] - counted["view_increment"]))


def engagement_rate(views: pd.Series, likes: pd.Series, comments: pd.Series) -> Floats:
    """Likes and comments, as far as known, over views; unknown where both are, or where there are no views.

    Shares are part of an owner's reports alone and are not known here.
    """
    known = likes.notna() | comments.notna()
    return ratio(floats((likes.fillna(0) + comments.fillna(0)).where(known)), floats(views))


def _views_per_hour(hourly: pd.DataFrame) -> Floats:
    before = hourly.groupby("video")[["collected_at", "view_count"]].shift()
    hours = (hourly["collected_at"] - before["collected_at"]).dt.total_seconds() / 3600
    return ratio(floats(hourly["view_count"] - before["view_count"]), floats(hours.where(hours <= 24)))


def _last_readings(snapshots: pd.DataFrame, period: str) -> pd.DataFrame:
    ordered = snapshots.sort_values(["collected_at", "view_count", "source", "region"], kind="stable")
    video, video_ids = pd.factorize(ordered["video_id"])
    ordered = ordered.assign(video=video)
    groups = ordered.groupby(["video", period], sort=True)
    known = ["channel_id", "published_at", "collected_at", "view_count", "like_count", "comment_count"]
    # groupby().last() takes the last known value column by column, which is the rule
    found = groups[known].last()
    found["reading_count"] = groups.size()
    found["region_count"] = ordered[ordered["region"] != ""].groupby(["video", period])["region"].nunique()
    found["source_count"] = groups["source"].nunique()
    found = found.reset_index()
    found["region_count"] = found["region_count"].fillna(0).astype("Int64")
    found["video_id"] = pd.Series(video_ids.take(found["video"].to_numpy()), dtype=snapshots["video_id"].dtype)
    return found


def _with_increments(readings: pd.DataFrame, period: str, step: pd.Timedelta) -> pd.DataFrame:
    """`readings` sorted by video and period."""
    adjacent = (readings["video"].shift() == readings["video"]) & (readings[period].shift() == readings[period] - step)
    for count in COUNTS:
        increment = (readings[f"{count}_count"] - readings[f"{count}_count"].shift()).where(adjacent)
        readings[f"{count}_increment"] = increment
        readings[f"{count}_count_fell"] = (increment < 0).fillna(False).astype(bool)
    return readings
