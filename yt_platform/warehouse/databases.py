"""Which databases the platform uses, how they are reached, and how they come to exist.

Three databases on one server: the warehouse, Dagster's storage and MLflow's. The server is the embedded one, or
the one `YT_DATABASE_URL` names. The structure inside the warehouse is in `sql/`; rows are the warehouse's.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from yt_platform.storage.private import close_umask, make_private
from yt_platform.warehouse.embedded.server import EmbeddedPostgres, EmbeddedPostgresError
from yt_platform.warehouse.readers import Reader, Readers, reader_role
from yt_platform.warehouse.sessions import DatabaseError as DatabaseError
from yt_platform.warehouse.sessions import bounded

WAREHOUSE = "youtube"
DAGSTER = "dagster"
MLFLOW = "mlflow"
MINIMUM_VERSION = 15

ANSWER_SECONDS = 4
"""A server that takes longer for a connection is said not to answer."""

RESTORING = "restoring.json"
"""In YT_HOME, which backup is being restored, until what was forgotten since is deleted again."""


@dataclass(frozen=True)
class DatabaseUrls:
    """libpq URLs of the three databases, and of the warehouse for the reader role."""

    warehouse: str
    dagster: str
    mlflow: str
    reader: str


def sqlalchemy_url(url: str) -> str:
    """The same database for SQLAlchemy, by psycopg2: SQLAlchemy 2.1 reads `postgresql://` as psycopg 3, with which
    dagster-postgres fails at run time."""
    return with_driver(url, "postgresql+psycopg2")


def libpq_url(url: str) -> str:
    """The same database for libpq, which knows no driver names."""
    return with_driver(url, "postgresql")


# URLs are taken apart by the standard library: SQLAlchemy's would write a space in a password as it is, which libpq
# refuses.


def with_driver(url: str, scheme: str) -> str:
    return urlunsplit(urlsplit(url)._replace(scheme=scheme))


def with_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


def for_old_client(url: str) -> str:
    """The same database for libpq 15 and older, which refuses URLs with a parameter that it does not know."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "require_auth"]
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))


def database_name(url: str) -> str:
    return unquote(urlsplit(url).path.removeprefix("/"))


