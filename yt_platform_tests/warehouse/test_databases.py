"""The three databases and the reader's rights, on the embedded server and on a PostgreSQL of another make."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from yt_platform.warehouse.databases import DatabaseError, Databases, sqlalchemy_url, with_database
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.migrations import migrate
from yt_platform_tests.conftest import reachable_folder


@pytest.fixture
def embedded() -> Iterator[Databases]:
    with reachable_folder() as folder:
        yield Databases(folder / "a home")


def test_created_and_migrated_twice_alike(embedded: Databases) -> None:
    with embedded.open() as urls:
        for _ in range(2):
            embedded.create()
            migrate(urls.warehouse)
        with psycopg.connect(urls.warehouse) as connection:
            assert connection.execute("SELECT count(*) FROM metrics.videos").fetchone() == (0,)
        for url in (urls.dagster, urls.mlflow):
            psycopg.connect(url).close()


READER_MAY_NOT = (
    "SELECT * FROM metrics.videos",
    "SELECT * FROM raw.batches",
    "SELECT * FROM ops.quarantine",
    "SELECT ops.ensure_month('metrics.video_snapshots', '2026-01-01')",
    "CREATE TABLE public.mine (a int)",
    "CREATE TABLE bi.mine (a int)",
    "CREATE TEMPORARY TABLE mine (a int)",
    "DELETE FROM metrics.videos",
    "SET ROLE youtube",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_advisory_lock(hashtext('yt_platform.migrate'))",  # would stop every command
    "SELECT lo_create(4242)",  # would fill the disk
    "SELECT lo_from_bytea(0, 'x')",
)


def test_the_reader_reads_bi_and_nothing_else(embedded: Databases) -> None:
    with embedded.open() as urls:
        embedded.create()
        migrate(urls.warehouse)
        with psycopg.connect(urls.warehouse) as connection:
            found = (
                "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'bi'::regnamespace AND relkind <> 'i'"
            )
            views = [name for (name,) in connection.execute(found)]
        assert {"bi.video_forecast", "bi.channel_overview", "bi.alerts"} <= {*views}
        with psycopg.connect(urls.reader) as connection:
            for view in views:
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*view.split("."))))
        # read-only is a convenience that a session can switch off; what holds are the rights
        for statement in READER_MAY_NOT:
            with psycopg.connect(urls.reader, options="-c default_transaction_read_only=off") as connection:
                with pytest.raises(psycopg.Error, match=r"permission denied|must be"):
                    connection.execute(sql.SQL(statement))
                connection.rollback()
        for database in ("dagster", "mlflow", "postgres"):
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(with_database(urls.reader, database))


def test_passwords_are_in_no_url(embedded: Databases) -> None:
    with embedded.open() as urls:
        for url in (urls.warehouse, urls.dagster, urls.mlflow, urls.reader, sqlalchemy_url(urls.dagster)):
            assert "passfile=" in url
            assert ":@" not in url
            assert psycopg.conninfo.conninfo_to_dict(url.replace("+psycopg2", "")).get("password") is None


def test_a_wrong_password_is_told_without_it(server: EmbeddedPostgres, tmp_path: Path) -> None:
    url = server.url("postgres").partition("?")[0].replace("youtube@", "youtube:not-the-one@")
    with pytest.raises(DatabaseError, match="password authentication failed") as raised:
        Databases(tmp_path, url).create()
    assert "user and password in the URL" in str(raised.value)
    assert "not-the-one" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40ss@h:1/d?sslmode=require", "postgresql+psycopg2://u:p%40ss@h:1/d?sslmode=require"),
        ("postgres://u@h/d", "postgresql+psycopg2://u@h/d"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg2://u@h/d"),
    ],
)
def test_urls_for_sqlalchemy(url: str, expected: str) -> None:
    """dagster-postgres fails at run time with the psycopg 3 that SQLAlchemy 2.1 reads postgresql:// as."""
    assert sqlalchemy_url(url) == expected
