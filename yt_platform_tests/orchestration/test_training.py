"""Training, gate and rollback with real Dagster runs, database and MLflow, from an imported sample.

The tests follow one another: each starts from what the one before left.
"""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import matplotlib.image
import pandas as pd
import psycopg
import pytest
from dagster import AssetKey
from psycopg.rows import dict_row

from yt_platform.features.tables import VIDEO_DAY
from yt_platform.forecasting.forecasters.catalog import load_forecaster
from yt_platform.forecasting.predictions import forecasts_due
from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.forecasting.training import candidates_of, training_is_due, training_window
from yt_platform.local import Platform, RunFailedError, Runs, bring_up_to_date
from yt_platform.models.champions import NoPreviousChampionError, roll_back
from yt_platform.models.registry import RegisteredModel, UnknownVersionError
from yt_platform.orchestration.jobs import TRAIN, TUNE
from yt_platform.progress import silent
from yt_platform.warehouse.warehouse import Window

pytestmark = pytest.mark.stage("made")

MODEL = VIDEO_FORECASTER.name
KINDS = ("lightgbm", "lstm", "ensemble")
NOW = pd.Timestamp("2026-03-02", tz="UTC")


def champion(platform: Platform) -> RegisteredModel:
    found = platform.registry.champion(MODEL)
    assert found is not None
    return found


def go_back(platform: Platform, version: str | None = None) -> RegisteredModel:
    run_id = "00000000-0000-0000-0000-000000000001"
    return roll_back(platform.warehouse, platform.registry, MODEL, version, NOW, run_id)


def history(platform: Platform) -> list[tuple[str, str | None]]:
    rows = platform.warehouse.records("SELECT model_version, replaced FROM models.champions ORDER BY change")
    return [(row["model_version"], row["replaced"]) for row in rows]


def test_every_candidate_is_logged_and_registered(made: Platform) -> None:
    """In MLflow itself: what a person finds on its pages."""
    client = made.registry.client()
    for version in made.registry.versions(MODEL):
        run = client.get_run(version.run_id)
        parent = client.get_run(run.data.tags["mlflow.parentRunId"])
        assert parent.info.status == run.info.status == "FINISHED"
        assert run.data.params["data_version"] == version.data_version
        assert 0 < run.data.metrics["wape_views_1d"] < run.data.metrics["naive_wape_views_1d"] * 2
        files = Path(client.download_artifacts(version.run_id, "evaluation"))
        assert {matplotlib.image.imread(file).ndim for file in files.glob("*.png")} == {3}
        assert f"# {version.name}" in (files / "model_card.md").read_text()
    assert sorted(version.kind for version in made.registry.versions(MODEL)) == sorted(KINDS)


@pytest.mark.filterwarnings("ignore")  # of mlflow.pyfunc, about models of others
def test_bundles_are_mlflow_models_with_a_signature(made: Platform) -> None:
    """By MLflow's own loader: a data scientist needs no code of the platform to call it."""
    import mlflow.pyfunc

    folder = made.registry.fetch(champion(made))
    model = mlflow.pyfunc.load_model(str(folder))
    last = training_window(VIDEO_FORECASTER, made.warehouse).last
    features = made.warehouse.read_window(VIDEO_DAY, Window(last, last))
    expected = load_forecaster(folder, threads=1).predict(features)
    pd.testing.assert_frame_equal(model.predict(features), expected)
    assert [column.name for column in model.metadata.signature.outputs] == list(expected)


def test_assets_show_every_candidate_and_the_decision(made: Platform, runs: Runs) -> None:
    """In Dagster's event log, which its pages show."""
    for kind in KINDS:
        found = runs.instance.get_latest_materialization_event(AssetKey(["models", f"video_{kind}"]))
        assert found is not None
        metadata = found.asset_materialization.metadata
        assert "## By slice" in metadata["model_card"].value
        png = metadata["calibration"].value.partition("base64,")[2].rstrip(")")
        assert matplotlib.image.imread(io.BytesIO(base64.b64decode(png))).ndim == 3
    gate = runs.instance.get_latest_materialization_event(AssetKey(["models", MODEL]))
    assert gate is not None
    metadata = gate.asset_materialization.metadata
    assert metadata["model"].value == champion(made).name
    assert all(f"| {kind} |" in metadata["decision"].value for kind in KINDS)


