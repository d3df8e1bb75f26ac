"""Scored forecasts, which SQL makes, against the same rule in pandas, by which backtests are scored."""

import pandas as pd

from yt_platform.core.evaluate import actuals
from yt_platform.core.models.naive import NaiveForecaster
from yt_platform.core.progress import silent
from yt_platform.core.schemas.features import VIDEO_DAY
from yt_platform.core.schemas.metrics import VIDEO_DAILY
from yt_platform.core.schemas.predictions import FORECAST_ACCURACY
from yt_platform.core.tasks import VIDEO_DAY as TASK
from yt_platform.io.accuracy import score_forecasts
from yt_platform.io.warehouse import Warehouse, Window
from yt_platform_tests.forecasts import fill, forecast
from yt_platform_tests.frames import RUN_ID

ACROSS_A_CHANGE_OF_VIEWS = pd.Timestamp("2026-08-12")


def test_python_and_sql_agree(warehouse: Warehouse) -> None:
    """With gaps, counts that fall, hidden likes, and a change of what counts as a view amid the days."""
    window = fill(warehouse, videos=60, days=24, first=ACROSS_A_CHANGE_OF_VIEWS)
    forecast(warehouse, window)
    score_forecasts(warehouse, window, RUN_ID, silent)
    found = warehouse.read_window(FORECAST_ACCURACY, window).sort_values(list(FORECAST_ACCURACY.key), ignore_index=True)

    expected = _by_pandas(warehouse, window).sort_values(list(FORECAST_ACCURACY.key), ignore_index=True)
    assert len(expected) > 3000
    assert set(expected["target"]) == set(TASK.targets)
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False)


def _by_pandas(warehouse: Warehouse, window: Window) -> pd.DataFrame:
    names = {"day": "origin_day", "horizon": "horizon_days"}
    happened = actuals(TASK, warehouse.read_window(VIDEO_DAILY, window)).rename(columns=names)
    naive = NaiveForecaster(TASK, {}, 1).predict(warehouse.read_window(VIDEO_DAY, window)).rename(columns=names)
    keys = [names.get(name, name) for name in TASK.row]
    rows = warehouse.read("SELECT * FROM predictions.video_forecast").drop(columns=["run_id", "loaded_at"])
    rows = rows.merge(happened, on=keys).merge(naive[[*keys, "p50"]].rename(columns={"p50": "naive"}), on=keys)
    rows["target_day"] = rows["origin_day"] + pd.to_timedelta(rows["horizon_days"].astype("int64"), unit="D")
    rows["error"] = rows["p50"] - rows["actual"]
    rows["within80"] = (rows["p10"] <= rows["actual"]) & (rows["actual"] <= rows["p90"])
    return rows[FORECAST_ACCURACY.column_names]
