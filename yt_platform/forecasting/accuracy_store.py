"""How production forecasts did: each one beside what happened, as soon as its target day is known.

Every registered model's forecasts have such a record, made by the same statements. Backtests have a table of their own
and never enter it. What a fair figure is, is decided in `forecasting/accuracy.py`.
"""

from datetime import date, timedelta

import pandas as pd

from yt_platform.catalog.lineage import FIRST_DAY, contiguous
from yt_platform.forecasting.accuracy import DAYS
from yt_platform.forecasting.registered import ModelSpec
from yt_platform.forecasting.tables import INCREMENTS, NO_READING
from yt_platform.forecasting.tasks import Task, count_column
from yt_platform.progress import Progress
from yt_platform.warehouse.loading import Loaded, book, loaded_versions
from yt_platform.warehouse.warehouse import Transaction, Warehouse, Window, window_bounds


def _scoring(spec: ModelSpec) -> str:
    """Scores the forecasts of one horizon ($5) whose origins lie from $3 to before $4, and their targets so from $1 to
    $2; by run $6.

    Beside the forecast stands what `core.evaluate.actuals` and `NaiveForecaster` would say: no increment across a
    change of what counts as a view, 0 where the count fell; naive from the last increment where features know one,
    and counts from 0 of a video that had no reading.
    """
    task, written = spec.task, spec.accuracy.column_names
    series, origin_at = task.series, f"origin_{task.time}"
    ahead = {"day": "$5::integer", "hour": "$5::integer * interval '1 hour'"}[task.unit]
    told = {
        f"target_{task.time}": f"later.{task.time}",
        "actual": "scored.actual",
        # greatest() takes NULL for smaller than anything, hence the CASE
        "naive": "CASE WHEN scored.step IS NOT NULL THEN greatest(scored.step, 0) * $5::integer END",
        "error": "forecast.p50 - scored.actual",
        "within80": "scored.actual BETWEEN forecast.p10 AND forecast.p90",
    }
    unread = f"forecast.basis = '{NO_READING}'" if _tells_basis(spec) else "false"
    gained = {
        target: f"later.{name} - CASE WHEN origin.{task.time} IS NULL THEN 0 ELSE origin.{name} END"
        for target, name in ((target, count_column(target)) for target in task.targets)
    }
    return f"""
INSERT INTO {spec.accuracy.name} ({", ".join(written)}, run_id, loaded_at)
SELECT {", ".join(told.get(name, f"forecast.{name}") for name in written)}, $6::uuid, now()
FROM {spec.forecasts.name} AS forecast
JOIN {spec.counts.name} AS later
    ON later.{series} = forecast.{series} AND later.{task.time} = forecast.{origin_at} + {ahead}
    AND later.{task.time} >= $1 AND later.{task.time} < $2
LEFT JOIN {spec.counts.name} AS origin
    ON origin.{series} = forecast.{series} AND origin.{task.time} = forecast.{origin_at}
LEFT JOIN {spec.features.name} AS known
    ON known.{series} = forecast.{series} AND known.{task.time} = forecast.{origin_at}
CROSS JOIN LATERAL (
    SELECT {_by_target(gained)} AS gained,
        {_by_target({target: f"known.{name}" for target, name in task.increments.items()})} AS step
) AS outcome
CROSS JOIN LATERAL (SELECT greatest(outcome.gained, 0)::bigint AS actual, outcome.step) AS scored
WHERE forecast.{origin_at} >= $3 AND forecast.{origin_at} < $4 AND forecast.horizon_{task.unit}s = $5::integer
    AND outcome.gained IS NOT NULL
    AND CASE WHEN origin.{task.time} IS NULL THEN {unread}
        ELSE later.view_definition = origin.view_definition END
"""


def _by_target(expressions: dict[str, str]) -> str:
    cases = " ".join(f"WHEN '{target}' THEN {expression}" for target, expression in expressions.items())
    return f"CASE forecast.target {cases} END"


def _tells_basis(spec: ModelSpec) -> bool:
    return "basis" in spec.accuracy.column_names


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


