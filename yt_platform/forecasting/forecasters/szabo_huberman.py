"""Log-linear by age: the logarithm of the total at the target against that at the origin.

Szabo and Huberman, "Predicting the popularity of online content", Communications of the ACM 53(8), 2010: totals at two
ages are linear in their logarithms. They fit by age in hours; here ages share a bucket, as few videos are read at
each hour.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.forecasting.forecasters.point import Arrays, PointForecaster
from yt_platform.forecasting.forecasters.samples import MIN_ROWS
from yt_platform.forecasting.tasks import count_column, target_column
from yt_platform.panel import Floats, floats

AGE = "age_hours"
BUCKET_ENDS = (6, 12, 24, 36, 48, 72, 96, 144, 240, 480, 960, 2400)
"""Hours; older videos share a bucket, and those of unknown age another. A series without age has that one alone."""


class SzaboHubermanForecaster(PointForecaster):
    """A line by least squares in each bucket; one of fewer than `MIN_ROWS` totals takes the line of all."""

    def _learn(self, rows: pd.DataFrame, target: str, horizon: int) -> Arrays:
        total = floats(rows[count_column(target)])
        before, after = np.log1p(total), np.log1p(total + floats(rows[target_column(target, horizon)]))
        bucket = _buckets(rows)
        lines = np.tile(_line(before, after), (len(BUCKET_ENDS) + 2, 1))
        for number in np.unique(bucket):
            inside = bucket == number
            if inside.sum() >= MIN_ROWS:
                lines[number] = _line(before[inside], after[inside])
        return {"lines": lines}

    def _log_gain(self, learned: Arrays, rows: pd.DataFrame, target: str, horizon: int) -> Floats:
        slope, intercept = learned["lines"][_buckets(rows)].T
        total = floats(rows[count_column(target)])
        gain = np.expm1(slope * np.log1p(total) + intercept) - total
        logarithm: Floats = np.log1p(np.maximum(gain, 0.0))
        return logarithm


def _line(before: Floats, after: Floats) -> Floats:
    """Slope and intercept; of totals that are all the same, their mean growth."""
    if np.ptp(before) == 0:
        return np.array([1.0, (after - before).mean()])
    centred = before - before.mean()
    slope = (centred * after).sum() / (centred**2).sum()
    return np.array([slope, after.mean() - slope * before.mean()])


def _buckets(rows: pd.DataFrame) -> npt.NDArray[np.intp]:
    if AGE not in rows:
        return np.full(len(rows), len(BUCKET_ENDS) + 1)
    age = floats(rows[AGE])
    return np.where(np.isnan(age), len(BUCKET_ENDS) + 1, np.searchsorted(BUCKET_ENDS, age))
