"""Sensors that open and close alerts and tell people of them, and the report of every day.

Each tick looks at how things are now (the newest run of every job, the newest evaluation of every check, the books)
and keeps no cursor: a tick that is lost, or made twice, changes nothing. Not here: alerts that a run finds and raises
itself, like drift.
"""

from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    DagsterEventType,
    DagsterRun,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    Failure,
    OpExecutionContext,
    ResourceParam,
    RunRequest,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    job,
    op,
    schedule,
    sensor,
)

from yt_platform.clock import Clock
from yt_platform.forecasting.defs.predictions import WITHIN_VALIDATION
from yt_platform.models.defs import NO_DRIFT
from yt_platform.monitoring import alerts
from yt_platform.monitoring.alerts import Alert, open_of_kind, raise_alert, resolve_alert, settle_alerts
from yt_platform.monitoring.conditions import (
    anomaly_alerts,
    authorization_alerts,
    freshness_alerts,
    push_alerts,
    quota_alerts,
)
from yt_platform.monitoring.daily_report import as_message, daily_report
from yt_platform.monitoring.defs.checks import FRESH, check_page
from yt_platform.monitoring.defs.quality import GOOD_QUALITY
from yt_platform.monitoring.notify import Log, NotDeliveredError
from yt_platform.monitoring.outbox import deliver
from yt_platform.orchestration.failures import newest_finished_runs, run_cause
from yt_platform.orchestration.jobs import TRAINING
from yt_platform.resources import channels
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse

REPORT = "report"
LOOK_EVERY_SECONDS = 60

OWN_ALERTS = {NO_DRIFT, WITHIN_VALIDATION, GOOD_QUALITY, FRESH}
"""Checks of what has alerts of its own kind; `data_alerts` raises those of `fresh`, as data ages while nothing runs."""


def build(settings: Settings) -> Definitions:
    return Definitions(jobs=[report], schedules=[daily], sensors=build_alert_sensors())


def build_alert_sensors() -> list[SensorDefinition]:
    return [run_alerts, check_alerts, data_alerts, deliver_alerts]


@sensor(
    minimum_interval_seconds=LOOK_EVERY_SECONDS,
    default_status=DefaultSensorStatus.RUNNING,
    description="An alert for every job whose newest run failed, until one succeeds; trainings have their own",
)
def run_alerts(
    context: SensorEvaluationContext, warehouse: ResourceParam[Warehouse], clock: ResourceParam[Clock]
) -> SkipReason:
    known = open_of_kind(warehouse, alerts.RUN)
    for name, run in newest_finished_runs(context.instance).items():
        if run.is_success and name in known:
            resolve_alert(warehouse, alerts.RUN, name, clock.now())
        elif run.is_failure and name not in TRAINING.values() and known.get(name, {}).get("run_id") != run.run_id:
            message = f"run {run.run_id}: {run_cause(context.instance, run.run_id)}"
            raise_alert(warehouse, _run_failed(run, message), clock.now(), run.run_id)
    return _standing(warehouse, alerts.RUN)


def _run_failed(run: DagsterRun, message: str) -> Alert:
    return Alert(
        alerts.RUN, run.job_name, alerts.ERROR, message, "mend what the message names, then run it again in Dagster"
    )


@sensor(
    minimum_interval_seconds=LOOK_EVERY_SECONDS,
    default_status=DefaultSensorStatus.RUNNING,
    description="An alert for every check whose newest evaluation failed, until it passes or is no more",
)
def check_alerts(
    context: SensorEvaluationContext, warehouse: ResourceParam[Warehouse], clock: ResourceParam[Clock]
) -> SkipReason:
    repository = context.repository_def
    if repository is None:
        return SkipReason("the code location did not load")
    keys = [key for key in repository.asset_graph.asset_check_keys if key.name not in OWN_ALERTS]
    newest = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    known = open_of_kind(warehouse, alerts.CHECK)
    for subject in known.keys() - {key.to_user_string() for key in keys}:
        resolve_alert(warehouse, alerts.CHECK, subject, clock.now())
    for key, record in newest.items():
        # a run that ends before its checks leaves one planned, which says nothing
        if record.event is None or record.event.dagster_event_type is not DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        subject, evaluation = key.to_user_string(), record.event.get_dagster_event().asset_check_evaluation_data
        if evaluation.passed and subject in known:
            resolve_alert(warehouse, alerts.CHECK, subject, clock.now())
        elif not evaluation.passed and known.get(subject, {}).get("run_id") != record.run_id:
            raise_alert(warehouse, _check_failed(evaluation), clock.now(), record.run_id)
    return _standing(warehouse, alerts.CHECK)


