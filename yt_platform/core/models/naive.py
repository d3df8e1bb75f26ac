"""The forecast every other must beat: tomorrow is as today."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from yt_platform.core.features import floats
from yt_platform.core.models.protocol import HORIZONS, forecasts, is_origin


class NaiveForecaster:
    """The last daily increment, or 0 when the count fell, times the horizon; its interval has no width."""

    def fit(self, frame: pd.DataFrame) -> None:
        """There is nothing to learn."""

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        origin = features[is_origin(features)]
        increment = np.maximum(floats(origin["view_increment"]), 0.0)
        return pd.concat([forecasts(origin, h, *[increment * h] * 3) for h in HORIZONS], ignore_index=True)

    def save(self, folder: Path) -> None:
        """There is nothing to keep."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls()
