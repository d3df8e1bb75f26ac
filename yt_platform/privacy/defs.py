"""What YouTube's policies let nobody keep longer is deleted by itself, once a day."""

from dagster import (
    AssetExecutionContext,
    DefaultScheduleStatus,
    Definitions,
    MaterializeResult,
    ResourceParam,
    RunRequest,
    ScheduleEvaluationContext,
    SkipReason,
    asset,
    define_asset_job,
    schedule,
)

from yt_platform.clock import Clock
from yt_platform.orchestration.daily import OWNERS
from yt_platform.orchestration.partitions import asset_key
from yt_platform.policy import PolicyMode
from yt_platform.privacy.retention import oldest, retire, retirement_is_due
from yt_platform.settings import Settings, SettingsError
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.warehouse import Warehouse

RETENTION = "ops.retention"
RETIRE = "retire"


def build(settings: Settings) -> Definitions:
    """Nothing needs to go where no policy mode is declared."""
    declared = settings.policy_mode is not None
    return Definitions(
        assets=[retention] if declared else [],
        jobs=[retire_job] if declared else [],
        schedules=[daily_retention],
    )


@asset(
    key=asset_key(RETENTION),
    description="Deletes what YT_POLICY_MODE lets nobody keep longer (than 30 days, or 36 months), and the files "
    "it came from; docs/policy.md says what that is",
    group_name="ops",
    kinds={"python", "postgres"},
    owners=OWNERS,
)
def retention(
    context: AssetExecutionContext,
    warehouse: ResourceParam[Warehouse],
    raw_store: ResourceParam[RawStore],
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> MaterializeResult[None]:
    mode = _declared(settings)
    removed = retire(warehouse, raw_store, mode, clock.now(), context.run.run_id)
    kept = {f"oldest day in {name}": str(day) for name, day in oldest(warehouse).items()}
    deleted = {f"deleted from {name}": count for name, count in removed.items()}
    return MaterializeResult(metadata={"policy mode": mode, **deleted, **kept})


retire_job = define_asset_job(
    RETIRE, [asset_key(RETENTION)], description="Delete what YouTube's policies let nobody keep longer"
)


@schedule(
    name="daily_retention",
    job_name=RETIRE,
    cron_schedule="10 0 * * *",  # as the day begins: what turns 30 days old within it goes
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 00:10 UTC: delete what YT_POLICY_MODE lets nobody keep longer",
)
def daily_retention(
    context: ScheduleEvaluationContext,
    warehouse: ResourceParam[Warehouse],
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> RunRequest | SkipReason:
    if not retirement_is_due(warehouse, _declared(settings), clock.now()):
        return SkipReason("nothing is older than it may be")
    return RunRequest()


def _declared(settings: Settings) -> PolicyMode:
    if settings.policy_mode is None:
        raise SettingsError("YT_POLICY_MODE is not set: nothing says what must be deleted")
    return settings.policy_mode
