"""What is deleted when it is too old, in Postgres and the raw store: a mode's promise is about what is left there."""

import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from yt_platform.catalog import TABLES
from yt_platform.history.importing import import_history
from yt_platform.metrics.defs import PARSERS
from yt_platform.metrics.readings import video_daily
from yt_platform.metrics.tables import VIDEO_DAILY
from yt_platform.policy import HOLDS, PolicyMode, first_kept
from yt_platform.privacy.retention import oldest, retire, retirement_is_due
from yt_platform.progress import silent
from yt_platform.sample.files import write_sample
from yt_platform.sample.generator import generate
from yt_platform.storage.raw import RawStore
from yt_platform.tables.declaration import Holds
from yt_platform.warehouse.loading import PurgedError, load_from_raw, load_from_tables, loaded_versions
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.views import refresh
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID

LAST = date(2026, 3, 1)
DAYS = Window(LAST - timedelta(days=39), LAST)
NOW = datetime.combine(LAST, time(0, 10), UTC)
STATISTICS = {"metrics.video_snapshots", "metrics.channel_snapshots"}


@pytest.fixture
def store(warehouse: Warehouse, tmp_path: Path) -> RawStore:
    """Forty days as if the API had told them, with everything that is parsed from them."""
    store = RawStore(str(tmp_path / "raw"))
    (tmp_path / "spool").mkdir()
    write_sample(tmp_path / "sample", generate(channels=2, videos=50, days=40, last_day=LAST))
    import_history(warehouse, store, tmp_path / "sample", tmp_path / "spool", DAYS, RUN_ID, silent)
    for table, parsers in PARSERS:
        load_from_raw(warehouse, store, table, parsers, DAYS, RUN_ID, silent)
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE raw.batches SET source = 'api'")
        transaction.execute("UPDATE raw.batches SET endpoint = 'api_video_stats' WHERE endpoint = 'video_snapshots'")
        for table, _ in PARSERS:
            transaction.execute(f"UPDATE {table.name} SET source = 'api'")
    return store


def days_of(table: str, ranges: list[tuple[Window, frozenset[str]]]) -> set[date]:
    return {day for window, tables in ranges if table in tables for day in window.days}


def files(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.rglob("*") if path.is_file()}


def test_strict_keeps_no_row_and_no_file_past_its_day(warehouse: Warehouse, store: RawStore, tmp_path: Path) -> None:
    assert min(oldest(warehouse).values()) == DAYS.first
    assert retirement_is_due(warehouse, "strict", NOW)
    removed = retire(warehouse, store, "strict", NOW, RUN_ID)
    assert STATISTICS | {"metrics.video_versions", "raw.batches", "ops.quarantine"} <= removed.keys()
    assert min(oldest(warehouse).values()) >= first_kept(LAST)
    assert min(files(tmp_path / "raw")) == str(first_kept(LAST))
    assert not retirement_is_due(warehouse, "strict", NOW)
    assert retire(warehouse, store, "strict", NOW, RUN_ID) == {}


@pytest.mark.parametrize("mode", ["owned", "amended"])
def test_statistics_stay_where_terms_let_them(
    warehouse: Warehouse, store: RawStore, tmp_path: Path, mode: PolicyMode
) -> None:
    retire(warehouse, store, mode, NOW, RUN_ID)
    found = oldest(warehouse)
    assert {name for name, day in found.items() if day == DAYS.first} == STATISTICS | {"raw.batches"}
    left = warehouse.records(
        "SELECT DISTINCT endpoint FROM raw.batches WHERE partition_day < $1 AND purged_at IS NULL", (first_kept(LAST),)
    )
    assert left == [{"endpoint": "api_video_stats"}]
    assert min(files(tmp_path / "raw" / "video_snapshots")) == str(DAYS.first)
    assert min(files(tmp_path / "raw" / "videos")) >= str(first_kept(LAST))


