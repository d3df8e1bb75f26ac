"""What happens by itself after collection: forecasts and how they did, training by the week and by cause, and what a
failed training leaves behind.

Causes of a training are judged on edges: each sensor's cursor is the episode it acted upon last, and an episode is
acted upon once. Everything asks Postgres alone and reads the platform's clock; with a simulated one nothing new comes,
so that nothing is trained again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    ResourceParam,
    RunFailureSensorContext,
    RunRecord,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    run_failure_sensor,
    schedule,
    sensor,
)

from yt_platform.clock import Clock
from yt_platform.forecasting.accuracy_store import accuracy_due
from yt_platform.forecasting.defs.models import candidate_asset
from yt_platform.forecasting.predictions import forecasts_due
from yt_platform.forecasting.registered import MODELS, VIDEO_FORECASTER, ModelSpec
from yt_platform.forecasting.training import TooLittleHistoryError, training_is_due, training_window
from yt_platform.models.drift_store import drift_due
from yt_platform.models.registry import ModelRegistry
from yt_platform.monitoring import alerts
from yt_platform.monitoring.alerts import Alert, open_of_kind, raise_alert
from yt_platform.monitoring.tables import DRIFT
from yt_platform.orchestration.failures import step_cause
from yt_platform.orchestration.jobs import COLLECT, FOLLOW, FROM_PULLS, REFRESH, TRAINING
from yt_platform.orchestration.partitions import asset_key, range_tags
from yt_platform.policy import PolicyMode
from yt_platform.settings import Settings
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Warehouse, Window

STALE_AFTER_DAYS = 10
"""Days of readings after the champion's training: a weekly training and three days of grace."""

STALE = "readings that the champion has not seen"

ASK_EVERY_SECONDS = 300

UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Situation:
    """What says whether something is due."""

    instance: DagsterInstance
    warehouse: Warehouse
    registry: ModelRegistry
    settings: Settings
    clock: Clock


def cron_every(minutes: int) -> str:
    """Cron schedule of every so many minutes: part of an hour, or whole hours that divide a day."""
    if minutes < 60:
        return f"*/{minutes} * * * *"
    return f"23 */{minutes // 60} * * *"  # not on the hour, and after hourly_collection


def build(settings: Settings) -> Definitions:
    return Definitions(schedules=build_forecasting_schedules(settings), sensors=build_sensors())


def build_forecasting_schedules(settings: Settings) -> list[ScheduleDefinition]:
    @schedule(
        name="forecasts",
        job_name=FOLLOW,
        cron_schedule=cron_every(settings.forecast_every_minutes),
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every YT_FORECAST_EVERY_MINUTES: forecasts that are due, after a training where there is no "
        "champion, and how earlier forecasts and their inputs did",
    )
    def forecasts(
        context: ScheduleEvaluationContext,
        warehouse: ResourceParam[Warehouse],
        registry: ResourceParam[ModelRegistry],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
    ) -> Sequence[RunRequest] | SkipReason:
        now = Situation(context.instance, warehouse, registry, settings, clock)
        if context.instance.get_runs(RunsFilter(job_name=FOLLOW, statuses=UNDER_WAY), limit=1):
            return SkipReason("runs of an earlier tick are under way")
        told = [_models_turn(now, spec) for spec in MODELS.values()]
        requests = [answer for answer in told if isinstance(answer, RunRequest)] + _watched(now)
        return requests or SkipReason("; ".join(answer for answer in told if isinstance(answer, str)))

    return [forecasts, *(_weekly(spec) for spec in MODELS.values())]


def _weekly(spec: ModelSpec) -> ScheduleDefinition:
    @schedule(
        name=f"weekly_{TRAINING[spec.name]}",
        job_name=TRAINING[spec.name],
        cron_schedule="0 4 * * 1",
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Mondays at 04:00 UTC: train, and let the gate decide",
    )
    def weekly(
        context: ScheduleEvaluationContext,
        warehouse: ResourceParam[Warehouse],
        registry: ResourceParam[ModelRegistry],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
    ) -> RunRequest | SkipReason:
        now = Situation(context.instance, warehouse, registry, settings, clock)
        reason = _reason_not_to_train(now, spec) or _too_little(now, spec)
        return SkipReason(reason) if reason else RunRequest()

    return weekly


