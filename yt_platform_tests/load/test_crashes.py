"""`yt-platform run` killed at chosen moments, and run again: the rows must be those of a run that nothing disturbed.

At this level because only a real `kill -9` skips every handler, and only real processes leave sessions, leases and
half-written transactions behind. A test stops a run where it wants it by locking a table: the run waits to write
there, with everything before that written and its own transaction open, until it is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import psutil
import psycopg
import pytest

from yt_platform.core.sample import generate
from yt_platform.core.schemas import TABLES
from yt_platform.io.databases import DAGSTER, WAREHOUSE
from yt_platform.io.embedded import EmbeddedPostgres
from yt_platform.io.sample import write_sample
from yt_platform.io.warehouse import Warehouse
from yt_platform_tests.conftest import REPOSITORY, free_port, reachable_folder
from yt_platform_tests.load.crashing import barred, kill, until, waiting
from yt_platform_tests.warehouse_state import fingerprint

pytestmark = pytest.mark.slow

# Beside the tables with a contract: what was imported, refused and booked, without run ids, times and serial numbers.
# What follows from a model is booked under its version.
VERSION = "CASE WHEN table_name NOT LIKE 'predictions.%' AND table_name <> 'ops.drift' THEN input_version END"
BOOKS = {
    "raw.imports": ["import_id", "row_count", "reject_count"],
    "raw.batches": ["endpoint", "partition_day", "path", "sha256", "row_count"],
    "ops.quarantine": ["table_name", "partition_day", "origin", "reason", "record"],
    "ops.loads": ["table_name", "partition_day", VERSION, "row_count"],
    "ops.clock": ["simulated_at"],
}


@dataclass(frozen=True)
class Home:
    """A YT_HOME with the sample it is to import."""

    path: Path
    sample: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "YT_HOME": str(self.path), "PYTHONPATH": str(REPOSITORY)}

    def run(self) -> subprocess.Popen[str]:
        """`yt-platform run` begun, both outputs in one pipe. Not in the repository: a developer's .env is there."""
        return subprocess.Popen(
            [sys.executable, "-m", "yt_platform.cli", "run", "--history", str(self.sample)],
            cwd=self.path.parent,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def complete(self) -> None:
        process = self.run()
        output, _ = process.communicate()
        assert process.returncode == 0, output

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
    """A first run of `home` that waits to write `table`.

    The table is locked once the import has begun: migrations, which comment on every table, are over by then.
    """
    process = home.run()
    until(lambda: import_begun(home), process)
    with barred(home.path, table) as connection:
        until(lambda: waiting(connection, table) > 0, process)
        yield process


def import_begun(home: Home) -> bool:
    return any((home.path / "raw").rglob("*.parquet"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as if a collector had made it: data labelled synthetic is thrown away and imported anew."""
    folder = tmp_path_factory.mktemp("sample") / "sample"
    sample = generate(channels=4, videos=120, days=40, last_day=date(2026, 3, 1))
    frames = ("snapshots", "videos", "channel_snapshots", "channels")
    write_sample(folder, replace(sample, **{name: getattr(sample, name).assign(source="test") for name in frames}))
    return folder


@pytest.fixture(scope="module")
def undisturbed(sample: Path) -> dict[str, str]:
    """The state after one run that nothing disturbed."""
    with reachable_folder() as folder:
        home = Home(folder / "home", sample)
        home.complete()
        return home.state()


@pytest.fixture
def home(sample: Path) -> Iterator[Home]:
    """A home with empty databases, so that there are tables to lock before the first run."""
    with reachable_folder() as folder:
        home = Home(folder / "home", sample)
        command = [sys.executable, "-m", "yt_platform.cli", "migrate"]
        subprocess.run(command, cwd=folder, env=home.environment, check=True, capture_output=True)
        yield home
        EmbeddedPostgres(home.path).stop()


@pytest.mark.parametrize(
    "table",
    [
        "raw.imports",  # batches are stored and none is in the catalogue
        "metrics.video_snapshots",  # nothing is loaded
        "ops.loads",  # rows are written and their books are not
        "metrics.video_daily",
        "features.video_day",
        "models.scorecards",  # the model is registered, and nobody's champion
        "predictions.video_forecast",
    ],
)
def test_a_killed_run_is_completed_by_the_next(home: Home, undisturbed: dict[str, str], table: str) -> None:
    # this lease keeps the server up beside the killed client; the next run starts it anew
    with EmbeddedPostgres(home.path), run_held_at(home, table) as process:
        kill(process)
    home.complete()
    assert home.state() == undisturbed


def test_a_run_killed_without_warning_leaves_no_server_that_disturbs(home: Home, undisturbed: dict[str, str]) -> None:
    """No lease but the run's: the server, left alone, may be stopping while the next run starts."""
    process = home.run()
    until(lambda: import_begun(home), process)
    kill(process)
    home.complete()
    assert home.state() == undisturbed


def test_a_run_whose_server_is_killed_says_so_and_the_next_completes_it(
    home: Home, undisturbed: dict[str, str]
) -> None:
    with EmbeddedPostgres(home.path), run_held_at(home, "metrics.video_daily") as process:
        os.kill(postmaster(home), signal.SIGKILL)
        output, _ = process.communicate()
    assert process.returncode == 1
    assert "error: " in output
    assert "Traceback" not in output
    home.complete()
    assert home.state() == undisturbed


def postmaster(home: Home) -> int:
    with psycopg.connect(EmbeddedPostgres(home.path).url(WAREHOUSE)) as connection:
        return psutil.Process(connection.info.backend_pid).ppid()


def test_up_fails_an_orphaned_run_and_leaves_a_live_one_alone(home: Home, undisturbed: dict[str, str]) -> None:
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
        output, _ = live.communicate()
        assert live.returncode == 0, output
        assert run_statuses(home)[:3] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert home.state() == undisturbed


def test_run_fails_an_orphaned_run(home: Home, undisturbed: dict[str, str]) -> None:
    with EmbeddedPostgres(home.path):
        with run_held_at(home, "metrics.video_daily") as orphan:
            kill(orphan)
        home.complete()
        assert run_statuses(home)[:3] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert home.state() == undisturbed


def up_and_down(home: Home) -> str:
    """What `yt-platform up` prints until it serves, stopped then as Ctrl-C does."""
    ports = {"YT_WEBSERVER_PORT": str(free_port()), "YT_MLFLOW_PORT": str(free_port())}
    command = [sys.executable, "-m", "yt_platform.cli", "up"]
    with subprocess.Popen(
        command, cwd=home.path.parent, env={**home.environment, **ports}, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout
        said: list[str] = []
        for line in up.stdout:
            said.append(line)
            if line.startswith("Open the UI"):
                break
        up.send_signal(signal.SIGINT)
        said += up.stdout.readlines()
    assert up.returncode == 0, said
    return "".join(said)


def run_statuses(home: Home) -> list[str]:
    """Statuses of Dagster's runs, oldest first."""
    with psycopg.connect(EmbeddedPostgres(home.path).url(DAGSTER)) as connection:
        return [status for (status,) in connection.execute("SELECT status FROM runs ORDER BY id")]


def test_two_runs_at_once_on_one_home(home: Home, undisturbed: dict[str, str]) -> None:
    processes = [home.run(), home.run()]
    for process in processes:
        output, _ = process.communicate()
        assert process.returncode == 0, output
    assert home.state() == undisturbed
