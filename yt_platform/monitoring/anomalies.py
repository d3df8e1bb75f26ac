"""What is unusual about a reading of a counter: one function per kind, each with its rule of severity.

Belongs here: the kinds, their limits, and the rows of `ops.anomalies`. Series and their steps are `metrics/steps.py`'s;
whether anybody is told is not decided here. A kind is judged from a bounded past, so that a day's cost does not grow
with history and a day's rows are the same however days are grouped into calls.

Counts are judged on the scale 2 sqrt(x + 3/8), on which the noise of a count is 1 whatever its size (Anscombe,
Biometrika 35, 1948): a video with three views an hour and one with a million have the same limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.metrics.steps import BLOCK, DAILY, HOUR, HOURLY, Floats, Resolution, Rows, Steps, medians, steps
from yt_platform.monitoring.tables import ANOMALIES, ANOMALY_SEVERITIES

WINDOW = 100
MIN_SAMPLES = 30
FEW_STEPS, MANY_STEPS = 3, 24
STEEPEST_DECAY = 0.7  # of one step
LEAST_TYPICAL = 1.0
"""View per step: a spike may follow a step without any."""

READINGS_A_DAY = 5
"""Hours with a reading in 24, up to which a reading is not one of an hourly series: charts of several countries read
a video in two hours of one collection."""

STUCK_HOURS = 23
"""24 hours less the one by which an hourly reading may be early."""
ALWAYS_MOVED = 0.95
MIN_MOVES = 3
LEG_DAYS = 2
LARGEST_STEP_BACK = 0.25
"""Of a leg, on one of its days: noise, and a turn in the middle of a day."""
NEAR_HOURS = {HOURLY.name: 3.0, DAILY.name: 12.0}
"""How far a reading may be from the whole number of days before: the hour of a daily collection varies."""
REPEATED_WITHIN_HOURS = 36
"""A reversal goes on being seen for a while; it is told once."""
NOISE = 3
"""Standard deviations of a count's noise that a change must exceed as well."""
FEW_VIEWS = 10
"""Views a day added before rates are compared as ratios."""
PEER_DAYS, MIN_PEERS = 7, 30
AGE_LIMITS_HOURS = (6, 12, 24, 36, 48, 72, 96, 120, 168, 336, 672, 2160)
MIN_PEER_SPREAD = 0.1
"""Of the log of relative growth: 10 %."""
MIN_GROWTH_VIEWS = 1000

LIMITS: dict[str, tuple[float, float, float]] = {
    "zscore": (3, 5, 8),
    "spike": (5, 10, 20),
    "reversal": (2, 3, 6),
    "stuck": (20, 1_000, 100_000),
    "fall": (0, 0.5, 2),
    "growth": (1.5, 3, 6),
    "same_age": (4, 6, 8),
}
"""Scores from which an anomaly of a kind is low, medium and high."""

RESPONSE_FALL_LIMITS = (1, 5, 20)
"""Per cent of likes or comments: people take back likes, and creators delete comments."""


@dataclass(frozen=True)
class Findings:
    """Readings of a kind, by position in the steps: what was seen, what was to be expected, and the score."""

    at: Rows
    observed: Floats
    expected: Floats
    score: Floats

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Findings":
        return Findings(self.at[chosen], self.observed[chosen], self.expected[chosen], self.score[chosen])


def zscores(series: Steps, judged: Rows) -> Findings:
    """Rates more than 3 robust standard deviations from the median of the 100 steps before, of at least 30.

    The score is (x - median) / (1.4826 MAD), the modified z-score (Iglewicz and Hoaglin, How to Detect and Handle
    Outliers, 1993), on the Anscombe scale, where a deviation is at least the noise of a count.
    """
    judged = long_enough(series, judged)
    values = _stable(series.rate)
    median, deviation = np.empty(len(judged)), np.empty(len(judged))
    for begin in range(0, len(judged), BLOCK):
        block = slice(begin, begin + BLOCK)
        window = series.window(values, judged[block], WINDOW)
        median[block] = medians(window)[0]
        deviation[block] = medians(np.abs(window - median[block][:, None]))[0]
    score = (values[judged] - median) / np.maximum(1.4826 * deviation, 1.0)
    expected = np.maximum((median / 2) ** 2 - 3 / 8, 0)
    return Findings(judged, series.rate[judged], expected, score).where(np.abs(score) >= LIMITS["zscore"][0])


