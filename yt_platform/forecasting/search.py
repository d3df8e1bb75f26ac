"""Which parameters of a kind of model are tuned, and between what; how they are searched is in
`forecasting/tuning.py`."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Whole numbers where both ends are; on a logarithmic scale where the ends are more than a factor of 5 apart."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def logarithmic(self) -> bool:
        return self.low > 0 and self.high / self.low > 5


SPACES: Mapping[str, Mapping[str, Range]] = {
    "lightgbm": {
        "num_leaves": Range(15, 127),
        "num_iterations": Range(60, 400),
        "learning_rate": Range(0.03, 0.25),
        "min_data_in_leaf": Range(20, 500),
        "feature_fraction": Range(0.2, 0.9),
    },
    "lstm": {
        "hidden": Range(16, 64),
        "width": Range(48, 192),
        "learning_rate": Range(0.001, 0.01),
        "weight_decay": Range(0.001, 0.1),
        "weight_power": Range(0.2, 0.6),
    },
}
"""By kind. What an ensemble is made of is tuned; the ensemble itself has nothing to tune."""
