"""What the protocol asks of every kind of forecaster in the catalog, on generated histories and on poor ones."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import actuals, beside_actuals, score, training_frame
from yt_platform.forecasting.forecasters.catalog import KINDS, Recipe, load_forecaster, make_forecaster, save_forecaster
from yt_platform.forecasting.forecasters.ensemble import MEMBERS
from yt_platform.forecasting.forecasters.naive import NaiveForecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster, NotEnoughRowsError
from yt_platform.forecasting.tasks import VIDEO_DAY, target_column
from yt_platform_tests.forecasting import generated

VIDEOS, DAYS = 80, 60
TRAIN_UNTIL = generated.FIRST + pd.Timedelta(days=44)
QUANTILES = ["p10", "p50", "p90"]

SIMPLE = ("naive", "drift", "szabo_huberman")
"""Rules that need not do better than naive on data with something to learn; every other kind must."""

RECIPES: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
"""Defaults, so that what is shipped is tested."""

_QUICK: dict[str, dict[str, Any]] = {
    "lightgbm": {"num_iterations": 20},
    "lstm": {"networks": 1, "epochs": 2},
    "random_forest": {"n_estimators": 5},
}
QUICK = RECIPES | _QUICK | {"ensemble": {kind: _QUICK[kind] for kind in MEMBERS}}
"""For tests that fit anew on odd data and ask whether a forecast is possible, not whether it is good."""


def kinds(*but: str) -> list[Any]:
    """Parameters of the fixture `kind`: all but these. XGBoost is an extra, and in no lock."""
    missing = pytest.mark.skipif(not find_spec("xgboost"), reason="the extra xgboost is not installed")
    return [pytest.param(kind, marks=[missing] * (kind == "xgboost")) for kind in KINDS if kind not in but]


@pytest.fixture(scope="module", params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def make(kind: str, recipes: dict[str, dict[str, Any]] = RECIPES, threads: int = 1) -> Forecaster:
    return make_forecaster(Recipe(kind, recipes[kind]), VIDEO_DAY, threads)


@pytest.fixture(scope="module")
def daily() -> pd.DataFrame:
    return generated.daily(VIDEOS, DAYS)


@pytest.fixture(scope="module")
def features(daily: pd.DataFrame) -> pd.DataFrame:
    return features_of(daily)


def features_of(daily: pd.DataFrame) -> pd.DataFrame:
    return build_video_day(daily, generated.versions(VIDEOS, DAYS), daily["day"].min(), daily["day"].max())


@pytest.fixture(scope="module")
def frame(features: pd.DataFrame, daily: pd.DataFrame) -> pd.DataFrame:
    return training_frame(VIDEO_DAY, features, daily, TRAIN_UNTIL)


@pytest.fixture(scope="module")
def unseen(features: pd.DataFrame) -> pd.DataFrame:
    return features[features["day"] > TRAIN_UNTIL]


@pytest.fixture(scope="module")
def fitted(kind: str, frame: pd.DataFrame) -> Forecaster:
    forecaster = make(kind)
    forecaster.fit(frame)
    return forecaster


def sound(forecasts: pd.DataFrame) -> bool:
    """Finite, 0 <= p10 <= p50 <= p90, and none below that of a shorter horizon, but for the last bits."""
    p10, p50, p90 = (forecasts[name].to_numpy() for name in QUANTILES)
    ahead = forecasts.sort_values("horizon", kind="stable").set_index(VIDEO_DAY.row)[QUANTILES]
    rises = ahead.groupby(["video_id", "day", "target"]).diff().fillna(0) >= -1e-9 * ahead
    in_order = (p10 >= 0).all() and (p10 <= p50).all() and (p50 <= p90).all()
    return bool(np.isfinite(p90).all() and in_order and rises.all(axis=None))


def test_every_origin_is_answered_once_per_target_and_horizon(fitted: Forecaster, unseen: pd.DataFrame) -> None:
    """On the frame readers get: a hidden count gets no forecast, any other gets quantiles in order."""
    forecasts = fitted.predict(unseen)
    assert list(forecasts) == [*VIDEO_DAY.row, *QUANTILES]
    assert sound(forecasts)
    for target, horizon in product(VIDEO_DAY.targets, VIDEO_DAY.horizons):
        origins = unseen.loc[unseen[VIDEO_DAY.increments[target]].notna(), ["video_id", "day"]]
        answered = forecasts.loc[(forecasts["target"] == target) & (forecasts["horizon"] == horizon)]
        pd.testing.assert_frame_equal(
            answered[["video_id", "day"]].reset_index(drop=True), origins.reset_index(drop=True)
        )
    assert unseen["like_increment"].isna().sum() > unseen["view_increment"].isna().sum()


def test_one_row_and_none(fitted: Forecaster, unseen: pd.DataFrame) -> None:
    """On the frame: a platform of one video, and a day on which every video is new."""
    one = unseen[unseen["like_increment"].notna()].iloc[:1]
    forecasts = fitted.predict(one)
    assert len(forecasts) == len(VIDEO_DAY.targets) * len(VIDEO_DAY.horizons)
    assert sound(forecasts)
    assert list(fitted.predict(unseen.iloc[:0])) == [*VIDEO_DAY.row, *QUANTILES]


def test_a_row_is_forecast_alike_in_any_company(fitted: Forecaster, unseen: pd.DataFrame) -> None:
    """On the frame: a backfill forecasts many days at once, and must leave what daily runs left."""
    some = unseen.iloc[::7]
    alone, keys = fitted.predict(some), VIDEO_DAY.row
    together = fitted.predict(unseen).merge(alone[keys], on=keys)
    ordered = [frame.sort_values(keys, ignore_index=True) for frame in (alone, together)]
    pd.testing.assert_frame_equal(*ordered, rtol=1e-5)


def test_training_again_gives_the_same_forecasts(
    kind: str, fitted: Forecaster, frame: pd.DataFrame, unseen: pd.DataFrame
) -> None:
    """Bit for bit, and with another number of threads: a retry must not change what is promoted."""
    again = make(kind, threads=2)
    again.fit(frame.copy())
    pd.testing.assert_frame_equal(again.predict(unseen), fitted.predict(unseen), check_exact=True)


LOAD_AND_PREDICT = """
import hashlib, sys
from pathlib import Path
import pandas as pd
from yt_platform.forecasting.forecasters.catalog import load_forecaster
for line in sys.stdin:
    folder = Path(line.rstrip())
    forecasts = load_forecaster(folder / "bundle", 1).predict(pd.read_parquet(folder / "features.parquet"))
    print(hashlib.sha256(forecasts[["p10", "p50", "p90"]].to_numpy().tobytes()).hexdigest(), flush=True)
