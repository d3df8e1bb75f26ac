"""Training a model from the warehouse: scored on held-out days, fitted on all, registered, and judged."""

import hashlib
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from yt_platform.core.cold import add_cold
from yt_platform.core.evaluate import SCORED, backtest, beats_naive, score, training_frame, weekly_range
from yt_platform.core.models.catalog import Recipe, make_forecaster, save_forecaster
from yt_platform.core.models.samples import MIN_ROWS
from yt_platform.core.progress import Progress
from yt_platform.core.registered import ModelSpec
from yt_platform.core.schemas.base import judge
from yt_platform.core.schemas.models import SCORECARDS
from yt_platform.core.tasks import VIDEO_DAY
from yt_platform.io.registry import ModelRegistry, RegisteredModel
from yt_platform.io.warehouse import Warehouse, Window

RECIPE = Recipe("lightgbm")
HELD_OUT_DAYS = 28
RETRAIN_AFTER_DAYS = 7


class TooLittleHistoryError(RuntimeError):
    """There are too few days, or too few readings, to train and to score a forecaster."""


@dataclass(frozen=True)
class Trained:
    """A registered model, its scores by target and horizon, and whether it became champion."""

    model: RegisteredModel
    scores: pd.DataFrame
    promoted: bool


def training_window(spec: ModelSpec, warehouse: Warehouse) -> Window:
    """Days whose targets a forecaster may be fitted on: all but the last, which forecasts start from.

    Raises TooLittleHistoryError, saying what is missing.
    """
    time = spec.task.time
    row = warehouse.records(f"SELECT min({time})::date AS first, max({time})::date AS last FROM {spec.features.name}")[
        0
    ]
    if row["first"] is None or (row["last"] - row["first"]).days < spec.minimum_days:
        days = (row["last"] - row["first"]).days + 1 if row["first"] else 0
        raise TooLittleHistoryError(
            f"training needs more than {spec.minimum_days} days of history and there are {days}: import or collect more"
        )
    window = Window(row["first"], row["last"] - timedelta(days=1))
    _require_targets(spec, warehouse, window)
    return window


