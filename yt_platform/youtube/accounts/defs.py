"""Authorisations of owners' accounts are verified again by themselves, as YouTube's policies ask every 30 days."""

from dagster import (
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
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.accounts.authorization import due, recheck
from yt_platform.youtube.accounts.credentials import Accounts
from yt_platform.youtube.data_api.ledger import QuotaLedger

AUTHORIZATIONS = "ops.authorizations"
VERIFY = "verify_authorizations"


def build(settings: Settings) -> Definitions:
    return Definitions(assets=[authorizations], jobs=[verify_job], schedules=[daily_authorizations])


@asset(
    key=asset_key(AUTHORIZATIONS),
    description="Asks YouTube whether accounts of owners may still be used, where it was not for a week, and "
    "enters it in ops.accounts; alerts of kind authorization follow from there",
    group_name="ops",
    kinds={"python", "postgres"},
    owners=OWNERS,
)
def authorizations(
    warehouse: ResourceParam[Warehouse],
    accounts: ResourceParam[Accounts],
    quota_ledger: ResourceParam[QuotaLedger],
    settings: ResourceParam[Settings],
    clock: ResourceParam[Clock],
) -> MaterializeResult[None]:
    at = clock.now()
    names = due(warehouse, accounts, at)
    refused = recheck(warehouse, accounts, names, settings.api_endpoint, quota_ledger.charge, at)
    metadata = {f"account {error.account}": f"{error.reason}; {error.remedy}" for error in refused}
    return MaterializeResult(metadata={"checked": len(names), "refused": len(refused), **metadata})


verify_job = define_asset_job(
    VERIFY, [asset_key(AUTHORIZATIONS)], description="Ask YouTube whether owners' accounts may still be used"
)


@schedule(
    name="daily_authorizations",
    job_name=VERIFY,
    cron_schedule="40 0 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every day at 00:40 UTC: verify authorisations that were not verified for a week",
)
def daily_authorizations(
    context: ScheduleEvaluationContext,
    warehouse: ResourceParam[Warehouse],
    accounts: ResourceParam[Accounts],
    clock: ResourceParam[Clock],
) -> RunRequest | SkipReason:
    if not due(warehouse, accounts, clock.now()):
        return SkipReason("every authorisation was verified within a week")
    return RunRequest()