def long_enough(series: Steps, judged: Rows) -> Rows:
    """Of the positions `judged`, those with 30 known steps in the window before them."""
    begin = series.window_begins(judged, WINDOW)
    known = np.append(0, np.cumsum(~np.isnan(series.rate)))
    enough: Rows = judged[known[judged] - known[begin] >= MIN_SAMPLES]
    return enough


def spikes(series: Steps, judged: Rows) -> Findings:
    """Steps that gained more than 5 times what is typical; the score is how many times."""
    judged = judged[judged - series.first[judged] > FEW_STEPS]
    typical, rate = _typical(series, judged), series.rate[judged]
    ratio = rate / typical
    usual = _stable(typical * series.hours[judged] / series.resolution.hours)
    beyond_noise = _stable(series.increment[judged]) - usual > NOISE
    return Findings(judged, rate, typical, ratio).where((ratio > LIMITS["spike"][0]) & beyond_noise)


def reversals(series: Steps, judged: Rows) -> Findings:
    """Daily gains that rose for two days and then fell for two, or the other way round, by a factor each way.

    Days are 24 hours counted back from the reading, so that no rhythm of the day enters. The score is the smaller of
    the two factors; observed is the last day's gain, expected the last had the trend before the turn gone on.
    """
    earliest = series.at[judged].min(initial=np.iinfo(np.int64).max) - REPEATED_WITHIN_HOURS * HOUR
    candidates = np.flatnonzero((series.at >= earliest) & (np.arange(len(series.at)) - series.first > 2 * LEG_DAYS))
    near = NEAR_HOURS[series.resolution.name]
    points = [candidates, *(series.nearest(candidates, 24 * k, near) for k in range(1, 2 * LEG_DAYS + 2))]
    reached = np.all([early >= 0 for early in points], axis=0)
    points = [point[reached] for point in points]
    gains = [_daily_gain(series, late, early) for late, early in pairwise(points)]
    levels = np.stack([np.log(np.maximum(gain, 0) + FEW_VIEWS) for gain in reversed(gains)])
    before, after = levels[LEG_DAYS] - levels[0], levels[-1] - levels[LEG_DAYS]
    ahead = np.diff(levels, axis=0) * np.repeat(np.sign([before, after]), LEG_DAYS, axis=0)
    steady = (ahead >= -LARGEST_STEP_BACK * np.repeat(np.abs([before, after]), LEG_DAYS, axis=0)).all(axis=0)
    score = np.exp(np.minimum(np.abs(before), np.abs(after)))
    expected = np.exp(levels[LEG_DAYS] + before) - FEW_VIEWS
    seen = steady & (np.sign(before) == -np.sign(after)) & (score >= LIMITS["reversal"][0])
    found = Findings(points[0], gains[0], np.maximum(expected, 0), score)
    first = [_first_seen(series, points[0][seen & (np.sign(after) == way)]) for way in (-1, 1)]
    return found.where(np.isin(points[0], np.intersect1d(np.concatenate(first), judged)))


def _daily_gain(series: Steps, late: Rows, early: Rows) -> Floats:
    """Gain per 24 hours between two readings."""
    return (series.count[late] - series.count[early]) / (series.at[late] - series.at[early]) * HOUR * 24


def _first_seen(series: Steps, at: Rows) -> Rows:
    """Of ascending positions those without another of the same series in the hours before."""
    again = (series.series[at[1:]] == series.series[at[:-1]]) & (
        series.at[at[1:]] - series.at[at[:-1]] <= REPEATED_WITHIN_HOURS * HOUR
    )
    return np.append(at[:1], at[1:][~again])


