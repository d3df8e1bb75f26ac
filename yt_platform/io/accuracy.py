"""How production forecasts did: each one beside what happened, as soon as its target day is known.

Backtests have a table of their own and never enter this record. What a fair figure is, is decided in
`core/accuracy.py`.
"""

from datetime import date, timedelta

import pandas as pd

from yt_platform.core.accuracy import DAYS
from yt_platform.core.lineage import FIRST_DAY, contiguous
from yt_platform.core.progress import Progress
from yt_platform.core.schemas.predictions import FORECAST_ACCURACY, INCREMENTS, NO_READING, VIDEO_FORECAST
from yt_platform.core.tasks import VIDEO_DAY
from yt_platform.io.loading import Loaded, book, loaded_versions
from yt_platform.io.warehouse import Transaction, Warehouse, Window

DAILY = "metrics.video_daily"

# Beside the forecast stands what `core.evaluate.actuals` and `NaiveForecaster` would say: no increment across a change
# of what counts as a view, 0 where the count fell; naive from the last increment where features know one,
# and counts from 0 of a video that had no reading.
# greatest() takes NULL for smaller than anything, hence the CASE.
_SCORE = f"""
INSERT INTO {FORECAST_ACCURACY.name} ({", ".join(FORECAST_ACCURACY.column_names)}, run_id, loaded_at)
SELECT forecast.video_id, forecast.origin_day, forecast.horizon_days, forecast.target, forecast.model_version, $1::date,
    forecast.channel_id, forecast.p10, forecast.p50, forecast.p90, scored.actual,
    CASE WHEN scored.step IS NOT NULL THEN greatest(scored.step, 0) * forecast.horizon_days END,
    forecast.p50 - scored.actual, scored.actual BETWEEN forecast.p10 AND forecast.p90, forecast.basis, $2::uuid, now()
FROM {VIDEO_FORECAST.name} AS forecast
JOIN {DAILY} AS later ON later.video_id = forecast.video_id AND later.day = $1::date
LEFT JOIN {DAILY} AS origin ON origin.video_id = forecast.video_id AND origin.day = forecast.origin_day
LEFT JOIN features.video_day AS known ON known.video_id = forecast.video_id AND known.day = forecast.origin_day
CROSS JOIN LATERAL (
    SELECT CASE forecast.target
        WHEN 'views' THEN later.view_count - CASE WHEN origin.day IS NULL THEN 0 ELSE origin.view_count END
        WHEN 'likes' THEN later.like_count - CASE WHEN origin.day IS NULL THEN 0 ELSE origin.like_count END
        ELSE later.comment_count - CASE WHEN origin.day IS NULL THEN 0 ELSE origin.comment_count END
    END AS gained, CASE forecast.target
        WHEN 'views' THEN known.view_increment
        WHEN 'likes' THEN known.like_increment
        ELSE known.comment_increment
    END AS step
) AS outcome
CROSS JOIN LATERAL (SELECT greatest(outcome.gained, 0) AS actual, outcome.step) AS scored
WHERE forecast.origin_day = ANY($3::date[]) AND forecast.horizon_days = $1::date - forecast.origin_day
    AND outcome.gained IS NOT NULL
    AND CASE WHEN origin.day IS NULL THEN forecast.basis = '{NO_READING}'
        ELSE later.view_definition = origin.view_definition END
"""


# A digest of when the forecasts of a target day, and the readings at both of their ends, were last made: of the days
# in $4 to $5, by target day.
_VERSIONS = """
SELECT later.partition_day AS day, md5(string_agg(concat_ws(' ', ahead, extract(epoch FROM forecast.loaded_at),
    extract(epoch FROM origin.loaded_at), extract(epoch FROM later.loaded_at)), ',' ORDER BY ahead)) AS version
FROM ops.loads AS forecast
CROSS JOIN unnest($3::integer[]) AS ahead
JOIN ops.loads AS origin ON origin.table_name = $2 AND origin.partition_day = forecast.partition_day
JOIN ops.loads AS later ON later.table_name = $2 AND later.partition_day = forecast.partition_day + ahead
WHERE forecast.table_name = $1 AND later.partition_day BETWEEN $4::date AND $5::date
    AND least(forecast.row_count, origin.row_count, later.row_count) > 0
GROUP BY later.partition_day
"""