class Databases:
    """The three databases: inside the embedded server of `home`, or on the server `warehouse_url` names.

    On a server of the user's own, `dagster_url` and `mlflow_url` default to `<warehouse>_dagster` and
    `<warehouse>_mlflow` beside the warehouse; both are created where missing.
    """

    def __init__(
        self,
        home: Path,
        warehouse_url: str | None = None,
        dagster_url: str | None = None,
        mlflow_url: str | None = None,
    ) -> None:
        self.home = home
        self.server = None if warehouse_url else EmbeddedPostgres(home)
        self._warehouse_url = libpq_url(warehouse_url) if warehouse_url else None
        self._dagster_url = libpq_url(dagster_url) if dagster_url else None
        self._mlflow_url = libpq_url(mlflow_url) if mlflow_url else None

    @contextlib.contextmanager
    def open(self) -> Iterator[DatabaseUrls]:
        """URLs that work as long as the context is open; an embedded server that is not running is started.

        Raises DatabaseError where a restore was interrupted: what was forgotten may be there again.
        """
        if (self.home / RESTORING).exists():
            raise DatabaseError(
                f"the restore of a backup into {self.home} did not end: run `yt-platform restore` with that backup "
                f"again, which goes on from there (until then nothing else runs: {self.home / RESTORING})"
            )
        with self.open_to_restore() as urls:
            yield urls

    @contextlib.contextmanager
    def open_to_restore(self) -> Iterator[DatabaseUrls]:
        """As `open`, for the restore itself."""
        close_umask()
        make_private(self.home)
        with self.server or contextlib.nullcontext():
            yield self.urls()

    def revived(self) -> DatabaseUrls:
        """The URLs as they are now. An embedded server that was killed is started again; where another program has
        taken its port meanwhile, it has another one."""
        try:
            return self.urls()
        except EmbeddedPostgresError:
            with self.open() as urls:
                return urls

    def urls(self) -> DatabaseUrls:
        """Raises DatabaseError (or EmbeddedPostgresError) when there is no server to name."""
        if self.server:
            warehouse, dagster, mlflow = (self.server.url(name) for name in (WAREHOUSE, DAGSTER, MLFLOW))
            reader = self.server.url(WAREHOUSE, reader_role(WAREHOUSE), self._reader_file)
        else:
            warehouse = str(self._warehouse_url)
            name = database_name(warehouse)
            if not name:
                raise DatabaseError("YT_DATABASE_URL names no database; end it with /youtube, say")
            dagster, mlflow = (with_database(warehouse, f"{name}_{part}") for part in (DAGSTER, MLFLOW))
            reader = _external_reader_url(warehouse, reader_role(name), self._reader_file)
        return DatabaseUrls(warehouse, self._dagster_url or dagster, self._mlflow_url or mlflow, reader)

    def unanswered(self) -> str | None:
        """Why the server that should answer does not, within a few seconds; None where it does, or is not there yet."""
        if self.server and (reason := self.server.outage()):
            return reason
        if self.server and not self.server.running():
            return None
        url = self.server.url("postgres") if self.server else str(self._warehouse_url)
        found: list[str | None] = []
        # in a thread of its own: libpq's timeout leaves out looking up the name, and counts anew for each address
        probe = Thread(target=lambda: found.append(_unreachable(url)), daemon=True)
        probe.start()
        probe.join(ANSWER_SECONDS)
        return found[0] if found else f"it does not answer within {ANSWER_SECONDS} seconds"

    def create(self) -> None:
        """Create what is missing of the three databases and the reader role; repeating it changes nothing.

        Raises DatabaseError on a server older than PostgreSQL 15 or without the rights to create them.
        """
        urls = self.urls()
        maintenance = self.server.url("postgres") if self.server else _reachable(urls.warehouse)
        with psycopg.connect(maintenance, autocommit=True) as connection:
            _check_version(connection)
            with bounded(maintenance, connection, "creating the databases"):
                take_turn(connection, "yt_platform.create")
                if self.server:
                    _close_to_public(connection, "postgres")
                for url in (urls.warehouse, urls.dagster, urls.mlflow):
                    _create_database(connection, url)
                if self.server:  # again: one that was killed between the two left a database open
                    for name in (WAREHOUSE, DAGSTER, MLFLOW):
                        _close_to_public(connection, name)
                Readers(connection, database_name(urls.warehouse), self.home).heal()

    def reader_url(self, reader: Reader) -> str:
        """URL of the warehouse for a reader that was added."""
        if self.server:
            return self.server.url(WAREHOUSE, reader.role, reader.passfile)
        return _external_reader_url(str(self._warehouse_url), reader.role, reader.passfile)

    @property
    def _reader_file(self) -> Path:
        """The reader's password alone: people give it to BI tools."""
        return self.home / "reader.pgpass"


def _unreachable(url: str) -> str | None:
    """Why nobody answers there; None where somebody does."""
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        # a database that does not exist is made, and a wrong password is told by whoever needs it
        known = ("does not exist", "authentication failed", "no password supplied")
        return None if any(text in str(error) for text in known) else str(error).strip().splitlines()[0]
    return None


def _external_reader_url(warehouse: str, role: str, passfile: Path) -> str:
    parts = urlsplit(warehouse)
    host = parts.netloc.rpartition("@")[2]
    query = urlencode({**dict(parse_qsl(parts.query)), "passfile": str(passfile)}, quote_via=quote)
    return urlunsplit(parts._replace(netloc=f"{quote(role)}@{host}", query=query))


def take_turn(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    """Hold the lock of this name until the connection ends.

    To be called within `sessions.bounded`: on a server where advisory locks are everybody's, anyone who may connect
    could hold it for ever.
    """
    connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (name,))


def _reachable(warehouse: str) -> str:
    """The warehouse itself, or the server's `postgres` database while the warehouse does not exist."""
    try:
        psycopg.connect(warehouse).close()
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise DatabaseError(
                f"YT_DATABASE_URL cannot be reached: {str(error).strip()}. See that the server runs and takes "
                "connections from here, and to host, port, user and password in the URL"
            ) from None
        return with_database(warehouse, "postgres")
    return warehouse


def _check_version(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    version = connection.info.server_version
    if version < MINIMUM_VERSION * 10_000:
        raise DatabaseError(
            f"the server is PostgreSQL {version // 10_000}; the platform needs {MINIMUM_VERSION} or newer"
        )


def _create_database(connection: psycopg.Connection[tuple[object, ...]], url: str) -> None:
    name = database_name(url)
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).rowcount:
        return
    try:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
        )
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(
            f"database {name} does not exist and {connection.info.user} may not create it: grant CREATEDB, or create "
            "it and set YT_DATABASE_URL, YT_DAGSTER_DATABASE_URL and YT_MLFLOW_DATABASE_URL"
        ) from None
    _close_to_public(connection, name)


def _close_to_public(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    connection.execute(sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
