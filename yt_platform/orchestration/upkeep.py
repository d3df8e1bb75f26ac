"""What keeps the tables whole and the storage small by itself: days that are missing or outdated are
asked for, what was left behind is listed, and logs of old runs are removed.

The daily run makes what is known by 02:00; the sensor here carries what comes later: late data, repaired imports,
changed code, and a daily run that failed or never was. Not here: what follows from the tables (`automation.py`).
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetSelection,
    AssetSpec,
    DagsterInstance,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    Definitions,
    MetadataValue,
    OpExecutionContext,
    ResourceParam,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    asset_check,
    define_asset_job,
    job,
    op,
    sensor,
)

from yt_platform.clock import Clock
from yt_platform.monitoring.defs.checks import as_markdown
from yt_platform.orchestration.automation import ASK_EVERY_SECONDS, UNDER_WAY
from yt_platform.orchestration.daily import OWNERS
from yt_platform.orchestration.jobs import COLLECT, COLLECT_REPORTS, IMPORT, REFRESH
from yt_platform.orchestration.partitions import asset_key, range_tags
from yt_platform.orchestration.unfinished import unfinished
from yt_platform.settings import Settings
from yt_platform.storage.run_logs import RunLogs
from yt_platform.warehouse.staleness import Overdue, overdue_ranges
from yt_platform.warehouse.warehouse import Warehouse

MATERIALISED_BY_HAND = "__ASSET_JOB"
"""Dagster's name for the job of runs and backfills that are asked for on its asset pages."""

MAKING = {COLLECT, COLLECT_REPORTS, IMPORT, REFRESH, MATERIALISED_BY_HAND}


@sensor(
    name="missing_data",
    job_name=REFRESH,
    minimum_interval_seconds=ASK_EVERY_SECONDS,
    default_status=DefaultSensorStatus.RUNNING,
    description="Asks for the days that are missing or older than their inputs, once for every change of either; "
    "days that are still collected are the daily run's",
)
def missing_data(
    context: SensorEvaluationContext,
    warehouse: ResourceParam[Warehouse],
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> SensorResult | SkipReason:
    last_due = clock.last_day_due()
    overdue = overdue_ranges(warehouse, clock.now().date(), last_due, settings.policy_mode)
    if not overdue:
        context.update_cursor("")
        return SkipReason(f"every table is up to date with its inputs until {last_due}")
    # the cursor stays, so that the edge is not lost while a run may be making what is missing
    if run := making(context.instance):
        return SkipReason(f"run {run} makes tables: what is missing is judged after its end")
    asked = set(json.loads(context.cursor)) if context.cursor else set()
    wanted = [found for found in overdue if found.version not in asked]
    if not wanted:
        return SkipReason(f"asked for already, and still missing: {_said(overdue)}. The log of the run says why")
    return SensorResult(
        run_requests=[
            RunRequest(
                asset_selection=[asset_key(table) for table in sorted(found.tables)], tags=range_tags(found.window)
            )
            for found in wanted
        ],
        cursor=json.dumps([found.version for found in overdue]),
    )


BOOKS = AssetSpec(
    asset_key("ops.loads"),
    description="The books: of every table and day, the version of the inputs its rows were made from. No run makes "
    "them; every load enters itself with its rows.",
    group_name="ops",
    kinds={"postgres"},
    owners=OWNERS,
)
"""What is left behind is read from them, and is no table's own fault."""

LEFT_BEHIND = AssetCheckKey(BOOKS.key, "nothing_left_behind")


@asset_check(
    name=LEFT_BEHIND.name,
    asset=LEFT_BEHIND.asset_key,
    description="No partition is left unmade, no day of the last week uncollected, no forecast unscored",
)
def nothing_left_behind(
    warehouse: ResourceParam[Warehouse], settings: ResourceParam[Settings], clock: ResourceParam[Clock]
) -> AssetCheckResult:
    last_due = clock.last_day_due()
    overdue = overdue_ranges(warehouse, clock.now().date(), last_due, settings.policy_mode)
    found = unfinished(warehouse, overdue, last_due)
    return AssetCheckResult(
        passed=not found,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(str(item) for item in found) or "nothing is left behind",
        metadata={"found": MetadataValue.md(as_markdown([asdict(item) for item in found]))},
    )


standing_check = define_asset_job(
    "standing_check",
    AssetSelection.checks(LEFT_BEHIND),
    description="List partitions left unmade, days not collected and forecasts never scored",
)

daily_standing_check = ScheduleDefinition(
    name="daily_standing_check",
    job=standing_check,
    cron_schedule="0 6 * * *",  # four hours after the daily run: what it left is left
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 06:00 UTC: list what was left behind",
)


@op
def prune_logs(
    context: OpExecutionContext, run_logs: ResourceParam[RunLogs], settings: ResourceParam[Settings]
) -> None:
    days = settings.keep_run_logs_days
    # Dagster's marks are of the machine's time, whatever the platform's clock says
    removed = run_logs.prune(datetime.now(UTC) - timedelta(days=days))
    context.log.info(f"{removed:,} rows removed from the logs of runs that ended more than {days} days ago")


@job(
    description="Remove the logs of runs that ended more than YT_KEEP_RUN_LOGS_DAYS ago; materialisations, "
    "observations and outcomes of checks stay",
)
def prune_run_logs() -> None:
    prune_logs()


weekly_prune = ScheduleDefinition(
    name="weekly_prune",
    job=prune_run_logs,
    cron_schedule="30 5 * * 0",  # after the daily run, and not when models train
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Sundays at 05:30 UTC: remove logs of old runs",
)


def build(settings: Settings) -> Definitions:
    return Definitions(
        assets=[BOOKS],
        asset_checks=[nothing_left_behind],
        jobs=[standing_check, prune_run_logs],
        schedules=[daily_standing_check, weekly_prune],
        sensors=[missing_data],
    )


def making(instance: DagsterInstance) -> str | None:
    """A run that makes tables and has not ended."""
    return next(
        (run.run_id for run in instance.get_runs(RunsFilter(statuses=UNDER_WAY)) if run.job_name in MAKING), None
    )


def _said(overdue: list[Overdue]) -> str:
    first = overdue[0]
    more = f", and {len(overdue) - 1} ranges more" if len(overdue) > 1 else ""
    return f"{', '.join(sorted(first.tables))} of {first.window.first} to {first.window.last}{more}"
