"""Quality scores: what `sql/quality` counts, the scores made of it by `monitoring/quality.py`, and the alerts on the
newest.

`sql/quality/<table>.sql` counts a table's rows by day and source, from `$1` until before `$2`, looking for data before
that as many days back as `$3` says; `rejects.sql` the refused rows of the tables `$3`.
"""

from datetime import date, datetime
from typing import Any

import pandas as pd

from yt_platform.monitoring.alerts import QUALITY, Alert, settle_alerts
from yt_platform.monitoring.quality import COUNTS, SCORED, WEIGHTS, quality_scores
from yt_platform.monitoring.tables import QUALITY_SCORES
from yt_platform.progress import Progress
from yt_platform.tables.times import GAP_DAYS
from yt_platform.warehouse.loading import Loaded, load_in_chunks
from yt_platform.warehouse.migrations import SQL_FOLDER
from yt_platform.warehouse.warehouse import Warehouse, Window

RECENT_DAYS = 7
"""Of a source without data for longer, the last score is no news: that it is silent is told by freshness."""

_NEWEST = f"""
SELECT DISTINCT ON (table_name, source) day, table_name, source, score, status, {", ".join(WEIGHTS)}
FROM ops.quality_scores
WHERE day > (SELECT max(day) FROM ops.quality_scores) - $1::integer
ORDER BY table_name, source, day DESC
"""


SHOWN_DAYS = 90
"""Days of scores that a plot shows."""


def score_quality(warehouse: Warehouse, window: Window, run_id: str, progress: Progress) -> Loaded:
    """`ops.quality_scores` of the days of `window`."""
    return load_in_chunks(warehouse, QUALITY_SCORES, lambda chunk: _scored(warehouse, chunk), window, run_id, progress)


def _scored(warehouse: Warehouse, window: Window) -> pd.DataFrame:
    counted = [row for table in SCORED for row in count_rows(warehouse, table, window)]
    rejects = warehouse.records(_query("rejects"), (*window.bounds, list(SCORED)))
    key = ["day", "table_name", "source"]
    return quality_scores(
        pd.DataFrame(counted, columns=[*key, *COUNTS]), pd.DataFrame(rejects, columns=[*key, "reject_count"])
    )


def count_rows(warehouse: Warehouse, table: str, window: Window) -> list[dict[str, Any]]:
    """What the table's query counts of the days of `window`: a row per day and source that has rows."""
    rows = warehouse.records(_query(table), (*window.bounds, GAP_DAYS))
    return [{"table_name": table, **row} for row in rows]


def _query(name: str) -> str:
    return (SQL_FOLDER / "quality" / f"{name}.sql").read_text()


def newest_scores(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The newest row of each table and source that had data in the last 7 days scored, by table and source."""
    return warehouse.records(_NEWEST, (RECENT_DAYS,))


def recent_scores(warehouse: Warehouse, until: date) -> list[dict[str, Any]]:
    """Scores of the 90 days up to `until` by `table_name`, `source` and `day`, for a plot."""
    return warehouse.records(
        "SELECT table_name, source, day, score FROM ops.quality_scores WHERE day > $1 - $2::integer AND day <= $1 "
        "ORDER BY table_name, source, day",
        (until, SHOWN_DAYS),
    )


def alert_on_quality(warehouse: Warehouse, at: datetime) -> list[dict[str, Any]]:
    """Open an alert for each table and source whose newest score is low, close those that no longer are; returns the
    newest scores."""
    newest = newest_scores(warehouse)
    low = [row for row in newest if row["status"] != "ok"]
    settle_alerts(warehouse, QUALITY, [_alert(row) for row in low], at)
    return newest


def _alert(row: dict[str, Any]) -> Alert:
    remedy = f"see which rows sql/quality/{row['table_name']}.sql counts, and ops.quarantine for the refused"
    return Alert(QUALITY, _subject(row), str(row["status"]), said(row), remedy, "/assets/ops/quality_scores")


def said(row: dict[str, Any]) -> str:
    """A score and the dimensions it lacks, lowest first, in a sentence."""
    lacking = sorted((value, name) for name in WEIGHTS if isinstance(value := row[name], float) and value < 99.95)
    told = ", ".join(f"{name} {value:.1f}" for value, name in lacking)
    return f"{_subject(row)} scored {row['score']:.1f} of 100 on {row['day']}: {told}"


def _subject(row: dict[str, Any]) -> str:
    return f"{row['table_name']} ({row['source']})" if row["source"] else str(row["table_name"])
