"""Fixtures every test may use: a real PostgreSQL, a migrated warehouse, the folder of real data."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from yt_platform.local import open_platform
from yt_platform.sandbox import reporting
from yt_platform.settings import Settings
from yt_platform.warehouse.databases import with_database
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.receivers import box, dawdler, hook

__all__ = ["box", "dawdler", "hook"]  # fixtures of every test

# as the command line does, before LightGBM is loaded: its threads would spin against the tests' other processes
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

REPOSITORY = Path(__file__).resolve().parents[1]


LONGEST_FIRST = (
    "test_run",  # makes the platform that others copy; meanwhile other workers have what needs none of it:
    "test_every_kind",
    "test_embedded",
    "test_up",
    "test_training",
    "test_automation",
    "test_upkeep",
    "test_backup",
    "test_prune",
    "test_growth",
    "test_owner_reports",
    "test_cli",
    # of the slow ones
    "test_thirty_days",
    "test_crashes",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay on one worker, so a long file that began last would keep one core busy alone."""
    order = {name: position for position, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests choose their own settings: those of the shell would let them touch real data."""
    for name in [*os.environ]:
        if name.startswith("YT_") and not name.startswith("YT_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real data, named by YT_TEST_DATA; `.ci/run` sets YT_TEST_REQUIRE_DATA where it must not be missing."""
    folder = Path(os.environ.get("YT_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no real data at {folder}; set YT_TEST_DATA to run this test"
        if os.environ.get("YT_TEST_REQUIRE_DATA"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """One embedded server for the whole session; tests share it and never a database."""
    with reachable_folder() as folder, EmbeddedPostgres(folder / "home") as server:
        yield server


@contextlib.contextmanager
def reachable_folder(base: Path | None = None) -> Iterator[Path]:
    """A folder for a server's home, in `base` where given.

    Not tmp_path: pytest's is closed to other accounts, and root's server runs under one. In memory where that has
    room: a new cluster syncs a thousand files, which takes seconds on a busy disk.
    """
    base = base or next(path for path in map(Path, ("/dev/shm", "/tmp")) if shutil.disk_usage(path).free > 2**30)
    folder = Path(tempfile.mkdtemp(prefix="yt-test-", dir=base))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session, the same for all workers of xdist: for what is made once for all of them."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """`path`, which `make` makes for the first process that asks; the others wait for it."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent) as unfinished:  # so that it is there whole or not at all
                make(Path(unfinished) / path.name)
                (Path(unfinished) / path.name).rename(path)
    return path


def copy_home(home: Path, copy: Path) -> None:
    """Copy a YT_HOME whose server does not run, the cluster in it included; its files keep their owners."""
    subprocess.run(["cp", "--archive", home, copy], check=True)


@contextlib.contextmanager
def copied_home(home: Path) -> Iterator[Path]:
    with reachable_folder() as folder:
        copy_home(home, folder / "home")
        yield folder / "home"


@pytest.fixture(scope="session")
def migrated(shared_folder: Path) -> Path:
    """A home with empty databases, whose server does not run; to be copied and not to be used."""

    def make(finished: Path) -> None:
        with reachable_folder() as folder:
            with open_platform(Settings(home=folder / "home", _env_file=None)):
                pass
            copy_home(folder / "home", finished)

    return made_once(shared_folder / "migrated", make)


@pytest.fixture
def migrated_home(migrated: Path) -> Iterator[Path]:
    """A copy of it: a new cluster and its migrations take ten seconds of a processor."""
    with copied_home(migrated) as home:
        yield home


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def database_url(server: EmbeddedPostgres) -> Iterator[str]:
    """libpq URL of an empty database that is dropped afterwards."""
    yield from _database(server, "template0")


@pytest.fixture(scope="session")
def _template(server: EmbeddedPostgres) -> str:
    """A migrated warehouse to copy from, which takes a tenth of migrating anew."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
    migrate(server.url("migrated"))
    return "migrated"


@pytest.fixture
def warehouse_url(server: EmbeddedPostgres, _template: str) -> Iterator[str]:
    """libpq URL of a warehouse with its structure and no rows."""
    yield from _database(server, _template)


@pytest.fixture
def warehouse(warehouse_url: str) -> Warehouse:
    return Warehouse(warehouse_url)


def _database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    administrator = server.url("postgres")
    with psycopg.connect(administrator, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    yield with_database(administrator, name)
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


FEW_REPORT_TYPES = {
    "channel_basic_a2",
    "channel_basic_a3",
    "channel_cards_a2",
    "channel_demographics_a1",
    "channel_reach_basic_a1",
    "channel_sharing_service_a2",
    "channel_traffic_source_a3",
    "content_owner_basic_a4",
    "content_owner_estimated_revenue_a1",
}


@pytest.fixture
def few_report_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox with fewer report types, for tests that look at how reports come and not at what is in each kind."""
    offered = {name: columns for name, columns in reporting.COLUMNS.items() if name in FEW_REPORT_TYPES}
    monkeypatch.setattr(reporting, "COLUMNS", offered)
