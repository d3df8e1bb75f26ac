"""Intervals that hold their share: p10 and p90 stretched by what held-out actuals say, apart for each kind of series.

Belongs here: conformal calibration of any forecaster's quantiles. Does not belong here: how the quantiles come about,
and which rows were held out from them (both the model's), and how coverage is judged (`forecasting/evaluation.py`).

It is conformalized quantile regression (Romano, Patterson and Candès 2019) in the scaled form: an actual is measured
from the middle of p10 and p90 in half widths of its own interval, in logarithms, and the tenth and ninetieth percentile
of these measures are where p10 and p90 go. p50 plays no part: it may come of a model that has seen those actuals.

The percentiles are sums of one for all rows and one for each slice a row is in (age, size, Shorts guess), so found that
every slice holds its share at once (Gibbs, Cherian and Candès 2023, with the slices as covariates). One for each
combination of slices would be learned from too few rows: 50 combinations share two weeks of readings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from yt_platform.forecasting.evaluation import slices
from yt_platform.forecasting.forecasters.protocol import origins
from yt_platform.forecasting.tasks import Task, target_column
from yt_platform.panel import Floats, Rows, floats

MIN_ROWS = 100
"""With fewer a tenth of them is chance: quantiles stay as the forecaster gave them."""

SHRINKAGE_ROWS = 50
"""What a slice adds counts as its rows to these: two thirds at 100."""

ROUNDS = 5
"""Over the slices: what one of them adds changes what the others have to."""

MIN_HALF_WIDTH = 0.01
"""Of an interval, as a logarithm (1 %): so that one without width can be stretched."""

WHOLE = "all"
TAILS = (0.1, 0.9)

Stretch = tuple[float, float]
"""Half widths from the middle to p10 (mostly negative) and to p90; -1 and 1 change nothing."""


@dataclass(frozen=True)
class Calibration:
    """Stretches by target and horizon ("views_1"): that of `WHOLE`, and what each slice ("age: 3-7 days") adds to it.
    Plain values, to be kept as JSON in a bundle."""

    stretches: Mapping[str, Mapping[str, Stretch]]

    def apply(self, task: Task, features: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
        """`forecasts`, as a forecaster makes them from the rows of `features`, with p10 and p90 moved.

        0 <= p10 <= p50 <= p90 still holds, and no quantile lies below that of the horizon before: what is gained in
        three days is part of what is gained in seven.
        """
        found = forecasts[["p10", "p50", "p90"]].to_numpy("float64", copy=True)
        shorter: dict[str, Rows] = {}
        for target, horizon, rows, origin in _by_horizon(task, features, forecasts):
            name = _name(target, horizon)
            if name in self.stretches:
                found[rows, 0], found[rows, 2] = self._stretched(name, slices(origin), forecasts.iloc[rows])
            found[rows] = np.maximum(found[rows], found[shorter.get(target, rows)])
            shorter[target] = rows
        return forecasts.assign(p10=found[:, 0], p50=found[:, 1], p90=found[:, 2])

    def _stretched(self, name: str, told: pd.DataFrame, forecasts: pd.DataFrame) -> tuple[Floats, Floats]:
        added = self.stretches[name]
        stretch = np.tile(added[WHOLE], (len(told), 1))
        for by in told:
            code, labels = pd.factorize(told[by])
            stretch += np.array([added.get(f"{by}: {label}", (0.0, 0.0)) for label in labels]).reshape(-1, 2)[code]
        middle, half_width = _log_interval(forecasts)
        p50 = floats(forecasts["p50"])
        p10, p90 = (np.expm1(middle + stretch[:, side] * half_width) for side in (0, 1))
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
            stretches[_name(target, horizon)] = _by_slice(measures, slices(origin[seen]))
    return Calibration(stretches)


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


def _by_slice(measures: Floats, told: pd.DataFrame) -> dict[str, Stretch]:
    """The tails of all rows, and what each slice adds, found one slice after the other on what the others leave."""
    whole = _tails(measures)
    stretch = np.tile(whole, (len(measures), 1))
    rows = {f"{by}: {label}": np.flatnonzero(told[by] == label) for by in told for label in told[by].unique()}
    added = {name: np.zeros(2) for name, of_slice in rows.items() if len(of_slice) >= MIN_ROWS}
    for _ in range(ROUNDS):
        for name, adds in added.items():
            of_slice = rows[name]
            left = measures[of_slice, np.newaxis] - (stretch[of_slice] - adds)
            share = len(of_slice) / (len(of_slice) + SHRINKAGE_ROWS)
            new = share * np.array([np.quantile(left[:, side], TAILS[side]) for side in (0, 1)])
            stretch[of_slice] += new - adds
            added[name] = new
    return {name: (float(low), float(high)) for name, (low, high) in ({WHOLE: whole} | added).items()}


def _tails(measures: Floats) -> Floats:
    return np.quantile(measures, TAILS)