def test_what_was_imported_is_the_operators_to_judge(warehouse: Warehouse, store: RawStore) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE raw.batches SET source = 'import'")
        for table, _ in PARSERS:
            transaction.execute(f"UPDATE {table.name} SET source = 'a file'")
    refused = warehouse.records("SELECT quarantine_id FROM ops.quarantine ORDER BY 1")
    assert refused
    assert not retirement_is_due(warehouse, "amended", NOW)
    assert retire(warehouse, store, "amended", NOW, RUN_ID) == {}
    assert warehouse.records("SELECT quarantine_id FROM ops.quarantine ORDER BY 1") == refused


def test_what_strict_deletes_is_made_again_under_another_mode(warehouse: Warehouse, store: RawStore) -> None:
    """The books once went on saying that it was there."""
    window = Window(LAST, LAST)
    load_from_tables(
        warehouse,
        VIDEO_DAILY,
        video_daily,
        window,
        RUN_ID,
        silent,
    )
    assert loaded_versions(warehouse, window)[VIDEO_DAILY.name]
    assert retire(warehouse, store, "strict", NOW, RUN_ID)[VIDEO_DAILY.name]
    assert VIDEO_DAILY.name not in loaded_versions(warehouse, window)


PURGED_ON = date(2027, 2, 27)
"""36 months after 29 February 2024 is 28 February 2027: the purge of the day before is the last that is in time."""
GONE, KEPT = date(2024, 2, 29), date(2024, 3, 1)
OF_COUNTS = [name for name in TABLES if HOLDS[name] in (Holds.STATISTICS, Holds.DERIVED)]
_ANY: dict[str, object] = {"bigint": 1, "double precision": 1.0, "boolean": False}


def write_days(warehouse: Warehouse, days: list[date]) -> None:
    """A row of each day in every table of statistics and of what is derived from them, and a raw batch of counts."""
    with warehouse.transaction() as transaction:
        for name in OF_COUNTS:
            table = TABLES[name]
            columns = [column for column in table.columns if not column.nullable]
            names = ", ".join(column.name for column in columns)
            places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
            insert = f"INSERT INTO {name} ({names}, run_id, loaded_at) VALUES ({places}, '{RUN_ID}', now())"
            for day in days:
                if table.by_month:
                    transaction.execute("SELECT ops.ensure_month($1::text::regclass, $2)", (name, day.replace(day=1)))
                at = datetime.combine(day, time(23, 59), UTC)
                known = _ANY | {"date": day, "timestamp with time zone": at, "text": str(day)}
                values = ["api" if column.name == "source" else known[column.postgres_type] for column in columns]
                transaction.execute(insert, values)


def write_batches(warehouse: Warehouse, raw: Path, days: list[date]) -> None:
    with warehouse.transaction() as transaction:
        for day in days:
            path = f"api_video_stats/{day}/{'a' * 16}.parquet"
            (raw / path).parent.mkdir(parents=True)
            (raw / path).write_bytes(b"counts")
            transaction.execute(
                "INSERT INTO raw.batches (endpoint, partition_day, collected_at, path, sha256, bytes, row_count, "
                "source, run_id) VALUES ('api_video_stats', $1, now(), $2, '', 6, 1, 'api', $3::uuid)",
                (day, path, RUN_ID),
            )


def days_left(warehouse: Warehouse) -> dict[str, list[date]]:
    days = {
        name: warehouse.records(f"SELECT DISTINCT {TABLES[name].window}::date AS day FROM {name} ORDER BY 1")
        for name in OF_COUNTS
    }
    return {name: [row["day"] for row in rows] for name, rows in days.items()}