def stuck_counters(series: Steps, judged: Rows) -> Findings:
    """Counts without any change for 24 hours, of series that always moved, told once, at the end of the 24 hours.

    The score is the views that the last steps before would have brought in that time.
    """
    begins = np.where(series.increment == 0, 0, np.arange(len(series.at)))
    since = np.maximum.accumulate(begins)
    still = (series.at - series.at[since]) / HOUR
    before = np.append(0.0, still[:-1])[: len(still)]
    reached = (still >= STUCK_HOURS) & (since < np.arange(len(still))) & (before < STUCK_HOURS)
    judged = judged[reached[judged]]
    window = series.window(series.increment, since[judged] + 1, WINDOW)
    known, moved = (~np.isnan(window)).sum(axis=1), (window > 0).sum(axis=1)
    missed = _typical(series, since[judged] + 1) * still[judged] / series.resolution.hours
    found = Findings(judged, np.zeros(len(judged)), missed, missed)
    return found.where((known >= MIN_MOVES) & (moved >= ALWAYS_MOVED * known) & (missed >= LIMITS["stuck"][0]))


def falls(series: Steps, judged: Rows) -> Findings:
    """Cumulative counts below the reading before; the score is by how many per cent."""
    judged = judged[series.increment[judged] < 0]
    now, before = series.count[judged], series.count[judged] - series.increment[judged]
    return Findings(judged, now, before, 100 * (before - now) / before)


def response_falls(series: Steps, judged: Rows) -> Findings:
    """Falls of likes or comments, from one per cent on: people take likes back, and creators delete comments."""
    found = falls(series, judged)
    return found.where(found.score >= RESPONSE_FALL_LIMITS[0])


def growth_beyond_forecast(series: Steps, judged: Rows, p90: Floats) -> Findings:
    """Daily gains beyond the 90 % quantile that was forecast from the day before (`p90`, one per position judged, NaN
    where there was no forecast), by half and by 1,000 views; the score is how many times the quantile."""
    gained = series.rate[judged]
    ratio = gained / np.maximum(p90, 1.0)
    return Findings(judged, gained, p90, ratio).where(
        (ratio >= LIMITS["growth"][0]) & (gained - p90 >= MIN_GROWTH_VIEWS)
    )


