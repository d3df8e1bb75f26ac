"""When a forecast is scored, and when again: on a real Postgres, as the books and the rows must agree."""

from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd
import pytest

from yt_platform.forecasting.accuracy_store import accuracy_due, score_forecasts
from yt_platform.forecasting.registered import CHANNEL_FORECASTER, VIDEO_FORECASTER, VIDEO_HOUR_FORECASTER, ModelSpec
from yt_platform.forecasting.tables import FORECAST_ACCURACY
from yt_platform.metrics.tables import VIDEO_DAILY
from yt_platform.progress import silent
from yt_platform.warehouse.migrations import SQL_FOLDER
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.forecasts import fill, fill_channels, fill_hours, forecast, put
from yt_platform_tests.frames import RUN_ID


@pytest.fixture
def days(warehouse: Warehouse) -> Window:
    """Twelve days of readings, with forecasts from the fourth only."""
    window = fill(warehouse, videos=30, days=12)
    origin = window.days[3]
    forecast(warehouse, Window(origin, origin))
    return window


def due(warehouse: Warehouse, until: date, spec: ModelSpec = VIDEO_FORECASTER) -> list[date]:
    return [day for window in accuracy_due(spec, warehouse, until) for day in window.days]


def test_a_day_is_due_once_its_readings_are_there_and_no_more_once_scored(warehouse: Warehouse, days: Window) -> None:
    origin = days.days[3]
    targets = [origin + timedelta(days=ahead) for ahead in (1, 3, 7)]
    assert due(warehouse, days.last) == targets
    assert due(warehouse, targets[1]) == targets[:2]
    for window in accuracy_due(VIDEO_FORECASTER, warehouse, days.last):
        score_forecasts(VIDEO_FORECASTER, warehouse, window, RUN_ID, silent)
    assert due(warehouse, days.last) == []
    scored = warehouse.records(f"SELECT DISTINCT origin_day, target_day FROM {FORECAST_ACCURACY.name} ORDER BY 2")
    assert scored == [{"origin_day": origin, "target_day": target} for target in targets]


@pytest.mark.parametrize(("changed", "again"), [(3, [4, 6, 10]), (6, [6]), (5, []), (11, [])])
def test_late_readings_make_due_what_they_are_an_end_of(
    changed: int, again: list[int], warehouse: Warehouse, days: Window
) -> None:
    score_forecasts(VIDEO_FORECASTER, warehouse, days, RUN_ID, silent)
    late = Window(days.days[changed], days.days[changed])
    rows = warehouse.read_window(VIDEO_DAILY, late)
    put(warehouse, VIDEO_DAILY, rows.assign(view_count=rows["view_count"] + 1_000_000), late)
    assert due(warehouse, days.last) == [days.days[n] for n in again]
    before = _total(warehouse)
    for window in accuracy_due(VIDEO_FORECASTER, warehouse, days.last):
        score_forecasts(VIDEO_FORECASTER, warehouse, window, RUN_ID, silent)
    assert (_total(warehouse) != before) == bool(again)
    assert due(warehouse, days.last) == []


def _total(warehouse: Warehouse) -> int:
    return int(
        warehouse.records(f"SELECT sum(actual) AS n FROM {FORECAST_ACCURACY.name} WHERE target = 'views'")[0]["n"]
    )


def test_forecasts_of_another_model_are_scored_beside_the_first(warehouse: Warehouse, days: Window) -> None:
    score_forecasts(VIDEO_FORECASTER, warehouse, days, RUN_ID, silent)
    origin = Window(days.days[3], days.days[3])
    forecast(warehouse, origin, 2, scale=3.0)
    assert len(due(warehouse, days.last)) == 3
    score_forecasts(VIDEO_FORECASTER, warehouse, days, RUN_ID, silent)
    rows = warehouse.records(f"SELECT model_version, count(*) AS n FROM {FORECAST_ACCURACY.name} GROUP BY 1 ORDER BY 1")
    assert [row["model_version"] for row in rows] == ["video_forecaster/1", "video_forecaster/2"]
    assert rows[0]["n"] == rows[1]["n"] > 0


