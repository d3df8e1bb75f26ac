"""Whether a day's rows are still what their inputs say, and what is to be made in which order.

The tables declare what they are made from; this module knows what follows from that for a day. A day's version is a
digest of the code version and of the versions of its inputs, down to the hashes of the raw files; equal versions mean
equal rows.
"""

import hashlib
from collections.abc import Iterable, Mapping, Set
from datetime import date, timedelta
from graphlib import TopologicalSorter
from itertools import pairwise

from yt_platform.catalog import TABLES
from yt_platform.constants import FIRST_DAY as FIRST_DAY
from yt_platform.tables.declaration import Table
from yt_platform.tables.times import REACH_DAYS

Versions = Mapping[str, Mapping[date, str]]
"""Version of each input's rows, by input and day."""

Purged = Mapping[str, Set[date]]
"""Days of which raw answers were deleted, by input."""

_NOTHING: Purged = {}


def _inputs_first(tables: Mapping[str, Table]) -> tuple[Table, ...]:
    """Tables that declare inputs. graphlib raises CycleError where tables are made from one another."""
    daily = {name: table for name, table in tables.items() if table.inputs}
    graph = {name: [source.name for source in table.inputs if source.name in daily] for name, table in daily.items()}
    return tuple(daily[name] for name in TopologicalSorter(graph).static_order())


DAILY_TABLES = _inputs_first(TABLES)
"""Every table below raw that is partitioned by UTC day, inputs first."""

FROM_OWNERS = frozenset(
    table.name for table in DAILY_TABLES if table.inputs[0].name.startswith(("raw.report_", "raw.analytics_"))
)
"""Tables of what owners alone are told, made on days that have some of it and on no other: a dozen tables more on every
day of a history that has none would cost seconds."""


def input_version(table: Table, day: date, inputs: Versions) -> str:
    """The version of `table`'s rows of `day`, given the versions of its inputs."""
    digest = hashlib.sha256(f"{table.name}@{table.code_version}".encode())
    for upstream in table.inputs:
        versions = inputs.get(upstream.name, {})
        for back in range(-upstream.lookahead_days, upstream.lookback_days + 1):
            version = versions.get(day - timedelta(days=back), "")
            digest.update(f"|{upstream.name}-{back}={version}".encode())
    return digest.hexdigest()[:32]


def stale_versions(
    raw: Versions, loaded: Versions, days: Iterable[date], purged: Purged = _NOTHING
) -> dict[date, dict[str, str]]:
    """For each of `days`, the tables whose rows are missing or were made from other inputs,
    each with the version its rows should have.

    `raw` holds the versions of the raw endpoints, `loaded` those the tables were last made from. A table that reads an
    endpoint on a day whose answers were `purged` stays as it is.
    """
    days = sorted(days)
    expected: dict[str, dict[date, str]] = {name: dict(versions) for name, versions in raw.items()}
    stale: dict[date, dict[str, str]] = {day: {} for day in days}
    for table in DAILY_TABLES:
        made = loaded.get(table.name, {})
        own = _days_of_its_own(table, days, raw, made)
        gone = set().union(*(purged.get(source.name, frozenset()) for source in table.inputs))
        expected[table.name] = {
            day: made.get(day, "") if day in gone else input_version(table, day, expected) for day in own
        }
        for day in expected[table.name].keys() - gone:
            if made.get(day) != expected[table.name][day]:
                stale[day][table.name] = expected[table.name][day]
    return {day: tables for day, tables in stale.items() if tables}


def _days_of_its_own(table: Table, days: list[date], raw: Versions, made: Mapping[date, str]) -> list[date]:
    if table.name not in FROM_OWNERS:
        return days
    return [day for day in days if day in made or day in raw.get(table.inputs[0].name, {})]


def with_short_gaps(days: Iterable[date]) -> set[date]:
    """`days`, and those between two of them that lie at most `REACH_DAYS` apart: reports have rows on such days, of the
    readings on either side. A history read every second day is then one range and not one for each reading."""
    days = sorted(days)
    between = {
        before + timedelta(days=n)
        for before, after in pairwise(days)
        if (after - before).days <= REACH_DAYS
        for n in range(1, (after - before).days)
    }
    return between.union(days)


def days_ahead(table: str) -> int:
    """How many days after its own a table's rows depend on, through all of its inputs."""
    inputs = TABLES[table].inputs if table in TABLES else ()
    return max((source.lookahead_days + days_ahead(source.name) for source in inputs), default=0)


LOOKING_AHEAD = frozenset(table.name for table in DAILY_TABLES if days_ahead(table.name))
"""Tables made after the others, as they depend on days after their own."""


def settled(stale: Mapping[date, frozenset[str]], open_days: Set[date]) -> dict[date, frozenset[str]]:
    """What is stale apart from tables of `open_days`, whose batches still come, and tables that look ahead to one."""
    kept = {
        day: frozenset(
            table
            for table in tables
            if not any(day + timedelta(days=ahead) in open_days for ahead in range(days_ahead(table) + 1))
        )
        for day, tables in stale.items()
    }
    return {day: tables for day, tables in kept.items() if tables}


def contiguous(days: Mapping[date, frozenset[str]]) -> list[tuple[date, date, frozenset[str]]]:
    """Ranges (first day, last day, tables) of neighbouring days that need the same tables, oldest first.

    Tables that look backwards only find every input made when the ranges are made in this order.
    """
    ranges: list[tuple[date, date, frozenset[str]]] = []
    for day in sorted(days):
        if ranges and ranges[-1][1] == day - timedelta(days=1) and ranges[-1][2] == days[day]:
            ranges[-1] = (ranges[-1][0], day, days[day])
        else:
            ranges.append((day, day, days[day]))
    return ranges


def pack_days(rows: Mapping[date, int], limit: int) -> list[tuple[date, date]]:
    """Split days into consecutive chunks of at most `limit` rows, at least one day each, oldest first."""
    chunks: list[tuple[date, date]] = []
    size = 0
    for day in sorted(rows):
        if chunks and size + rows[day] <= limit:
            chunks[-1] = (chunks[-1][0], day)
            size += rows[day]
        else:
            chunks.append((day, day))
            size = rows[day]
    return chunks
