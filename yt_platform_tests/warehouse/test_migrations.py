"""A migration of tables that hold rows, against a real Postgres: what was there must come out labelled and whole."""

from typing import LiteralString

import psycopg
import pytest

from yt_platform.io.migrations import SQL_FOLDER

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


def _apply(connection: psycopg.Connection, name: str) -> None:
    connection.execute((SQL_FOLDER / "migrations" / f"{name}.sql").read_bytes())
