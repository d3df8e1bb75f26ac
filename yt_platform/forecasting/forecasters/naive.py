"""The forecast every other must beat: the next step is as the last."""

import json
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from yt_platform.forecasting.forecasters.protocol import Parameters, forecasts, origins
from yt_platform.forecasting.tasks import TASKS, Task
from yt_platform.panel import floats

BUNDLE = "naive.json"


class NaiveForecaster:
    """The last increment, or 0 when the count fell, times the horizon; its interval has no width."""

    def __init__(self, task: Task, parameters: Parameters, threads: int) -> None:
        if parameters:
            raise ValueError(f"the naive forecast has no parameters, and was given {sorted(parameters)}")
        self._task = task

    def fit(self, frame: pd.DataFrame) -> None:
        """There is nothing to learn."""

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([self._of(features, target) for target in self._task.targets], ignore_index=True)

    def _of(self, features: pd.DataFrame, target: str) -> pd.DataFrame:
        origin = features[origins(self._task, features, target)]
        increment = np.maximum(floats(origin[self._task.increments[target]]), 0.0)
        return pd.concat(
            [forecasts(self._task, origin, target, h, *[increment * h] * 3) for h in self._task.horizons],
            ignore_index=True,
        )

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BUNDLE).write_text(json.dumps({"task": self._task.name}) + "\n")

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        return cls(TASKS[json.loads((folder / BUNDLE).read_text())["task"]], {}, threads)