"""


@pytest.fixture(scope="module")
def forecasting() -> Iterator[subprocess.Popen[str]]:
    """A process that has trained nothing, and forecasts from the bundle and the features in each folder it is told."""
    command = [sys.executable, "-c", LOAD_AND_PREDICT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def test_a_loaded_bundle_predicts_the_same_bits(
    kind: str, fitted: Forecaster, unseen: pd.DataFrame, tmp_path: Path, forecasting: subprocess.Popen[str]
) -> None:
    """In another process, as training and forecasting are different runs."""
    save_forecaster(fitted, Recipe(kind, RECIPES[kind]), VIDEO_DAY, tmp_path / "bundle")
    unseen.to_parquet(tmp_path / "features.parquet")
    assert forecasting.stdin
    assert forecasting.stdout
    print(tmp_path, file=forecasting.stdin, flush=True)
    expected = fitted.predict(unseen)[QUANTILES].to_numpy()
    assert forecasting.stdout.readline().strip() == hashlib.sha256(expected.tobytes()).hexdigest()


def test_a_bundle_holds_no_pickle(kind: str, fitted: Forecaster, tmp_path: Path) -> None:
    """On the bytes: whoever can write to the artifact store would run code wherever a pickle is loaded."""
    save_forecaster(fitted, Recipe(kind, RECIPES[kind]), VIDEO_DAY, tmp_path)
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype != object for name in arrays.files)
        elif file.suffix != ".pt":  # torch's own zip, which is loaded by weights_only
            assert not file.read_bytes().startswith(b"\x80"), f"{file.name} is a pickle"


@pytest.mark.parametrize("kind", kinds(*SIMPLE), indirect=True)
def test_it_beats_naive_with_honest_intervals(fitted: Forecaster, unseen: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On held-out days, the figures the gate reads: the generated counter shows views late, which can be learned."""
    happened = actuals(VIDEO_DAY, daily[daily["day"] > TRAIN_UNTIL])
    scores = score(VIDEO_DAY, beside_actuals(VIDEO_DAY, fitted.predict(unseen), unseen, happened))
    assert (scores["wape"] < scores["naive_wape"]).all()
    of_views = scores[scores["target"] == "views"]
    assert (of_views["wape"] < 0.8 * of_views["naive_wape"]).all()
    assert of_views["coverage80"].between(0.6, 0.95).all()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"view_count": 1000}, id="nothing gained"),
        pytest.param({"like_count": pd.NA, "comment_count": pd.NA}, id="likes and comments unknown"),
        pytest.param({"channel_id": pd.NA, "published_at": pd.NaT}, id="channel and age unknown"),
    ],
)
def test_histories_that_say_little(kind: str, daily: pd.DataFrame, changed: dict[str, Any]) -> None:
    """Through features, training and forecast: constant and unknown columns are ordinary in real data."""
    poor = daily.assign(**{name: pd.Series(value, daily.index, daily[name].dtype) for name, value in changed.items()})
    features = features_of(poor)
    forecaster = make(kind, QUICK)
    forecaster.fit(training_frame(VIDEO_DAY, features, poor, generated.FIRST + pd.Timedelta(days=25)))
    forecasts = forecaster.predict(features)
    assert sound(forecasts)
    if "view_count" in changed:
        assert (forecasts.loc[forecasts["target"] == "views", "p90"] < 1).all()
    if "like_count" in changed:
        assert set(forecasts["target"]) == {"views"}


