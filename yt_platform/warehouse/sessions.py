"""Sessions of the database server that hold the platform up: named, and ended where they are readers'.

Here: who blocks a statement, who still sees deleted rows, and waiting for them with an end. A reader is a member of the
group that `warehouse/readers.py` keeps. On a server whose user is no superuser, PostgreSQL shows of other users'
sessions who and where they are, and not what they do.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from yt_platform.errors import PlatformError
from yt_platform.progress import Progress

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""A reader may block the platform for so long; most queries of BI tools end sooner."""

PATIENCE_SECONDS = 60.0
"""Others may block a statement for so long before it fails and names them."""

SNAPSHOT_PATIENCE_SECONDS = 300.0
"""Others than readers may keep deleted rows visible for so long before a forgetting gives up: a load takes minutes."""

LOOK_EVERY_SECONDS = 0.5


class DatabaseError(PlatformError):
    """A database cannot be used as it is; the message says what is missing and how to give it."""


class StillSeenError(DatabaseError):
    """Rows were deleted, and something of the server still shows them; the message names it."""


@dataclass(frozen=True)
class Session:
    """A session of the server, or a transaction that outlived its session. Times are UTC, None where not shown."""

    pid: int
    role: str
    database: str
    application: str
    state: str
    since: datetime | None
    query_start: datetime | None
    is_reader: bool
    end_with: str
    """The SQL command that ends it."""

    def __str__(self) -> str:
        who = f"process {self.pid}" if self.pid else self.state
        about = [
            f"role {self.role}",
            f"application {self.application or 'without a name'}",
            f"database {self.database}",
        ]
        about += [self.state] if self.pid else []
        about += [f"in a transaction since {_utc(self.since)}"] if self.since else []
        about += [f"query began {_utc(self.query_start)}"] if self.query_start else []
        return f"{who} ({', '.join(about)}); end it with: {self.end_with}"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


# A reader is a member of the group of the session's database: `<warehouse>_readers`.
_SESSIONS = """
SELECT
    pid,
    coalesce(usename, '') AS role,
    coalesce(datname, '') AS database,
    coalesce(application_name, '') AS application,
    coalesce(state, backend_type, 'busy with what this role may not see') AS state,
    xact_start AT TIME ZONE 'UTC' AS since,
    query_start AT TIME ZONE 'UTC' AS query_start,
    coalesce(starts_with(usename, datname || '_reader'), false) AND EXISTS (
        SELECT FROM pg_auth_members
        WHERE member = usesysid AND roleid = (SELECT oid FROM pg_roles WHERE rolname = datname || '_readers')
    ) AS is_reader,
    format('SELECT pg_terminate_backend(%%s)', pid) AS end_with
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
"""


# In the form of a session: the locks and the snapshot of a prepared transaction outlive its own.
_PREPARED = """
SELECT
    0 AS pid,
    owner::text AS role,
    database::text,
    '' AS application,
    'prepared transaction ' || gid AS state,
    prepared AT TIME ZONE 'UTC' AS since,
    NULL::timestamp AS query_start,
    false AS is_reader,
    format('ROLLBACK PREPARED %%L', gid) AS end_with
FROM pg_prepared_xacts
WHERE database = current_database()
"""

_SLOTS = """
SELECT
    coalesce(active_pid, 0) AS pid,
    '' AS role,
    coalesce(database, '')::text AS database,
    '' AS application,
    'replication slot ' || slot_name AS state,
    NULL::timestamp AS since,
    NULL::timestamp AS query_start,
    false AS is_reader,
    format('SELECT pg_drop_replication_slot(%%L)', slot_name) AS end_with
FROM pg_replication_slots
WHERE (database = current_database() OR database IS NULL)
"""


def blockers(connection: psycopg.Connection[Any], pid: int) -> list[Session]:
    """What the session `pid` waits for: sessions, and prepared transactions of the connected database."""
    return [
        *_found(connection, f"{_SESSIONS} AND pid = ANY(pg_blocking_pids(%(pid)s)) ORDER BY pid", pid=pid),
        *_found(connection, f"{_PREPARED} AND 0 = ANY(pg_blocking_pids(%(pid)s)) ORDER BY gid", pid=pid),
    ]


