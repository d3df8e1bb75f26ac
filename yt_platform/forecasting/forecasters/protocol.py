"""What a forecaster is: the one protocol, the shapes of its input and output, and the rules every model keeps.

Does not belong here: any particular model, and anything about errors or gates (`forecasting/evaluation.py`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from yt_platform.errors import MisuseError
from yt_platform.forecasting.tasks import Task
from yt_platform.panel import Floats

Parameters = Mapping[str, Any]
"""What tuning may change of a model; what is not named keeps the model's default."""


class NotEnoughRowsError(MisuseError):
    """There is nothing to fit or to score; the message says how many rows there are and what is needed."""


class Forecaster(Protocol):
    """Forecasts what each target of a task gains from the origin to each horizon."""

    def __init__(self, task: Task, parameters: Parameters, threads: int) -> None:
        """`threads` changes the time, never the forecasts. Raises ValueError for a parameter the model has not."""

    def fit(self, frame: pd.DataFrame) -> None:
        """Learn from `evaluate.training_frame`: features, and the columns `target_column` names.

        Raises NotEnoughRowsError when the task's first target has too few known values at a horizon. A later target
        with too few (likes that everyone hides) is forecast as naive would.
        """

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Forecasts from the rows of `features` that are origins (`origins`): one row per origin, target and horizon.

        Columns: the series, the origin's time, `target`, `horizon` (steps), and `p10`, `p50`, `p90`: what is gained,
        with 0 <= p10 <= p50 <= p90.
        """

    def save(self, folder: Path) -> None:
        """Write all that `load` needs to predict bit for bit the same."""

    @classmethod
    def load(cls, folder: Path, threads: int) -> Self:
        """Raises ValueError when the bundle was made for other features than this code computes."""


def origins(task: Task, features: pd.DataFrame, target: str) -> pd.Series:
    """Rows to forecast a target from: those with a reading one step before, hence a last increment."""
    return features[task.increments[target]].notna()


def forecasts(
    task: Task, origin: pd.DataFrame, target: str, horizon: int, p10: Floats, p50: Floats, p90: Floats
) -> pd.DataFrame:
    """The rows of one target and horizon in the shape of `Forecaster.predict`; p10 and p90 give way to p50 where they
    cross it."""
    p50 = np.maximum(p50, 0.0)
    return pd.DataFrame(
        {
            task.series: origin[task.series].array,
            task.time: origin[task.time].array,
            "target": target,
            "horizon": horizon,
            "p10": np.clip(p10, 0.0, p50),
            "p50": p50,
            "p90": np.maximum(p90, p50),
        }
    )
