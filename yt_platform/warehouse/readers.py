"""Reader roles: people and BI tools read the schema `bi` and nothing else, each by a role and a password of its own.

Here: making, limiting, listing and removing them. A reader's rights are those of the group `<warehouse>_readers`, which
`warehouse/migrations.py` grants. Passwords are in files of YT_HOME: `reader.pgpass` of the role that every platform
has, and `readers/NAME.pgpass`.

PostgreSQL lets every role change its own password and its own settings. Both are put back whenever a command starts.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from yt_platform.errors import MisuseError
from yt_platform.warehouse import pgpass
from yt_platform.warehouse.sessions import DatabaseError

log = logging.getLogger(__name__)

LIMITS = {
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "60s",  # a transaction left open keeps others' locks and deleted rows
    "lock_timeout": "30s",
    "statement_timeout": "300s",
}
"""Settings of every reader. A session may change them for itself, but for temp_file_limit; the platform ends readers
that hold it up whatever they have set."""

TRANSACTION_TIMEOUT = {"transaction_timeout": "900s"}  # of PostgreSQL 17 and newer
TEMP_FILE_LIMIT = {"temp_file_limit": "2GB"}  # a superuser's to set, and nobody else's to change

CONNECTIONS, CONNECTIONS_OF_ONE = 20, 8
"""Of the reader that every platform has, which several tools may share, and of one that was added."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")


class ReaderNameError(MisuseError):
    """No reader can have this name, or none has; the message says what to do."""


@dataclass(frozen=True)
class Reader:
    """A reader that was added: its name, its role, the file of its password, and its sessions now."""

    name: str
    role: str
    passfile: Path
    sessions: int


def reader_role(warehouse: str) -> str:
    """The role of the reader that every platform has; `warehouse` is the database's name."""
    return f"{warehouse}_reader"


def group_role(warehouse: str) -> str:
    """The group that may read the `bi` schema of this warehouse and nothing else."""
    return f"{warehouse}_readers"


