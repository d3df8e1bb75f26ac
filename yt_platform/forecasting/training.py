"""Training a model from the warehouse: scored on held-out days, fitted on all, registered, and judged."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from yt_platform.forecasting.cold import add_cold
from yt_platform.forecasting.evaluation import (
    SCORED,
    Fold,
    beside_actuals,
    score,
    score_slices,
    training_frame,
    weekly_range,
)
from yt_platform.forecasting.forecasters.catalog import Recipe, make_forecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster, origins
from yt_platform.forecasting.forecasters.samples import MIN_ROWS
from yt_platform.forecasting.gate import Decision, decide
from yt_platform.forecasting.plots import calibration, comparison, forecasts_and_actuals
from yt_platform.forecasting.registered import MODELS, ModelSpec
from yt_platform.forecasting.tasks import VIDEO_DAY
from yt_platform.models.champions import crown
from yt_platform.models.model_card import Card, model_card
from yt_platform.models.registry import ModelRegistry, RegisteredModel
from yt_platform.models.tables import BACKTEST_FORECASTS, SCORECARDS
from yt_platform.models.tracking import CandidateRun, flat, write_bundle
from yt_platform.progress import Progress
from yt_platform.tables.validation import judge
from yt_platform.warehouse.warehouse import Warehouse, Window

RECIPE = Recipe("lightgbm")
ENSEMBLE = "ensemble"
HELD_OUT_DAYS = 28
RETRAIN_AFTER_DAYS = 7
KEPT_BACKTESTS = 3
"""Versions whose fold forecasts stay in the warehouse: a training's are 400,000 rows on six months of real data."""


class TooLittleHistoryError(RuntimeError):
    """There are too few days, or too few readings, to train and to score a forecaster."""


@dataclass(frozen=True)
class Attempt:
    """A candidate on the folds: fitted on the newest, with the rows of `beside_actuals` of all of them."""

    recipe: Recipe
    forecaster: Forecaster
    forecasts: pd.DataFrame
    rows: pd.DataFrame


@dataclass(frozen=True)
class Trained:
    """The gate's decision, and every candidate's version, scores by target and horizon, model card and plots by name of
    the candidate."""

    decision: Decision
    versions: dict[str, RegisteredModel]
    scores: dict[str, pd.DataFrame]
    cards: dict[str, str]
    plots: dict[str, dict[str, bytes]]
    comparison: bytes


def training_window(spec: ModelSpec, warehouse: Warehouse) -> Window:
    """`training_days`, with enough readings to train and to score. Raises TooLittleHistoryError."""
    window = training_days(spec, warehouse)
    answerable(spec, warehouse, window)
    return window


def training_days(spec: ModelSpec, warehouse: Warehouse) -> Window:
    """Days whose targets a forecaster may be fitted on: all but the last, which forecasts start from.

    Raises TooLittleHistoryError where there are too few.
    """
    time = spec.task.time
    row = warehouse.records(f"SELECT min({time})::date AS first, max({time})::date AS last FROM {spec.features.name}")[
        0
    ]
    if row["first"] is None or (row["last"] - row["first"]).days < spec.minimum_days:
        days = (row["last"] - row["first"]).days + 1 if row["first"] else 0
        raise TooLittleHistoryError(
            f"training {spec.name} needs more than {spec.minimum_days} days of history and there are {days}: import or "
            "collect more"
        )
    return Window(row["first"], row["last"] - timedelta(days=1))


