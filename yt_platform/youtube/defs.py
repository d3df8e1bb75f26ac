"""Assets of the `raw` layer: immutable batches of what YouTube answered, or of files people kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    Config,
    Definitions,
    Failure,
    MaterializeResult,
    PartitionsDefinition,
    ResourceParam,
    asset,
)
from pydantic import Field

from yt_platform.clock import Clock
from yt_platform.history import HistoryError, Options
from yt_platform.history.importing import (
    ImportRefusedError,
    Stored,
    import_history,
    refuse_import,
    verify_batches,
    verify_stored,
)
from yt_platform.orchestration.daily import OWNERS, permanent
from yt_platform.orchestration.partitions import SINGLE_RUN, asset_key, daily_partitions, upstream, window_of
from yt_platform.progress import Progress
from yt_platform.resources import Collecting, Reporting
from yt_platform.settings import Settings
from yt_platform.storage.endpoints import ENDPOINTS
from yt_platform.storage.raw import CorruptBatchError, RawStore
from yt_platform.storage.scratch import scratch
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.accounts.credentials import AccountError, AuthorizationError
from yt_platform.youtube.analytics_api.queries import QueryError
from yt_platform.youtube.data_api.client import ConfigurationError, UnavailableError
from yt_platform.youtube.pulls import Collected
from yt_platform.youtube.reporting_api.client import ENDPOINTS as REPORT_ENDPOINTS

COMPLETE = "collection_complete"

API_POOL = "youtube_api"
"""One pull at a time, whichever runs ask for one: what is due is asked once. The pool's limit is in dagster.yaml."""

SHOWN = 20
"""Skipped items shown in the metadata of a materialisation."""

Pulled = TypeVar("Pulled")

PULLS = {
    "channels": ("Records and totals of the watched channels, as YouTube answered", ()),
    "uploads": ("Uploads playlists of the watched channels, newest first", ("channels",)),
    "videos": ("Metadata and counts of new videos, and of all again within 30 days", ("uploads",)),
    "video_stats": ("Counts of the videos that are due: young ones hourly, most daily, quiet ones weekly", ("videos",)),
    "comments": ("Comment threads and replies of new videos, 1, 3 and 7 days after publication", ("videos",)),
}
"""Raw assets pulled from the API: what they are, and which pulls must come before."""


ANALYTICS_PULLS = {
    "video_retention": "Retention curves of the videos of every account, 7 and 28 days after publication",
    "channel_revenue": "Revenue by day of the channels of every account that may see it",
}
"""Raw assets of what YouTube Analytics tells an account: what they are."""


class HistoryConfig(Config):
    path: str | None = Field(None, description="File or folder to import; without it stored batches are verified")
    columns: dict[str, str] = Field({}, description="The files' own names of columns, by raw column")
    as_of: str | None = Field(None, description="ISO 8601 time at which files without a time were made")
    dates: str | None = Field(None, description="Order of day, month and year where files leave it open, e.g. dmy")

    @property
    def options(self) -> Options:
        return Options(self.columns, datetime.fromisoformat(self.as_of) if self.as_of else None, self.dates)


def build(settings: Settings) -> Definitions:
    partitions = daily_partitions(settings.partitions_start)
    return Definitions(
        assets=[
            _history(partitions),
            _reports(partitions),
            *(_of_analytics(name, partitions) for name in ANALYTICS_PULLS),
            *(_pull(name, partitions) for name in PULLS),
        ]
    )


