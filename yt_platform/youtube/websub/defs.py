"""Subscriptions to push notifications of uploads, made and renewed at the hub."""

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    DefaultScheduleStatus,
    Definitions,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    RunRequest,
    ScheduleEvaluationContext,
    SkipReason,
    asset,
    define_asset_job,
    schedule,
)

from yt_platform.clock import Clock
from yt_platform.monitoring.defs.checks import as_markdown
from yt_platform.orchestration.daily import OWNERS, Result
from yt_platform.orchestration.partitions import asset_key
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.websub.store import Hub, ask_hub, push_secret, subscriptions_due, subscriptions_unwanted

PUSH_SUBSCRIPTIONS = "ops.push_subscriptions"
SUBSCRIBE = "subscribe"
TAKEN = "requests_taken"


def build(settings: Settings) -> Definitions:
    """Nothing where no hub can reach this machine."""
    if not settings.push_url:
        return Definitions()
    return Definitions(assets=[push_subscriptions], jobs=[subscribe_job], schedules=[hourly_subscription])


@asset(
    key=asset_key(PUSH_SUBSCRIPTIONS),
    description="Subscriptions at the WebSub hub: asked for where a watched channel has none or its lease nears "
    "the end, given up for channels no longer watched. The hub verifies them at the receiver.",
    group_name="ops",
    kinds={"python", "youtube"},
    owners=OWNERS,
    check_specs=[AssetCheckSpec(TAKEN, asset=asset_key(PUSH_SUBSCRIPTIONS), description="The hub took every request")],
)
def push_subscriptions(
    warehouse: ResourceParam[Warehouse], settings: ResourceParam[Settings], clock: ResourceParam[Clock]
) -> Result:
    hub = Hub(settings.push_hub, str(settings.push_url), push_secret(settings.home))
    asked = ask_hub(warehouse, hub, clock.now())
    failures = [{"channel": channel, "why": why} for channel, why in asked.failures.items()]
    yield MaterializeResult(
        metadata={
            "subscribed": asked.subscribed,
            "unsubscribed": asked.unsubscribed,
            "failed": len(failures),
            "failures": MetadataValue.md(as_markdown(failures[:20])),
        }
    )
    yield AssetCheckResult(
        check_name=TAKEN,
        passed=not failures,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(f"{one['channel']}: {one['why']}" for one in failures[:3]) or "all were",
    )


subscribe_job = define_asset_job(
    SUBSCRIBE, [asset_key(PUSH_SUBSCRIPTIONS)], description="Subscribe to uploads of watched channels at the hub"
)


@schedule(
    name="hourly_subscription",
    job_name=SUBSCRIBE,
    cron_schedule="41 * * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.RUNNING,
    description="Every hour, where YT_PUSH_URL is set: subscribe to uploads, and renew before a lease ends",
)
def hourly_subscription(
    context: ScheduleEvaluationContext, warehouse: ResourceParam[Warehouse], clock: ResourceParam[Clock]
) -> RunRequest | SkipReason:
    now = clock.now()
    due = subscriptions_due(warehouse, now) or subscriptions_unwanted(warehouse, now)
    return RunRequest() if due else SkipReason("every watched channel has a lease, or was asked for within the hour")
