"""What channels gained from midnight to midnight, for reports: values interpolated between irregular readings.

Such values use readings of later days, so no feature may read them: features are in `core/features.py`, and read
`metrics.video_daily`.

The count at a midnight lies on the straight line between the last reading up to it and the first after it, where both
are at most `REACH_DAYS` away. Before the first reading of a video it is 0 at midnights before publication and unknown
later. At the midnight that ends the day of the last reading it is that reading, and the day is not final: the next
reading changes it. Readings with different definitions of a view are never joined by a line.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.core.lineage import REACH_DAYS
from yt_platform.core.metrics import engagement_rate, growth_rate
from yt_platform.core.revenue import RevenueRates, revenue_estimates
from yt_platform.core.schemas.base import TEXT
from yt_platform.core.schemas.metrics import CHANNEL_DAILY

_DAY = pd.Timedelta(days=1)
_DAY_MS = 86_400_000


def channel_daily(
    hourly: pd.DataFrame, channels: pd.DataFrame, rates: RevenueRates, first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    """`metrics.channel_daily` for the days `first` to `last` (naive midnights, both included).

    `hourly` are rows of `metrics.video_hourly`, `channels` of `metrics.channel_snapshots`, both from `REACH_DAYS`
    before `first` to as many after `last`, in any order.
    """
    days = pd.date_range(first, last)
    rows = _of_channels(channels, days).merge(_of_tracked_videos(hourly, days), on=["channel_id", "day"], how="outer")
    if rows.empty:
        return pd.DataFrame(columns=CHANNEL_DAILY.column_names)
    rows["tracked_video_count"] = rows["tracked_video_count"].fillna(0).astype("Int64")
    finals = rows[["is_final", "tracked_final"]].astype("boolean")
    rows["is_final"] = finals.fillna(True).all(axis="columns")
    return _with_rates(rows, rates)[CHANNEL_DAILY.column_names]


def _of_channels(channels: pd.DataFrame, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Totals of each channel at the day's end, and what it gained, by channel and day."""
    unborn = channels.rename(columns={"channel_id": "series"}).assign(
        published_at=pd.Series(pd.NaT, channels.index, "datetime64[us, UTC]")
    )
    gained = _gained(unborn, {"view": "view_count", "subscriber": "subscriber_count"}, days)
    groups = gained.groupby(["series", "day"])  # two rows on a day on which the definition of a view changes
    found = groups[["view_count", "subscriber_count"]].last()
    found[["view_increment", "subscriber_increment"]] = groups[["view_increment", "subscriber_increment"]].sum(
        min_count=1
    )
    return found.assign(is_final=groups["is_final"].all()).rename_axis(["channel_id", "day"]).reset_index()


def _of_tracked_videos(hourly: pd.DataFrame, days: pd.DatetimeIndex) -> pd.DataFrame:
    """What the videos of each channel gained, by channel and day."""
    known = hourly[hourly["channel_id"].notna()]
    counts = {name: f"{name}_count" for name in ("view", "like", "comment")}
    gained = _gained(known.rename(columns={"video_id": "series"}), counts, days)
    channel_of = known.drop_duplicates("video_id", keep="last").set_index("video_id")["channel_id"]
    gained = gained[gained["view_increment"].notna()].assign(channel_id=gained["series"].map(channel_of).astype(TEXT))
    groups = gained.groupby(["channel_id", "day"])
    # min_count: a sum of nothing known is unknown, not 0
    found = groups[["view_increment", "like_increment", "comment_increment"]].sum(min_count=1).add_prefix("tracked_")
    return found.assign(tracked_video_count=groups.size(), tracked_final=groups["is_final"].all()).reset_index()


def _gained(readings: pd.DataFrame, counts: dict[str, str], days: pd.DatetimeIndex) -> pd.DataFrame:
    """By series and day: each count at the day's end and what was gained, and whether that is final.

    Only days at whose end something is known. `readings`: `series`, `collected_at`, `published_at`,
    `view_definition`, and the columns of `counts`.
    """
    ordered = readings.sort_values(["series", "view_definition", "collected_at"], kind="stable", ignore_index=True)
    number = ordered.groupby(["series", "view_definition"], sort=False).ngroup().to_numpy().astype(np.int64)
    first_of = ordered[np.diff(number, prepend=-1) != 0]
    midnights = _Midnights(ordered, number, first_of, pd.DatetimeIndex([*days, days[-1] + _DAY]))
    found: dict[str, npt.NDArray[np.float64]] = {}
    final = np.ones((len(first_of), len(days)), dtype=bool)
    for name, column in counts.items():
        at, certain = midnights.of(column)
        gained = np.diff(at, axis=1)
        found[column], found[f"{name}_increment"] = at[:, 1:].ravel(), gained.ravel()
        final &= np.isnan(at[:, 1:]) | (certain[:, 1:] & (certain[:, :-1] | np.isnan(at[:, :-1])))
    frame = pd.DataFrame(
        {
            "series": first_of["series"].repeat(len(days)).array,
            "day": np.tile(days.to_numpy("datetime64[ns]"), len(first_of)),
            **found,
            "is_final": final.ravel(),
        }
    )
    return frame[frame[list(counts.values())].notna().any(axis="columns")]


class _Midnights:
    """Counts of series at midnights; times are milliseconds since the first of all, series numbers from 0."""

    def __init__(
        self,
        ordered: pd.DataFrame,
        number: npt.NDArray[np.int64],
        first_of: pd.DataFrame,
        midnights: pd.DatetimeIndex,
    ) -> None:
        self._ordered, self._number = ordered, number
        times, self._asked = _milliseconds(ordered["collected_at"]), _milliseconds(midnights.to_series())
        self._begin = min(times.min(initial=self._asked[0]), self._asked[0])
        self._span = max(times.max(initial=0), self._asked[-1]) - self._begin + 1
        self._times = times
        born = first_of["published_at"]
        self._born = np.where(born.isna(), self._begin - 1, _milliseconds(born.fillna(midnights[0].tz_localize("UTC"))))

    def of(self, column: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """The column of every series (rows) at every midnight (columns), and whether no later reading changes it."""
        known = self._ordered[column].notna().to_numpy()
        values = np.append(self._ordered.loc[known, column].to_numpy("float64"), np.nan)
        key = self._number[known] * self._span + self._times[known] - self._begin
        asked = np.arange(len(self._born))[:, None] * self._span + (self._asked - self._begin)
        after = np.searchsorted(key, asked, side="right")
        padded = np.append(key, np.iinfo("int64").max)
        since = asked - np.where(after > 0, padded[after - 1], np.iinfo("int64").min // 2)
        until = padded[after] - asked
        # a neighbour further than the span is another series'
        mine, theirs = asked // self._span, padded[after] // self._span
        has_old = (after > 0) & (padded[after - 1] // self._span == mine) & (since <= REACH_DAYS * _DAY_MS)
        has_new = (theirs == mine) & (until <= REACH_DAYS * _DAY_MS)
        old, new = values[after - 1], values[after]
        share = since / np.where(has_old & has_new, since + until, 1)
        at = np.where(has_old & has_new, old + (new - old) * share, np.nan)
        last = has_old & ~has_new & (since <= _DAY_MS)
        unborn = ~has_old & (self._asked <= self._born[:, None])
        at = np.where(last, old, np.where(unborn, 0.0, at))
        return at, (has_old & has_new) | unborn


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
        growth_rate=growth_rate(rows),
        views_per_hour=rows["view_increment"] / 24,
    ).join(revenue_estimates(views, engagement, rates))
