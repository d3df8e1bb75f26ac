"""Training the forecaster from the warehouse: scored on held-out days, fitted on all, registered, and judged."""

import hashlib
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from yt_platform.core.evaluate import SCORED, backtest, beats_naive, score, training_frame
from yt_platform.core.models.catalog import Recipe, make_forecaster, save_forecaster
from yt_platform.core.models.samples import MIN_ROWS
from yt_platform.core.progress import Progress
from yt_platform.core.schemas.base import judge
from yt_platform.core.schemas.features import VIDEO_DAY
from yt_platform.core.schemas.metrics import VIDEO_DAILY
from yt_platform.core.schemas.models import SCORECARDS
from yt_platform.core.tasks import VIDEO_DAY as TASK
from yt_platform.io.registry import ModelRegistry, RegisteredModel
from yt_platform.io.warehouse import Warehouse, Window

RECIPE = Recipe("lightgbm")
HELD_OUT_DAYS = 28
RETRAIN_AFTER_DAYS = 7
MINIMUM_DAYS = 24
"""A third is held out, and targets a week ahead must exist on both sides of the cut."""


class TooLittleHistoryError(RuntimeError):
    """There are too few days, or too few readings, to train and to score a forecaster."""


@dataclass(frozen=True)
class Trained:
    """A registered model, its scores by target and horizon, and whether it became champion."""

    model: RegisteredModel
    scores: pd.DataFrame
    promoted: bool


def training_window(warehouse: Warehouse) -> Window:
    """Days whose targets a forecaster may be fitted on: all but the last, which forecasts start from.

    Raises TooLittleHistoryError, saying what is missing.
    """
    row = warehouse.records("SELECT min(day) AS first, max(day) AS last FROM features.video_day")[0]
    if row["first"] is None or (row["last"] - row["first"]).days < MINIMUM_DAYS:
        days = (row["last"] - row["first"]).days + 1 if row["first"] else 0
        raise TooLittleHistoryError(
            f"training needs more than {MINIMUM_DAYS} days of history and there are {days}: import or collect more"
        )
    window = Window(row["first"], row["last"] - timedelta(days=1))
    _require_targets(warehouse, window)
    return window


def fold_until(window: Window) -> date:
    """The last target day a forecaster is fitted on to be scored on the rest of `window`."""
    return window.last - timedelta(days=min(HELD_OUT_DAYS, len(window.days) // 3))


def _require_targets(warehouse: Warehouse, window: Window) -> None:
    """Raises TooLittleHistoryError unless every horizon has targets to fit on and to score."""
    rows = warehouse.records(
        "SELECT ahead, count(*) FILTER (WHERE target.day <= $3) AS fitted, "
        "count(*) FILTER (WHERE origin.day > $3) AS scored "
        "FROM metrics.video_daily AS origin CROSS JOIN unnest($4::integer[]) AS ahead "
        "JOIN metrics.video_daily AS target ON target.video_id = origin.video_id "
        "AND target.day = origin.day + ahead AND target.view_definition = origin.view_definition "
        "WHERE origin.view_increment IS NOT NULL AND origin.day >= $1 AND target.day <= $2 GROUP BY ahead",
        (window.first, window.last, fold_until(window), list(TASK.horizons)),
    )
    found = {row["ahead"]: row for row in rows}
    for ahead in TASK.horizons:
        counts = found.get(ahead, {"fitted": 0, "scored": 0})
        if counts["fitted"] < MIN_ROWS or not counts["scored"]:
            raise TooLittleHistoryError(
                f"training needs {MIN_ROWS} readings with one on the day before and one {ahead} days later up to "
                f"{fold_until(window)}, and one after it to score. There are {counts['fitted']} and "
                f"{counts['scored']}: import or collect videos that are read every day"
            )


def data_version(warehouse: Warehouse, window: Window) -> str:
    """Digest of the versions of the features of `window`."""
    rows = warehouse.records(
        "SELECT string_agg(input_version, ',' ORDER BY partition_day) AS versions FROM ops.loads "
        "WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
        (VIDEO_DAY.name, window.first, window.last),
    )
    return hashlib.sha256((rows[0]["versions"] or "").encode()).hexdigest()[:32]


def train_forecaster(
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
    window = training_window(warehouse)
    features = warehouse.read_window(VIDEO_DAY, window)
    daily = warehouse.read_window(VIDEO_DAILY, window)
    cut = fold_until(window)
    progress(0, 2, "models.video_forecaster, fits")
    make = partial(make_forecaster, RECIPE, TASK, threads)
    scores = score(TASK, backtest(TASK, features, daily, pd.Timestamp(cut), pd.Timestamp(window.last), make))
    progress(1, 2, "models.video_forecaster, fits")
    forecaster = make()
    forecaster.fit(training_frame(TASK, features, daily, pd.Timestamp(window.last)))
    promoted = beats_naive(scores)
    version = data_version(warehouse, window)
    tracking.log_params({"trained_until": window.last, "fold_trained_until": cut, "data_version": version})
    tracking.log_metrics(
        {
            f"{name}_{row['target']}_{row['horizon']}d": float(row[name])
            for row in scores.to_dict("records")
            for name in scores.columns.drop(SCORED)
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        save_forecaster(forecaster, RECIPE, TASK, Path(folder))
        model = registry.register(tracking.active_run().info.run_id, Path(folder), window.last, version)
    cards = _scorecards(model, scores, window, promoted, now)
    with warehouse.transaction() as transaction:
        transaction.upsert(SCORECARDS, judge(SCORECARDS, cards).accepted, run_id)
    if promoted:
        registry.promote(model)
    tracking.end_run()
    progress(2, 2, "models.video_forecaster, fits")
    return Trained(model, scores, promoted)


def _scorecards(
    model: RegisteredModel,
    scores: pd.DataFrame,
    window: Window,
    promoted: bool,
    now: pd.Timestamp,
) -> pd.DataFrame:
    cards = scores.rename(columns={"horizon": "horizon_days", "n": "row_count"}).assign(
        model_version=model.name,
        trained_until=pd.Timestamp(window.last),
        fold_trained_until=pd.Timestamp(fold_until(window)),
        fold_tested_until=pd.Timestamp(window.last),
        promoted=promoted,
        scored_at=now,
    )
    return cards[SCORECARDS.column_names]


def training_is_due(warehouse: Warehouse, registry: ModelRegistry) -> bool:
    """Whether there is no champion, or it has fallen a week behind, or its training data has changed since.

    Raises TooLittleHistoryError where there is nothing to train on.
    """
    window = training_window(warehouse)
    champion = registry.champion()
    if champion is None:
        return True
    seen = Window(window.first, champion.trained_until)
    behind = (window.last - champion.trained_until).days >= RETRAIN_AFTER_DAYS
    return behind or data_version(warehouse, seen) != champion.data_version