def _pull(name: str, partitions: PartitionsDefinition) -> AssetsDefinition:
    """An asset that collects on the platform's current day, and on past days verifies what was collected."""
    description, before = PULLS[name]

    @asset(
        key=["raw", name],
        deps=[upstream(f"raw.{earlier}", 0) for earlier in before],
        description=description,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        group_name="raw",
        kinds={"python", "youtube"},
        owners=OWNERS,
        code_version="1",
        pool=API_POOL,
        check_specs=[
            AssetCheckSpec(COMPLETE, asset=asset_key(f"raw.{name}"), description="Everything that was due is collected")
        ],
    )
    def pull(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        raw_store: ResourceParam[RawStore],
        clock: ResourceParam[Clock],
        collecting: ResourceParam[Collecting],
        progress: ResourceParam[Progress],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        window, today = window_of(context), clock.now().date()
        collected = Collected()
        try:
            if window.first < today:
                past = Window(window.first, min(window.last, today - timedelta(days=1)))
                verify_batches(warehouse, raw_store, [f"api_{name}"], past, progress)
            if window.last >= today:
                with collecting(context.run.run_id, progress) as collector:
                    collected = getattr(collector, name)()
        except (ConfigurationError, ImportRefusedError, CorruptBatchError) as error:
            raise permanent(error) from None
        yield MaterializeResult(
            metadata={
                "answers": collected.answers,
                "forgotten": collected.forgotten,
                "skipped": len(collected.skipped),
                "skipped_shown": dict(list(collected.skipped.items())[:SHOWN]),
            }
        )
        yield AssetCheckResult(
            check_name=COMPLETE,
            passed=collected.missing is None,
            severity=AssetCheckSeverity.WARN,
            metadata={"missing": collected.missing or "nothing"},
        )

    return pull


def _reports(partitions: PartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=["raw", "reports"],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        group_name="raw",
        kinds={"python", "youtube"},
        owners=OWNERS,
        code_version="1",
        pool=API_POOL,
    )
    def reports(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        raw_store: ResourceParam[RawStore],
        clock: ResourceParam[Clock],
        reporting: ResourceParam[Reporting],
        progress: ResourceParam[Progress],
    ) -> MaterializeResult[None]:
        """Bulk reports of every account, as YouTube made them: one batch per report, on the Pacific day it is about.

        On the platform's current day what is new is downloaded, whatever days it is about; on past days the stored
        reports are verified, of which a day may have none. An account that fails keeps no other from its reports, and
        fails the run at its end.
        """
        verify = partial(verify_stored, warehouse, raw_store, REPORT_ENDPOINTS, progress=progress)
        pull = partial(reporting.pull_reports, run_id=context.run.run_id, progress=progress)
        done, failed = _of_accounts(window_of(context), clock, reporting.names(), verify, pull)
        told = {
            "reports": sum(found.reports for found in done.values()),
            "rows": sum(found.rows for found in done.values()),
            "skipped": {what: why for found in done.values() for what, why in found.skipped.items()},
            "unknown_columns": {
                what: names for found in done.values() for what, names in found.unknown_columns.items()
            },
        }
        return _unless_failed(told, failed)

    return reports


def _of_analytics(name: str, partitions: PartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=["raw", name],
        description=(
            f"{ANALYTICS_PULLS[name]}, as YouTube Analytics answered. On the platform's current day what is due is "
            "asked for; on past days the stored answers are verified. An account that fails keeps no other from its "
            "answers, and fails the run at its end"
        ),
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        group_name="raw",
        kinds={"python", "youtube"},
        owners=OWNERS,
        code_version="1",
        pool=API_POOL,
    )
    def answers(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        raw_store: ResourceParam[RawStore],
        clock: ResourceParam[Clock],
        reporting: ResourceParam[Reporting],
        progress: ResourceParam[Progress],
    ) -> MaterializeResult[None]:
        verify = partial(verify_stored, warehouse, raw_store, [f"analytics_{name}"], progress=progress)
        pull = partial(getattr(reporting, f"pull_{name}"), run_id=context.run.run_id, progress=progress)
        done, failed = _of_accounts(window_of(context), clock, reporting.names(), verify, pull)
        skipped = {what: why for found in done.values() for what, why in found.skipped.items()}
        told = {
            "answers": sum(found.answers for found in done.values()),
            "forgotten": sum(found.forgotten for found in done.values()),
            "skipped": len(skipped),
            "skipped_shown": dict(list(skipped.items())[:SHOWN]),
        }
        return _unless_failed(told, failed)

    return answers


def _of_accounts(
    window: Window,
    clock: Clock,
    accounts: Sequence[str],
    verify: Callable[[Window], Stored],
    pull: Callable[[str], Pulled],
) -> tuple[dict[str, Pulled], dict[str, Exception]]:
    """What a pull did for each account, and why it failed for others; past days are verified."""
    today = clock.now().date()
    done: dict[str, Pulled] = {}
    failed: dict[str, Exception] = {}
    try:
        if window.first < today:
            past = Window(window.first, min(window.last, today - timedelta(days=1)))
            verify(past)
        for account in accounts if window.last >= today else []:
            try:
                done[account] = pull(account)
            except (AccountError, AuthorizationError, ConfigurationError, QueryError, UnavailableError) as error:
                failed[account] = error
    except (ImportRefusedError, CorruptBatchError) as error:
        raise permanent(error) from None
    return done, failed


def _unless_failed(told: Mapping[str, Any], failed: Mapping[str, Exception]) -> MaterializeResult[None]:
    """Raises Failure, which passes where YouTube did not answer for one of the accounts."""
    if failed:
        said = "; ".join(f"{account}: {error}" for account, error in failed.items())
        passing = any(isinstance(error, UnavailableError) for error in failed.values())
        raise Failure(f"{len(failed)} accounts failed: {said}", metadata=told, allow_retries=passing)
    return MaterializeResult(metadata=told)


def _history(partitions: PartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=["raw", "history"],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        group_name="raw",
        kinds={"python", "parquet"},
        owners=OWNERS,
        code_version="1",
    )
    def history(
        context: AssetExecutionContext,
        config: HistoryConfig,
        warehouse: ResourceParam[Warehouse],
        raw_store: ResourceParam[RawStore],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
        progress: ResourceParam[Progress],
    ) -> MaterializeResult[None]:
        """Imported snapshot files as immutable batches: one per endpoint and UTC day, keyed by their content.

        A path is imported whole, whatever the partitions asked for; without a path the stored batches of the
        partitions are verified against their hashes, and a day without any fails, as the past cannot be collected.
        """
        window = window_of(context)
        try:
            refuse_import(settings.policy_mode)
            if config.path:
                with scratch(settings.home) as spool:
                    path = Path(config.path)
                    partitions = Window(settings.partitions_start, datetime.now(UTC).date())
                    imported = import_history(
                        warehouse,
                        raw_store,
                        path,
                        spool,
                        partitions,
                        context.run.run_id,
                        progress,
                        config.options,
                    )
                if imported.replaced:
                    clock.follow_undo()
                clock.follow_imports()
                return MaterializeResult(
                    metadata={
                        "path": config.path,
                        "rows": sum(imported.rows.values()),
                        "rejects": imported.rejects,
                        "forgotten": imported.forgotten,
                        "replaced_imports": imported.replaced,
                    }
                )
            stored = verify_batches(warehouse, raw_store, list(ENDPOINTS), window, progress)
        except (HistoryError, ImportRefusedError, CorruptBatchError) as error:
            raise permanent(error) from error
        return MaterializeResult(metadata={"rows": sum(stored.rows.values())})

    return history
