"""Loading a table's days, against Postgres: what lands in the table, in quarantine and in the books is one thing."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from yt_platform.history.importing import import_history
from yt_platform.metrics import parse
from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_SNAPSHOTS
from yt_platform.progress import silent
from yt_platform.storage.raw import CorruptBatchError, RawStore
from yt_platform.warehouse import loading
from yt_platform.warehouse.loading import Loaded, accept_rejects, load_from_raw, load_from_tables
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID, snapshot, snapshots


def refused_rows(_: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """One row a day with an impossible count of views."""
    readings = snapshots(*(snapshot(f"{day:%Y-%m-%d} 03:00", 10) for day in pd.date_range(first, last)))
    return video_daily(readings, first, last).assign(view_count=-1)


def test_rows_refused_again_replace_those_refused_before(warehouse: Warehouse) -> None:
    """They once carried no day, so that every rerun added them anew."""
    days = pd.date_range("2026-01-01", "2026-01-03").date
    for _ in range(2):
        for window in (Window(days[0], days[1]), Window(days[2], days[2])):
            loaded = load_from_tables(warehouse, VIDEO_DAILY, refused_rows, window, RUN_ID, silent)
            assert (loaded.row_count, loaded.rejects) == (0, dict.fromkeys(window.days, 1))
    found = warehouse.records("SELECT partition_day FROM ops.quarantine ORDER BY partition_day")
    assert [row["partition_day"] for row in found] == list(days)


def test_a_day_of_too_many_refused_rows_stays_stale_until_a_person_accepts_it(warehouse: Warehouse) -> None:
    """It once counted as loaded, and the next run forecast from it."""
    day = date(2026, 1, 1)
    window = Window(day, day)
    for _ in range(2):
        assert load_from_tables(warehouse, VIDEO_DAILY, refused_rows, window, RUN_ID, silent).reject_share == 1
        assert warehouse.records("SELECT partition_day FROM ops.loads") == []
    assert accept_rejects(warehouse, VIDEO_DAILY, Window(day, day)) == 1
    assert load_from_tables(warehouse, VIDEO_DAILY, refused_rows, window, RUN_ID, silent).reject_share == 0
    assert warehouse.records("SELECT partition_day FROM ops.loads") == [{"partition_day": day}]


FIRST_DAY = Window(date(2026, 1, 1), date(2026, 1, 1))


def import_readings(warehouse: Warehouse, store: RawStore, folder: Path, name: str, hour: int, views: int) -> None:
    """A file with three readings of the first day."""
    readings = "".join(f"2026-01-01T{hour:02}:00:00Z,abcdefghij{n},{views},1,1\n" for n in range(3))
    (folder / name).write_text("timestamp,video_id,view_count,like_count,comment_count\n" + readings)
    (folder / "spool").mkdir(exist_ok=True)
    days = Window(date(2026, 1, 1), date(2026, 1, 31))
    import_history(warehouse, store, folder / name, folder / "spool", days, RUN_ID, silent)


def load_first_day(warehouse: Warehouse, store: RawStore) -> Loaded:
    parsers = {"video_snapshots": parse.video_snapshots}
    return load_from_raw(warehouse, store, VIDEO_SNAPSHOTS, parsers, FIRST_DAY, RUN_ID, silent)


@pytest.mark.parametrize("rows_of_a_pack", [1, 50_000])
def test_a_refused_row_that_a_later_import_repairs_is_refused_no_more(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_of_a_pack: int
) -> None:
    """Whether or not the two imports are judged together."""
    monkeypatch.setattr(loading, "ROWS_OF_A_PACK", rows_of_a_pack)
    store = RawStore(str(tmp_path / "raw"))
    shares = []
    for name, views in (("bad.csv", -5), ("repaired.csv", 5)):
        import_readings(warehouse, store, tmp_path, name, 3, views)
        shares.append(load_first_day(warehouse, store).reject_share)
    assert shares == [1, 0]
    assert warehouse.records("SELECT count(*) AS n FROM ops.quarantine") == [{"n": 0}]
    assert warehouse.records("SELECT sum(view_count)::bigint AS n FROM metrics.video_snapshots") == [{"n": 15}]


def test_a_damaged_batch_leaves_nothing_of_the_batches_written_while_it_was_read(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against Postgres, as what must not remain is a transaction; the error comes from the thread that reads ahead."""
    monkeypatch.setattr(loading, "ROWS_OF_A_PACK", 1)
    store = RawStore(str(tmp_path / "raw"))
    for hour in range(3):
        import_readings(warehouse, store, tmp_path, f"{hour}.csv", hour, 5)
    path = warehouse.records("SELECT path FROM raw.batches ORDER BY batch_id DESC LIMIT 1")[0]["path"]
    stored = tmp_path / "raw" / path
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1])
    with pytest.raises(CorruptBatchError, match="is damaged"):
        load_first_day(warehouse, store)
    counts = "SELECT (SELECT count(*) FROM metrics.video_snapshots) AS rows, (SELECT count(*) FROM ops.loads) AS loads"
    assert warehouse.records(counts) == [{"rows": 0, "loads": 0}]
    stored.write_bytes(whole)
    assert load_first_day(warehouse, store).rows == {date(2026, 1, 1): 9}
    assert warehouse.records(counts) == [{"rows": 9, "loads": 1}]


