"""Tuning: a search for parameters that err less on folds older than those the gate judges by.

Trials are Optuna's, in the schema `optuna` of MLflow's database: MLflow and Optuna both keep a table `alembic_version`,
and each must see its own. A search that was interrupted goes on where it ended, as long as the data is the same.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from yt_platform.forecasting.evaluation import Fold, beside_actuals, score
from yt_platform.forecasting.forecasters.catalog import Recipe, make_forecaster
from yt_platform.forecasting.registered import ModelSpec
from yt_platform.forecasting.search import SPACES, Range
from yt_platform.forecasting.tasks import Task
from yt_platform.forecasting.training import TooLittleHistoryError, answerable, data_version, folds_of, training_days
from yt_platform.models.tables import TUNED_RECIPES
from yt_platform.progress import Progress
from yt_platform.tables.validation import judge
from yt_platform.warehouse.warehouse import Warehouse, Window

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

SCHEMA = "optuna"
FOLDS = 3
STARTUP_TRIALS = 4
"""Trials that are never pruned: what the others are compared with."""

DEFAULTS = "defaults"
"""Marks the trial of the kind's own parameters: what the search must beat."""


@dataclass(frozen=True)
class Effort:
    """How much is searched: at most `trials` per kind in all, in `minutes` over all kinds, by `workers` at once, each
    with `threads`."""

    trials: int
    minutes: float
    workers: int
    threads: int


@dataclass(frozen=True)
class Tuned:
    """What a search found: parameters that differ from the defaults, none where the defaults are best."""

    kind: str
    parameters: dict[str, Any]
    wape: float
    default_wape: float
    trials: int
    pruned: int


def tune(
    spec: ModelSpec,
    warehouse: Warehouse,
    tracking_uri: str,
    kinds: Sequence[str],
    effort: Effort,
    now: datetime,
    run_id: str,
    progress: Progress,
) -> list[Tuned]:
    """Search parameters for each of `kinds` that has a space, and store the best for the next training.

    The newest fold is left to the gate: parameters chosen on it would look better there than they are. Raises
    TooLittleHistoryError.
    """
    window = training_days(spec, warehouse)
    days = folds_of(window, FOLDS + 1)[:-1]
    if not days:
        raise TooLittleHistoryError(
            f"tuning {spec.name} needs a fold before the one that the gate judges by: import or collect more days"
        )
    until = days[-1].last
    spec = answerable(spec, warehouse, Window(window.first, until))
    features = warehouse.read_window(spec.features, Window(window.first, until))
    counts = warehouse.read_window(spec.counts, Window(window.first, until))
    folds = [_fold(spec, features, counts, held_out) for held_out in days]
    storage = _storage(tracking_uri)
    searched = [kind for kind in kinds if kind in SPACES]
    found: list[Tuned] = []
    for kind in searched:
        progress(len(found), len(searched), f"models.{spec.name}, tuning")
        name = f"{spec.name} {kind} {data_version(spec, warehouse, Window(window.first, until))[:12]}"
        study = _study(storage, name)
        base = dict(spec.parameters.get(kind, {}))
        found.append(_search(study, spec.task, kind, base, folds, effort, effort.minutes * 60 / len(searched)))
    storage.remove_session()
    progress(len(found), len(searched), f"models.{spec.name}, tuning")
    rows = pd.DataFrame(
        [
            {
                "task": spec.task.name,
                "kind": tuned.kind,
                "parameters": json.dumps(tuned.parameters, sort_keys=True),
                "wape": tuned.wape,
                "default_wape": tuned.default_wape,
                "trial_count": tuned.trials,
                "tuned_until": pd.Timestamp(until),
                "tuned_at": now,
            }
            for tuned in found
        ]
    )
    with warehouse.transaction() as transaction:
        transaction.upsert(TUNED_RECIPES, judge(TUNED_RECIPES, rows).accepted, run_id)
    return found


def _fold(spec: ModelSpec, features: pd.DataFrame, counts: pd.DataFrame, held_out: Window) -> Fold:
    cut = spec.end_of(held_out.first - timedelta(days=1))
    return Fold.of(spec.task, features, counts, cut, spec.end_of(held_out.last))


def _storage(tracking_uri: str) -> "RDBStorage":
    import sqlalchemy
    from optuna import logging
    from optuna.storages import RDBStorage

    logging.set_verbosity(logging.WARNING)
    engine = sqlalchemy.create_engine(tracking_uri)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    engine.dispose()
    return RDBStorage(
        tracking_uri,
        engine_kwargs={"connect_args": {"options": f"-csearch_path={SCHEMA}"}},
    )


def _study(storage: "RDBStorage", name: str) -> "Study":
    """The study of that name as it was left. Trials that were under way when their process ended count as failed: one
    tuning runs at a time."""
    import optuna
    from optuna.trial import TrialState

    study = optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=1),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
    )
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
    kept = study.get_trials(states=[TrialState.WAITING, TrialState.COMPLETE])
    if not any(trial.user_attrs.get(DEFAULTS) for trial in kept):
        study.enqueue_trial({}, user_attrs={DEFAULTS: True})
    return study


def _search(
    study: "Study",
    task: Task,
    kind: str,
    base: dict[str, Any],
    folds: Sequence[Fold],
    effort: Effort,
    seconds: float,
) -> Tuned:
    """`base` is what the task's own parameters are without tuning."""
    from optuna.trial import TrialState

    objective = _objective(task, kind, base, folds, effort.threads)
    left = effort.trials - len(study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED]))
    if left > 0:
        study.optimize(objective, n_trials=left, timeout=seconds, n_jobs=effort.workers)
    ended = study.get_trials(states=[TrialState.COMPLETE])
    default = next(_error(trial) for trial in ended if trial.user_attrs.get(DEFAULTS))
    best = study.best_trial
    better = _error(best) < default
    return Tuned(
        kind=kind,
        parameters=base | best.params if better else base,
        wape=_error(best) if better else default,
        default_wape=default,
        trials=len(study.trials),
        pruned=len(study.get_trials(states=[TrialState.PRUNED])),
    )


def _error(trial: "FrozenTrial") -> float:
    if trial.value is None:
        raise ValueError(f"trial {trial.number} ended without an error to compare")
    return trial.value


def _objective(
    task: Task, kind: str, base: dict[str, Any], folds: Sequence[Fold], threads: int
) -> Callable[["Trial"], float]:
    """The mean WAPE over targets, horizons and folds; given up where after a fold it is above the median of others."""
    from optuna import TrialPruned

    def objective(trial: "Trial") -> float:
        chosen = {} if trial.user_attrs.get(DEFAULTS) else _suggested(trial, kind)
        errors: list[float] = []
        for step, fold in enumerate(folds):
            forecaster = make_forecaster(Recipe(kind, base | chosen), task, threads)
            forecaster.fit(fold.frame)
            rows = beside_actuals(task, forecaster.predict(fold.test), fold.test, fold.actual)
            errors.append(float(np.nanmean(score(task, rows)["wape"])))
            trial.report(float(np.mean(errors)), step)
            if step < len(folds) - 1 and not trial.user_attrs.get(DEFAULTS) and trial.should_prune():
                raise TrialPruned
        return float(np.mean(errors))

    return objective


def _suggested(trial: "Trial", kind: str) -> dict[str, Any]:
    return {name: _value(trial, name, among) for name, among in SPACES[kind].items()}


def _value(trial: "Trial", name: str, among: Range) -> float:
    if among.whole:
        return trial.suggest_int(name, int(among.low), int(among.high), log=among.logarithmic)
    return trial.suggest_float(name, among.low, among.high, log=among.logarithmic)
