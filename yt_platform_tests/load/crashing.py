"""Commands as real processes, and stopping one where a test wants it: a locked table makes it wait there, with its
transaction open."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from yt_platform.warehouse.databases import DAGSTER, WAREHOUSE
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform_tests.conftest import REPOSITORY, free_port

WAIT_SECONDS = 300

RUNS = """
import sys
from datetime import date
from yt_platform.progress import silent
from yt_platform.orchestration.jobs import REFRESH
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Window
from yt_platform.local import Runs, collect, open_platform
from yt_platform.settings import load_settings

with open_platform(load_settings()) as platform:
    runs = Runs(platform, silent)
    match sys.argv[1:]:
        case ["collect"]:
            assert not collect(platform, runs)
        case [first, last]:
            runs.launch(REFRESH, Window(date.fromisoformat(first), date.fromisoformat(last)))
        case []:
            for window, tables in stale_ranges(platform.warehouse, platform.clock.now().date()):
                runs.launch(REFRESH, window, tables)
"""


def begun(home: Path, settings: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """A command on `home`, both outputs in one pipe. Not in the repository: a developer's .env is there."""
    return begun_python(home, settings, "-m", "yt_platform.cli", *arguments)


def begun_runs(home: Path, settings: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Runs as Dagster's processes make them, which wait for no turn: `collect`, a first and a last day, or what is
    stale."""
    return begun_python(home, settings, "-c", RUNS, *arguments)


def begun_python(home: Path, settings: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=home.parent,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "YT_HOME": str(home), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def completed(process: subprocess.Popen[str]) -> str:
    """What it printed; fails unless it succeeds."""
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


def begun_up(home: Path) -> tuple[subprocess.Popen[str], str]:
    """`yt-platform up` that serves, and what it printed until then."""
    up = begun(home, {"YT_WEBSERVER_PORT": str(free_port()), "YT_MLFLOW_PORT": str(free_port())}, "up")
    assert up.stdout
    said = ""
    for line in up.stdout:
        said += line
        if line.startswith("Open the UI"):
            break
    return up, said


def end(up: subprocess.Popen[str]) -> str:
    """End `up` as Ctrl-C does; what else it printed."""
    up.send_signal(signal.SIGINT)
    return completed(up)


def dagster_rows(home: Path, query: LiteralString) -> list[tuple[Any, ...]]:
    """Rows of Dagster's storage."""
    with psycopg.connect(EmbeddedPostgres(home).url(DAGSTER)) as connection:
        return connection.execute(query).fetchall()


@contextlib.contextmanager
def barred(home: Path, table: str) -> Iterator[psycopg.Connection]:
    """Writers of `table` wait, readers do not, until the block ends or its server does."""
    with psycopg.connect(EmbeddedPostgres(home).url(WAREHOUSE)) as connection:
        connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield connection
        connection.close()


def waiting(connection: psycopg.Connection, table: str) -> int:
    """How many sessions wait to write `table`."""
    row = connection.execute(
        "SELECT count(DISTINCT pid) FROM pg_locks WHERE relation = %s::regclass AND NOT granted", (table,)
    ).fetchone()
    assert row
    return int(row[0])


def until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Poll for a moment in the life of `process`; fails when it ends before, or never comes there."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        if process.poll() is not None:
            pytest.fail(f"ended before the moment to kill it:\n{process.communicate()[0]}")
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"never came to the moment to kill it:\n{process.communicate()[0]}")
        time.sleep(0.02)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
