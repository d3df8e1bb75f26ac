"""Gradient boosting by XGBoost: an extra, to show how a model of one's own plugs in.

pip install -e '.[xgboost]'
"""

from typing import Any

import numpy as np

from yt_platform.forecasting.forecasters.point import Arrays, RatioForecaster
from yt_platform.forecasting.forecasters.protocol import Parameters
from yt_platform.forecasting.tasks import Task
from yt_platform.panel import Floats


class XGBoostForecaster(RatioForecaster):
    """Parameters are XGBoost's; its own JSON goes into the bundle. Raises ModuleNotFoundError where it is not
    installed, saying how to."""

    defaults = {  # noqa: RUF012 - a ClassVar of the base
        "num_boost_round": 120,
        "objective": "reg:absoluteerror",
        "learning_rate": 0.12,
        "max_depth": 6,
        "min_child_weight": 100.0,
        "subsample": 0.8,
        "colsample_bynode": 0.4,
        "max_bin": 64,
        "seed": 1,
    }

    def __init__(self, task: Task, parameters: Parameters, threads: int) -> None:
        _library()
        super().__init__(task, parameters, threads)

    def _regress(self, inputs: Floats, ratio: Floats, weight: Floats) -> Arrays:
        xgboost = _library()
        parameters = {**self._parameters, "nthread": self._threads, "verbosity": 0}
        rounds = parameters.pop("num_boost_round")
        data = xgboost.QuantileDMatrix(
            inputs, ratio, weight=weight, nthread=self._threads, max_bin=parameters["max_bin"]
        )
        booster = xgboost.train(parameters, data, rounds)
        return {"booster": np.frombuffer(booster.save_raw("json"), dtype=np.uint8)}

    def _ratio(self, learned: Arrays, inputs: Floats) -> Floats:
        booster = _library().Booster({"nthread": self._threads})
        booster.load_model(bytearray(learned["booster"].tobytes()))
        ratio: Floats = booster.inplace_predict(inputs).astype(np.float64)
        return ratio


def _library() -> Any:
    try:
        import xgboost
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the model kind 'xgboost' is an extra that is not installed: .venv/bin/pip install -e '.[xgboost]', or "
            "choose another kind"
        ) from None
    return xgboost
