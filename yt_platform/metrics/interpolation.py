"""What channels gained from midnight to midnight, for reporting: values interpolated between irregular readings.

Such values use readings of later days, so no feature may read them: features are in `features/videos.py`, and read
`metrics.video_daily`.

The count at a midnight lies on the straight line between the last reading up to it and the first after it, where both
are in reach: at most `REACH_DAYS` before it, and less than that after it. Where no reading before it is in reach, it is
0 when the next one that tells the publication says that it was later, and unknown otherwise. At the midnight that ends
the day of the last reading it is that reading, and the day is not final: the next reading changes it. Readings with
different definitions of a view are never joined by a line.

On a day on which a channel was not read at all, as its bucket of quota was spent, say, its gains are those of its
owner's bulk report where there is one; so are those of its videos on a day on which none of them was read. What such
a day counts from is the Pacific day of the same date. Totals at its end stay interpolated, and so do the gains of the
days beside it: only gains of readings add up to the totals.

Reach is counted from each midnight, whatever else is known: a day's rows are the same however days are grouped into
calls.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.metrics.readings import engagement_rate, growth_rate
from yt_platform.metrics.revenue import RevenueRates, revenue_estimates
from yt_platform.metrics.tables import CHANNEL_DAILY, READINGS, REPORT
from yt_platform.tables.times import REACH_DAYS

_DAY = pd.Timedelta(days=1)
_DAY_MS = 86_400_000
_REACH_MS = REACH_DAYS * _DAY_MS

_SERIES = ["channel_id", "video_id", "view_definition"]
_GAINS = ["view_increment", "subscriber_increment"]
_TRACKED_GAINS = ["tracked_video_count", *(f"tracked_{name}_increment" for name in ("view", "like", "comment"))]


def channel_daily(
    hourly: pd.DataFrame,
    channels: pd.DataFrame,
    reported: pd.DataFrame,
    rates: RevenueRates,
    first: pd.Timestamp,
    last: pd.Timestamp,
) -> pd.DataFrame:
    """`metrics.channel_daily` for the days `first` to `last` (naive midnights, both included).

    `hourly` are rows of `metrics.video_hourly`, `channels` of `metrics.channel_snapshots`, both from `REACH_DAYS`
    before `first` to as many after `last`, in any order; `reported` are gains by owners' reports, one row per channel
    and day from `first` to `last`, in columns of the table.
    """
    days, key = pd.date_range(first, last), ["channel_id", "day"]
    rows = _of_channels(channels, days).merge(_of_tracked_videos(hourly, days), on=key, how="outer").set_index(key)
    reported = reported.set_index(key)
    rows = rows.reindex(rows.index.union(reported.index))
    if rows.empty:
        return pd.DataFrame(columns=CHANNEL_DAILY.column_names)
    rows["view_count_before"] = rows["view_count"] - rows["view_increment"]
    for basis, gains, readings in (("basis", _GAINS, channels), ("tracked_basis", _TRACKED_GAINS, hourly)):
        unread = reported.index.difference(_days_read(readings, reported))
        rows[basis] = READINGS
        rows.loc[unread, basis] = REPORT
        rows.loc[unread, gains] = reported.loc[unread, gains].astype("float64")
    rows["tracked_video_count"] = rows["tracked_video_count"].fillna(0).astype("Int64")
    finals = rows[["is_final", "tracked_final"]].astype("boolean").fillna(True)
    read = rows[["basis", "tracked_basis"]] == READINGS
    rows["is_final"] = finals.all(axis="columns") & read.all(axis="columns")
    return _with_rates(rows.reset_index(), rates)[CHANNEL_DAILY.column_names]


def _days_read(readings: pd.DataFrame, reported: pd.DataFrame) -> pd.MultiIndex:
    """Channels and days of readings, as far as channels are `reported`."""
    of = readings[readings["channel_id"].isin(reported.index.get_level_values("channel_id"))]
    days = of["collected_at"].dt.tz_localize(None).dt.normalize().astype("datetime64[ns]")
    return pd.MultiIndex.from_arrays([of["channel_id"], days], names=["channel_id", "day"]).unique()


def _of_channels(channels: pd.DataFrame, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Totals of each channel at the day's end, and what it gained, by channel and day."""
    readings = channels.sort_values("source", kind="stable").assign(
        video_id="", published_at=pd.Series(pd.NaT, channels.index, "datetime64[us, UTC]")
    )
    gained = _gained(readings, {"view": "view_count", "subscriber": "subscriber_count"}, days)
    groups = gained.groupby(["channel_id", "day"])  # two rows on a day on which the definition of a view changes
    found = groups[["view_count", "subscriber_count"]].last()
    found[["view_increment", "subscriber_increment"]] = groups[["view_increment", "subscriber_increment"]].sum(
        min_count=1
    )
    return found.assign(is_final=groups["is_final"].all()).reset_index()