def test_fold_forecasts_are_kept_and_add_up_to_the_scorecard(made: Platform) -> None:
    """In SQL, as an analyst would: by another route to the same figures."""
    rows = made.warehouse.records(
        "SELECT target, horizon, sum(abs(p50 - actual)) / sum(actual) AS wape, "
        "sum(abs(naive - actual)) / sum(actual) AS naive_wape, card.wape AS told, card.naive_wape AS naive_told "
        "FROM models.backtest_forecasts AS forecast "
        "JOIN models.scorecards AS card USING (model_version, target, horizon) "
        "WHERE model_version = $1 AND forecast.origin > card.fold_trained_until "
        "GROUP BY target, horizon, card.wape, card.naive_wape",
        (champion(made).name,),
    )
    assert len(rows) == 9
    for row in rows:
        assert row["wape"] == pytest.approx(row["told"])
        assert row["naive_wape"] == pytest.approx(row["naive_told"])


def test_the_same_data_is_not_trained_on_again(made: Platform) -> None:
    assert not training_is_due(VIDEO_FORECASTER, made.warehouse)


def shuffle(platform: Platform, table: str) -> None:
    with psycopg.connect(platform.urls.warehouse) as connection:
        connection.execute(f"CREATE TEMPORARY TABLE rows AS SELECT * FROM {table} ORDER BY md5(video_id || day)")
        connection.execute(f"DELETE FROM {table}")
        connection.execute(f"INSERT INTO {table} SELECT * FROM rows")
        connection.execute("DROP TABLE rows")


def test_the_champions_recipe_follows_it_on_the_same_folds(made: Platform, runs: Runs) -> None:
    """Trained again on the same data, by hand: no other recipe is better, so its own is taken."""
    before = champion(made)
    for table in (
        "features.video_day",
        "metrics.video_daily",
    ):  # the server keeps no order; a model may not depend on it
        shuffle(made, table)
    runs.launch(TRAIN)
    after = champion(made)
    figures = [
        made.warehouse.records(
            "SELECT target, horizon, wape, coverage80 FROM models.scorecards WHERE model_version = $1 ORDER BY 1, 2",
            (version.name,),
        )
        for version in (before, after)
    ]
    assert figures[0] == figures[1]
    assert (after.recipe_digest, after.data_version) == (before.recipe_digest, before.data_version)
    assert int(after.version) > int(before.version)
    assert history(made) == [(before.name, None), (after.name, before.name)]
    cards = made.warehouse.records("SELECT * FROM models.scorecards WHERE champion_version = $1", (before.name,))
    others = [card for card in cards if card["recipe_digest"] != after.recipe_digest]
    assert all(0 <= card["p_champion"] <= 1 and card["champion_wape"] > 0 for card in others)
    assert [card["p_champion"] for card in cards if card["model_version"] == after.name] == [None] * 9


@contextmanager
def champions_cannot_be_written(platform: Platform) -> Iterator[None]:
    with platform.warehouse.transaction() as transaction:
        transaction.execute("ALTER TABLE models.champions RENAME TO elsewhere")
    try:
        yield
    finally:
        with platform.warehouse.transaction() as transaction:
            transaction.execute("ALTER TABLE models.elsewhere RENAME TO champions")


def test_a_training_that_fails_at_its_end_leaves_champion_and_forecasts(made: Platform, runs: Runs) -> None:
    """At the last write of all: everything before it must come to nothing as well."""
    state = "SELECT (SELECT count(*) FROM models.scorecards) AS cards, (SELECT max(loaded_at) FROM "
    state += "predictions.video_forecast) AS forecast, (SELECT max(loaded_at) FROM models.backtest_forecasts) AS fold"
    before, rows = champion(made), made.warehouse.records(state)
    with champions_cannot_be_written(made), pytest.raises(RunFailedError, match="champions"):
        runs.launch(TRAIN)
    assert champion(made) == before
    assert made.warehouse.records(state) == rows


