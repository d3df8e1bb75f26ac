"""What a forecaster is: the one protocol, the shapes of its input and output, and the rules both keep.

Does not belong here: any particular model, and anything about errors or gates (`core/evaluate.py`).
"""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
import pandas as pd

from yt_platform.core.features import Floats

HORIZONS = (1, 3, 7)
"""Days from the origin to the target."""

QUANTILES = (0.1, 0.5, 0.9)


class NotEnoughRowsError(ValueError):
    """There is nothing to fit or to score; the message says how many rows there are and what is needed."""


class Forecaster(Protocol):
    """Forecasts how many views a video gains from the origin day to each of `HORIZONS` days later."""

    def fit(self, frame: pd.DataFrame) -> None:
        """Learn from `evaluate.training_frame`: features and the target columns `y_1` to `y_7`.

        Raises NotEnoughRowsError when a horizon has no row with a known target.
        """

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Forecasts from the rows of `features.video_day` that are origins (`is_origin`).

        One row per origin and horizon: `video_id`, `day` (the origin), `horizon` (days), and `p10`, `p50`, `p90`: views
        gained, with 0 <= p10 <= p50 <= p90.
        """

    def save(self, folder: Path) -> None:
        """Write the bundle: all that `load` needs to predict bit for bit the same."""

    @classmethod
    def load(cls, folder: Path) -> Self: ...


def is_origin(features: pd.DataFrame) -> pd.Series:
    """Rows to forecast from: those with a reading on the day before, hence a last daily increment."""
    return features["view_increment"].notna()


def forecasts(origin: pd.DataFrame, horizon: int, p10: Floats, p50: Floats, p90: Floats) -> pd.DataFrame:
    """The rows of one horizon in the shape of `Forecaster.predict`; p10 and p90 give way to p50 where they cross it."""
    p50 = np.maximum(p50, 0.0)
    return pd.DataFrame(
        {
            "video_id": origin["video_id"].array,
            "day": origin["day"].array,
            "horizon": horizon,
            "p10": np.clip(p10, 0.0, p50),
            "p50": p50,
            "p90": np.maximum(p90, p50),
        }
    )