def folds_of(window: Window, count: int) -> list[Window]:
    """Rolling-origin folds, oldest first: of each the days that are held out, one after the other up to the end.

    A forecaster is fitted on everything before. Every fold needs as many days before it as it has, and there are
    fewer folds than `count` where the history is too short for that.
    """
    length = timedelta(days=min(HELD_OUT_DAYS, len(window.days) // 3))
    ends = [window.last - n * length for n in range(count)]
    held_out = [Window(last - length + timedelta(days=1), last) for last in ends]
    return [fold for fold in reversed(held_out) if fold == held_out[0] or fold.first - window.first >= length]


def answerable(spec: ModelSpec, warehouse: Warehouse, window: Window) -> ModelSpec:
    """`spec` at the horizons with targets to fit on and to score: a month of channel totals knows no 28 days ahead.

    Raises TooLittleHistoryError where the nearest has not.
    """
    task, counts, cut = spec.task, spec.counts.name, folds_of(window, 1)[0].first - timedelta(days=1)
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
            spec.end_of(cut),
            list(task.horizons),
            task.step.to_pytimedelta(),
        ),
    )
    found = {row["ahead"]: row for row in rows}
    enough = [ahead for ahead, row in found.items() if row["fitted"] >= MIN_ROWS and row["scored"]]
    nearest = min(task.horizons)
    if nearest not in enough:
        counted = found.get(nearest, {"fitted": 0, "scored": 0})
        raise TooLittleHistoryError(
            f"training {spec.name} needs {MIN_ROWS} readings with one a {task.unit} before and one {nearest} "
            f"{task.unit} later up to {cut}, and one after it to score. There are "
            f"{counted['fitted']} and {counted['scored']}: import or collect series that are read every {task.unit}"
        )
    return replace(spec, task=task.within(enough))


def data_version(spec: ModelSpec, warehouse: Warehouse, window: Window) -> str:
    """Digest of the versions of the features of `window`."""
    rows = warehouse.records(
        "SELECT string_agg(input_version, ',' ORDER BY partition_day) AS versions FROM ops.loads "
        "WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
        (spec.features.name, window.first, window.last),
    )
    return hashlib.sha256((rows[0]["versions"] or "").encode()).hexdigest()[:32]


def candidates_of(spec: ModelSpec, warehouse: Warehouse, kinds: Sequence[str]) -> list[Recipe]:
    """A recipe for each kind, with the best parameters tuning has found; an ensemble's are those of its members."""
    rows = warehouse.records("SELECT kind, parameters FROM models.tuned_recipes WHERE task = $1", (spec.task.name,))
    tuned = {**spec.parameters, **{row["kind"]: json.loads(row["parameters"]) for row in rows}}
    return [Recipe(kind, _members(tuned) if kind == ENSEMBLE else tuned.get(kind, {})) for kind in kinds]


def _members(tuned: Mapping[str, Any]) -> dict[str, Any]:
    from yt_platform.forecasting.forecasters.ensemble import MEMBERS

    return {kind: tuned.get(kind, {}) for kind in MEMBERS}