def fold_until(window: Window) -> date:
    """The last target day a forecaster is fitted on to be scored on the rest of `window`."""
    return window.last - timedelta(days=min(HELD_OUT_DAYS, len(window.days) // 3))


def _require_targets(spec: ModelSpec, warehouse: Warehouse, window: Window) -> None:
    """Raises TooLittleHistoryError unless every horizon has targets to fit on and to score."""
    task, counts = spec.task, spec.counts.name
    kind = {column.name: column.postgres_type for column in spec.features.columns}[task.time]
    rows = warehouse.records(
        f"SELECT ahead, count(*) FILTER (WHERE target.{task.time} <= $3) AS fitted, "
        f"count(*) FILTER (WHERE origin.{task.time} > $3) AS scored "
        f"FROM {spec.features.name} AS known JOIN {counts} AS origin USING ({task.series}, {task.time}) "
        f"CROSS JOIN unnest($4::integer[]) AS ahead JOIN {counts} AS target "
        f"ON target.{task.series} = origin.{task.series} AND target.view_definition = origin.view_definition "
        f"AND target.{task.time} = (origin.{task.time} + ahead * $5::interval)::{kind} "
        f"WHERE known.{task.increments[task.targets[0]]} IS NOT NULL AND origin.{task.time} >= $1 "
        f"AND target.{task.time} <= $2 GROUP BY ahead",
        (
            window.first,
            spec.end_of(window.last),
            spec.end_of(fold_until(window)),
            list(task.horizons),
            task.step.to_pytimedelta(),
        ),
    )
    found = {row["ahead"]: row for row in rows}
    for ahead in task.horizons:
        counted = found.get(ahead, {"fitted": 0, "scored": 0})
        if counted["fitted"] < MIN_ROWS or not counted["scored"]:
            raise TooLittleHistoryError(
                f"training {spec.name} needs {MIN_ROWS} readings with one a {task.unit} before and one {ahead} "
                f"{task.unit}s later up to {fold_until(window)}, and one after it to score. There are "
                f"{counted['fitted']} and {counted['scored']}: import or collect series that are read every {task.unit}"
            )


def data_version(spec: ModelSpec, warehouse: Warehouse, window: Window) -> str:
    """Digest of the versions of the features of `window`."""
    rows = warehouse.records(
        "SELECT string_agg(input_version, ',' ORDER BY partition_day) AS versions FROM ops.loads "
        "WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
        (spec.features.name, window.first, window.last),
    )
    return hashlib.sha256((rows[0]["versions"] or "").encode()).hexdigest()[:32]


def train(
    spec: ModelSpec,
    warehouse: Warehouse,
    registry: ModelRegistry,
    tracking: Any,
    threads: int,
    now: pd.Timestamp,
    run_id: str,
    progress: Progress,
) -> Trained:
    """Score a forecaster on the last days, fit another on all, register it, and promote it when it beats naive.

    `tracking` is dagster-mlflow's resource with an open MLflow run. Raises TooLittleHistoryError.
    """
    task, window = spec.task, training_window(spec, warehouse)
    features = warehouse.read_window(spec.features, window)
    counts = warehouse.read_window(spec.counts, window)
    cut = fold_until(window)
    progress(0, 2, f"models.{spec.name}, fits")
    make = partial(make_forecaster, RECIPE, task, threads)
    rows = backtest(task, features, counts, spec.end_of(cut), spec.end_of(window.last), make)
    scores = score(task, rows).merge(weekly_range(task, rows), on=SCORED)
    progress(1, 2, f"models.{spec.name}, fits")
    forecaster = make()
    forecaster.fit(training_frame(task, features, counts, spec.end_of(window.last)))
    promoted = beats_naive(scores)
    version = data_version(spec, warehouse, window)
    tracking.log_params({"trained_until": window.last, "fold_trained_until": cut, "data_version": version})
    tracking.log_metrics(
        {
            f"{name}_{row['target']}_{row['horizon']}{task.unit[0]}": float(row[name])
            for row in scores.to_dict("records")
            for name in scores.columns.drop(SCORED)
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        save_forecaster(forecaster, RECIPE, task, Path(folder))
        if task is VIDEO_DAY:
            add_cold(Path(folder), features, counts, spec.end_of(window.last), threads)
        model = registry.register(spec.name, tracking.active_run().info.run_id, Path(folder), window.last, version)
    cards = _scorecards(spec, model, scores, window, promoted, now)
    with warehouse.transaction() as transaction:
        transaction.upsert(SCORECARDS, judge(SCORECARDS, cards).accepted, run_id)
    if promoted:
        registry.promote(model)
    tracking.end_run()
    progress(2, 2, f"models.{spec.name}, fits")
    return Trained(model, scores, promoted)


def _scorecards(
    spec: ModelSpec,
    model: RegisteredModel,
    scores: pd.DataFrame,
    window: Window,
    promoted: bool,
    now: pd.Timestamp,
) -> pd.DataFrame:
    cards = scores.rename(columns={"n": "row_count"}).assign(
        model_version=model.name,
        trained_until=pd.Timestamp(window.last),
        fold_trained_until=pd.Timestamp(fold_until(window)),
        fold_tested_until=pd.Timestamp(window.last),
        promoted=promoted,
        scored_at=now,
        task=spec.task.name,
        kind=model.kind,
        recipe_digest=model.recipe_digest,
        data_version=model.data_version,
        fold_count=1,
        champion_version=None,
        champion_wape=float("nan"),
        p_naive=float("nan"),
        p_champion=float("nan"),
        decision="beats naive" if promoted else "does not beat naive",
    )
    return cards[SCORECARDS.column_names]


def training_is_due(spec: ModelSpec, warehouse: Warehouse, registry: ModelRegistry) -> bool:
    """Whether there is no champion, or it has fallen a week behind, or its training data has changed since.

    Raises TooLittleHistoryError where there is nothing to train on.
    """
    window = training_window(spec, warehouse)
    champion = registry.champion(spec.name)
    if champion is None:
        return True
    seen = Window(window.first, champion.trained_until)
    behind = (window.last - champion.trained_until).days >= RETRAIN_AFTER_DAYS
    return behind or data_version(spec, warehouse, seen) != champion.data_version