def score_forecasts(spec: ModelSpec, warehouse: Warehouse, window: Window, run_id: str, progress: Progress) -> Loaded:
    """Score anew every forecast of the model whose target day lies in `window`.

    A day is one transaction and reads the readings of it and of the days it was forecast from, however long the record.
    """
    total = Loaded({}, {})
    for target_day in window.days:
        with warehouse.transaction() as transaction:
            # read before the rows: what comes in between makes the day due again
            versions = transaction.records(_VERSIONS, _of_days(spec, target_day, target_day))
            rows = _score_day(spec, transaction, target_day, run_id)
            version = versions[0]["version"] if versions else ""
            book(transaction, spec.accuracy.name, target_day, version, rows, run_id)
        total = total.plus({target_day: rows}, {})
        progress(len(total.rows), len(window.days), f"{spec.accuracy.name}, days")
    return total


def _score_day(spec: ModelSpec, transaction: Transaction, target_day: date, run_id: str) -> int:
    table, day = spec.accuracy, Window(target_day, target_day)
    begin, end = window_bounds(table, day)
    transaction.clear(table, day)
    for horizon in spec.task.horizons:
        span = (spec.task.step * horizon).to_pytimedelta()
        transaction.execute(_scoring(spec), (begin, end, begin - span, end - span, horizon, run_id))
    counted = f"SELECT count(*) AS n FROM {table.name} WHERE {table.window} >= $1 AND {table.window} < $2"
    rows: int = transaction.records(counted, (begin, end))[0]["n"]
    return rows


def accuracy_due(spec: ModelSpec, warehouse: Warehouse, until: date) -> list[Window]:
    """Ranges of target days up to `until`, the last day that is over, that were not scored since their forecasts were
    made or their readings came. Read from the books alone, which hold a row per table and day."""
    table = spec.accuracy.name
    expected = warehouse.records(_VERSIONS, _of_days(spec, FIRST_DAY, until))
    scored = loaded_versions(warehouse, Window(FIRST_DAY, until)).get(table, {})
    due = {row["day"]: frozenset({table}) for row in expected if scored.get(row["day"]) != row["version"]}
    return [Window(first, last) for first, last, _ in contiguous(due)]


def _of_days(spec: ModelSpec, first: date, last: date) -> tuple[object, ...]:
    return (spec.forecasts.name, spec.counts.name, spec.task.days_ahead, first, last)


def recent_accuracy(spec: ModelSpec, warehouse: Warehouse) -> pd.DataFrame:
    """Errors of the last 7 scored days, one row per target and horizon, in the columns `beside_validation` reads.

    Of forecasts that rest on increments, which are what folds score; whichever version made them, as does the range.
    """
    table, task = spec.accuracy, spec.task
    newest = warehouse.records(
        "SELECT max(partition_day) AS day FROM ops.loads WHERE table_name = $1 AND row_count > 0", (table.name,)
    )[0]["day"]
    last = newest or FIRST_DAY
    begin, end = window_bounds(table, Window(last - timedelta(days=DAYS - 1), last))
    resting = f"AND basis = '{INCREMENTS}' " if _tells_basis(spec) else ""
    return warehouse.read(
        f"WITH made AS (SELECT target, horizon_{task.unit}s AS horizon, model_version, count(*) AS forecasts, "
        "sum(abs(error)) AS missed, sum(actual)::double precision AS gained, sum(within80::int) AS covered, "
        f"array_agg(DISTINCT {_target_day(task)}) AS target_days "
        f"FROM {table.name} WHERE {table.window} >= $1 AND {table.window} < $2 "
        f"{resting}GROUP BY 1, 2, 3) "
        "SELECT target, horizon, sum(forecasts)::bigint AS forecasts, "
        "(SELECT count(DISTINCT day) FROM made AS one, unnest(one.target_days) AS day "
        "WHERE one.target = made.target AND one.horizon = made.horizon) AS days, "
        "sum(missed) / nullif(sum(gained), 0) AS wape, "
        "(sum(covered) / sum(forecasts))::double precision AS coverage80, "
        "min(wape_7d_min) AS wape_7d_min, max(wape_7d_max) AS wape_7d_max, "
        "min(coverage80_7d_min) AS coverage80_7d_min, max(coverage80_7d_max) AS coverage80_7d_max "
        "FROM made LEFT JOIN models.scorecards USING (model_version, target, horizon) GROUP BY 1, 2 "
        "ORDER BY array_position($3::text[], target), horizon",
        (begin, end, list(task.targets)),
    )


def _target_day(task: Task) -> str:
    return {"day": "target_day", "hour": "(target_hour AT TIME ZONE 'UTC')::date"}[task.unit]
