"""What is to be made: the stale days of the warehouse, read from the catalogue and the books."""

from datetime import date

from yt_platform.core.lineage import contiguous, stale_tables
from yt_platform.io.loading import loaded_versions, raw_versions
from yt_platform.io.warehouse import Warehouse, Window

FIRST_DAY = date(2005, 2, 14)
"""YouTube's first day: no batch is older."""


def stale_ranges(warehouse: Warehouse, until: date) -> list[tuple[Window, frozenset[str]]]:
    """Ranges of days up to `until` with the tables to make there, in the order to make them."""
    window = Window(FIRST_DAY, until)
    raw = raw_versions(warehouse, window)
    days = {day for versions in raw.values() for day in versions}
    stale = stale_tables(raw, loaded_versions(warehouse, window), days)
    return [(Window(first, last), tables) for first, last, tables in contiguous(stale)]


def batch_days(warehouse: Warehouse) -> list[date]:
    """Days that have raw batches."""
    rows = warehouse.records("SELECT DISTINCT partition_day AS day FROM raw.batches ORDER BY day")
    return [row["day"] for row in rows]


def last_feature_day(warehouse: Warehouse) -> date | None:
    day: date | None = warehouse.records("SELECT max(day) AS day FROM features.video_day")[0]["day"]
    return day
