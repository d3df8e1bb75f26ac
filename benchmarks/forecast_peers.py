"""Forecasts of view increments by another library, from the files that forecast.py writes; runs in .venv-bench.

    .venv-bench/bin/python benchmarks/forecast_peers.py LIBRARY FOLDER

`series.parquet` holds `unique_id`, `ds`, `views` (a count) and `age` (days since publication) of regular daily series;
`origins.parquet` the `unique_id` and `ds` to forecast from. Each library learns from days up to `train_until`, is not
fitted again, and forecasts from every origin with the history up to that day. Written are `forecasts.parquet` and
`seconds.json`. A series too short for a library is left out, and so is what it forecasts as not a number.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

HORIZONS = (1, 3, 7)
FURTHEST = max(HORIZONS)
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
TREE = {"n_estimators": 300, "learning_rate": 0.05, "num_leaves": 63, "min_child_samples": 100, "n_jobs": 1}

Predict = Callable[[pd.DataFrame], pd.DataFrame]
"""From histories that end at an origin to `unique_id`, `step` (1 to 7) and the quantiles of each day's increment."""


def statsforecast(model: str) -> tuple[Callable[[pd.DataFrame], None], Predict]:
    """One local model per series and origin: fitting is forecasting. Of 60 days at most, and of as many at least as it
    does not refuse."""
    from statsforecast import StatsForecast, models

    fewest = {"AutoETS": 7, "AutoTheta": 4}[model]

    def predict(history: pd.DataFrame) -> pd.DataFrame:
        recent = history.groupby("unique_id").tail(60)
        long_enough = recent.groupby("unique_id")["y"].transform("size") >= fewest
        forecaster = StatsForecast(models=[getattr(models, model)()], freq="D", n_jobs=1)
        found = forecaster.forecast(df=recent.loc[long_enough, ["unique_id", "ds", "y"]], h=FURTHEST, level=[80])
        named = {model: "p50", f"{model}-lo-80": "p10", f"{model}-hi-80": "p90"}
        return found.rename(columns=named).assign(step=steps(found))

    return lambda _: None, predict


def mlforecast(_: str) -> tuple[Callable[[pd.DataFrame], None], Predict]:
    """One global LightGBM per step and quantile on log increments: lags, rolling means, weekday and age."""
    import lightgbm
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean
    from mlforecast.target_transforms import GlobalSklearnTransformer
    from sklearn.preprocessing import FunctionTransformer

    def booster(quantile: float) -> lightgbm.LGBMRegressor:
        return lightgbm.LGBMRegressor(objective="quantile", alpha=quantile, verbosity=-1, random_state=1, **TREE)

    forecaster = MLForecast(
        models={name: booster(quantile) for name, quantile in QUANTILES.items()},
        freq="D",
        lags=range(1, 8),
        lag_transforms={1: [RollingMean(3, min_samples=1), RollingMean(7, min_samples=1)]},
        date_features=["dayofweek"],
        target_transforms=[GlobalSklearnTransformer(FunctionTransformer(np.log1p, np.expm1))],
        num_threads=1,
    )

    def fit(train: pd.DataFrame) -> None:
        forecaster.fit(train, static_features=[], dropna=False, max_horizon=FURTHEST)

    def predict(history: pd.DataFrame) -> pd.DataFrame:
        last = history.groupby("unique_id", as_index=False).tail(1)
        future = pd.concat(
            [
                last[["unique_id"]].assign(ds=last["ds"] + pd.Timedelta(days=n), age=last["age"] + n)
                for n in range(1, FURTHEST + 1)
            ]
        )
        found = forecaster.predict(h=FURTHEST, new_df=history, X_df=future)
        return found.assign(step=steps(found))

    return fit, predict


