"""Forgetting in a real PostgreSQL and raw store: interrupted at every step, repeated, refused."""

import gzip
import itertools
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from yt_platform.history.importing import ImportRefusedError, import_history
from yt_platform.privacy.backup import Place, back_up
from yt_platform.privacy.forgetting import AUTHOR, CHANNEL, ForgettingRefusedError, forget, forget_again, search
from yt_platform.progress import silent
from yt_platform.storage.endpoints import CHANNEL_SNAPSHOTS
from yt_platform.storage.raw import UNFINISHED, Answer, RawFile, RawStore
from yt_platform.storage.scratch import spool as spool_folder
from yt_platform.tombstones.ids import Known
from yt_platform.tombstones.store import TombstoneError, bring_back, bury, save, tombstones
from yt_platform.warehouse.databases import DatabaseUrls
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.pulls import Origin, Pull
from yt_platform.youtube.reporting_api.files import keep, spool
from yt_platform.youtube.reporting_api.reports import ReportHead
from yt_platform.youtube.watchlist import WatchListError, add_channels
from yt_platform_tests.frames import RUN_ID

FORGOTTEN, OTHER, AUTHOR_ID = (f"UC{letter * 22}" for letter in "fox")
THEIRS, RAW_ONLY, NEW, OTHERS = "theirVideo1", "theirVideo2", "theirVideo3", "video-of_ot"
AT = datetime(2026, 3, 1, tzinfo=UTC)


def answer(method: str, *items: object) -> Answer:
    body = json.dumps({"items": items})
    return Answer("api", "api_key", AT, method, {"part": "id,snippet"}, body)


def video(video_id: str, channel: str, description: str = "") -> dict[str, object]:
    return {"id": video_id, "snippet": {"channelId": channel, "title": "t", "description": description}}


def catalogue(url: str, endpoint: str, file: RawFile) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO raw.batches (source, endpoint, partition_day, collected_at, path, sha256, bytes, row_count, "
            "run_id) VALUES ('api', %s, %s, %s, %s, %s, %s, %s, %s)",
            (endpoint, AT.date(), AT, file.path, file.sha256, file.bytes, file.rows, RUN_ID),
        )


def filled(url: str, raw: Path, programs: Path) -> Place:
    """A warehouse and a raw store that name the channel wherever it is possible; its own dagster and mlflow too."""
    store = RawStore(str(raw / "raw"))
    batches = {
        "api_videos": [
            answer("videos.list", video(THEIRS, FORGOTTEN), video(OTHERS, OTHER, f"like /channel/{FORGOTTEN}")),
            answer("videos.list", video(OTHERS, OTHER)),
        ],
        "api_uploads": [
            answer(
                "playlistItems.list",
                {"id": "x", "snippet": {"channelId": FORGOTTEN}, "contentDetails": {"videoId": RAW_ONLY}},
            )
        ],
        "api_video_stats": [answer("videos.batchGetStats", {"id": RAW_ONLY}, {"id": OTHERS})],
    }
    (raw / "artifacts").mkdir()
    (raw / "logs").mkdir()
    (raw / "logs" / "run.log").write_text(f"begin\nskipped {THEIRS}\nend\n")
    with psycopg.connect(url) as connection:
        for endpoint, answers in batches.items():
            file = store.write_answers(endpoint, AT.date(), answers)
            catalogue(url, endpoint, file)
        tracked = "INSERT INTO ops.tracked_videos (video_id, channel_id, discovered_at) VALUES (%s, %s, %s)"
        connection.cursor().executemany(tracked, [(THEIRS, FORGOTTEN, AT), (OTHERS, OTHER, AT)])
        watched = "INSERT INTO ops.watched_channels (reference, channel_id, failure) VALUES (%s, %s, %s)"
        connection.cursor().executemany(
            watched, [("@theirs", FORGOTTEN, None), ("@others", OTHER, f"it is not {FORGOTTEN}")]
        )
        connection.execute(
            "INSERT INTO ops.quarantine (table_name, origin, reason, record, run_id) VALUES ('raw.history', 'a.csv', "
            "'no time', %s, %s)",
            (json.dumps({"text": f"{RAW_ONLY},a title"}), RUN_ID),
        )
    return Place(DatabaseUrls(url, url, url, url), store, raw / "artifacts", programs, raw)


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path, server: EmbeddedPostgres) -> Place:
    return filled(warehouse_url, tmp_path, server.bin_dir)


