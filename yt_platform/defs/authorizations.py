"""Authorisations of owners' accounts are verified again by themselves, as YouTube's policies ask every 30 days."""

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
from yt_platform.io.authorization import due, recheck

AUTHORIZATIONS = "ops.authorizations"
VERIFY = "verify_authorizations"


def build_authorizations() -> list[AssetsDefinition]:
    @asset(
        key=asset_key(AUTHORIZATIONS),
        description="Asks YouTube whether accounts of owners may still be used, where it was not for a week, and "
        "enters it in ops.accounts; alerts of kind authorization follow from there",
        group_name="ops",
        kinds={"python", "postgres"},
        owners=OWNERS,
        required_resource_keys={"warehouse", "accounts", "quota_ledger", "settings", "clock"},
    )
    def authorizations(context: AssetExecutionContext) -> MaterializeResult:
        held, at = context.resources, context.resources.clock.now()
        names = due(held.warehouse, held.accounts, at)
        endpoint = held.settings.api_endpoint
        refused = recheck(held.warehouse, held.accounts, names, endpoint, held.quota_ledger.charge, at)
        metadata = {f"account {error.account}": f"{error.reason}; {error.remedy}" for error in refused}
        return MaterializeResult(metadata={"checked": len(names), "refused": len(refused), **metadata})

    return [authorizations]


verify_job = define_asset_job(
    VERIFY, [asset_key(AUTHORIZATIONS)], description="Ask YouTube whether owners' accounts may still be used"
)


@schedule(
    name="daily_authorizations",
    job_name=VERIFY,
    cron_schedule="40 0 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    required_resource_keys={"warehouse", "accounts", "clock"},
    description="Every day at 00:40 UTC: verify authorisations that were not verified for a week",
)
def daily_authorizations(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    held = context.resources
    if not due(held.warehouse, held.accounts, held.clock.now()):
        return SkipReason("every authorisation was verified within a week")
    return RunRequest()
