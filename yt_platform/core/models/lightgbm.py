"""Gradient boosting by LightGBM: for each horizon, one global model over all videos for each of three quantiles.

Every model learns the logarithm of the ratio of what was gained to what the last view rate would give. One that learns
nothing is therefore close to naive.

- p50 minimises the absolute error of that logarithm, a row counting by its view rate to the power `WEIGHT_POWER`:
  errors matter in views, but weights of views themselves would leave a few hundred large videos to learn from.
- p10 and p90 minimise the pinball loss on all but the last `CALIBRATION_DAYS`, where they are then shifted so that
  a tenth of the actuals lies beyond each: conformalized quantile regression (Romano, Patterson and Candès 2019).
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from yt_platform.core.features import Floats, floats
from yt_platform.core.models.protocol import HORIZONS, NotEnoughRowsError, forecasts, is_origin
from yt_platform.core.schemas.features import VIDEO_DAY_FEATURES

if TYPE_CHECKING:
    from lightgbm import Booster

WEIGHT_POWER = 0.4
WEIGHT_FLOOR = 1000.0
"""Views per day, added before the power: videos far below it count about the same."""

MIN_ROWS = 10
"""Per horizon. Up to `min_data_in_leaf` rows only a constant is learned, and from fewer than these not even that."""

CALIBRATION_DAYS = 14
MIN_CALIBRATION_ROWS = 100
"""With fewer rows a tenth of them is chance: the quantiles are then fitted on all rows and not shifted."""

TAILS = {"p10": 0.1, "p90": 0.9}

_PARAMETERS: dict[str, Any] = {
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "min_data_in_leaf": 200,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
MEDIAN_PARAMETERS = _PARAMETERS | {
    "objective": "regression_l1",
    "num_iterations": 450,
    "learning_rate": 0.04,
    "num_leaves": 63,
}
TAIL_PARAMETERS = _PARAMETERS | {
    "objective": "quantile",
    "num_iterations": 120,
    "learning_rate": 0.1,
    "num_leaves": 31,
}

BUNDLE = "bundle.json"


class LightGBMForecaster:
    """A bundle is a LightGBM text file per horizon and quantile, and a JSON of features, shifts, parameters and span.

    `threads` changes the time, not the forecasts.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._boosters: dict[str, Booster] = {}
        self._bundle: dict[str, Any] = {}

    def fit(self, frame: pd.DataFrame) -> None:
        self._bundle = {
            "features": dict.fromkeys(VIDEO_DAY_FEATURES, "float64"),
            "parameters": {"p50": MEDIAN_PARAMETERS, **{tail: _tail_parameters(tail) for tail in TAILS}},
            "horizons": {str(horizon): self._fit_horizon(_trainable(frame, horizon), horizon) for horizon in HORIZONS},
        }

    def _fit_horizon(self, rows: pd.DataFrame, horizon: int) -> dict[str, Any]:
        """Fit the boosters of a horizon; what else its forecasts need and where they come from."""
        fitted, held_out = _calibration_split(rows, horizon)
        self._boosters[_name(horizon, "p50")] = self._train(rows, horizon, MEDIAN_PARAMETERS, _weight(rows))
        shifts = {}
        for tail, quantile in TAILS.items():
            self._boosters[_name(horizon, tail)] = self._train(fitted, horizon, _tail_parameters(tail))
            missed = _log_ratio(held_out, horizon) - self._predict_log_ratio(held_out, horizon, tail)
            shifts[tail] = float(np.quantile(missed, quantile)) if len(missed) else 0.0
        return {
            "shifts": shifts,
            "rows": len(rows),
            "calibration_rows": len(held_out),
            "first_origin": f"{rows['day'].min():%Y-%m-%d}",
            "last_target": f"{_target_day(rows, horizon).max():%Y-%m-%d}",
        }

    def _train(
        self, rows: pd.DataFrame, horizon: int, parameters: dict[str, Any], weight: Floats | None = None
    ) -> "Booster":
        import lightgbm

        data = lightgbm.Dataset(
            _inputs(rows), _log_ratio(rows, horizon), weight=weight, feature_name=list(VIDEO_DAY_FEATURES)
        )
        return lightgbm.train(parameters | {"num_threads": self._threads}, data)

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        origin = features[is_origin(features)]
        return pd.concat([self._forecast(origin, horizon) for horizon in HORIZONS], ignore_index=True)

    def _forecast(self, origin: pd.DataFrame, horizon: int) -> pd.DataFrame:
        start, shifts = _start(origin, horizon), self._bundle["horizons"][str(horizon)]["shifts"]
        log_ratios = {
            quantile: self._predict_log_ratio(origin, horizon, quantile) + shifts.get(quantile, 0.0)
            for quantile in ("p10", "p50", "p90")
        }
        return forecasts(origin, horizon, **{name: np.expm1(start + ratio) for name, ratio in log_ratios.items()})

    def _predict_log_ratio(self, rows: pd.DataFrame, horizon: int, quantile: str) -> Floats:
        if rows.empty:
            return np.empty(0)
        booster = self._boosters[_name(horizon, quantile)]
        return np.asarray(booster.predict(_inputs(rows), num_threads=self._threads), dtype="float64")

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, booster in self._boosters.items():
            booster.save_model(folder / f"{name}.txt")
        (folder / BUNDLE).write_text(json.dumps(self._bundle, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> Self:
        """Raises ValueError when the bundle was made for other features than this code computes."""
        import lightgbm

        forecaster = cls(threads)
        forecaster._bundle = json.loads((folder / BUNDLE).read_text())
        _refuse_other_features(folder, forecaster._bundle["features"])
        for horizon in HORIZONS:
            for quantile in ("p10", "p50", "p90"):
                name = _name(horizon, quantile)
                forecaster._boosters[name] = lightgbm.Booster(model_file=folder / f"{name}.txt")
        return forecaster


def _name(horizon: int, quantile: str) -> str:
    return f"{horizon}d_{quantile}"


def _tail_parameters(tail: str) -> dict[str, Any]:
    return TAIL_PARAMETERS | {"alpha": TAILS[tail]}


def _trainable(frame: pd.DataFrame, horizon: int) -> pd.DataFrame:
    rows = frame[frame[f"y_{horizon}"].notna()]
    if len(rows) < MIN_ROWS:
        raise NotEnoughRowsError(
            f"{len(rows)} of {len(frame)} origins have a known target {horizon} days later: training needs {MIN_ROWS}, "
            f"each a video read on a day, on the day before and {horizon} days after"
        )
    return rows


def _calibration_split(rows: pd.DataFrame, horizon: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to fit the tails on, and later rows that share no day with them; all and none where these are too few."""
    target_day = _target_day(rows, horizon)
    cut = target_day.max() - pd.Timedelta(days=CALIBRATION_DAYS)
    fitted, held_out = rows[target_day <= cut], rows[rows["day"] > cut]
    if min(len(fitted), len(held_out)) < MIN_CALIBRATION_ROWS:
        return rows, rows.iloc[:0]
    return fitted, held_out


def _target_day(rows: pd.DataFrame, horizon: int) -> pd.Series:
    return rows["day"] + pd.Timedelta(days=horizon)


def _inputs(rows: pd.DataFrame) -> Floats:
    return np.column_stack([floats(rows[name]) for name in VIDEO_DAY_FEATURES])


def _view_rate(rows: pd.DataFrame) -> Floats:
    return np.maximum(floats(rows["view_rate_lag_0"]), 0.0)


def _start(rows: pd.DataFrame, horizon: int) -> Floats:
    """Logarithm of what the last view rate would give."""
    return np.log1p(_view_rate(rows) * horizon)


def _log_ratio(rows: pd.DataFrame, horizon: int) -> Floats:
    return np.log1p(floats(rows[f"y_{horizon}"])) - _start(rows, horizon)


def _weight(rows: pd.DataFrame) -> Floats:
    return (_view_rate(rows) + WEIGHT_FLOOR) ** WEIGHT_POWER


def _refuse_other_features(folder: Path, features: dict[str, str]) -> None:
    if list(features) != list(VIDEO_DAY_FEATURES):
        differing = sorted(set(features) ^ set(VIDEO_DAY_FEATURES)) or "their order"
        raise ValueError(
            f"the model in {folder} was trained on other features than this version computes (difference: {differing})"
            ": train a new one"
        )