class Readers:
    """The readers of one warehouse. `connection` is an autocommit one of the platform's own role, to any database of
    the server to make roles, and to the warehouse to remove them."""

    def __init__(self, connection: psycopg.Connection[Any], warehouse: str, home: Path) -> None:
        self._connection, self._warehouse, self._home = connection, warehouse, home
        self._group = sql.Identifier(group_role(warehouse))

    @property
    def default_passfile(self) -> Path:
        return self._home / "reader.pgpass"

    def heal(self) -> None:
        """Make the group and the reader that every platform has, and give every reader back its password and limits.

        Where the platform's role may not create roles, it says so and there are no readers.
        """
        try:
            self._make_group()
        except psycopg.errors.InsufficientPrivilege:
            log.warning(
                "%s may not create the role %s, so there is no reader of bi: grant CREATEROLE and migrate again",
                self._connection.info.user,
                group_role(self._warehouse),
            )
            return
        role = reader_role(self._warehouse)
        self._make(role, self.default_passfile, CONNECTIONS)
        for member in self._roles():
            if member != role:
                self._limit(member, CONNECTIONS_OF_ONE)
                if (file := self._passfile(self._name(member))).exists():  # else it is another YT_HOME's
                    self._set_password(member, file)

    def add(self, name: str) -> Reader:
        """Make a reader. Raises ReaderNameError where the name cannot be used or is taken."""
        if not NAME.fullmatch(name):
            raise ReaderNameError(
                f"{name!r} cannot be the name of a reader: take up to 24 small letters, digits and _, a letter first"
            )
        role = f"{reader_role(self._warehouse)}_{name}"
        if role in self._roles():
            raise ReaderNameError(f"there is a reader {name} already; remove it first, or take another name")
        self._make(role, self._passfile(name), CONNECTIONS_OF_ONE)
        return Reader(name, role, self._passfile(name), 0)

    def added(self) -> list[Reader]:
        """The readers that were added, by name."""
        rows = self._connection.execute("SELECT usename, count(*) FROM pg_stat_activity GROUP BY usename").fetchall()
        sessions = dict(rows)
        names = [(self._name(role), role) for role in self._roles() if role != reader_role(self._warehouse)]
        return [Reader(name, role, self._passfile(name), sessions.get(role, 0)) for name, role in sorted(names)]

    def remove(self, name: str) -> None:
        """Remove a reader, its sessions and its password. Raises ReaderNameError where there is none."""
        found = {reader.name: reader for reader in self.added()}
        if name not in found:
            raise ReaderNameError(f"there is no reader {name}; there are: {', '.join(found) or 'none'}")
        role = sql.Identifier(found[name].role)
        self._execute("ALTER ROLE {} NOLOGIN", role)  # first, so that no session begins meanwhile
        self._connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", (found[name].role,)
        )
        self._execute("DROP OWNED BY {}", role)  # what it has been granted, and default privileges of its own making
        self._execute("DROP ROLE {}", role)
        found[name].passfile.unlink(missing_ok=True)

    def shortfalls(self, others: list[str]) -> list[str]:
        """What readers may do as this server's rights do not let us prevent it, with the remedy. `others` are databases
        that are none of theirs. Asked of the warehouse's connection."""
        if not self._roles():
            return []
        role, found = reader_role(self._warehouse), []
        for database in others:
            if self._answer("SELECT has_database_privilege(%s, oid, 'CONNECT') FROM pg_database WHERE datname = %s",
                            role, database):  # fmt: skip
                found.append(
                    f"connect to database {database}, as everybody may: REVOKE CONNECT ON DATABASE {database} "
                    "FROM PUBLIC, if nobody else relies on it"
                )
        if self._answer("SELECT has_function_privilege(%s, 'pg_advisory_lock(bigint)', 'EXECUTE')", role):
            found.append(
                "take advisory locks, create large objects and notify: migrate once as a superuser, or as one run "
                "REVOKE EXECUTE on pg_advisory_*, lo_*, pg_notify and pg_logical_emit_message FROM PUBLIC"
            )
        if not self._has_limit(role, TEMP_FILE_LIMIT):
            found.append(
                f"fill the disk with temporary files: as a superuser run ALTER ROLE {role} SET temp_file_limit = '2GB',"
                " for each reader"
            )
        return found

    def _make_group(self) -> None:
        if not self._answer("SELECT true FROM pg_roles WHERE rolname = %s", group_role(self._warehouse)):
            self._execute("CREATE ROLE {} NOLOGIN", self._group)
        self._execute("GRANT CONNECT ON DATABASE {} TO {}", sql.Identifier(self._warehouse), self._group)

    def _make(self, role: str, passfile: Path, connections: int) -> None:
        if not self._answer("SELECT true FROM pg_roles WHERE rolname = %s", role):
            self._execute("CREATE ROLE {} LOGIN", sql.Identifier(role))
        if role not in self._roles():
            self._execute("GRANT {} TO {}", self._group, sql.Identifier(role))
        self._limit(role, connections)
        self._set_password(role, passfile)

    def _set_password(self, role: str, passfile: Path) -> None:
        password = pgpass.role_password(passfile, role)
        # the verifier, not the password: a statement can end in the server's log
        verifier = self._connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        self._execute("ALTER ROLE {} LOGIN PASSWORD {}", sql.Identifier(role), sql.Literal(verifier.decode()))

    def _limit(self, role: str, connections: int) -> None:
        """Bring back what a reader may have changed of its own role, and rights that are none of a reader's."""
        name = sql.Identifier(role)
        self._execute("ALTER ROLE {} CONNECTION LIMIT {}", name, sql.Literal(connections))
        wanted = self._limits()
        for database, settings in self._settings(role):
            if database is not None:
                self._execute("ALTER ROLE {} IN DATABASE {} RESET ALL", name, sql.Identifier(database))
            elif settings.keys() - (wanted | TEMP_FILE_LIMIT).keys():
                self._execute("ALTER ROLE {} RESET ALL", name)
        kept = next((settings for database, settings in self._settings(role) if database is None), {})
        for setting, value in wanted.items():
            if kept.get(setting) != value:
                self._execute("ALTER ROLE {} SET {} = {}", name, sql.Identifier(setting), sql.Literal(value))
        for other in self._memberships(role):
            self._execute("REVOKE {} FROM {}", sql.Identifier(other), name)
        if not self._superuser and not self._answer("SELECT pg_has_role(%s, 'USAGE')", role):
            self._execute("GRANT {} TO CURRENT_USER", name)  # to see what its sessions do, and to end them

    def _limits(self) -> dict[str, str]:
        newer = TRANSACTION_TIMEOUT if self._connection.info.server_version >= 170_000 else {}
        return LIMITS | newer | (TEMP_FILE_LIMIT if self._superuser else {})

    @property
    def _superuser(self) -> bool:
        return self._connection.info.parameter_status("is_superuser") == "on"

    def _settings(self, role: str) -> list[tuple[str | None, dict[str, str]]]:
        """Settings of the role by database, None for all."""
        rows = self._connection.execute(
            "SELECT datname, setconfig FROM pg_db_role_setting JOIN pg_roles AS role ON role.oid = setrole "
            "LEFT JOIN pg_database AS base ON base.oid = setdatabase WHERE rolname = %s",
            (role,),
        ).fetchall()
        return [(database, dict(item.split("=", 1) for item in items)) for database, items in rows]

    def _has_limit(self, role: str, limit: dict[str, str]) -> bool:
        return any(
            database is None and limit.items() <= settings.items() for database, settings in self._settings(role)
        )

    def _memberships(self, role: str) -> list[str]:
        """Roles of the server's own that a reader was made a member of, like pg_read_all_data."""
        rows = self._connection.execute(
            "SELECT other.rolname FROM pg_auth_members JOIN pg_roles AS other ON other.oid = roleid "
            "JOIN pg_roles AS role ON role.oid = member WHERE role.rolname = %s AND other.rolname LIKE 'pg\\_%%'",
            (role,),
        ).fetchall()
        return [name for (name,) in rows]

    def _roles(self) -> list[str]:
        """The roles of all readers: who is of the group."""
        rows = self._connection.execute(
            "SELECT role.rolname FROM pg_auth_members JOIN pg_roles AS role ON role.oid = member "
            "JOIN pg_roles AS kind ON kind.oid = roleid WHERE kind.rolname = %s AND starts_with(role.rolname, %s) "
            "GROUP BY role.rolname ORDER BY role.rolname",
            (group_role(self._warehouse), reader_role(self._warehouse)),
        ).fetchall()
        return [name for (name,) in rows]

    def _name(self, role: str) -> str:
        return role.removeprefix(f"{reader_role(self._warehouse)}_")

    def _passfile(self, name: str) -> Path:
        return self._home / "readers" / f"{name}.pgpass"

    def _answer(self, query: str, *parameters: object) -> object:
        row = self._connection.execute(query.encode(), parameters).fetchone()
        return row[0] if row else None

    def _execute(self, statement: LiteralString, *parts: sql.Composable) -> None:
        try:
            self._connection.execute(sql.SQL(statement).format(*parts))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise DatabaseError(
                f"a reader's role cannot be dropped: {error.diag.message_detail}. Drop that, then remove it again"
            ) from None
