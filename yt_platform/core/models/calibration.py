"""Intervals that hold their share: p10 and p90 stretched by what held-out actuals say, apart for each kind of series.

Belongs here: conformal calibration of any forecaster's quantiles. Does not belong here: how the quantiles come about,
and which rows were held out from them (both the model's), and how coverage is judged (`core/evaluate.py`).

It is conformalized quantile regression (Romano, Patterson and Candès 2019) in the scaled form: an actual is measured
from the middle of p10 and p90 in half widths of its own interval, in logarithms, and the tenth and ninetieth percentile
of these measures are where p10 and p90 go. p50 plays no part: it may come of a model that has seen those actuals.
The percentiles are taken in each cell of age, size and Shorts guess (Mondrian conformal prediction, Vovk et al. 2005),
and drawn towards those of all cells where a cell has few rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from yt_platform.core.evaluate import slices
from yt_platform.core.models.protocol import origins
from yt_platform.core.panel import Floats, Rows, floats
from yt_platform.core.tasks import Task, target_column

MIN_ROWS = 100
"""With fewer a tenth of them is chance: quantiles stay as the forecaster gave them."""

SHRINKAGE_ROWS = 50
"""A cell's own percentiles count as its rows to these: two thirds at 100."""

MIN_HALF_WIDTH = 0.01
"""Of an interval, as a logarithm (1 %): so that one without width can be stretched."""

WHOLE = "all"

Stretch = tuple[float, float]
"""Half widths from the middle to p10 (mostly negative) and to p90; -1 and 1 change nothing."""


@dataclass(frozen=True)
class Calibration:
    """Stretches by target and horizon ("views_1") and cell ("3-7 days/100 k-1 M/no", or `WHOLE`); plain values, to be
    kept as JSON in a bundle."""

    stretches: Mapping[str, Mapping[str, Stretch]]

    def apply(self, task: Task, features: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
        """`forecasts`, as a forecaster makes them from the rows of `features`, with p10 and p90 moved.

        p50 stays, and 0 <= p10 <= p50 <= p90 still holds.
        """
        p10, p90 = floats(forecasts["p10"]).copy(), floats(forecasts["p90"]).copy()
        for target, horizon, rows, origin in _by_horizon(task, features, forecasts):
            name = _name(target, horizon)
            if name in self.stretches:
                p10[rows], p90[rows] = self._stretched(name, cells(origin), forecasts.iloc[rows])
        return forecasts.assign(p10=p10, p90=p90)

    def _stretched(self, name: str, cell: pd.Series, forecasts: pd.DataFrame) -> tuple[Floats, Floats]:
        stretches = self.stretches[name]
        code, found = pd.factorize(cell)
        factors = np.array([stretches.get(label, stretches[WHOLE]) for label in found]).reshape(-1, 2)[code]
        middle, half_width = _log_interval(forecasts)
        p50 = floats(forecasts["p50"])
        p10, p90 = (np.expm1(middle + factors[:, side] * half_width) for side in (0, 1))
        return np.clip(p10, 0.0, p50), np.maximum(p90, p50)


def calibrate(task: Task, frame: pd.DataFrame, forecasts: pd.DataFrame) -> Calibration:
    """Stretches under which a tenth of the actuals in `frame` lies beyond p10 and another beyond p90.

    `frame` holds rows of a training frame that the forecaster was not fitted on, best its newest days; `forecasts` is
    what it predicts from them. Targets and horizons with fewer than `MIN_ROWS` actuals are left as they are.
    """
    stretches = {}
    for target, horizon, rows, origin in _by_horizon(task, frame, forecasts):
        known = floats(origin[target_column(target, horizon)])
        seen = ~np.isnan(known)
        if seen.sum() >= MIN_ROWS:
            middle, half_width = _log_interval(forecasts.iloc[rows[seen]])
            measures = (np.log1p(known[seen]) - middle) / half_width
            stretches[_name(target, horizon)] = _by_cell(measures, cells(origin[seen]))
    return Calibration(stretches)


def cells(features: pd.DataFrame) -> pd.Series:
    """The combination of slices that each row is in, as text."""
    told = [column for _, column in slices(features).items()]
    return reduce(lambda left, right: left + "/" + right, told) if told else pd.Series(WHOLE, features.index)


def _name(target: str, horizon: int) -> str:
    return f"{target}_{horizon}"


def _by_horizon(
    task: Task, features: pd.DataFrame, forecasts: pd.DataFrame
) -> Iterator[tuple[str, int, Rows, pd.DataFrame]]:
    """Each target and horizon, the positions of its forecasts, and the origins they were made from."""
    targets, horizons = forecasts["target"].to_numpy(), forecasts["horizon"].to_numpy()
    for target in task.targets:
        origin = features[origins(task, features, target)]
        for horizon in task.horizons:
            rows = np.flatnonzero((targets == target) & (horizons == horizon))
            if len(origin) != len(rows):
                raise ValueError(
                    f"{len(rows)} forecasts of {target} at {horizon} steps were given with {len(origin)} origins: "
                    "calibrate forecasts with the very rows they were made from"
                )
            yield target, horizon, rows, origin


def _log_interval(forecasts: pd.DataFrame) -> tuple[Floats, Floats]:
    """Middle and half width of the interval from p10 to p90, in logarithms."""
    low, high = (np.log1p(floats(forecasts[name])) for name in ("p10", "p90"))
    return (low + high) / 2, np.maximum((high - low) / 2, MIN_HALF_WIDTH)


def _by_cell(measures: Floats, cell: pd.Series) -> dict[str, Stretch]:
    whole = _tails(measures)
    found = {WHOLE: (float(whole[0]), float(whole[1]))}
    code, labels = pd.factorize(cell)
    for number, label in enumerate(labels):
        own = measures[code == number]
        if len(own) >= MIN_ROWS:
            low, high = (len(own) * _tails(own) + SHRINKAGE_ROWS * whole) / (len(own) + SHRINKAGE_ROWS)
            found[label] = (float(low), float(high))
    return found


def _tails(measures: Floats) -> Floats:
    return np.quantile(measures, (0.1, 0.9))
