"""Plain values that settings need before anything heavy is imported: `status` must answer within seconds."""

from datetime import date
from typing import Literal

FIRST_DAY = date(2005, 2, 14)
"""YouTube's first day: nothing is older."""

HUB = "https://pubsubhubbub.appspot.com/subscribe"
"""Google's WebSub hub."""

KINDS = {
    "naive": "naive.NaiveForecaster",
    "drift": "drift.DriftForecaster",
    "szabo_huberman": "szabo_huberman.SzaboHubermanForecaster",
    "linear": "linear.LinearForecaster",
    "random_forest": "random_forest.RandomForestForecaster",
    "xgboost": "xgboost.XGBoostForecaster",
    "lightgbm": "lightgbm.LightGBMForecaster",
    "lstm": "lstm.LSTMForecaster",
    "ensemble": "ensemble.EnsembleForecaster",
}
"""Kinds of model: their classes, below `forecasting/forecasters`."""

PolicyMode = Literal["owned", "amended", "strict", "synthetic"]
