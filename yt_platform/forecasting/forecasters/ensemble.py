"""The weighted mean of other forecasters' forecasts, taken of their logarithms.

Members are fitted once: by `fit`, or before, and handed to `EnsembleForecaster.of`. What they count is fixed: weights
learned at every training would need members fitted twice, without the newest days and with them, and the error is flat
around the best (docs/decisions/0009-lstm-and-ensemble.md). The mean of calibrated intervals covers 80 to 82 % there.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from yt_platform.forecasting.forecasters.catalog import (
    Recipe,
    load_forecaster,
    make_forecaster,
    recipe_of,
    save_forecaster,
)
from yt_platform.forecasting.forecasters.protocol import Forecaster, Parameters
from yt_platform.forecasting.tasks import TASKS, Task

KIND = "ensemble"

MEMBERS: Mapping[str, Parameters] = {"lightgbm": {}, "lstm": {}}

WEIGHTS = {"lightgbm": 2.0}
"""Of members by kind; 1 for others."""

BUNDLE = "ensemble.json"

_QUANTILES = ["p10", "p50", "p90"]


class EnsembleForecaster:
    """Parameters are those of the members by their kinds, which may be any of the catalog; without any, `MEMBERS`.

    A bundle has a folder per member, itself a bundle.
    """

    def __init__(self, task: Task, parameters: Parameters, threads: int) -> None:
        self._task = task
        self._recipes = {kind: Recipe(kind, own) for kind, own in (parameters or MEMBERS).items()}
        if KIND in self._recipes:
            raise ValueError("an ensemble has no ensembles for members: name what they are made of")
        self._members = {kind: make_forecaster(recipe, task, threads) for kind, recipe in self._recipes.items()}

    @classmethod
    def of(cls, task: Task, parameters: Parameters, members: Mapping[str, Forecaster]) -> Self:
        """An ensemble of members, by kind, that were fitted before on one and the same frame."""
        ensemble = cls(task, parameters, threads=1)
        if set(members) != set(ensemble._members):
            raise ValueError(f"an ensemble of {sorted(ensemble._members)} was given {sorted(members)}")
        ensemble._members = {kind: members[kind] for kind in ensemble._members}
        return ensemble

    def fit(self, frame: pd.DataFrame) -> None:
        for member in self._members.values():
            member.fit(frame)

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        return self.combine({kind: member.predict(features) for kind, member in self._members.items()})

    def combine(self, made: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """Its forecasts from those its members made of one and the same features, by kind."""
        return combined(self._task, [made[kind] for kind in self._members], [*map(_weight, self._members)])

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, member in self._members.items():
            save_forecaster(member, self._recipes[kind], self._task, folder / kind)
        told: dict[str, Any] = {"task": self._task.name, "members": list(self._members)}
        (folder / BUNDLE).write_text(json.dumps(told, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        told = json.loads((folder / BUNDLE).read_text())
        parameters = {kind: recipe_of(folder / kind).parameters for kind in told["members"]}
        members = {kind: load_forecaster(folder / kind, threads) for kind in told["members"]}
        return cls.of(TASKS[told["task"]], parameters, members)


def _weight(kind: str) -> float:
    return WEIGHTS.get(kind, 1.0)


def combined(task: Task, forecasts: list[pd.DataFrame], weights: list[float]) -> pd.DataFrame:
    """The mean of the logarithms of each quantile. All are forecasts of the same rows, in the order of `predict`."""
    first = forecasts[0]
    if not all(first[task.row].equals(other[task.row]) for other in forecasts[1:]):
        raise ValueError("members of an ensemble answered different origins")
    logs = [np.log1p(forecast[_QUANTILES].to_numpy("float64")) for forecast in forecasts]
    p10, p50, p90 = np.expm1(np.average(logs, axis=0, weights=weights)).T
    # in order as the members' are, but for the last bit of a rounded exponential
    return first.assign(p10=np.minimum(p10, p50), p50=p50, p90=np.maximum(p90, p50))
