"""The books of imports, against Postgres: what is listed of them, and what is left once one is taken back."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from yt_platform.history.import_log import accept, end_undo, found, listed, take_back
from yt_platform.history.importing import ImportRefusedError, import_history
from yt_platform.metrics.defs import PARSERS
from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_SNAPSHOTS
from yt_platform.progress import silent
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.loading import load_from_raw, load_from_tables
from yt_platform.warehouse.staleness import outdated_ranges
from yt_platform.warehouse.warehouse import Warehouse, Window

HEADER = "timestamp,video_id,view_count,like_count,comment_count\n"
KAGGLE = (
    "video_id,title,publishedAt,channelId,channelTitle,categoryId,trending_date,view_count,likes,comment_count,"
    "comments_disabled,ratings_disabled\n"
)
DAYS = Window(date(2026, 1, 1), date(2026, 3, 31))
RUNS = (f"00000000-0000-0000-0000-{number:012}" for number in range(1, 1000))


def reading(day: str, views: object, video: str = "abcdefghijk") -> str:
    return f"2026-{day}T03:00:00Z,{video},{views},1,1\n"


def titled(day: str, title: str) -> str:
    return f"abcdefghijk,{title},2025-12-01T00:00:00Z,UC{'x' * 22},Ch,10,2026-{day}T00:00:00Z,5,1,1,False,False\n"


class Home:
    """A warehouse and a raw store, with a file to import."""

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self.warehouse, self.folder, self.store = warehouse, folder, RawStore(str(folder / "raw"))
        (folder / "spool").mkdir()

    def imported(self, name: str, content: str) -> str:
        """The id of the import of a file."""
        (self.folder / name).write_text(content)
        import_history(self.warehouse, self.store, self.folder / name, self.folder / "spool", DAYS, next(RUNS), silent)
        return listed(self.warehouse)[0].import_id

    def made(self) -> None:
        """What is parsed from the batches, and the daily increments."""
        run_id = next(RUNS)
        for table, parsers in PARSERS[:5]:
            load_from_raw(self.warehouse, self.store, table, parsers, DAYS, run_id, silent)
        load_from_tables(
            self.warehouse,
            VIDEO_DAILY,
            lambda read, *days: video_daily(read[VIDEO_SNAPSHOTS.name], *days),
            DAYS,
            run_id,
            silent,
        )

    def undone(self, import_id: str) -> None:
        take_back(self.warehouse, self.store, import_id)
        if outdated_ranges(self.warehouse, DAYS.last):
            self.made()
        end_undo(self.warehouse, import_id)

    def holds(self) -> dict[str, list[Any]]:
        """Everything that an import leaves, apart from marks of when and by which run."""
        of_tables = {
            name: self.warehouse.records(f"SELECT {columns} FROM {name} ORDER BY {columns}")
            for name, columns in {
                "raw.imports": "import_id",
                "raw.import_batches": "import_id",
                "raw.batches": "endpoint, partition_day, sha256",
                "metrics.video_snapshots": "video_id, collected_at, region, view_count",
                "metrics.videos": "video_id, title, collected_at",
                "metrics.video_versions": "video_id, title, collected_at",
                "metrics.channels": "channel_id, title, collected_at",
                "metrics.video_daily": "video_id, day, view_count, view_increment",
                "ops.quarantine": "table_name, partition_day, origin, reason",
            }.items()
        }
        return of_tables | {"files": self.store.names()}


@pytest.fixture
def home(warehouse: Warehouse, tmp_path: Path) -> Home:
    return Home(warehouse, tmp_path)


def test_an_import_taken_back_leaves_what_was_there_before(home: Home) -> None:
    """Days it alone had are empty, days of both are made from the other, and a title that it hid is back."""
    home.imported("first.csv", HEADER + reading("01-01", 10) + reading("01-02", 20) + reading("01-03", -5))
    home.imported("titles.csv", KAGGLE + titled("01-02", "old title"))
    home.made()
    before = home.holds()
    second = home.imported("second.csv", KAGGLE + titled("01-03", "new title") + titled("02-20", "newest title"))
    third = home.imported(
        "third.csv", HEADER + reading("01-02", 20) + reading("01-02", 15, "bbbbbbbbbbb") + reading("02-20", "many")
    )
    home.made()
    assert home.warehouse.records("SELECT title FROM metrics.videos") == [{"title": "newest title"}]
    assert home.holds() != before
    home.undone(third)
    home.undone(second)
    assert home.holds() == before


def test_a_batch_that_another_import_brought_as_well_stays(home: Home) -> None:
    content = HEADER + reading("01-01", 10)
    one = home.imported("one.csv", content)
    home.made()
    before = home.holds()
    another = home.imported("another.csv", content)
    home.undone(another)
    assert home.holds() == before
    again = home.imported("another.csv", content)
    home.undone(one)
    assert [made.import_id for made in listed(home.warehouse)] == [again]
    assert home.holds()["metrics.video_snapshots"] == before["metrics.video_snapshots"]
    home.undone(again)
    assert not any(home.holds().values())


def test_taking_back_goes_on_after_an_interruption(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the books and the files, and after them."""
    import_id = home.imported("one.csv", HEADER + reading("01-01", 10) + reading("01-02", 20))
    home.made()
    deletions: list[str] = []

    def killed(path: str) -> None:
        deletions.append(path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(home.store, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            take_back(home.warehouse, home.store, import_id)
    [left] = listed(home.warehouse)
    assert left.is_being_undone
    assert set(deletions) < set(home.store.names())
    take_back(home.warehouse, home.store, import_id)  # and is killed before it ends
    home.undone(import_id)
    assert not any(home.holds().values())
    with pytest.raises(ImportRefusedError, match="is no import's id"):
        found(home.warehouse, import_id)


def test_an_import_that_is_being_taken_back_can_be_made_again(home: Home) -> None:
    content = HEADER + reading("01-01", 10)
    import_id = home.imported("one.csv", content)
    take_back(home.warehouse, home.store, import_id)
    assert home.imported("one.csv", content) == import_id
    home.made()
    [made] = listed(home.warehouse)
    assert (made.rows, made.is_being_undone) == (1, False)
    assert len(home.holds()["metrics.video_snapshots"]) == 1


def test_imports_are_listed_with_what_they_refused_and_are_broken_until_accepted(home: Home) -> None:
    """Half of a file was refused, and nothing said so."""
    rows = [reading("01-01", 10), reading("01-02", "x"), reading("01-03", "yy"), "2026-01-04,abcdefghijk,1\n"]
    import_id = home.imported("t.csv", HEADER + "".join(rows) + "2099-01-04,abcdefghijk,1,1,1\n")
    home.imported("good.csv", HEADER + reading("01-01", 10))
    good, bad = listed(home.warehouse)
    assert (good.name, good.rows, good.refused, good.is_broken) == ("good.csv", 1, 0, False)
    assert (bad.name, bad.rows, bad.refused, bad.is_broken) == ("t.csv", 1, 4, True)
    assert [reason.rows for reason in bad.reasons] == [2, 1, 1]
    assert "… is not a whole number" in bad.reasons[0].reason
    assert bad.reasons[0].origin == "t.csv, line 3, column view_count"
    assert "2026-01-02T03:00:00Z,abcdefghijk,x,1,1" in bad.reasons[0].record
    assert "has 3 fields where the header has 5" in {reason.reason for reason in bad.reasons}
    accept(home.warehouse, import_id)
    assert not found(home.warehouse, import_id[:6]).is_broken


def test_lines_of_files_are_counted_once_though_they_become_rows_of_two_kinds(home: Home) -> None:
    home.imported("k.csv", KAGGLE + titled("01-02", "t") + titled("01-03", "t").replace("2026", "2099"))
    [made] = listed(home.warehouse)
    assert (made.rows, made.refused) == (1, 1)


@pytest.mark.parametrize("name", ["", "zz"])
def test_an_unknown_import_is_refused(home: Home, name: str) -> None:
    home.imported("t.csv", HEADER + reading("01-01", 10))
    with pytest.raises(ImportRefusedError, match="is no import's id; `yt-platform imports` lists them"):
        found(home.warehouse, name)