def seeing(connection: psycopg.Connection[Any], horizon: str) -> list[Session]:
    """What still sees rows of the connected database that a transaction before `horizon` deleted.

    `horizon` is a transaction id that was given after the deletion. Sessions, prepared transactions and replication
    slots count. A session that PostgreSQL does not show us counts as long as it is in any transaction.
    """
    # A vacuum's snapshot keeps no row alive, and all others end by themselves.
    sessions = f"""{_SESSIONS}
        AND (datname = current_database() OR backend_type = 'walsender')
        AND (
            greatest(age(backend_xmin), age(backend_xid)) > age(%(horizon)s::xid)
            AND query NOT LIKE 'autovacuum: VACUUM%%'
            OR state IS NULL AND backend_type IS NULL AND EXISTS (
                SELECT FROM pg_locks
                WHERE pg_locks.pid = pg_stat_activity.pid AND locktype = 'virtualxid' AND granted
            )
        )
        ORDER BY pid"""
    prepared = f"{_PREPARED} AND age(transaction) > age(%(horizon)s::xid) ORDER BY gid"
    slots = f"{_SLOTS} AND greatest(age(xmin), age(catalog_xmin)) > age(%(horizon)s::xid) ORDER BY slot_name"
    return [found for query in (sessions, prepared, slots) for found in _found(connection, query, horizon=horizon)]


def _found(connection: psycopg.Connection[Any], query: str, **parameters: object) -> list[Session]:
    with connection.cursor(row_factory=class_row(Session)) as cursor:
        return cursor.execute(query.encode(), parameters).fetchall()


def end(connection: psycopg.Connection[Any], sessions: Sequence[Session], why: str) -> None:
    """End sessions, as far as we may."""
    for session in sessions:
        try:
            connection.execute("SELECT pg_terminate_backend(%s)", (session.pid,))
        except psycopg.errors.InsufficientPrivilege:
            continue
        log.warning("ended a session that %s: %s", why, str(session).partition(";")[0])


def await_unseen(connection: psycopg.Connection[Any], progress: Progress, what: str) -> None:
    """Wait until nothing sees what was deleted from the connected database so far, so that a vacuum removes it.

    `connection` is an autocommit one. Readers are ended after GRACE_SECONDS. Raises StillSeenError that names who is
    left after SNAPSHOT_PATIENCE_SECONDS.
    """
    row = connection.execute("SELECT pg_current_xact_id()::xid::text").fetchone()
    assert row  # a query without FROM has one row
    since = time.monotonic()
    while found := seeing(connection, row[0]):
        waited = time.monotonic() - since
        progress(int(waited), int(SNAPSHOT_PATIENCE_SECONDS), f"{what}, seconds of waiting for older transactions")
        if waited >= GRACE_SECONDS:
            end(connection, [session for session in found if session.is_reader], "still saw what is forgotten")
        if waited >= SNAPSHOT_PATIENCE_SECONDS:
            raise StillSeenError(
                f"{what}: rows are deleted, but older transactions still show them, so they are not gone from the "
                f"database's files: {'; '.join(map(str, found))}. Run the command again after that"
            )
        time.sleep(LOOK_EVERY_SECONDS)


@contextmanager
def bounded(url: str, connection: psycopg.Connection[Any], what: str) -> Iterator[None]:
    """Statements of the body on `connection` wait for other sessions' locks no longer than PATIENCE_SECONDS.

    Readers in the way are ended after GRACE_SECONDS. Raises DatabaseError that names who else is in the way. It looks
    from a connection of its own to `url`, opened once the body takes longer than a moment.
    """
    watch = _Watch(url, connection.info.backend_pid)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield
    except psycopg.errors.QueryCanceled:
        if not watch.in_the_way:
            raise
        raise DatabaseError(
            f"{what} has waited {PATIENCE_SECONDS:.0f} s for locks of other sessions, and was given up: "
            + "; ".join(map(str, watch.in_the_way))
            + ". Run the command again after that"
        ) from None
    finally:
        watch.ended.set()
        thread.join()


class _Watch:
    """Looks at what blocks one session until told that it is over."""

    def __init__(self, url: str, pid: int) -> None:
        self._url, self._pid = url, pid
        self.ended = threading.Event()
        self.in_the_way: Sequence[Session] = ()

    def run(self) -> None:
        if self.ended.wait(LOOK_EVERY_SECONDS):
            return  # the ordinary case: nothing waits, and nothing is asked
        try:
            with psycopg.connect(self._url, autocommit=True) as connection:
                self._look(connection)
        except psycopg.OperationalError:
            pass  # the server is gone, which the body is told as well

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        since: float | None = None
        while not self.ended.wait(LOOK_EVERY_SECONDS):
            found = blockers(connection, self._pid)
            if not found:
                since = None
                continue
            since = since or time.monotonic()
            waited = time.monotonic() - since
            if waited >= GRACE_SECONDS:
                end(connection, [session for session in found if session.is_reader], "held the platform up")
            if waited >= PATIENCE_SECONDS:
                self.in_the_way = found
                connection.execute("SELECT pg_cancel_backend(%s)", (self._pid,))
                return
