"""What happens when data comes late or again: each test starts from an imported sample and adds to it."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from yt_platform.local import Platform, RunFailedError, Runs, import_path
from yt_platform.orchestration.jobs import REFRESH
from yt_platform.progress import silent
from yt_platform.storage.endpoints import VIDEO_SNAPSHOTS
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Window

pytestmark = pytest.mark.stage("made")

LAST_DAY = date(2026, 3, 1)
DAY = date(2026, 2, 10)
UNTOUCHED = {"metrics.videos", "metrics.video_versions", "metrics.channels", "features.channel_day"}
CSV = "timestamp,video_id,view_count,like_count,comment_count\n"


def test_synthetic_and_real_data_do_not_mix(made: Platform, runs: Runs, tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text(CSV + "2026-02-10T05:00:00Z,dQw4w9WgXcQ,5,1,1\n")
    with pytest.raises(RunFailedError, match="holds synthetic data"):
        import_path(made, runs, real, silent)
    assert made.warehouse.records("SELECT count(*) AS n FROM raw.batches WHERE NOT synthetic") == [{"n": 0}]


def test_late_data_makes_only_what_it_touches(made: Platform, runs: Runs) -> None:
    """A batch of a past day, as a slow collector would store it, changes that day's tables and the features after."""
    known = made.warehouse.records(
        "SELECT video_id, channel_id, view_count, collected_at FROM metrics.video_snapshots "
        "WHERE collected_at >= $1::date AND collected_at < $1::date + 1 LIMIT 1",
        (DAY,),
    )[0]
    row = {
        **known,
        "source": "synthetic",
        "region": "XX",
        "view_count": known["view_count"] + 1,
        "like_zero_is_missing": False,
        "comment_zero_is_missing": False,
    }
    stored = made.raw_store.write_table(
        "video_snapshots", DAY, pa.Table.from_pylist([row], schema=VIDEO_SNAPSHOTS.schema)
    )
    with made.warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO raw.batches (source, endpoint, partition_day, collected_at, path, sha256, bytes, row_count, "
            "synthetic, original_name, original_sha256, run_id) "
            "SELECT 'import', 'video_snapshots', $1, now(), $2, $3, 1, 1, true, 'late', '', run_id "
            "FROM raw.batches LIMIT 1",
            (DAY, stored.path, stored.sha256),
        )
    before = made.warehouse.records("SELECT count(*) AS n FROM metrics.video_snapshots")[0]["n"]
    ranges = stale_ranges(made.warehouse, LAST_DAY)
    assert ranges[0][0] == Window(DAY, LAST_DAY)  # its counts may show that later zeros stand for missing
    assert {"metrics.video_snapshots", "metrics.video_daily", "features.video_day"} <= ranges[0][1]
    assert not any("metrics.video_snapshots" in tables for _, tables in ranges[1:])
    assert not any(tables & UNTOUCHED for _, tables in ranges)
    for window, tables in ranges:
        runs.launch(REFRESH, window, tables)
    assert stale_ranges(made.warehouse, LAST_DAY) == []
    assert made.warehouse.records("SELECT count(*) AS n FROM metrics.video_snapshots")[0]["n"] == before + 1
    daily = made.warehouse.records(
        "SELECT view_count, region_count FROM metrics.video_daily WHERE video_id = $1 AND day = $2",
        (known["video_id"], DAY),
    )
    assert daily == [{"view_count": known["view_count"] + 1, "region_count": 1}]
    versions = made.warehouse.records(
        "SELECT batch_ids FROM ops.loads WHERE table_name = 'metrics.video_snapshots' AND partition_day = $1", (DAY,)
    )
    assert len(versions[0]["batch_ids"]) == 2
