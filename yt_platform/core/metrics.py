"""Snapshots to daily metrics: which reading stands for a day, and what changed since the day before."""

import pandas as pd

from yt_platform.core.schemas.metrics import VIDEO_DAILY
from yt_platform.core.view_definition import view_definition

COUNTS = ("view", "like", "comment")


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
    daily = _last_readings(snapshots)
    daily = _with_increments(daily)
    daily["view_definition"] = view_definition(daily["collected_at"])
    wanted = daily["day"].between(first, last)
    return daily.loc[wanted, VIDEO_DAILY.column_names].reset_index(drop=True)


def _last_readings(snapshots: pd.DataFrame) -> pd.DataFrame:
    ordered = snapshots.sort_values(["collected_at", "view_count", "source", "region"], kind="stable")
    ordered = ordered.assign(day=ordered["collected_at"].dt.tz_localize(None).dt.normalize().astype("datetime64[ns]"))
    video, video_ids = pd.factorize(ordered["video_id"])
    ordered = ordered.assign(video=video)
    groups = ordered.groupby(["video", "day"], sort=True)
    known = ["channel_id", "published_at", "collected_at", "view_count", "like_count", "comment_count"]
    # groupby().last() takes the last known value column by column, which is the rule
    daily = groups[known].last()
    daily["reading_count"] = groups.size()
    daily["region_count"] = ordered[ordered["region"] != ""].groupby(["video", "day"])["region"].nunique()
    daily["source_count"] = groups["source"].nunique()
    daily = daily.reset_index()
    daily["region_count"] = daily["region_count"].fillna(0).astype("Int64")
    daily["video_id"] = pd.Series(video_ids.take(daily["video"].to_numpy()), dtype=snapshots["video_id"].dtype)
    return daily


def _with_increments(daily: pd.DataFrame) -> pd.DataFrame:
    """`daily` sorted by video and day."""
    day_before = (daily["video"].shift() == daily["video"]) & (
        daily["day"].shift() == daily["day"] - pd.Timedelta(days=1)
    )
    for count in COUNTS:
        increment = (daily[f"{count}_count"] - daily[f"{count}_count"].shift()).where(day_before)
        daily[f"{count}_increment"] = increment
        daily[f"{count}_count_fell"] = (increment < 0).fillna(False).astype(bool)
    return daily
