"""What the LSTM reads of a row of features: transforms fitted once on the training rows and kept in the bundle.

Belongs here: numbers into the range a network learns from. Does not belong here: the network (`lstm_network.py`), and
what it is asked (`lstm.py`).

A column named `<channel>_lag_<k>` is step k of a sequence that ends at the origin; every column is a static input as
well, so that nothing has to pass the recurrence to be read. Sizes become logarithms (the sign is kept), centred on the
median, divided by a spread that outliers do not move, and cut off at `LIMIT`: a size never seen in training cannot run
away. Unknown is 0, the median, with an input beside it that says so where training had both. Columns that training
did not know, or knew one value of, are left out: a weight for them would be chance.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.forecasting.tasks import Task
from yt_platform.panel import Floats, floats

Arrays = npt.NDArray[np.float32]

LIMIT = 4.0
"""Spreads from the median, where a normal distribution has 1 value in 16,000."""

MIN_SHARE = 0.01
"""Of the training rows: a column known in fewer is left out, and one unknown in fewer gets no input that says so."""

PERIODS = {"weekday": 7.0, "hour": 24.0}
"""By the last word of a column's name: its values go round, and are read as sine and cosine."""

_LAGGED = re.compile(r"(.+)_lag_(\d+)")


class Read(NamedTuple):
    """Inputs of some rows: `statics` (rows by inputs), `sequences` (rows by steps, oldest first, by inputs), and which
    steps anything is `known` of (rows by steps, 1 or 0)."""

    statics: Arrays
    sequences: Arrays
    known: Arrays


@dataclass(frozen=True)
class Scale:
    """Of logarithms of sizes."""

    center: float
    spread: float

    @classmethod
    def fit(cls, values: Floats) -> Self | None:
        """None when the known values are all alike, or almost."""
        known = _log_size(values[~np.isnan(values)])
        if not len(known):
            return None
        low, quarter, half, three_quarters, high = np.quantile(known, (0.01, 0.25, 0.5, 0.75, 0.99))
        spread = max((three_quarters - quarter) / 1.349, (high - low) / 4.653)  # standard deviations of a normal one
        return cls(float(half), float(spread)) if spread > 1e-6 else None

    def apply(self, values: Floats) -> Floats:
        """NaN stays NaN."""
        return np.clip((_log_size(values) - self.center) / self.spread, -LIMIT, LIMIT)


@dataclass(frozen=True)
class Static:
    """A column read once; `tells_unknown` when an input beside it says whether it is known."""

    name: str
    scale: Scale
    tells_unknown: bool


@dataclass(frozen=True)
class Channel:
    """Columns of one quantity by lag, read as a sequence; the scale is that of all lags together."""

    columns: Mapping[int, str]
    scale: Scale


@dataclass(frozen=True)
class Inputs:
    statics: tuple[Static, ...]
    cyclic: Mapping[str, float]
    channels: tuple[Channel, ...]
    steps: int

    @classmethod
    def fit(cls, task: Task, frame: pd.DataFrame) -> Self:
        columns = {name: floats(frame[name]) for name in task.features}
        known = {name: float(1 - np.isnan(values).mean()) for name, values in columns.items()}
        periods = {name: PERIODS.get(name.rsplit("_")[-1]) for name in columns if known[name] >= MIN_SHARE}
        scales = {name: Scale.fit(columns[name]) for name, period in periods.items() if period is None}
        channels = []
        for lags in _lagged(task).values():
            scale = Scale.fit(np.concatenate([columns[name] for name in lags.values()]))
            if scale:
                channels.append(Channel(lags, scale))
        return cls(
            tuple(Static(name, scale, known[name] <= 1 - MIN_SHARE) for name, scale in scales.items() if scale),
            {name: period for name, period in periods.items() if period},
            tuple(channels),
            1 + max((lag for channel in channels for lag in channel.columns), default=0),
        )

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """From what `as_json` gave."""
        return cls(
            tuple(Static(s["name"], Scale(**s["scale"]), s["tells_unknown"]) for s in told["statics"]),
            told["cyclic"],
            tuple(Channel({int(k): n for k, n in c["columns"].items()}, Scale(**c["scale"])) for c in told["channels"]),
            told["steps"],
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def static_count(self) -> int:
        """Inputs in `Read.statics`."""
        return len(self.statics) + sum(static.tells_unknown for static in self.statics) + 2 * len(self.cyclic)

    @property
    def channel_count(self) -> int:
        """Inputs per step in `Read.sequences`."""
        return 2 * len(self.channels)

    def read(self, rows: pd.DataFrame) -> Read:
        sequences = self._sequences(rows)
        known = np.any(sequences[:, :, 1::2] > 0, axis=2).astype(np.float32)
        return Read(self._statics(rows), sequences, known)

    def _statics(self, rows: pd.DataFrame) -> Arrays:
        read: list[Floats] = []
        for static in self.statics:
            values = floats(rows[static.name])
            read.append(np.nan_to_num(static.scale.apply(values)))
            if static.tells_unknown:
                read.append((~np.isnan(values)).astype(np.float64))
        for name, period in self.cyclic.items():
            angle = floats(rows[name]) * (2 * np.pi / period)
            read += [np.nan_to_num(np.sin(angle)), np.nan_to_num(np.cos(angle))]
        return _stack(read, (len(rows),))

    def _sequences(self, rows: pd.DataFrame) -> Arrays:
        """For each channel the value, and 1 where it is known."""
        read: list[Floats] = []
        for channel in self.channels:
            values = np.full((len(rows), self.steps), np.nan)
            for lag, name in channel.columns.items():
                values[:, self.steps - 1 - lag] = floats(rows[name])
            read += [np.nan_to_num(channel.scale.apply(values)), (~np.isnan(values)).astype(np.float64)]
        return _stack(read, (len(rows), self.steps))


def _log_size(values: Floats) -> Floats:
    logs: Floats = np.sign(values) * np.log1p(np.abs(values))
    return logs


def _lagged(task: Task) -> dict[str, dict[int, str]]:
    """Columns of sequences by channel and lag."""
    channels: dict[str, dict[int, str]] = {}
    for name in task.features:
        if found := _LAGGED.fullmatch(name):
            channels.setdefault(found[1], {})[int(found[2])] = name
    return channels


def _stack(read: list[Floats], shape: tuple[int, ...]) -> Arrays:
    return np.stack(read, axis=-1).astype(np.float32) if read else np.zeros((*shape, 0), np.float32)