def unusual_for_age(series: Steps, judged: Rows, age_hours: Floats) -> Findings:
    """Relative daily growth that videos of the same age do not show, for series too short for a window.

    `age_hours` has one element per reading. Growth is the day's gain over the count before; peers are all readings of
    that age within 7 days, 30 at least. The score is the robust z-score of its logarithm; observed and expected are
    gains per day.
    """
    before = series.count - series.increment
    earliest = series.at[judged].min(initial=np.iinfo(np.int64).max) - PEER_DAYS * 24 * HOUR
    known = (series.rate > 0) & (before >= MIN_GROWTH_VIEWS) & ~np.isnan(age_hours)
    usable = np.flatnonzero(known & (series.at >= earliest))
    growth = np.log(series.rate[usable] / before[usable])
    age = np.searchsorted(AGE_LIMITS_HOURS, age_hours[usable], side="right")
    own = pd.DataFrame(
        {"day": series.at[usable] // (24 * HOUR), "regime": series.regime[usable], "age": age, "growth": growth}
    )
    group = ["day", "regime", "age"]
    wanted = np.isin(usable, judged)
    peers = pd.concat([own.assign(day=own["day"] + later) for later in range(PEER_DAYS)], ignore_index=True)
    peers = peers[peers["day"].isin(own.loc[wanted, "day"].unique())]
    peers["median"] = peers.groupby(group)["growth"].transform("median")
    peers["deviation"] = (peers["growth"] - peers["median"]).abs()
    reference = peers.groupby(group).agg(
        median=("median", "first"), deviation=("deviation", "median"), peers=("growth", "size")
    )
    own = own[wanted].join(reference, on=group)
    score: Floats = (
        (own["growth"] - own["median"]) / np.maximum(1.4826 * own["deviation"], MIN_PEER_SPREAD)
    ).to_numpy()
    at = usable[wanted]
    expected = np.exp(own["median"].to_numpy()) * before[at]
    found = Findings(at, series.rate[at], expected, score)
    return found.where((own["peers"].to_numpy() >= MIN_PEERS) & (np.abs(score) >= LIMITS["same_age"][0]))


def _stable(counts: Floats) -> Floats:
    """Anscombe's transformation; a negative count is as rare as none."""
    return 2 * np.sqrt(np.maximum(counts, 0) + 3 / 8)


def _typical(series: Steps, at: Rows) -> Floats:
    """The typical rate before each position, NaN where fewer than 3 steps are known.

    The lowest of three: the median of 24 steps, which no spike moves; of 3, which follows a level that has changed;
    and the last step fallen once more as it fell, by 30 % at most, as views of a young video decay.
    """
    window = series.window(series.rate, at, MANY_STEPS)
    few, known = medians(window[:, :FEW_STEPS])
    last, earlier = window[:, 0], np.maximum(window[:, 1], 1e-9)
    continued = last * np.clip(last / earlier, STEEPEST_DECAY, 1)
    typical = np.fmin(np.fmin(few, medians(window)[0]), continued)
    return np.where(known >= FEW_STEPS, np.maximum(typical, LEAST_TYPICAL), np.nan)


DETECTORS = {
    "zscore": zscores,
    "spike": spikes,
    "reversal": reversals,
    "stuck": stuck_counters,
    "fall": falls,
}
"""Kinds judged from the series of a video's views alone."""

DETAILS = {
    "zscore": "{observed:,.0f} {target} per {unit}, where {expected:,.0f} were the median before",
    "spike": "{observed:,.0f} {target} per {unit}, {score:.1f} times the typical {expected:,.0f}",
    "reversal": "{observed:,.0f} {target} a day, where the trend two days before pointed to {expected:,.0f}",
    "stuck": "no change for 24 hours, where {expected:,.0f} {target} were to be expected",
    "fall": "{observed:,.0f} {target} after {expected:,.0f}, {score:.2f} % less",
    "growth": "{observed:,.0f} {target} a day, {score:.1f} times the forecast's upper bound of {expected:,.0f}",
    "same_age": "{observed:,.0f} {target} a day, where videos of its age would gain {expected:,.0f}",
}


def find(
    daily: pd.DataFrame, hourly: pd.DataFrame, forecasts: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    """`ops.anomalies` for the days `first` to `last` (naive midnights, both included).

    `daily` holds rows of `metrics.video_daily` from `DAILY.loaded_days` before `first` on, `hourly` those of
    `metrics.video_hourly` from `HOURLY.loaded_days` before on, of videos that may be read sub-daily; `forecasts` has
    video_id, day (of the target) and p90 of the views gained that day. Readings are judged by the hour where the video
    is read 5 times a day or more, and a day without such readings by the day; against forecasts always by the day.
    """
    by_hour, by_day = steps(hourly, "view_count", HOURLY), steps(daily, "view_count", DAILY)
    hourly = hourly.assign(day=hourly["collected_at"].dt.tz_localize(None).dt.normalize().astype("datetime64[ns]"))
    hours = np.intersect1d(_positions(by_hour, hourly["day"].between(first, last)), sub_daily(by_hour))
    days = _positions(by_day, daily["day"].between(first, last))
    of_hours, windowed = hourly.iloc[by_hour.row[hours]], hourly.iloc[by_hour.row[long_enough(by_hour, hours)]]
    own = days[~_on_days_of(daily.iloc[by_day.row[days]], of_hours)]
    short = np.setdiff1d(days[~_on_days_of(daily.iloc[by_day.row[days]], windowed)], long_enough(by_day, days))
    age_hours = np.asarray((daily["collected_at"] - daily["published_at"]).dt.total_seconds() / 3600, dtype=np.float64)
    p90 = _forecast(forecasts, daily.iloc[by_day.row[days]])
    found = [
        *_of_series(hourly, by_hour, hours),
        *_of_series(daily, by_day, own),
        as_rows(daily, by_day, "views", "growth", growth_beyond_forecast(by_day, days, p90)),
        as_rows(daily, by_day, "views", "same_age", unusual_for_age(by_day, short, age_hours[by_day.row])),
        *_falls_of_responses(hourly, HOURLY, by_hour.row[hours]),
        *_falls_of_responses(daily, DAILY, by_day.row[own]),
    ]
    return pd.concat([rows for rows in found if len(rows)] or found[:1], ignore_index=True)


def sub_daily(series: Steps) -> Rows:
    """Positions with 5 readings or more in the 24 hours up to them."""
    return np.flatnonzero(series.read_within(24) >= READINGS_A_DAY)


def _positions(series: Steps, chosen: "pd.Series[bool]") -> Rows:
    """Positions in the steps of the chosen readings."""
    return np.flatnonzero(chosen.to_numpy()[series.row])


def _on_days_of(daily: pd.DataFrame, hourly: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which of the daily rows are of a video and day that the hourly ones have."""
    keys = ["video_id", "day"]
    return pd.MultiIndex.from_frame(daily[keys]).isin(pd.MultiIndex.from_frame(hourly[keys].drop_duplicates()))


def _forecast(forecasts: pd.DataFrame, days: pd.DataFrame) -> Floats:
    """The quantile forecast for each of the daily rows, NaN where there is none."""
    joined = days[["video_id", "day"]].merge(forecasts, on=["video_id", "day"], how="left")
    return joined["p90"].to_numpy(np.float64, na_value=np.nan)


def _of_series(readings: pd.DataFrame, series: Steps, judged: Rows) -> Iterator[pd.DataFrame]:
    for kind, detect in DETECTORS.items():
        yield as_rows(readings, series, "views", kind, detect(series, judged))


def _falls_of_responses(readings: pd.DataFrame, resolution: Resolution, judged: Rows) -> Iterator[pd.DataFrame]:
    """Falls of likes and comments, of the readings at the rows `judged`."""
    for target, count in (("likes", "like_count"), ("comments", "comment_count")):
        series = steps(readings, count, resolution)
        yield as_rows(
            readings, series, target, "fall", response_falls(series, np.flatnonzero(np.isin(series.row, judged)))
        )


def as_rows(readings: pd.DataFrame, series: Steps, target: str, kind: str, found: Findings) -> pd.DataFrame:
    """Findings in the shape of `ops.anomalies`."""
    rows = readings.iloc[series.row[found.at]][["video_id", "collected_at", "channel_id"]]
    rows = rows.rename(columns={"collected_at": "at"}).reset_index(drop=True)
    rows = rows.assign(
        series=series.resolution.name,
        kind=kind,
        target=target,
        severity=severity(kind, target, found.score),
        score=found.score,
        observed=found.observed,
        expected=found.expected,
    )
    unit = "hour" if series.resolution is HOURLY else "day"
    told = zip(rows["observed"], rows["expected"], rows["score"], strict=True)
    rows["detail"] = [
        DETAILS[kind].format(unit=unit, target=target, observed=observed, expected=expected, score=score)
        for observed, expected, score in told
    ]
    return rows[ANOMALIES.column_names]


def severity(kind: str, target: str, score: Floats) -> npt.NDArray[np.object_]:
    """low, medium or high by the kind's limits; a z-score counts by its size."""
    limits = RESPONSE_FALL_LIMITS if kind == "fall" and target != "views" else LIMITS[kind]
    return np.array(ANOMALY_SEVERITIES, dtype=object)[np.searchsorted(limits[1:], np.abs(score), side="right")]