def _of_tracked_videos(hourly: pd.DataFrame, days: pd.DatetimeIndex) -> pd.DataFrame:
    """What the videos of each channel gained, by channel and day."""
    counts = {name: f"{name}_count" for name in ("view", "like", "comment")}
    gained = _gained(hourly[hourly["channel_id"].notna()], counts, days)
    groups = gained[gained["view_increment"].notna()].groupby(["channel_id", "day"])
    # min_count: a sum of nothing known is unknown, not 0
    found = groups[["view_increment", "like_increment", "comment_increment"]].sum(min_count=1).add_prefix("tracked_")
    return found.assign(tracked_video_count=groups.size(), tracked_final=groups["is_final"].all()).reset_index()


def _gained(readings: pd.DataFrame, counts: dict[str, str], days: pd.DatetimeIndex) -> pd.DataFrame:
    """By series and day: each count at the day's end and what was gained, and whether that is final.

    Only days at whose end something is known. `readings`: `channel_id`, `video_id`, `view_definition`, `collected_at`,
    `published_at`, and the columns of `counts`.
    """
    ordered = readings.sort_values([*_SERIES, "collected_at"], kind="stable", ignore_index=True)
    number = ordered.groupby(_SERIES, sort=False).ngroup().to_numpy().astype(np.int64)
    first_of = ordered[np.diff(number, prepend=-1) != 0]
    midnights = _Midnights(ordered, number, pd.DatetimeIndex([*days, days[-1] + _DAY]))
    found: dict[str, npt.NDArray[np.float64]] = {}
    final = np.ones((len(first_of), len(days)), dtype=bool)
    for name, column in counts.items():
        at, certain = midnights.of(column)
        gained = np.diff(at, axis=1)
        found[column], found[f"{name}_increment"] = at[:, 1:].ravel(), gained.ravel()
        final &= np.isnan(at[:, 1:]) | (certain[:, 1:] & (certain[:, :-1] | np.isnan(at[:, :-1])))
    frame = pd.DataFrame(
        {
            "channel_id": first_of["channel_id"].repeat(len(days)).array,
            "day": np.tile(days.to_numpy("datetime64[ns]"), len(first_of)),
            **found,
            "is_final": final.ravel(),
        }
    )
    return frame[frame[list(counts.values())].notna().any(axis="columns")]


class _Midnights:
    """Counts of series at midnights: arrays of series, numbered from 0, by midnight."""

    def __init__(self, ordered: pd.DataFrame, number: npt.NDArray[np.int64], midnights: pd.DatetimeIndex) -> None:
        times, asked = _milliseconds(ordered["collected_at"]), _milliseconds(midnights.to_series())
        begin = min(times.min(initial=asked[0]), asked[0])
        # one ascending number for series and time, in which another series is out of reach
        span = max(times.max(initial=asked[-1]), asked[-1]) - begin + _REACH_MS + 1
        self._ordered = ordered
        self._key = np.append(number * span + times - begin, 0)
        self._asked = np.arange(number.max(initial=-1) + 1)[:, None] * span + asked - begin
        told = ordered["published_at"].notna().to_numpy()
        born = np.append(_milliseconds(ordered["published_at"].where(told, ordered["collected_at"])), 0)
        _, after = self._neighbours(told)
        self._unborn = (after >= 0) & (asked <= born[after])

    def of(self, column: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The column of every series (rows) at every midnight (columns), and whether no later reading changes it."""
        values = np.append(self._ordered[column].to_numpy("float64", na_value=np.nan), np.nan)
        before, after = self._neighbours(self._ordered[column].notna().to_numpy())
        since, between = self._asked - self._key[before], self._key[after] - self._key[before]
        joined = (before >= 0) & (after >= 0)
        line = values[before] + (values[after] - values[before]) * (since / np.where(joined, between, 1))
        last = (before >= 0) & (after < 0) & (since <= _DAY_MS)
        unborn = (before < 0) & self._unborn
        at = np.select([joined, last, unborn], [line, values[before], np.zeros(since.shape)], np.nan)
        return at, joined | unborn

    def _neighbours(self, known: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Of the known readings the last up to each midnight and the first after it, by position; -1 where none is in
        reach."""
        rows = np.append(np.flatnonzero(known), -1)
        place = np.searchsorted(self._key[rows[:-1]], self._asked, side="right")
        before, after = rows[place - 1], rows[place]
        return (
            np.where(self._asked - self._key[before] <= _REACH_MS, before, -1),
            np.where(self._key[after] - self._asked < _REACH_MS, after, -1),
        )


def _milliseconds(times: pd.Series) -> npt.NDArray[np.int64]:
    naive = times.dt.tz_localize(None) if times.dt.tz else times
    found: npt.NDArray[np.int64] = naive.to_numpy("datetime64[ms]").astype("int64")
    return found


def _with_rates(rows: pd.DataFrame, rates: RevenueRates) -> pd.DataFrame:
    engagement = engagement_rate(
        rows["tracked_view_increment"], rows["tracked_like_increment"], rows["tracked_comment_increment"]
    )
    views = rows["view_increment"].fillna(rows["tracked_view_increment"])
    return rows.assign(
        engagement_rate=engagement,
        growth_rate=growth_rate(rows.assign(view_count=rows["view_count_before"] + rows["view_increment"])),
        views_per_hour=rows["view_increment"] / 24,
    ).join(revenue_estimates(views, engagement, rates))
