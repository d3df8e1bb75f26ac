"""Gradient boosting by LightGBM: for each horizon, one global model over all videos for each of three quantiles.

Every model learns the logarithm of the ratio of what was gained to what the last view rate would give. One that learns
nothing is therefore close to naive.

- p50 minimises the absolute error of that logarithm, a row counting by its view rate to the power `WEIGHT_POWER`:
  errors matter in views, but weights of views themselves would leave a few hundred large videos to learn from.
- p10 and p90 minimise the pinball loss on all but the last `CALIBRATION_DAYS`, where they are then shifted so that
  a tenth of the actuals lies beyond each: conformalized quantile regression (Romano, Patterson and Candès 2019).
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.core.features import Floats, floats
from yt_platform.core.models.protocol import HORIZONS, NotEnoughRowsError, forecasts, is_origin
from yt_platform.core.schemas.features import VIDEO_DAY_FEATURES

if TYPE_CHECKING:
    from lightgbm import Booster

Mask = npt.NDArray[np.bool_]

WEIGHT_POWER = 0.4
WEIGHT_FLOOR = 1000.0
"""Views per day, added before the power: videos far below it count about the same."""

LEARNED_FROM = {1: (1,), 3: (3,), 7: (5, 6, 7)}
"""Days ahead whose targets teach the p50 of a horizon. Few videos stay on a chart for a week: the days before the
seventh double the rows, and took its WAPE in two held-out months from 0.265 to 0.262."""

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
    "num_threads": 1,
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

INPUTS = (*VIDEO_DAY_FEATURES, "horizon")
BUNDLE = "bundle.json"


class LightGBMForecaster:
    """A bundle is a LightGBM text file per horizon and quantile, and a JSON of inputs, shifts, parameters and span.

    `threads` changes the time, not the forecasts: so many boosters are trained side by side, each on one thread.
    LightGBM's own threads meet after every split, and where anything else wants a core they wait for one another:
    beside another busy process, two of them took 100 s for what one did in 7 s.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._boosters: dict[str, Booster] = {}
        self._bundle: dict[str, Any] = {}

    def fit(self, frame: pd.DataFrame) -> None:
        splits = {horizon: _calibration_split(frame, horizon) for horizon in HORIZONS}
        tasks = {
            _name(horizon, "p50"): _Task(MEDIAN_PARAMETERS, _samples(frame, LEARNED_FROM[horizon]), WEIGHT_POWER)
            for horizon in HORIZONS
        }
        for horizon, (fitted, _) in splits.items():
            tasks |= {_name(horizon, tail): _Task(_tail_parameters(tail), {horizon: fitted}) for tail in TAILS}
        with ThreadPoolExecutor(self._threads) as pool:
            boosters = pool.map(partial(_train, frame), tasks.values())
            self._boosters = dict(zip(tasks, boosters, strict=True))
        self._bundle = {
            "inputs": dict.fromkeys(INPUTS, "float64"),
            "parameters": {"p50": MEDIAN_PARAMETERS, **{tail: _tail_parameters(tail) for tail in TAILS}},
            "horizons": {
                str(horizon): {
                    "shifts": {tail: self._shift(frame, held_out, horizon, tail) for tail in TAILS},
                    "rows": int(_known(frame, horizon).sum()),
                    "calibration_rows": int(held_out.sum()),
                }
                for horizon, (_, held_out) in splits.items()
            },
            "first_origin": f"{frame['day'].min():%Y-%m-%d}",
            "last_target": f"{max(_last_target(frame, horizon) for horizon in HORIZONS):%Y-%m-%d}",
        }

    def _shift(self, frame: pd.DataFrame, held_out: Mask, horizon: int, tail: str) -> float:
        """What to add to a tail so that it holds its share of the held-out actuals."""
        if not held_out.any():
            return 0.0
        predicted = self._predict_log_ratio(_inputs(frame, held_out, horizon), horizon, tail)
        return float(np.quantile(_log_ratio(frame, held_out, horizon) - predicted, TAILS[tail]))

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        origins = is_origin(features)
        return pd.concat([self._forecast(features, origins, horizon) for horizon in HORIZONS], ignore_index=True)

    def _forecast(self, features: pd.DataFrame, origins: pd.Series, horizon: int) -> pd.DataFrame:
        mask = origins.to_numpy()
        inputs, start = _inputs(features, mask, horizon), _start(features, mask, horizon)
        shifts = {"p50": 0.0, **self._bundle["horizons"][str(horizon)]["shifts"]}
        gained = {
            quantile: np.expm1(start + self._predict_log_ratio(inputs, horizon, quantile) + shift)
            for quantile, shift in shifts.items()
        }
        return forecasts(features[mask], horizon, **gained)

    def _predict_log_ratio(self, inputs: Floats, horizon: int, quantile: str) -> Floats:
        if not len(inputs):
            return np.empty(0)
        booster = self._boosters[_name(horizon, quantile)]
        return np.asarray(booster.predict(inputs, num_threads=self._threads), dtype="float64")

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
        _refuse_other_inputs(folder, forecaster._bundle["inputs"])
        for name in (_name(horizon, quantile) for horizon in HORIZONS for quantile in ("p50", *TAILS)):
            forecaster._boosters[name] = lightgbm.Booster(model_file=folder / f"{name}.txt")
        return forecaster


