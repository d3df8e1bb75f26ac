"""Which registered model answers which task, and from which tables it learns.

A further task joins by one more line in `MODELS`. Does not belong here: recipes (`forecasting/forecasters/catalog.py`),
and where models are kept (`models/registry.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from yt_platform.features.tables import CHANNEL_DAY as CHANNEL_DAY_FEATURES
from yt_platform.features.tables import VIDEO_DAY as VIDEO_DAY_FEATURES
from yt_platform.features.tables import VIDEO_HOUR as VIDEO_HOUR_FEATURES
from yt_platform.forecasting.tables import (
    CHANNEL_FORECAST,
    CHANNEL_FORECAST_ACCURACY,
    FORECAST_ACCURACY,
    VIDEO_FORECAST,
    VIDEO_HOUR_FORECAST,
    VIDEO_HOUR_FORECAST_ACCURACY,
)
from yt_platform.forecasting.tasks import CHANNEL_DAY, VIDEO_DAY, VIDEO_HOUR, Task
from yt_platform.metrics.tables import VIDEO_DAILY
from yt_platform.tables.declaration import Table


@dataclass(frozen=True)
class ModelSpec:
    """A registered model: its name, its task, and the tables of the task's features, counts and forecasts,
    and of how the forecasts did.

    `counts` has one row per series and time with the counts and `view_definition`, as `evaluate.actuals` takes them;
    it may be the same table as `features`. Fewer than `minimum_days` of history are too few to train and to score.
    `parameters` are those that differ from a kind's defaults, by kind; `kinds` the candidates, where they are not those
    of the settings.
    """

    name: str
    description: str
    task: Task
    features: Table
    counts: Table
    forecasts: Table
    accuracy: Table
    minimum_days: int
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()

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
    forecasts=VIDEO_FORECAST,
    accuracy=FORECAST_ACCURACY,
    minimum_days=24,  # a third is held out, and targets a week ahead must exist on both sides of the cut
)

FEWER_ROWS = {
    "lightgbm": {
        "num_iterations": 120,
        "bagging_fraction": 0.8,
        "learning_rate": 0.08,
        "num_leaves": 31,
        "min_data_in_leaf": 50,
    },
}
"""Series of channels and of hours are few: thousands of rows, where videos have hundreds of thousands."""

CHANNEL_FORECASTER = ModelSpec(
    name="channel_forecaster",
    description="Forecasts of the views a channel gains within 1, 7 and 28 days",
    task=CHANNEL_DAY,
    features=CHANNEL_DAY_FEATURES,
    counts=CHANNEL_DAY_FEATURES,
    forecasts=CHANNEL_FORECAST,
    accuracy=CHANNEL_FORECAST_ACCURACY,
    minimum_days=24,
    parameters=FEWER_ROWS,
    kinds=("lightgbm",),
)

VIDEO_HOUR_FORECASTER = ModelSpec(
    name="video_hour_forecaster",
    description="Forecasts of the views a video that is read hour by hour gains in the next hour",
    task=VIDEO_HOUR,
    features=VIDEO_HOUR_FEATURES,
    counts=VIDEO_HOUR_FEATURES,
    forecasts=VIDEO_HOUR_FORECAST,
    accuracy=VIDEO_HOUR_FORECAST_ACCURACY,
    minimum_days=6,  # two days are held out, and four teach the rhythm of a day
    parameters=FEWER_ROWS,
    kinds=("lightgbm",),
)

MODELS = {spec.name: spec for spec in (VIDEO_FORECASTER, CHANNEL_FORECASTER, VIDEO_HOUR_FORECASTER)}
