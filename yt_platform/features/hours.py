"""Features of a video in an hour, as known at the end of that hour.

Belongs here: turning hourly readings into `features.video_hour`. Does not belong here: targets, and anything that
reads an hour later than the origin. What each column means is in `features/tables.py`.

An hour without a reading stays empty: nothing is interpolated, so that nothing is learned from or scored on a count
that nobody read. Every value depends only on the video's readings from `HOURS_DAYS` days before the origin's day to
the origin.
"""

import numpy as np
import pandas as pd

from yt_platform.features.tables import (
    HOUR_ACCELERATION_LAGS,
    HOUR_RATE_LAGS,
    HOUR_RESPONSE_LAGS,
    HOUR_SPANS,
    VIDEO_HOUR,
    VIDEO_HOUR_FEATURES,
)
from yt_platform.panel import Features, History, Panel, acceleration, floats, mean, ratio, series_key, take
from yt_platform.tables.times import HOURS_DAYS

HOURS = 24 * HOURS_DAYS

MIN_ELAPSED_HOURS = 0.25
"""Readings on either side of the full hour may be minutes apart, and would make any rate per hour."""

_HOUR = pd.Timedelta(hours=1)
_HOUR_IN_MICROSECONDS = 3.6e9


def build_video_hour(hourly: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """`features.video_hour` for the days `first` to `last` (naive midnights, both included).

    `hourly` are rows of `metrics.video_hourly` from `HOURS_DAYS` before `first` to `last`, in any order. One row comes
    back for every hour of these days in which a video was read and in the hour before which it was read as well,
    ordered by video and hour: videos that are read once a day have none.
    """
    hourly = _read_hour_by_hour(hourly, first)
    if hourly.empty:
        return pd.DataFrame(columns=VIDEO_HOUR.column_names)
    video = pd.factorize(hourly["video_id"])[0]
    panel = Panel(series_key(video, hourly["naive_hour"], "h"))
    rates = _rates(hourly, panel)
    wanted = ~np.isnan(rates["view_increment"]) & hourly["day"].between(first, last).to_numpy()
    origins = hourly[wanted]
    history = History(panel, panel.key[wanted], HOURS)

    features = {name: floats(origins[name]) for name in ("view_count", "like_count", "comment_count")}
    features |= _increments(rates, history)
    features |= _spans(hourly, features, history)
    features |= _accelerations(rates, features, history)
    features |= _calendar(origins)
    features |= _readings(origins, rates, history)
    features |= _ratios(features)
    keys = {name: origins[name].array for name in ("video_id", "hour", "channel_id", "view_definition")}
    return pd.DataFrame({**keys, **{name: features[name] for name in VIDEO_HOUR_FEATURES}})


def _read_hour_by_hour(hourly: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """Of videos that were read in two hours in a row, the rows from `HOURS_DAYS` before `first` on, in order."""
    hours = hourly["hour"].dt.tz_localize(None)
    known: pd.DataFrame = hourly.assign(naive_hour=hours)[hours >= first - pd.Timedelta(days=HOURS_DAYS)]
    known = known.sort_values(["video_id", "naive_hour"], ignore_index=True)
    neighbours = (known["naive_hour"].diff() == _HOUR) & (known["video_id"] == known["video_id"].shift())
    known = known[known["video_id"].isin(known.loc[neighbours, "video_id"])]
    return known.assign(
        day=known["naive_hour"].dt.normalize(),
        at=known["collected_at"].dt.tz_localize(None).to_numpy("datetime64[us]").astype("float64"),
        regime=pd.factorize(known["view_definition"])[0].astype("float64"),
    )


def _rates(hourly: pd.DataFrame, panel: Panel) -> Features:
    """Per row of `hourly`: increments since the hour before as counted, rates per hour, and the hours between readings.

    An increment across a change of what counts as a view is unknown, for it is not growth.
    """
    before = panel.at(panel.key - 1)
    regime, at = floats(hourly["regime"]), floats(hourly["at"])
    before[take(regime, before) != regime] = -1
    elapsed = (at - take(at, before)) / _HOUR_IN_MICROSECONDS
    rates: Features = {"elapsed": elapsed}
    for name in ("view", "like", "comment"):
        counts = floats(hourly[f"{name}_count"])
        rates[f"{name}_increment"] = counts - take(counts, before)
        rates[name] = rates[f"{name}_increment"] / np.maximum(elapsed, MIN_ELAPSED_HOURS)
    rates["acceleration"] = acceleration(rates["view"], take(rates["view"], before))
    return rates


def _increments(rates: Features, history: History) -> Features:
    views = [history.lag(rates["view"], k) for k in range(HOUR_RATE_LAGS)]
    features = {"view_increment": history.lag(rates["view_increment"], 0)}
    features |= {f"view_rate_lag_{k}": rate for k, rate in enumerate(views)}
    for name in ("like", "comment"):
        features |= {f"{name}_rate_lag_{k}": history.lag(rates[name], k) for k in range(HOUR_RESPONSE_LAGS)}
    features["view_rate_mean_3h"] = mean(views[:3])
    features["view_rate_mean_24h"] = mean(views[:24])
    features["view_rate_next_hour_of_other_days"] = mean([history.lag(rates["view"], k) for k in (23, 47)])
    features["view_rate_same_hour_of_other_days"] = mean([history.lag(rates["view"], k) for k in (24, 48)])
    return features


def _spans(hourly: pd.DataFrame, features: Features, history: History) -> Features:
    """Rates over several hours from the readings at their ends, whatever was read in between."""
    counts, at, regime = floats(hourly["view_count"]), floats(hourly["at"]), floats(hourly["regime"])
    now, now_at, in_force = history.lag(counts, 0), history.lag(at, 0), history.lag(regime, 0)
    found = {}
    for hours in HOUR_SPANS:
        elapsed = (now_at - history.lag(at, hours)) / _HOUR_IN_MICROSECONDS
        rate = (now - history.lag(counts, hours)) / elapsed
        found[f"view_rate_span_{hours}h"] = np.where(history.lag(regime, hours) == in_force, rate, np.nan)
    return found


def _accelerations(rates: Features, features: Features, history: History) -> Features:
    rate = features["view_rate_lag_0"]
    lags = [history.lag(rates["acceleration"], k) for k in range(HOUR_ACCELERATION_LAGS)]
    return {
        **{f"view_acceleration_lag_{k}": lag for k, lag in enumerate(lags)},
        **{
            f"view_acceleration_span_{hours}h": acceleration(rate, features[f"view_rate_span_{hours}h"])
            for hours in HOUR_SPANS
        },
        "view_acceleration_24h": acceleration(rate, features["view_rate_lag_24"]),
        "view_acceleration_spread": np.sqrt(np.maximum(mean([lag**2 for lag in lags]) - mean(lags) ** 2, 0.0)),
        "view_rhythm": acceleration(
            features["view_rate_next_hour_of_other_days"], features["view_rate_same_hour_of_other_days"]
        ),
    }


def _calendar(origins: pd.DataFrame) -> Features:
    hour = origins["naive_hour"]
    return {
        "age_hours": floats((origins["collected_at"] - origins["published_at"]).dt.total_seconds()) / 3600,
        "hour_of_day": floats(hour.dt.hour),
        "weekday": floats(hour.dt.weekday),
    }


def _readings(origins: pd.DataFrame, rates: Features, history: History) -> Features:
    observed = [history.observed(k).astype("float64") for k in range(24)]
    in_a_row = np.zeros(len(history.origins))
    for k, seen in enumerate(observed):
        in_a_row += seen * (in_a_row == k)
    into_hour = origins["collected_at"].dt.tz_localize(None) - origins["naive_hour"]
    return {
        "reading_minute": floats(into_hour.dt.total_seconds()) / 60,
        "reading_count": floats(origins["reading_count"]),
        "elapsed_hours": history.lag(rates["elapsed"], 0),
        "elapsed_hours_lag_1": history.lag(rates["elapsed"], 1),
        "hours_observed": np.sum(observed, axis=0),
        "hours_observed_in_a_row": in_a_row,
    }


def _ratios(features: Features) -> Features:
    views, rate = features["view_count"], features["view_rate_lag_0"]
    return {
        "view_rate_since_published": views / np.maximum(features["age_hours"], 1.0),
        "view_growth": ratio(rate, views),
        "recent_like_ratio": ratio(features["like_rate_lag_0"], rate),
        "like_ratio": ratio(features["like_count"], views),
    }
