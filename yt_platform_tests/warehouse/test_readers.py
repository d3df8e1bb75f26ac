"""Readers and the platform on one real PostgreSQL: what readers may not do, and that none holds the platform up.

At this level because rights, locks and limits are the server's to keep.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from yt_platform.warehouse import sessions
from yt_platform.warehouse.databases import Databases, database_name, with_database
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.readers import ReaderNameError, Readers
from yt_platform.warehouse.sessions import DatabaseError, blockers, bounded, seeing


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(sessions, "PATIENCE_SECONDS", 2)


class Platform:
    """The databases of one platform on the shared server, as one on a server of the user's own."""

    def __init__(self, home: Path, server: EmbeddedPostgres) -> None:
        self.name = f"readers_{uuid4().hex[:8]}"
        self.databases = Databases(home, with_database(server.url("postgres"), self.name))
        self.urls = self.databases.urls()
        self.start()

    def start(self) -> None:
        """What every command does first."""
        self.databases.create()
        migrate(self.urls.warehouse)

    def execute(self, *statements: LiteralString) -> None:
        with psycopg.connect(self.urls.warehouse, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="module")
def platform(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(tmp_path_factory.mktemp("home"), server)
    yield made
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in (made.name, f"{made.name}_dagster", f"{made.name}_mlflow"):
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute("SET client_min_messages = error")
        for role in (f"{made.name}_reader", f"{made.name}_readers"):
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def readers(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    with psycopg.connect(platform.urls.warehouse, autocommit=True) as connection:
        yield Readers(connection, platform.name, platform.databases.home)


def reading(platform: Platform, url: str | None = None) -> psycopg.Connection:
    """A reader who has read a view and left the transaction open."""
    connection = psycopg.connect(url or platform.urls.reader)
    connection.execute("SELECT count(*) FROM bi.channel_overview")
    return connection


def test_a_command_starts_beside_an_idle_reader_who_stays(platform: Platform) -> None:
    """Views were replaced at every start: one reader in a transaction stopped every command for ever."""
    with reading(platform) as reader:
        platform.start()
        assert reader.execute("SELECT 1").fetchone() == (1,)


def test_a_view_that_somebody_changed_or_dropped_is_made_anew(platform: Platform) -> None:
    platform.execute("DROP VIEW bi.alerts", "ALTER VIEW bi.lost_videos RENAME TO mislaid")
    with psycopg.connect(platform.urls.warehouse) as connection:
        before = connection.execute("SELECT definition_md5 FROM ops.views WHERE name = 'bi.alerts'").fetchone()
    platform.start()
    with psycopg.connect(platform.urls.reader) as reader:
        for view in ("bi.alerts", "bi.lost_videos"):
            reader.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*view.split("."))))
    platform.execute("DROP VIEW bi.mislaid")
    with psycopg.connect(platform.urls.warehouse) as connection:
        assert connection.execute("SELECT definition_md5 FROM ops.views WHERE name = 'bi.alerts'").fetchone() == before


def test_a_view_whose_file_changed_is_made_anew_and_a_reader_in_the_way_is_ended(platform: Platform) -> None:
    platform.execute("UPDATE ops.views SET file_sha256 = 'of an older version' WHERE name = 'bi.channel_overview'")
    with psycopg.connect(platform.urls.reader) as reader:
        reader.execute("SET SESSION idle_in_transaction_session_timeout = 0")
        reader.execute("SELECT count(*) FROM bi.channel_overview")
        platform.start()
        with pytest.raises(psycopg.OperationalError):
            reader.execute("SELECT 1")


def test_who_is_in_the_way_and_no_reader_is_named_and_left_alone(platform: Platform) -> None:
    url = platform.urls.warehouse
    with psycopg.connect(url, application_name="someone's report") as other, psycopg.connect(url) as ours:
        other.execute("LOCK TABLE metrics.videos")
        with pytest.raises(DatabaseError) as raised, bounded(url, ours, "the test"):
            ours.execute("SELECT count(*) FROM metrics.videos")
        for part in (
            "the test has waited 2 s",
            f"process {other.info.backend_pid}",
            "role youtube",
            "application someone's report",
            "idle in transaction",
            "query began 20",
            f"end it with: SELECT pg_terminate_backend({other.info.backend_pid})",
        ):
            assert part in str(raised.value)
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_that_waits_for_nobody_may_take_its_time(platform: Platform) -> None:
    url = platform.urls.warehouse
    with psycopg.connect(url) as ours, bounded(url, ours, "the test"):
        ours.execute("SELECT pg_sleep(3)")


