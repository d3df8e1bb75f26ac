"""Random walk with drift: every step to come gains the mean of the known rates of the steps before."""

import numpy as np
import pandas as pd

from yt_platform.forecasting.forecasters.point import Arrays, PointForecaster
from yt_platform.forecasting.tasks import rate_lags
from yt_platform.panel import Floats


class DriftForecaster(PointForecaster):
    """Learns nothing but its interval. A negative rate counts as 0; where no rate is known, nothing is gained."""

    def _learn(self, rows: pd.DataFrame, target: str, horizon: int) -> Arrays:
        return {}

    def _log_gain(self, learned: Arrays, rows: pd.DataFrame, target: str, horizon: int) -> Floats:
        rates = np.maximum(rows[rate_lags(self._task, target)].to_numpy(np.float64, na_value=np.nan), 0.0)
        mean = np.nansum(rates, axis=1) / np.maximum((~np.isnan(rates)).sum(axis=1), 1)
        gain: Floats = np.log1p(mean * horizon)
        return gain
