"""The champion's forecasts into the warehouse, for origins its training has not seen."""

from datetime import date

import pandas as pd

from yt_platform.catalog.lineage import pack_days
from yt_platform.features.tables import CHANNEL_RECORD
from yt_platform.forecasting.cold import cold_rows, forecast_cold, load_cold, unread_rows, unread_videos
from yt_platform.forecasting.forecasters.catalog import load_forecaster, task_of
from yt_platform.forecasting.registered import ModelSpec
from yt_platform.forecasting.tables import INCREMENTS
from yt_platform.metrics.tables import VIDEO_VERSIONS
from yt_platform.models.registry import ModelRegistry
from yt_platform.progress import Progress
from yt_platform.tables.times import LOOKBACK_DAYS
from yt_platform.tables.validation import judge
from yt_platform.warehouse.loading import ROWS_AT_ONCE, Loaded, as_rejects, book, count_by_day, rejects_by_day
from yt_platform.warehouse.warehouse import Warehouse, Window


class ForecastRefusedError(RuntimeError):
    """A forecast that would be hindsight, or that no model can make; the message says what to do."""


def forecast(
    spec: ModelSpec,
    warehouse: Warehouse,
    registry: ModelRegistry,
    window: Window,
    threads: int,
    run_id: str,
    progress: Progress,
) -> Loaded:
    """Forecasts of every series with features on the days of `window`, replacing those of the same model version.

    Raises ForecastRefusedError when there is no champion, or when it was trained on targets up to a day of `window`.
    """
    champion = registry.champion(spec.name)
    if champion is None:
        raise ForecastRefusedError(f"no model is champion: materialise models/{spec.name} first")
    if window.first <= champion.trained_until:
        raise ForecastRefusedError(
            f"{champion.name} was trained on targets up to {champion.trained_until}: a forecast from {window.first} "
            "would be hindsight. Choose later origins; how it would have done on older ones is in models.scorecards"
        )
    bundle = registry.fetch(champion)
    forecaster, horizons = load_forecaster(bundle, threads), task_of(bundle).horizons
    cold = load_cold(bundle, threads)
    table, sizes = spec.forecasts, _rows_by_day(spec, warehouse, window)
    total = Loaded({}, {})
    for chunk in (Window(*ends) for ends in pack_days(sizes, ROWS_AT_ONCE)):
        features = warehouse.read_window(spec.features, chunk)
        parts = [_as_rows(spec, forecaster.predict(features), features.assign(basis=INCREMENTS))]
        if cold:
            origins = pd.concat([cold_rows(features), unread_origins(warehouse, chunk)], ignore_index=True)
            parts.append(_as_rows(spec, forecast_cold(cold, origins), origins))
        found = pd.concat(parts, ignore_index=True)
        found = found[found["horizon"].isin(horizons)].rename(columns={"horizon": f"horizon_{spec.task.unit}s"})
        verdict = judge(table, found.assign(model_version=champion.name)[table.column_names])
        counts = count_by_day(verdict.accepted, table.window, chunk)
        with warehouse.transaction() as transaction:
            transaction.write(table, verdict.accepted, chunk, run_id)
            rejected = as_rejects(verdict.rejected, verdict.rejected[table.window], champion.name)
            transaction.quarantine(table.name, rejected, chunk, run_id)
            for day in chunk.days:
                book(transaction, table.name, day, champion.name, counts[day], run_id)
        total = total.plus(counts, rejects_by_day(rejected))
        progress(len(total.rows), len(window.days), f"{table.name}, days")
    return total


def _as_rows(spec: ModelSpec, forecasts: pd.DataFrame, origins: pd.DataFrame) -> pd.DataFrame:
    """The forecasts with what the table tells of their origins."""
    keys = [spec.task.series, spec.task.time]
    told = list(dict.fromkeys([*keys, "channel_id", "basis"]))
    rows = forecasts.merge(origins[told], on=keys, how="left")
    return rows.rename(columns={spec.task.time: f"origin_{spec.task.time}"})


_UNREAD = f"""
SELECT DISTINCT ON (version.video_id) {", ".join(f"version.{name}" for name in VIDEO_VERSIONS.column_names)}
FROM metrics.video_versions AS version
WHERE version.collected_at >= $1::date - {LOOKBACK_DAYS} AND version.collected_at < $1::date + 1
    AND version.published_at >= $1::date
    AND NOT EXISTS (
        SELECT FROM metrics.video_daily AS daily WHERE daily.video_id = version.video_id
        AND daily.day BETWEEN $1::date - {LOOKBACK_DAYS} AND $1::date
    )
ORDER BY version.video_id, version.collected_at DESC
"""

_RECORDS = f"""
SELECT DISTINCT ON (channel_id) channel_id, day, {", ".join(CHANNEL_RECORD)}
FROM features.video_day
WHERE channel_id = ANY($2::text[]) AND day BETWEEN $1::date - {LOOKBACK_DAYS} AND $1::date
ORDER BY channel_id, day DESC
"""


def unread_origins(warehouse: Warehouse, window: Window) -> pd.DataFrame:
    """Origins of videos that are published on a day of `window` or later and known by then, but not read."""
    return pd.concat([_unread_on(warehouse, day) for day in window.days], ignore_index=True)


def _unread_on(warehouse: Warehouse, day: date) -> pd.DataFrame:
    videos = unread_videos(warehouse.read(_UNREAD, (day,)), pd.Timestamp(day))
    channels = videos["channel_id"].dropna().unique().tolist()
    return unread_rows(videos, warehouse.read(_RECORDS, (day, channels)))


def _rows_by_day(spec: ModelSpec, warehouse: Warehouse, window: Window) -> dict[date, int]:
    rows = warehouse.records(
        "SELECT partition_day, row_count FROM ops.loads WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
        (spec.features.name, window.first, window.last),
    )
    return dict.fromkeys(window.days, 0) | {row["partition_day"]: row["row_count"] for row in rows}


def forecasts_due(spec: ModelSpec, warehouse: Warehouse, registry: ModelRegistry) -> Window | None:
    """Days the champion may forecast from, has features for and has not forecast from since they were made."""
    champion = registry.champion(spec.name)
    if champion is None:
        return None
    row = warehouse.records(
        "SELECT min(load.partition_day) AS first, max(load.partition_day) AS last FROM ops.loads AS load "
        "WHERE load.table_name = $1 AND load.row_count > 0 AND load.partition_day > $2 AND NOT EXISTS ("
        "  SELECT FROM ops.loads AS made WHERE made.table_name = $4 AND made.partition_day = load.partition_day "
        "  AND made.input_version = $3 AND made.loaded_at >= load.loaded_at)",
        (spec.features.name, champion.trained_until, champion.name, spec.forecasts.name),
    )[0]
    return Window(row["first"], row["last"]) if row["first"] else None
