"""The LightGBM forecaster on generated histories: better than naive, honest intervals, the same bits when loaded."""

import hashlib
import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import backtest, score, training_frame
from yt_platform.forecasting.forecasters.lightgbm import BUNDLE, LightGBMForecaster
from yt_platform.forecasting.forecasters.naive import NaiveForecaster
from yt_platform.forecasting.forecasters.protocol import NotEnoughRowsError
from yt_platform.forecasting.forecasters.samples import MIN_ROWS
from yt_platform.forecasting.tasks import VIDEO_DAY, target_column
from yt_platform_tests.forecasting import generated

DAYS = 70
LAST = generated.FIRST + pd.Timedelta(days=DAYS - 1)
TRAIN_UNTIL = generated.FIRST + pd.Timedelta(days=49)


@pytest.fixture(scope="module")
def daily() -> pd.DataFrame:
    return generated.daily(250, DAYS)


@pytest.fixture(scope="module")
def features(daily: pd.DataFrame) -> pd.DataFrame:
    return features_of(daily)


def features_of(daily: pd.DataFrame) -> pd.DataFrame:
    return build_video_day(daily, generated.versions(250, DAYS), daily["day"].min(), daily["day"].max())


@pytest.fixture(scope="module")
def trained(features: pd.DataFrame, daily: pd.DataFrame) -> tuple[LightGBMForecaster, pd.DataFrame]:
    forecaster = LightGBMForecaster(VIDEO_DAY, {}, threads=2)
    return forecaster, score(VIDEO_DAY, backtest(VIDEO_DAY, features, daily, TRAIN_UNTIL, LAST, lambda: forecaster))


@pytest.fixture(scope="module")
def forecaster(trained: tuple[LightGBMForecaster, pd.DataFrame]) -> LightGBMForecaster:
    return trained[0]


@pytest.fixture(scope="module")
def unseen(features: pd.DataFrame) -> pd.DataFrame:
    return features[features["day"] > TRAIN_UNTIL]


def test_it_beats_naive_with_honest_intervals(trained: tuple[LightGBMForecaster, pd.DataFrame]) -> None:
    """On a backtest, the figures the gate reads: the generated counter shows views late, which can be learned."""
    scores = trained[1]
    assert (scores["wape"] < scores["naive_wape"]).all()
    assert list(scores["target"].unique()) == ["views", "likes", "comments"]
    for horizon in scores[scores["target"] == "views"].to_dict("records"):
        assert horizon["n"] > 500
        assert horizon["wape"] < 0.75 * horizon["naive_wape"]
        assert 0.7 < horizon["coverage80"] < 0.9


def test_every_origin_is_answered_once_per_horizon_in_order(
    forecaster: LightGBMForecaster, unseen: pd.DataFrame
) -> None:
    """On the frame readers get: a missing, negative or crossing quantile would be written as it is."""
    forecasts = forecaster.predict(unseen)
    for target, horizon in product(VIDEO_DAY.targets, VIDEO_DAY.horizons):
        origins = unseen.loc[unseen[VIDEO_DAY.increments[target]].notna(), ["video_id", "day"]]
        found = forecasts[(forecasts["target"] == target) & (forecasts["horizon"] == horizon)]
        answered = found[["video_id", "day"]]
        pd.testing.assert_frame_equal(answered.reset_index(drop=True), origins.reset_index(drop=True))
    assert (forecasts["p10"] >= 0).all()
    assert (forecasts["p10"] <= forecasts["p50"]).all()
    assert (forecasts["p50"] <= forecasts["p90"]).all()
    assert (forecasts["p10"] < forecasts["p90"]).mean() > 0.99


