"""The one partitioning of the platform: UTC days, today included; a backfill of any range is a single run."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from dagster import (
    AllPartitionMapping,
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    BackfillPolicy,
    DailyPartitionsDefinition,
    PartitionMapping,
    TimeWindowPartitionMapping,
)

from yt_platform.warehouse.warehouse import Window

PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
SINGLE_RUN = BackfillPolicy.single_run()


def daily_partitions(start: date) -> DailyPartitionsDefinition:
    return DailyPartitionsDefinition(start_date=start.isoformat(), end_offset=1, timezone="UTC")


def window_of(context: AssetExecutionContext) -> Window:
    """The days a run is asked for."""
    keys = context.partition_key_range
    return Window(date.fromisoformat(keys.start), date.fromisoformat(keys.end))


def asset_key(table: str) -> AssetKey:
    """`schema.table` as an asset key."""
    return AssetKey(table.split("."))


def range_tags(window: Window) -> dict[str, str]:
    """Tags that make one run of every day of `window`."""
    return {RANGE_START: window.first.isoformat(), RANGE_END: window.last.isoformat()}


def window_of_run(tags: Mapping[str, str], partitions_start: date) -> Window:
    """The days a run is about, read from its tags; all days for a run that names none."""
    first = tags.get(RANGE_START) or tags.get(PARTITION) or partitions_start.isoformat()
    last = tags.get(RANGE_END) or tags.get(PARTITION) or datetime.now(UTC).date().isoformat()
    return Window(date.fromisoformat(first), date.fromisoformat(last))


def around(back: int, ahead: int) -> PartitionMapping:
    """From so many days before the day up to so many after it."""
    return TimeWindowPartitionMapping(start_offset=-back, end_offset=ahead, allow_nonexistent_upstream_partitions=True)


def upstream(table: str, lookback_days: int, lookahead_days: int = 0) -> AssetDep:
    return AssetDep(asset_key(table), partition_mapping=around(lookback_days, lookahead_days))


def whole(table: str) -> AssetDep:
    """Every partition of an upstream table, as training reads it."""
    return AssetDep(asset_key(table), partition_mapping=AllPartitionMapping())
