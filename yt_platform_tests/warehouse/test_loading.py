"""Loading a table's days, against Postgres: what lands in the table, in quarantine and in the books is one thing."""

from collections.abc import Mapping

import pandas as pd

from yt_platform.core.metrics import video_daily
from yt_platform.core.progress import silent
from yt_platform.core.schemas.metrics import VIDEO_DAILY
from yt_platform.io.loading import load_from_tables
from yt_platform.io.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID, snapshot, snapshots


def refused_rows(_: Mapping[str, pd.DataFrame], first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """One row a day with an impossible count of views."""
    readings = snapshots(*(snapshot(f"{day:%Y-%m-%d} 03:00", 10) for day in pd.date_range(first, last)))
    return video_daily(readings, first, last).assign(view_count=-1)


def test_rows_refused_again_replace_those_refused_before(warehouse: Warehouse) -> None:
    """They once carried no day, so that every rerun added them anew."""
    days = pd.date_range("2026-01-01", "2026-01-03").date
    for _ in range(2):
        for window in (Window(days[0], days[1]), Window(days[2], days[2])):
            loaded = load_from_tables(warehouse, VIDEO_DAILY, refused_rows, window, RUN_ID, silent)
            assert (loaded.row_count, loaded.rejects) == (0, len(window.days))
    found = warehouse.records("SELECT partition_day FROM ops.quarantine ORDER BY partition_day")
    assert [row["partition_day"] for row in found] == list(days)
