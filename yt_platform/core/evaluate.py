"""How good forecasts are: targets, errors, intervals, backtests, and the rule by which a model may ship.

Does not belong here: any particular model (`core/models`), and where scores are kept.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from yt_platform.core.features import Floats, floats
from yt_platform.core.models.naive import NaiveForecaster
from yt_platform.core.models.protocol import HORIZONS, QUANTILES, Forecaster, NotEnoughRowsError, is_origin

ROW = ["video_id", "day", "horizon"]
"""What identifies a forecast of one model: video, origin day, and days to the target."""

_COUNTED = ["video_id", "day", "view_count", "view_definition"]


def actuals(daily: pd.DataFrame) -> pd.DataFrame:
    """What happened between any two rows of `metrics.video_daily` that lie one of `HORIZONS` apart.

    Columns `ROW`, `actual` (views gained; 0 where the count fell) and `total` (views at the target). Pairs across a
    change of what counts as a view are left out.
    """
    known = daily[_COUNTED]
    return pd.concat([_actuals_at(known, horizon) for horizon in HORIZONS], ignore_index=True)


def _actuals_at(known: pd.DataFrame, horizon: int) -> pd.DataFrame:
    later = known.assign(day=known["day"] - pd.Timedelta(days=horizon))
    pairs = known.merge(later, on=["video_id", "day", "view_definition"], suffixes=("", "_later"))
    total = floats(pairs["view_count_later"])
    return pd.DataFrame(
        {
            "video_id": pairs["video_id"],
            "day": pairs["day"],
            "horizon": horizon,
            "actual": np.maximum(total - floats(pairs["view_count"]), 0.0),
            "total": total,
        }
    )


def training_frame(features: pd.DataFrame, daily: pd.DataFrame, train_until: pd.Timestamp) -> pd.DataFrame:
    """What `Forecaster.fit` learns from: origins of `features.video_day` with targets up to the day `train_until`.

    The columns of `features`, and `y_1` to `y_7`: views gained by so many days later, NaN where the video was not read
    then or `train_until` lies before. `daily` holds rows of `metrics.video_daily` of the same days.
    """
    known = daily.loc[daily["day"] <= train_until, _COUNTED]
    frame = features[is_origin(features) & (features["day"] < train_until)].reset_index(drop=True)
    for ahead in range(1, max(HORIZONS) + 1):
        target = _actuals_at(known, ahead)[["video_id", "day", "actual"]]
        frame[f"y_{ahead}"] = frame[["video_id", "day"]].merge(target, how="left")["actual"]
    return frame


def backtest(
    features: pd.DataFrame,
    daily: pd.DataFrame,
    train_until: pd.Timestamp,
    test_until: pd.Timestamp,
    make_forecaster: Callable[[], Forecaster],
) -> dict[str, dict[str, Any]]:
    """Scores by horizon ("1", "3", "7") of a forecaster trained on targets up to `train_until`.

    It is tested on every origin and target after that day and up to `test_until`. `features` and `daily` hold rows of
    `features.video_day` and `metrics.video_daily` of all those days. Raises NotEnoughRowsError.
    """
    forecaster = make_forecaster()
    forecaster.fit(training_frame(features, daily, train_until))
    test = features[(features["day"] > train_until) & (features["day"] < test_until)]
    held_out = daily[(daily["day"] > train_until) & (daily["day"] <= test_until)]
    return score(forecaster.predict(test), NaiveForecaster().predict(test), actuals(held_out))


def score(forecasts: pd.DataFrame, naive: pd.DataFrame, actual: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Errors by horizon of `forecasts` beside those of `naive`, over the naive forecasts whose actual is known.

    `n`: forecasts scored; `wape` and `naive_wape`: sum of absolute errors over sum of actual increments; `pinball`:
    mean over rows and quantiles, views; `coverage80` and `width80`: share of actuals within p10 to p90, and the mean
    width in views; `median_ape`: median of the absolute error over the actual total.

    Raises NotEnoughRowsError when a horizon has no actual, ValueError when `forecasts` lacks a row that can be scored.
    """
    rows = actual.merge(naive[[*ROW, "p50"]], on=ROW).rename(columns={"p50": "naive"})
    rows = rows.merge(forecasts, on=ROW, how="left")
    if missing := int(rows["p50"].isna().sum()):
        raise ValueError(f"{missing} of {len(rows)} forecasts to score are missing: a forecaster answers every origin")
    return {str(horizon): _score_horizon(rows[rows["horizon"] == horizon], horizon) for horizon in HORIZONS}


def _score_horizon(rows: pd.DataFrame, horizon: int) -> dict[str, Any]:
    if rows.empty:
        raise NotEnoughRowsError(
            f"no origin with a known target {horizon} days later to score: test more than {horizon} days, with videos "
            f"read on a day, on the day before and {horizon} days after"
        )
    actual, p10, p50, p90 = (floats(rows[name]) for name in ("actual", "p10", "p50", "p90"))
    losses = [_pinball(actual, p, q) for p, q in zip((p10, p50, p90), QUANTILES, strict=True)]
    return {
        "n": len(rows),
        "wape": _wape(actual, p50),
        "naive_wape": _wape(actual, floats(rows["naive"])),
        "pinball": float(np.mean(losses)),
        "coverage80": float(np.mean((p10 <= actual) & (actual <= p90))),
        "width80": float(np.mean(p90 - p10)),
        "median_ape": float(np.median(np.abs(actual - p50) / np.maximum(floats(rows["total"]), 1.0))),
    }


def _wape(actual: Floats, forecast: Floats) -> float:
    """NaN when nothing was gained at all."""
    total = actual.sum()
    return float(np.abs(actual - forecast).sum() / total) if total else float("nan")


def _pinball(actual: Floats, forecast: Floats, quantile: float) -> float:
    missed = actual - forecast
    return float(np.mean(np.maximum(quantile * missed, (quantile - 1) * missed)))


def beats_naive(scores: dict[str, dict[str, Any]]) -> bool:
    """The gate: a lower error than naive at every horizon."""
    return all(horizon["wape"] < horizon["naive_wape"] for horizon in scores.values())
