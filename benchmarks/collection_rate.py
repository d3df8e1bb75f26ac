"""Megabytes of stored API answers a second, from raw files to committed tables, beside a hand-written load.

    .venv/bin/python benchmarks/collection_rate.py [--megabytes 1000] [--repetitions 3]

The answers are the sandbox's, in the proportions of a day of 250 channels, 100,000 videos and 500 new ones: 5 calls of
channels.list, 90 of videos.list, 2,000 of videos.batchGetStats and 1,500 for comments, over and over with other videos
and instants. Pages of uploads are left out, as no table is made from them. Megabytes are those of the bodies, each
counted once however many tables are made from it. Dagster, which adds no work per row, is left out.

The hand-written load reads every file once, trusts it (no hash, contract or quarantine), takes the values off in plain
loops and writes them by the same statements. Both must leave the same rows.
"""

import argparse
import itertools
import multiprocessing
import os
import re
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import adbc_driver_postgresql.dbapi as adbc
import orjson
import pandas as pd
import psycopg
import pyarrow as pa

from yt_platform.metrics.defs import PARSERS
from yt_platform.metrics.parse_api import next_page_token, threads
from yt_platform.metrics.tables import (
    CHANNEL_SNAPSHOTS,
    CHANNELS,
    COMMENTS,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
    VIDEOS,
)
from yt_platform.metrics.view_definition import view_definition
from yt_platform.progress import silent
from yt_platform.sandbox import KEY, GeneratedWorld, Sandbox
from yt_platform.sandbox.sandbox import Request
from yt_platform.storage.endpoints import TIMESTAMP
from yt_platform.storage.raw import Answer, RawStore
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.databases import Databases
from yt_platform.warehouse.loading import ROWS_AT_ONCE, Parser, batches_of, load_from_raw
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.warehouse import STAGE, Transaction, Warehouse, Window, _insert_statement, _on_conflict
from yt_platform.youtube.data_api.collecting import CHANNEL_PARTS, STATS_PARTS, VIDEO_PARTS
from yt_platform.youtube.data_api.polling import IDS_PER_CALL
from yt_platform.youtube.pulls import ANSWERS_PER_COMMIT, Origin, Pull

BEGINS_AT = datetime(2026, 3, 2, tzinfo=UTC)
WINDOW = Window(BEGINS_AT.date(), BEGINS_AT.date())
RUN_ID = str(uuid.UUID(int=0))
CALLS = {"api_channels": 1, "api_videos": 18, "api_video_stats": 400, "api_comments": 300}
"""Calls of a slice, a fifth of a day's, which is collected at one instant; slices are a minute apart."""

TABLES = [table for table, _ in PARSERS]
MB = 1e6


# The answers.


