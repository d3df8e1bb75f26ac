"""An LSTM over the last days of every series: one global network for all targets, horizons and quantiles.

It learns the logarithm of the ratio of what was gained to what the last rate would give, as LightGBM does: one that
learns nothing is naive. The newest `CALIBRATION_STEPS` are held out from learning: they say when to stop and calibrate
the interval (`calibration.py`). What it reads is in `lstm_inputs.py`, the network in `lstm_network.py`, and what was
tried in docs/decisions/0009-lstm-and-ensemble.md.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from yt_platform.forecasting.forecasters.calibration import Calibration, calibrate
from yt_platform.forecasting.forecasters.lstm_inputs import Arrays, Inputs
from yt_platform.forecasting.forecasters.protocol import Parameters, forecasts, origins
from yt_platform.forecasting.forecasters.samples import (
    Mask,
    calibration_splits,
    known,
    last_rate,
    last_target,
    log_ratio,
    log_start,
    refuse_other_inputs,
)
from yt_platform.forecasting.tasks import TASKS, Task
from yt_platform.panel import Floats, floats

if TYPE_CHECKING:
    from yt_platform.forecasting.forecasters.lstm_network import Network, Samples, Shape

PARAMETERS: dict[str, Any] = {
    "networks": 2,
    "hidden": 32,
    "width": 128,
    "epochs": 10,
    "patience": 3,
    "batch": 1024,
    "learning_rate": 0.003,
    "weight_decay": 0.01,
    "weight_power": 0.4,
    "seed": 1,
}
"""`networks` differ by their seed, and their logarithms are averaged. `weight_power`: of the last rate, by which p50's
errors count; errors matter in counts, but weights of counts themselves would leave a few hundred large videos."""

WEIGHT_FLOOR = 0.05
"""Of the median rate, added before the power: rates far below it count about the same."""

BUNDLE = "bundle.json"
WEIGHTS = "weights.pt"

_Key = tuple[str, int]


class LSTMForecaster:
    """A bundle is a JSON of parameters, fitted transforms, stretches and span, and a file of the networks' weights,
    which is read as tensors only: nothing in it can run."""

    def __init__(self, task: Task, parameters: Parameters, threads: int) -> None:
        unknown = sorted(set(parameters) - set(PARAMETERS))
        if unknown:
            raise ValueError(f"the LSTM is not tuned by {unknown}: choose of {sorted(PARAMETERS)}")
        self._task = task
        self._parameters = PARAMETERS | dict(parameters)
        self._threads = threads
        self._networks: list[Network] = []
        self._inputs = Inputs((), {}, (), 1)
        self._outputs: list[_Key] = []
        self._calibration = Calibration({})
        self._lineage: dict[str, Any] = {}

    def fit(self, frame: pd.DataFrame) -> None:
        from yt_platform.forecasting.forecasters.lstm_network import Schedule, train

        splits = calibration_splits(self._task, frame)
        self._outputs = list(splits)
        self._inputs = Inputs.fit(self._task, frame)
        names = ("epochs", "patience", "batch", "learning_rate", "weight_decay")
        schedule = Schedule(**{name: self._parameters[name] for name in names})
        fitted = self._samples(frame, {key: rows for key, (rows, _) in splits.items()})
        held_out = self._samples(frame, {key: rows for key, (_, rows) in splits.items()})
        seeds = range(self._parameters["seed"], self._parameters["seed"] + self._parameters["networks"])
        self._networks = train(self._shape(), schedule, fitted, held_out, seeds, self._threads)
        unseen = frame[np.any([rows for _, rows in splits.values()], axis=0)]
        self._calibration = calibrate(self._task, unseen, self._uncalibrated(unseen))
        self._lineage = {
            "rows": {f"{target}_{h}": int(known(self._task, frame, target, h).sum()) for target, h in splits},
            "first_origin": str(frame[self._task.time].min()),
            "last_target": str(max(last_target(self._task, frame, *key) for key in splits)),
        }

    def _samples(self, frame: pd.DataFrame, learned: dict[_Key, Mask]) -> "Samples":
        from yt_platform.forecasting.forecasters.lstm_network import Samples

        ratios = np.zeros((len(frame), len(learned)), np.float32)
        weights = np.zeros_like(ratios)
        for column, ((target, horizon), mask) in enumerate(learned.items()):
            ratios[mask, column] = log_ratio(self._task, frame, target, horizon)[mask]
            weights[mask, column] = self._weight(frame, target)[mask]
        rows = np.any(list(learned.values()), axis=0)
        return Samples(self._inputs.read(frame[rows]), ratios[rows], weights[rows])

    def _weight(self, frame: pd.DataFrame, target: str) -> Arrays:
        """Of each row, 1 in the mean of those with a rate."""
        rate = last_rate(self._task, frame, target)
        weight = (rate + max(WEIGHT_FLOOR * float(np.nanmedian(rate)), 1.0)) ** self._parameters["weight_power"]
        relative: Arrays = (weight / np.nanmean(weight)).astype(np.float32)
        return relative

    def _shape(self) -> "Shape":
        from yt_platform.forecasting.forecasters.lstm_network import Shape

        hidden, width = self._parameters["hidden"], self._parameters["width"]
        return Shape(self._inputs.static_count, self._inputs.channel_count, hidden, width, len(self._outputs))

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        return self._calibration.apply(self._task, features, self._uncalibrated(features))

    def _uncalibrated(self, features: pd.DataFrame) -> pd.DataFrame:
        from yt_platform.forecasting.forecasters.lstm_network import predict

        asked = np.any([origins(self._task, features, target) for target in self._task.targets], axis=0)
        logs = np.full((len(features), len(self._outputs), 3), np.nan)
        if asked.any():
            logs[asked] = predict(self._networks, self._inputs.read(features[asked]), self._threads)
        made = [
            self._forecast(features, logs, target, horizon)
            for target in self._task.targets
            for horizon in self._task.horizons
        ]
        return pd.concat(made, ignore_index=True)

    def _forecast(self, features: pd.DataFrame, logs: Floats, target: str, horizon: int) -> pd.DataFrame:
        mask = origins(self._task, features, target).to_numpy()
        if (target, horizon) in self._outputs:
            start = log_start(self._task, features, target, horizon)[mask, None]
            gained = np.expm1(start + logs[mask, self._outputs.index((target, horizon))])
        else:
            increment = np.maximum(floats(features[self._task.increments[target]])[mask], 0.0)
            gained = np.repeat(increment[:, None] * horizon, 3, axis=1)
        return forecasts(self._task, features[mask], target, horizon, *gained.T)

    def save(self, folder: Path) -> None:
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        bundle = {
            "task": self._task.name,
            "features": list(self._task.features),
            "parameters": self._parameters,
            "outputs": self._outputs,
            "inputs": self._inputs.as_json(),
            "stretches": self._calibration.stretches,
            **self._lineage,
        }
        (folder / BUNDLE).write_text(json.dumps(bundle, indent=2) + "\n")
        torch.save([network.state_dict() for network in self._networks], folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        import torch

        from yt_platform.forecasting.forecasters.lstm_network import network_of

        bundle = json.loads((folder / BUNDLE).read_text())
        task = TASKS[bundle["task"]]
        refuse_other_inputs(folder, tuple(bundle["features"]), task.features)
        forecaster = cls(task, bundle["parameters"], threads)
        forecaster._outputs = [(target, horizon) for target, horizon in bundle["outputs"]]
        forecaster._inputs = Inputs.of_json(bundle["inputs"])
        forecaster._calibration = Calibration(bundle["stretches"])
        forecaster._lineage = {name: bundle[name] for name in ("rows", "first_origin", "last_target")}
        weights = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        forecaster._networks = [network_of(forecaster._shape(), part) for part in weights]
        return forecaster
