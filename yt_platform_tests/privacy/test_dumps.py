"""Rows out of real archives of pg_dump, some of them forged: here because pg_restore decides what it prints."""

import subprocess
from pathlib import Path

import psycopg
import pytest

from yt_platform.privacy.backup import libpq_environment
from yt_platform.privacy.dumps import Archive, DumpError
from yt_platform.warehouse.embedded.server import EmbeddedPostgres

TABLES = """
CREATE SCHEMA metrics;
CREATE TABLE metrics.a_child (id bigint PRIMARY KEY, parent_id bigint NOT NULL);
CREATE TABLE metrics.parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Odd ""name" text, at interval);
ALTER TABLE metrics.a_child ADD CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES metrics.parent;
CREATE TABLE metrics.none ();
"""
ODD = "tab\t, line\n, back\\slash, \\., \\N, ünïcode \U0001f600, \x01"
ROWS = [(1, "plain", None), (2, ODD, None), (3, None, None), (4, "long " * 1_000_000, None)]


@pytest.fixture
def archive(server: EmbeddedPostgres, database_url: str, tmp_path: Path) -> Archive:
    """Of a database with rows in every table, in which others have left code besides."""
    with psycopg.connect(database_url) as connection:
        connection.execute(TABLES)
        insert = 'INSERT INTO metrics.parent ("Odd ""name", at) VALUES (%s, %s)'
        connection.cursor().executemany(insert, [row[1:] for row in ROWS])
        connection.execute("INSERT INTO metrics.a_child VALUES (7, 2)")
        connection.execute("SELECT nextval(pg_get_serial_sequence('metrics.parent', 'id')) FROM generate_series(1, 5)")
        connection.execute(
            "CREATE FUNCTION metrics.evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''evil ran''; END'; "
            "CREATE TRIGGER evil BEFORE UPDATE ON metrics.parent EXECUTE FUNCTION metrics.evil(); "
            "CREATE VIEW metrics.evil_view AS SELECT 1 AS one; "
            "CREATE RULE evil AS ON DELETE TO metrics.parent DO INSTEAD NOTHING"
        )
    return dumped(server, database_url, tmp_path / "a.dump")


def dumped(server: EmbeddedPostgres, url: str, file: Path) -> Archive:
    """Not compressed, so that a test can forge its bytes."""
    environment = dict(libpq_environment(url))
    command = [server.bin_dir / "pg_dump", "--format=custom", "--compress=none", f"--file={file}"]
    subprocess.run(command, env=environment, check=True)
    return Archive(file, server.bin_dir / "pg_restore")


@pytest.fixture
def empty(archive: Archive, database_url: str) -> str:
    """The database again, with its tables alone and a row that the archive lacks."""
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP SCHEMA metrics CASCADE")
        connection.execute(TABLES)
        connection.execute("INSERT INTO metrics.parent (at) VALUES ('-1 day -1 hour')")
    return database_url


def rows(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT * FROM metrics.parent ORDER BY id").fetchall()


def forge(archive: Archive, before: bytes, after: bytes) -> None:
    """Put other bytes of the same length into the archive."""
    data = archive.file.read_bytes()
    assert data.count(before) == 1
    archive.file.write_bytes(data.replace(before, after.ljust(len(before))))


def test_rows_and_sequences_come_back_and_nothing_else(archive: Archive, empty: str) -> None:
    """Children come before their parents, as the archive has tables by name."""
    archive.load(empty)
    assert rows(empty) == ROWS
    with psycopg.connect(empty) as connection:
        added = connection.execute("INSERT INTO metrics.parent (at) VALUES (NULL) RETURNING id").fetchall()
        assert added == [(10,)]
        assert connection.execute("SELECT * FROM metrics.a_child").fetchall() == [(7, 2)]
        for catalogue, column in (("pg_proc", "proname"), ("pg_class", "relname"), ("pg_rewrite", "rulename")):
            assert not connection.execute(f"SELECT FROM {catalogue} WHERE {column} ~ '^evil'").fetchall(), catalogue
        assert not connection.execute("SELECT FROM pg_roles WHERE rolname ~ '^yt_restore'").fetchall()
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("INSERT INTO metrics.a_child VALUES (8, 99)")


def test_rows_are_copied_by_a_role_that_may_insert_alone(archive: Archive, empty: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute(
            "CREATE TABLE metrics.seen (who text, may_read boolean, super boolean); "
            "CREATE FUNCTION metrics.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO metrics.seen "
            "SELECT current_user, has_table_privilege('metrics.parent', 'SELECT'), rolsuper FROM pg_roles "
            "WHERE rolname = current_user; RETURN NULL; END $$; "
            "CREATE TRIGGER see AFTER INSERT ON metrics.parent EXECUTE FUNCTION metrics.see()"
        )
    archive.load(empty)
    with psycopg.connect(empty) as connection:
        ((who, may_read, is_super),) = connection.execute("SELECT * FROM metrics.seen").fetchall()
    assert who.startswith("yt_restore_")
    assert not may_read
    assert not is_super


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"COPY metrics.a_child (id, parent_id) FROM stdin;", b"COPY metrics.a_child FROM PROGRAM 'id>p'"),
        (b"COPY metrics.a_child (id, parent_id) FROM stdin;", b"DROP TABLE metrics.a_child;--"),
        (b"7\t2\n", b"\\.\n;"),  # the rows end here, and what follows would be SQL
    ],
)
def test_sql_in_an_archive_is_not_run(archive: Archive, empty: str, before: bytes, after: bytes) -> None:
    """pg_restore would run a program on the server, as the account that owns all its data."""
    kept = rows(empty)
    forge(archive, before, after)
    with pytest.raises(DumpError, match=r"a line that belongs to no row|cannot read|ends within"):
        archive.load(empty)
    assert rows(empty) == kept


@pytest.mark.parametrize("name", [b"pg_catalog.pg_authid", b"metrics.q_child"])
def test_rows_of_a_table_that_is_none_of_ours_are_refused(archive: Archive, empty: str, name: bytes) -> None:
    forge(archive, b"COPY metrics.a_child (id, parent_id) FROM stdin;", b"COPY " + name + b" (id) FROM stdin;\n--")
    with pytest.raises(DumpError, match="no table of this version"):
        archive.load(empty)


def test_what_is_no_archive_is_said(server: EmbeddedPostgres, empty: str, tmp_path: Path) -> None:
    (tmp_path / "b.dump").write_text("DROP TABLE metrics.parent;")
    with pytest.raises(DumpError, match="pg_restore cannot read"):
        Archive(tmp_path / "b.dump", server.bin_dir / "pg_restore").load(empty)
    assert len(rows(empty)) == 1


def test_the_versions_of_a_structure_are_read_and_not_loaded(
    server: EmbeddedPostgres, database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('abc')"
        )
    archive = dumped(server, database_url, tmp_path / "a.dump")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'def'")
    archive.load(database_url)
    assert archive.versions("alembic_version", "version_num") == {"abc"}
    assert archive.versions("_yoyo_migration", "migration_id") == frozenset()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("def",)]
