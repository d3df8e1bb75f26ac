"""Features of a channel on a day, as known at the end of that UTC day.

Belongs here: turning snapshots of channels into `features.channel_day`. Does not belong here: targets, and anything
that reads a day later than the origin. What each column means is in `features/tables.py`.

Every value depends only on the channel's snapshots from `LOOKBACK_DAYS` before the origin to the origin.
"""

import numpy as np
import pandas as pd

from yt_platform.features.tables import (
    CHANNEL_ACCELERATION_LAGS,
    CHANNEL_DAY,
    CHANNEL_DAY_FEATURES,
    CHANNEL_RATE_LAGS,
    CHANNEL_SPANS,
)
from yt_platform.features.videos import MIN_ELAPSED_HOURS
from yt_platform.panel import Features, History, Panel, acceleration, floats, mean, ratio, series_key, take
from yt_platform.tables.times import LOOKBACK_DAYS

_COUNTS = ("view", "subscriber", "video")
_HOUR = 3.6e9
"""In microseconds."""


def build_channel_day(snapshots: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """`features.channel_day` for the days `first` to `last` (naive midnights, both included).

    `snapshots` are rows of `metrics.channel_snapshots` from `LOOKBACK_DAYS` before `first` to `last`, in any order.
    One row comes back for every day of these with a known count of views, ordered by channel and day.
    """
    daily = _daily(snapshots, first, last)
    if daily.empty:
        return pd.DataFrame(columns=CHANNEL_DAY.column_names)
    panel = Panel(series_key(pd.factorize(daily["channel_id"])[0], daily["day"]))
    rates = _rates(daily, panel)
    wanted = daily["day"].between(first, last).to_numpy()
    origins = daily[wanted]
    history = History(panel, panel.key[wanted], LOOKBACK_DAYS)

    features = {f"{name}_count": floats(origins[f"{name}_count"]) for name in _COUNTS}
    features |= _increments(rates, history)
    features |= _gains(daily, features, history)
    features |= _accelerations(rates, features, history)
    features |= _readings(origins, rates, history)
    features |= _ratios(features)
    keys = {name: origins[name].array for name in ("channel_id", "day", "view_definition")}
    return pd.DataFrame({**keys, **{name: features[name] for name in CHANNEL_DAY_FEATURES}})


def _daily(snapshots: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """One row per channel and day from `LOOKBACK_DAYS` before `first`, by channel and day: the last known counts."""
    day = snapshots["collected_at"].dt.tz_localize(None).dt.normalize().astype("datetime64[ns]")
    known = snapshots.assign(day=day)[snapshots["view_count"].notna()]
    known = known[known["day"].between(first - pd.Timedelta(days=LOOKBACK_DAYS), last)]
    ordered = known.sort_values(["channel_id", "collected_at", "view_count", "source"], kind="stable")
    groups = ordered.groupby(["channel_id", "day"], sort=True, as_index=False)
    daily = groups[["collected_at", *(f"{name}_count" for name in _COUNTS), "view_definition"]].last()
    microseconds = daily["collected_at"].dt.tz_localize(None).to_numpy("datetime64[us]").astype("float64")
    return daily.assign(at=microseconds, regime=pd.factorize(daily["view_definition"])[0].astype("float64"))


def _rates(daily: pd.DataFrame, panel: Panel) -> Features:
    """Per row of `daily`: the increment of views since the day before as counted, the rate per 24 hours, the hours
    between readings, and the acceleration.

    An increment across a change of what counts as a view is unknown, for it is not growth.
    """
    before = panel.at(panel.key - 1)
    regime, at, views = floats(daily["regime"]), floats(daily["at"]), floats(daily["view_count"])
    before[take(regime, before) != regime] = -1
    elapsed = (at - take(at, before)) / _HOUR
    increment = views - take(views, before)
    rate = increment * 24 / np.maximum(elapsed, MIN_ELAPSED_HOURS)
    return {
        "increment": increment,
        "elapsed": elapsed,
        "view": rate,
        "acceleration": acceleration(rate, take(rate, before)),
    }


def _increments(rates: Features, history: History) -> Features:
    views = [history.lag(rates["view"], k) for k in range(LOOKBACK_DAYS)]
    return {
        "view_increment": history.lag(rates["increment"], 0),
        **{f"view_rate_lag_{k}": views[k] for k in range(CHANNEL_RATE_LAGS)},
        "view_rate_mean_3d": mean(views[:3]),
        "view_rate_mean_7d": mean(views[:7]),
        "view_rate_mean_28d": mean(views),
    }


def _gains(daily: pd.DataFrame, features: Features, history: History) -> Features:
    """What was gained between the readings of the origin and of some days earlier, whatever was read in between."""
    at, regime = floats(daily["at"]), floats(daily["regime"])
    in_force, now_at = history.lag(regime, 0), history.lag(at, 0)
    found: Features = {}
    for days in CHANNEL_SPANS:
        gained = {
            name: features[f"{name}_count"] - history.lag(floats(daily[f"{name}_count"]), days) for name in _COUNTS
        }
        rate = gained["view"] * 24 / ((now_at - history.lag(at, days)) / _HOUR)
        found[f"view_rate_span_{days}d"] = np.where(history.lag(regime, days) == in_force, rate, np.nan)
        found[f"subscribers_gained_{days}d"] = gained["subscriber"]
        found[f"videos_gained_{days}d"] = gained["video"]
    return found


def _accelerations(rates: Features, features: Features, history: History) -> Features:
    rate = features["view_rate_lag_0"]
    lags = [history.lag(rates["acceleration"], k) for k in range(CHANNEL_ACCELERATION_LAGS)]
    return {
        **{f"view_acceleration_lag_{k}": lag for k, lag in enumerate(lags)},
        "view_acceleration_7d": acceleration(rate, features["view_rate_mean_7d"]),
        "view_acceleration_28d": acceleration(rate, features["view_rate_mean_28d"]),
        "view_acceleration_6d": acceleration(rate, features["view_rate_lag_6"]),
        "view_acceleration_spread": np.sqrt(np.maximum(mean([lag**2 for lag in lags]) - mean(lags) ** 2, 0.0)),
    }


def _readings(origins: pd.DataFrame, rates: Features, history: History) -> Features:
    return {
        "weekday": floats(origins["day"].dt.weekday),
        "reading_hour": floats(
            (origins["collected_at"].dt.tz_localize(None) - origins["day"]).dt.total_seconds() / 3600
        ),
        "elapsed_hours": history.lag(rates["elapsed"], 0),
        "days_observed": np.sum([history.observed(k) for k in range(LOOKBACK_DAYS)], axis=0, dtype="float64"),
    }


def _ratios(features: Features) -> Features:
    views, rate = features["view_count"], features["view_rate_lag_0"]
    return {
        "view_growth": ratio(rate, views),
        "views_per_video": ratio(views, features["video_count"]),
        "view_rate_per_subscriber": ratio(rate, features["subscriber_count"]),
    }