class Slices:
    """Answers for the raw store, slice by slice; `body_bytes` counts those stored, by endpoint."""

    def __init__(self, url: str, store: RawStore) -> None:
        self.body_bytes: Counter[str] = Counter()
        self._url, self._store = url, store
        world = GeneratedWorld(seed=1, channels=250, videos=100_000, new_per_day=500, starts_at=BEGINS_AT, days=1)
        self._sandbox = Sandbox(world, BEGINS_AT, limits={"default": 10**9, "batchGetStats": 10**9})
        at = BEGINS_AT.timestamp()
        videos = [video for channel in world.channel_ids for video in world.uploads(channel, at) or ()]
        states = sorted(world.videos(videos, at), key=lambda video: -video.published_at)
        grown = [video.video_id for video in states if video.published_at < at - 86_400]
        self._answers = {
            "api_channels": self._of_ids("channels.list", CHANNEL_PARTS, world.channel_ids),
            "api_videos": self._of_ids("videos.list", VIDEO_PARTS, videos),
            "api_video_stats": self._of_ids("videos.batchGetStats", STATS_PARTS, videos),
            "api_comments": self._comments(grown),
        }

    @property
    def megabytes(self) -> float:
        return self.body_bytes.total() / MB

    def store(self, megabytes: float) -> None:
        """Store slices until there are so many megabytes."""
        while self.megabytes < megabytes:
            for endpoint, calls in CALLS.items():
                with Pull(self._url, self._store, endpoint, Origin(RUN_ID, True), calls, "calls", silent) as pull:
                    for answer in itertools.islice(self._answers[endpoint], calls):
                        self.body_bytes[endpoint] += len(answer.body.encode())
                        pull.keep([answer], [])
            self._sandbox.clock.advance(timedelta(minutes=1))

    def _of_ids(self, method: str, parts: str, ids: list[str]) -> Iterator[Answer]:
        for start in itertools.cycle(range(0, len(ids), IDS_PER_CALL)):
            yield from self._ask(method, part=parts, id=",".join(ids[start : start + IDS_PER_CALL]))

    def _comments(self, videos: list[str]) -> Iterator[Answer]:
        for video in itertools.cycle(videos):
            token: dict[str, str] | None = {}
            while token is not None:
                following = None
                for page in self._ask(
                    "commentThreads.list",
                    part="id,snippet,replies",
                    videoId=video,
                    order="time",
                    textFormat="plainText",
                    maxResults="100",
                    **token,
                ):
                    yield page
                    following = next_page_token(page.body)
                    for thread in threads(page.body):
                        if thread.has_more_replies:
                            yield from self._ask(
                                "comments.list",
                                part="id,snippet",
                                parentId=thread.comment_id,
                                textFormat="plainText",
                                maxResults="100",
                            )
                token = {"pageToken": following} if following else None

    def _ask(self, method: str, **parameters: str) -> Iterator[Answer]:
        """The answer, or none where it is an error, as of closed comments."""
        resource, verb = method.split(".")
        path = f"/youtube/v3/{resource}" if verb == "list" else f"/youtube/v3/{resource}:{verb}"
        served = self._sandbox.answer(Request("GET", path, urlencode({**parameters, "key": KEY})))
        if served.status == 200:
            at = self._sandbox.clock.now()
            yield Answer("synthetic", "api_key", at, method, parameters, served.body.decode())


# The platform's load, and what its parts take.


@dataclass
class Measured:
    """A load by a process of its own: seconds by table; by table and part, of which those of the platform overlap;
    those its processor was busy; and its memory in MB before and at its peak."""

    seconds: Counter[str] = field(default_factory=Counter)
    parts: Counter[tuple[str, str]] = field(default_factory=Counter)
    busy_seconds: float = field(default_factory=lambda: -time.process_time())
    before_mb: float = 0.0
    peak_mb: float = 0.0

    def end(self) -> "Measured":
        self.busy_seconds += time.process_time()
        self.peak_mb = memory_mb("VmHWM")
        return self

    @property
    def total(self) -> float:
        return self.seconds.total()


class TimedStore(RawStore):
    """Counts the seconds of reading."""

    seconds = 0.0

    def read_table(self, *arguments: Any) -> pa.Table:
        begun = time.perf_counter()
        try:
            return super().read_table(*arguments)
        finally:
            self.seconds += time.perf_counter() - begun


class TimedWarehouse(Warehouse):
    """Counts the seconds of writing rows."""

    seconds = 0.0

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as transaction:
            upsert = transaction.upsert

            def timed(*arguments: Any) -> int:
                begun = time.perf_counter()
                try:
                    return upsert(*arguments)
                finally:
                    self.seconds += time.perf_counter() - begun

            transaction.upsert = timed
            yield transaction


def platform_load(url: str, raw: str) -> Measured:
    measured = Measured(before_mb=memory_mb("VmRSS"))
    for table, parsers in PARSERS:
        warehouse, store, parsing = TimedWarehouse(url), TimedStore(raw), Counter[str]()
        timed = {endpoint: _timed(parser, endpoint, parsing) for endpoint, parser in parsers.items()}
        begun = time.perf_counter()
        load_from_raw(warehouse, store, table, timed, WINDOW, RUN_ID, silent)
        measured.seconds[table.name] = time.perf_counter() - begun
        parts = {"read": store.seconds, **{f"parse {endpoint}": spent for endpoint, spent in parsing.items()}}
        parts["write"] = warehouse.seconds
        measured.parts.update({(table.name, part): spent for part, spent in parts.items()})
    return measured.end()


def _timed(parser: Parser, endpoint: str, seconds: Counter[str]) -> Parser:
    def parse(raw: pa.Table) -> pd.DataFrame:
        begun = time.perf_counter()
        frame = parser(raw)
        seconds[endpoint] += time.perf_counter() - begun
        return frame

    return parse


# The hand-written load.

