"""Drift into the warehouse: which rows are compared, and what became of it. The statistics are `models/drift.py`'s."""

from datetime import date, timedelta

import pandas as pd

from yt_platform.features.tables import VIDEO_DAY
from yt_platform.forecasting.forecasters.catalog import load_forecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster
from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.forecasting.tasks import VIDEO_DAY as TASK
from yt_platform.models.drift import OF_COLLECTION, measure_drift
from yt_platform.models.registry import ModelRegistry, RegisteredModel
from yt_platform.monitoring.tables import DRIFT
from yt_platform.tables.validation import judge
from yt_platform.warehouse.loading import book, loaded_versions
from yt_platform.warehouse.warehouse import Transaction, Warehouse, Window

WINDOW_DAYS = 7
"""Whole weeks, as weekdays differ."""

REFERENCE_DAYS = 28
"""The training's last days before the window. Not all of them: a day's cost must not grow with history, and features
that look back 28 days are cut short at its beginning."""

SAMPLE_ROWS = 10_000
PREDICTED_ROWS = 2_000
"""Rows the champion predicts from on either side; enough for limits by chance to stay below those that matter."""


FEATURES = tuple(name for name in TASK.features if name not in OF_COLLECTION)


class NoChampionError(RuntimeError):
    """There is no training to compare with."""


def compared(day: date, champion: RegisteredModel) -> tuple[Window, Window]:
    """Reference and window of a day: the 7 days up to it, and the training's last 28 days before them."""
    window = Window(day - timedelta(days=WINDOW_DAYS - 1), day)
    last = min(champion.trained_until, window.first - timedelta(days=1))
    return Window(last - timedelta(days=REFERENCE_DAYS - 1), last), window


def drift_on(warehouse: Warehouse, registry: ModelRegistry, day: date, threads: int, run_id: str) -> int:
    """Measure and keep the drift of a day from the champion's training; returns the rows of `ops.drift` written.

    Predictions are the champion's from the same rows on both sides, as production's would lack the reference. Raises
    NoChampionError.
    """
    champion = registry.champion(VIDEO_FORECASTER.name)
    if champion is None:
        raise NoChampionError("no model is champion, so there is no training to compare with: train one first")
    reference, window = compared(day, champion)
    with warehouse.transaction() as transaction:
        version = _version(transaction, champion, window)
        before, now = _sample(transaction, reference), _sample(transaction, window)
    forecaster = load_forecaster(registry.fetch(champion), threads)
    found = [
        measure_drift(before, now, FEATURES).assign(kind="feature"),
        _of_predictions(forecaster, before, now).assign(kind="prediction"),
    ]
    rows = pd.concat(found, ignore_index=True).assign(
        day=pd.Timestamp(day),
        model_version=champion.name,
        reference_from=pd.Timestamp(reference.first),
        reference_until=pd.Timestamp(reference.last),
    )
    rows = judge(DRIFT, rows.reindex(columns=DRIFT.column_names)).accepted
    with warehouse.transaction() as transaction:
        transaction.write(DRIFT, rows, Window(day, day), run_id)
        book(transaction, DRIFT.name, day, version, len(rows), run_id)
    return len(rows)


def newest_drift(warehouse: Warehouse) -> pd.DataFrame:
    """The rows of `ops.drift` of its newest day, by the model that was measured last."""
    return warehouse.read(
        f"SELECT {', '.join(DRIFT.column_names)} FROM {DRIFT.name} WHERE (day, model_version) = "
        f"(SELECT day, model_version FROM {DRIFT.name} ORDER BY day DESC, loaded_at DESC LIMIT 1) ORDER BY kind, name"
    )


def _sample(transaction: Transaction, window: Window) -> pd.DataFrame:
    """The same rows whenever asked, in the order of a hash, so that the first of them are a sample too."""
    return transaction.read(
        f"SELECT video_id, channel_id, day, {', '.join(TASK.features)} FROM {VIDEO_DAY.name} "
        "WHERE day BETWEEN $1 AND $2 "
        f"ORDER BY md5(video_id || day::text) LIMIT {SAMPLE_ROWS}",
        (window.first, window.last),
    )


def _of_predictions(forecaster: Forecaster, before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    names = [_name(target, horizon) for target in TASK.targets for horizon in TASK.horizons]
    return measure_drift(_predicted(forecaster, before, names), _predicted(forecaster, now, names), names)


def _predicted(forecaster: Forecaster, features: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The p50 of every target and horizon beside each other, a row per video and day."""
    forecasts = forecaster.predict(features.head(PREDICTED_ROWS))
    columns = [
        _name(target, horizon) for target, horizon in zip(forecasts["target"], forecasts["horizon"], strict=True)
    ]
    wide = forecasts.assign(name=columns).pivot(index=[TASK.series, TASK.time], columns="name", values="p50")
    return wide.reindex(columns=names).reset_index()


def _name(target: str, horizon: int) -> str:
    return f"{target}_{horizon}d"


def drift_due(warehouse: Warehouse, registry: ModelRegistry, until: date) -> date | None:
    """The newest day up to `until`, the last day that is over, with features, where the champion's drift is not known
    or its features were made anew; None where there is nothing to do."""
    champion = registry.champion(VIDEO_FORECASTER.name)
    row = warehouse.records(
        "SELECT max(partition_day) AS day FROM ops.loads "
        "WHERE table_name = $1 AND row_count > 0 AND partition_day <= $2",
        (VIDEO_DAY.name, until),
    )[0]
    day: date | None = row["day"]
    if champion is None or day is None:
        return None
    with warehouse.transaction() as transaction:
        expected = _version(transaction, champion, compared(day, champion)[1])
    known = loaded_versions(warehouse, Window(day, day)).get(DRIFT.name, {})
    return None if known.get(day) == expected else day


def _version(transaction: Transaction, champion: RegisteredModel, window: Window) -> str:
    """A digest of the champion and of the versions of the window's features."""
    row = transaction.records(
        "SELECT md5(concat_ws(',', $4::text, string_agg(input_version, ',' ORDER BY partition_day))) AS version "
        "FROM ops.loads WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
        (VIDEO_DAY.name, window.first, window.last, champion.name),
    )[0]
    version: str = row["version"]
    return version
