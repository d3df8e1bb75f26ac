"""The books of imports, against Postgres: what is listed of them, and what is left once one is taken back."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from yt_platform.history import Options
from yt_platform.history.import_log import accept, found, listed, take_back
from yt_platform.history.import_removal import end_undo
from yt_platform.history.importing import ImportRefusedError, import_history
from yt_platform.metrics.defs import PARSERS
from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import VIDEO_DAILY
from yt_platform.progress import silent
from yt_platform.settings import PROJECT_ROOT
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
MIGRATION = PROJECT_ROOT / "sql/migrations/0056_imports_of_the_same_files.sql"
BACKFILL = [part for part in MIGRATION.read_text().split(";") if part.strip().startswith("UPDATE")]
AMBIGUOUS = HEADER.replace("timestamp", "date_utc")
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

    def imported(self, name: str, content: str, options: Options | None = None) -> str:
        """The id of the import of a file."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        return self.imported_again(path, options)

    def imported_again(self, path: Path, options: Options | None = None) -> str:
        import_history(self.warehouse, self.store, path, self.folder / "spool", DAYS, next(RUNS), silent, options)
        return listed(self.warehouse)[0].import_id

    def aged(self) -> None:
        """All imports as commit 9529093 left them and the migrations bring them to this version."""
        with self.warehouse.transaction() as transaction:
            for change in (
                "DELETE FROM raw.import_batches AS link USING raw.imports AS made, raw.batches AS batch "
                "WHERE link.import_id = made.import_id AND link.batch_id = batch.batch_id "
                "AND batch.run_id <> made.run_id",
                "UPDATE raw.imports SET record_count = NULL, reading = NULL, contents = NULL",
                *BACKFILL,
            ):
                transaction.execute(change)

    def earlier_version(self, monkeypatch: pytest.MonkeyPatch) -> "Home":
        """This home, importing as version 1 did, by its ids."""
        monkeypatch.setattr("yt_platform.history.imports.IMPORTER_VERSION", 1)
        return self

    def made(self) -> None:
        """What is parsed from the batches, and the daily increments."""
        run_id = next(RUNS)
        for table, parsers in PARSERS[:5]:
            load_from_raw(self.warehouse, self.store, table, parsers, DAYS, run_id, silent)
        load_from_tables(
            self.warehouse,
            VIDEO_DAILY,
            video_daily,
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


def dated(day: str, views: int) -> str:
    return f"{day}/2026,abcdefghijk,{views},1,1\n"


OPEN_DATES = AMBIGUOUS + dated("01/02", 10) + dated("01/03", 20)


def days_of(home: Home) -> list[str]:
    rows = home.warehouse.records("SELECT DISTINCT day::text AS day FROM metrics.video_daily ORDER BY day")
    return [row["day"] for row in rows]


def test_the_same_file_read_otherwise_takes_the_place_of_the_older_reading(home: Home) -> None:
    """Both readings stood side by side: days that the file never had stayed in every table."""
    other = home.imported("other.csv", HEADER + reading("03-01", 7, "bbbbbbbbbbb"))
    home.made()
    before = home.holds()
    home.imported("t.csv", OPEN_DATES, Options(dates="mdy"))
    home.made()
    assert days_of(home)[:2] == ["2026-01-02", "2026-01-03"]
    again = home.imported("t.csv", OPEN_DATES, Options(dates="dmy"))
    home.made()
    assert [made.import_id for made in listed(home.warehouse)] == [again, other]
    found_at = home.warehouse.records("SELECT collected_at::date::text AS day FROM metrics.video_snapshots ORDER BY 1")
    assert [row["day"] for row in found_at] == ["2026-02-01", "2026-03-01", "2026-03-01"]
    assert days_of(home)[0] == "2026-02-01"
    home.undone(again)
    assert home.holds() == before


def test_files_of_an_older_version_imported_again_are_one_import(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade made a second import of the same files, and an undo of it left what the older version had made."""
    content = HEADER + reading("01-01", 10) + reading("01-02", "x") + reading("01-03", 30)
    with monkeypatch.context() as patched:
        old = home.earlier_version(patched).imported("a/t.csv", content)
        other = home.imported("b/u.csv", HEADER + reading("01-03", 3, "bbbbbbbbbbb"))
        home.imported("c/all.csv", HEADER + reading("01-05", "x"))  # brought nothing that could tell its files
    home.aged()
    home.made()
    again = home.imported_again(home.folder / "a")
    home.imported_again(home.folder / "c" / "all.csv")
    home.made()
    made = listed(home.warehouse)
    assert old not in {one.import_id for one in made}
    assert [(one.name, one.rows, one.refused) for one in made] == [("all.csv", 0, 1), ("a", 2, 1), ("u.csv", 1, 0)]
    assert len(home.holds()["ops.quarantine"]) == 2
    home.undone(made[0].import_id)
    home.undone(again)
    assert [one.import_id for one in listed(home.warehouse)] == [other]
    assert [row["video_id"] for row in home.holds()["metrics.video_snapshots"]] == ["bbbbbbbbbbb"]
    assert not home.holds()["ops.quarantine"]
    assert len(home.store.names()) == 1


def test_a_folder_takes_the_place_of_its_files_read_otherwise_and_not_of_larger_imports(home: Home) -> None:
    file = home.imported("d/t.csv", OPEN_DATES, Options(dates="mdy"))
    (home.folder / "d" / "further.csv").write_text(HEADER + reading("03-03", 5, "bbbbbbbbbbb"))
    folder = home.imported_again(home.folder / "d", Options(dates="dmy"))
    assert [made.import_id for made in listed(home.warehouse)] == [folder]
    assert home.imported_again(home.folder / "d" / "t.csv", Options(dates="mdy")) == file
    assert {made.import_id for made in listed(home.warehouse)} == {file, folder}


def test_the_same_rows_of_another_time_are_another_file(home: Home) -> None:
    """Counts of a quiet day are the same as those of the day before."""
    content = HEADER.removeprefix("timestamp,") + "abcdefghijk,5,1,1\n"
    for day in (1, 2):
        home.imported("t.csv", content, Options(as_of=datetime(2026, 1, day, tzinfo=UTC)))
    assert len(listed(home.warehouse)) == 2


def test_replacing_goes_on_after_an_interruption(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the catalogue and the files of the older reading."""
    home.imported("t.csv", OPEN_DATES, Options(dates="mdy"))
    old = set(home.store.names())

    def killed(path: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(home.store, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            home.imported("t.csv", OPEN_DATES, Options(dates="dmy"))
    assert old < set(home.store.names())
    again = home.imported_again(home.folder / "t.csv", Options(dates="dmy"))
    assert [made.import_id for made in listed(home.warehouse)] == [again]
    assert not old & set(home.store.names())


def test_of_overlapping_imports_by_an_older_version_the_later_keeps_its_batches(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version noted a batch of two imports as that of the first alone, and its undo took it from both."""
    home.earlier_version(monkeypatch)
    first = home.imported("first.csv", HEADER + reading("01-01", 10))
    second = home.imported("second.csv", HEADER + reading("01-01", 10) + reading("01-02", 20))
    home.aged()
    home.made()
    home.undone(first)
    rows = home.holds()["metrics.video_snapshots"]
    assert [row["view_count"] for row in rows] == [10, 20]
    home.undone(second)
    assert not any(home.holds().values())


def test_an_undo_that_may_take_what_is_anothers_is_refused_until_the_other_is_known(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two days are left of which one is shared, and nothing tells which."""
    with monkeypatch.context() as patched:
        home.earlier_version(patched)
        first = home.imported("first.csv", HEADER + reading("01-01", 10) + reading("01-02", 20))
        second = home.imported("second.csv", HEADER + reading("01-02", 20) + reading("01-03", 30))
    home.aged()
    home.made()
    before = home.holds()
    with pytest.raises(ImportRefusedError, match=rf"those of second.csv \({second[:12]}\) as well.*take the latter"):
        take_back(home.warehouse, home.store, first)
    assert home.holds() == before
    home.imported_again(home.folder / "second.csv")
    home.undone(first)
    home.made()
    assert [row["view_count"] for row in home.holds()["metrics.video_snapshots"]] == [20, 30]


def test_replacing_the_first_of_overlapping_imports_leaves_the_later_whole(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        home.earlier_version(patched)
        home.imported("first.csv", HEADER + reading("01-01", 10) + reading("01-02", 20))
        home.imported("second.csv", HEADER + reading("01-02", 20) + reading("01-03", 30))
    home.aged()
    first = home.imported_again(home.folder / "first.csv")
    home.undone(first)
    home.made()
    assert {20, 30} <= {row["view_count"] for row in home.holds()["metrics.video_snapshots"]}
    home.undone(home.imported_again(home.folder / "second.csv"))
    assert not any(home.holds().values())


@pytest.mark.parametrize("name", ["", "zz"])
def test_an_unknown_import_is_refused(home: Home, name: str) -> None:
    home.imported("t.csv", HEADER + reading("01-01", 10))
    with pytest.raises(ImportRefusedError, match="is no import's id; `yt-platform imports` lists them"):
        found(home.warehouse, name)
