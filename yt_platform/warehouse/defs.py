"""The asset of the `bi` layer that is stored, a materialised view, and the sensor that keeps it up to date.

Not here: what it shows (`sql/views`); the other views are always as their tables are.
"""

from dagster import (
    AssetExecutionContext,
    AssetSelection,
    DefaultSensorStatus,
    Definitions,
    MaterializeResult,
    ResourceParam,
    RunRequest,
    SensorEvaluationContext,
    SkipReason,
    asset,
    define_asset_job,
    sensor,
)

from yt_platform.orchestration.automation import ASK_EVERY_SECONDS
from yt_platform.orchestration.daily import OWNERS
from yt_platform.orchestration.jobs import REFRESH_VIEWS
from yt_platform.orchestration.partitions import asset_key, whole
from yt_platform.orchestration.upkeep import making
from yt_platform.policy import may_hold
from yt_platform.settings import Settings
from yt_platform.warehouse.views import CHANNEL_OVERVIEW_CACHED, refresh, refresh_due
from yt_platform.warehouse.warehouse import Warehouse

SHOWN = ("metrics.video_daily", "metrics.channels", "metrics.channel_snapshots", "predictions.video_forecast")


def build(settings: Settings) -> Definitions:
    return Definitions(
        assets=[channel_overview_cached],
        jobs=[refresh_views] if may_hold(settings.policy_mode, CHANNEL_OVERVIEW_CACHED) else [],
        sensors=[outdated_views],
    )


@asset(
    key=asset_key(CHANNEL_OVERVIEW_CACHED),
    deps=[whole(table) for table in SHOWN],
    description="One row per channel, keyed by channel: bi.channel_overview as of the last refresh. Made anew "
    "beside readers, who see the old rows until the end; late data is in it after the next refresh.",
    group_name="bi",
    kinds={"postgres"},
    owners=OWNERS,
    code_version="1",
)
def channel_overview_cached(
    context: AssetExecutionContext, warehouse: ResourceParam[Warehouse]
) -> MaterializeResult[None]:
    return MaterializeResult(metadata={"dagster/row_count": refresh(warehouse, context.run.run_id)})


refresh_views = define_asset_job(
    REFRESH_VIEWS,
    AssetSelection.assets(asset_key(CHANNEL_OVERVIEW_CACHED)),
    description="Make the materialised view of channels anew, beside its readers",
)


@sensor(
    name="outdated_views",
    job_name=REFRESH_VIEWS,
    minimum_interval_seconds=ASK_EVERY_SECONDS,
    default_status=DefaultSensorStatus.RUNNING,
    description="Refreshes the materialised view after the daily run, and whenever else its tables were loaded",
)
def outdated_views(context: SensorEvaluationContext, warehouse: ResourceParam[Warehouse]) -> RunRequest | SkipReason:
    due = refresh_due(warehouse)
    if due is None:
        return SkipReason(f"{CHANNEL_OVERVIEW_CACHED} is as its tables are")
    if run := making(context.instance):
        return SkipReason(f"run {run} makes tables: the view is refreshed after its end")
    return RunRequest(run_key=due.version)  # once: of a refresh that fails the run's alert tells
