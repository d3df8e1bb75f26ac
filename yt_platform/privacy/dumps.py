"""Rows of a database, out of an archive of pg_dump and into tables that are there already.

An archive is a program: whoever makes one can write any SQL into it, which pg_restore runs. So none of its SQL runs
here. pg_restore only prints the archive's rows as a script; this module knows the few lines such a script has, refuses
every other, and copies the rows by statements of its own, as a role that may insert and nothing else. Tables, views and
functions come from this version's code. Not here: which archives there are, and whose (`privacy/backup.py`).
"""

import contextlib
import os
import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

_BLOCK = 1 << 20
_PLAIN, _QUOTED = r"[a-z_][a-z0-9_$]*", r'"(?:[^"\n]|"")+"'
_NAME = rf"(?:{_PLAIN}|{_QUOTED})"
_COPY = re.compile(rf"COPY ({_NAME})\.({_NAME}) (?:\(({_NAME}(?:, {_NAME})*)\))? FROM stdin;")
_SETVAL = re.compile(r"SELECT pg_catalog\.setval\('((?:[^'\n]|'')+)', (-?\d+), (true|false)\);")
_IDLE = re.compile(
    r"|--[^\n]*|\\(?:un)?restrict \w+|SET \w+ = (?:\w+|'[\w ]*');"
    r"|SELECT pg_catalog\.set_config\('search_path', '', false\);"
)
"""Lines of every script that say nothing about rows: blank ones, remarks, and settings of the session."""

_MONTH = re.compile(r"(?P<parent>\w+)_(?P<year>\d{4})(?P<month>0[1-9]|1[0-2])")
"""A month of a table that is partitioned by month: see `ops.ensure_month`."""

_VERSIONS = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock", "alembic_version")
"""Tables in which the tools of migrations keep what they applied: the structure's, not the data's."""

Name = tuple[str, str]
Connection = psycopg.Connection[tuple[object, ...]]


class DumpError(RuntimeError):
    """An archive holds what is no row of this platform; the message says what."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table in COPY's text format; `blocks` must be read before what comes next."""

    table: Name
    columns: tuple[str, ...]
    blocks: Iterator[bytes]


@dataclass(frozen=True)
class Position:
    """Where a sequence goes on."""

    sequence: str
    value: int
    is_called: bool