def test_the_last_hour_of_a_day_is_scored_with_the_next(warehouse: Warehouse) -> None:
    """Forecasts of an hour ahead have their outcome on the day of their origin, and from 23:00 on the day after."""
    spec = VIDEO_HOUR_FORECASTER
    days = fill_hours(warehouse, videos=10, days=4)
    origins = Window(days.days[1], days.days[1])
    forecast(warehouse, origins, spec=spec)
    assert due(warehouse, days.last, spec) == days.days[1:3]
    assert due(warehouse, days.days[1], spec) == [days.days[1]]
    for window in accuracy_due(spec, warehouse, days.last):
        score_forecasts(spec, warehouse, window, RUN_ID, silent)
    assert due(warehouse, days.last, spec) == []
    scored = warehouse.read_window(spec.accuracy, days)
    assert set(scored["target_hour"] - scored["origin_hour"]) == {pd.Timedelta(hours=1)}
    late = scored[scored["target_hour"].dt.date == days.days[2]]
    assert set(late["origin_hour"].dt.hour) == {23}
    assert len(scored) > len(late) > 0


def test_channels_are_scored_beside_videos(warehouse: Warehouse, days: Window) -> None:
    """Each model has a record and books of its own."""
    fill_channels(warehouse, channels=5, days=12)
    origin = Window(days.days[3], days.days[3])
    forecast(warehouse, origin, spec=CHANNEL_FORECASTER)
    assert due(warehouse, days.last, CHANNEL_FORECASTER) == [days.days[4], days.days[10]]
    score_forecasts(CHANNEL_FORECASTER, warehouse, days, RUN_ID, silent)
    assert due(warehouse, days.last, CHANNEL_FORECASTER) == []
    assert len(due(warehouse, days.last)) == 3
    assert warehouse.read_window(FORECAST_ACCURACY, days).empty


def test_a_scored_row_that_was_never_forecast_is_found(warehouse: Warehouse, days: Window) -> None:
    """Backtests must not enter the record."""
    query = (SQL_FOLDER / "checks" / FORECAST_ACCURACY.name / "rows_are_forecasts.sql").read_text()
    score_forecasts(VIDEO_FORECASTER, warehouse, days, RUN_ID, silent)
    assert warehouse.records(query, days.bounds) == []
    with warehouse.transaction() as transaction:
        transaction.execute(
            f"INSERT INTO {FORECAST_ACCURACY.name} SELECT video_id, origin_day - 2, horizon_days, target, "
            "'video_forecaster/1', target_day - 2, channel_id, p10, p50, p90, actual, naive, error, within80, basis, "
            f"run_id, loaded_at FROM {FORECAST_ACCURACY.name} LIMIT 1"
        )
    assert [row["origin_day"] for row in warehouse.records(query, days.bounds)] == [days.days[1]]


@pytest.mark.parametrize(
    ("spec", "fill_days"),
    [(VIDEO_HOUR_FORECASTER, fill_hours), (CHANNEL_FORECASTER, fill_channels)],
    ids=["hours", "channels"],
)
def test_readers_and_checks_know_every_record(
    spec: ModelSpec, fill_days: Callable[[Warehouse, int, int], Window], warehouse: Warehouse
) -> None:
    query = (SQL_FOLDER / "checks" / spec.accuracy.name / "rows_are_forecasts.sql").read_text()
    days = fill_days(warehouse, 10, 10)
    forecast(warehouse, days, spec=spec)
    score_forecasts(spec, warehouse, days, RUN_ID, silent)
    rows = warehouse.read_window(spec.accuracy, days)
    seen = warehouse.read(f"SELECT * FROM bi.{spec.accuracy.short_name}")
    assert len(seen) == len(rows) > 0
    assert seen["absolute_error"].sum() == pytest.approx(rows["error"].abs().sum())
    assert warehouse.records(query, days.bounds) == []
    with warehouse.transaction() as transaction:
        transaction.execute(f"UPDATE {spec.accuracy.name} SET p50 = p50 + 1")
    assert len(warehouse.records(query, days.bounds)) == len(rows)


def test_readers_see_error_and_coverage(warehouse: Warehouse, days: Window) -> None:
    score_forecasts(VIDEO_FORECASTER, warehouse, days, RUN_ID, silent)
    seen = warehouse.read("SELECT * FROM bi.forecast_accuracy")
    rows = warehouse.read_window(FORECAST_ACCURACY, days)
    assert len(seen) == len(rows) > 0
    assert seen["absolute_error"].sum() == pytest.approx(rows["error"].abs().sum())
    assert pd.Series(seen["within80"]).mean() == rows["within80"].mean()