def train(
    spec: ModelSpec,
    warehouse: Warehouse,
    registry: ModelRegistry,
    tracking: Any,
    kinds: Sequence[str],
    fold_count: int,
    threads: int,
    now: datetime,
    run_id: str,
    progress: Progress,
) -> Trained:
    """Try a recipe of each kind on held-out days, let the gate choose, fit the chosen one on all days, register every
    candidate, and move the champion where the gate says so.

    The sitting champion's recipe is always tried too: on the same folds, so that the test is a paired one, and so that
    the champion is followed by its like learned on newer data while no other is better. What does not win is registered
    as it was fitted on the newest fold: fitting it on the last weeks as well would double the time for a model that
    nobody uses, and it forecasts from days after its own training like any other. So is the winner where nothing may
    ship.

    `tracking` is dagster-mlflow's resource with an open MLflow run. Nothing but the MLflow run is written before every
    candidate has been fitted. Raises TooLittleHistoryError and NotEnoughRowsError.
    """
    training = _Training(spec, warehouse, threads, fold_count, progress)
    spec = training.spec
    champion = registry.champion(spec.name)
    recipes = candidates_of(spec, warehouse, kinds)
    sitting = _repeatable(registry, champion)
    if sitting and sitting.digest not in {recipe.digest for recipe in recipes}:
        recipes.append(sitting)
    attempts = training.attempts(recipes)
    names = {attempt.recipe.digest: name for name, attempt in attempts.items()}
    decision = decide(spec.task, {name: each.rows for name, each in attempts.items()}, names.get(_digest(sitting)))
    shipped = training.final_fit(attempts[decision.winner]) if decision.winner else None

    version = data_version(spec, warehouse, training.window)
    tracking.log_params({"data_version": version, "folds": len(training.folds), "winner": decision.winner})
    trained = Trained(decision, {}, {}, {}, {}, comparison(spec.task, decision))
    parent = tracking.active_run().info.run_id
    for name, attempt in attempts.items():
        wins = shipped is not None and name == decision.winner
        trained.scores[name] = training.scores(attempt)
        run = CandidateRun(registry.client(), parent, name)
        until = training.window.last if wins else training.fitted_until
        with tempfile.TemporaryDirectory() as folder:
            forecaster = shipped if wins and shipped else attempt.forecaster
            write_bundle(forecaster, attempt.recipe, spec.task, Path(folder))
            if wins:
                training.add_cold_starts(Path(folder))
            seen = data_version(spec, warehouse, Window(training.window.first, until))
            model = registry.register(spec.name, run.run_id, Path(folder), until, seen)
        trained.versions[name] = model
        trained.cards[name] = training.card(attempt, model, decision.reasons[name])
        trained.plots[name] = {
            "forecasts.png": forecasts_and_actuals(spec.task, attempt.rows),
            "calibration.png": calibration(spec.task, attempt.rows),
        }
        run.log(
            {
                **flat(attempt.recipe.parameters),
                "kind": attempt.recipe.kind,
                "recipe": attempt.recipe.digest,
                "trained_until": until,
                "fold_trained_until": training.fitted_until,
                "data_version": seen,
            },
            _metrics(spec, trained.scores[name]),
            {**trained.plots[name], "model_card.md": trained.cards[name].encode()},
        )
        run.end()
    _write(spec, warehouse, registry, training, trained, attempts, champion, version, now, run_id)
    tracking.end_run()
    return trained


def _digest(recipe: Recipe | None) -> str:
    return recipe.digest if recipe else ""


def _repeatable(registry: ModelRegistry, champion: RegisteredModel | None) -> Recipe | None:
    """The champion's recipe, where this version of the code can still make it."""
    if champion is None:
        return None
    recipe = registry.recipe(champion)
    try:
        make_forecaster(recipe, MODELS[champion.model].task, 1)
    except ValueError:  # a kind or a parameter that there is no more: the champion cannot be loaded either
        return None
    return recipe