def test_importing_again_repairs_a_batch_that_is_damaged_or_gone(warehouse: Warehouse, tmp_path: Path) -> None:
    """The remedy the error names; the second import once found the first in the books and did nothing."""
    store = RawStore(str(tmp_path / "raw"))
    for harm in (lambda stored: stored.write_bytes(b"garbage"), lambda stored: stored.unlink()):
        import_readings(warehouse, store, tmp_path, "a.csv", 3, 5)
        [batch] = warehouse.records("SELECT path, sha256 FROM raw.batches")
        harm(tmp_path / "raw" / batch["path"])
        with pytest.raises(CorruptBatchError, match="import its original again"):
            store.read_table(**batch)
        import_readings(warehouse, store, tmp_path, "a.csv", 3, 5)
        assert store.read_table(**batch).num_rows == 3
    assert warehouse.records("SELECT count(*) AS n FROM raw.imports") == [{"n": 1}]


def test_a_backfill_over_a_gap_leaves_nothing_stale(warehouse: Warehouse, tmp_path: Path) -> None:
    """It booked the days of the gap as well, so that the days after were stale for ever."""
    store, window = RawStore(str(tmp_path / "raw")), Window(date(2026, 1, 1), date(2026, 1, 20))
    readings = "".join(f"{day}T03:00:00Z,abcdefghijk,5,1,1\n" for day in (window.first, window.last))
    (tmp_path / "history.csv").write_text("timestamp,video_id,view_count,like_count,comment_count\n" + readings)
    (tmp_path / "spool").mkdir()
    import_history(warehouse, store, tmp_path / "history.csv", tmp_path / "spool", window, RUN_ID, silent)
    parsers = {"video_snapshots": parse.video_snapshots}
    load_from_raw(warehouse, store, VIDEO_SNAPSHOTS, parsers, window, RUN_ID, silent)
    load_from_tables(
        warehouse,
        VIDEO_DAILY,
        video_daily,
        window,
        RUN_ID,
        silent,
    )
    stale = {table for _, tables in stale_ranges(warehouse, window.last) for table in tables}
    assert "metrics.channels" in stale
    assert not stale & {VIDEO_SNAPSHOTS.name, VIDEO_DAILY.name}


def test_rows_before_youtube_began_are_refused_and_do_not_stop_the_others(warehouse: Warehouse, tmp_path: Path) -> None:
    """One wrong date once refused the whole import, with a remedy that could not be followed."""
    header = "timestamp,video_id,view_count,like_count,comment_count\n"
    rows = [f"{at}T00:00:00Z,abcdefghijk,1,1,1\n" for at in ("1970-01-01", "2004-12-31", "2026-01-01")]
    (tmp_path / "history.csv").write_text(header + "".join(rows))
    (tmp_path / "spool").mkdir()
    store, days = RawStore(str(tmp_path / "raw")), Window(date(2017, 1, 1), date(2026, 1, 31))
    stored = import_history(warehouse, store, tmp_path / "history.csv", tmp_path / "spool", days, RUN_ID, silent)
    assert (stored.rows, stored.rejects) == ({date(2026, 1, 1): 1}, 2)
    reasons = warehouse.records("SELECT reason FROM ops.quarantine")
    assert all("lies before YouTube began" in row["reason"] for row in reasons)