def _models_turn(now: Situation, spec: ModelSpec) -> RunRequest | str:
    """A run that forecasts, after a training where there is no champion; or why there is none."""
    if now.registry.champion(spec.name):
        due = forecasts_due(spec, now.warehouse, now.registry)
        return _request(due, spec.forecasts.name) if due else f"{spec.name}: every forecast is made"
    # a failed training is not tried again before the cool-down ends
    if reason := _trained_lately(now, spec) or _too_little(now, spec):
        return f"{spec.name}: there is no champion, and {reason}"
    if not training_is_due(spec, now.warehouse):
        return f"{spec.name}: there is no champion, as no candidate was better than naive"
    day = training_window(spec, now.warehouse).last + timedelta(days=1)
    kinds = spec.kinds or now.settings.candidate_kinds
    trained = [*(candidate_asset(spec, kind) for kind in kinds), f"models.{spec.name}"]
    return _request(Window(day, day), *trained, spec.forecasts.name)


def _watched(now: Situation) -> list[RunRequest]:
    """Runs that score the forecasts whose outcome is known, and measure drift."""
    over = now.clock.last_day_over()
    drifting = drift_due(now.warehouse, now.registry, over)
    return [
        *(
            _request(window, spec.accuracy.name)
            for spec in MODELS.values()
            for window in accuracy_due(spec, now.warehouse, over)
        ),
        *([_request(Window(drifting, drifting), DRIFT.name)] if drifting else []),
    ]


def _request(window: Window, *tables: str) -> RunRequest:
    return RunRequest(asset_selection=[asset_key(table) for table in tables], tags=range_tags(window))


def build_sensors() -> list[SensorDefinition]:
    drifted = partial(_open_alert, alerts.DRIFT, VIDEO_FORECASTER.features.name)
    return [
        _retraining("retrain_on_drift", VIDEO_FORECASTER, "drift from the champion's training", drifted),
        *(watching for spec in MODELS.values() for watching in _watching(spec)),
        training_failures,
        failed_collections,
    ]


def _watching(spec: ModelSpec) -> list[SensorDefinition]:
    name, failing = f"re{TRAINING[spec.name]}", partial(_open_alert, alerts.ACCURACY, spec.accuracy.name)
    return [
        _retraining(f"{name}_on_accuracy", spec, "accuracy outside validation's range", failing),
        _retraining(f"{name}_when_stale", spec, STALE, partial(_stale, spec)),
    ]


Episode = Callable[[Situation], str | None]
"""What a training is wanted for, named so that the same is never acted upon twice; None where nothing is."""


def _retraining(name: str, spec: ModelSpec, cause: str, episode: Episode) -> SensorDefinition:
    @sensor(
        name=name,
        job_name=TRAINING[spec.name],
        minimum_interval_seconds=ASK_EVERY_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description=f"Trains once for every episode of {cause}, at most once in YT_RETRAIN_COOLDOWN_HOURS",
    )
    def retrain(
        context: SensorEvaluationContext,
        warehouse: ResourceParam[Warehouse],
        registry: ResourceParam[ModelRegistry],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
    ) -> RunRequest | SkipReason:
        now = Situation(context.instance, warehouse, registry, settings, clock)
        current = episode(now)
        if current is None:
            context.update_cursor("")
            return SkipReason(f"no {cause}")
        if current == context.cursor:
            return SkipReason(f"a training was asked for already: {current}")
        # the cursor stays, so that the edge is not lost while something keeps from training
        if reason := _reason_not_to_train(now, spec):
            return SkipReason(reason)
        context.update_cursor(current)
        return RunRequest(run_key=f"{name}/{current}")

    return retrain


def _open_alert(kind: str, subject: str, now: Situation) -> str | None:
    alert = open_of_kind(now.warehouse, kind).get(subject)
    return f"alert {alert['alert_id']}" if alert else None


def _stale(spec: ModelSpec, now: Situation) -> str | None:
    champion = now.registry.champion(spec.name)
    newest = now.warehouse.records(
        "SELECT max(partition_day) AS day FROM ops.loads WHERE table_name = $1 AND row_count > 0",
        (spec.features.name,),
    )[0]["day"]
    if champion is None or newest is None or (newest - champion.trained_until).days < STALE_AFTER_DAYS:
        return None
    return f"{champion.name}, trained until {champion.trained_until}"


