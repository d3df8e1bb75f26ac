"""Arrays of many series over time: any lag of all rows at once, and the arithmetic features share.

Belongs here: what every builder of features needs. Which features there are is theirs.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Features = dict[str, Floats]


def series_key(series: Rows, time: pd.Series, step: Literal["D", "h"] = "D") -> Ints:
    """One number per series (numbered from 0) and day or hour, in that order; a step earlier is 1 less.

    `time` is naive, in UTC.
    """
    steps: Ints = time.to_numpy(f"datetime64[{step}]").astype("int64")
    return series.astype("int64") * Panel.SPAN + steps


class Panel:
    """Rows of series by time, sorted by key, so that any lag of all rows is one binary search."""

    SPAN = 1 << 20  # hours since 1970 stay below it until 2089

    def __init__(self, key: Ints) -> None:
        self.key = key
        self._padded = np.append(key, -1)

    def at(self, key: Ints) -> Rows:
        """The row that has each key, -1 where none has."""
        row = np.searchsorted(self.key, key)
        return np.where(self._padded[row] == key, row, -1)

    def newest(self, key: Ints, lookback: int) -> Rows:
        """The series' last row in the `lookback` steps up to each key, -1 where there is none."""
        row = np.searchsorted(self.key, key, side="right") - 1
        return np.where(key - self._padded[row] <= lookback, row, -1)


class History:
    """What lies up to `lookback` steps before each origin."""

    def __init__(self, panel: Panel, origins: Ints, lookback: int) -> None:
        self.origins = origins
        self._rows = [panel.at(origins - k) for k in range(lookback + 1)]

    def lag(self, values: Floats, k: int) -> Floats:
        """`values`, one per row of the panel, k steps before each origin."""
        return take(values, self._rows[k])

    def observed(self, k: int) -> npt.NDArray[np.bool_]:
        return self._rows[k] >= 0


def take(values: Floats, rows: Rows) -> Floats:
    """`values` at `rows`, NaN at row -1."""
    return np.append(values, np.nan)[rows]


def floats(column: pd.Series) -> Floats:
    """The column's values, NaN where unknown."""
    values: Floats = column.to_numpy(np.float64, na_value=np.nan)
    return values


def acceleration(rate: Floats, earlier: Floats) -> Floats:
    """Log ratio of two rates, each plus one; a negative rate counts as 0."""
    return np.log1p(np.maximum(rate, 0.0)) - np.log1p(np.maximum(earlier, 0.0))


def ratio(part: Floats, whole: Floats) -> Floats:
    """Unknown unless `whole` is positive."""
    found = np.full(len(whole), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def mean(columns: list[Floats]) -> Floats:
    """Row by row over the known values."""
    total, known = np.zeros(len(columns[0])), np.zeros(len(columns[0]))
    for column in columns:  # added in this order: numpy's sum over a table of one row alone would round otherwise
        total += np.nan_to_num(column)
        known += ~np.isnan(column)
    return ratio(total, known)
