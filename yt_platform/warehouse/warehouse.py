"""Reading and writing the warehouse: Arrow in and out by ADBC, everything of one write in one transaction.

What the rows mean is the contracts'; the structure of the tables is in `sql/`.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.rows import dict_row

from yt_platform.tables.arrow import to_pandas
from yt_platform.tables.declaration import Table, Write
from yt_platform.tables.validation import latest_by_key
from yt_platform.tombstones.ids import Tombstones, Without
from yt_platform.tombstones.store import NONE_MEANWHILE, tombstones

STAGE = "stage"
UNIQUE_VIOLATION = "23505"


class DuplicateKeyError(RuntimeError):
    """A row was appended whose key the table holds."""


@dataclass(frozen=True)
class Window:
    """UTC days `first` to `last`, both included."""

    first: date
    last: date

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The instants the window begins at and ends before."""
        first = datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)
        last = datetime(self.last.year, self.last.month, self.last.day, tzinfo=UTC)
        return first, last + timedelta(days=1)

    def reaching(self, back: int, ahead: int = 0) -> "Window":
        """The window and so many days before and after it."""
        return Window(self.first - timedelta(days=back), self.last + timedelta(days=ahead))

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


class Warehouse:
    """The warehouse behind a libpq URL. Connections are opened per use, so a restarted server is no concern."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextlib.contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """One transaction on one connection: committed at the end, rolled back when anything is raised."""
        with adbc.connect(self._url) as connection:
            yield Transaction(connection)
            connection.commit()

    def read(self, query: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """The query's rows in the dtypes of the contracts; parameters are `$1`, `$2`, …"""
        with self.transaction() as transaction:
            return transaction.read(query, parameters)

    def records(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The query's rows as dictionaries of Python values, for few rows; parameters are `$1`, `$2`, …

        By psycopg: connecting takes it 6 ms, where ADBC asks for every type of the database first.
        """
        with psycopg.connect(
            self._url, cursor_factory=psycopg.RawCursor, row_factory=dict_row, options="-c timezone=UTC"
        ) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def read_window(self, table: Table, window: Window) -> pd.DataFrame:
        """The contract's columns of the table's rows within `window`."""
        begin, end = window_bounds(table, window)
        columns = ", ".join(table.column_names)
        return self.read(
            f"SELECT {columns} FROM {table.name} WHERE {table.window} >= $1 AND {table.window} < $2", (begin, end)
        )


class Transaction:
    """What can be done inside `Warehouse.transaction`. Cursors are closed before the next statement: temporary
    tables belong to the connection, and an open cursor would hold them."""

    def __init__(self, connection: adbc.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)

    def read(self, query: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        with self._connection.cursor() as cursor:
            cursor.execute(query, tuple(parameters) or None)
            return to_pandas(cursor.fetch_arrow_table())

    def records(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, tuple(parameters) or None)
            rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
            return rows

    def take_turns(self, table_name: str) -> None:
        """Wait until no other transaction writes the table, and let none begin before this one ends.

        By a row of its own: an advisory lock could be held by anyone who may connect, and a lock of the table would
        keep migrations and autovacuum waiting.
        """
        self.execute(
            "INSERT INTO ops.writers (table_name) VALUES ($1) "
            "ON CONFLICT (table_name) DO UPDATE SET table_name = excluded.table_name",
            (table_name,),
        )

    def write(self, table: Table, frame: pd.DataFrame, window: Window, run_id: str) -> int:
        """Write the rows of `window` as the table's mode says; returns the rows written.

        `frame` keeps the contract and may hold a key twice: the last counts.
        """
        if table.write is Write.REPLACE:
            return self.replace(table, frame, window, run_id)
        return self.upsert(table, frame, run_id)

    def replace(self, table: Table, frame: pd.DataFrame, window: Window, run_id: str) -> int:
        rows = latest_by_key(frame, table.key)
        self.take_turns(table.name)
        self._delete(table, window, {column: rows[column].iloc[0] for column in table.scope} if len(rows) else {})
        self._insert(table, rows, _insert_statement(table), run_id)
        return len(rows)

    def clear(self, table: Table, window: Window) -> None:
        """Make room for all rows of `window` anew, by `upsert`: what was refused goes, and of a table that is replaced
        window by window its rows."""
        self.take_turns(table.name)
        if table.write is Write.REPLACE:
            self._delete(table, window, {})
        self._clear_quarantine(table.name, window)

    def _delete(self, table: Table, window: Window, scope: Mapping[str, Any]) -> None:
        begin, end = window_bounds(table, window)
        conditions = "".join(f" AND {column} = ${n}" for n, column in enumerate(scope, start=3))
        self.execute(
            f"DELETE FROM {table.name} WHERE {table.window} >= $1 AND {table.window} < $2{conditions}",
            (begin, end, *scope.values()),
        )

    def upsert(self, table: Table, frame: pd.DataFrame, run_id: str) -> int:
        """Insert rows or update those whose values differ; a `Write.NEWEST` table takes no older record."""
        rows = latest_by_key(frame, table.key)
        self.take_turns(table.name)
        self._insert(table, rows, _insert_statement(table) + _on_conflict(table), run_id)
        return len(rows)

    def append(self, table: Table, frame: pd.DataFrame, run_id: str) -> int:
        """As `upsert`, for rows whose keys the table does not hold: straight into it, in half the time.

        Raises DuplicateKeyError where it does hold one, or the frame has a key twice; the transaction is lost then.
        """
        rows = self._without_forgotten(to_arrow(frame))
        count: int = rows.num_rows
        if not count:
            return 0
        self.take_turns(table.name)
        loaded = pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC"))
        rows = rows.append_column("run_id", pa.repeat(pa.scalar(UUID(run_id).bytes), count))
        rows = rows.append_column("loaded_at", pa.repeat(loaded, count))
        try:
            with self._connection.cursor() as cursor:
                cursor.adbc_ingest(table.short_name, rows, mode="append", db_schema_name=table.layer)
        except adbc.IntegrityError as error:
            if error.sqlstate != UNIQUE_VIOLATION:
                raise
            raise DuplicateKeyError(f"{table.name} was to hold a key twice") from None
        return count

    def _insert(self, table: Table, rows: pd.DataFrame, statement: str, run_id: str) -> None:
        if rows.empty:
            return
        self._ensure_months(table, rows)
        self._stage(rows)
        self.execute(statement, (run_id,))
        self.execute(f"DROP TABLE {STAGE}")

    def quarantine(self, table_name: str, rejected: pd.DataFrame, window: Window, run_id: str) -> None:
        """Replace the refused rows of `table_name` in `window` by `rejected`: partition_day, origin, reason, record."""
        self._clear_quarantine(table_name, window)
        self.add_to_quarantine(table_name, rejected, run_id)

    def _clear_quarantine(self, table_name: str, window: Window) -> None:
        self.execute(
            "DELETE FROM ops.quarantine WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
            (table_name, window.first, window.last),
        )

    def add_to_quarantine(self, table_name: str, rejected: pd.DataFrame, run_id: str) -> None:
        if rejected.empty:
            return
        columns = rejected[["partition_day", "origin", "reason", "record"]]
        # jsonb holds no NUL, not even escaped
        self._stage(columns.assign(record=columns["record"].str.replace("\\u0000", "\\ufffd", regex=False)))
        self.execute(
            "INSERT INTO ops.quarantine (table_name, partition_day, origin, reason, record, run_id) "
            f"SELECT $1, partition_day, origin, reason, record::jsonb, $2::uuid FROM {STAGE}",
            (table_name, run_id),
        )
        self.execute(f"DROP TABLE {STAGE}")

    def _stage(self, frame: pd.DataFrame) -> None:
        rows = self._without_forgotten(to_arrow(frame))
        with self._connection.cursor() as cursor:
            cursor.adbc_ingest(STAGE, rows, mode="create", temporary=True)

    def _without_forgotten(self, rows: pa.Table) -> pa.Table:
        """What is stored of rows that were read before something in them was forgotten."""
        return Without(self._forgotten).rows(rows) if self._forgotten.digests else rows

    @cached_property
    def _forgotten(self) -> Tombstones:
        self.execute(NONE_MEANWHILE)
        return tombstones(self)

    def _ensure_months(self, table: Table, rows: pd.DataFrame) -> None:
        if not table.by_month:
            return
        for month in rows[table.window].dt.tz_localize(None).dt.to_period("M").unique():
            self.execute("SELECT ops.ensure_month($1::text::regclass, $2)", (table.name, month.start_time.date()))


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """A frame as Postgres takes it: midnights become dates, unknown NULL, NUL in a text U+FFFD (raw keeps it)."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [
        pa.field(field.name, pa.date32() if pa.types.is_timestamp(field.type) and field.type.tz is None else field.type)
        for field in table.schema
    ]
    table = table.cast(pa.schema(fields))
    for position, field in enumerate(fields):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            table = table.set_column(position, field, pc.replace_substring(table.column(position), "\x00", "\ufffd"))
    return table


def window_bounds(table: Table, window: Window) -> tuple[Any, Any]:
    """What the table's window column begins at and ends before: days, or instants."""
    begin, end = window.bounds
    dates = table.schema.columns[table.window].dtype.type.kind == "M" and "UTC" not in str(
        table.schema.columns[table.window].dtype
    )
    return (begin.date(), end.date()) if dates else (begin, end)


def _insert_statement(table: Table) -> str:
    """Insert the staged rows; `$1` is the run id."""
    columns = ", ".join(table.column_names)
    target = f"{table.name} AS kept ({columns}, run_id, loaded_at)"
    return f"INSERT INTO {target} SELECT {columns}, $1::uuid, now() FROM {STAGE}"


def _on_conflict(table: Table) -> str:
    others = [name for name in table.column_names if name not in table.key]
    updates = ", ".join(f"{name} = excluded.{name}" for name in [*others, "run_id", "loaded_at"])
    changed = f"({_row('kept', others)}) IS DISTINCT FROM ({_row('excluded', others)})"
    newer = f" AND ({_row('excluded', table.newest)}) >= ({_row('kept', table.newest)})" if table.newest else ""
    return f" ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {updates} WHERE {changed}{newer}"


def _row(alias: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in columns)