def score_forecasts(warehouse: Warehouse, window: Window, run_id: str, progress: Progress) -> Loaded:
    """Score anew every forecast whose target day lies in `window`.

    A day is one transaction and reads the readings of it and of the days it was forecast from, however long the record.
    """
    total = Loaded({}, {})
    for target_day in window.days:
        with warehouse.transaction() as transaction:
            # read before the rows: what comes in between makes the day due again
            versions = transaction.records(_VERSIONS, _of_days(target_day, target_day))
            rows = _score_day(transaction, target_day, run_id)
            version = versions[0]["version"] if versions else ""
            book(transaction, FORECAST_ACCURACY.name, target_day, version, rows, run_id)
        total = total.plus({target_day: rows}, {})
        progress(len(total.rows), len(window.days), f"{FORECAST_ACCURACY.name}, days")
    return total


def _score_day(transaction: Transaction, target_day: date, run_id: str) -> int:
    origin_days = [target_day - timedelta(days=ahead) for ahead in VIDEO_DAY.horizons]
    transaction.take_turns(FORECAST_ACCURACY.name)
    transaction.execute(f"DELETE FROM {FORECAST_ACCURACY.name} WHERE target_day = $1", (target_day,))
    transaction.execute(_SCORE, (target_day, run_id, origin_days))
    counted = f"SELECT count(*) AS n FROM {FORECAST_ACCURACY.name} WHERE target_day = $1"
    rows: int = transaction.records(counted, (target_day,))[0]["n"]
    return rows


def accuracy_due(warehouse: Warehouse, until: date) -> list[Window]:
    """Ranges of target days up to `until`, the last day that is over, that were not scored since their forecasts were
    made or their readings came. Read from the books alone, which hold a row per table and day."""
    expected = warehouse.records(_VERSIONS, _of_days(FIRST_DAY, until))
    scored = loaded_versions(warehouse, Window(FIRST_DAY, until)).get(FORECAST_ACCURACY.name, {})
    due = {
        row["day"]: frozenset({FORECAST_ACCURACY.name}) for row in expected if scored.get(row["day"]) != row["version"]
    }
    return [Window(first, last) for first, last, _ in contiguous(due)]


def _of_days(first: date, last: date) -> tuple[object, ...]:
    return (VIDEO_FORECAST.name, DAILY, list(VIDEO_DAY.horizons), first, last)


def recent_accuracy(warehouse: Warehouse) -> pd.DataFrame:
    """Errors of the last 7 scored days, one row per target and horizon, in the columns `beside_validation` reads.

    Of forecasts that rest on increments, which are what folds score; whichever version made them, as does the range.
    """
    return warehouse.read(
        f"WITH last AS (SELECT max(partition_day) AS day FROM ops.loads WHERE table_name = $1 AND row_count > 0), "
        "made AS (SELECT target, horizon_days AS horizon, model_version, count(*) AS forecasts, "
        "sum(abs(error)) AS missed, sum(actual)::double precision AS gained, sum(within80::int) AS covered, "
        "array_agg(DISTINCT target_day) AS target_days "
        f"FROM {FORECAST_ACCURACY.name}, last WHERE target_day > last.day - $2::integer AND target_day <= last.day "
        "AND basis = $3 GROUP BY 1, 2, 3) "
        "SELECT target, horizon, sum(forecasts)::bigint AS forecasts, "
        "(SELECT count(DISTINCT day) FROM made AS one, unnest(one.target_days) AS day "
        "WHERE one.target = made.target AND one.horizon = made.horizon) AS days, "
        "sum(missed) / nullif(sum(gained), 0) AS wape, "
        "(sum(covered) / sum(forecasts))::double precision AS coverage80, "
        "min(wape_7d_min) AS wape_7d_min, max(wape_7d_max) AS wape_7d_max, "
        "min(coverage80_7d_min) AS coverage80_7d_min, max(coverage80_7d_max) AS coverage80_7d_max "
        "FROM made LEFT JOIN models.scorecards USING (model_version, target, horizon) GROUP BY 1, 2 "
        "ORDER BY array_position($4::text[], target), horizon",
        (FORECAST_ACCURACY.name, DAYS, INCREMENTS, list(VIDEO_DAY.targets)),
    )
