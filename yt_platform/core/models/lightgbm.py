"""Gradient boosting by LightGBM: for each target and horizon, one global model over all series for each of three
quantiles.

Every model learns the logarithm of the ratio of what was gained to what the last view rate would give. One that learns
nothing is therefore close to naive.

- p50 minimises the absolute error of that logarithm, a row counting by its view rate to the power `WEIGHT_POWER`:
  errors matter in views, but weights of views themselves would leave a few hundred large videos to learn from.
- p10 and p90 minimise the pinball loss on all but the last `CALIBRATION_STEPS`, where they are then shifted so that
  a tenth of the actuals lies beyond each: conformalized quantile regression (Romano, Patterson and Candès 2019).
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from yt_platform.core.models.protocol import Parameters, forecasts, origins
from yt_platform.core.models.samples import (
    Mask,
    calibration_splits,
    known,
    last_rate,
    last_target,
    log_ratio,
    log_start,
    refuse_other_inputs,
)
from yt_platform.core.panel import Floats, floats
from yt_platform.core.tasks import TASKS, Task

if TYPE_CHECKING:
    from lightgbm import Booster

WEIGHT_POWER = 0.4
WEIGHT_FLOOR = 1000.0
"""Views per day, added before the power: videos far below it count about the same."""

LEARNED_FROM = {7: (5, 6, 7)}
"""Days ahead whose targets teach the p50 of a horizon, where it is not the horizon alone. Few videos stay on a chart
for a week: the days before the seventh double the rows, and took its WAPE in two held-out months from 0.265 to 0.262.
"""

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

BUNDLE = "bundle.json"


class LightGBMForecaster:
    """A bundle is a LightGBM text file per target, horizon and quantile, and a JSON of inputs, shifts, parameters and
    span.

    So many boosters as there are threads are trained side by side, each on one. LightGBM's own threads meet after
    every split, and where anything else wants a core they wait for one another: beside another busy process, two of
    them took 100 s for what one did in 7 s.
    """

    def __init__(self, task: Task, parameters: Parameters, threads: int) -> None:
        unknown = sorted(set(parameters) - set(MEDIAN_PARAMETERS))
        if unknown:
            raise ValueError(f"LightGBM is not tuned by {unknown}: choose of {sorted(MEDIAN_PARAMETERS)}")
        self._task = task
        self._median = MEDIAN_PARAMETERS | dict(parameters)
        self._threads = threads
        self._boosters: dict[str, Booster] = {}
        self._bundle: dict[str, Any] = {}

    def fit(self, frame: pd.DataFrame) -> None:
        splits = calibration_splits(self._task, frame)
        tasks: dict[str, _Booster] = {}
        for (target, horizon), (fitted, _) in splits.items():
            learned = {
                ahead: known(self._task, frame, target, ahead) for ahead in LEARNED_FROM.get(horizon, (horizon,))
            }
            tasks[_name(target, horizon, "p50")] = _Booster(target, self._median, learned, WEIGHT_POWER)
            for tail in TAILS:
                tasks[_name(target, horizon, tail)] = _Booster(target, _tail_parameters(tail), {horizon: fitted})
        with ThreadPoolExecutor(self._threads) as pool:
            boosters = pool.map(partial(self._train, frame), tasks.values())
            self._boosters = dict(zip(tasks, boosters, strict=True))
        self._bundle = {
            "task": self._task.name,
            "inputs": dict.fromkeys(_inputs_of(self._task), "float64"),
            "parameters": {"p50": self._median, **{tail: _tail_parameters(tail) for tail in TAILS}},
            "targets": {
                f"{target}_{horizon}": {
                    "shifts": {tail: self._shift(frame, held_out, target, horizon, tail) for tail in TAILS},
                    "rows": int(known(self._task, frame, target, horizon).sum()),
                    "calibration_rows": int(held_out.sum()),
                }
                for (target, horizon), (_, held_out) in splits.items()
            },
            "first_origin": str(frame[self._task.time].min()),
            "last_target": str(max(last_target(self._task, frame, *key) for key in splits)),
        }

    def _train(self, frame: pd.DataFrame, booster: "_Booster") -> "Booster":
        import lightgbm

        samples = booster.samples.items()
        rates = [last_rate(self._task, frame, booster.target)[mask] for _, mask in samples]
        data = lightgbm.Dataset(
            np.concatenate([self._inputs(frame, mask, ahead) for ahead, mask in samples]),
            np.concatenate([log_ratio(self._task, frame, booster.target, ahead)[mask] for ahead, mask in samples]),
            weight=(np.concatenate(rates) + WEIGHT_FLOOR) ** booster.weight_power,
            feature_name=list(_inputs_of(self._task)),
        )
        return lightgbm.train(booster.parameters, data)

    def _shift(self, frame: pd.DataFrame, held_out: Mask, target: str, horizon: int, tail: str) -> float:
        """What to add to a tail so that it holds its share of the held-out actuals."""
        if not held_out.any():
            return 0.0
        predicted = self._predict_log_ratio(self._inputs(frame, held_out, horizon), target, horizon, tail)
        missed = log_ratio(self._task, frame, target, horizon)[held_out] - predicted
        return float(np.quantile(missed, TAILS[tail]))

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        forecast = [
            self._forecast(features, target, horizon)
            for target in self._task.targets
            for horizon in self._task.horizons
        ]
        return pd.concat(forecast, ignore_index=True)

    def _forecast(self, features: pd.DataFrame, target: str, horizon: int) -> pd.DataFrame:
        mask = origins(self._task, features, target).to_numpy()
        if _name(target, horizon, "p50") not in self._boosters:
            increment = np.maximum(floats(features[self._task.increments[target]])[mask], 0.0)
            return forecasts(self._task, features[mask], target, horizon, *[increment * horizon] * 3)
        inputs, start = self._inputs(features, mask, horizon), log_start(self._task, features, target, horizon)[mask]
        shifts = {"p50": 0.0, **self._bundle["targets"][f"{target}_{horizon}"]["shifts"]}
        gained = {
            quantile: np.expm1(start + self._predict_log_ratio(inputs, target, horizon, quantile) + shift)
            for quantile, shift in shifts.items()
        }
        return forecasts(self._task, features[mask], target, horizon, **gained)

    def _predict_log_ratio(self, inputs: Floats, target: str, horizon: int, quantile: str) -> Floats:
        if not len(inputs):
            return np.empty(0)
        booster = self._boosters[_name(target, horizon, quantile)]
        return np.asarray(booster.predict(inputs, num_threads=self._threads), dtype="float64")

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, booster in self._boosters.items():
            booster.save_model(folder / f"{name}.txt")
        (folder / BUNDLE).write_text(json.dumps(self._bundle, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        import lightgbm

        bundle = json.loads((folder / BUNDLE).read_text())
        forecaster = cls(TASKS[bundle["task"]], {}, threads)
        forecaster._bundle = bundle
        refuse_other_inputs(folder, tuple(bundle["inputs"]), _inputs_of(forecaster._task))
        for file in folder.glob("*_p[159]0.txt"):
            forecaster._boosters[file.stem] = lightgbm.Booster(model_file=file)
        return forecaster

    def _inputs(self, rows: pd.DataFrame, mask: Mask, horizon: int) -> Floats:
        columns = [floats(rows[name])[mask] for name in self._task.features]
        return np.column_stack([*columns, np.full(mask.sum(), float(horizon))])


@dataclass(frozen=True)
class _Booster:
    """A booster to train: on the masked rows of the training frame, by steps ahead."""

    target: str
    parameters: dict[str, Any]
    samples: dict[int, Mask]
    weight_power: float = 0.0


def _name(target: str, horizon: int, quantile: str) -> str:
    return f"{target}_{horizon}_{quantile}"


def _inputs_of(task: Task) -> tuple[str, ...]:
    return (*task.features, "horizon")


def _tail_parameters(tail: str) -> dict[str, Any]:
    return TAIL_PARAMETERS | {"alpha": TAILS[tail]}
