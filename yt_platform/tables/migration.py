"""The SQL that brings a database to what the tables declare: the draft of a migration, which a person reads.

Belongs here: the difference between declarations and tables as they are, as text. Not here: reading a database
(`warehouse/structure.py`) and applying migrations (`warehouse/migrations.py`), which also keeps the comments of tables
that are there current.

What could lose data, or needs to know what the data means, is written as a comment that says what to decide.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from yt_platform.tables.columns import Column
from yt_platform.tables.declaration import AnyTable, InternalTable, Table, Write

OF_EVERY_LOAD = (
    Column("run_id", "uuid", "Dagster run that wrote the row"),
    Column("loaded_at", "timestamp with time zone", "When the row was written"),
)
"""Columns of every table that is written through its contract. The database has them after those declared first."""


@dataclass(frozen=True)
class Existing:
    """A table as a database has it: columns with type and whether they may be NULL, and its primary key."""

    columns: Mapping[str, tuple[str, bool]]
    key: tuple[str, ...]
    by_month: bool


def migration(declared: Iterable[AnyTable], existing: Mapping[str, Existing], schemas: Iterable[str]) -> str:
    """SQL for what `existing` lacks of what is `declared`; '' where nothing does."""
    tables = {table.name: table for table in declared}
    new = [table for name, table in tables.items() if name not in existing]
    layers = sorted({table.layer for table in new}.difference(schemas))
    parts = [
        *(_new_schema(layer) for layer in layers),
        *(_new_table(table) for table in new),
        *(part for name, table in tables.items() if name in existing for part in _changes(table, existing[name])),
        *(_undeclared(name) for name in existing if name not in tables),
    ]
    return "\n".join(parts)


def _new_schema(layer: str) -> str:
    return (
        f"CREATE SCHEMA {layer};\nREVOKE ALL ON SCHEMA {layer} FROM PUBLIC;\n"
        f"-- Say what its tables have in common: COMMENT ON SCHEMA {layer} IS '...';\n"
    )


def _new_table(table: AnyTable) -> str:
    columns = [*table.columns, *(OF_EVERY_LOAD if isinstance(table, Table) else ())]
    lines = [f"    {_definition(column)}" for column in columns]
    if table.key:
        lines.append(f"    PRIMARY KEY ({', '.join(table.key)})")
    monthly = isinstance(table, Table) and table.by_month
    partitioned = f" PARTITION BY RANGE ({table.window})" if isinstance(table, Table) and monthly else ""
    statements = [
        "-- Nobody but the platform may read it. People read it through a view in sql/views.",
        f"CREATE TABLE {table.name} (\n" + ",\n".join(lines) + f"\n){partitioned};",
        *_index(table),
        f"COMMENT ON TABLE {table.name} IS {_quoted(table.description)};",
        *(_comment(table, column) for column in table.columns),
    ]
    return "\n".join(statements) + "\n"


def _index(table: AnyTable) -> list[str]:
    """By the window, where days are replaced whole and the key does not begin with it: rows lie in its order."""
    if isinstance(table, InternalTable) or table.write is not Write.REPLACE or table.key[0] == table.window:
        return []
    name = f"{table.short_name}_{table.window}"
    return [
        f"CREATE INDEX {name} ON {table.name} USING brin ({table.window}) "
        "WITH (pages_per_range = 32, autosummarize = on);"
    ]


def _changes(table: AnyTable, existing: Existing) -> list[str]:
    declared = {column.name: column for column in table.columns}
    known = declared.keys() | ({column.name for column in OF_EVERY_LOAD} if isinstance(table, Table) else set())
    parts = [_new_column(table, column) for name, column in declared.items() if name not in existing.columns]
    for name, column in declared.items():
        if name in existing.columns:
            parts += _changed_column(table, column, *existing.columns[name])
    parts += [
        f"-- Nothing declares {table.name}.{name} any more. Rename it, or decide whether its data may go:\n"
        f"-- ALTER TABLE {table.name} DROP COLUMN {name};\n"
        for name in existing.columns
        if name not in known
    ]
    if table.key != existing.key:
        parts.append(
            f"-- {table.name} has the key ({', '.join(existing.key)}) and declares ({', '.join(table.key)}). Decide "
            "what becomes of rows that share the new key, then drop the old constraint and add\n"
            f"-- ALTER TABLE {table.name} ADD PRIMARY KEY ({', '.join(table.key)});\n"
        )
    if isinstance(table, Table) and table.by_month != existing.by_month:
        parts.append(
            f"-- {table.name} is {'not ' if table.by_month else ''}partitioned by month and declares the opposite. "
            "PostgreSQL cannot change that: make a new table, and copy the rows.\n"
        )
    return parts


def _new_column(table: AnyTable, column: Column) -> str:
    needed = (
        ""
        if column.nullable
        else "-- Rows that are there need a value: add a DEFAULT and drop it afterwards, or let the column be NULL.\n"
    )
    return f"{needed}ALTER TABLE {table.name} ADD COLUMN {_definition(column)};\n{_comment(table, column)}\n"


def _changed_column(table: AnyTable, column: Column, postgres_type: str, nullable: bool) -> list[str]:
    alter = f"ALTER TABLE {table.name} ALTER COLUMN {column.name}"
    parts = []
    if postgres_type != column.postgres_type:
        parts.append(
            f"-- {table.name}.{column.name} is {postgres_type} and declares {column.postgres_type}. Decide how its "
            f"values become one:\n-- {alter} TYPE {column.postgres_type} USING {column.name}::{column.postgres_type};\n"
        )
    if nullable and not column.nullable:
        parts.append(f"-- This fails where a row has none: give those rows a value first.\n{alter} SET NOT NULL;\n")
    if column.nullable and not nullable:
        parts.append(f"{alter} DROP NOT NULL;\n")
    return parts


def _undeclared(name: str) -> str:
    return (
        f"-- Nothing declares {name} any more. Rename it, or decide whether its data may go:\n-- DROP TABLE {name};\n"
    )


def _definition(column: Column) -> str:
    return f"{column.name} {column.postgres_type}{'' if column.nullable else ' NOT NULL'}"


def _comment(table: AnyTable, column: Column) -> str:
    return f"COMMENT ON COLUMN {table.name}.{column.name} IS {_quoted(column.comment)};"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