@dataclass(frozen=True)
class Archive:
    """A file of pg_dump's custom format; `pg_restore` is the program that reads it, `environment` its variables."""

    file: Path
    pg_restore: Path

    def versions(self, table: str, column: str) -> frozenset[str]:
        """What a migration tool says it has applied, in the column of its table. Raises DumpError."""
        found: set[str] = set()
        for item in self._items(f"--table={table}"):
            if isinstance(item, Rows):
                place = item.columns.index(column)
                lines = b"".join(item.blocks).decode().splitlines()
                found |= {line.split("\t")[place] for line in lines}
        return frozenset(found)

    def load(self, url: str) -> None:
        """Fill the tables of a database with the archive's rows, in one transaction, in place of what they hold.

        Raises DumpError for tables that the database lacks and for what is no row, and psycopg's errors for rows that
        the tables refuse; the database is as it was then.
        """
        with psycopg.connect(url) as connection:
            connection.execute("SET LOCAL client_encoding = 'UTF8'")
            connection.execute("SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'")
            tables = _tables(connection)
            keys = _foreign_keys(connection)  # rows come in no order that they would hold in
            for table, name, _ in keys:
                connection.execute(
                    sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(*table), sql.Identifier(name))
                )
            if tables:
                names = sql.SQL(", ").join(sql.Identifier(*table) for table in sorted(tables))
                connection.execute(sql.SQL("TRUNCATE {}").format(names))
            role = _Inserter(connection, tables)
            for item in self._items():
                if isinstance(item, Position):
                    _set_position(connection, item)
                elif item.table[1] in _VERSIONS:
                    for _ in item.blocks:
                        pass
                else:
                    _make_month(connection, role, item.table)
                    _copy(connection, role, item)
            role.drop()
            for table, name, definition in keys:
                connection.execute(
                    sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                        sql.Identifier(*table), sql.Identifier(name), sql.SQL(definition)
                    )
                )

    def _items(self, *options: str) -> Iterator[Rows | Position]:
        command: list[str | Path] = [
            self.pg_restore,
            "--data-only",
            "--no-owner",
            "--no-acl",
            *options,
            "--file=-",
            self.file,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as process:
            try:
                yield from _parsed(process.stdout)  # type: ignore[arg-type]
                said = process.stderr.read().decode(errors="replace").strip()  # type: ignore[union-attr]
                if process.wait():
                    raise DumpError(f"pg_restore cannot read {self.file}: {said}")
            finally:
                process.kill()  # where the rest is not wanted


def _environment() -> Mapping[str, str]:
    """Without what names a server: pg_restore prints and connects to none."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _parsed(script: IO[bytes]) -> Iterator[Rows | Position]:
    while line := script.readline(_BLOCK):
        text = line.decode(errors="replace").removesuffix("\n")
        if copied := _COPY.fullmatch(text):
            columns = tuple(_unquoted(name) for name in re.findall(_NAME, copied[3] or ""))
            yield Rows((_unquoted(copied[1]), _unquoted(copied[2])), columns, _blocks(script))
        elif moved := _SETVAL.fullmatch(text):
            yield Position(moved[1].replace("''", "'"), int(moved[2]), moved[3] == "true")
        elif not _IDLE.fullmatch(text):
            raise DumpError(f"its script has a line that belongs to no row: {text[:200]!r}")


def _blocks(script: IO[bytes]) -> Iterator[bytes]:
    r"""Whole lines, or parts of long ones, until the line `\.` that ends the rows."""
    at_start, block = True, bytearray()
    while line := script.readline(_BLOCK):
        if at_start and line == b"\\.\n":
            if block:
                yield bytes(block)
            return
        at_start = line.endswith(b"\n")
        block += line
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    raise DumpError("it ends within the rows of a table")


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _tables(connection: Connection) -> set[Name]:
    found = connection.execute(
        "SELECT relnamespace::regnamespace::text, relname FROM pg_class "
        "WHERE relkind IN ('r', 'p') AND relname <> ALL(%s) AND relnamespace NOT IN "
        "(SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')",
        (list(_VERSIONS),),
    ).fetchall()
    return {(str(schema), str(name)) for schema, name in found}


def _foreign_keys(connection: Connection) -> list[tuple[Name, str, str]]:
    found = connection.execute(
        "SELECT relnamespace::regnamespace::text, relname, conname, pg_get_constraintdef(pg_constraint.oid) "
        "FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid "
        "WHERE contype = 'f' AND conparentid = 0 ORDER BY 1, 2, 3"
    ).fetchall()
    return [((str(schema), str(table)), str(name), str(definition)) for schema, table, name, definition in found]


class _Inserter:
    """A role of this transaction alone that may insert into these tables; where none may be made, the platform's own,
    which is no superuser then."""

    def __init__(self, connection: Connection, tables: set[Name]) -> None:
        self._connection, self.tables = connection, tables
        self._role: sql.Identifier | None = sql.Identifier(f"yt_restore_{secrets.token_hex(8)}")
        try:
            with connection.transaction():
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(self._role))
                connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(self._role))
        except psycopg.errors.InsufficientPrivilege:
            self._role = None
        for schema in {schema for schema, _ in tables}:
            self._grant("USAGE ON SCHEMA", sql.Identifier(schema))
        for table in tables:
            self._grant("INSERT ON TABLE", sql.Identifier(*table))

    def add(self, table: Name) -> None:
        self.tables.add(table)
        self._grant("INSERT ON TABLE", sql.Identifier(*table))

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        if self._role:
            self._connection.execute(sql.SQL("SET LOCAL ROLE {}").format(self._role))
        yield
        self._connection.execute("RESET ROLE")

    def drop(self) -> None:
        if self._role:
            self._connection.execute(sql.SQL("DROP OWNED BY {}").format(self._role))
            self._connection.execute(sql.SQL("DROP ROLE {}").format(self._role))

    def _grant(self, right: str, thing: sql.Identifier) -> None:
        if self._role:
            self._connection.execute(sql.SQL("GRANT {} {} TO {}").format(sql.SQL(right), thing, self._role))


def _make_month(connection: Connection, role: _Inserter, table: Name) -> None:
    """The partition of a month, whose table the structure does not have before the month has rows."""
    if table in role.tables:
        return
    schema, name = table
    found = _MONTH.fullmatch(name)
    if not found or (schema, found["parent"]) not in role.tables:
        raise DumpError(f"it has rows of {schema}.{name}, which is no table of this version")
    connection.execute(
        "SELECT ops.ensure_month(to_regclass(%s), %s)",
        (f"{schema}.{found['parent']}", date(int(found["year"]), int(found["month"]), 1)),
    )
    role.add(table)


def _copy(connection: Connection, role: _Inserter, rows: Rows) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    listed = sql.SQL("({})").format(columns) if rows.columns else sql.SQL("")  # ops.turn has none
    statement = sql.SQL("COPY {} {} FROM STDIN").format(sql.Identifier(*rows.table), listed)
    with role.acting(), connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in rows.blocks:
            copy.write(block)


def _set_position(connection: Connection, position: Position) -> None:
    found = connection.execute(
        "SELECT setval(oid::regclass, %s, %s) FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'S'",
        (position.value, position.is_called, position.sequence),
    )
    if not found.rowcount:
        raise DumpError(f"it sets the sequence {position.sequence}, which this version does not have")