Row = tuple[Any, ...]
Add = Callable[[Table, Row], None]
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_REGIME = str(view_definition(pd.Series([pd.Timestamp(BEGINS_AT)]))[0])
_ARROW = {"text": pa.string(), "bigint": pa.int64(), "boolean": pa.bool_(), "timestamp with time zone": TIMESTAMP}


def hand_load(url: str, raw: str) -> Measured:
    measured = Measured(before_mb=memory_mb("VmRSS"))
    rows: dict[str, dict[Row, Row]] = {table.name: {} for table in TABLES}
    keys, newest = _places(lambda table: table.key), _places(lambda table: table.newest)

    def add(table: Table, row: Row) -> None:
        key = _values(row, keys[table.name])
        kept = rows[table.name].get(key)
        if kept is None or _values(row, newest[table.name]) >= _values(kept, newest[table.name]):
            rows[table.name][key] = row

    readers = {
        "api_videos": _videos,
        "api_video_stats": _video_stats,
        "api_channels": _channels,
        "api_comments": _comments,
    }
    all_begun = time.perf_counter()
    with adbc.connect(url) as connection:
        for batch in batches_of(Warehouse(url), list(readers), WINDOW):
            begun = time.perf_counter()
            data = (Path(raw) / batch.path).read_bytes()
            for line in pa.CompressedInputStream(pa.BufferReader(data), "zstd").read().splitlines():
                answer = orjson.loads(line)
                labels = answer["source"], answer["collected_at"], answer["access"]
                readers[batch.endpoint](orjson.loads(answer["body"]).get("items", []), *labels, add)
            measured.parts["all", "read and parse"] += time.perf_counter() - begun
            for table in TABLES:
                if len(rows[table.name]) >= ROWS_AT_ONCE:
                    _write(connection, table, rows[table.name], measured)
        for table in TABLES:
            _write(connection, table, rows[table.name], measured)
        connection.commit()
    measured.seconds["all"] = time.perf_counter() - all_begun
    return measured.end()


def _places(columns_of: Callable[[Table], tuple[str, ...]]) -> dict[str, list[int]]:
    return {table.name: [table.column_names.index(name) for name in columns_of(table)] for table in TABLES}


def _values(row: Row, places: list[int]) -> Row:
    return tuple(row[place] for place in places)


def _write(connection: adbc.Connection, table: Table, rows: dict[Row, Row], measured: Measured) -> None:
    if not rows:
        return
    begun = time.perf_counter()
    columns = {}
    for column, values in zip(table.columns, zip(*rows.values(), strict=True), strict=True):
        kind = _ARROW[column.postgres_type]
        read_as = pa.string() if kind == TIMESTAMP else kind
        columns[column.name] = pa.array(values, read_as).cast(kind)
    ready = pa.table(columns)
    measured.parts[table.name, "columns"] += time.perf_counter() - begun
    begun = time.perf_counter()
    with connection.cursor() as cursor:
        if table.by_month:
            cursor.execute("SELECT ops.ensure_month($1::text::regclass, $2)", (table.name, WINDOW.first.replace(day=1)))
    with connection.cursor() as cursor:
        cursor.adbc_ingest(STAGE, ready, mode="create", temporary=True)
    with connection.cursor() as cursor:
        cursor.execute(_insert_statement(table) + _on_conflict(table), (RUN_ID,))
        cursor.execute(f"DROP TABLE {STAGE}")
    measured.parts[table.name, "write"] += time.perf_counter() - begun
    rows.clear()


def _videos(items: list[Any], source: str, at: str, access: str, add: Add) -> None:
    _video_stats(items, source, at, access, add)
    for item in items:
        snippet, details, status = item["snippet"], item["contentDetails"], item["status"]
        published = snippet.get("publishedAt")
        seconds = _seconds(details.get("duration"))
        short = None
        if seconds is not None and published is not None:
            short = 0 < seconds <= (180 if published >= "2024-10-15" else 60)
        metadata = (
            source,
            snippet.get("channelId"),
            snippet.get("channelTitle"),
            snippet.get("title"),
            snippet.get("description"),
            published,
            seconds,
            snippet.get("categoryId"),
            ",".join(snippet.get("tags", ())) or None,
            snippet.get("defaultLanguage"),
            snippet.get("defaultAudioLanguage"),
            snippet.get("liveBroadcastContent"),
            details.get("definition"),
            details.get("caption") == "true",
            details.get("licensedContent"),
            status.get("embeddable"),
            status.get("madeForKids"),
            short,
            access,
            at,
        )
        add(VIDEOS, (item["id"], at, *metadata))
        add(VIDEO_VERSIONS, (item["id"], at, *metadata))
        named = (snippet.get("channelTitle"), None, None, None, None, None)
        add(CHANNELS, (snippet.get("channelId"), at, source, *named, False, access, at))


