"""The baselines against other routes to the same figures; what all kinds have in common is in test_every_kind.py."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import training_frame
from yt_platform.forecasting.forecasters.catalog import Recipe, make_forecaster
from yt_platform.forecasting.forecasters.random_forest import _flattened, _mean_leaf
from yt_platform.forecasting.tasks import VIDEO_DAY
from yt_platform_tests.forecasting import generated


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    daily = generated.daily(40, 40)
    last = generated.FIRST + pd.Timedelta(days=39)
    features = build_video_day(daily, generated.versions(40, 40), generated.FIRST, last)
    return training_frame(VIDEO_DAY, features, daily, last)


def of_views(forecasts: pd.DataFrame, horizon: int) -> np.ndarray:
    return forecasts.loc[(forecasts["target"] == "views") & (forecasts["horizon"] == horizon), "p50"].to_numpy()


def test_drift_is_the_mean_of_the_known_rates(frame: pd.DataFrame) -> None:
    """Against pandas, which leaves unknown values out of a mean by itself."""
    forecaster = make_forecaster(Recipe("drift"), VIDEO_DAY, 1)
    forecaster.fit(frame)
    mean = frame[[f"view_rate_lag_{k}" for k in range(7)]].clip(lower=0).mean(axis="columns")
    assert of_views(forecaster.predict(frame), 3) == pytest.approx(3 * mean.to_numpy())


def test_szabo_huberman_finds_the_lines_it_was_given(frame: pd.DataFrame) -> None:
    """On totals made by a known line in each of two ages: slope and intercept must come back, by age."""
    random = np.random.default_rng(1)
    young = random.random(len(frame)) < 0.5
    total = random.lognormal(10, 1, len(frame))
    later = np.where(young, 3 * (total + 1) ** 1.05, 1.2 * (total + 1)) - 1
    made = frame.assign(view_count=total, age_hours=np.where(young, 5.0, 500.0), y_views_1=later - total)
    forecaster = make_forecaster(Recipe("szabo_huberman"), VIDEO_DAY, 1)
    forecaster.fit(made)
    assert of_views(forecaster.predict(made), 1) == pytest.approx(later - total)


def test_linear_finds_the_line_it_was_given(frame: pd.DataFrame) -> None:
    """On gains that are a power of one feature and double where another is unknown, which only the indicator tells."""
    random = np.random.default_rng(1)
    likes, unknown = random.lognormal(5, 1, len(frame)), random.random(len(frame)) < 0.3
    gained = (frame["view_rate_lag_0"].clip(lower=0) + 1) * (likes + 1) ** 0.3 * np.where(unknown, 2, 1) - 1
    made = frame.assign(like_count=likes, duration_seconds=np.where(unknown, np.nan, 60.0), y_views_1=gained)
    forecaster = make_forecaster(Recipe("linear", {"alpha": 1e-6}), VIDEO_DAY, 1)
    forecaster.fit(made)
    off = of_views(forecaster.predict(made), 1) / gained.to_numpy() - 1
    assert np.median(np.abs(off)) < 0.01


def test_the_forest_s_own_walk_is_scikit_learn_s(frame: pd.DataFrame) -> None:
    """Against the library's prediction, values unknown in training and only afterwards included."""
    from sklearn.ensemble import RandomForestRegressor

    inputs = frame[list(VIDEO_DAY.features)].to_numpy(np.float32)
    target = np.nan_to_num(np.log1p(frame["y_views_1"].to_numpy()))
    forest = RandomForestRegressor(n_estimators=7, min_samples_leaf=3, max_features=0.3, random_state=1)
    forest.fit(inputs, target)
    asked = inputs.copy()
    asked[np.random.default_rng(1).random(asked.shape) < 0.1] = np.nan
    found = _mean_leaf(_flattened([tree.tree_ for tree in forest.estimators_]), asked)
    assert found == pytest.approx(forest.predict(asked), rel=1e-12)


def test_xgboost_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read or fitted, on the message: it is an extra."""
    monkeypatch.setitem(sys.modules, "xgboost", None)  # what Python itself does to forbid an import
    with pytest.raises(ModuleNotFoundError, match=r"not installed: .*\[xgboost\]"):
        make_forecaster(Recipe("xgboost"), VIDEO_DAY, 1)


def test_a_forest_s_bundle_is_small(frame: pd.DataFrame, tmp_path: Path) -> None:
    """On the files: every training keeps one."""
    forecaster = make_forecaster(Recipe("random_forest"), VIDEO_DAY, 1)
    forecaster.fit(frame)
    forecaster.save(tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 5e6
