"""Random forest by scikit-learn, kept and evaluated as plain arrays of its trees."""

from typing import Any

import numpy as np
import numpy.typing as npt

from yt_platform.forecasting.forecasters.point import Arrays, RatioForecaster
from yt_platform.panel import Floats

ROWS_AT_ONCE = 16_384
"""Rows that go down a tree together: their nodes and inputs then fit the processor's cache."""


class RandomForestForecaster(RatioForecaster):
    """Parameters are scikit-learn's; each tree draws at most `max_samples` rows, which bounds time and size."""

    defaults = {  # noqa: RUF012 - a ClassVar of the base
        "n_estimators": 25,
        "max_depth": 12,
        "min_samples_leaf": 15,
        "max_features": 0.25,
        "max_samples": 8_000,
        "random_state": 1,
    }

    def _regress(self, inputs: Floats, ratio: Floats, weight: Floats) -> Arrays:
        from sklearn.ensemble import RandomForestRegressor

        drawn = min(self._parameters["max_samples"], len(inputs))
        forest = RandomForestRegressor(**{**self._parameters, "max_samples": drawn}, n_jobs=self._threads)
        forest.fit(inputs.astype(np.float32), ratio, weight)
        return _flattened([tree.tree_ for tree in forest.estimators_])

    def _ratio(self, learned: Arrays, inputs: Floats) -> Floats:
        parts = np.array_split(inputs.astype(np.float32), len(inputs) // ROWS_AT_ONCE + 1)
        return np.concatenate([_mean_leaf(learned, part) for part in parts])


def _flattened(trees: list[Any]) -> dict[str, npt.NDArray[Any]]:
    """The nodes of all trees in one row of arrays; a leaf is its own child, so every row walks the same depth."""
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])
    left, right = [], []
    for tree, start in zip(trees, starts, strict=False):
        own = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        left.append(np.where(leaf, own, tree.children_left) + start)
        right.append(np.where(leaf, own, tree.children_right) + start)
    return {
        "roots": starts[:-1].astype(np.int32),
        "depth": np.array(max(tree.max_depth for tree in trees)),
        "left": np.concatenate(left).astype(np.int32),
        "right": np.concatenate(right).astype(np.int32),
        "feature": np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int16),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "unknown_left": np.concatenate([tree.missing_go_to_left for tree in trees]).astype(np.bool_),
        "value": np.concatenate([tree.value[:, 0, 0] for tree in trees]),
    }


def _mean_leaf(forest: Arrays, inputs: npt.NDArray[np.float32]) -> Floats:
    row = np.arange(len(inputs))
    total = np.zeros(len(inputs))
    for root in forest["roots"]:
        node = np.full(len(inputs), root)
        for _ in range(int(forest["depth"])):
            value = inputs[row, forest["feature"][node]]
            goes_left = (value <= forest["threshold"][node]) | (np.isnan(value) & forest["unknown_left"][node])
            node = np.where(goes_left, forest["left"][node], forest["right"][node])
        total += forest["value"][node]
    mean: Floats = total / len(forest["roots"])
    return mean
