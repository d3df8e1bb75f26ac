"""The factory of assets that are tables partitioned by UTC day; the layers' modules say what each one loads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    Failure,
    FreshnessPolicy,
    MaterializeResult,
    PartitionsDefinition,
    ResourceParam,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
    asset,
)

from yt_platform.catalog import TABLES
from yt_platform.orchestration.partitions import SINGLE_RUN, asset_key, upstream, window_of
from yt_platform.progress import Progress
from yt_platform.settings import Settings
from yt_platform.storage.raw import RawStore
from yt_platform.tables.declaration import Table
from yt_platform.tables.lineage import column_sources
from yt_platform.warehouse.loading import Loaded
from yt_platform.warehouse.warehouse import Warehouse, Window

REJECTS = "rejects_within_limit"
OWNERS = ["team:data"]

Result = Iterator[MaterializeResult[None] | AssetCheckResult]


@dataclass(frozen=True)
class Sources:
    """What a table is loaded from, and the run that loads it."""

    warehouse: Warehouse
    raw_store: RawStore
    settings: Settings
    progress: Progress
    run_id: str


Load = Callable[[Sources, Window], Loaded]


def daily_table(table: Table, partitions: PartitionsDefinition, load: Load) -> AssetsDefinition:
    """An asset that loads `table` for the days of a run and judges the share of rows it refused."""

    @asset(
        key=asset_key(table.name),
        deps=dependencies(table),
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[rejects_check(table)],
        **described(table),
    )
    def load_days(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        raw_store: ResourceParam[RawStore],
        settings: ResourceParam[Settings],
        progress: ResourceParam[Progress],
    ) -> Result:
        sources = Sources(warehouse, raw_store, settings, progress, context.run.run_id)
        yield from report(context, table, load(sources, window_of(context)))

    return load_days


class Described(TypedDict):
    """Arguments of `asset`."""

    description: str
    group_name: str
    kinds: set[str]
    owners: Sequence[str]
    code_version: str | None
    freshness_policy: FreshnessPolicy | None
    tags: Mapping[str, str]
    metadata: Mapping[str, Any]


def described(table: Table) -> Described:
    """What every asset that is a table says of itself."""
    return {
        "description": table.description,
        "group_name": table.layer,
        "kinds": {"python", "postgres"},
        "owners": OWNERS,
        "code_version": table.code_version or None,
        "freshness_policy": _freshness_policy(table),
        "tags": {"holds": table.holds.name.lower(), "write": table.write.value},
        "metadata": {
            "dagster/table_name": f"youtube.{table.name}",
            "dagster/column_schema": column_schema(table),
            "dagster/column_lineage": column_lineage(table),
        },
    }


def _freshness_policy(table: Table) -> FreshnessPolicy | None:
    """For the UI, by the time of materialisation; what is judged is the data's age, by the check `fresh`."""
    return FreshnessPolicy.time_window(fail_window=table.max_age) if table.max_age else None


def column_schema(table: Table) -> TableSchema:
    return TableSchema(
        columns=[
            TableColumn(
                column.name,
                column.postgres_type,
                description=column.comment,
                constraints=TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


def column_lineage(table: Table) -> TableColumnLineage:
    return TableColumnLineage(
        {
            column: [TableColumnDep(asset_key(made_from), source) for made_from, source in sources]
            for column, sources in column_sources(table, TABLES).items()
        }
    )


def rejects_check(table: Table) -> AssetCheckSpec:
    return AssetCheckSpec(
        REJECTS,
        asset=asset_key(table.name),
        description=f"At most {table.reject_limit:.0%} of the rows break the contract; they are in ops.quarantine",
        blocking=True,
    )


def report(context: AssetExecutionContext, table: Table, loaded: Loaded) -> Result:
    """The events of a load: rows per partition, and the verdict on the rejects."""
    yield materialised(context, table, loaded)
    yield AssetCheckResult(
        asset_key=asset_key(table.name),
        check_name=REJECTS,
        passed=not loaded.unusable(table.reject_limit),
        severity=AssetCheckSeverity.ERROR,
        description=_verdict(table, loaded),
        metadata={"rows": loaded.row_count, "rejects": loaded.reject_count, "share": loaded.reject_share},
    )


def materialised(context: AssetExecutionContext, table: Table, loaded: Loaded) -> MaterializeResult[None]:
    """The event of a load, with the rows of each partition."""
    for day, rows in loaded.rows.items():
        context.add_asset_metadata(
            {"dagster/partition_row_count": rows}, asset_key=asset_key(table.name), partition_key=day.isoformat()
        )
    return MaterializeResult(asset_key=asset_key(table.name))


def _verdict(table: Table, loaded: Loaded) -> str:
    days = loaded.unusable(table.reject_limit)
    found = (
        f"{loaded.reject_count:,} of {loaded.row_count + loaded.reject_count:,} rows were refused "
        f"({loaded.reject_share:.2%}, at most {table.reject_limit:.0%})"
    )
    if not days:
        return found
    if loaded.unread:
        found += f"; on {len(loaded.unread)} days a report cannot be read at all"
    range_of_days = " ".join(str(day) for day in dict.fromkeys((days[0], days[-1])))
    return (
        f"{found}, on {len(days)} days from {days[0]} on; ops.quarantine holds them with the reasons. Import the rows "
        f"repaired, or let the days be as they are: yt-platform accept {table.name} {range_of_days}"
    )


def dependencies(table: Table) -> list[AssetDep]:
    """The table's inputs: tables, and the raw assets that store its endpoints."""
    inputs = {raw_asset(source.name): source for source in table.inputs}
    return [upstream(name, source.lookback_days, source.lookahead_days) for name, source in inputs.items()]


def raw_asset(source: str) -> str:
    """The asset that makes an input: raw.videos stores endpoint api_videos, raw.video_retention
    analytics_video_retention, raw.reports all reports, and raw.history everything imported."""
    if source.startswith("raw.report_"):
        return "raw.reports"
    if source.startswith(("raw.api_", "raw.analytics_")):
        return f"raw.{source.partition('_')[2]}"
    return "raw.history" if source.startswith("raw.") else source


def permanent(error: Exception) -> Failure:
    """A failure that a retry cannot mend."""
    return Failure(str(error), allow_retries=False)
