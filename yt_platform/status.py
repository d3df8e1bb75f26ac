"""What `yt-platform status` says: rows, partitions, checks, and everything that is broken now."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import DAILY_TABLES
from yt_platform.history.import_log import SHORT_ID, listed
from yt_platform.local import Platform
from yt_platform.monitoring.alerts import open_alerts
from yt_platform.orchestration.unfinished import unfinished
from yt_platform.tombstones.store import pending
from yt_platform.warehouse.staleness import Overdue, batch_days, overdue_ranges
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.skipped import CHANNELS, COMMENTS, REPLIES, UPLOADS, Skipped, skipped_items

if TYPE_CHECKING:
    from dagster import DagsterInstance, Definitions

UNREAD = {
    UPLOADS: "uploads",
    COMMENTS: "comments",
    REPLIES: "replies",
    CHANNELS: "channels",
}
"""What the calls of a method list."""

SHOWN = 5
"""Items named of what may be many."""

BOOKS = ("raw.batches", "raw.imports", "ops.quarantine")


@dataclass(frozen=True)
class Broken:
    """Something that needs a person: what it is, what is wrong, and what to do."""

    what: str
    reason: str
    remedy: str


def table_rows(warehouse: Warehouse) -> dict[str, int]:
    """Exact rows of every table."""
    counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS rows FROM {name}" for name in (*BOOKS, *TABLES))
    return {row["name"]: row["rows"] for row in warehouse.records(counts)}


def platform_status(platform: Platform, instance: "DagsterInstance", defs: "Definitions") -> dict[str, Any]:
    """Everything `status --json` prints."""
    clock = platform.clock
    mode = platform.settings.policy_mode
    overdue = overdue_ranges(platform.warehouse, clock.now().date(), clock.last_day_due(), mode)
    checks = check_outcomes(instance, defs)
    skipped = skipped_items(platform.warehouse, clock.now())
    broken = [
        *_failed_checks(checks),
        *_left_behind(platform, overdue),
        *_failed_runs(instance),
        *_broken_imports(platform.warehouse),
        *_pending_forgettings(platform.warehouse),
        *_unread(skipped),
    ]
    return {
        "clock": {
            "mode": "simulated" if clock.simulated_at else "real",
            "now": clock.now().isoformat(),
        },
        "tables": table_rows(platform.warehouse),
        "partitions": _partitions(platform, overdue),
        "checks": checks,
        "alerts": [_alert(alert) for alert in open_alerts(platform.warehouse)],
        "skipped": [_skipped(item) for item in skipped],
        "broken": [asdict(item) for item in broken],
    }


def _skipped(item: Skipped) -> dict[str, Any]:
    return {**asdict(item), **{name: getattr(item, name).isoformat() for name in ("first_at", "retry_at")}}


def _unread(skipped: list[Skipped]) -> list[Broken]:
    """Listings that have begun and not ended, in one line for each kind; what is refused alone is an item's own."""
    found = []
    for method in dict.fromkeys(item.method for item in skipped):
        unread = [item for item in skipped if item.method == method and item.setback != "refused"]
        if unread:
            again = min(item.retry_at for item in unread)
            told = ", ".join(f"{item.item} ({item.reason})" for item in unread[:SHOWN])
            more = f" and {len(unread) - SHOWN:,} more" if len(unread) > SHOWN else ""
            remedy = f"none: a collection begins it anew from {again:%Y-%m-%d %H:%M} UTC on"
            found.append(Broken(f"{UNREAD[method]} not read to the end", f"of {told}{more}", remedy))
    return found


def _alert(alert: dict[str, Any]) -> dict[str, Any]:
    seen = {name: alert[name].isoformat() for name in ("first_seen_at", "last_seen_at")}
    return {**alert, **seen}


def _partitions(platform: Platform, overdue: list[Overdue]) -> dict[str, dict[str, Any]]:
    days = batch_days(platform.warehouse)
    stale: dict[str, int] = {}
    for item in overdue:
        for table in item.tables:
            stale[table] = stale.get(table, 0) + len(item.window.days)
    return {
        table.name: {
            "days": len(days),
            "stale": stale.get(table.name, 0),
            "first": days[0].isoformat() if days else None,
            "last": days[-1].isoformat() if days else None,
        }
        for table in DAILY_TABLES
    }


def check_outcomes(instance: "DagsterInstance", defs: "Definitions") -> dict[str, str]:
    """The latest outcome of every check: passed, failed, warned, or not evaluated."""
    keys = defs.resolve_asset_graph().asset_check_keys
    return {key.to_user_string(): _outcome(instance, key) for key in sorted(keys, key=lambda key: key.to_user_string())}


def _outcome(instance: "DagsterInstance", key: Any) -> str:
    from dagster import AssetCheckSeverity
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

    # evaluations alone: a run that failed before a check leaves a planned one behind
    evaluated = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=evaluated)
    event = records[0].event.dagster_event if records and records[0].event else None
    if event is None:
        return "not evaluated"
    evaluation = event.asset_check_evaluation_data
    if evaluation.passed:
        return "passed"
    return "failed" if evaluation.severity is AssetCheckSeverity.ERROR else "warned"


def _failed_checks(checks: dict[str, str]) -> list[Broken]:
    return [
        Broken(
            f"check {name}", "its latest evaluation failed", "open the check in Dagster; its metadata shows the rows"
        )
        for name, outcome in checks.items()
        if outcome == "failed"
    ]


def _left_behind(platform: Platform, overdue: list[Overdue]) -> list[Broken]:
    found = unfinished(platform.warehouse, overdue, platform.clock.last_day_due())
    return [
        Broken(item.what, f"on {item.days} days between {item.first} and {item.last}", item.remedy) for item in found
    ]


def _broken_imports(warehouse: Warehouse) -> list[Broken]:
    found = []
    for one in listed(warehouse):
        name, short = f"import {one.import_id[:SHORT_ID]} of {one.name}", one.import_id[:SHORT_ID]
        if one.is_being_undone:
            found.append(Broken(name, "it is taken back in part", f"yt-platform import --undo {short}"))
        elif one.is_broken:
            main = f", mostly: {one.reasons[0].reason}" if one.reasons else ""
            reason = f"{one.refused:,} of {one.rows + one.refused:,} rows were refused{main}"
            remedy = (
                f"look at them in ops.quarantine; then yt-platform imports --accept {short}, or import --undo {short}"
            )
            found.append(Broken(name, reason, remedy))
    return found


def _pending_forgettings(warehouse: Warehouse) -> list[Broken]:
    count = len(pending(warehouse))
    remedy = "run `yt-platform forget` again for the channel or author: it goes on where it ended"
    return [Broken("forgetting", f"{count:,} ids are not forgotten to the end", remedy)] if count else []


def _failed_runs(instance: "DagsterInstance") -> list[Broken]:
    """Jobs whose newest finished run failed."""
    from yt_platform.orchestration.failures import newest_finished_runs

    return [
        Broken(f"job {name}", f"its newest run {run.run_id} failed", "read the run's log in Dagster, then run it again")
        for name, run in newest_finished_runs(instance).items()
        if run.is_failure
    ]
