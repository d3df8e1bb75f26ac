"""Sliding windows over the readings of channels that are read many times a day.

A reading tells what its video gained since the reading before, at the instant it was taken, where that was in the 24
hours before. A window of a channel sums what the readings inside it tell, so an hour without a reading is an hour
without a window, not a quiet one.

Late readings: a day's windows are made anew whenever a batch of that day or the next arrives. `is_final` says that the
watermark, the newest reading of these days less `LATENESS`, has passed the window's end, after which no collection adds
to it.

A window depends on readings from the day before its begin's to the day after alone: a day's rows are the same however
days are grouped into calls.
"""

import numpy as np
import pandas as pd

from yt_platform.metrics.tables import VIDEO_WINDOWS

SLIDING = {5: 1, 60: 60}
"""Minutes of a window, and minutes from one window's begin to the next one's."""

SUB_DAILY_HOURS = 4
"""A video belongs to a sub-daily series on days on which it was read in so many hours: charts of several countries show
a video twice or three times in a morning."""

LATENESS = pd.Timedelta(hours=2)
"""An hourly collection that failed is made up for by the next one."""

_DAY = pd.Timedelta(days=1)


def video_windows(snapshots: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """`metrics.video_windows` that begin on the days `first` to `last` (naive midnights, both included).

    `snapshots` are rows of `metrics.video_snapshots` from the day before `first` to the day after `last`, in any order.
    """
    readings = _increments(_sub_daily(snapshots))
    by_length = [_windows(readings, minutes, step) for minutes, step in SLIDING.items()]
    windows = pd.concat(by_length, ignore_index=True)
    begins = windows["window_start"].dt.tz_localize(None)
    windows = windows[begins.between(first, last + _DAY, inclusive="left")]
    ends = windows["window_start"] + pd.to_timedelta(windows["window_minutes"], unit="min")
    windows = windows.assign(is_final=ends <= _watermarks(snapshots, windows["window_start"]))
    found: pd.DataFrame = windows.reset_index(drop=True).reindex(columns=VIDEO_WINDOWS.column_names)
    return found


def _watermarks(snapshots: pd.DataFrame, starts: pd.Series) -> pd.Series:
    """For each begin of a window the newest reading of its day and the next, less `LATENESS`."""
    newest = snapshots.groupby(snapshots["collected_at"].dt.floor("D"))["collected_at"].max()
    days = starts.dt.floor("D")
    found: pd.Series = (days + _DAY).map(newest).fillna(days.map(newest)) - LATENESS
    return found


def _sub_daily(snapshots: pd.DataFrame) -> pd.DataFrame:
    known = snapshots[snapshots["channel_id"].notna()]
    hour = known["collected_at"].dt.floor("h")
    hours = hour.groupby([known["video_id"], hour.dt.floor("D")]).transform("nunique")
    sub_daily: pd.DataFrame = known[hours >= SUB_DAILY_HOURS]
    return sub_daily


def _increments(readings: pd.DataFrame) -> pd.DataFrame:
    """Readings with what each gained since the one before of its video; the first in 24 hours tells nothing.

    Two readings of the same instant are one, the higher, then the alphabetically last source and region.
    """
    ordered = readings.sort_values(["video_id", "collected_at", "view_count", "source", "region"], kind="stable")
    ordered = ordered.drop_duplicates(["video_id", "collected_at"], keep="last")
    by_video = ordered.groupby(["video_id", "view_definition"], sort=False)
    near = by_video["collected_at"].diff() <= _DAY
    gained = {f"{name}_increment": by_video[f"{name}_count"].diff().where(near) for name in ("view", "like", "comment")}
    return ordered.assign(**gained)


def _windows(readings: pd.DataFrame, minutes: int, step: int) -> pd.DataFrame:
    """Every window of one length that holds a reading."""
    newest = readings["collected_at"].dt.floor(f"{step}min")
    copies = minutes // step
    spread = readings.loc[readings.index.repeat(copies)]
    back = np.tile(np.arange(copies), len(readings)) * step
    start = newest.repeat(copies).to_numpy("datetime64[us]") - back * np.timedelta64(1, "m")
    spread = spread.assign(window_start=pd.DatetimeIndex(start, tz="UTC").as_unit("us"))
    groups = spread.groupby(["channel_id", "window_start"])
    sums = groups[["view_increment", "like_increment", "comment_increment"]].sum(min_count=1)
    found = sums.assign(reading_count=groups.size(), video_count=groups["video_id"].nunique(), window_minutes=minutes)
    return found.reset_index()
