"""Anomalies of a real warehouse: that the queries read what the detectors need, and no more than the days asked for."""

import numpy as np
import pandas as pd

from yt_platform.forecasting.tables import VIDEO_FORECAST
from yt_platform.metrics.readings import video_daily, video_hourly
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_HOURLY
from yt_platform.monitoring.anomalies_store import find_anomalies
from yt_platform.monitoring.tables import ANOMALIES
from yt_platform.progress import silent
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID, accepted, snapshot, snapshots

HOURLY, DAILY = "hourlyvideo", "daily_video"
FIRST, LAST = pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-10")


def fill(warehouse: Warehouse) -> None:
    """Ten days of a video read every hour that spikes on the 9th, and of one read daily that falls that day."""
    hours = pd.date_range(FIRST, periods=240, freq="h")
    counts = 1_000 + 100 * np.arange(240) + np.where(np.arange(240) >= 200, 5_000, 0)
    rows = [snapshot(str(at), int(n), video_id=HOURLY) for at, n in zip(hours, counts, strict=True)]
    days = pd.date_range(FIRST, LAST)
    daily = [10_000, 11_000, 12_000, 13_000, 14_000, 15_000, 16_000, 17_000, 16_150, 60_000]
    rows += [snapshot(f"{at:%Y-%m-%d} 03:30", n, video_id=DAILY) for at, n in zip(days, daily, strict=True)]
    made, window = snapshots(*rows), Window(FIRST.date(), LAST.date())
    forecast = {
        "video_id": DAILY,
        "origin_day": pd.Timestamp("2026-01-09"),
        "horizon_days": 1,
        "target": "views",
        "model_version": "m-1",
        "channel_id": None,
        "p10": 0.0,
        "p50": 1_000.0,
        "p90": 4_385.0,
        "basis": "increments",
    }
    with warehouse.transaction() as transaction:
        transaction.replace(VIDEO_DAILY, accepted(VIDEO_DAILY, video_daily(made, FIRST, LAST)), window, RUN_ID)
        transaction.replace(VIDEO_HOURLY, accepted(VIDEO_HOURLY, video_hourly(made, FIRST, LAST)), window, RUN_ID)
        forecasts = pd.DataFrame([forecast]).reindex(columns=VIDEO_FORECAST.column_names)
        transaction.upsert(VIDEO_FORECAST, accepted(VIDEO_FORECAST, forecasts), RUN_ID)


def found(warehouse: Warehouse) -> set[tuple[str, ...]]:
    rows = warehouse.records("SELECT video_id, series, kind, severity, at::date::text AS day FROM ops.anomalies")
    return {tuple(row.values()) for row in rows}


def test_what_happened_is_found_by_its_kind_and_once(warehouse: Warehouse) -> None:
    fill(warehouse)
    window = Window(FIRST.date(), LAST.date())
    find_anomalies(warehouse, window, RUN_ID, silent)
    expected = {
        (HOURLY, "hourly", "spike", "high", "2026-01-09"),
        (HOURLY, "hourly", "zscore", "high", "2026-01-09"),
        (DAILY, "daily", "fall", "high", "2026-01-09"),
        (DAILY, "daily", "spike", "high", "2026-01-10"),
        (DAILY, "daily", "growth", "high", "2026-01-10"),
    }
    assert found(warehouse) == expected
    views = warehouse.records("SELECT count(*) AS n FROM bi.anomalies WHERE severity = 'high'")
    assert views[0]["n"] == len(expected)


def test_a_day_alone_gives_the_same_rows_and_leaves_other_days(warehouse: Warehouse) -> None:
    fill(warehouse)
    find_anomalies(warehouse, Window(FIRST.date(), LAST.date()), RUN_ID, silent)
    before = warehouse.read(f"SELECT {', '.join(ANOMALIES.column_names)} FROM ops.anomalies ORDER BY 1, 2, 3, 4")
    for day in (LAST.date(), (LAST - pd.Timedelta(days=1)).date()):
        loaded = find_anomalies(warehouse, Window(day, day), RUN_ID, silent)
        assert loaded.row_count in (2, 3)
    after = warehouse.read(f"SELECT {', '.join(ANOMALIES.column_names)} FROM ops.anomalies ORDER BY 1, 2, 3, 4")
    pd.testing.assert_frame_equal(before, after)
