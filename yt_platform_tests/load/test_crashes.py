"""`yt-platform run` killed at chosen moments, and run again: the rows must be those of a run that nothing disturbed.

At this level because only a real `kill -9` skips every handler, and only real processes leave sessions, leases and
half-written transactions behind. A test stops a run where it wants it by locking a table: the run waits to write
there, with everything before that written and its own transaction open, until it is killed.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import psutil
import psycopg
import pytest

from yt_platform.catalog import TABLES
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.warehouse.databases import WAREHOUSE
from yt_platform.warehouse.embedded.server import EmbeddedPostgres, EmbeddedPostgresError
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.conftest import made_once, reachable_folder
from yt_platform_tests.load.crashing import (
    barred,
    begun,
    begun_up,
    completed,
    dagster_rows,
    end,
    kill,
    until,
    waiting,
)
from yt_platform_tests.warehouse_state import fingerprint

pytestmark = pytest.mark.slow

# Beside the tables with a contract: what was imported, refused and booked, without run ids, times and serial numbers.
# What follows from a model is booked under its version, and a materialised view under the time of its tables' loads.
VERSION = "CASE WHEN table_name !~ '^(predictions|bi)[.]' AND table_name <> 'ops.drift' THEN input_version END"
BOOKS = {
    "raw.imports": ["import_id", "row_count", "reject_count"],
    "raw.batches": ["endpoint", "partition_day", "path", "sha256", "row_count"],
    "ops.quarantine": ["table_name", "partition_day", "origin", "reason", "record"],
    "ops.loads": ["table_name", "partition_day", VERSION, "row_count"],
    "ops.clock": ["simulated_at"],
}

EMPTY = hashlib.md5(b"").hexdigest()
"""The hash of a table without rows."""


@dataclass(frozen=True)
class Home:
    """A YT_HOME with the sample it is to import, and the state after a run of that sample which nothing disturbed."""

    path: Path
    sample: Path
    undisturbed: Mapping[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        # the quickest candidate: a crash is the same whatever is trained, and the whole set takes half of a run
        return begun(self.path, {"YT_CANDIDATES": "lightgbm"}, *arguments)

    def run(self) -> subprocess.Popen[str]:
        return self.command("run", "--history", str(self.sample))

    def complete(self) -> None:
        completed(self.run())

    def state(self) -> dict[str, str]:
        """Hashes of all rows. Without model versions: a killed training has used one up, and the next takes another."""
        with EmbeddedPostgres(self.path) as server:
            warehouse = Warehouse(server.url(WAREHOUSE))
            columns = {
                name: [column for column in table.column_names if column != "model_version"]
                for name, table in TABLES.items()
            }
            return {name: fingerprint(warehouse, name, chosen) for name, chosen in (columns | BOOKS).items()}


@contextlib.contextmanager
def run_held_at(home: Home, table: str) -> Iterator[subprocess.Popen[str]]:
    """A run of `home` that waits to write `table`."""
    process = home.run()
    until(lambda: has_its_turn(home), process)
    with barred(home.path, table) as connection:
        until(lambda: waiting(connection, table) > 0, process)
        yield process


def has_its_turn(home: Home) -> bool:
    """Whether a run is past the migrations, which comment on every table, and has written nothing."""
    try:
        with psycopg.connect(EmbeddedPostgres(home.path).url(WAREHOUSE)) as connection:
            turn = "SELECT FROM pg_locks WHERE relation = 'ops.turn'::regclass AND mode = 'ExclusiveLock'"
            return connection.execute(turn).rowcount > 0
    except (EmbeddedPostgresError, psycopg.OperationalError):  # its server is starting
        return False


def home_to_import(days: int, migrated_home: Path, shared_folder: Path) -> Home:
    """A home with empty databases, so that there are tables to lock before the first run."""

    def write(folder: Path) -> None:
        """As if a collector had made it: data labelled synthetic is thrown away and imported anew."""
        # Of seed 3 and 40 days LightGBM alone becomes champion (p = 0.006 against naive), so that there are forecasts.
        sample = generate(seed=3, channels=4, videos=120, days=days, last_day=date(2026, 3, 1))
        frames = ("snapshots", "videos", "channel_snapshots", "channels")
        write_sample(folder, replace(sample, **{name: getattr(sample, name).assign(source="test") for name in frames}))

    def run(told: Path) -> None:
        with reachable_folder() as folder:
            home = Home(folder / "home", sample)
            home.complete()
            told.write_text(json.dumps(home.state()))

    sample = made_once(shared_folder / f"sample-of-{days}-days", write)
    undisturbed = json.loads(made_once(shared_folder / f"run-of-{days}-days", run).read_text())
    return Home(migrated_home, sample, undisturbed)


@pytest.fixture
def home(migrated_home: Path, shared_folder: Path) -> Iterator[Home]:
    """Its sample is too short to train on: for crashes that come before a training, or do not depend on one."""
    yield home_to_import(14, migrated_home, shared_folder)
    EmbeddedPostgres(migrated_home).stop()


@pytest.fixture
def training_home(migrated_home: Path, shared_folder: Path) -> Iterator[Home]:
    """A run of its sample ends with forecasts."""
    home = home_to_import(40, migrated_home, shared_folder)
    assert home.undisturbed["predictions.video_forecast"] != EMPTY
    yield home
    EmbeddedPostgres(migrated_home).stop()


@pytest.mark.parametrize(
    "table",
    [
        "raw.imports",  # batches are stored and none is in the catalogue
        "metrics.video_snapshots",  # nothing is loaded
        "ops.loads",  # rows are written and their books are not
        "metrics.video_daily",
        "features.video_day",
    ],
)
def test_a_killed_run_is_completed_by_the_next(home: Home, table: str) -> None:
    killed_and_completed(home, table)


@pytest.mark.parametrize(
    "table",
    [
        "models.scorecards",  # the model is registered, and nobody's champion
        "predictions.video_forecast",
    ],
)
def test_a_run_killed_after_its_training_is_completed_by_the_next(training_home: Home, table: str) -> None:
    killed_and_completed(training_home, table)


def killed_and_completed(home: Home, table: str) -> None:
    # this lease keeps the server up beside the killed client; the next run starts it anew
    with EmbeddedPostgres(home.path), run_held_at(home, table) as process:
        kill(process)
    home.complete()
    assert home.state() == home.undisturbed


def test_a_run_killed_without_warning_leaves_no_server_that_disturbs(home: Home) -> None:
    """No lease but the run's: the server, left alone, may be stopping while the next run starts."""
    process = home.run()
    until(lambda: any((home.path / "raw").rglob("*.parquet")), process)  # the import has begun
    kill(process)
    home.complete()
    assert home.state() == home.undisturbed


