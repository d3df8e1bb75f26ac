"""What YouTube's policies let nobody keep longer is deleted by itself, once a day."""

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    DefaultScheduleStatus,
    MaterializeResult,
    RunRequest,
    ScheduleEvaluationContext,
    SkipReason,
    asset,
    define_asset_job,
    schedule,
)

from yt_platform.defs.daily import OWNERS
from yt_platform.defs.partitions import asset_key
from yt_platform.io.retention import oldest, retire, retirement_is_due

RETENTION = "ops.retention"
RETIRE = "retire"


def build_retention() -> list[AssetsDefinition]:
    @asset(
        key=asset_key(RETENTION),
        description="Deletes what YT_POLICY_MODE lets nobody keep longer (than 30 days, or 36 months), and the files "
        "it came from; docs/policy.md says what that is",
        group_name="ops",
        kinds={"python", "postgres"},
        owners=OWNERS,
        required_resource_keys={"warehouse", "raw_store", "settings", "clock"},
    )
    def retention(context: AssetExecutionContext) -> MaterializeResult:
        held = context.resources
        removed = retire(
            held.warehouse, held.raw_store, held.settings.policy_mode, held.clock.now(), context.run.run_id
        )
        kept = {f"oldest day in {name}": str(day) for name, day in oldest(held.warehouse).items()}
        deleted = {f"deleted from {name}": count for name, count in removed.items()}
        return MaterializeResult(metadata={"policy mode": held.settings.policy_mode, **deleted, **kept})

    return [retention]


retire_job = define_asset_job(
    RETIRE, [asset_key(RETENTION)], description="Delete what YouTube's policies let nobody keep longer"
)


@schedule(
    name="daily_retention",
    job_name=RETIRE,
    cron_schedule="10 0 * * *",  # as the day begins: what turns 30 days old within it goes
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    required_resource_keys={"warehouse", "settings", "clock"},
    description="Every day at 00:10 UTC: delete what YT_POLICY_MODE lets nobody keep longer",
)
def daily_retention(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    held = context.resources
    if not retirement_is_due(held.warehouse, held.settings.policy_mode, held.clock.now()):
        return SkipReason("nothing is older than it may be")
    return RunRequest()