class _Training:
    """The data of one training, its folds, and what is fitted on them."""

    def __init__(
        self, spec: ModelSpec, warehouse: Warehouse, threads: int, fold_count: int, progress: Progress
    ) -> None:
        self.window = training_window(spec, warehouse)
        self.spec = answerable(spec, warehouse, self.window)
        self.folds = folds_of(self.window, fold_count)
        self.fitted_until = self.folds[-1].first - timedelta(days=1)
        # in one order, as the server keeps none: bags of rows, and with them a model, depend on it
        order = [spec.task.series, spec.task.time]
        self._features = warehouse.read_window(spec.features, self.window).sort_values(order, ignore_index=True)
        self._counts = warehouse.read_window(spec.counts, self.window).sort_values(order, ignore_index=True)
        self._threads = threads
        self._progress = progress

    def attempts(self, recipes: Sequence[Recipe]) -> dict[str, Attempt]:
        """Each recipe on every fold, by a name that is its kind, with the digest where two are of one kind."""
        total = len(self.folds) * len(recipes)
        found: dict[str, list[Attempt]] = {}
        for fold in self._held_out():
            for recipe in recipes:
                self._progress(sum(map(len, found.values())), total, f"models.{self.spec.name}, fits")
                before = [each[-1] for each in found.values()]
                attempt = self._attempt(recipe, fold, before)
                same = [each for each in recipes if each.kind == recipe.kind]
                name = recipe.kind if len(same) == 1 or same[0] is recipe else f"{recipe.kind}-{recipe.digest}"
                found.setdefault(name, []).append(attempt)
        self._progress(total, total, f"models.{self.spec.name}, fits")
        return {
            name: replace(each[-1], rows=pd.concat([fold.rows for fold in each], ignore_index=True))
            for name, each in found.items()
        }

    def _held_out(self) -> Iterator[Fold]:
        for days in self.folds:
            cut = self.spec.end_of(days.first - timedelta(days=1))
            yield Fold.of(self.spec.task, self._features, self._counts, cut, self.spec.end_of(days.last))

    def _attempt(self, recipe: Recipe, fold: Fold, before: Sequence[Attempt]) -> Attempt:
        task = self.spec.task
        members = _fitted_members(recipe, before)
        if members:
            from yt_platform.forecasting.forecasters.ensemble import EnsembleForecaster

            fitted = {kind: member.forecaster for kind, member in members.items()}
            ensemble = EnsembleForecaster.of(task, recipe.parameters, fitted)
            forecasts = ensemble.combine({kind: member.forecasts for kind, member in members.items()})
            forecaster: Forecaster = ensemble
        else:
            forecaster = make_forecaster(recipe, task, self._threads)
            forecaster.fit(fold.frame)
            forecasts = forecaster.predict(fold.test)
        return Attempt(recipe, forecaster, forecasts, beside_actuals(task, forecasts, fold.test, fold.actual))

    def final_fit(self, winner: Attempt) -> Forecaster:
        """The winner's recipe, fitted on all days."""
        self._progress(0, 1, f"models.{self.spec.name}, final fit")
        forecaster = make_forecaster(winner.recipe, self.spec.task, self._threads)
        until = self.spec.end_of(self.window.last)
        forecaster.fit(training_frame(self.spec.task, self._features, self._counts, until))
        self._progress(1, 1, f"models.{self.spec.name}, final fit")
        return forecaster

    def add_cold_starts(self, bundle: Path) -> None:
        """Forecasts of videos without a last increment go with the model that forecasts those with one."""
        if self.spec.task.name == VIDEO_DAY.name:
            add_cold(bundle, self._features, self._counts, self.spec.end_of(self.window.last), self._threads)

    def scores(self, attempt: Attempt) -> pd.DataFrame:
        return score(self.spec.task, attempt.rows).merge(weekly_range(self.spec.task, attempt.rows), on=SCORED)

    def card(self, attempt: Attempt, model: RegisteredModel, reason: str) -> str:
        task = self.spec.task
        learned = self._features[self._features[task.time] <= self.spec.end_of(model.trained_until)]
        learned = learned[origins(task, learned, task.targets[0])]
        return model_card(
            Card(
                version=model.name,
                description=self.spec.description,
                task=task,
                recipe=attempt.recipe,
                decision=reason,
                first_day=self.window.first,
                trained_until=model.trained_until,
                fold_trained_until=self.folds[0].first - timedelta(days=1),
                fold_tested_until=self.window.last,
                data_version=model.data_version,
                origin_count=len(learned),
                series_count=learned[task.series].nunique(),
                scores=score(task, attempt.rows),
                by_slice=score_slices(task, attempt.rows, self._features),
            )
        )


def _fitted_members(recipe: Recipe, before: Sequence[Attempt]) -> dict[str, Attempt]:
    """The members of an ensemble, by kind, where each was fitted already; else none."""
    if recipe.kind != ENSEMBLE:
        return {}
    fitted = {attempt.recipe.digest: attempt for attempt in before}
    wanted = {kind: Recipe(kind, parameters).digest for kind, parameters in recipe.parameters.items()}
    if not set(wanted.values()) <= set(fitted):
        return {}
    return {kind: fitted[digest] for kind, digest in wanted.items()}


def _metrics(spec: ModelSpec, scores: pd.DataFrame) -> dict[str, float]:
    return {
        f"{name}_{row['target']}_{row['horizon']}{spec.task.unit[0]}": float(row[name])
        for row in scores.to_dict("records")
        for name in scores.columns.drop(SCORED)
    }


