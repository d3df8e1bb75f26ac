"""Jobs, and the schedule that brings every table up to date once a day."""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    Definitions,
    ResourceParam,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
    schedule,
)

from yt_platform.catalog.lineage import DAILY_TABLES
from yt_platform.clock import Clock
from yt_platform.forecasting.registered import MODELS, VIDEO_FORECASTER, ModelSpec
from yt_platform.orchestration.partitions import asset_key, range_tags
from yt_platform.policy import PolicyMode, may_hold
from yt_platform.settings import Settings
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.accounts.credentials import Accounts
from yt_platform.youtube.defs import ANALYTICS_PULLS, PULLS

IMPORT = "import_history"
COLLECT = "collect"
COLLECT_REPORTS = "collect_reports"
REFRESH = "refresh"
TRAIN = "train"
FORECAST = "forecast"
TUNE = "tune"
SCORE = "score"
MEASURE_DRIFT = "measure_drift"
FOLLOW = "follow_collection"
REFRESH_VIEWS = "refresh_views"
IN_ORDER = {"yt_platform/in_order": REFRESH}
"""Tag of runs that dagster.yaml lets execute one after another: a later range is made from the earlier ones."""
OTHER_MODELS = [spec for spec in MODELS.values() if spec is not VIDEO_FORECASTER]
TRAINING = {VIDEO_FORECASTER.name: TRAIN, **{spec.name: f"{TRAIN}_{spec.task.name}" for spec in OTHER_MODELS}}
FORECASTING = {VIDEO_FORECASTER.name: FORECAST, **{spec.name: f"{FORECAST}_{spec.task.name}" for spec in OTHER_MODELS}}
"""Jobs by model: one has enough history where another has none."""


FROM_PULLS = [table.name for table in DAILY_TABLES if any("raw.api_" in source.name for source in table.inputs)]
"""Tables that a collection loads."""


def training_answers(spec: ModelSpec) -> str:
    """What to do when a model no longer fits what it is given."""
    return (
        f"the world has changed and a training answers it: the job {TRAINING[spec.name]}, which starts by itself while "
        "the platform collects"
    )


def build(settings: Settings) -> Definitions:
    return Definitions(jobs=build_jobs(settings.policy_mode), schedules=build_schedules())


def build_jobs(mode: PolicyMode | None) -> list[Any]:
    """Those of the tables that the mode lets have rows."""
    return [*_jobs_of_the_data(mode), *(_jobs_of_models() if may_hold(mode, VIDEO_FORECASTER.forecasts.name) else [])]


def _jobs_of_the_data(mode: PolicyMode | None) -> list[Any]:
    pulled = [asset_key(f"raw.{name}") for name in PULLS]
    from_pulls = [asset_key(table) for table in FROM_PULLS]
    return [
        define_asset_job(
            COLLECT,
            AssetSelection.assets(*pulled, *from_pulls),
            description="Pull from YouTube what is due, and load it",
        ),
        define_asset_job(
            COLLECT_REPORTS,
            AssetSelection.assets("raw/reports", *(f"raw/{name}" for name in ANALYTICS_PULLS)),
            description="Download what is new of owners' accounts: bulk reports, retention curves, revenue",
        ),
        define_asset_job(IMPORT, AssetSelection.assets("raw/history"), description="Import a file or folder"),
        define_asset_job(
            REFRESH,
            AssetSelection.assets(*(asset_key(table.name) for table in DAILY_TABLES if may_hold(mode, table.name))),
            tags=IN_ORDER,
            description="Make metrics and features of the chosen days from their inputs",
        ),
    ]


def _jobs_of_models() -> list[Any]:
    return [
        *(
            define_asset_job(
                TRAINING[spec.name],
                AssetSelection.assets(f"models/{spec.name}").required_multi_asset_neighbors(),
                description=f"Train the candidates, score and gate them: {spec.description}",
            )
            for spec in MODELS.values()
        ),
        *(
            define_asset_job(
                FORECASTING[spec.name],
                AssetSelection.assets(asset_key(spec.forecasts.name)),
                description=f"From the chosen days: {spec.description}",
            )
            for spec in MODELS.values()
        ),
        define_asset_job(
            TUNE,
            AssetSelection.assets("models/video_tuning"),
            description="Search better parameters for the next training",
        ),
        define_asset_job(
            SCORE,
            AssetSelection.assets(*(asset_key(spec.accuracy.name) for spec in MODELS.values())),
            description="Score the forecasts for the chosen days",
        ),
        define_asset_job(
            MEASURE_DRIFT,
            AssetSelection.assets("ops/drift"),
            description="Compare the chosen days with the champion's training",
        ),
        define_asset_job(
            FOLLOW,
            AssetSelection.assets(
                *(asset_key(f"models.{spec.name}") for spec in MODELS.values())
            ).required_multi_asset_neighbors()
            | AssetSelection.assets(
                *(asset_key(table.name) for spec in MODELS.values() for table in (spec.forecasts, spec.accuracy)),
                "ops/drift",
            ),
            description="What the schedule `forecasts` finds due of training, forecasts, accuracy and drift",
        ),
    ]


def build_schedules() -> list[ScheduleDefinition]:
    @schedule(
        name="daily_refresh",
        job_name=REFRESH,
        cron_schedule="0 2 * * *",
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every day at 02:00 UTC: make what is missing or stale, up to the platform's day",
    )
    def daily_refresh(
        context: ScheduleEvaluationContext,
        warehouse: ResourceParam[Warehouse],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
    ) -> Iterator[RunRequest | SkipReason]:
        day = clock.now().date()
        ranges = stale_ranges(warehouse, day, settings.policy_mode)
        if not ranges:
            yield SkipReason(f"every table is up to date with its inputs on {day}")
        for window, tables in ranges:
            yield RunRequest(
                run_key=None,
                asset_selection=[asset_key(table) for table in sorted(tables)],
                tags=range_tags(window),
            )

    @schedule(
        name="hourly_collection",
        job_name=COLLECT,
        cron_schedule="7 * * * *",  # not on the hour, when everybody calls
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every hour, where YT_API_KEY is set: pull from YouTube what is due",
    )
    def hourly_collection(context: ScheduleEvaluationContext, clock: ResourceParam[Clock]) -> RunRequest | SkipReason:
        if clock.simulated_at:
            return SkipReason("the clock is simulated, as the data is imported: `yt-platform collect` makes it real")
        return RunRequest(partition_key=clock.now().date().isoformat())

    @schedule(
        name="daily_owner_reports",
        job_name=COLLECT_REPORTS,
        cron_schedule="40 9 * * *",  # days of reports end at 07:00 or 08:00, and reports come 48 hours after them
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every day at 09:40 UTC, where owners have authorised accounts: download their reports that are "
        "new, and ask for retention curves that are due and for revenue",
    )
    def daily_owner_reports(
        context: ScheduleEvaluationContext, accounts: ResourceParam[Accounts], clock: ResourceParam[Clock]
    ) -> RunRequest | SkipReason:
        if not accounts.names():
            return SkipReason("no owner has authorised an account: `yt-platform accounts add`")
        if clock.simulated_at:
            return SkipReason("the clock is simulated, as the data is imported: `yt-platform collect` makes it real")
        return RunRequest(partition_key=clock.now().date().isoformat())

    return [daily_refresh, hourly_collection, daily_owner_reports]
