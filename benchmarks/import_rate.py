"""Snapshots per second from files to committed rows of metrics.video_snapshots, by stage.

    .venv/bin/python benchmarks/import_rate.py [--history PATH] [--repetitions 3]

Each repetition starts a server in a new home. Rows are validated twice, by the importer and by the contract, and what
is refused goes to quarantine; Dagster, which adds no work per row, is left out.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from yt_platform.history import open_history
from yt_platform.history.importing import import_history
from yt_platform.metrics import parse
from yt_platform.metrics.tables import VIDEO_SNAPSHOTS
from yt_platform.progress import silent
from yt_platform.sample.files import write_snapshots
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.databases import Databases
from yt_platform.warehouse.loading import load_from_raw
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.staleness import FIRST_DAY, batch_days
from yt_platform.warehouse.warehouse import Warehouse, Window

SAMPLE_ROWS, SAMPLE_VIDEOS, SAMPLE_DAYS = 1_000_000, 50_000, 40
Done = TypeVar("Done")


class Stopwatch:
    """Seconds of each stage, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], Done]) -> Done:
        begun = time.perf_counter()
        result = work()
        self.seconds[stage] = time.perf_counter() - begun
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, help="file or folder to import instead of a million generated rows")
    parser.add_argument("--repetitions", type=int, default=3, help="new homes to measure in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server runs under an account of its own
        history = arguments.history or Path(folder) / "history"
        if not arguments.history:
            write_snapshots(history, SAMPLE_ROWS, SAMPLE_VIDEOS, SAMPLE_DAYS)
        runs = [import_once(history, Path(folder) / f"home{n}") for n in range(arguments.repetitions)]
    print_table(runs)


def import_once(history: Path, home: Path) -> tuple[int, int, dict[str, float]]:
    """Snapshots committed, rows refused, and the seconds of each stage."""
    databases, store, run_id = Databases(home), RawStore(str(home / "raw")), str(uuid.uuid4())
    today = datetime.now(UTC).date()
    watch = Stopwatch()
    with databases.open() as urls:
        databases.create()
        migrate(urls.warehouse)
        warehouse = Warehouse(urls.warehouse)
        spool = home / "spool"
        spool.mkdir()
        watch.time("find the rows' days (scan)", lambda: open_history(history).scan(silent))
        imported = watch.time(
            "files to raw batches",
            lambda: import_history(warehouse, store, history, spool, Window(FIRST_DAY, today), run_id, silent),
        )
        days = batch_days(warehouse)
        loaded = watch.time(
            "raw batches to rows",
            lambda: load_from_raw(
                warehouse,
                store,
                VIDEO_SNAPSHOTS,
                {"video_snapshots": parse.video_snapshots},
                Window(days[0], days[-1]),
                run_id,
                silent,
            ),
        )
    return loaded.row_count, imported.rejects + loaded.reject_count, watch.seconds


def print_table(runs: list[tuple[int, int, dict[str, float]]]) -> None:
    rows, rejects, stages = runs[0]
    totals = [sum(seconds.values()) for _, _, seconds in runs]
    total = statistics.median(totals)
    print(f"{rows:,} snapshots committed, {rejects:,} rows refused; medians of {len(runs)}\n")
    print("| stage | seconds | share | snapshots/s |\n|---|---:|---:|---:|")
    for stage in stages:
        seconds = statistics.median(run[2][stage] for run in runs)
        print(f"| {stage} | {seconds:.1f} | {seconds / total:.0%} | {rows / seconds:,.0f} |")
    print(f"| all | {total:.1f} ({min(totals):.1f} to {max(totals):.1f}) | 100% | {rows / total:,.0f} |")


if __name__ == "__main__":
    main()
