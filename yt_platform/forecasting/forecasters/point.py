"""What the baselines share: a point forecast from each row, and an interval from where held-out actuals lay beside it.

A baseline is a subclass that says what is learned (`_learn`) and what follows from it (`_log_gain`). Does not belong
here: LightGBM and the LSTM, which learn quantiles.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.forecasting.forecasters.calibration import Calibration, calibrate
from yt_platform.forecasting.forecasters.protocol import Parameters, forecasts, origins
from yt_platform.forecasting.forecasters.samples import (
    calibration_splits,
    known,
    last_rate,
    log_ratio,
    log_start,
    refuse_other_inputs,
)
from yt_platform.forecasting.tasks import TASKS, Task
from yt_platform.panel import Floats, floats

Arrays = Mapping[str, npt.NDArray[Any]]

WEIGHT_POWER = 0.4
"""A row counts by its last rate, over the median rate, to this power: errors matter in counts, but by counts
themselves a few hundred large videos would be all there is to learn from."""

BUNDLE = "bundle.json"
ARRAYS = "arrays.npz"

_Key = tuple[str, int]


class PointForecaster(ABC):
    """One model per target and horizon, fitted twice: without the newest steps to calibrate the interval on them, and
    with them for p50.

    A bundle is a JSON and an `npz` of arrays read without pickle: a pickle can run code when it is loaded, and opens
    only with the library's version that wrote it.
    """

    defaults: ClassVar[Mapping[str, Any]] = {}
    """The parameters a model has, with their values."""

    def __init__(self, task: Task, parameters: Parameters, threads: int) -> None:
        unknown = sorted(set(parameters) - set(self.defaults))
        if unknown:
            raise ValueError(f"{type(self).__name__} is not tuned by {unknown}: choose of {sorted(self.defaults)}")
        self._task = task
        self._parameters = {**self.defaults, **parameters}
        self._threads = threads
        self._learned: dict[_Key, Arrays] = {}
        self._calibration = Calibration({})

    @abstractmethod
    def _learn(self, rows: pd.DataFrame, target: str, horizon: int) -> Arrays:
        """What is learned from origins whose target at the horizon is known."""

    @abstractmethod
    def _log_gain(self, learned: Arrays, rows: pd.DataFrame, target: str, horizon: int) -> Floats:
        """Logarithm of 1 plus p50, of each of the origins in `rows`."""

    def fit(self, frame: pd.DataFrame) -> None:
        splits = calibration_splits(self._task, frame)
        self._learned = {key: self._learn(frame[early], *key) for key, (early, _) in splits.items()}
        held_out = frame[np.any([late for _, late in splits.values()], axis=0)]
        self._calibration = calibrate(self._task, held_out, self._points(held_out))
        self._learned = {key: self._learn(frame[known(self._task, frame, *key)], *key) for key in splits}

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        return self._calibration.apply(self._task, features, self._points(features))

    def _points(self, features: pd.DataFrame) -> pd.DataFrame:
        """Forecasts whose interval has no width."""
        asked = product(self._task.targets, self._task.horizons)
        return pd.concat([self._point(features, *key) for key in asked], ignore_index=True)

    def _point(self, features: pd.DataFrame, target: str, horizon: int) -> pd.DataFrame:
        rows = features[origins(self._task, features, target)]
        if (target, horizon) in self._learned:
            gain = np.expm1(self._log_gain(self._learned[target, horizon], rows, target, horizon))
        else:
            gain = np.maximum(floats(rows[self._task.increments[target]]), 0.0) * horizon
        return forecasts(self._task, rows, target, horizon, gain, gain, gain)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            f"{target} {horizon} {name}": array
            for (target, horizon), learned in self._learned.items()
            for name, array in learned.items()
        }
        np.savez_compressed(folder / ARRAYS, allow_pickle=False, **arrays)
        bundle = {
            "task": self._task.name,
            "inputs": list(self._task.features),
            "parameters": self._parameters,
            "learned": list(self._learned),
            "stretches": self._calibration.stretches,
        }
        (folder / BUNDLE).write_text(json.dumps(bundle, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        bundle = json.loads((folder / BUNDLE).read_text())
        task = TASKS[bundle["task"]]
        refuse_other_inputs(folder, tuple(bundle["inputs"]), task.features)
        forecaster = cls(task, bundle["parameters"], threads)
        forecaster._calibration = Calibration(bundle["stretches"])
        learned: dict[_Key, dict[str, npt.NDArray[Any]]] = {
            (target, horizon): {} for target, horizon in bundle["learned"]
        }
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            for key in arrays.files:
                target, horizon, name = key.split(" ")
                learned[target, int(horizon)][name] = arrays[key]
        forecaster._learned = dict(learned)
        return forecaster


class RatioForecaster(PointForecaster):
    """Regresses the logarithm of the ratio of what was gained to what the last rate would give on all features: one
    that learns nothing is close to naive."""

    @abstractmethod
    def _regress(self, inputs: Floats, ratio: Floats, weight: Floats) -> Arrays:
        """What is learned from inputs (rows by features, NaN where unknown)."""

    @abstractmethod
    def _ratio(self, learned: Arrays, inputs: Floats) -> Floats:
        """The logarithm of the ratio."""

    def _learn(self, rows: pd.DataFrame, target: str, horizon: int) -> Arrays:
        rate = last_rate(self._task, rows, target)
        weight = (1 + rate / max(np.median(rate), 1.0)) ** WEIGHT_POWER
        return self._regress(self._inputs(rows), log_ratio(self._task, rows, target, horizon), weight)

    def _log_gain(self, learned: Arrays, rows: pd.DataFrame, target: str, horizon: int) -> Floats:
        start = log_start(self._task, rows, target, horizon)
        return start + self._ratio(learned, self._inputs(rows)) if len(rows) else start

    def _inputs(self, rows: pd.DataFrame) -> Floats:
        return rows[list(self._task.features)].to_numpy(np.float64, na_value=np.nan)
