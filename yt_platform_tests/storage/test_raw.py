"""The raw store against real files: what a reader can find after success, damage and death of the writer."""

import hashlib
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from yt_platform.storage.endpoints import CHANNEL_SNAPSHOTS
from yt_platform.storage.raw import CorruptBatchError, RawStore

DAY = date(2026, 1, 2)
ROWS = [
    {
        "source": "s",
        "channel_id": f"UC{number:022}",
        "collected_at": datetime(2026, 1, 2, number % 24, tzinfo=UTC),
        "subscriber_count": None if number % 7 == 0 else number,
        "view_count": number**3,
        "video_count": 0,
    }
    for number in range(1_000)
]


def _table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=CHANNEL_SNAPSHOTS.schema)


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_rows_come_back_and_the_name_is_the_content(tmp_path: Path) -> None:
    """At the file: the catalogue relies on path, hash and size being those of the bytes on disk."""
    store = RawStore(str(tmp_path))
    stored = store.write_table("channel_snapshots", DAY, _table(ROWS))
    data = (tmp_path / stored.path).read_bytes()
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert stored.path == f"channel_snapshots/2026-01-02/{stored.sha256[:16]}.parquet"
    assert (stored.bytes, stored.rows) == (len(data), 1_000)
    assert _files(tmp_path) == [stored.path]
    assert store.read_table(stored.path, stored.sha256) == _table(ROWS)
    assert store.read_table(stored.path, stored.sha256, ["view_count"]) == _table(ROWS).select(["view_count"])


def test_equal_rows_in_any_order_are_one_file(tmp_path: Path) -> None:
    """At the file: deduplication of imports stands on equal bytes, also for rows that share a key."""
    store = RawStore(str(tmp_path))
    twins = [ROWS[0] | {"view_count": count} for count in (3, 1, 2)]
    first = store.write_table("channel_snapshots", DAY, _table(ROWS + twins))
    reordered = pa.concat_tables([_table(twins[::-1]), _table(ROWS[::-1])])
    assert store.write_table("channel_snapshots", DAY, reordered) == first
    assert _files(tmp_path) == [first.path]
    assert store.write_table("channel_snapshots", DAY, _table(ROWS + twins[1:])) != first


def test_a_damaged_batch_is_refused_and_repaired_by_storing_it_again(tmp_path: Path) -> None:
    """At the file: one flipped byte must not reach the warehouse, and the error's remedy must work."""
    store = RawStore(str(tmp_path))
    stored = store.write_table("channel_snapshots", DAY, _table(ROWS))
    file = tmp_path / stored.path
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorruptBatchError) as error:
        store.read_table(stored.path, stored.sha256)
    for part in (stored.path, stored.sha256, hashlib.sha256(data).hexdigest(), "import its original again"):
        assert part in str(error.value)
    store.write_table("channel_snapshots", DAY, _table(ROWS))
    assert store.read_table(stored.path, stored.sha256).num_rows == 1_000


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    """At the store: a deleted file is damage to the catalogue, not an empty day."""
    with pytest.raises(CorruptBatchError, match=r"channel_snapshots/x.parquet .* found no file"):
        RawStore(str(tmp_path)).read_table("channel_snapshots/x.parquet", "0" * 64)


def test_rows_of_another_schema_are_refused(tmp_path: Path) -> None:
    """At the store: an immutable file with a wrong column would stay wrong for ever."""
    with pytest.raises(ValueError, match="must have the schema"):
        RawStore(str(tmp_path)).write_table("channel_snapshots", DAY, _table(ROWS).drop_columns(["view_count"]))
    assert _files(tmp_path) == []


def test_any_fsspec_url_will_do() -> None:
    """At the URL: object stores take the other way of writing."""
    store = RawStore("memory://raw-store-test")
    stored = store.write_table("channel_snapshots", DAY, _table(ROWS))
    assert store.write_table("channel_snapshots", DAY, _table(ROWS)) == stored
    assert store.read_table(stored.path, stored.sha256) == _table(ROWS)


KILLED_WRITER = """
import resource, signal, sys
from yt_platform_tests.storage.test_raw import DAY, ROWS, _table
from yt_platform.storage.raw import RawStore
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
RawStore(sys.argv[1]).write_table("channel_snapshots", DAY, _table(ROWS))
"""


def test_a_writer_killed_in_mid_file_leaves_nothing_under_a_final_name(tmp_path: Path) -> None:
    """In a process: the kernel kills it at byte 1,000 of the file, with no chance to clean up."""
    repository = Path(__file__).parents[2]
    writer = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(tmp_path)], check=False, cwd=repository)
    assert writer.returncode == -signal.SIGXFSZ
    left = list(tmp_path.rglob("*.*"))
    assert [path.stat().st_size for path in left] == [1_000]
    assert all(path.name.startswith(".") and path.suffix == ".tmp" for path in left)
