"""Units of quota that a Pacific day of hourly collections takes, as the sandbox's server counts them.

    .venv/bin/python benchmarks/quota_day.py [--days 2]

A first collection finds every video; a second one, a day later, tells how fast each moves. Then polls are moved to
where they would stand after a month of collecting, so that a measured day is like any other. The limits are the real
ones throughout. The server runs in a process of its own and keeps its default of short and empty pages.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import psycopg

from yt_platform.progress import silent
from yt_platform.sandbox import KEY, GeneratedWorld
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.databases import Databases
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.staleness import quota_plan
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.client import YouTubeClient
from yt_platform.youtube.data_api.collecting import Collector
from yt_platform.youtube.data_api.ledger import QuotaLedger
from yt_platform.youtube.data_api.polling import METHODS, Purpose, due_comments, stats_intervals
from yt_platform.youtube.data_api.quota import PACIFIC, Bucket, bucket_of, pacific_day
from yt_platform.youtube.pulls import Origin
from yt_platform.youtube.watchlist import add_channels, tracked_videos

SEED, CHANNELS, VIDEOS, NEW_PER_DAY = 1, 250, 100_000, 500
ALLOWED = {Bucket.DEFAULT: 9_000, Bucket.STATS: 9_000}
EVERYTHING = ("channels", "uploads", "videos", "video_stats", "comments")
BEGINS_AT = datetime(2026, 3, 1, 23, tzinfo=PACIFIC).astimezone(UTC)
"""The first collection; the second is 24 hours later, and measuring begins at the midnight after that."""

ARITHMETIC = {
    Purpose.CHANNELS: 5,
    Purpose.UPLOADS: 3_000,
    Purpose.METADATA: 10 + 84,  # of new videos, and of all again within 30 days
    Purpose.COMMENTS: 1_500,
    Purpose.STATS: 2_000,
}
"""Units a day by the arithmetic of YouTube's documented costs, for this many channels and videos."""


@dataclass
class Rig:
    """A collector's surroundings; `now` is where the server's clock was put."""

    warehouse_url: str
    store: RawStore
    sandbox_url: str
    now: datetime = BEGINS_AT

    def usage(self) -> dict[str, Any]:
        with urlopen(f"{self.sandbox_url}/sandbox/usage") as answer:
            usage: dict[str, Any] = json.load(answer)
        return usage

    def move_to(self, instant: datetime) -> None:
        body = json.dumps({"now": instant.isoformat()}).encode()
        urlopen(Request(f"{self.sandbox_url}/sandbox/clock", body, method="PUT")).close()
        self.now = instant

    def collect(self) -> dict[str, str]:
        """One collection, each asset with a plan of its own as in a run; what quota kept from it, by asset."""
        missing = {}
        for asset in EVERYTHING:
            warehouse = Warehouse(self.warehouse_url)
            with (
                QuotaLedger(self.warehouse_url, ALLOWED, lambda: self.now) as ledger,
                YouTubeClient(KEY, self.sandbox_url, "synthetic", ledger, lambda: self.now, time.sleep) as client,
            ):
                collector = Collector(
                    self.warehouse_url,
                    self.store,
                    client,
                    ledger,
                    quota_plan(warehouse, self.now, ALLOWED),
                    Origin(str(uuid.uuid4()), synthetic=True),
                    pd.Timestamp(self.now),
                    silent,
                )
                collected = getattr(collector, asset)()
            if collected.missing:
                missing[asset] = collected.missing
        return missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=2, help="Pacific days to measure")
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server runs under an account of its own
        databases = Databases(Path(folder) / "home")
        with databases.open() as urls, sandbox(days + 3) as url:
            databases.create()
            migrate(urls.warehouse)
            add_channels(urls.warehouse, channel_ids(), list_fully=True)
            rig = Rig(urls.warehouse, RawStore(str(Path(folder) / "raw")), url)
            set_up(rig)
            for _ in range(days):
                measure_day(rig)
            print_ledger(rig)