def _reason_not_to_train(now: Situation, spec: ModelSpec) -> str | None:
    if now.clock.simulated_at:
        return "the clock is simulated, as the data is imported: `yt-platform run` trains where it is due"
    return _trained_lately(now, spec)


def _trained_lately(now: Situation, spec: ModelSpec) -> str | None:
    record = _newest_training(now.instance, spec)
    if record is None:
        return None
    if record.dagster_run.status in UNDER_WAY:
        return f"training run {record.dagster_run.run_id} is under way"
    # Dagster's marks are of the machine's time, whatever the platform's clock says
    ready = record.create_timestamp + timedelta(hours=now.settings.retrain_cooldown_hours)
    if datetime.now(UTC) < ready:
        return f"the last training is too recent: the next one waits until {ready:%Y-%m-%d %H:%M} UTC"
    return None


def _too_little(now: Situation, spec: ModelSpec) -> str | None:
    try:
        training_window(spec, now.warehouse)
    except TooLittleHistoryError as error:
        return str(error)
    return None


def training_under_way(instance: DagsterInstance, spec: ModelSpec) -> str | None:
    """The id of a run that is to train the model and has not ended."""
    record = _newest_training(instance, spec)
    return record.dagster_run.run_id if record and record.dagster_run.status in UNDER_WAY else None


def _newest_training(instance: DagsterInstance, spec: ModelSpec) -> RunRecord | None:
    """The newest run that was to train the model, of whichever job."""
    planned = instance.get_latest_planned_materialization_info(asset_key(f"models.{spec.name}"))
    return instance.get_run_record_by_id(planned.run_id) if planned else None


@run_failure_sensor(
    name="training_failures",
    default_status=DefaultSensorStatus.RUNNING,
    description="Writes an alert for a failed training; champion and forecasts are as they were",
)
def training_failures(
    context: RunFailureSensorContext, warehouse: ResourceParam[Warehouse], clock: ResourceParam[Clock]
) -> None:
    run, failures = context.dagster_run, context.get_step_failure_events()
    told = {event.step_key: step_cause(event.step_failure_data) for event in failures}
    for spec in MODELS.values():
        step = f"train_{spec.name}"
        trained = run.job_name == TRAINING[spec.name] or asset_key(f"models.{spec.name}") in (run.asset_selection or ())
        if step in told or (trained and not told):  # a process that is killed tells of no step
            message = f"run {run.run_id}: {told.get(step) or context.failure_event.message}"
            raise_alert(warehouse, training_failed(spec.name, message), clock.now(), run.run_id)


def training_failed(model: str, message: str) -> Alert:
    remedy = (
        f"mend what the message names, then launch the job {TRAINING[model]} in Dagster; until a training succeeds, "
        "champion and forecasts stay as they were"
    )
    return Alert(alerts.TRAINING, model, alerts.ERROR, message, remedy)


def stored_and_not_loaded(
    warehouse: Warehouse, today: date, mode: PolicyMode | None
) -> list[tuple[Window, frozenset[str]]]:
    """Days up to `today` and the tables that a collection would have loaded there from what it stored."""
    stale = [(window, tables & frozenset(FROM_PULLS)) for window, tables in stale_ranges(warehouse, today, mode)]
    return [(window, tables) for window, tables in stale if tables]


@sensor(
    job_name=REFRESH,
    minimum_interval_seconds=ASK_EVERY_SECONDS,
    default_status=DefaultSensorStatus.RUNNING,
    description="Loads what a collection stored before it failed, where the newest one did",
)
def failed_collections(
    context: SensorEvaluationContext,
    warehouse: ResourceParam[Warehouse],
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> list[RunRequest] | SkipReason:
    newest = context.instance.get_runs(RunsFilter(job_name=COLLECT), limit=1)
    if not newest or not newest[0].is_failure:
        return SkipReason("the newest collection did not fail")
    left = stored_and_not_loaded(warehouse, clock.now().date(), settings.policy_mode)
    return [
        RunRequest(
            run_key=f"{newest[0].run_id}/{window.first}/{window.last}",
            asset_selection=[asset_key(table) for table in sorted(tables)],
            tags=range_tags(window),
        )
        for window, tables in left
    ] or SkipReason(f"what run {newest[0].run_id} stored is loaded")
