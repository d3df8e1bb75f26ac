"""The declarations against the migrated database: what they promise is what readers find."""

from dataclasses import dataclass, field

import psycopg
import pytest

from yt_platform.catalog import DECLARED, TABLES
from yt_platform.tables.columns import Personal
from yt_platform.tables.declaration import AnyTable, Table
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.warehouse import Warehouse

TABLE = pytest.mark.parametrize("table", DECLARED.values(), ids=list(DECLARED))
OF_EVERY_LOAD = ["run_id", "loaded_at"]
IDS = {"video_id", "channel_id", "author_channel_id"}

COLUMNS = """
SELECT attrelid::regclass::text, attname, format_type(atttypid, NULL), NOT attnotnull, col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = ANY(%s::text[]::regclass[]) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
KEYS = """
SELECT indrelid::regclass::text, attname
FROM pg_index, unnest(indkey) WITH ORDINALITY AS part(attnum, position) JOIN pg_attribute USING (attnum)
WHERE indrelid = ANY(%s::text[]::regclass[]) AND attrelid = indrelid AND indisprimary ORDER BY position
"""


@dataclass
class Found:
    """A table as the database has it."""

    comment: str
    columns: list[tuple[str, str, bool]] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def found(server: EmbeddedPostgres, _template: str) -> dict[str, Found]:
    """All tables of a migrated warehouse, read at once: nothing here writes to it."""
    names = list(DECLARED)
    with psycopg.connect(server.url(_template)) as connection:
        described = "SELECT name, obj_description(name::regclass) FROM unnest(%s::text[]) AS name"
        tables = {name: Found(comment) for name, comment in connection.execute(described, (names,))}
        for name, column, of_type, nullable, comment in connection.execute(COLUMNS, (names,)):
            tables[name].columns.append((column, of_type, nullable))
            tables[name].comments[column] = comment
        for name, column in connection.execute(KEYS, (names,)):
            tables[name].key.append(column)
    return tables


@TABLE
def test_columns_types_and_nullability(table: AnyTable, found: dict[str, Found]) -> None:
    columns = found[table.name].columns
    promised = [(column.name, column.postgres_type, column.nullable) for column in table.columns]
    added = OF_EVERY_LOAD if isinstance(table, Table) else []
    # a migration adds columns at the end, after those that every load fills
    assert [column for column in columns if column[0] not in added] == promised
    assert [name for name, _, _ in columns if name in added] == added


@TABLE
def test_primary_key(table: AnyTable, found: dict[str, Found]) -> None:
    assert tuple(found[table.name].key) == table.key


@TABLE
def test_every_column_is_described_in_the_declaration_and_in_postgres(table: AnyTable, found: dict[str, Found]) -> None:
    assert found[table.name].comment == table.description != ""
    for column in table.columns:
        assert column.description
        assert found[table.name].comments[column.name] == column.comment


@TABLE
def test_rows_of_a_channel_a_video_or_an_author_are_found_by_their_ids(table: AnyTable) -> None:
    """A column of ids that is declared as something else would keep the rows of who is forgotten."""
    whose = {column.name for column in table.columns if column.personal is Personal.OWNER}
    assert IDS.intersection(table.column_names) <= whose


def test_tables_are_partitioned_by_month_where_they_say_so(warehouse: Warehouse) -> None:
    rows = warehouse.records("SELECT partrelid::regclass::text AS name FROM pg_partitioned_table")
    assert {row["name"] for row in rows} == {name for name, table in TABLES.items() if table.by_month}
