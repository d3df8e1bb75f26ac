"""A warehouse with generated readings, features and forecasts, for tests of what follows from forecasts."""

from datetime import date

import numpy as np
import pandas as pd

from yt_platform.features.channels import build_channel_day
from yt_platform.features.hours import build_video_hour
from yt_platform.features.tables import CHANNEL_DAY, VIDEO_DAY, VIDEO_HOUR
from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.forecasters.naive import NaiveForecaster
from yt_platform.forecasting.registered import VIDEO_FORECASTER, ModelSpec
from yt_platform.forecasting.tables import INCREMENTS
from yt_platform.forecasting.tasks import Task
from yt_platform.metrics.readings import video_hourly
from yt_platform.metrics.tables import VIDEO_DAILY
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.loading import book
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.forecasting import generated
from yt_platform_tests.frames import RUN_ID, accepted


def fill(warehouse: Warehouse, videos: int, days: int, first: pd.Timestamp = generated.FIRST) -> Window:
    """Readings and features of generated videos; returns their days."""
    daily, versions = (make(videos, days, first=first) for make in (generated.daily, generated.versions))
    last, window = days_from(first, days)
    put(warehouse, VIDEO_DAILY, daily, window)
    put(warehouse, VIDEO_DAY, accepted(VIDEO_DAY, build_video_day(daily, versions, first, last)), window)
    return window


def fill_hours(warehouse: Warehouse, videos: int, days: int, first: pd.Timestamp = generated.FIRST) -> Window:
    """Features of generated videos that are read hour by hour."""
    last, window = days_from(first, days)
    hourly = video_hourly(generated.read_hourly(videos, days, first=first), first, last)
    put(warehouse, VIDEO_HOUR, accepted(VIDEO_HOUR, build_video_hour(hourly, first, last)), window)
    return window


def fill_channels(warehouse: Warehouse, channels: int, days: int, first: pd.Timestamp = generated.FIRST) -> Window:
    """Features of generated channels."""
    last, window = days_from(first, days)
    read = generated.channel_snapshots(channels, days, first=first)
    put(warehouse, CHANNEL_DAY, accepted(CHANNEL_DAY, build_channel_day(read, first, last)), window)
    return window


def days_from(first: pd.Timestamp, days: int) -> tuple[pd.Timestamp, Window]:
    """The last of so many days, and the window of all."""
    last = first + pd.Timedelta(days=days - 1)
    return last, Window(first.date(), last.date())


def columns_of(task: Task) -> dict[str, str]:
    """What the tables of forecasts call the columns of `Task.row`."""
    return {task.time: f"origin_{task.time}", "horizon": f"horizon_{task.unit}s"}


def forecast(
    warehouse: Warehouse, window: Window, version: int = 1, scale: float = 1.0, spec: ModelSpec = VIDEO_FORECASTER
) -> None:
    """Forecasts from the days of `window`: naive's, times `scale`, with an interval around them."""
    features = warehouse.read_window(spec.features, window)
    rows = NaiveForecaster(spec.task, {}, 1).predict(features).rename(columns=columns_of(spec.task))
    noise = np.random.default_rng(3).uniform(0.5, 1.5, len(rows))
    p50 = rows["p50"] * noise * scale
    rows = rows.assign(p10=p50 * 0.6, p50=p50, p90=p50 * 1.4, model_version=f"{spec.name}/{version}", basis=INCREMENTS)
    rows = rows if "channel_id" in rows else rows.assign(channel_id=None)
    put(warehouse, spec.forecasts, accepted(spec.forecasts, rows[spec.forecasts.column_names]), window)


def put(warehouse: Warehouse, table: Table, frame: pd.DataFrame, window: Window) -> None:
    """Write the rows of `window` and enter them into the books, as a load would."""
    days: dict[date, int] = frame[table.window].dt.date.value_counts().to_dict()
    with warehouse.transaction() as transaction:
        transaction.replace(table, frame, window, RUN_ID)
        for day in window.days:
            book(transaction, table.name, day, "test", days.get(day, 0), RUN_ID)
