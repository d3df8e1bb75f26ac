"""Checks of what is in the database: each query under `sql/checks/<schema>.<table>/` returns the rows that offend.

Facts known while writing (the share of rejects) are checked by the assets themselves. A query that cannot run
raises: an infrastructure error is neither a pass nor a failure.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    Definitions,
    MetadataValue,
    ResourceParam,
    asset_check,
    multi_asset_check,
)

from yt_platform.catalog import TABLES
from yt_platform.clock import Clock
from yt_platform.monitoring.freshness import data_age, said
from yt_platform.orchestration.partitions import asset_key, window_of_run
from yt_platform.policy import PolicyMode, may_hold
from yt_platform.printable import printable
from yt_platform.settings import Settings
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.migrations import SQL_FOLDER
from yt_platform.warehouse.staleness import newest_data
from yt_platform.warehouse.warehouse import Warehouse

FRESH = "fresh"

SHOWN = 10
"""Offending rows shown in a check's metadata."""


@dataclass(frozen=True)
class Query:
    """One file of `sql/checks`: its first line says what it finds, `-- blocking` on the second that it blocks."""

    table: str
    name: str
    description: str
    blocking: bool
    sql: str


def queries() -> list[Query]:
    return [_query(path) for path in sorted((SQL_FOLDER / "checks").glob("*/*.sql"))]


def _query(path: Path) -> Query:
    text = path.read_text()
    first, second = text.split("\n", 2)[:2]
    return Query(path.parent.name, path.stem, first.removeprefix("-- "), second == "-- blocking", text)


def build(settings: Settings) -> Definitions:
    return Definitions(asset_checks=build_checks(settings.policy_mode))


def build_checks(mode: PolicyMode | None = None) -> list[AssetChecksDefinition]:
    """Of the tables that the mode lets have rows."""
    held = (query for query in queries() if may_hold(mode, query.table))
    tables = groupby(held, key=lambda query: query.table)
    fresh = [
        _freshness_check(table, table.max_age)
        for name, table in TABLES.items()
        if table.max_age and may_hold(mode, name)
    ]
    return [*(_table_checks(table, list(group)) for table, group in tables), *fresh]


def _table_checks(table: str, found: list[Query]) -> AssetChecksDefinition:
    by_name = {query.name: query for query in found}

    @multi_asset_check(
        name=f"{table.replace('.', '_')}_checks",
        specs=[
            AssetCheckSpec(
                query.name,
                asset=asset_key(table),
                description=query.description,
                blocking=query.blocking,
            )
            for query in found
        ],
        can_subset=True,
    )
    def checks(
        context: AssetCheckExecutionContext, warehouse: ResourceParam[Warehouse], settings: ResourceParam[Settings]
    ) -> Iterator[AssetCheckResult]:
        bounds = window_of_run(context.run.tags, settings.partitions_start).bounds
        for key in sorted(context.selected_asset_check_keys, key=lambda key: key.name):
            offences = warehouse.records(by_name[key.name].sql, bounds)
            yield AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=not offences,
                severity=AssetCheckSeverity.ERROR,
                metadata={"offending_rows": len(offences), "shown": MetadataValue.md(as_markdown(offences[:SHOWN]))},
            )

    return checks


def as_markdown(rows: Sequence[Mapping[Any, object]]) -> str:
    """A table for Dagster's page. A value ends no cell and is no link or picture: a page that shows a picture of
    somebody's title would ask that person's server for it."""
    if not rows:
        return "none"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([_as_cell(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _as_cell(value: object) -> str:
    return re.sub(r"([\\`|<>\[\]])", r"\\\1", printable(" ".join(str(value).split())))


def as_image(png: bytes) -> MetadataValue:
    return MetadataValue.md(f"![plot](data:image/png;base64,{b64encode(png).decode()})")


def _freshness_check(table: Table, max_age: timedelta) -> AssetChecksDefinition:
    @asset_check(
        name=FRESH,
        asset=asset_key(table.name),
        description=f"The newest data is at most {said(max_age)} old by the platform's clock",
    )
    def fresh(warehouse: ResourceParam[Warehouse], clock: ResourceParam[Clock]) -> AssetCheckResult:
        newest, now = newest_data(warehouse, table), clock.now()
        age = data_age(newest, now) if newest else None
        return AssetCheckResult(
            passed=age is None or age <= max_age,
            severity=AssetCheckSeverity.WARN,
            description="the table holds nothing yet" if age is None else f"the newest data is {said(age)} old",
            metadata={"newest": str(newest), "clock": str(now)},
        )

    return fresh


def check_page(key: AssetKey, name: str) -> str:
    """The path of a check in Dagster's UI."""
    return f"/assets/{'/'.join(key.path)}?view=checks&checkDetail={name}"
