"""`yt-platform collect` as real processes against the sandbox over HTTP: killed, repeated, two at once.

At this level because only a real `kill -9` leaves a unit charged and a call unsent, or a file stored and not in the
catalogue.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import DAILY_TABLES
from yt_platform.clock import Clock
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.sandbox import Fault, GeneratedWorld, Sandbox, serve
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.databases import DAGSTER, MLFLOW, WAREHOUSE
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.defs import PULLS
from yt_platform.youtube.watchlist import add_channels
from yt_platform_tests.conftest import copied_home, made_once
from yt_platform_tests.load.crashing import (
    barred,
    begun,
    begun_runs,
    completed,
    dagster_rows,
    kill,
    until,
    waiting,
)
from yt_platform_tests.warehouse_state import fingerprint, fingerprints

pytestmark = pytest.mark.slow

STARTS_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = "AIza-a-key-that-must-not-leak"
COLLECTED = [name for name in TABLES if name.startswith("metrics.") and name != "metrics.video_daily"]


@dataclass(frozen=True)
class Home:
    """A YT_HOME whose collections ask the sandbox at `url`."""

    path: Path
    url: str
    sandbox: Sandbox

    @property
    def settings(self) -> dict[str, str]:
        return {"YT_API_KEY": KEY, "YT_API_ENDPOINT": self.url, "YT_POLICY_MODE": "synthetic"}

    def collect(self) -> subprocess.Popen[str]:
        return begun(self.path, self.settings, "collect")

    def complete(self) -> str:
        return completed(self.collect())

    def runs(self, *arguments: str) -> subprocess.Popen[str]:
        return begun_runs(self.path, self.settings, *arguments)

    def warehouse(self) -> Warehouse:
        return Warehouse(EmbeddedPostgres(self.path).url(WAREHOUSE))

    def rows(self) -> dict[str, str]:
        return {name: fingerprint(self.warehouse(), name, TABLES[name].column_names) for name in COLLECTED}

    def calls(self) -> Counter[tuple[str, str]]:
        """How often each call is kept in the raw store, after reading every batch of the catalogue."""
        store = RawStore(str(self.path / "raw"))
        batches = self.warehouse().records("SELECT path, sha256 FROM raw.batches")
        kept = [row for batch in batches for row in store.read_table(batch["path"], batch["sha256"]).to_pylist()]
        return Counter((row["method"], row["parameters"]) for row in kept)

    def charged(self) -> int:
        return int(self.warehouse().records("SELECT sum(units)::bigint AS n FROM ops.quota_ledger")[0]["n"])

    def counted(self) -> int:
        return sum(spent["units"] for spent in self.sandbox.usage()["history"])


@contextmanager
def new_home(migrated: Path) -> Iterator[Home]:
    """A home that watches five channels, its clock where the sandbox's stands, and its server held."""
    world = GeneratedWorld(seed=7, channels=5, videos=300, new_per_day=10, starts_at=STARTS_AT - timedelta(days=10))
    sandbox = Sandbox(world, STARTS_AT, keys=[KEY])
    with copied_home(migrated) as path, serve(sandbox) as url, EmbeddedPostgres(path) as server:
        warehouse_url = server.url(WAREHOUSE)
        Clock(Warehouse(warehouse_url)).simulate(STARTS_AT)
        add_channels(warehouse_url, world.channel_ids, list_fully=True)
        yield Home(path, url, sandbox)


@pytest.fixture
def home(migrated: Path) -> Iterator[Home]:
    with new_home(migrated) as home:
        yield home


Collected = tuple[dict[str, str], Counter[tuple[str, str]]]


@pytest.fixture(scope="module")
def undisturbed(migrated: Path, shared_folder: Path) -> Collected:
    """Rows and kept calls after one collection that nothing disturbed."""

    def collect(told: Path) -> None:
        with new_home(migrated) as home:
            home.complete()
            assert home.charged() == home.counted()
            told.write_text(json.dumps([home.rows(), [*home.calls().items()]]))

    rows, calls = json.loads(made_once(shared_folder / "undisturbed_collection", collect).read_text())
    return rows, Counter({(method, parameters): number for (method, parameters), number in calls})


@pytest.mark.parametrize(
    "table",
    [
        "ops.quota_ledger",  # about to charge
        "ops.watched_channels",  # a batch is stored and in the catalogue, the state not moved on
        "raw.batches",  # a batch is stored and not in the catalogue
        "ops.tracked_videos",  # uploads are answered and not tracked
        "metrics.video_snapshots",  # all is collected, nothing loaded
        "ops.loads",  # rows are written and their books are not
    ],
)
def test_a_killed_collection_is_completed_by_the_next(home: Home, undisturbed: Collected, table: str) -> None:
    with barred(home.path, table) as connection:
        process = home.collect()
        until(lambda: waiting(connection, table) > 0, process)
        kill(process)
    home.complete()
    assert (home.rows(), home.calls()) == undisturbed
    # a charge that waited for its lock is committed by the server, though nobody is left to send the call
    assert home.counted() <= home.charged() <= home.counted() + 1