@dataclass(frozen=True)
class _Task:
    """A booster to train: on the masked rows of the training frame, by days ahead."""

    parameters: dict[str, Any]
    samples: dict[int, Mask]
    weight_power: float = 0.0


def _train(frame: pd.DataFrame, task: _Task) -> "Booster":
    import lightgbm

    samples = task.samples.items()
    data = lightgbm.Dataset(
        np.concatenate([_inputs(frame, mask, ahead) for ahead, mask in samples]),
        np.concatenate([_log_ratio(frame, mask, ahead) for ahead, mask in samples]),
        weight=np.concatenate([_view_rate(frame, mask) + WEIGHT_FLOOR for _, mask in samples]) ** task.weight_power,
        feature_name=list(INPUTS),
    )
    return lightgbm.train(task.parameters, data)


def _name(horizon: int, quantile: str) -> str:
    return f"{horizon}d_{quantile}"


def _tail_parameters(tail: str) -> dict[str, Any]:
    return TAIL_PARAMETERS | {"alpha": TAILS[tail]}


def _known(frame: pd.DataFrame, ahead: int) -> Mask:
    return ~np.isnan(floats(frame[f"y_{ahead}"]))


def _samples(frame: pd.DataFrame, days_ahead: Sequence[int]) -> dict[int, Mask]:
    return {ahead: _known(frame, ahead) for ahead in days_ahead}


def _last_target(frame: pd.DataFrame, horizon: int) -> pd.Timestamp:
    last_origin: pd.Timestamp = frame.loc[_known(frame, horizon), "day"].max()
    return last_origin + pd.Timedelta(days=horizon)


def _calibration_split(frame: pd.DataFrame, horizon: int) -> tuple[Mask, Mask]:
    """Rows to fit the tails on, and later rows that share no day with them; all and none where these are too few."""
    known = _known(frame, horizon)
    if known.sum() < MIN_ROWS:
        raise NotEnoughRowsError(
            f"{known.sum()} of {len(frame)} origins have a known target {horizon} days later: training needs {MIN_ROWS}"
            f", each a video read on a day, on the day before and {horizon} days after"
        )
    cut = _last_target(frame, horizon) - pd.Timedelta(days=CALIBRATION_DAYS)
    fitted = known & (frame["day"] + pd.Timedelta(days=horizon) <= cut).to_numpy()
    held_out = known & (frame["day"] > cut).to_numpy()
    if min(fitted.sum(), held_out.sum()) < MIN_CALIBRATION_ROWS:
        return known, np.zeros_like(known)
    return fitted, held_out


def _inputs(rows: pd.DataFrame, mask: Mask, horizon: int) -> Floats:
    columns = [floats(rows[name])[mask] for name in VIDEO_DAY_FEATURES]
    return np.column_stack([*columns, np.full(mask.sum(), float(horizon))])


def _view_rate(rows: pd.DataFrame, mask: Mask) -> Floats:
    return np.maximum(floats(rows["view_rate_lag_0"])[mask], 0.0)


def _start(rows: pd.DataFrame, mask: Mask, horizon: int) -> Floats:
    """Logarithm of what the last view rate would give."""
    return np.log1p(_view_rate(rows, mask) * horizon)


def _log_ratio(rows: pd.DataFrame, mask: Mask, horizon: int) -> Floats:
    return np.log1p(floats(rows[f"y_{horizon}"])[mask]) - _start(rows, mask, horizon)


def _refuse_other_inputs(folder: Path, inputs: dict[str, str]) -> None:
    if tuple(inputs) != INPUTS:
        differing = sorted(set(inputs) ^ set(INPUTS)) or "their order"
        raise ValueError(
            f"the model in {folder} was trained on other features than this version computes (difference: {differing})"
            ": train a new one"
        )
