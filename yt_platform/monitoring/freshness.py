"""How old the data of a table is, and which tables to tell of. How old it may be is in their declarations.

Age is that of the newest data, by the platform's clock: the newest instant in the table's window column, or the end of
the newest day. When the rows were written says nothing, as a rebuilt past is no news.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from yt_platform.catalog import TABLES

FAR_TOO_OLD = 2
"""Times its maximum age: data so old is an error, as nobody has mended what the warning told of."""


def data_age(newest: datetime | date, now: datetime) -> timedelta:
    """Age of the newest data; nothing for a day that has not ended."""
    if isinstance(newest, datetime):
        return now - newest
    end = datetime.combine(newest + timedelta(days=1), time(), UTC)
    return max(now - end, timedelta(0))


def outdated(ages: Mapping[str, timedelta]) -> dict[str, timedelta]:
    """Of tables with the age of their data, those that are too old, with the age they may have; not those that are so
    because a table they are made from is."""
    old = {
        name: table.max_age
        for name, table in TABLES.items()
        if table.max_age and ages.get(name, timedelta(0)) > table.max_age
    }
    return {table: limit for table, limit in old.items() if not old.keys() & _made_from(table)}


def said(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"


def _made_from(table: str) -> set[str]:
    """The tables it is made from, and those they are made from."""
    inputs = {source.name for source in TABLES[table].inputs} if table in TABLES else set()
    return inputs.union(*map(_made_from, inputs))
