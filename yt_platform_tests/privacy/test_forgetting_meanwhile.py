"""Forgetting while the platform goes on collecting and loading, each on connections of its own to a real PostgreSQL.

At this level because what is at stake is the order of their transactions: work that began before a forgetting must not
bring back what that has deleted.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from yt_platform.metrics.parse_api import video_metadata
from yt_platform.metrics.tables import VIDEOS
from yt_platform.privacy.backup import Place
from yt_platform.privacy.forgetting import CHANNEL, forget, search
from yt_platform.progress import silent
from yt_platform.storage.raw import RawStore
from yt_platform.tables.validation import judge
from yt_platform.tombstones.ids import Known
from yt_platform.tombstones.store import pending, tombstones
from yt_platform.warehouse import sessions
from yt_platform.warehouse.databases import DatabaseUrls
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.loading import load_from_raw
from yt_platform.warehouse.sessions import StillSeenError
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID
from yt_platform_tests.privacy.test_forgetting import AT, FORGOTTEN, OTHERS, THEIRS, filled
from yt_platform_tests.youtube.data_api.test_collecting import rigged

IDS = Known([FORGOTTEN], [THEIRS])
PATIENCE_SECONDS = 30


@pytest.fixture
def urls(warehouse_url: str, server: EmbeddedPostgres) -> DatabaseUrls:
    """The warehouse stands for no other database: forgetting goes through each of them, and should once."""
    return DatabaseUrls(warehouse_url, server.url("postgres"), server.url("postgres"), warehouse_url)


@pytest.fixture
def place(urls: DatabaseUrls, tmp_path: Path, server: EmbeddedPostgres) -> Place:
    return replace(filled(urls.warehouse, tmp_path, server.bin_dir), urls=urls)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waits_to_put_up_tombstones(url: str) -> bool:
    with psycopg.connect(url) as connection:
        waiting = "SELECT FROM pg_locks WHERE relation = 'ops.forgotten'::regclass AND NOT granted"
        return connection.execute(waiting).rowcount > 0


def known_videos(url: str) -> list[str]:
    rows = Warehouse(url).records("SELECT video_id FROM metrics.videos ORDER BY 1")
    return [row["video_id"] for row in rows]


def test_a_collection_that_began_before_tracks_nothing_of_the_channel(
    urls: DatabaseUrls, tmp_path: Path, server: EmbeddedPostgres
) -> None:
    """Videos of its listing were once tracked again: they are stored with those of the channels listed after it."""
    with rigged(urls.warehouse, str(tmp_path / "raw"), channels=2, videos=30) as rig:
        rig.collect("channels")
        first, second = rig.channel_ids()
        (tmp_path / "artifacts").mkdir()
        place = Place(urls, RawStore(rig.raw_url), tmp_path / "artifacts", server.bin_dir, tmp_path)

        def forget_the_first(done: int, total: int | None, what: str) -> None:
            if done == 1:  # its uploads are listed, and not stored yet
                assert not rig.rows("SELECT FROM ops.tracked_videos")
                forget(place, [], CHANNEL, first, silent)

        with rig.collector(forget_the_first) as collector:
            assert collector.uploads().forgotten
        assert rig.rows("SELECT DISTINCT channel_id FROM ops.tracked_videos") == [{"channel_id": second}]
        theirs = [str(name) for name in rig.sandbox.world.uploads(first, rig.now().timestamp()) or ()]
        assert theirs
        assert search(place, [], Known([first], theirs), silent) == []


def test_a_load_that_read_its_file_before_brings_nothing_back(place: Place) -> None:
    url, day = place.urls.warehouse, Window(AT.date(), AT.date())
    has_read, may_write = Event(), Event()

    def parse(raw: pa.Table) -> pd.DataFrame:
        frame = video_metadata(raw)
        has_read.set()
        assert may_write.wait(PATIENCE_SECONDS)
        return frame

    def rows_are_deleted() -> bool:
        return not Warehouse(url).records("SELECT FROM ops.tracked_videos WHERE video_id = $1", (THEIRS,))

    with ThreadPoolExecutor(2) as threads:
        parsers = {"api_videos": parse}
        loading = threads.submit(load_from_raw, Warehouse(url), place.raw, VIDEOS, parsers, day, RUN_ID, silent)
        assert has_read.wait(PATIENCE_SECONDS)
        forgetting = threads.submit(forget, place, [], CHANNEL, FORGOTTEN, silent)
        until(rows_are_deleted)
        may_write.set()
        loading.result(PATIENCE_SECONDS)
        forgetting.result(PATIENCE_SECONDS)
    assert known_videos(url) == [OTHERS]
    assert search(place, [], IDS, silent) == []


def test_what_is_being_stored_is_waited_for_and_deleted(place: Place) -> None:
    url = place.urls.warehouse
    [stored] = Warehouse(url).records("SELECT path, sha256 FROM raw.batches WHERE endpoint = 'api_videos'")
    frame = video_metadata(place.raw.read_table(**stored))
    with ThreadPoolExecutor(1) as threads:
        with Warehouse(url).transaction() as transaction:
            transaction.upsert(VIDEOS, judge(VIDEOS, frame).accepted, RUN_ID)
            forgetting = threads.submit(forget, place, [], CHANNEL, FORGOTTEN, silent)
            until(lambda: waits_to_put_up_tombstones(url))
            assert FORGOTTEN not in tombstones(Warehouse(url))
        forgetting.result(PATIENCE_SECONDS)
    assert known_videos(url) == [OTHERS]
    assert search(place, [], IDS, silent) == []


def snapshot(url: str) -> psycopg.Connection:
    """A session whose transaction goes on seeing what was there when it began, and locks nothing."""
    connection = psycopg.connect(url, options="-c default_transaction_isolation=repeatable\\ read")
    connection.execute("SELECT 1")
    return connection


def test_an_older_transaction_is_waited_for_before_success_is_claimed(place: Place, server: EmbeddedPostgres) -> None:
    """Success was claimed while rows and their files stayed, as a rewritten table keeps what a snapshot still sees."""
    url, waited = place.urls.warehouse, Event()

    def progress(done: int, total: int | None, what: str) -> None:
        if "older transactions" in what:
            waited.set()

    with ThreadPoolExecutor(1) as threads, snapshot(url) as older:
        forgetting = threads.submit(forget, place, [], CHANNEL, FORGOTTEN, progress)
        assert waited.wait(PATIENCE_SECONDS)
        assert not forgetting.done()
        older.rollback()
        forgetting.result(PATIENCE_SECONDS)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert row
    assert server.data
    files = [server.data / "base" / str(row[0]), server.data / "pg_wal"]
    assert search(place, files, IDS, silent) == []


def test_what_goes_on_seeing_it_is_named_and_the_ids_stay_pending(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SNAPSHOT_PATIENCE_SECONDS", 1)
    url = place.urls.warehouse
    with snapshot(url) as older:
        with pytest.raises(StillSeenError, match=f"process {older.info.backend_pid} .*role youtube.*in a transaction"):
            forget(place, [], CHANNEL, FORGOTTEN, silent)
        assert set(pending(Warehouse(url)).values()) == {"channel", "video"}
        assert THEIRS in {row[0] for row in older.execute("SELECT video_id FROM ops.tracked_videos")}
    forget(place, [], CHANNEL, FORGOTTEN, silent)
    assert pending(Warehouse(url)) == {}


def test_ids_in_the_planners_statistics_are_found(place: Place) -> None:
    with psycopg.connect(place.urls.warehouse, autocommit=True) as connection:
        connection.execute("INSERT INTO ops.writers SELECT %s || n FROM generate_series(1, 50) AS n", (FORGOTTEN,))
        connection.execute("ANALYZE ops.writers")
        connection.execute("DELETE FROM ops.writers")
    assert "the planner's statistics of database youtube" in search(place, [], IDS, silent)
    forget(place, [], CHANNEL, FORGOTTEN, silent)
    assert search(place, [], IDS, silent) == []