CHANGES: list[LiteralString] = [
    "ALTER ROLE CURRENT_USER PASSWORD 'known to others'",
    "ALTER ROLE CURRENT_USER SET statement_timeout = 0",
    "ALTER ROLE CURRENT_USER SET work_mem = '1GB'",
    "ALTER ROLE CURRENT_USER RESET ALL",
]


def test_what_a_reader_changes_of_itself_is_put_back_by_the_next_command(platform: Platform) -> None:
    """PostgreSQL lets every role change its own password and settings."""
    in_database = sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET statement_timeout = 0")
    with psycopg.connect(platform.urls.reader) as reader:
        before = limits(reader)
        assert before["statement_timeout"] == "5min"
        assert before["idle_in_transaction_session_timeout"] == "1min"
        assert before["temp_file_limit"] == "2GB"
        for change in [*map(sql.SQL, CHANGES), in_database.format(sql.Identifier(platform.name))]:
            reader.execute("SET default_transaction_read_only = off")
            reader.commit()
            reader.execute(change)
            reader.commit()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(platform.urls.reader)
    platform.start()
    with psycopg.connect(platform.urls.reader) as reader:
        assert limits(reader) == before
    with psycopg.connect(platform.urls.warehouse) as connection:
        kept = "SELECT setting FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setrole = %s::regrole"
        found = [setting for (setting,) in connection.execute(kept, (f"{platform.name}_reader",))]
    assert not [setting for setting in found if "work_mem" in setting or setting.endswith("=0")]


def limits(reader: psycopg.Connection) -> dict[str, str]:
    names = (
        "default_transaction_read_only",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_timeout",
        "lock_timeout",
        "temp_file_limit",
        "work_mem",
    )
    rows = reader.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", (list(names),))
    return dict(rows.fetchall())


def test_a_reader_that_holds_its_own_role_does_not_stop_a_command(platform: Platform) -> None:
    """ALTER ROLE in an open transaction locks the row that the next command writes."""
    with psycopg.connect(platform.urls.reader) as reader:
        reader.execute("SET SESSION default_transaction_read_only = off")
        reader.commit()
        reader.execute("ALTER ROLE CURRENT_USER PASSWORD 'x'")
        platform.start()
        with pytest.raises(psycopg.OperationalError):
            reader.execute("SELECT 1")