def trials(platform: Platform) -> list[dict[str, Any]]:
    with psycopg.connect(platform.urls.mlflow, row_factory=dict_row) as connection:
        return connection.execute(
            "SELECT study_name, state::text, number FROM optuna.trials JOIN optuna.studies USING (study_id) "
            "ORDER BY number"
        ).fetchall()


@pytest.fixture
def small_effort(made: Platform) -> Runs:
    """Runs with a tuning of LightGBM by three trials."""
    settings = made.settings.model_copy(update={"tuning_trials": 3, "candidates": "lightgbm", "tuning_workers": 2})
    return Runs(replace(made, settings=settings), silent)


def test_tuning_beats_the_defaults_or_keeps_them_and_goes_on_where_it_ended(made: Platform, small_effort: Runs) -> None:
    """In Postgres, beside MLflow's own tables: a second search of the same data has nothing left to try."""
    small_effort.launch(TUNE)
    found = made.warehouse.records("SELECT * FROM models.tuned_recipes")
    assert [row["kind"] for row in found] == ["lightgbm"]
    assert found[0]["wape"] <= found[0]["default_wape"]
    assert (found[0]["wape"] < found[0]["default_wape"]) == bool(json.loads(found[0]["parameters"]))
    assert found[0]["tuned_until"] < training_window(VIDEO_FORECASTER, made.warehouse).last - timedelta(days=7)
    made_trials = trials(made)
    assert len(made_trials) == 3
    small_effort.launch(TUNE)
    assert trials(made) == made_trials
    assert len(made.registry.versions(MODEL)) > 0  # MLflow's tables are as they were


def test_training_takes_what_tuning_found(made: Platform) -> None:
    """On the recipes: an ensemble takes it for its member."""
    with made.warehouse.transaction() as transaction:
        transaction.execute("UPDATE models.tuned_recipes SET parameters = $1", ('{"num_leaves": 17}',))
    recipes = candidates_of(VIDEO_FORECASTER, made.warehouse, KINDS)
    assert [recipe.parameters for recipe in recipes] == [
        {"num_leaves": 17},
        {},
        {"lightgbm": {"num_leaves": 17}, "lstm": {}},
    ]


def test_going_back_takes_the_champion_before_and_then_no_other(made: Platform) -> None:
    (first, _), (second, _) = history(made)
    assert go_back(made).name == first
    assert champion(made).name == first
    assert history(made)[-1] == (first, second)
    with pytest.raises(NoPreviousChampionError, match="was the first champion"):
        go_back(made)
    with pytest.raises(UnknownVersionError, match="has no version 99"):
        go_back(made, "99")


def test_a_named_version_forecasts_with_the_next_run_from_days_it_has_not_seen(made: Platform, runs: Runs) -> None:
    """A candidate that lost was fitted on the fold alone, so there are more days it may forecast from."""
    lost = next(found for found in made.registry.versions(MODEL) if found.trained_until < champion(made).trained_until)
    assert go_back(made, lost.version) == lost
    changes = history(made)
    assert go_back(made, lost.version) == lost
    assert history(made) == changes  # it is champion already
    due = forecasts_due(VIDEO_FORECASTER, made.warehouse, made.registry)
    assert due is not None
    assert due.first > lost.trained_until
    bring_up_to_date(made, runs)
    assert champion(made) == lost  # no new training undoes it at once
    made_of = made.warehouse.records(
        "SELECT min(origin_day) AS first, max(origin_day) AS last FROM predictions.video_forecast "
        "WHERE model_version = $1",
        (lost.name,),
    )
    assert made_of == [{"first": due.first, "last": due.last}]
    assert forecasts_due(VIDEO_FORECASTER, made.warehouse, made.registry) is None