@pytest.mark.parametrize("method", ["playlistItems.list", "videos.list", "commentThreads.list"])
def test_a_collection_killed_while_it_waits_for_an_answer_is_completed_by_the_next(
    home: Home, undisturbed: Collected, method: str
) -> None:
    home.sandbox.faults.replace([Fault(method=method, nth=2, latency=60, times=1)])
    process = home.collect()
    until(lambda: home.sandbox.usage()["calls"].get(method, 0) >= 2, process)
    kill(process)
    home.complete()
    assert (home.rows(), home.calls()) == undisturbed
    assert home.counted() <= home.charged() <= home.counted() + 1


def test_two_collections_at_once_call_nothing_twice(home: Home, undisturbed: Collected) -> None:
    processes = [home.collect(), home.collect()]
    for process in processes:
        completed(process)
    assert (home.rows(), home.calls()) == undisturbed
    assert home.charged() == home.counted()


def test_two_collections_that_dagster_runs_at_once_call_one_after_the_other(home: Home, undisturbed: Collected) -> None:
    """As two people press Materialize: both once asked for what was due, and quota was spent twice."""
    home.sandbox.faults.replace([Fault(method="channels.list", nth=1, latency=10, times=1)])
    for process in [home.runs("collect"), home.runs("collect")]:
        completed(process)
    assert (home.rows(), home.calls()) == undisturbed
    assert home.charged() == home.counted()
    (_, first_ended), (second_began, _) = dagster_rows(home.path, RUN_SPANS)
    assert second_began < first_ended  # so it is the pool that kept their pulls apart
    pulls = dagster_rows(home.path, PULL_SPANS)
    assert len(pulls) == 2 * len(PULLS)
    assert all(ended <= began for (_, ended), (began, _) in pairwise(pulls))


RUN_SPANS = """
SELECT min(timestamp), max(timestamp) FROM event_logs
WHERE dagster_event_type IN ('PIPELINE_START', 'PIPELINE_SUCCESS') GROUP BY run_id ORDER BY 1
"""

PULL_SPANS = """
SELECT min(timestamp), max(timestamp) FROM event_logs
WHERE dagster_event_type IN ('STEP_START', 'STEP_SUCCESS') AND step_key LIKE 'raw%' GROUP BY run_id, step_key ORDER BY 1
"""


def test_a_backfill_neighbouring_days_and_a_collection_at_once(home: Home, tmp_path: Path) -> None:
    """As Dagster's processes run them: a command would wait for its turn. All begin to write in the same moment.

    The daemon keeps refreshes in order. By hand they are not, and one that made a day before the day before it was made
    may be refused by the check of increments. What the next run makes is as if nothing else had run.
    """
    write_sample(tmp_path / "sample", generate(channels=4, videos=120, days=20, last_day=date(2026, 3, 1)))
    completed(begun(home.path, home.settings, "import", str(tmp_path / "sample")))
    Clock(home.warehouse()).simulate(STARTS_AT)  # an import moves it
    asked = [("2026-02-10", "2026-03-01"), ("2026-02-20", "2026-02-20"), ("2026-02-21", "2026-02-21"), ("collect",)]
    with barred(home.path, "ops.writers") as connection:
        processes = [home.runs(*arguments) for arguments in asked]
        for process in processes:
            until(lambda: waiting(connection, "ops.writers") == len(asked), process)
    *refreshes, collection = processes
    completed(collection)
    assert home.charged() == home.counted()
    for process in refreshes:
        output, _ = process.communicate()
        assert process.returncode == 0 or "increments_add_up" in output, output
    completed(home.runs())
    found = fingerprints(home.warehouse())
    with home.warehouse().transaction() as transaction:
        transaction.execute(f"TRUNCATE {', '.join(table.name for table in DAILY_TABLES)}, ops.loads, ops.quarantine")
    completed(home.runs())
    assert fingerprints(home.warehouse()) == found
    assert home.warehouse().records("SELECT count(*) AS n FROM features.video_day")[0]["n"] > 1_000


def test_the_key_is_in_no_file_no_database_and_no_output(home: Home) -> None:
    """Through a collection that succeeds, one that fails on the key's rights, and one whose answers are garbage."""
    outputs = [home.complete()]
    for fault in (Fault(status=403, reason="forbidden"), Fault(garbage=True, times=5), Fault(cut=True, times=5)):
        Clock(home.warehouse()).simulate(home.sandbox.clock.advance(timedelta(days=1)) or home.sandbox.clock.now())
        home.sandbox.faults.replace([fault])
        process = home.collect()
        outputs.append(process.communicate()[0])
    assert "enable" in outputs[1] or "YT_API_KEY" in outputs[1]
    assert not [output for output in outputs if KEY in output]
    found = [path for path in home.path.parent.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert found == []
    server = EmbeddedPostgres(home.path)
    for database in (WAREHOUSE, DAGSTER, MLFLOW):
        dump = subprocess.run(
            [server.bin_dir / "pg_dump", server.url(database)], capture_output=True, check=True, text=True
        )
        assert KEY not in dump.stdout
        assert database == MLFLOW or len(dump.stdout) > 10_000  # no model is trained