def test_the_amendment_keeps_counts_and_what_is_made_of_them_for_36_months(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Every such table, its raw answers, the notes it is polled by, and the copy that a materialised view is."""
    store, days = RawStore(str(tmp_path / "raw")), [GONE, KEPT]
    write_days(warehouse, days)
    write_batches(warehouse, tmp_path / "raw", days)
    polled = datetime.combine(GONE, time(23), UTC)
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.tracked_videos (video_id, channel_id, discovered_at, stats_polled_at, view_count, "
            "views_per_day) VALUES ('a', 'UC', $1, $1, 12, 3.5)",
            (polled,),
        )
        transaction.execute("UPDATE metrics.channel_snapshots SET view_count = 7")
        transaction.execute(
            "INSERT INTO metrics.channels (channel_id, collected_at, source, is_complete, access, refreshed_at, "
            "run_id, loaded_at) VALUES ($1, $2, 'a file', true, 'import', $2, $3::uuid, now())",
            (str(KEPT), polled, RUN_ID),  # of the channel that the snapshots of that day are of
        )
    refresh(warehouse, RUN_ID)
    shown = "SELECT channel_view_count AS views FROM bi.channel_overview_cached"

    def purge(on: date, mode: PolicyMode = "amended") -> dict[str, int]:
        at = datetime.combine(on, time(0, 10), UTC)
        due = retirement_is_due(warehouse, mode, at)
        removed = retire(warehouse, store, mode, at, RUN_ID)
        assert due == bool(removed)
        return removed

    assert purge(PURGED_ON, "owned") == {}
    assert purge(PURGED_ON - timedelta(days=1)) == {}
    assert set(map(tuple, days_left(warehouse).values())) == {(GONE, KEPT)}
    removed = purge(PURGED_ON)
    assert {name: removed[name] for name in OF_COUNTS} == dict.fromkeys(OF_COUNTS, 1)
    assert (removed["raw.batches"], removed["ops.tracked_videos"]) == (1, 2)
    assert set(map(tuple, days_left(warehouse).values())) == {(KEPT,)}
    assert files(tmp_path / "raw") == {str(KEPT)}
    [notes] = warehouse.records(NOTES)
    assert (notes["view_count"], notes["views_per_day"]) == (None, None)
    assert purge(PURGED_ON) == {}
    assert warehouse.records(shown) == [{"views": 7}]
    removed = purge(PURGED_ON + timedelta(days=1))
    assert {removed[name] for name in OF_COUNTS} == {1}
    assert warehouse.records(shown) == [{"views": None}]
    assert files(tmp_path / "raw") == set()


def test_what_is_made_of_imports_alone_stays_beyond_36_months(warehouse: Warehouse, tmp_path: Path) -> None:
    """The day of the first collection, and days so near before it that they may owe something to it, go."""
    store, began = RawStore(str(tmp_path / "raw")), date(2024, 2, 20)
    alone, near = began - timedelta(days=8), began - timedelta(days=7)
    write_days(warehouse, [alone, near, began])
    with warehouse.transaction() as transaction:
        for name in ("metrics.video_snapshots", "metrics.channel_snapshots"):
            transaction.execute(f"UPDATE {name} SET source = 'a file' WHERE collected_at < $1", (began,))
    write_batches(warehouse, tmp_path / "raw", [began])
    retire(warehouse, store, "amended", datetime.combine(PURGED_ON, time(0, 10), UTC), RUN_ID)
    left = days_left(warehouse)
    assert [left.pop(name) for name in STATISTICS] == [[alone, near]] * 2
    assert set(map(tuple, left.values())) == {(alone,)}


def test_a_sandbox_keeps_everything(warehouse: Warehouse, store: RawStore) -> None:
    assert retire(warehouse, store, "synthetic", NOW, RUN_ID) == {}


def test_an_interrupted_deletion_is_taken_up_again(warehouse: Warehouse, store: RawStore, tmp_path: Path) -> None:
    """The catalogue was told, and the process ended before the files went."""

    class Killed(RawStore):
        def delete(self, path: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retire(warehouse, Killed(str(tmp_path / "raw")), "strict", NOW, RUN_ID)
    assert min(files(tmp_path / "raw")) == str(DAYS.first)
    with warehouse.transaction() as transaction:  # nobody ran it again for a while
        transaction.execute("UPDATE raw.batches SET purged_at = purged_at - interval '60 days'")
    assert retirement_is_due(warehouse, "strict", NOW)
    assert retire(warehouse, store, "strict", NOW, RUN_ID) == {}
    assert min(files(tmp_path / "raw")) == str(first_kept(LAST))
    assert not retirement_is_due(warehouse, "strict", NOW)


def test_a_file_that_was_never_booked_goes_where_answers_do(
    warehouse: Warehouse, store: RawStore, tmp_path: Path
) -> None:
    """Of a pull that was killed: it once stayed for ever, statistics and all. Files of others stay, whatever their age;
    so does what is being stored now, and what may be kept."""
    long_ago, raw = DAYS.first, tmp_path / "raw"
    names = {
        "killed": f"api_videos/{long_ago}/{'a' * 16}.jsonl.zst",
        "half written": f"api_videos/{long_ago}/.{'b' * 16}.jsonl.zst.{'c' * 32}.tmp",
        "just written": f"report_basic/{long_ago}/{'d' * 16}.csv.gz",
        "kept": f"api_videos/{LAST}/{'e' * 16}.jsonl.zst",
        "another's": "accounts/2019.csv",
        "like ours": f"api_videos/{long_ago}/notes.jsonl.zst",
    }
    for what, name in names.items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text("{}")
        at = (NOW - timedelta(hours=1 if what == "just written" else 48)).timestamp()
        os.utime(raw / name, (at, at))

    def left() -> set[str]:
        return {what for what, name in names.items() if name in store.names()}

    retire(warehouse, store, "synthetic", NOW, RUN_ID)
    assert left() == set(names)
    retire(warehouse, store, "owned", NOW, RUN_ID)
    assert left() == {"just written", "kept", "another's", "like ours"}


TRACKED = "INSERT INTO ops.tracked_videos VALUES ($1, 'UC', $2, $2, $3, $3, NULL, 12, 3.5, $4)"
NOTES = "SELECT video_id, published_at, view_count, views_per_day FROM ops.tracked_videos ORDER BY 1"


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        ("strict", {"a": (True, True, False), "b": (False, False, False), "c": (False, True, False)}),
        ("owned", {"a": (True, True, True), "b": (False, True, True), "c": (False, True, True)}),
        ("synthetic", dict.fromkeys("abc", (True, True, True))),
    ],
)
def test_notes_of_tracked_videos_are_kept_no_longer_than_rows(
    warehouse: Warehouse, store: RawStore, mode: PolicyMode, kept: dict[str, tuple[bool, ...]]
) -> None:
    """One polled now, one not for long, one not returned for long. Strict once kept counts here, and made rates."""
    lately, long_ago = NOW - timedelta(days=3), NOW - timedelta(days=35)
    with warehouse.transaction() as transaction:
        for video, polled_at, unreturned_at in (("a", lately, None), ("b", long_ago, None), ("c", lately, long_ago)):
            transaction.execute(TRACKED, (video, long_ago, polled_at, unreturned_at))
    retire(warehouse, store, mode, NOW, RUN_ID)
    found = {
        row.pop("video_id"): tuple(value is not None for value in row.values()) for row in warehouse.records(NOTES)
    }
    assert found == kept
    assert not retirement_is_due(warehouse, mode, NOW)


def test_days_whose_answers_are_gone_are_not_made_anew_from_less(warehouse: Warehouse, store: RawStore) -> None:
    """Neither by the plan nor by a person: rows of statistics that may stay would be lost."""
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE ops.loads SET input_version = 'of older code' WHERE table_name = 'metrics.videos'")
    before = days_of("metrics.videos", stale_ranges(warehouse, LAST))
    retire(warehouse, store, "amended", NOW, RUN_ID)
    purged = "SELECT DISTINCT partition_day AS day FROM raw.batches WHERE endpoint = 'videos' AND purged_at IS NOT NULL"
    rows = warehouse.records(purged)
    gone = {row["day"] for row in rows}
    assert gone
    assert days_of("metrics.videos", stale_ranges(warehouse, LAST)) == before - gone
    for table, parsers in PARSERS:
        if "videos" in parsers:
            with pytest.raises(PurgedError, match=f"Ask for days from {max(gone) + timedelta(days=1)} on"):
                load_from_raw(warehouse, store, table, parsers, DAYS, RUN_ID, silent)


def test_every_table_of_the_warehouse_is_classified(warehouse: Warehouse) -> None:
    """One that is not would be kept for ever, whatever it holds."""
    rows = warehouse.records(
        "SELECT nspname || '.' || relname AS name FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = ANY($1) AND relkind IN ('r', 'p', 'm') AND NOT relispartition",
        (["raw", "metrics", "features", "models", "predictions", "ops", "bi"],),
    )
    assert {row["name"] for row in rows} == set(HOLDS)
