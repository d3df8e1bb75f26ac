"""Migrations against a real Postgres: rows that were there come out labelled and whole, interrupted ones are repeated,
and what is in their way is named."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import psycopg
import pytest

from yt_platform.warehouse import sessions
from yt_platform.warehouse.databases import DatabaseError
from yt_platform.warehouse.migrations import SQL_FOLDER, migrate, migrate_to

INSERTS: dict[str, LiteralString] = {
    "metrics.video_snapshots": (
        "INSERT INTO metrics.video_snapshots (source, video_id, region, collected_at, view_count, likes_known, "
        "comments_known, view_definition, run_id, loaded_at) "
        "VALUES ('test', %(id)s, '', '2026-01-02', 5, false, false, 'legacy', gen_random_uuid(), now())"
    ),
    "metrics.channel_snapshots": (
        "INSERT INTO metrics.channel_snapshots (source, channel_id, collected_at, view_definition, run_id, loaded_at) "
        "VALUES ('test', %(id)s, '2026-01-02', 'legacy', gen_random_uuid(), now())"
    ),
    "metrics.videos": (
        "INSERT INTO metrics.videos (video_id, collected_at, source, run_id, loaded_at) "
        "VALUES (%(id)s, '2026-01-02', 'test', gen_random_uuid(), now())"
    ),
    "metrics.video_versions": (
        "INSERT INTO metrics.video_versions (video_id, collected_at, source, run_id, loaded_at) "
        "VALUES (%(id)s, '2026-01-02', 'test', gen_random_uuid(), now())"
    ),
    "metrics.channels": (
        "INSERT INTO metrics.channels (channel_id, collected_at, source, is_complete, run_id, loaded_at) "
        "VALUES (%(id)s, '2026-01-02', 'test', true, gen_random_uuid(), now())"
    ),
}


def test_rows_from_before_collection_are_imports_confirmed_when_collected(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for name in ("0001_schemas", "0002_tables"):
            _apply(connection, name)
        for table in ("metrics.video_snapshots", "metrics.channel_snapshots"):
            connection.execute("SELECT ops.ensure_month(%s::regclass, '2026-01-01')", (table,))
        for insert in INSERTS.values():
            connection.execute(insert, {"id": "old"})
        _apply(connection, "0003_collection_metrics")
        for table, insert in INSERTS.items():
            query = f"SELECT access, refreshed_at = collected_at FROM {table}"
            assert connection.execute(query.encode()).fetchall() == [("import", True)], table
            with pytest.raises(psycopg.errors.NotNullViolation), connection.transaction():
                connection.execute(insert, {"id": "new, but not labelled"})


BEFORE = {"0001_schemas", "0002_tables"}


@pytest.mark.parametrize(
    "blocked",
    [
        pytest.param("metrics.video_snapshots", id="in the middle of a file"),
        pytest.param("_yoyo_migration", id="before a file is recorded as applied"),
    ],
)
def test_an_interrupted_migration_is_repeated(database_url: str, blocked: LiteralString) -> None:
    migrate_to(database_url, BEFORE)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url) as other:
        other.execute(f"LOCK TABLE {blocked} IN SHARE MODE")
        migration = pool.submit(migrate, database_url)
        with psycopg.connect(database_url, autocommit=True) as watching:
            _end_what_waits(watching)
        assert isinstance(migration.exception(30), psycopg.OperationalError)
        other.rollback()
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        applied = {name for (name,) in connection.execute("SELECT migration_id FROM _yoyo_migration")}
    assert applied == {file.stem for file in (SQL_FOLDER / "migrations").glob("*.sql")}


def test_a_lock_that_a_killed_process_left_is_nobodys(database_url: str) -> None:
    migrate_to(database_url, BEFORE)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4242)")
    migrate(database_url)


def test_who_is_in_the_way_of_a_file_is_named(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE_SECONDS", 0.2)
    migrate_to(database_url, BEFORE)
    # ends by itself, so that a migration that waits on fails this test and does not hang it
    options = "-c idle_in_transaction_session_timeout=60s"
    with psycopg.connect(database_url, options=options, application_name="somebody's report") as other:
        other.execute("SELECT * FROM metrics.video_snapshots")
        with pytest.raises(DatabaseError, match="somebody's report"):
            migrate(database_url)
    migrate(database_url)


def _end_what_waits(connection: psycopg.Connection) -> None:
    """End the session that waits for a table's lock, as the server does with that of a client that was killed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks "
            "WHERE NOT granted AND locktype = 'relation' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        if ended.rowcount:
            return
        time.sleep(0.02)
    raise AssertionError("nothing waited for a lock")


def _apply(connection: psycopg.Connection, name: str) -> None:
    connection.execute((SQL_FOLDER / "migrations" / f"{name}.sql").read_bytes())
