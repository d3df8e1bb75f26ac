"""The champion's forecasts into the warehouse, for origins its training has not seen."""

from datetime import date

import pandas as pd

from yt_platform.core.lineage import pack_days
from yt_platform.core.models.catalog import load_forecaster
from yt_platform.core.progress import Progress
from yt_platform.core.registered import VIDEO_FORECASTER
from yt_platform.core.schemas.base import judge
from yt_platform.core.schemas.features import VIDEO_DAY
from yt_platform.core.schemas.predictions import INCREMENTS, VIDEO_FORECAST
from yt_platform.io.loading import ROWS_AT_ONCE, Loaded, as_rejects, book, count_by_day, rejects_by_day
from yt_platform.io.registry import ModelRegistry, RegisteredModel
from yt_platform.io.warehouse import Warehouse, Window


class ForecastRefusedError(RuntimeError):
    """A forecast that would be hindsight, or that no model can make; the message says what to do."""


def forecast_videos(
    warehouse: Warehouse, registry: ModelRegistry, window: Window, threads: int, run_id: str, progress: Progress
) -> Loaded:
    """Forecasts of every video with features on the days of `window`, replacing those of the same model version.

    Raises ForecastRefusedError when there is no champion, or when it was trained on targets up to a day of `window`.
    """
    champion = registry.champion(VIDEO_FORECASTER.name)
    if champion is None:
        raise ForecastRefusedError("no model is champion: materialise models/video_forecaster first")
    if window.first <= champion.trained_until:
        raise ForecastRefusedError(
            f"{champion.name} was trained on targets up to {champion.trained_until}: a forecast from {window.first} "
            "would be hindsight. Choose later origins; how it would have done on older ones is in models.scorecards"
        )
    forecaster = load_forecaster(registry.fetch(champion), threads)
    sizes = _rows_by_day(warehouse, window)
    total = Loaded({}, {})
    for chunk in (Window(*ends) for ends in pack_days(sizes, ROWS_AT_ONCE)):
        features = warehouse.read_window(VIDEO_DAY, chunk)
        verdict = judge(VIDEO_FORECAST, _as_rows(forecaster.predict(features), features, champion))
        counts = count_by_day(verdict.accepted, VIDEO_FORECAST.window, chunk)
        with warehouse.transaction() as transaction:
            transaction.write(VIDEO_FORECAST, verdict.accepted, chunk, run_id)
            rejected = as_rejects(verdict.rejected, verdict.rejected[VIDEO_FORECAST.window], champion.name)
            transaction.quarantine(VIDEO_FORECAST.name, rejected, chunk, run_id)
            for day in chunk.days:
                book(transaction, VIDEO_FORECAST.name, day, champion.name, counts[day], run_id)
        total = total.plus(counts, rejects_by_day(rejected))
        progress(len(total.rows), len(window.days), f"{VIDEO_FORECAST.name}, days")
    return total


def _as_rows(forecasts: pd.DataFrame, features: pd.DataFrame, champion: RegisteredModel) -> pd.DataFrame:
    rows = forecasts.rename(columns={"day": "origin_day", "horizon": "horizon_days"})
    channels = features[["video_id", "day", "channel_id"]].rename(columns={"day": "origin_day"})
    rows = rows.merge(channels, on=["video_id", "origin_day"], how="left")
    return rows.assign(model_version=champion.name, basis=INCREMENTS)[VIDEO_FORECAST.column_names]


def _rows_by_day(warehouse: Warehouse, window: Window) -> dict[date, int]:
    rows = warehouse.records(
        "SELECT partition_day, row_count FROM ops.loads WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
        (VIDEO_DAY.name, window.first, window.last),
    )
    return dict.fromkeys(window.days, 0) | {row["partition_day"]: row["row_count"] for row in rows}


def forecasts_due(warehouse: Warehouse, registry: ModelRegistry) -> Window | None:
    """Days the champion may forecast from, has features for and has not forecast from since they were made."""
    champion = registry.champion(VIDEO_FORECASTER.name)
    if champion is None:
        return None
    row = warehouse.records(
        "SELECT min(load.partition_day) AS first, max(load.partition_day) AS last FROM ops.loads AS load "
        "WHERE load.table_name = $1 AND load.row_count > 0 AND load.partition_day > $2 AND NOT EXISTS ("
        "  SELECT FROM predictions.video_forecast AS forecast WHERE forecast.origin_day = load.partition_day "
        "  AND forecast.model_version = $3 AND forecast.loaded_at >= load.loaded_at)",
        (VIDEO_DAY.name, champion.trained_until, champion.name),
    )[0]
    return Window(row["first"], row["last"]) if row["first"] else None