def _seconds(duration: str | None) -> int | None:
    found = _DURATION.fullmatch(duration) if duration else None
    if not found:
        return None
    days, hours, minutes, seconds = (int(digits or 0) for digits in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _video_stats(items: list[Any], source: str, at: str, access: str, add: Add) -> None:
    for item in items:
        snippet, statistics_ = item["snippet"], item["statistics"]
        views, likes, comments = (statistics_.get(name) for name in ("viewCount", "likeCount", "commentCount"))
        add(
            VIDEO_SNAPSHOTS,
            (
                source,
                item["id"],
                "",
                at,
                snippet.get("channelId"),
                snippet.get("publishedAt", snippet.get("publishTime")),
                _int(views),
                _int(likes),
                _int(comments),
                likes is not None,
                comments is not None,
                _REGIME,
                access,
                at,
            ),
        )


def _channels(items: list[Any], source: str, at: str, access: str, add: Add) -> None:
    for item in items:
        snippet, counts = item["snippet"], item["statistics"]
        subscribers = None if counts.get("hiddenSubscriberCount") else _int(counts.get("subscriberCount"))
        totals = subscribers, _int(counts.get("viewCount")), _int(counts.get("videoCount"))
        add(CHANNEL_SNAPSHOTS, (source, item["id"], at, *totals, _REGIME, access, at))
        playlist = item["contentDetails"]["relatedPlaylists"]["uploads"]
        record = (
            snippet["title"],
            snippet.get("customUrl"),
            snippet.get("description"),
            snippet.get("country"),
            snippet.get("publishedAt"),
            playlist,
        )
        add(CHANNELS, (item["id"], at, source, *record, True, access, at))


def _comments(items: list[Any], source: str, at: str, access: str, add: Add) -> None:
    for item in items:
        thread = item["snippet"]
        if "topLevelComment" not in thread:
            _comment(item, None, source, at, access, add)
            continue
        _comment(thread["topLevelComment"], thread["totalReplyCount"], source, at, access, add)
        for reply in item.get("replies", {}).get("comments", ()):
            _comment(reply, None, source, at, access, add)


def _comment(item: Any, replies: int | None, source: str, at: str, access: str, add: Add) -> None:
    snippet = item["snippet"]
    add(
        COMMENTS,
        (
            item["id"],
            snippet.get("videoId"),
            snippet.get("parentId"),
            snippet.get("channelId"),
            snippet.get("authorChannelId", {}).get("value"),
            snippet.get("authorDisplayName"),
            snippet["textOriginal"],
            snippet.get("likeCount"),
            replies,
            snippet["publishedAt"],
            snippet["updatedAt"],
            at,
            source,
            access,
            at,
        ),
    )


def _int(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


# Measuring.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1_000, help="of bodies")
    parser.add_argument("--repetitions", type=int, default=3, help="loads to measure, each into empty tables")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server runs under an account of its own
        databases, raw = Databases(Path(folder) / "home"), str(Path(folder) / "raw")
        with databases.open() as urls:
            databases.create()
            migrate(urls.warehouse)
            slices = Slices(urls.warehouse, RawStore(raw))
            slices.store(arguments.megabytes / 4)
            quarter_mb = slices.megabytes
            quarter = apart(platform_load, urls.warehouse, raw, TABLES)
            slices.store(arguments.megabytes)
            platform, hand = [], []
            for _ in range(arguments.repetitions):
                platform.append(apart(platform_load, urls.warehouse, raw, TABLES))
                expected = contents(urls.warehouse, TABLES)
                hand.append(apart(hand_load, urls.warehouse, raw, TABLES))
                found = contents(urls.warehouse, TABLES)
                if found != expected:
                    raise SystemExit(f"the two loads differ: rows and digests\n{expected}\n{found}")
    print_bytes(slices)
    print_platform(slices, platform, {name: rows for name, (rows, _) in expected.items()})
    print_memory(quarter_mb, quarter, slices.megabytes, platform, hand)
    print_hand(slices, platform, hand)


def apart(load: Callable[[str, str], Measured], url: str, raw: str, tables: Sequence[Table]) -> Measured:
    """A load into empty tables by a new process, whose memory is its alone."""
    with psycopg.connect(url, autocommit=True) as connection:
        for name in [*(table.name for table in tables), "ops.loads", "ops.quarantine"]:
            connection.execute(f"TRUNCATE {name}")
        connection.execute("CHECKPOINT")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        measured = pool.submit(load, url, raw).result()
    load_average = os.getloadavg()[0]
    print(
        f"{load.__name__}: {measured.total:.1f} s, busy for {measured.busy_seconds:.1f} s; load {load_average:.1f}",
        flush=True,
    )
    return measured


def memory_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def contents(url: str, tables: Sequence[Table]) -> dict[str, tuple[int, int]]:
    """Number of rows and digest of the contract's columns, by table."""
    found = {}
    with psycopg.connect(url) as connection:
        for table in tables:
            columns = ", ".join(table.column_names)
            query = f"SELECT count(*), coalesce(sum(hashtextextended(({columns})::text, 0)), 0) FROM {table.name}"
            row = connection.execute(query).fetchone()
            assert row
            found[table.name] = row[0], int(row[1])
    return found


def print_bytes(slices: Slices) -> None:
    sizes = ", ".join(f"{endpoint} {size / MB:,.0f}" for endpoint, size in slices.body_bytes.items())
    print(f"{slices.megabytes:,.0f} MB of bodies: {sizes}; {ANSWERS_PER_COMMIT} answers a file at most")


def print_platform(slices: Slices, runs: list[Measured], rows: dict[str, int]) -> None:
    print(f"\nmedians of {len(runs)}, in brackets seconds of parts; writing overlaps the others\n")
    print("| table | rows | MB read | seconds | MB/s |\n|---|---:|---:|---:|---:|")
    for table, parsers in PARSERS:
        megabytes = sum(slices.body_bytes[endpoint] for endpoint in parsers) / MB
        seconds = statistics.median(run.seconds[table.name] for run in runs)
        parts = ", ".join(
            f"{part} {statistics.median(run.parts[table.name, part] for run in runs):.1f}"
            for name, part in runs[0].parts
            if name == table.name
        )
        print(
            f"| {table.name} | {rows[table.name]:,} | {megabytes:,.0f} | {seconds:.1f} ({parts}) "
            f"| {megabytes / seconds:,.1f} |"
        )
    totals = [run.total for run in runs]
    seconds = statistics.median(totals)
    print(
        f"| all | {sum(rows.values()):,} | {slices.megabytes:,.0f} | {seconds:.1f} ({min(totals):.1f} to "
        f"{max(totals):.1f}) | {slices.megabytes / seconds:,.1f} |"
    )


def print_memory(
    quarter_mb: float, quarter: Measured, whole_mb: float, platform: list[Measured], hand: list[Measured]
) -> None:
    print("\n| load | MB of bodies | MB of memory before | at its peak |\n|---|---:|---:|---:|")
    for name, megabytes, run in (
        ("platform", quarter_mb, quarter),
        ("platform", whole_mb, max(platform, key=lambda run: run.peak_mb)),
        ("hand-written", whole_mb, max(hand, key=lambda run: run.peak_mb)),
    ):
        print(f"| {name} | {megabytes:,.0f} | {run.before_mb:,.0f} | {run.peak_mb:,.0f} |")


def print_hand(slices: Slices, platform: list[Measured], hand: list[Measured]) -> None:
    theirs = statistics.median(run.total for run in hand)
    writing = statistics.median(sum(run.parts[name, "write"] for name in rows_of(run)) for run in hand)
    # of neighbours, as both are slowed alike by whatever else the machine does
    ratios = [other.total / ours.total for ours, other in zip(platform, hand, strict=True)]
    print(
        f"\nhand-written: {theirs:.1f} s, {slices.megabytes / theirs:,.1f} MB/s; of it parse "
        f"{theirs - writing:.1f} s and write {writing:.1f} s. The platform reaches {statistics.median(ratios):.2f} of "
        f"it ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    for name in rows_of(hand[0]):
        seconds = statistics.median(run.parts[name, "write"] for run in hand)
        print(f"  write {name}: {seconds:.1f} s")


def rows_of(run: Measured) -> list[str]:
    return [name for name, part in run.parts if part == "write"]


if __name__ == "__main__":
    main()