def test_training_again_gives_the_same_forecasts(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On the frame, bit for bit and with another number of threads: a retry must not change what is promoted."""
    frame = training_frame(VIDEO_DAY, features, daily, TRAIN_UNTIL - pd.Timedelta(days=20))
    one, two = LightGBMForecaster(VIDEO_DAY, {}, threads=1), LightGBMForecaster(VIDEO_DAY, {}, threads=2)
    one.fit(frame)
    two.fit(frame.copy())
    pd.testing.assert_frame_equal(one.predict(features), two.predict(features), check_exact=True)


DIGEST = "hashlib.sha256(forecasts[['p10', 'p50', 'p90']].to_numpy().tobytes()).hexdigest()"
LOAD_AND_PREDICT = f"""
import hashlib, sys
from pathlib import Path
import pandas as pd
from yt_platform.forecasting.forecasters.lightgbm import LightGBMForecaster
forecasts = LightGBMForecaster.load(Path(sys.argv[1]), 1).predict(pd.read_parquet(sys.argv[2]))
print({DIGEST})
"""


def test_a_loaded_bundle_predicts_the_same_bits(
    forecaster: LightGBMForecaster, unseen: pd.DataFrame, tmp_path: Path
) -> None:
    """In a fresh process, as training and forecasting are different runs."""
    forecaster.save(tmp_path / "bundle")
    unseen.to_parquet(tmp_path / "features.parquet")
    found = subprocess.run(
        [sys.executable, "-c", LOAD_AND_PREDICT, str(tmp_path / "bundle"), str(tmp_path / "features.parquet")],
        capture_output=True,
        text=True,
        check=True,
    )
    forecasts = forecaster.predict(unseen)
    digest = hashlib.sha256(forecasts[["p10", "p50", "p90"]].to_numpy().tobytes()).hexdigest()
    assert found.stdout.strip() == digest


def test_a_bundle_says_what_it_was_trained_on(
    forecaster: LightGBMForecaster, features: pd.DataFrame, daily: pd.DataFrame, tmp_path: Path
) -> None:
    """On the file: lineage that is not in the bundle is lost with the run."""
    forecaster.save(tmp_path)
    bundle = json.loads((tmp_path / BUNDLE).read_text())
    frame = training_frame(VIDEO_DAY, features, daily, TRAIN_UNTIL)
    assert bundle["last_target"] == str(TRAIN_UNTIL)
    for horizon in VIDEO_DAY.horizons:
        said = bundle["targets"][f"views_{horizon}"]
        assert said["rows"] == frame[target_column("views", horizon)].notna().sum()
        assert 100 <= said["calibration_rows"] < said["rows"] / 2


def test_a_bundle_of_other_features_is_refused(forecaster: LightGBMForecaster, tmp_path: Path) -> None:
    """On the file: LightGBM itself would read the columns by position and forecast nonsense."""
    forecaster.save(tmp_path)
    bundle = json.loads((tmp_path / BUNDLE).read_text())
    bundle["inputs"]["moon_phase"] = bundle["inputs"].pop("weekday")
    (tmp_path / BUNDLE).write_text(json.dumps(bundle))
    with pytest.raises(ValueError, match=r"other features .*\['moon_phase', 'weekday'\].* train a new one"):
        LightGBMForecaster.load(tmp_path, threads=1)


def test_no_rows_to_forecast(forecaster: LightGBMForecaster, unseen: pd.DataFrame) -> None:
    """On the frame: a day on which every video is new has no origins, which is no error."""
    assert list(forecaster.predict(unseen.iloc[:0])) == [*VIDEO_DAY.row, "p10", "p50", "p90"]
    assert forecaster.predict(unseen[unseen["view_increment"].isna()]).empty


def test_no_rows_to_learn_from_is_said(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On the message: the first days of a new platform."""
    early = training_frame(VIDEO_DAY, features, daily, generated.FIRST + pd.Timedelta(days=6))
    with pytest.raises(NotEnoughRowsError, match=f"0 of {len(early)} origins have a known target 7 steps later"):
        LightGBMForecaster(VIDEO_DAY, {}, threads=1).fit(early)


def test_few_rows_give_a_forecast_near_naive(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On the fewest rows taken: too little to learn from must not fail or forecast wildly."""
    frame = training_frame(VIDEO_DAY, features, daily, TRAIN_UNTIL)
    known = ["view_increment", *(target_column("views", horizon) for horizon in VIDEO_DAY.horizons)]
    few = frame[frame[known].gt(100).all(axis="columns")].iloc[:MIN_ROWS]
    forecaster = LightGBMForecaster(VIDEO_DAY, {}, threads=1)
    forecaster.fit(few)
    found, naive = forecaster.predict(few), NaiveForecaster(VIDEO_DAY, {}, 1).predict(few)
    of_views = found["target"] == "views"
    assert (found["p50"] / naive["p50"])[of_views].between(0.1, 10).all()
    with pytest.raises(NotEnoughRowsError, match=f"{MIN_ROWS - 1} of {MIN_ROWS - 1} origins"):
        forecaster.fit(few.iloc[1:])


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"view_count": 1000}, id="nothing gained"),
        pytest.param({"like_count": pd.NA, "comment_count": pd.NA}, id="likes and comments unknown"),
        pytest.param({"channel_id": pd.NA, "published_at": pd.NaT}, id="channel and age unknown"),
    ],
)
def test_histories_that_say_little(daily: pd.DataFrame, changed: dict[str, Any]) -> None:
    """Through features, training and forecast: constant and unknown columns are ordinary in real data."""
    poor = daily.assign(**{name: pd.Series(value, daily.index, daily[name].dtype) for name, value in changed.items()})
    features = features_of(poor)
    forecaster = LightGBMForecaster(VIDEO_DAY, {}, threads=2)
    forecaster.fit(training_frame(VIDEO_DAY, features, poor, generated.FIRST + pd.Timedelta(days=25)))
    forecasts = forecaster.predict(features)
    assert np.isfinite(forecasts[["p10", "p50", "p90"]]).all(axis=None)
    if "view_count" in changed:
        assert (forecasts.loc[forecasts["target"] == "views", "p90"] < 1).all()


def test_a_billion_views_a_day(forecaster: LightGBMForecaster, unseen: pd.DataFrame) -> None:
    """On the frame: sizes never seen in training must neither overflow nor shrink to the largest one seen."""
    views = [name for name in unseen if name.startswith(("view_rate", "view_increment", "view_count"))]
    vast = unseen[unseen["view_increment"] > 100].copy()
    vast[views] = vast[views].mul(1e9 / vast["view_increment"], axis="index")
    forecasts = forecaster.predict(vast)
    assert np.isfinite(forecasts[["p10", "p50", "p90"]]).all(axis=None)
    a_day = forecasts.loc[(forecasts["horizon"] == 1) & (forecasts["target"] == "views"), "p50"]
    assert a_day.between(1e8, 1e10).all()
