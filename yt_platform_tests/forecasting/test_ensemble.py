"""The ensemble on generated histories, with members that are quick to fit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import training_frame
from yt_platform.forecasting.forecasters.catalog import (
    Recipe,
    load_forecaster,
    make_forecaster,
    recipe_of,
    save_forecaster,
)
from yt_platform.forecasting.forecasters.ensemble import EnsembleForecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster
from yt_platform.forecasting.tasks import VIDEO_DAY
from yt_platform_tests.forecasting import generated

DAYS = 45
PARAMETERS = {
    "lightgbm": {"num_iterations": 5},
    "lstm": {"hidden": 8, "width": 16, "epochs": 1, "networks": 1},
}
RECIPE = Recipe("ensemble", PARAMETERS)


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    daily = generated.daily(100, DAYS)
    return build_video_day(daily, generated.versions(100, DAYS), daily["day"].min(), daily["day"].max())


@pytest.fixture(scope="module")
def frame(features: pd.DataFrame) -> pd.DataFrame:
    return training_frame(VIDEO_DAY, features, generated.daily(100, DAYS), generated.FIRST + pd.Timedelta(days=35))


@pytest.fixture(scope="module")
def members(frame: pd.DataFrame) -> dict[str, Forecaster]:
    fitted = {kind: make_forecaster(Recipe(kind, own), VIDEO_DAY, 2) for kind, own in PARAMETERS.items()}
    for member in fitted.values():
        member.fit(frame)
    return fitted


@pytest.fixture(scope="module")
def ensemble(members: dict[str, Forecaster]) -> EnsembleForecaster:
    return EnsembleForecaster.of(VIDEO_DAY, PARAMETERS, members)


def test_its_forecasts_are_weighted_geometric_means(
    ensemble: EnsembleForecaster, members: dict[str, Forecaster], features: pd.DataFrame
) -> None:
    """Against the definition, by another road: roots of the product of the members' gains, each plus one and that of
    LightGBM counted twice."""
    one, two = (member.predict(features) for member in members.values())
    found = ensemble.predict(features)
    for name in ("p10", "p50", "p90"):
        np.testing.assert_allclose(
            found[name], np.cbrt((one[name] + 1) ** 2 * (two[name] + 1)) - 1, rtol=1e-9, atol=1e-9
        )
    pd.testing.assert_frame_equal(found[VIDEO_DAY.row], one[VIDEO_DAY.row])
    assert (found["p10"] >= 0).all()
    assert (found["p10"] <= found["p50"]).all()
    assert (found["p50"] <= found["p90"]).all()


def test_fitting_it_is_fitting_its_members(
    ensemble: EnsembleForecaster, frame: pd.DataFrame, features: pd.DataFrame
) -> None:
    """Bit for bit: a training that has fitted the members already need not fit them again."""
    fitted = EnsembleForecaster(VIDEO_DAY, PARAMETERS, threads=1)
    fitted.fit(frame)
    pd.testing.assert_frame_equal(fitted.predict(features), ensemble.predict(features), check_exact=True)


def test_a_loaded_bundle_predicts_the_same_bits(
    ensemble: EnsembleForecaster, features: pd.DataFrame, tmp_path: Path
) -> None:
    """Through the catalog, which does not know that the bundle holds others."""
    save_forecaster(ensemble, RECIPE, VIDEO_DAY, tmp_path)
    assert recipe_of(tmp_path) == RECIPE
    found = load_forecaster(tmp_path, 1).predict(features)
    pd.testing.assert_frame_equal(found, ensemble.predict(features), check_exact=True)


def test_members_it_cannot_have_are_refused(members: dict[str, Forecaster]) -> None:
    """On the messages: of a setting, and of a caller's mistake."""
    with pytest.raises(ValueError, match="no model is called 'crystal_ball'"):
        EnsembleForecaster(VIDEO_DAY, {"crystal_ball": {}}, 1)
    with pytest.raises(ValueError, match="no ensembles for members"):
        EnsembleForecaster(VIDEO_DAY, {"ensemble": {}}, 1)
    with pytest.raises(ValueError, match=r"\['lightgbm', 'lstm'\] was given \['lstm'\]"):
        EnsembleForecaster.of(VIDEO_DAY, PARAMETERS, {"lstm": members["lstm"]})
