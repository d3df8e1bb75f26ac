"""What is told of a full disk; /dev/full is one, and the tests of crashes fill a real file system."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from yt_platform.history.spool import Spool
from yt_platform.storage.disk import NO_SPACE, naming, room_wanted

FULL = Path("/dev/full")


def test_an_open_file_that_finds_no_room_is_named() -> None:
    with pytest.raises(OSError, match=f"{NO_SPACE}: '/dev/full'"), naming(FULL), FULL.open("wb") as file:
        file.write(b"a byte")


def test_an_error_that_names_a_file_keeps_it() -> None:
    with pytest.raises(FileNotFoundError, match="/nowhere"), naming(FULL):
        Path("/nowhere").read_bytes()


def test_a_spool_that_finds_no_room_is_named(tmp_path: Path) -> None:
    """Arrow's own message names no file."""
    (tmp_path / "videos.arrow").symlink_to(FULL)
    with pytest.raises(OSError, match=f"{NO_SPACE}.*{tmp_path}"):
        spool_a_row(tmp_path)


def spool_a_row(folder: Path) -> None:
    with Spool(folder) as spool:
        spool.add("videos", "a file", pa.table({"collected_at": pa.array([datetime(2026, 3, 1, tzinfo=UTC)])}))
        spool.finish()


def test_only_an_error_of_a_full_disk_asks_for_room(tmp_path: Path) -> None:
    assert room_wanted("the server closed the connection", [tmp_path, tmp_path / "missing"]) is None
    told = room_wanted(f'could not extend file "base/5/2619": {NO_SPACE}', [tmp_path, tmp_path / "missing"])
    assert told is not None
    assert f"{tmp_path} has " in told
    assert "missing" not in told
