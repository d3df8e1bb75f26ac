"""Assets of tables whose rows follow from their inputs alone: all that declare the function they are made by."""

from dagster import Definitions

from yt_platform.catalog.lineage import DAILY_TABLES
from yt_platform.orchestration.daily import Load, Sources, daily_table
from yt_platform.orchestration.partitions import daily_partitions
from yt_platform.settings import Settings
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.loading import Loaded, load_from_tables
from yt_platform.warehouse.warehouse import Window


def build(settings: Settings) -> Definitions:
    partitions = daily_partitions(settings.partitions_start)
    return Definitions(
        assets=[daily_table(table, partitions, _from_inputs(table)) for table in DAILY_TABLES if table.made_by]
    )


def _from_inputs(table: Table) -> Load:
    def load(sources: Sources, window: Window) -> Loaded:
        return load_from_tables(sources.warehouse, table, table.maker, window, sources.run_id, sources.progress)

    return load
