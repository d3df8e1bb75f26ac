"""Anomalies put into readings of counters, and where: shared by the benchmark and the tests of the detectors.

Sites are drawn from the readings alone, by rules that know nothing of the detectors: a video with enough readings
before and after, on which something happens at all. Each video gets one anomaly; what it gained elsewhere it keeps.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

SETTLED_DAYS = 3
"""Days a reversal lasts on each side, and a reading needs before it."""
MOVING = 10
"""Views per step around a site, at least: one of fewer has no typical change to speak of."""


@dataclass(frozen=True)
class Site:
    """A place in one video's readings: its counts and times in days, and the position to begin at."""

    counts: Floats
    days: Floats
    position: int

    @property
    def gains(self) -> Floats:
        """What each reading but the first gained."""
        return np.diff(self.counts)

    @property
    def rates(self) -> Floats:
        return self.gains / np.diff(self.days)

    def around(self, steps: int) -> Floats:
        """Rates of the steps around the site, the site's own among them."""
        return self.rates[max(self.position - 1 - steps, 0) : self.position + steps]


Change = Callable[[Site, np.random.Generator], tuple[Floats, int]]
"""New counts, and the last position at which the anomaly may be found."""


def spike(site: Site, random: np.random.Generator) -> tuple[Floats, int]:
    """A step of 5 to 20 times the typical change: the mean rate of the two steps before it and the two after."""
    own = site.position - 1
    typical = np.delete(site.rates, own)[max(own - 2, 0) : own + 2].mean()
    gained = typical * (site.days[site.position] - site.days[own]) * random.uniform(5, 20)
    return _shifted(site, gained - site.gains[own]), site.position


def stuck(site: Site, _: np.random.Generator) -> tuple[Floats, int]:
    """No change for 24 hours; then the counter is where it would have been."""
    counts = site.counts.copy()
    end = int(np.searchsorted(site.days, site.days[site.position] + 1))
    counts[site.position : end + 1] = counts[site.position]
    return counts, end + 1


def fall(site: Site, random: np.random.Generator) -> tuple[Floats, int]:
    """A count 2 to 10 % below the one before it; what comes after is counted on from there."""
    before = site.counts[site.position - 1]
    return _shifted(site, -site.gains[site.position - 1] - before * random.uniform(0.02, 0.10)), site.position


def reversal(site: Site, random: np.random.Generator) -> tuple[Floats, int]:
    """A trend of a factor of 3 to 10 in two days that turns into its opposite, for three days on each side.

    What varies around the median of a day, or of three daily steps, stays as it was.
    """
    middle = (site.days[1:] + site.days[:-1]) / 2
    away = np.abs(middle - middle[site.position - 1])
    within = away <= SETTLED_DAYS
    smooth = pd.Series(site.rates).rolling(max(_per_day(site), 3), center=True, min_periods=1).median().to_numpy()
    level = smooth[site.position - 1] * random.uniform(3, 10) ** (random.choice([-1, 1]) * away / 2)
    varied = np.divide(site.rates, smooth, out=np.ones(len(smooth)), where=smooth > 0)
    rates = np.where(within, np.maximum(varied, 0) * level, site.rates)
    counts = site.counts[0] + np.append(0, np.cumsum(rates * np.diff(site.days)))
    return np.round(counts), int(np.flatnonzero(within).max()) + 1


def _per_day(site: Site) -> int:
    return round(1 / np.median(np.diff(site.days)))


def _shifted(site: Site, by: float) -> Floats:
    """Counts from the site on, moved."""
    counts = site.counts.copy()
    counts[site.position :] += np.round(by)
    return counts


INJECTIONS: dict[str, Change] = {"spike": spike, "stuck": stuck, "fall": fall, "reversal": reversal}


def inject(
    readings: pd.DataFrame, kind: str, days_before: float, random: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Readings with one anomaly in each video that has a place for it, and the places: video_id, begin, end.

    `readings` has video_id, collected_at and view_count; a site has `days_before` days of readings before it.
    """
    changed, places = [], []
    for video_id, series in readings.sort_values(["video_id", "collected_at"]).groupby("video_id", sort=False):
        site = _draw(series, kind, days_before, random)
        if site is None:
            continue
        counts, end = INJECTIONS[kind](site, random)
        changed.append(pd.Series(counts, index=series.index))
        times = series["collected_at"].to_numpy()
        begin = max(site.position - 1, 0) if kind == "reversal" else site.position
        places.append((video_id, times[begin], times[min(end, len(times) - 1)]))
    counts = readings["view_count"].astype("float64")
    if changed:
        counts.update(pd.concat(changed))
    places_frame = pd.DataFrame(places, columns=["video_id", "begin", "end"])
    for name in ("begin", "end"):
        places_frame[name] = pd.to_datetime(places_frame[name], utc=True)
    return readings.assign(view_count=counts.astype("Int64")), places_frame


def _draw(series: pd.DataFrame, kind: str, days_before: float, random: np.random.Generator) -> Site | None:
    """A place for the anomaly in a video's readings; None where there is none."""
    days = (series["collected_at"] - series["collected_at"].iloc[0]).dt.total_seconds().to_numpy() / 86400
    counts = series["view_count"].to_numpy(np.float64)
    after = SETTLED_DAYS if kind == "reversal" else 1.2
    possible = np.flatnonzero((days >= days_before) & (days <= days[-1] - after))
    possible = possible[possible > 0]
    random.shuffle(possible)
    for position in possible[:20]:
        site = Site(counts, days, int(position))
        if _fits(site, kind):
            return site
    return None


def _fits(site: Site, kind: str) -> bool:
    """Whether the video moves around the site, is read without gaps, and has only risen where that is asked."""
    near = np.abs(site.days - site.days[site.position]) <= SETTLED_DAYS
    lengths = np.diff(site.days[near])
    regular = len(lengths) > 0 and lengths.max() <= 1.25
    usual = np.median(site.around(3)) * np.median(np.diff(site.days))
    if kind == "stuck":
        earlier = site.gains[: site.position][-100:]
        return bool(regular and usual >= MOVING and (earlier > 0).all())
    return bool(regular and usual >= MOVING)
