"""The quality score of a table's day: six dimensions, each a share of what was counted, and their weighted mean.

Belongs here: what each dimension means as a formula, its weight, and the limits below which somebody is told. What is
counted in each table is `sql/quality`'s, one file a table: a dimension whose counts a file leaves NULL does not apply
to that table. A dimension that does not apply, or that had nothing to count, is NULL, and its weight is spread over the
others in proportion: a day is judged by what can be known of it.

Scored are the tables that are parsed from raw, in the versions that later collections leave alone where there are such
(`metrics.video_versions`, not `metrics.videos`), `metrics.video_daily`, which everything else is made from, and
`metrics.channel_daily`, which reports are made from. That is interpolated, and changes for a week after its day: every
day is scored anew as often as it is made anew.
"""

from datetime import timedelta

import pandas as pd

from yt_platform.catalog import TABLES
from yt_platform.monitoring.tables import QUALITY_SCORES, QUALITY_STATUSES

WEIGHTS = {
    "completeness": 0.20,
    "accuracy": 0.25,
    "consistency": 0.20,
    "timeliness": 0.15,
    "uniqueness": 0.10,
    "validity": 0.10,
}
WARN_BELOW = 85.0
ERROR_BELOW = 70.0

SCORED = (
    "metrics.video_snapshots",
    "metrics.channel_snapshots",
    "metrics.video_versions",
    "metrics.comments",
    "metrics.video_daily",
    "metrics.channel_daily",
)

COUNTS = (
    "row_count",
    "values_expected",
    "values_known",
    "rows_in_range",
    "pairs_compared",
    "pairs_agreeing",
    "rows_distinct",
    "gap_hours",
)
"""What the query of a table counts by day and source."""

Series = pd.Series  # of floats, NaN where unknown; one element per day, table and source


def completeness(values_known: Series, values_expected: Series) -> Series:
    """Percentage of the values that rows of the table should have which are known, whoever withheld them: likes that
    a source does not tell are missing as much as likes that were lost."""
    return _percentage(values_known, values_expected)


def accuracy(rows_in_range: Series, row_count: Series) -> Series:
    """Percentage of rows of which every value keeps the range rules: what no video, channel or comment can be, such
    as more likes than views, or a publication after the reading."""
    return _percentage(rows_in_range, row_count)


def consistency(pairs_agreeing: Series, pairs_compared: Series) -> Series:
    """Percentage of comparisons with another source, or with the rows a row is the sum of, that agree."""
    return _percentage(pairs_agreeing, pairs_compared)


def timeliness(gap_hours: Series, max_age: Series) -> Series:
    """100 where the day's first data came before the data before it was older than the table may be (`max_age`, here
    in hours), else how much of the gap the maximum age covers: 50 where it was twice as old. Gaps count up to 7 days
    (`GAP_DAYS`); the first day of a source has none before it."""
    return (100 * max_age / gap_hours).clip(upper=100).where(gap_hours.notna() & max_age.notna())


def uniqueness(rows_distinct: Series, row_count: Series) -> Series:
    """Percentage of rows that say something no other row says: a reading repeated within its minute, or a comment
    stored under two ids, are one. Tables whose key leaves no room for it have none."""
    return _percentage(rows_distinct, row_count)


def validity(row_count: Series, reject_count: Series) -> Series:
    """Percentage of rows that kept the table's contract, of those kept and those in `ops.quarantine`, accepted there
    or not; 0 where all were refused."""
    return _percentage(row_count, row_count + reject_count)


def _percentage(part: Series, whole: Series) -> Series:
    """NaN where there is nothing to take a part of."""
    return (100 * part / whole).where(whole > 0)


def overall(dimensions: pd.DataFrame) -> Series:
    """Mean of the known dimensions, columns of percentages, weighted by `WEIGHTS`; NaN where none is known."""
    weights = dimensions[list(WEIGHTS)].notna() * pd.Series(WEIGHTS)
    found = (dimensions[list(WEIGHTS)].fillna(0) * weights).sum(axis=1) / weights.sum(axis=1)
    return found.clip(upper=100)  # sums of weights are rounded: a perfect day would be a little better than that


def status(score: float) -> str:
    """ok, warning below 85, error below 70."""
    return QUALITY_STATUSES[(score < WARN_BELOW) + (score < ERROR_BELOW)]


def quality_scores(counts: pd.DataFrame, rejects: pd.DataFrame) -> pd.DataFrame:
    """Rows of `ops.quality_scores`.

    `counts` has a row per `day`, `table_name` and `source` with rows, and the columns `COUNTS`, unknown where a
    dimension does not apply; `rejects` a row per such key with refused rows, and `reject_count`.
    """
    key = ["day", "table_name", "source"]
    found = counts.merge(rejects, on=key, how="outer").reset_index(drop=True)
    found["day"] = pd.to_datetime(found["day"]).dt.as_unit("ns")
    names = [*COUNTS, "reject_count"]
    found[names] = found[names].astype("float64")
    found[["row_count", "reject_count"]] = found[["row_count", "reject_count"]].fillna(0)
    found["completeness"] = completeness(found["values_known"], found["values_expected"])
    found["accuracy"] = accuracy(found["rows_in_range"], found["row_count"])
    found["consistency"] = consistency(found["pairs_agreeing"], found["pairs_compared"])
    found["timeliness"] = timeliness(found["gap_hours"], found["table_name"].map(_max_age_hours))
    found["uniqueness"] = uniqueness(found["rows_distinct"], found["row_count"])
    found["validity"] = validity(found["row_count"], found["reject_count"])
    found["score"] = overall(found)
    found["status"] = found["score"].map(status)
    return found[QUALITY_SCORES.column_names]


def _max_age_hours(table: str) -> float:
    max_age = TABLES[table].max_age
    return max_age / timedelta(hours=1) if max_age else float("nan")
