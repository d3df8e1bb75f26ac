"""Ridge regression on all features."""

import numpy as np

from yt_platform.forecasting.forecasters.point import Arrays, RatioForecaster
from yt_platform.panel import Floats

EXTREMES = (0.001, 0.999)
"""Quantiles of the log ratios learned from that no forecast goes beyond: a line knows no bounds, and its exponential
turns an odd row into 10^20 views."""


class LinearForecaster(RatioForecaster):
    """Features by their signed logarithm, standardised; an unknown one counts as the mean and by an indicator."""

    defaults = {"alpha": 10.0}  # noqa: RUF012 - a ClassVar of the base

    def _regress(self, inputs: Floats, ratio: Floats, weight: Floats) -> Arrays:
        from sklearn.linear_model import Ridge
        from threadpoolctl import threadpool_limits

        logs = _signed_log(inputs)
        known = ~np.isnan(logs)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.nansum(logs, axis=0) / count
        spread = np.sqrt(np.nansum((logs - mean) ** 2, axis=0) / count)
        scaling = {"mean": mean, "scale": np.where(spread > 0, spread, 1.0)}
        ridge = Ridge(alpha=self._parameters["alpha"], solver="cholesky")
        # one thread: BLAS's own spin for each other where anything else wants a core, 15 s instead of 1
        with threadpool_limits(1):
            ridge.fit(_design(scaling, inputs), ratio, weight)
        return {
            **scaling,
            "coefficients": np.asarray(ridge.coef_),
            "intercept": np.asarray(ridge.intercept_),
            "bounds": np.quantile(ratio, EXTREMES),
        }

    def _ratio(self, learned: Arrays, inputs: Floats) -> Floats:
        # not by BLAS, whose sums depend on how many rows there are
        line = (_design(learned, inputs) * learned["coefficients"]).sum(axis=1) + learned["intercept"]
        bounded: Floats = np.clip(line, *learned["bounds"])
        return bounded


def _signed_log(inputs: Floats) -> Floats:
    return np.sign(inputs) * np.log1p(np.abs(inputs))


def _design(scaling: Arrays, inputs: Floats) -> Floats:
    """Rows by twice the features: standardised values, and whether they are unknown."""
    values = (_signed_log(inputs) - scaling["mean"]) / scaling["scale"]
    return np.hstack([np.nan_to_num(values), np.isnan(values).astype(np.float64)])
