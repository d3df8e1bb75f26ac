"""What is forecast: the gains of which counts, of which kind of series, how many steps ahead, and from which columns.

A task knows names of columns and lengths of steps. It does not know how to forecast (`forecasting/forecasters`), how
good a forecast was (`forecasting/evaluation.py`), or how the columns are computed (`features/videos.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from yt_platform.features.tables import (
    CHANNEL_DAY_FEATURES,
    SINCE_READING,
    VIDEO_DAY_FEATURES,
    VIDEO_HOUR_FEATURES,
)

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Task:
    """One kind of series and the counts whose gains are forecast, in steps from the origin.

    A row of features is an origin of a target where the target's increment is known. `rates` hold the last increment
    per step with the time between the readings taken out; `increments` are as counted, and naive's basis.
    """

    name: str
    series: str
    time: str
    step: pd.Timedelta
    horizons: tuple[int, ...]
    targets: tuple[str, ...]
    features: tuple[str, ...]
    increments: Mapping[str, str]
    rates: Mapping[str, str]

    @property
    def unit(self) -> str:
        """What a step is called: day or hour."""
        return {pd.Timedelta(days=1): "day", pd.Timedelta(hours=1): "hour"}[self.step]

    @property
    def row(self) -> list[str]:
        """What identifies a forecast of one model: series, origin, target, and steps to the target."""
        return [self.series, self.time, "target", "horizon"]

    def within(self, horizons: Collection[int]) -> "Task":
        """The same task at some of its horizons: the others have too little history yet."""
        return replace(self, horizons=tuple(horizon for horizon in self.horizons if horizon in horizons))

    @property
    def days_ahead(self) -> list[int]:
        """How many UTC days a target may lie after its origin: an hour ahead is the same day or the next."""
        day = pd.Timedelta(days=1)
        spans = [self.step * horizon for horizon in self.horizons]
        return sorted({days for span in spans for days in (span // day, -(-span // day))})

    @property
    def steps_ahead(self) -> range:
        """Every step up to the furthest horizon."""
        return range(1, max(self.horizons) + 1)


def count_column(target: str) -> str:
    """The column that counts a target: `views` are counted by `view_count`."""
    return f"{target.removesuffix('s')}_count"


def target_column(target: str, ahead: int) -> str:
    """The column of a training frame with what a target gained so many steps ahead."""
    return f"y_{target}_{ahead}"


def rate_lags(task: Task, target: str) -> list[str]:
    """The columns of the target's rates, newest first: `view_rate_lag_0`, `view_rate_lag_1`, and so on."""
    stem = task.rates[target].removesuffix("0")
    lags = (f"{stem}{k}" for k in range(len(task.features)))
    return [name for name in lags if name in task.features]


VIDEO_DAY = Task(
    name="video_day",
    series="video_id",
    time="day",
    step=pd.Timedelta(days=1),
    horizons=(1, 3, 7),
    targets=("views", "likes", "comments"),
    features=tuple(name for name in VIDEO_DAY_FEATURES if name not in SINCE_READING),
    increments={"views": "view_increment", "likes": "like_increment", "comments": "comment_increment"},
    rates={"views": "view_rate_lag_0", "likes": "like_rate_lag_0", "comments": "comment_rate_lag_0"},
)

VIDEO_HOUR = Task(
    name="video_hour",
    series="video_id",
    time="hour",
    step=pd.Timedelta(hours=1),
    horizons=(1,),
    targets=("views",),
    features=VIDEO_HOUR_FEATURES,
    increments={"views": "view_increment"},
    rates={"views": "view_rate_lag_0"},
)

CHANNEL_DAY = Task(
    name="channel_day",
    series="channel_id",
    time="day",
    step=pd.Timedelta(days=1),
    horizons=(1, 7, 28),
    targets=("views",),
    features=CHANNEL_DAY_FEATURES,
    increments={"views": "view_increment"},
    rates={"views": "view_rate_lag_0"},
)

_COLD_RATES = {target: f"start_{target.removesuffix('s')}_rate" for target in VIDEO_DAY.targets}

VIDEO_COLD = Task(
    name="video_cold",
    series="video_id",
    time="day",
    step=pd.Timedelta(days=1),
    horizons=VIDEO_DAY.horizons,
    targets=VIDEO_DAY.targets,
    features=(*VIDEO_DAY_FEATURES, "hours_to_publication", _COLD_RATES["views"]),
    increments=_COLD_RATES,
    rates=_COLD_RATES,
)
"""Videos without a last daily increment; `forecasting/cold.py` makes its rows."""

TASKS = {task.name: task for task in (VIDEO_DAY, VIDEO_COLD, VIDEO_HOUR, CHANNEL_DAY)}
