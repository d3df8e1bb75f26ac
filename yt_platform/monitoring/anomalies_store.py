"""Anomalies into the warehouse: what the detectors of `monitoring/anomalies.py` read, and their findings written by
day."""

from datetime import timedelta

import pandas as pd

from yt_platform.metrics.steps import DAILY, HOURLY
from yt_platform.monitoring.anomalies import READINGS_A_DAY, find
from yt_platform.monitoring.tables import ANOMALIES
from yt_platform.progress import Progress
from yt_platform.warehouse.loading import Loaded, load_in_chunks
from yt_platform.warehouse.warehouse import Warehouse, Window

_ONE_STEP = timedelta(hours=DAILY.longest)

_DAYS = """
SELECT video_id, day, collected_at, view_count,
    CASE WHEN day >= $3 THEN channel_id END AS channel_id,
    CASE WHEN day >= $3 THEN published_at END AS published_at,
    CASE WHEN day >= $3 THEN like_count END AS like_count,
    CASE WHEN day >= $3 THEN comment_count END AS comment_count
FROM metrics.video_daily
WHERE day BETWEEN $1 AND $2
"""
"""Long series of views alone: of a hundred days of 100,000 videos, the other columns are read of the last nine."""

_HOURS = """
SELECT video_id, collected_at, channel_id, view_count, like_count, comment_count
FROM metrics.video_hourly
WHERE hour >= $1 AND hour < $2 AND video_id IN (
    SELECT video_id FROM metrics.video_hourly
    WHERE hour >= $3 AND hour < $2
    GROUP BY video_id, (hour AT TIME ZONE 'UTC')::date
    HAVING count(*) >= $4
)
"""
"""Of videos with so many hours on a day that they may be sub-daily."""

_FORECASTS = """
SELECT DISTINCT ON (video_id, origin_day) video_id, origin_day + 1 AS day, p90
FROM predictions.video_forecast
WHERE target = 'views' AND horizon_days = 1 AND origin_day BETWEEN $1::date - 1 AND $2::date - 1
ORDER BY video_id, origin_day, loaded_at DESC, model_version DESC
"""
"""The newest forecast from each day. They are no versioned input: one made late changes the days judged after it."""


def find_anomalies(warehouse: Warehouse, window: Window, run_id: str, progress: Progress) -> Loaded:
    """`ops.anomalies` of the days of `window`."""
    return load_in_chunks(warehouse, ANOMALIES, lambda chunk: _found(warehouse, chunk), window, run_id, progress)


def _found(warehouse: Warehouse, window: Window) -> pd.DataFrame:
    begin, end = window.reaching(HOURLY.loaded_days).bounds
    day_before = window.reaching(1).bounds[0]
    days = window.reaching(DAILY.loaded_days)
    daily = warehouse.read(_DAYS, (days.first, days.last, window.first - _ONE_STEP))
    hourly = warehouse.read(_HOURS, (begin, end, day_before, (READINGS_A_DAY + 1) // 2))
    forecasts = warehouse.read(_FORECASTS, (window.first, window.last))
    return find(daily, hourly, forecasts, pd.Timestamp(window.first), pd.Timestamp(window.last))
