"""A table of one's own is a declaration, a function and a test: what the platform then does with it by itself.

On a copy of the repository, in processes of their own: the catalogue of tables is made at import.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from yt_platform.metrics import tables as declarations

REPOSITORY = Path(__file__).resolve().parents[2]

DECLARATION = """

VIDEO_BESTS = Table(
    name="metrics.video_bests",
    description="One row per video and UTC day: the most views it gained on a day of the week up to it.",
    key=("video_id", "day"),
    write=Write.REPLACE,
    window="day",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="1",
    inputs=(Input("metrics.video_daily", lookback_days=6),),
    made_by="yt_platform.video_bests:video_bests",
    schema=table_schema(
        {
            "video_id": owner_id("YouTube video id", pattern=VIDEO_ID),
            "day": day("Last day of the week"),
            "best_view_increment": count(
                "Most views gained on a day of the week", "views", nullable=True, minimum=None
            ),
        }
    ),
)
"""

FUNCTION = '''
"""The best day of a video's week."""

import pandas as pd


def video_bests(daily: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    weeks = []
    for day in pd.date_range(first, last):
        week = daily[daily["day"].between(day - pd.Timedelta(days=6), day)]
        bests = week.groupby("video_id", as_index=False)["view_increment"].max()
        weeks.append(bests.rename(columns={"view_increment": "best_view_increment"}).assign(day=day))
    return pd.concat(weeks)[["video_id", "day", "best_view_increment"]]
'''

USE = """
import sys
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from dagster import AssetKey, materialize

import yt_platform
from yt_platform.build import build_defs
from yt_platform.tombstones.ids import columns_of_warehouse
from yt_platform.monitoring.freshness import outdated
from yt_platform.catalog.lineage import stale_versions
from yt_platform.progress import silent
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_SNAPSHOTS
from yt_platform.warehouse.loading import load_from_tables
from yt_platform.warehouse.migrations import migrate
from yt_platform.storage.raw import RawStore
from yt_platform.privacy.retention import retire
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.settings import Settings
from yt_platform.tables.validation import judge
from yt_platform.warehouse.structure import missing
from yt_platform_tests.frames import RUN_ID, snapshot, snapshots

NAME, FIRST, LAST = "metrics.video_bests", date(2026, 1, 1), date(2026, 1, 4)
url, raw = sys.argv[1:]
assert yt_platform.__file__.startswith(sys.path[1]), yt_platform.__file__
migrate(url)
assert missing(url) == ""
warehouse, days = Warehouse(url), Window(FIRST, LAST)
readings = [snapshot(f"{day} 03:00", views) for day, views in zip(days.days, (0, 10, 90, 100), strict=True)]
with warehouse.transaction() as transaction:
    transaction.write(VIDEO_SNAPSHOTS, judge(VIDEO_SNAPSHOTS, snapshots(*readings)).accepted, days, RUN_ID)
load_from_tables(warehouse, VIDEO_DAILY, VIDEO_DAILY.maker, days, RUN_ID, silent)

# Dagster makes it, after what it is made from
defs = build_defs(
    Settings(_env_file=None), {"warehouse": warehouse, "raw_store": RawStore(raw), "progress": silent}
)
asset = defs.get_assets_def(AssetKey(NAME.split(".")))
assert {".".join(key.path) for key in asset.dependency_keys} == {VIDEO_DAILY.name}
graph = defs.resolve_asset_graph()
assert "fresh" in {key.name for key in graph.asset_check_keys if key.asset_key == asset.key}
result = materialize(
    [asset], resources=defs.resources, selection=[asset],
    tags={"dagster/asset_partition_range_start": str(FIRST), "dagster/asset_partition_range_end": str(LAST)},
)
assert result.success
found = warehouse.records(f"SELECT best_view_increment AS n FROM {NAME} ORDER BY day")
assert [row["n"] for row in found] == [None, 10, 80, 80], found

# stale when a day before it changes, too old after 50 hours, gone in the mode that derives nothing, forgotten by id
changed = {"raw.video_snapshots": {FIRST: "new"}}
assert NAME in stale_versions(changed, {}, [LAST])[LAST]
assert outdated({NAME: timedelta(hours=51)}) == {NAME: timedelta(hours=50)}
assert retire(warehouse, RawStore(raw), "strict", datetime(2026, 1, 5, tzinfo=UTC), RUN_ID)[NAME] == 4
assert columns_of_warehouse(NAME).owners == {"video_id"}
"""


def run(arguments: list[str | Path], clone: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(clone), "YT_HOME": str(clone / "home"), "DAGSTER_HOME": ""}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository's code, with the new declaration and the new function."""
    for folder in ("yt_platform", "yt_platform_tests", "sql", "scripts"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / Path(declarations.__file__).relative_to(REPOSITORY)).open("a") as file:
        file.write(DECLARATION)
    (tmp_path / "yt_platform" / "video_bests.py").write_text(FUNCTION)
    return tmp_path


def test_a_new_table_is_a_declaration_and_a_function(clone: Path, database_url: str, warehouse_url: str) -> None:
    written = run(["scripts/make_migration.py", "video_bests", "--database", database_url], clone)
    [new] = {path.name for path in (clone / "sql/migrations").glob("*")} - {
        path.name for path in (REPOSITORY / "sql/migrations").glob("*")
    }
    assert f"wrote sql/migrations/{new}: read it" in written
    assert "## metrics.video_bests" in run(["scripts/data_dictionary.py"], clone)
    (clone / "use.py").write_text(USE)
    run(["use.py", warehouse_url, clone / "raw"], clone)


def test_a_name_that_is_no_name_of_a_file_is_refused() -> None:
    command = [sys.executable, "scripts/make_migration.py", "../x"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'../x' is no name of a file" in done.stderr