def logs(place: Place) -> list[Path]:
    return [place.artifacts.parent / "logs"]


def state(place: Place) -> list[object]:
    """What is kept: the catalogue, the files, and the rows that named the channel."""
    with psycopg.connect(place.urls.warehouse) as connection:
        rows = [
            connection.execute(query.encode()).fetchall()
            for query in (
                "SELECT batch_id, path, sha256, row_count, supersedes FROM raw.batches ORDER BY 1",
                "SELECT video_id FROM ops.tracked_videos ORDER BY 1",
                "SELECT reference, failure FROM ops.watched_channels ORDER BY 1",
                "SELECT count(*) FROM ops.quarantine",
                "SELECT kind, pending FROM ops.forgotten ORDER BY 1",
            )
        ]
    return [rows, place.raw.names(), (logs(place)[0] / "run.log").read_text()]


IDS = Known([FORGOTTEN], [THEIRS, RAW_ONLY])


def test_what_names_the_channel_goes_and_the_rest_stays(place: Place) -> None:
    assert search(place, logs(place), IDS, silent)
    done = forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    assert (done.videos, done.raw_files) == (2, 3)
    assert search(place, logs(place), IDS, silent) == []
    rows, names, log = state(place)
    assert len(names) == 3
    batches, tracked, watched, (quarantined,), buried = rows
    assert [row[3] for row in batches] == [2, 0, 1]
    assert all(supersedes and supersedes != sha256 for _, _, sha256, _, supersedes in batches)
    assert tracked == [(OTHERS,)]
    assert watched == [("@others", f"it is not UC{'*' * 22}")]
    assert quarantined == (0,)
    assert log == f"begin\nskipped {'*' * 11}\nend\n"
    assert buried == [("channel", None), ("video", None), ("video", None)]
    kept = place.raw.read_table(*batches[0][1:3])["body"].to_pylist()
    assert json.loads(kept[0])["items"] == [video(OTHERS, OTHER, f"like /channel/UC{'*' * 22}")]
    assert json.loads(kept[1])["items"] == [video(OTHERS, OTHER)]


def test_the_files_of_tables_hold_nothing_of_it_even_of_rows_that_were_deleted_before(
    place: Place, server: EmbeddedPostgres
) -> None:
    """As removing the channel from the watch list does, and retention: the bytes stay until the table is rewritten."""
    with psycopg.connect(place.urls.warehouse) as connection:
        connection.execute("DELETE FROM ops.watched_channels")
        (oid,) = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        connection.execute("CHECKPOINT")
    base = server.log_folder.parent / "base" / str(oid)

    def holding() -> list[str]:
        return [path.name for path in base.iterdir() if b"@theirs" in path.read_bytes()]

    assert holding()
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    assert holding() == []


def test_a_report_is_written_anew_line_by_line(place: Place, tmp_path: Path) -> None:
    rows = [f"20260101,{FORGOTTEN},{NEW}", f"20260101,{OTHER},{OTHERS}", f"20260101,,{NEW}"]
    lines = ["{}", "date,channel_id,video_id", *rows, ""]
    (tmp_path / "report").write_bytes(gzip.compress("\n".join(lines).encode()))
    file = place.raw.write_report("report_basic", AT.date(), tmp_path / "report", 2)
    catalogue(place.urls.warehouse, "report_basic", file)
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    (path,) = (name for name in place.raw.names() if name.startswith("report_basic"))
    assert "".join(place.raw.report_lines(path)).splitlines() == [*lines[:2], rows[1]]
    batch = state(place)[0][0][3]
    assert (batch[1], batch[3], batch[4]) == (path, 1, file.sha256)


def test_what_retention_deleted_before_is_in_nobodys_way(place: Place) -> None:
    """Its file was looked for, and every forgetting a month after the first pull ended there."""
    with psycopg.connect(place.urls.warehouse) as connection:
        gone = connection.execute(
            "UPDATE raw.batches SET purged_at = now() WHERE endpoint = 'api_uploads' RETURNING path"
        ).fetchall()
    for (path,) in gone:
        place.raw.delete(path)
    assert forget(place, logs(place), CHANNEL, FORGOTTEN, silent).raw_files


def test_forgetting_again_finds_nothing_and_changes_nothing(place: Place) -> None:
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    before = state(place)
    assert forget(place, logs(place), CHANNEL, FORGOTTEN, silent).nothing
    assert state(place) == before


