"""The contracts against the migrated database: what they promise is what readers find."""

import pytest

from yt_platform.catalog import TABLES
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.warehouse import Warehouse

TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
BOOKKEEPING = ["run_id", "loaded_at"]


@TABLE
def test_columns_types_and_nullability(table: Table, warehouse: Warehouse) -> None:
    rows = warehouse.records(
        "SELECT column_name::text, data_type::text, is_nullable::text FROM information_schema.columns "
        "WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
        (table.layer, table.short_name),
    )
    found = [(row["column_name"], row["data_type"], row["is_nullable"] == "YES") for row in rows]
    promised = [(column.name, column.postgres_type, column.nullable) for column in table.columns]
    # a migration adds columns at the end, after those of bookkeeping
    assert [column for column in found if column[0] not in BOOKKEEPING] == promised
    assert [name for name, _, _ in found if name in BOOKKEEPING] == BOOKKEEPING


@TABLE
def test_primary_key(table: Table, warehouse: Warehouse) -> None:
    rows = warehouse.records(
        "SELECT attname::text FROM pg_index, unnest(indkey) WITH ORDINALITY AS part(attnum, position) "
        "JOIN pg_attribute USING (attnum) WHERE indrelid = $1::text::regclass AND attrelid = indrelid AND indisprimary "
        "ORDER BY position",
        (table.name,),
    )
    assert tuple(row["attname"] for row in rows) == table.key


@TABLE
def test_every_column_is_described_in_the_contract_and_in_postgres(table: Table, warehouse: Warehouse) -> None:
    assert table.description
    assert all(column.description for column in table.columns)
    rows = warehouse.records(
        "SELECT attname::text, col_description(attrelid, attnum) AS comment FROM pg_attribute "
        "WHERE attrelid = $1::text::regclass AND attnum > 0",
        (table.name,),
    )
    comments = {row["attname"]: row["comment"] for row in rows}
    for column in table.columns:
        assert comments[column.name].startswith(column.description)
        assert column.unit in comments[column.name]


def test_snapshot_tables_are_partitioned_by_month(warehouse: Warehouse) -> None:
    rows = warehouse.records("SELECT partrelid::regclass::text AS name FROM pg_partitioned_table")
    assert {row["name"] for row in rows} == {name for name, table in TABLES.items() if table.by_month}
