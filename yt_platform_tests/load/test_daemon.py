"""The daemon of `yt-platform up` killed with a run under way, with real processes on a home of their own."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest

from yt_platform.catalog.lineage import DAILY_TABLES, LOOKING_AHEAD
from yt_platform.clock import Clock
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.warehouse.databases import WAREHOUSE
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.conftest import reachable_folder
from yt_platform_tests.load.crashing import (
    barred,
    begun,
    begun_runs,
    begun_up,
    completed,
    dagster_rows,
    end,
    until,
    waiting,
)
from yt_platform_tests.warehouse_state import fingerprints

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with an imported sample of which nothing is made, and its server held."""
    write_sample(tmp_path / "sample", generate(channels=4, videos=120, days=14, last_day=date(2026, 3, 1)))
    with reachable_folder() as folder, EmbeddedPostgres(folder / "home"):
        completed(begun(folder / "home", {}, "import", str(tmp_path / "sample")))
        yield folder / "home"


def test_what_a_killed_daemon_had_begun_is_made_once_after_a_restart(home: Path) -> None:
    """Killed with the run that the sensor `missing_data` asks for, which has written rows and not their books: `up`
    leaves no process behind, though the run is deaf to a signal while it waits for the database."""
    with barred(home, "ops.loads") as connection:
        up, _ = begun_up(home)
        until(lambda: waiting(connection, "ops.loads") > 0, up)
        services = {Path(child.cmdline()[1]).name: child for child in psutil.Process(up.pid).children()}
        services["dagster-daemon"].kill()
        output, _ = up.communicate()
        assert up.returncode == 1
        assert "daemon ended with exit code -9" in output
        assert processes_of(home) == []
    up, _ = begun_up(home)
    until(lambda: not under_way(home) and stale(home) <= LOOKING_AHEAD, up)
    end(up)
    assert made_twice(home) == set()
    completed(begun_runs(home, {}))
    warehouse = Warehouse(EmbeddedPostgres(home).url(WAREHOUSE))
    found = fingerprints(warehouse)
    with warehouse.transaction() as transaction:
        transaction.execute(f"TRUNCATE {', '.join(table.name for table in DAILY_TABLES)}, ops.loads, ops.quarantine")
    completed(begun_runs(home, {}))
    assert {**fingerprints(warehouse), "ops.alerts": ""} == {**found, "ops.alerts": ""}  # of the run that failed


def processes_of(home: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["environ"])
    return [one for one in found if (one.info["environ"] or {}).get("DAGSTER_HOME") == str(home / "dagster")]


def stale(home: Path) -> set[str]:
    warehouse = Warehouse(EmbeddedPostgres(home).url(WAREHOUSE))
    return {table for _, tables in stale_ranges(warehouse, Clock(warehouse).now().date()) for table in tables}


def under_way(home: Path) -> bool:
    return not {status for (status,) in dagster_rows(home, "SELECT status FROM runs")} <= {"SUCCESS", "FAILURE"}


def made_twice(home: Path) -> set[str]:
    """Tables of which more than one run has made a day. Those that look ahead may be: their run does not wait until
    that of their inputs is retried, and the sensor asks for them again, in its own time."""
    twice = dagster_rows(
        home,
        "SELECT asset_key FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' "
        "GROUP BY asset_key, partition HAVING count(*) > 1",
    )
    return {".".join(json.loads(key)) for (key,) in twice} - LOOKING_AHEAD