def neuralforecast(_: str) -> tuple[Callable[[pd.DataFrame], None], Predict]:
    """A small global network with the quantile loss on log increments, with weekday and age; histories of 28 days at
    most, padded where shorter."""
    import logging

    import torch
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import MQLoss

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    network = models.NHITS(
        h=FURTHEST,
        input_size=28,
        loss=MQLoss(quantiles=list(QUANTILES.values())),
        futr_exog_list=["age", "weekday"],
        scaler_type="identity",
        start_padding_enabled=True,
        max_steps=3000,
        learning_rate=1e-3,
        batch_size=64,
        random_seed=1,
        accelerator="cpu",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        mlp_units=[[64, 64]] * 3,
        windows_batch_size=512,
    )
    forecaster = NeuralForecast(models=[network], freq="D")

    def logs(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(y=np.log1p(frame["y"]), age=np.log1p(frame["age"]), weekday=frame["ds"].dt.weekday / 6)

    def fit(train: pd.DataFrame) -> None:
        forecaster.fit(logs(train), val_size=0)

    def predict(history: pd.DataFrame) -> pd.DataFrame:
        last = history.groupby("unique_id", as_index=False).tail(1)
        future = pd.concat(
            [
                last[["unique_id"]].assign(ds=last["ds"] + pd.Timedelta(days=n), age=last["age"] + n, y=0.0)
                for n in range(1, FURTHEST + 1)
            ]
        )
        found = forecaster.predict(df=logs(history), futr_df=logs(future).drop(columns="y"))
        named = {"NHITS-lo-80.0": "p10", "NHITS-median": "p50", "NHITS-hi-80.0": "p90"}
        found = found.rename(columns=named)
        return found.assign(step=steps(found), **{name: np.expm1(found[name]) for name in QUANTILES})

    return fit, predict


LIBRARIES = {
    "statsforecast AutoETS": statsforecast,
    "statsforecast AutoTheta": statsforecast,
    "mlforecast LightGBM": mlforecast,
    "neuralforecast NHITS": neuralforecast,
}


def steps(forecasts: pd.DataFrame) -> pd.Series:
    """1 to 7, in each series' order of days."""
    return forecasts.groupby("unique_id").cumcount() + 1


def main(name: str, folder: Path) -> None:
    train_until = pd.Timestamp(json.loads((folder / "plan.json").read_text())["train_until"])
    series = pd.read_parquet(folder / "series.parquet").sort_values(["unique_id", "ds"], ignore_index=True)
    series["y"] = series.groupby("unique_id")["views"].diff().clip(lower=0)
    series = series.dropna(subset="y").drop(columns="views")
    origins = pd.read_parquet(folder / "origins.parquet")
    fit, predict = LIBRARIES[name](name.split()[1])
    begun = time.process_time()
    fit(series[series["ds"] <= train_until])
    fitted = time.process_time()
    found = [gains(predict, series, day, asked) for day, asked in origins.groupby("ds")]
    done = time.process_time()
    pd.concat(found, ignore_index=True).to_parquet(folder / "forecasts.parquet")
    (folder / "seconds.json").write_text(json.dumps({"fit": fitted - begun, "predict": done - fitted}))


def gains(predict: Predict, series: pd.DataFrame, day: pd.Timestamp, asked: pd.DataFrame) -> pd.DataFrame:
    """What is gained from the origins of a day to each horizon: the sum of the days' increments, and of their
    quantiles, as none of the libraries forecasts a sum."""
    history = series[(series["ds"] <= day) & series["unique_id"].isin(asked["unique_id"])]
    daily = predict(history).sort_values(["unique_id", "step"], ignore_index=True)
    sums = daily.groupby("unique_id")[list(QUANTILES)].cumsum()
    wanted = daily["step"].isin(HORIZONS)
    return pd.concat([daily.loc[wanted, ["unique_id", "step"]], sums[wanted]], axis="columns").assign(ds=day)


if __name__ == "__main__":
    os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
    warnings.filterwarnings("ignore")  # the libraries' own, thousands of lines
    main(sys.argv[1], Path(sys.argv[2]))