@contextmanager
def sandbox(days: int) -> Iterator[str]:
    command = [sys.executable, "-m", "yt_platform.sandbox", "--seed", str(SEED), "--channels", str(CHANNELS)]
    command += ["--videos", str(VIDEOS), "--new-per-day", str(NEW_PER_DAY), "--days", str(days)]
    command += ["--starts-at", BEGINS_AT.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def channel_ids() -> list[str]:
    return GeneratedWorld(SEED, CHANNELS, CHANNELS, 0, BEGINS_AT, 0).channel_ids


def set_up(rig: Rig) -> None:
    for number, instant in enumerate((BEGINS_AT, BEGINS_AT + timedelta(days=1)), start=1):
        rig.move_to(instant)
        before, begun = rig.usage()["calls"], time.monotonic()
        missing = rig.collect()
        calls = dict(Counter(rig.usage()["calls"]) - Counter(before))
        print(f"set-up collection {number}: {time.monotonic() - begun:.0f} s, calls {calls}, missing {missing}")
    spread_metadata_and_comments(rig)
    spread_stats(rig)


def spread_metadata_and_comments(rig: Rig) -> None:
    """As if every video had been found when it was published, and polled whenever that was due."""
    with psycopg.connect(rig.warehouse_url) as connection:
        connection.execute(
            "WITH video AS (SELECT video_id, extract(epoch FROM %(now)s - published_at) AS age FROM ops.tracked_videos)"
            " UPDATE ops.tracked_videos AS tracked SET "
            "metadata_polled_at = %(now)s - make_interval(secs => mod(age, 29 * 86400)::double precision), "
            "comments_polled_at = published_at + CASE WHEN age >= 7 * 86400 THEN interval '7 days' "
            "WHEN age >= 3 * 86400 THEN interval '3 days' WHEN age >= 86400 THEN interval '1 day' END "
            "FROM video WHERE video.video_id = tracked.video_id",
            {"now": rig.now},
        )


def spread_stats(rig: Rig) -> None:
    """As if the last reading of every video lay anywhere within its interval, at its pace."""
    warehouse, now = Warehouse(rig.warehouse_url), pd.Timestamp(rig.now)
    tracked = tracked_videos(warehouse)
    tracked = tracked[tracked["metadata_polled_at"].notna() & tracked["unreturned_at"].isna()]
    units = quota_plan(warehouse, rig.now, ALLOWED).units(Purpose.STATS)
    intervals = stats_intervals(tracked, now, units)
    counts = {f"{pace}": int(count) for pace, count in intervals.value_counts().items()}
    print(f"{len(tracked):,} videos returned; intervals of their counts {counts}")
    seconds = intervals.dt.total_seconds().to_numpy() * np.random.default_rng(SEED).random(len(tracked))
    with psycopg.connect(rig.warehouse_url) as connection:
        connection.execute(
            "UPDATE ops.tracked_videos AS video SET stats_polled_at = %(now)s - make_interval(secs => earlier.seconds),"
            " view_count = greatest(0, view_count - coalesce(views_per_day, 0) * earlier.seconds / 86400) "
            "FROM unnest(%(ids)s::text[], %(seconds)s::double precision[]) AS earlier (id, seconds) "
            "WHERE video.video_id = earlier.id",
            {"now": rig.now, "ids": tracked["video_id"].tolist(), "seconds": seconds.tolist()},
        )


def measure_day(rig: Rig) -> None:
    """The 24 collections of the Pacific day that begins an hour from now."""
    before, begun = Counter(rig.usage()["calls"]), time.monotonic()
    missing: dict[str, str] = {}
    for _ in range(24):
        rig.move_to(rig.now + timedelta(hours=1))
        missing = rig.collect()
    seconds, calls = time.monotonic() - begun, Counter(rig.usage()["calls"]) - before
    tracked = tracked_videos(Warehouse(rig.warehouse_url))
    left = len(due_comments(tracked[tracked["unreturned_at"].isna()], pd.Timestamp(rig.now)))
    print(f"\n{pacific_day(rig.now)} (Pacific), {len(tracked):,} videos tracked at its end, {seconds:.0f} s\n")
    print("| purpose | units counted by the server | arithmetic | ratio |\n|---|---:|---:|---:|")
    totals: Counter[Bucket] = Counter()
    expected: Counter[Bucket] = Counter()
    for purpose, arithmetic in ARITHMETIC.items():
        units = sum(calls.pop(method, 0) for method in METHODS[purpose])
        print_row(purpose, units, arithmetic)
        bucket = bucket_of(METHODS[purpose][0])
        totals[bucket] += units
        expected[bucket] += arithmetic
    for bucket in Bucket:
        print_row(f"all of bucket {bucket}", totals[bucket], expected[bucket])
    print(f"\nother methods: {dict(calls) or 'none'}; videos whose comments are still due: {left}; missing: {missing}")


def print_row(name: str, units: int, arithmetic: int) -> None:
    print(f"| {name} | {units:,} | {arithmetic:,} | {units / arithmetic:.3f} |", flush=True)


def print_ledger(rig: Rig) -> None:
    rows = Warehouse(rig.warehouse_url).records("SELECT pacific_day, bucket, units FROM ops.quota_ledger")
    ledger = {(row["pacific_day"].isoformat(), row["bucket"]): row["units"] for row in rows}
    server = {(row["day"], row["bucket"]): row["units"] for row in rig.usage()["history"]}
    searches = sum(units for (_, bucket), units in server.items() if bucket == "search")
    verdict = "equals" if ledger == server else f"{ledger} DIFFERS FROM"
    print(f"\nledger {verdict} the server's count {server}; units on search: {searches}")


if __name__ == "__main__":
    main()