def _write(
    spec: ModelSpec,
    warehouse: Warehouse,
    registry: ModelRegistry,
    training: _Training,
    trained: Trained,
    attempts: Mapping[str, Attempt],
    champion: RegisteredModel | None,
    version: str,
    now: datetime,
    run_id: str,
) -> None:
    """Scorecards, the best candidate's fold forecasts and the change of champion, all or none."""
    decision = trained.decision
    cards = pd.concat(
        [
            _scorecards(spec, training, model, trained.scores[name], decision, name).assign(
                champion_version=champion.name if champion else None, data_version=version, scored_at=now
            )
            for name, model in trained.versions.items()
        ]
    )
    best = decision.winner or str(decision.overall.sort_values("wape")["candidate"].iloc[0])
    newest = Window(training.fitted_until, training.fitted_until)
    told = _backtest_rows(spec, training, trained.versions[best], attempts[best])
    with warehouse.transaction() as transaction:
        transaction.upsert(SCORECARDS, judge(SCORECARDS, cards[SCORECARDS.column_names]).accepted, run_id)
        transaction.write(BACKTEST_FORECASTS, judge(BACKTEST_FORECASTS, told).accepted, newest, run_id)
        transaction.execute(
            "DELETE FROM models.backtest_forecasts WHERE task = $1 AND model_version NOT IN ("
            "  SELECT model_version FROM models.backtest_forecasts WHERE task = $1 GROUP BY model_version "
            f"  ORDER BY max(loaded_at) DESC LIMIT {KEPT_BACKTESTS})",
            (spec.task.name,),
        )
        if decision.winner:
            reason = decision.reasons[decision.winner]
            crown(transaction, registry, trained.versions[decision.winner], reason, now, run_id)


def _scorecards(
    spec: ModelSpec, training: _Training, model: RegisteredModel, scores: pd.DataFrame, decision: Decision, name: str
) -> pd.DataFrame:
    judged = decision.figures[decision.figures["candidate"] == name]
    judged = judged[[*SCORED, "p_naive", "champion_wape", "p_champion"]]
    return (
        scores.rename(columns={"n": "row_count"})
        .merge(judged, on=SCORED, how="left")
        .assign(
            model_version=model.name,
            trained_until=pd.Timestamp(model.trained_until),
            fold_trained_until=pd.Timestamp(training.folds[0].first - timedelta(days=1)),
            fold_tested_until=pd.Timestamp(training.window.last),
            promoted=name == decision.winner,
            task=spec.task.name,
            kind=model.kind,
            recipe_digest=model.recipe_digest,
            fold_count=len(training.folds),
            decision=decision.reasons[name],
        )
    )


def _backtest_rows(spec: ModelSpec, training: _Training, model: RegisteredModel, attempt: Attempt) -> pd.DataFrame:
    """The newest fold's forecasts as `models.backtest_forecasts` has them."""
    task = spec.task
    newest = attempt.rows[attempt.rows[task.time] > spec.end_of(training.fitted_until)]
    rows = newest.rename(columns={task.series: "series", task.time: "origin"}).assign(
        model_version=model.name, fold_trained_until=pd.Timestamp(training.fitted_until), task=task.name
    )
    if rows["origin"].dt.tz is None:
        rows["origin"] = rows["origin"].dt.tz_localize("UTC")
    return rows[BACKTEST_FORECASTS.column_names]


def training_is_due(spec: ModelSpec, warehouse: Warehouse) -> bool:
    """Whether the task was never trained, or not on the last week's days, or its data has changed since.

    The last training counts, whatever its gate decided: the same data would make the same models again, and a rollback
    stands until there are new ones. Raises TooLittleHistoryError where there is nothing to train on.
    """
    window = training_days(spec, warehouse)
    last = warehouse.records(
        "SELECT fold_tested_until AS until, data_version, (SELECT count(*) FROM models.champions WHERE model = $2) "
        "AS crowned FROM models.scorecards WHERE task = $1 ORDER BY fold_tested_until DESC, scored_at DESC LIMIT 1",
        (spec.task.name, spec.name),
    )
    if last:
        seen = Window(window.first, last[0]["until"])
        wait = timedelta(days=RETRAIN_AFTER_DAYS if last[0]["crowned"] else 1)
        if window.last - seen.last < wait and data_version(spec, warehouse, seen) == last[0]["data_version"]:
            return False
    answerable(spec, warehouse, window)
    return True