def test_rights_that_are_none_of_a_readers_are_taken_back(platform: Platform) -> None:
    role = f"{platform.name}_reader"
    with psycopg.connect(platform.urls.warehouse, autocommit=True) as connection:
        connection.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(sql.Identifier(role)))
        connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC")
    platform.start()
    for statement in (
        "SELECT * FROM metrics.videos",
        "CREATE TABLE public.mine (a int)",
        "SELECT pg_notify('a', 'b')",
        "SELECT pg_logical_emit_message(false, 'a', 'b')",
    ):
        with (
            psycopg.connect(platform.urls.reader, options="-c default_transaction_read_only=off") as reader,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            reader.execute(sql.SQL(statement))


def test_every_reader_has_a_role_and_a_password_of_its_own(platform: Platform, readers: Readers) -> None:
    anna, tool = readers.add("anna"), readers.add("tool_2")
    try:
        assert anna.passfile.stat().st_mode & 0o777 == 0o600
        assert anna.passfile.read_text() != tool.passfile.read_text()
        with reading(platform, platform.databases.reader_url(anna)) as session:
            assert session.execute("SELECT current_user").fetchone() == (f"{platform.name}_reader_anna",)
            assert limits(session)["temp_file_limit"] == "2GB"
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("SELECT * FROM metrics.videos")
            session.rollback()
            assert [(found.name, found.sessions) for found in readers.added()] == [("anna", 1), ("tool_2", 0)]
            session.execute("SELECT count(*) FROM bi.channel_overview")
            readers.remove("anna")
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        assert not anna.passfile.exists()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(platform.databases.reader_url(anna))
        reading(platform, platform.databases.reader_url(tool)).close()
    finally:
        for found in readers.added():
            readers.remove(found.name)
    assert readers.added() == []


@pytest.mark.parametrize("name", ["", "Anna", "a;b", "1st", "x" * 25, "a-b", "ä", 'a"b'])
def test_a_name_that_no_role_should_have_is_refused(readers: Readers, name: str) -> None:
    with pytest.raises(ReaderNameError, match="cannot be the name of a reader"):
        readers.add(name)


def test_a_name_is_given_once_and_an_unknown_one_is_named(readers: Readers) -> None:
    readers.add("anna")
    try:
        with pytest.raises(ReaderNameError, match="there is a reader anna already"):
            readers.add("anna")
        with pytest.raises(ReaderNameError, match="there is no reader bob; there are: anna"):
            readers.remove("bob")
    finally:
        readers.remove("anna")


def test_a_reader_that_a_person_changed_works_again_after_the_next_command(
    platform: Platform, readers: Readers
) -> None:
    anna = readers.add("anna")
    try:
        with psycopg.connect(
            platform.databases.reader_url(anna), options="-c default_transaction_read_only=off"
        ) as own:
            own.execute("ALTER ROLE CURRENT_USER PASSWORD 'known to others'")
        platform.start()
        reading(platform, platform.databases.reader_url(anna)).close()
    finally:
        readers.remove("anna")


def connect_until_refused(url: str, held: ExitStack) -> None:
    for _ in range(120):
        held.enter_context(psycopg.connect(url))


def test_readers_leave_connections_free_for_the_platform(server: EmbeddedPostgres) -> None:
    """Limits of one reader do not add up: enough readers could take every connection of the server."""
    role = f"many_{uuid4().hex[:8]}"
    own = server.url("postgres")
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'of a test'").format(sql.Identifier(role)))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE postgres TO {}").format(sql.Identifier(role)))
        theirs = f"postgresql://{role}:of%20a%20test@127.0.0.1:{connection.info.port}/postgres"
        try:
            with ExitStack() as held:
                with pytest.raises(psycopg.OperationalError, match="reserved for roles with the SUPERUSER attribute"):
                    connect_until_refused(theirs, held)
                platform = [held.enter_context(psycopg.connect(own)) for _ in range(40)]
                assert platform[-1].execute("SELECT 1").fetchone() == (1,)
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_older_transactions_of_every_kind_are_seen(platform: Platform) -> None:
    """What still shows deleted rows: an old snapshot does, whether it has read the table or not; an idle session and a
    transaction that began later do not."""
    url = platform.urls.warehouse
    with (
        psycopg.connect(url, autocommit=True) as ours,
        psycopg.connect(platform.urls.reader, options="-c default_transaction_isolation=serializable") as old,
        psycopg.connect(url, autocommit=True) as idle,
        psycopg.connect(url) as later,
    ):
        old.execute("SELECT 1")
        idle.execute("SELECT 1")
        ours.execute("SELECT pg_current_xact_id()")  # in place of a deletion, which `old` does not know of
        horizon = ours.execute("SELECT pg_current_xact_id()::xid::text").fetchone()
        assert horizon
        later.execute("SELECT pg_current_xact_id()")
        found = seeing(ours, horizon[0])
        assert [(session.pid, session.is_reader) for session in found] == [(old.info.backend_pid, True)]
        old.rollback()
        assert seeing(ours, horizon[0]) == []


def test_the_platforms_own_sessions_are_no_readers(platform: Platform) -> None:
    url = platform.urls.warehouse
    with ThreadPoolExecutor(1) as threads, psycopg.connect(url) as holder, psycopg.connect(url) as waiter:
        holder.execute("LOCK TABLE ops.turn IN EXCLUSIVE MODE")
        waiting = threads.submit(waiter.execute, "LOCK TABLE ops.turn IN EXCLUSIVE MODE")
        with psycopg.connect(url, autocommit=True) as looking:
            while not (found := blockers(looking, waiter.info.backend_pid)):
                time.sleep(0.05)
        holding = holder.info.backend_pid
        holder.rollback()
        waiting.result(30)
    assert [(session.pid, session.is_reader) for session in found] == [(holding, False)]
    assert database_name(url) == found[0].database
