"""Disks too small for what is imported, as file systems in memory; mounting one needs root."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.databases import WAREHOUSE
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.conftest import reachable_folder
from yt_platform_tests.load.crashing import begun, completed
from yt_platform_tests.warehouse_state import fingerprint

pytestmark = pytest.mark.slow

BATCHES = ("endpoint", "partition_day", "path", "sha256", "row_count")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder, generate(channels=4, videos=120, days=40, last_day=date(2026, 3, 1)))
    return folder


@pytest.fixture(scope="module")
def undisturbed(sample: Path) -> str:
    with new_home() as home:
        completed(begun(home, {}, "import", str(sample)))
        return imported(home)


@contextlib.contextmanager
def new_home() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder / "home"


def imported(home: Path) -> str:
    """A hash of the catalogue; every file it names is whole."""
    with EmbeddedPostgres(home) as server:
        warehouse = Warehouse(server.url(WAREHOUSE))
        for batch in warehouse.records("SELECT path, sha256 FROM raw.batches"):
            RawStore(str(home / "raw")).read_table(batch["path"], batch["sha256"])
        return fingerprint(warehouse, "raw.batches", BATCHES)


def test_an_import_that_finds_no_room_says_so_and_goes_on_once_there_is_some(sample: Path, undisturbed: str) -> None:
    """First for what it puts aside, then for its batches."""
    with new_home() as home, small_disk(home / "spool", "64k"), small_disk(home / "raw", "256k"):
        for folder in (home / "spool", home / "raw"):
            assert f"{folder}/" in told_of_full_disk(home, sample)
            resize(folder, "1g")
        completed(begun(home, {}, "import", str(sample)))
        assert imported(home) == undisturbed


def test_a_database_that_finds_no_room_says_so_and_goes_on_once_there_is_some(sample: Path, undisturbed: str) -> None:
    """With no room at all, so that its server cannot start, and with so little that a run stops in its middle."""
    with new_home() as home, small_disk(home / "postgres", "2g"):
        disk = home / "postgres"
        completed(begun(home, {}, "migrate"))
        for room in (0, 1 << 20):
            resize(disk, str(shutil.disk_usage(disk).used + room))
            assert str(disk) in told_of_full_disk(home, sample)
            resize(disk, "2g")
        completed(begun(home, {}, "import", str(sample)))
        assert imported(home) == undisturbed
        EmbeddedPostgres(home).stop()


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size in memory at `folder`."""
    folder.mkdir(parents=True)
    options = f"size={size},mode=755"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def told_of_full_disk(home: Path, sample: Path) -> str:
    """What an import says that ends as a disk is full."""
    process = begun(home, {}, "import", str(sample))
    output, _ = process.communicate()
    assert process.returncode == 1, output
    _, found, error = output.rpartition("error: ")
    assert found, output
    assert "A disk is full" in error
    assert "Traceback" not in error
    return error
