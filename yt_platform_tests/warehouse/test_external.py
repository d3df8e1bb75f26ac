"""`YT_DATABASE_URL` against a PostgreSQL 15 of Debian's, with a role that has just the rights the documents ask for."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.warehouse import sessions
from yt_platform.warehouse.databases import DatabaseError, Databases
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.readers import Readers
from yt_platform_tests.conftest import REPOSITORY

PASSWORD = "owner's p@ss/word"


def _binaries() -> Path:
    """The newest PostgreSQL that Debian installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        reason = "no Debian postgresql; apt-get install postgresql to run this test"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found[-1].parent


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A cluster of its own, under the unprivileged account when run as root."""
    binaries = _binaries()
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="yt-external-", dir="/tmp"))  # tmp_path is closed to other accounts
    try:
        if account:
            shutil.chown(folder, "postgres", "postgres")
        data = folder / "data"

        def run(*command: str) -> None:
            subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **account)  # type: ignore[call-overload]

        run(f"{binaries}/initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(f"{binaries}/pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield port
        finally:
            run(f"{binaries}/pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def administer(port: int, *statements: str) -> None:
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def url(port: int, user: str, database: str) -> str:
    return f"postgresql://{user}:owner%27s%20p%40ss%2Fword@127.0.0.1:{port}/{database}"


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def test_creates_everything_with_createdb_and_createrole(port: int, tmp_path: Path) -> None:
    administer(port, f"CREATE ROLE owner LOGIN CREATEDB CREATEROLE PASSWORD {literal(PASSWORD)}")
    databases = Databases(tmp_path, url(port, "owner", "channels"))
    with databases.open() as urls:
        for _ in range(2):
            databases.create()
            migrate(urls.warehouse)
        with psycopg.connect(urls.reader) as connection:
            assert connection.execute("SELECT current_user, count(*) FROM bi.video_forecast").fetchone() == (
                "channels_reader",
                0,
            )
        for name, found in (("channels_dagster", urls.dagster), ("channels_mlflow", urls.mlflow)):
            with psycopg.connect(found) as connection:
                assert connection.info.dbname == name
    assert (tmp_path / "reader.pgpass").stat().st_mode & 0o777 == 0o600


def test_readers_are_limited_and_ended_as_far_as_createrole_goes(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a role without a superuser's rights cannot prevent is said."""
    monkeypatch.setattr(sessions, "GRACE_SECONDS", 0.2)
    administer(port, f"CREATE ROLE lender LOGIN CREATEDB CREATEROLE PASSWORD {literal(PASSWORD)}")
    databases = Databases(tmp_path, url(port, "lender", "lent"))
    with databases.open() as urls:
        databases.create()
        migrate(urls.warehouse)
        with psycopg.connect(urls.warehouse, autocommit=True) as connection:
            readers = Readers(connection, "lent", tmp_path)
            found = readers.shortfalls(["lent_dagster", "lent_mlflow", "postgres"])
            assert [shortfall.split(",")[0] for shortfall in found] == [
                "connect to database postgres",
                "take advisory locks",
                "fill the disk with temporary files: as a superuser run "
                "ALTER ROLE lent_reader SET temp_file_limit = '2GB'",
            ]
            reader = readers.add("anna")
            connection.execute("UPDATE ops.views SET file_sha256 = 'of an older version'")
            with psycopg.connect(databases.reader_url(reader)) as session:
                assert session.execute("SHOW statement_timeout").fetchone() == ("5min",)
                session.execute("SET idle_in_transaction_session_timeout = 0")
                session.execute("SELECT count(*) FROM bi.channel_overview")
                databases.create()
                migrate(urls.warehouse)
                with pytest.raises(psycopg.OperationalError):
                    session.execute("SELECT 1")
            readers.remove("anna")
            assert readers.added() == []


@pytest.mark.slow
def test_a_whole_run_up_to_forecasts_that_the_reader_sees(port: int, tmp_path: Path) -> None:
    """The run itself, as Dagster's and MLflow's own migrations must work there as well."""
    administer(port, f"CREATE ROLE runner LOGIN CREATEDB CREATEROLE PASSWORD {literal(PASSWORD)}")
    sample = generate(channels=4, videos=120, days=40)
    frames = ("snapshots", "videos", "channel_snapshots", "channels")
    write_sample(
        tmp_path / "in", replace(sample, **{name: getattr(sample, name).assign(source="t") for name in frames})
    )
    environment = {
        **os.environ,
        "YT_HOME": str(tmp_path / "home"),
        "YT_DATABASE_URL": url(port, "runner", "whole"),
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-m", "yt_platform.cli"]
    calls = [
        subprocess.run([*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        for arguments in (["run", "--history", str(tmp_path / "in")], ["status", "--json"], ["db", "url", "--reader"])
    ]
    assert [call.returncode for call in calls] == [0, 0, 0], [call.stdout + call.stderr for call in calls]
    assert "ss/word" not in "".join(call.stdout + call.stderr for call in calls[:2])
    with psycopg.connect(calls[2].stdout.strip()) as connection:
        row = connection.execute("SELECT count(*) FROM bi.video_forecast").fetchone()
    assert row == (json.loads(calls[1].stdout)["tables"]["predictions.video_forecast"],)
    assert row[0] > 300
    assert not (tmp_path / "home" / "postgres").exists()


def test_without_createrole_three_urls_do(port: int, tmp_path: Path) -> None:
    administer(
        port,
        f"CREATE ROLE plain LOGIN PASSWORD {literal(PASSWORD)}",
        *(f"CREATE DATABASE {name} OWNER plain" for name in ("w", "d", "m")),
    )
    databases = Databases(tmp_path, *(url(port, "plain", name) for name in ("w", "d", "m")))
    with databases.open() as urls:
        databases.create()
        migrate(urls.warehouse)
        assert urls.dagster.endswith("/d")
        with psycopg.connect(urls.warehouse) as connection:
            assert connection.execute("SELECT count(*) FROM metrics.videos").fetchone() == (0,)


def test_without_createdb_the_missing_right_is_named(port: int, tmp_path: Path) -> None:
    administer(port, f"CREATE ROLE poor LOGIN PASSWORD {literal(PASSWORD)}", "CREATE DATABASE poor OWNER poor")
    with pytest.raises(DatabaseError, match="poor_dagster does not exist and poor may not create it: grant CREATEDB"):
        Databases(tmp_path, url(port, "poor", "poor")).create()


def test_a_server_that_does_not_answer_is_named_without_the_password(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    with pytest.raises(DatabaseError, match="YT_DATABASE_URL cannot be reached") as raised:
        Databases(tmp_path, url(closed, "owner", "channels")).create()
    assert "ss/word" not in str(raised.value)
    assert "ss%2Fword" not in str(raised.value)
