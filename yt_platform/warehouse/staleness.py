"""What is to be made: stale days, from the catalogue of raw batches and the load log."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from yt_platform.catalog.lineage import (
    DAILY_TABLES,
    FIRST_DAY,
    LOOKING_AHEAD,
    Versions,
    contiguous,
    settled,
    stale_versions,
    with_short_gaps,
)
from yt_platform.policy import PolicyMode, may_hold
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.loading import loaded_versions, purged_days, raw_versions
from yt_platform.warehouse.warehouse import Warehouse, Window


@dataclass(frozen=True)
class Overdue:
    """Tables to make on the days of a window. `version` stays the same while neither their inputs nor they change."""

    window: Window
    tables: frozenset[str]
    version: str


def stale_ranges(
    warehouse: Warehouse, until: date, mode: PolicyMode | None = None
) -> list[tuple[Window, frozenset[str]]]:
    """Ranges of days up to `until` with the tables to make there under a policy mode, in the order to make them."""
    window = Window(FIRST_DAY, until)
    raw, loaded = raw_versions(warehouse, window), loaded_versions(warehouse, window)
    expected = stale_versions(raw, loaded, _days(raw, loaded), purged_days(warehouse))
    return _in_order(_held(expected, mode))


def outdated_ranges(
    warehouse: Warehouse, until: date, mode: PolicyMode | None = None
) -> list[tuple[Window, frozenset[str]]]:
    """What of `stale_ranges` was made before, from inputs that have changed or gone since."""
    made = loaded_versions(warehouse, Window(FIRST_DAY, until))
    stale: dict[date, frozenset[str]] = {}
    for window, tables in stale_ranges(warehouse, until, mode):
        for day in window.days:
            found = {table for table in tables if day in made.get(table, {})}
            stale[day] = stale.get(day, frozenset()) | found
    return _in_order(stale)


def overdue_ranges(warehouse: Warehouse, today: date, last_due: date, mode: PolicyMode | None = None) -> list[Overdue]:
    """What of `stale_ranges` should have been made by now: later days than `last_due` are still collected, and what
    looks ahead to them is made again with them."""
    window = Window(FIRST_DAY, today)
    raw, loaded = raw_versions(warehouse, window), loaded_versions(warehouse, window)
    days = _days(raw, loaded)
    expected = stale_versions(raw, loaded, days, purged_days(warehouse))
    stale = settled(_held(expected, mode), {day for day in days if day > last_due})
    found = []
    for ranged, tables in _in_order(stale):
        versions = [
            f"{day} {table} {loaded.get(table, {}).get(day)} {expected[day][table]}"
            for day in ranged.days
            for table in sorted(tables)
        ]
        found.append(Overdue(ranged, tables, hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16]))
    return found


def _days(raw: Versions, loaded: Versions) -> set[date]:
    """Days with batches, with the short gaps between them, and any day that a table was made for: a backfill in
    Dagster's pages takes long gaps as well, and what it booked is an input of the days after."""
    made = {day for table in DAILY_TABLES for day in loaded.get(table.name, {})}
    return made | with_short_gaps(day for versions in raw.values() for day in versions)


def _held(stale: Mapping[date, Collection[str]], mode: PolicyMode | None = None) -> dict[date, frozenset[str]]:
    """What is stale of the tables that the mode lets have rows."""
    return {day: frozenset(table for table in tables if may_hold(mode, table)) for day, tables in stale.items()}


def _in_order(stale: Mapping[date, frozenset[str]]) -> list[tuple[Window, frozenset[str]]]:
    in_order = [{day: tables - LOOKING_AHEAD for day, tables in stale.items()}]
    in_order += [{day: tables & LOOKING_AHEAD for day, tables in stale.items()}]
    return [
        (Window(first, last), tables)
        for group in in_order
        for first, last, tables in contiguous({day: tables for day, tables in group.items() if tables})
    ]


def batch_days(warehouse: Warehouse) -> list[date]:
    """Days that have raw batches."""
    rows = warehouse.records("SELECT DISTINCT partition_day AS day FROM raw.batches ORDER BY day")
    return [row["day"] for row in rows]


def newest_data(warehouse: Warehouse, table: Table) -> datetime | date | None:
    """The newest instant or day the table holds data of, looked for from the newest day that the books have rows of,
    as the whole of a table of snapshots takes seconds; then in all of it, as a table of newest states may have taken
    none of that day's."""
    newest_of = f"SELECT max({table.window}) FROM {table.name}"
    booked = "SELECT max(partition_day) FROM ops.loads WHERE table_name = $1 AND row_count > 0"
    query = f"SELECT coalesce(({newest_of} WHERE {table.window} >= ({booked})), ({newest_of})) AS newest"
    newest: datetime | date | None = warehouse.records(query, (table.name,))[0]["newest"]
    return newest


def collected_days(warehouse: Warehouse) -> list[date]:
    """Days that were collected from the API."""
    rows = warehouse.records("SELECT DISTINCT partition_day AS day FROM raw.batches WHERE source = 'api' ORDER BY day")
    return [row["day"] for row in rows]
