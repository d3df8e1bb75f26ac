"""Which registered model answers which task, and from which tables it learns.

A further task joins by one more line in `MODELS`. Does not belong here: recipes (`core/models/catalog.py`), and where
models are kept (`io/registry.py`).
"""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from yt_platform.core.schemas.base import Table
from yt_platform.core.schemas.features import VIDEO_DAY as VIDEO_DAY_FEATURES
from yt_platform.core.schemas.metrics import VIDEO_DAILY
from yt_platform.core.tasks import VIDEO_DAY, Task


@dataclass(frozen=True)
class ModelSpec:
    """A registered model: its name, its task, and the tables that hold the task's features and counts.

    `counts` has one row per series and time with the counts and `view_definition`, as `evaluate.actuals` takes them;
    it may be the same table as `features`. Fewer than `minimum_days` of history are too few to train and to score.
    """

    name: str
    description: str
    task: Task
    features: Table
    counts: Table
    minimum_days: int

    def end_of(self, day: date) -> pd.Timestamp:
        """The last time of the task on a UTC day: the day itself, or its last hour."""
        zone = getattr(self.features.schema.columns[self.task.time].dtype.type, "tz", None)
        return pd.Timestamp(day, tz=zone) + pd.Timedelta(days=1) - self.task.step


VIDEO_FORECASTER = ModelSpec(
    name="video_forecaster",
    description="Forecasts of gained views, likes and comments of a video at 1, 3 and 7 days",
    task=VIDEO_DAY,
    features=VIDEO_DAY_FEATURES,
    counts=VIDEO_DAILY,
    minimum_days=24,  # a third is held out, and targets a week ahead must exist on both sides of the cut
)

MODELS = {spec.name: spec for spec in (VIDEO_FORECASTER,)}