def _check_failed(evaluation: AssetCheckEvaluation) -> Alert:
    key = evaluation.asset_check_key
    return Alert(
        alerts.CHECK,
        key.to_user_string(),
        alerts.ERROR if evaluation.severity is AssetCheckSeverity.ERROR else alerts.WARNING,
        evaluation.description or _offending(evaluation),
        "open the check in Dagster: its metadata shows the rows",
        check_page(key.asset_key, key.name),
    )


def _offending(evaluation: AssetCheckEvaluation) -> str:
    rows = evaluation.metadata.get("offending_rows")
    return f"{rows.value} rows offend" if rows else "its newest evaluation failed"


@sensor(
    minimum_interval_seconds=300,
    default_status=DefaultSensorStatus.RUNNING,
    description="Alerts of quota that is spent, of anomalies of high severity, one for each day and kind, of "
    "tables whose newest data is too old, of owners' accounts that may no longer be used, and of a push hub that "
    "confirms nothing",
)
def data_alerts(
    context: SensorEvaluationContext,
    warehouse: ResourceParam[Warehouse],
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> SkipReason:
    now = clock.now()
    settle_alerts(warehouse, alerts.QUOTA, quota_alerts(warehouse, settings.allowed_units, now), now)
    settle_alerts(warehouse, alerts.ANOMALY, anomaly_alerts(warehouse, now), now)
    settle_alerts(warehouse, alerts.FRESHNESS, freshness_alerts(warehouse, now), now)
    settle_alerts(warehouse, alerts.AUTHORIZATION, authorization_alerts(warehouse, now), now)
    pushed = push_alerts(warehouse, now) if settings.push_url else []
    settle_alerts(warehouse, alerts.PUSH, pushed, now)
    return _standing(warehouse, alerts.QUOTA, alerts.ANOMALY, alerts.FRESHNESS, alerts.AUTHORIZATION, alerts.PUSH)


def _standing(warehouse: Warehouse, *kinds: str) -> SkipReason:
    standing = [subject for kind in kinds for subject in open_of_kind(warehouse, kind)]
    return SkipReason(f"open of {' and '.join(kinds)}: {', '.join(standing) or 'none'}")


@sensor(
    minimum_interval_seconds=LOOK_EVERY_SECONDS,
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells the log, and the webhook and the mail server where they are set, what they have not heard yet",
)
def deliver_alerts(
    context: SensorEvaluationContext, warehouse: ResourceParam[Warehouse], settings: ResourceParam[Settings]
) -> SkipReason:
    told, faults = deliver(warehouse, [Log(context.log), *channels(settings)], settings.ui_base)
    if faults:  # what was not delivered waits for the next tick
        raise NotDeliveredError("; ".join(faults))
    return SkipReason(f"{told} told" if told else "nothing new to tell")


@op(description="Delivers what was collected, found, forecast and failed on the last day")
def deliver_report(
    context: OpExecutionContext,
    warehouse: ResourceParam[Warehouse],
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> None:
    message = as_message(daily_report(warehouse, clock.last_day_over()))
    faults = []
    for channel in [Log(context.log), *channels(settings)]:
        try:
            channel.deliver(message)
        except NotDeliveredError as error:
            faults.append(str(error))
    if faults:
        raise Failure("; ".join(faults), allow_retries=False)


@job(name=REPORT, description="The report of the last day that is over, to the log, the webhook and by mail")
def report() -> None:
    deliver_report()


@schedule(
    name="daily_report",
    job_name=REPORT,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 06:00 UTC: the report of the day before, where a webhook or mail is set",
)
def daily(
    context: ScheduleEvaluationContext, settings: ResourceParam[Settings], clock: ResourceParam[Clock]
) -> RunRequest | SkipReason:
    if not channels(settings):
        return SkipReason("there is nobody to tell: neither YT_ALERT_WEBHOOK_URL nor YT_ALERT_SMTP_URL is set")
    if clock.simulated_at:
        return SkipReason("the clock is simulated, as the data is imported: every day's report would be the same")
    return RunRequest(run_key=None)
