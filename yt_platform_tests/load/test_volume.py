"""Millions of rows from files to the committed table, by the platform's own runs.

At this level because only a whole process, its Dagster runs included, shows whether memory follows the size.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yt_platform.sample.generator import synthetic_video_ids
from yt_platform_tests.conftest import REPOSITORY, reachable_folder

pytestmark = pytest.mark.slow

ROWS_A_DAY = 50_000
LAST_DAY = date(2026, 3, 1)

# VmHWM, not ru_maxrss: the latter starts from what the process that was forked held.
IMPORT_AND_LOAD = """
import json, re, sys
from pathlib import Path
from yt_platform.progress import silent
from yt_platform.orchestration.jobs import REFRESH
from yt_platform.warehouse.staleness import batch_days
from yt_platform.warehouse.warehouse import Window
from yt_platform.local import Runs, import_path, open_platform
from yt_platform.settings import load_settings

with open_platform(load_settings()) as platform:
    runs = Runs(platform, silent)
    import_path(platform, runs, Path(sys.argv[1]), silent)
    days = batch_days(platform.warehouse)
    runs.launch(REFRESH, Window(days[0], days[-1]), frozenset({"metrics.video_snapshots"}))
    found = platform.warehouse.records(
        "SELECT count(*) AS rows, count(DISTINCT video_id) AS videos, sum(view_count)::bigint AS views, "
        "count(DISTINCT collected_at::date) AS days, (SELECT count(*) FROM ops.quarantine) AS refused "
        "FROM metrics.video_snapshots"
    )[0]
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps(found | {"peak_kb": int(peak)}))
"""


@pytest.mark.parametrize(
    ("few_days", "many_days"), [(80, 160), pytest.param(80, 400, marks=pytest.mark.nightly, id="twenty million rows")]
)
def test_many_rows_take_the_memory_of_few(tmp_path: Path, few_days: int, many_days: int) -> None:
    few, many = (imported_and_loaded(tmp_path / str(days), days) for days in (few_days, many_days))
    assert many["peak_kb"] < 1.15 * few["peak_kb"]


def imported_and_loaded(folder: Path, days: int) -> dict[str, int]:
    views = write_days(folder, days)
    # on the disk: gigabytes of a database are no matter for a file system in memory
    with reachable_folder(Path(tempfile.gettempdir())) as base:
        process = subprocess.run(
            [sys.executable, "-c", IMPORT_AND_LOAD, str(folder)],
            cwd=base,
            env={**os.environ, "YT_HOME": str(base / "home"), "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, int] = json.loads(process.stdout)
    counts = {name: found[name] for name in ("rows", "videos", "views", "days", "refused")}
    rows = ROWS_A_DAY * days
    assert counts == {"rows": rows, "videos": ROWS_A_DAY, "views": views, "days": days, "refused": 0}
    return found


def write_days(folder: Path, days: int) -> int:
    """One file for every 20 days, a reading of each video on each day in random order; returns the sum of views."""
    folder.mkdir()
    random = np.random.default_rng(days)
    ids = synthetic_video_ids(1, ROWS_A_DAY)
    total = 0
    for start in range(0, days, 20):
        first = np.datetime64(LAST_DAY - timedelta(days=days - 1 - start), "s")
        day, video = np.divmod(random.permutation(20 * ROWS_A_DAY), ROWS_A_DAY)
        views = random.integers(0, 10**9, len(day))
        total += int(views.sum())
        pd.DataFrame(
            {
                "video_id": ids[video],
                "region": "",
                "collected_at": pd.to_datetime(first + 86_400 * day + random.integers(0, 86_400, len(day)), utc=True),
                "view_count": views,
                "like_count": views // 30,
                "comment_count": views // 500,
            }
        ).to_parquet(folder / f"{start:04}.parquet", index=False)
    return total