def test_a_run_whose_server_goes_says_so_and_the_next_goes_on(training_home: Home) -> None:
    """In every layer, one after the other; killed, and once stopped as an administrator does."""
    home = training_home
    ends = {
        "raw.imports": signal.SIGKILL,
        "metrics.video_snapshots": signal.SIGINT,  # PostgreSQL's fast shutdown
        "metrics.video_daily": signal.SIGKILL,
        "features.video_day": signal.SIGKILL,
        "models.scorecards": signal.SIGKILL,
        "predictions.video_forecast": signal.SIGKILL,
    }
    with EmbeddedPostgres(home.path):
        for table, number in ends.items():
            with run_held_at(home, table) as process:
                os.kill(postmaster(home), number)
                output, _ = process.communicate()
            assert process.returncode == 1, output
            # Dagster says on its own account which events it could not store, with what they hold
            _, found, error = output.rpartition("error: ")
            assert found, output
            assert "Traceback" not in error
        home.complete()
        assert Counter(run_statuses(home))["FAILURE"] == len(ends)
        assert set(run_statuses(home)) == {"FAILURE", "SUCCESS"}
    assert home.state() == home.undisturbed


def postmaster(home: Home) -> int:
    with psycopg.connect(EmbeddedPostgres(home.path).url(WAREHOUSE)) as connection:
        return psutil.Process(connection.info.backend_pid).ppid()


def test_up_fails_an_orphaned_run_and_leaves_a_live_one_alone(home: Home) -> None:
    with EmbeddedPostgres(home.path):
        with run_held_at(home, "metrics.video_daily") as orphan:
            kill(orphan)
        assert "1 runs were under way when their process ended" in up_and_down(home)
        assert run_statuses(home) == ["SUCCESS", "FAILURE"]  # the import, the killed refresh
        with barred(home.path, "ops.loads") as connection:
            live = home.run()
            until(lambda: waiting(connection, "ops.loads") > 0, live)
            assert "runs were under way" not in up_and_down(home)
            assert run_statuses(home) == ["SUCCESS", "FAILURE", "STARTED"]
        completed(live)
        assert run_statuses(home)[:3] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert home.state() == home.undisturbed


def test_run_fails_an_orphaned_run(home: Home) -> None:
    with EmbeddedPostgres(home.path):
        with run_held_at(home, "metrics.video_daily") as orphan:
            kill(orphan)
        home.complete()
        assert run_statuses(home)[:3] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert home.state() == home.undisturbed


def up_and_down(home: Home) -> str:
    """What `yt-platform up` prints until it serves, stopped then as Ctrl-C does."""
    up, said = begun_up(home.path)
    return said + end(up)


def run_statuses(home: Home) -> list[str]:
    """Statuses of Dagster's runs, oldest first."""
    return [status for (status,) in dagster_rows(home.path, "SELECT status FROM runs ORDER BY id")]


def test_two_runs_at_once_on_one_home(training_home: Home) -> None:
    """They train one model."""
    processes = [training_home.run(), training_home.run()]
    for process in processes:
        completed(process)
    assert training_home.state() == training_home.undisturbed
