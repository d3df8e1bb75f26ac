"""Stopping a process where a test wants it: a locked table makes it wait there, with its transaction open."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from yt_platform.io.databases import WAREHOUSE
from yt_platform.io.embedded import EmbeddedPostgres

WAIT_SECONDS = 120


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
