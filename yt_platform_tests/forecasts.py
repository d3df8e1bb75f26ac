"""A warehouse with generated readings, features and forecasts, for tests of what follows from forecasts."""

from datetime import date

import numpy as np
import pandas as pd

from yt_platform.core.features import build_video_day
from yt_platform.core.models.naive import NaiveForecaster
from yt_platform.core.schemas.base import Table
from yt_platform.core.schemas.features import VIDEO_DAY
from yt_platform.core.schemas.metrics import VIDEO_DAILY
from yt_platform.core.schemas.predictions import INCREMENTS, VIDEO_FORECAST
from yt_platform.core.tasks import VIDEO_DAY as TASK
from yt_platform.io.loading import book
from yt_platform.io.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID, accepted
from yt_platform_tests.models import generated

CHAMPION = "video_forecaster/1"


def fill(warehouse: Warehouse, videos: int, days: int, first: pd.Timestamp = generated.FIRST) -> Window:
    """Readings and features of generated videos; returns their days."""
    daily, versions = (make(videos, days, first=first) for make in (generated.daily, generated.versions))
    last = first + pd.Timedelta(days=days - 1)
    window = Window(first.date(), last.date())
    put(warehouse, VIDEO_DAILY, daily, window)
    put(warehouse, VIDEO_DAY, accepted(VIDEO_DAY, build_video_day(daily, versions, first, last)), window)
    return window


def forecast(warehouse: Warehouse, window: Window, model_version: str = CHAMPION, scale: float = 1.0) -> None:
    """Forecasts from the days of `window`: naive's, times `scale`, with an interval around them."""
    features = warehouse.read_window(VIDEO_DAY, window)
    rows = (
        NaiveForecaster(TASK, {}, 1).predict(features).rename(columns={"day": "origin_day", "horizon": "horizon_days"})
    )
    noise = np.random.default_rng(3).uniform(0.5, 1.5, len(rows))
    p50 = rows["p50"] * noise * scale
    rows = rows.assign(
        p10=p50 * 0.6, p50=p50, p90=p50 * 1.4, model_version=model_version, channel_id=None, basis=INCREMENTS
    )
    put(warehouse, VIDEO_FORECAST, accepted(VIDEO_FORECAST, rows[VIDEO_FORECAST.column_names]), window)


def put(warehouse: Warehouse, table: Table, frame: pd.DataFrame, window: Window) -> None:
    """Write the rows of `window` and enter them into the books, as a load would."""
    days: dict[date, int] = frame[table.window].dt.date.value_counts().to_dict()
    with warehouse.transaction() as transaction:
        transaction.replace(table, frame, window, RUN_ID)
        for day in window.days:
            book(transaction, table.name, day, "test", days.get(day, 0), RUN_ID)
