"""Readings of counters as series of steps: what a count gained from one reading to the next, and over how long.

Belongs here: order, elapsed time, rates, and windows of the steps before a reading. What is unusual about a step is
judged in `monitoring/anomalies.py`. A change of what counts as a view begins a new series, as no step spans it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.metrics.view_definition import ALL_FORMATS_CHANGE, SHORTS_CHANGE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]

HOUR = 3_600_000_000
"""Microseconds, in which instants are counted."""

REGIME_BEGINS = np.array([SHORTS_CHANGE.value, ALL_FORMATS_CHANGE.value]) // 1000

BLOCK = 50_000
"""Windows laid out at once: 40 MB of a hundred samples each."""


@dataclass(frozen=True)
class Resolution:
    """How often series of a kind are read, and how far back they are looked at.

    `hours` is the unit of rates. A step shorter than `shortest` hours counts as that long, as counters are refreshed in
    jumps; one longer than `longest` hours is unknown, so that what is loaded stays bounded.
    """

    name: str
    hours: float
    lookback_days: int
    shortest: float
    longest: float

    @property
    def loaded_days(self) -> int:
        """Days before the first judged one whose readings are needed: the lookback may begin a step earlier, at the
        reading at which a counter got stuck, and begin in the middle of a step."""
        return self.lookback_days + 2 * int(np.ceil(self.longest / 24)) + 1


HOURLY = Resolution("hourly", hours=1, lookback_days=7, shortest=0.5, longest=24)
DAILY = Resolution("daily", hours=24, lookback_days=100, shortest=6, longest=8 * 24)
"""Quiet videos are read weekly (`youtube/data_api/polling.py`)."""


@dataclass(frozen=True)
class Steps:
    """Readings in the order of video and time, one element of each array per reading.

    `row` is the reading's position in the frame it came from; `first` the position here of its series' first reading;
    `at` microseconds since 1970; `hours` the time since the reading before; `increment` and `rate` (per unit of the
    resolution) what was gained in it. Unknown is NaN.
    """

    resolution: Resolution
    row: Rows
    series: Ints
    regime: Ints
    first: Rows
    at: Ints
    count: Floats
    hours: Floats
    increment: Floats
    rate: Floats

    @cached_property
    def _key(self) -> Ints:
        """Series and second in one ascending number."""
        return self.series * (1 << 33) + self.at // 1_000_000  # 33 bits are 272 years of seconds

    def window_begins(self, at: Rows, width: int) -> Rows:
        """The first of the `width` readings before each position that its series and the lookback reach."""
        lookback = self.resolution.lookback_days * 24 * 3600
        return np.maximum(np.maximum(at - width, self.first[at]), np.searchsorted(self._key, self._key[at] - lookback))

    def read_within(self, hours: int) -> Ints:
        """Readings of the same series in so many hours up to each reading, itself included."""
        return np.arange(len(self._key)) - np.searchsorted(self._key, self._key - hours * 3600, side="right") + 1

    def window(self, values: Floats, at: Rows, width: int) -> Floats:
        """`values` of the `width` readings before each position, newest first, shaped (at, width); NaN out of reach."""
        before = at[:, None] - np.arange(1, width + 1)
        return np.where(before >= self.window_begins(at, width)[:, None], values[np.maximum(before, 0)], np.nan)

    def nearest(self, at: Rows, hours_before: float, within: float) -> Rows:
        """The reading of the same series closest to so many hours before each position; -1 where none is `within`."""
        key = self._key
        sought = key[at] - np.int64(hours_before * 3600)
        after = np.searchsorted(key, sought).clip(1, len(key) - 1)
        found = np.where(sought - key[after - 1] <= key[after] - sought, after - 1, after)
        return np.where(np.abs(key[found] - sought) <= within * 3600, found, -1)


def steps(readings: pd.DataFrame, count: str, resolution: Resolution) -> Steps:
    """Steps of the column `count` of `readings`: video_id, collected_at and the count, at most one row per instant."""
    known = np.flatnonzero(readings[count].notna().to_numpy())
    kept = readings[["video_id", "collected_at", count]].iloc[known]
    video = pd.factorize(kept["video_id"])[0].astype(np.int64)
    at = kept["collected_at"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    order = np.lexsort((at, video))
    regime = np.searchsorted(REGIME_BEGINS, at, side="right")[order]
    series = video[order] * (len(REGIME_BEGINS) + 1) + regime
    at, counts = at[order], kept[count].to_numpy(np.float64)[order]
    begins = np.append(True, series[1:] != series[:-1])[: len(series)]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(series)), 0))
    hours = np.where(begins, np.nan, np.diff(at, prepend=0) / HOUR)
    hours = np.where(hours <= resolution.longest, hours, np.nan)
    increment = np.where(np.isnan(hours), np.nan, np.diff(counts, prepend=np.nan))
    rate = increment / np.maximum(hours, resolution.shortest) * resolution.hours
    return Steps(resolution, known[order], series, regime, first, at, counts, hours, increment, rate)


def medians(windows: Floats) -> tuple[Floats, Ints]:
    """The median of each row's known values, NaN where there is none, and how many are known."""
    ordered = np.sort(windows, axis=1)  # NaN come last
    known = (~np.isnan(ordered)).sum(axis=1)
    rows = np.arange(len(ordered))
    upper, lower = np.minimum(known // 2, ordered.shape[1] - 1), np.maximum(known - 1, 0) // 2
    return (ordered[rows, lower] + ordered[rows, upper]) / 2, known