def test_features_that_are_all_unknown(fitted: Forecaster, unseen: pd.DataFrame) -> None:
    """On the frame: an origin needs a last increment and nothing else."""
    bare = unseen[unseen["view_increment"].notna()].head(5).copy()
    known = [*VIDEO_DAY.increments.values(), *VIDEO_DAY.rates.values(), "view_count", "like_count", "comment_count"]
    bare[[name for name in VIDEO_DAY.features if name not in known]] = np.nan
    assert sound(fitted.predict(bare))


def test_a_billion_views_a_day(kind: str, fitted: Forecaster, unseen: pd.DataFrame) -> None:
    """On the frame: sizes never seen in training must neither overflow nor shrink to the largest one seen."""
    views = [name for name in unseen if name.startswith(("view_rate", "view_increment", "view_count"))]
    vast = unseen[unseen["view_increment"] > 100].copy()
    vast[views] = vast[views].mul(1e9 / vast["view_increment"], axis="index")
    forecasts = fitted.predict(vast)
    assert sound(forecasts)
    a_day = forecasts.loc[(forecasts["horizon"] == 1) & (forecasts["target"] == "views"), "p50"]
    if kind != "szabo_huberman":  # it knows totals alone
        assert a_day.between(1e7, 1e11).all()


def test_few_rows(kind: str, frame: pd.DataFrame) -> None:
    """On the fewest rows taken: too little to learn from is refused, or forecast without wild guesses."""
    known = ["view_increment", *(target_column("views", horizon) for horizon in VIDEO_DAY.horizons)]
    few = frame[frame[known].gt(100).all(axis="columns")].iloc[:10]
    forecaster = make(kind, QUICK)
    try:
        forecaster.fit(few)
    except NotEnoughRowsError as refused:
        assert "10 of 10 origins" in str(refused)  # noqa: PT017 - a refusal is one of two right answers
        return
    found, naive = forecaster.predict(few), NaiveForecaster(VIDEO_DAY, {}, 1).predict(few)
    of_views = found["target"] == "views"
    assert sound(found)
    assert (found["p50"] / naive["p50"])[of_views].between(0.05, 20).all()


def test_a_parameter_that_does_not_exist_is_refused(kind: str) -> None:
    """On the message: a misspelt parameter would otherwise be tuned to no effect."""
    with pytest.raises(ValueError, match="moon_phase"):
        make_forecaster(Recipe(kind, {"moon_phase": 1}), VIDEO_DAY, 1)


@pytest.mark.parametrize("kind", kinds("naive"), indirect=True)
def test_a_bundle_of_other_features_is_refused(kind: str, fitted: Forecaster, tmp_path: Path) -> None:
    """On the files: by position, other columns would be read as these and give nonsense. Naive reads no features."""
    save_forecaster(fitted, Recipe(kind, RECIPES[kind]), VIDEO_DAY, tmp_path)
    for file in tmp_path.rglob("bundle.json"):
        file.write_text(file.read_text().replace('"published_weekday"', '"moon_phase"'))
    with pytest.raises(ValueError, match=r"other features .*moon_phase.* train a new one"):
        load_forecaster(tmp_path, threads=1)
