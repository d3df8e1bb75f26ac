"""Scored forecasts, which SQL makes, against the same rule in pandas, by which backtests are scored."""

from collections.abc import Callable

import pandas as pd
import pytest

from yt_platform.forecasting.accuracy_store import recent_accuracy, score_forecasts
from yt_platform.forecasting.evaluation import actuals, wape
from yt_platform.forecasting.forecasters.naive import NaiveForecaster
from yt_platform.forecasting.registered import CHANNEL_FORECASTER, VIDEO_FORECASTER, VIDEO_HOUR_FORECASTER, ModelSpec
from yt_platform.panel import floats
from yt_platform.progress import silent
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.forecasts import columns_of, fill, fill_channels, fill_hours, forecast
from yt_platform_tests.frames import RUN_ID

Fill = Callable[[Warehouse], Window]


@pytest.mark.parametrize(
    ("spec", "fill_days", "at_least"),
    [
        pytest.param(VIDEO_FORECASTER, lambda held: fill(held, 60, 24, pd.Timestamp("2026-08-12")), 3000, id="videos"),
        pytest.param(
            CHANNEL_FORECASTER, lambda held: fill_channels(held, 20, 45, pd.Timestamp("2026-07-20")), 800, id="channels"
        ),
        pytest.param(
            VIDEO_HOUR_FORECASTER, lambda held: fill_hours(held, 10, 8, pd.Timestamp("2026-08-20")), 400, id="hours"
        ),
    ],
)
def test_python_and_sql_agree(spec: ModelSpec, fill_days: Fill, at_least: int, warehouse: Warehouse) -> None:
    """With gaps, counts that fall, hidden likes, and a change of what counts as a view amid the days."""
    window, table = fill_days(warehouse), spec.accuracy
    forecast(warehouse, window, spec=spec)
    score_forecasts(spec, warehouse, window, RUN_ID, silent)
    found = warehouse.read_window(table, window).sort_values(list(table.key), ignore_index=True)

    expected = _by_pandas(spec, warehouse, window).sort_values(list(table.key), ignore_index=True)
    assert len(expected) > at_least
    assert set(expected["target"]) == set(spec.task.targets)
    assert set(expected[f"horizon_{spec.task.unit}s"]) == set(spec.task.horizons)
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False)

    days = expected[table.window].dt.tz_localize(None).dt.normalize()
    week = expected.assign(day=days)[days > days.max() - pd.Timedelta(days=7)]
    by_key = week.groupby(["target", f"horizon_{spec.task.unit}s"])
    recent = recent_accuracy(spec, warehouse)
    assert len(recent) == by_key.ngroups >= min(2, len(spec.task.horizons))
    for row in recent.itertuples():
        rows = by_key.get_group((row.target, row.horizon))
        assert (row.forecasts, row.days) == (len(rows), rows["day"].nunique())
        assert row.wape == pytest.approx(wape(floats(rows["actual"]), floats(rows["p50"])))
        assert row.coverage80 == pytest.approx(rows["within80"].mean())


def _by_pandas(spec: ModelSpec, warehouse: Warehouse, window: Window) -> pd.DataFrame:
    task, names = spec.task, columns_of(spec.task)
    happened = actuals(task, warehouse.read_window(spec.counts, window)).rename(columns=names)
    naive = NaiveForecaster(task, {}, 1).predict(warehouse.read_window(spec.features, window)).rename(columns=names)
    keys = [names.get(name, name) for name in task.row]
    rows = warehouse.read(f"SELECT * FROM {spec.forecasts.name}").drop(columns=["run_id", "loaded_at"])
    rows = rows.merge(happened, on=keys).merge(naive[[*keys, "p50"]].rename(columns={"p50": "naive"}), on=keys)
    ahead = rows[names["horizon"]].astype("int64") * task.step
    rows[f"target_{task.time}"] = rows[names[task.time]] + ahead
    rows["error"] = rows["p50"] - rows["actual"]
    rows["within80"] = (rows["p10"] <= rows["actual"]) & (rows["actual"] <= rows["p90"])
    return rows[spec.accuracy.column_names]