class InterruptedHereError(RuntimeError): ...


def interrupted_at(step: int) -> Callable[[int, int | None, str], None]:
    steps = iter(range(step + 1))

    def progress(done: int, total: int | None, what: str) -> None:
        if next(steps) == step:
            raise InterruptedHereError

    return progress


@pytest.mark.parametrize("step", [1, 4, 6, 8])
def test_an_interrupted_forgetting_is_made_whole_by_the_next(
    place: Place, step: int, server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At every step that reports progress: videos from raw files, files rewritten, each database."""
    with pytest.raises(InterruptedHereError):
        forget(place, logs(place), CHANNEL, FORGOTTEN, interrupted_at(step))
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    assert search(place, logs(place), IDS, silent) == []
    rows, names, _ = state(place)
    assert [row[3] for row in rows[0]] == [2, 0, 1]
    assert len(names) == 3
    assert {pending for _, pending in rows[4]} == {None}


def test_a_file_no_catalogue_knows_goes_where_it_names_the_channel(place: Place) -> None:
    """Of a collection that was killed before its commit, or of a forgetting before it deleted the old file."""
    theirs = place.raw.write_answers("api_comments", AT.date(), [answer("videos.list", video(THEIRS, FORGOTTEN))])
    others = place.raw.write_answers("api_comments", AT.date(), [answer("videos.list", video(OTHERS, OTHER))])
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    assert theirs.path not in place.raw.names()
    assert others.path in place.raw.names()


def test_files_of_others_in_the_raw_folder_stop_nothing_and_are_searched(place: Place) -> None:
    """A file manager's, say: they are no batches, and not the platform's to delete."""
    root = place.artifacts.parent / "raw"
    (root / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1\xff")
    (root / "notes.txt").write_text(f"ask {FORGOTTEN}")
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    assert search(place, logs(place), IDS, silent) == ["raw file notes.txt"]
    assert (root / ".DS_Store").exists()


HELD_UP = """
import sys
from yt_platform.storage import raw

def copy(data, file, size):
    file.write(data.read())
    file.flush()
    print(flush=True)
    sys.stdin.read(1)

raw.shutil.copyfileobj = copy
raw.RawStore(sys.argv[1]).put_bytes(sys.argv[2], "", sys.argv[3].encode())
"""


def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(place: Place) -> None:
    """By the lock of a process that lives: without the file it has begun a collection fails."""
    root = place.artifacts.parent / "raw"
    killed, alive = (
        subprocess.Popen(
            [sys.executable, "-c", HELD_UP, str(root), f"api_videos/{name}", FORGOTTEN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("killed", "alive")
    )
    for process in (killed, alive):
        assert process.stdout
        assert process.stdout.readline()
    killed.kill()
    killed.communicate()
    assert len(list(root.rglob(f".*{UNFINISHED}"))) == 2
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    (left,) = root.rglob(f".*{UNFINISHED}")
    assert left.name.startswith(".alive")
    alive.communicate(b"x")
    assert (alive.returncode, (root / "api_videos" / "alive").read_text()) == (0, FORGOTTEN)


def test_an_author_who_is_a_kept_channel_is_refused(place: Place) -> None:
    with pytest.raises(ForgettingRefusedError, match=f"forget --channel {FORGOTTEN}"):
        forget(place, logs(place), AUTHOR, FORGOTTEN, silent)
    assert FORGOTTEN not in tombstones(Warehouse(place.urls.warehouse))


def test_an_id_of_which_nothing_is_stored_is_left_out_of_what_comes(place: Place) -> None:
    done = forget(place, logs(place), AUTHOR, AUTHOR_ID, silent)
    assert done.nothing
    assert AUTHOR_ID in tombstones(Warehouse(place.urls.warehouse))
    assert OTHER not in tombstones(Warehouse(place.urls.warehouse))


def test_what_a_restore_brings_back_is_forgotten_again(place: Place, tmp_path: Path) -> None:
    """The backup is older than the forgetting, and its warehouse knows neither hashes nor their salt."""
    warehouse = Warehouse(place.urls.warehouse)
    bury(warehouse, CHANNEL, [FORGOTTEN])
    save(warehouse, tmp_path)
    with psycopg.connect(place.urls.warehouse) as connection:
        connection.execute("DELETE FROM ops.forgotten")
        connection.execute("UPDATE ops.forgotten_salt SET salt = 'another'")
    assert forget_again(place, logs(place), silent) is None
    bring_back(warehouse, tmp_path)
    again = forget_again(place, logs(place), silent)
    assert again
    assert (again.videos, again.raw_files) == (2, 3)
    assert search(place, logs(place), IDS, silent) == []
    assert forget_again(place, logs(place), silent) is None
    bring_back(warehouse, tmp_path)
    bring_back(warehouse, tmp_path / "artifacts")
    assert [kind for kind, _ in state(place)[0][4]] == ["channel", "video", "video"]


def test_hashes_of_another_platform_are_not_mixed_in(place: Place, tmp_path: Path) -> None:
    warehouse = Warehouse(place.urls.warehouse)
    bury(warehouse, CHANNEL, [FORGOTTEN])
    save(warehouse, tmp_path)
    with psycopg.connect(place.urls.warehouse) as connection:
        connection.execute("UPDATE ops.forgotten_salt SET salt = 'another'")
    with pytest.raises(TombstoneError, match="another platform"):
        bring_back(warehouse, tmp_path)


def test_a_pull_keeps_nothing_of_what_was_forgotten(warehouse_url: str, tmp_path: Path) -> None:
    """A comment by a forgotten author comes with every poll of another channel's video."""
    bury(Warehouse(warehouse_url), AUTHOR, [AUTHOR_ID])
    store = RawStore(str(tmp_path))
    written = [
        {"id": f"Ug{author}", "snippet": {"videoId": OTHERS, "channelId": OTHER, "authorChannelId": {"value": author}}}
        for author in (AUTHOR_ID, OTHER)
    ]
    with Pull(warehouse_url, store, "api_comments", Origin(RUN_ID, False), 1, "videos", silent) as pull:
        pull.keep([answer("comments.list", *written), answer("comments.list", written[0])], [])
    assert (pull.collected.answers, pull.collected.forgotten) == (1, 2)
    (name,) = store.names()
    (body,) = store.read_unchecked(name)["body"].to_pylist()
    assert json.loads(body)["items"] == written[1:]


def test_an_import_leaves_out_what_was_forgotten_and_says_how_much(warehouse_url: str, tmp_path: Path) -> None:
    warehouse = Warehouse(warehouse_url)
    bury(warehouse, CHANNEL, [FORGOTTEN])
    rows = [{"source": "test", "channel_id": name, "collected_at": AT, "view_count": 1} for name in (FORGOTTEN, OTHER)]
    (tmp_path / "in").mkdir()
    (tmp_path / "spool").mkdir()
    table = pa.Table.from_pylist(rows, schema=CHANNEL_SNAPSHOTS.schema)
    pq.write_table(table, tmp_path / "in" / "channel_snapshots.parquet")
    store, days = RawStore(str(tmp_path / "raw")), Window(AT.date(), AT.date())
    stored = import_history(warehouse, store, tmp_path / "in", tmp_path / "spool", days, RUN_ID, silent)
    assert (sum(stored.rows.values()), stored.rejects, stored.forgotten) == (1, 0, 1)
    (name,) = store.names()
    assert store.read_unchecked(name)["channel_id"].to_pylist() == [OTHER]
    assert [row["path"] for row in warehouse.records("SELECT path FROM raw.batches")] == [name]


def test_a_file_that_is_named_after_what_was_forgotten_is_refused(warehouse_url: str, tmp_path: Path) -> None:
    """Its name would be kept in the catalogue and with the run, rows of others or not."""
    warehouse = Warehouse(warehouse_url)
    bury(warehouse, CHANNEL, [FORGOTTEN])
    (tmp_path / "in").mkdir()
    rows = [{"source": "test", "channel_id": OTHER, "collected_at": AT, "view_count": 1}]
    table = pa.Table.from_pylist(rows, schema=CHANNEL_SNAPSHOTS.schema)
    pq.write_table(table, tmp_path / "in" / f"{FORGOTTEN}.parquet")
    store, days = RawStore(str(tmp_path / "raw")), Window(AT.date(), AT.date())
    for path in (tmp_path / "in", tmp_path / "in" / f"{FORGOTTEN}.parquet"):
        with pytest.raises(ImportRefusedError, match=r"\*{22}\.parquet is named after .*: rename it") as raised:
            import_history(warehouse, store, path, tmp_path, days, RUN_ID, silent)
        assert FORGOTTEN not in str(raised.value)
    assert store.names() == []
    assert warehouse.records("SELECT name FROM raw.imports") == []


ASIDE = """
import sys
from pathlib import Path
from yt_platform.storage.scratch import scratch

with scratch(Path(sys.argv[1])) as folder:
    (folder / "videos.arrow").write_text(sys.argv[2])
    print(flush=True)
    sys.stdin.read(1)
"""


def test_what_a_killed_import_put_aside_is_gone_and_what_a_living_one_has_is_told(place: Place) -> None:
    """By processes: what they hold, and what they leave when they are killed, is of the system."""
    killed, alive = (
        subprocess.Popen(
            [sys.executable, "-c", ASIDE, str(place.home), FORGOTTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    )
    for process in (killed, alive):
        assert process.stdout
        assert process.stdout.readline()
    killed.kill()
    killed.communicate()
    assert len(list(spool_folder(place.home).iterdir())) == 2
    forget(place, logs(place), CHANNEL, FORGOTTEN, silent)
    (left,) = spool_folder(place.home).iterdir()
    assert search(place, [spool_folder(place.home)], IDS, silent) == [str(left / "videos.arrow")]
    alive.communicate(b"x")
    assert (alive.returncode, list(spool_folder(place.home).iterdir())) == (0, [])


def test_a_backup_that_was_killed_is_deleted(place: Place, tmp_path: Path) -> None:
    """Nobody would look for it: it is hidden, and no manifest says until when it may be kept."""
    with pytest.raises(InterruptedHereError):
        back_up(place, tmp_path / "saved", 30, interrupted_at(3))
    hidden = tmp_path / ".saved.incomplete"
    assert (hidden / "youtube.dump").exists()
    assert forget(place, logs(place), CHANNEL, FORGOTTEN, silent).backups == []
    assert not hidden.exists()
    back_up(place, tmp_path / "saved", 30, silent)
    assert forget(place, logs(place), CHANNEL, FORGOTTEN, silent).backups == [tmp_path / "saved"]


def test_a_forgotten_channel_is_not_watched_again(warehouse_url: str) -> None:
    bury(Warehouse(warehouse_url), CHANNEL, [FORGOTTEN])
    with pytest.raises(WatchListError, match="forgotten on request"):
        add_channels(warehouse_url, [OTHER, FORGOTTEN], list_fully=False)
    assert add_channels(warehouse_url, [OTHER], list_fully=False) == 1


def test_a_report_is_stored_without_rows_of_what_was_forgotten(warehouse_url: str, tmp_path: Path) -> None:
    """A content owner's reports go on naming the channel."""
    bury(Warehouse(warehouse_url), CHANNEL, [FORGOTTEN])
    head = ReportHead("me", "content_owner_basic_a4", "job", "report", AT, AT, AT, "api")
    text = f"date,channel_id,video_id\n20260228,{FORGOTTEN},{NEW}\n20260228,{OTHER},{OTHERS}\n"
    spooled = spool(head, [text.encode()], False, tmp_path / "spooled")
    store = RawStore(str(tmp_path / "raw"))
    assert keep(warehouse_url, store, spooled, Origin(RUN_ID, False))
    (name,) = store.names()
    assert [line.rstrip() for line in store.report_lines(name)][2:] == [f"20260228,{OTHER},{OTHERS}"]
    assert Warehouse(warehouse_url).records("SELECT path, row_count FROM raw.batches") == [
        {"path": name, "row_count": 1}
    ]


def test_a_line_without_end_takes_no_memory_to_leave_out(warehouse_url: str, tmp_path: Path) -> None:
    """100 kB that unfold to 100 MB: once anything was forgotten, they were held four times over."""
    bury(Warehouse(warehouse_url), CHANNEL, [FORGOTTEN])
    head = ReportHead("me", "channel_basic_a3", "job", "report", AT, AT, AT, "api")
    body = itertools.chain(
        [b"date,channel_id,video_id\n"], itertools.repeat(b"a" * (1 << 20), 100), [b"\n20260228,,\n"]
    )
    spooled = spool(head, body, False, tmp_path / "spooled")
    store = RawStore(str(tmp_path / "raw"))
    tracemalloc.start()
    assert keep(warehouse_url, store, spooled, Origin(RUN_ID, False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
    (name,) = store.names()
    assert list(store.report_lines(name))[1:] == ["date,channel_id,video_id\n", "\n", "20260228,,\n"]
