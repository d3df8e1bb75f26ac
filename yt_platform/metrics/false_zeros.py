"""Zeros that stand for missing, found by the larger counts that were read before them.

Belongs here: which zeros of a table are no reading, and taking them out once the days that hold them are written. Not
here: zeros that a row alone gives away (`metrics/parse.py`).

Cumulative counts do fall, as spam is purged, but views do not fall to zero: a collector wrote 0 for what it could not
read. Likes and comments of a few are taken back one by one, so that only a fall from `MANY` is held for missing.
Readings count as earlier for `LOOKBACK_DAYS`, as far as any feature looks back: later than that nothing takes the zero
for a fall. Only rows that stay are evidence, so a day gives the same rows in whatever order days are made.
"""

from dataclasses import dataclass

import pandas as pd

from yt_platform.metrics.tables import CHANNEL_SNAPSHOTS, VIDEO_SNAPSHOTS
from yt_platform.tables.declaration import Table
from yt_platform.tables.times import LOOKBACK_DAYS
from yt_platform.warehouse.warehouse import Transaction, Window

MANY = 20
"""Likes, comments or subscribers that nobody takes back together."""

REASON = "view_count = 0 after larger counts is no reading"

_WINDOW = "zero.collected_at >= $1 AND zero.collected_at < $2"
_EARLIER = f"""EXISTS (
    SELECT FROM {{table}} AS earlier
    WHERE earlier.source = zero.source AND earlier.{{owner}} = zero.{{owner}}
    AND earlier.collected_at BETWEEN zero.collected_at - interval '{LOOKBACK_DAYS} days' AND zero.collected_at
    AND earlier.collected_at >= $1 - interval '{LOOKBACK_DAYS} days' AND earlier.collected_at < $2
    AND earlier.{{count}} >= {{least}})"""


@dataclass(frozen=True)
class _Zero:
    """A count of 0 that is no count where an earlier one was at least `least`, and `condition` holds."""

    count: str
    least: int
    condition: str
    also: str = ""
    """What else becomes unknown with it, as SQL sets it."""


@dataclass(frozen=True)
class _Rule:
    """Rows of a table that are no reading at all, and counts of others that are unknown."""

    owner: str
    no_reading: _Zero
    unknown: tuple[_Zero, ...]


_RULES = {
    VIDEO_SNAPSHOTS.name: _Rule(
        "video_id",
        _Zero("view_count", 1, "true"),
        tuple(
            _Zero(f"{name}_count", MANY, "zero.view_count > 0", f", {name}s_known = false")
            for name in ("like", "comment")
        ),
    ),
    CHANNEL_SNAPSHOTS.name: _Rule(
        "channel_id",
        _Zero("view_count", 1, "coalesce(zero.subscriber_count, 0) = 0 AND coalesce(zero.video_count, 0) = 0"),
        (
            # a channel that has no public video has no views either
            _Zero("view_count", 1, "zero.video_count IS DISTINCT FROM 0"),
            _Zero("subscriber_count", MANY, "true"),
        ),
    ),
}


def withdraw_false_zeros(transaction: Transaction, table: Table, window: Window) -> pd.DataFrame:
    """Take the zeros that stand for missing out of the table's rows of `window`, once all of these are written.

    Counts that may be unknown become so. Rows that are no reading are deleted and returned with their `reason`.
    """
    if table.name not in _RULES:
        return pd.DataFrame(columns=[*table.column_names, "reason"])
    rule = _RULES[table.name]
    for zero in rule.unknown:
        where = _where(table, rule, zero)
        if transaction.records(f"SELECT count(*) AS n FROM {table.name} AS zero WHERE {where}", window.bounds)[0]["n"]:
            changes = f"{zero.count} = NULL{zero.also}"
            transaction.execute(f"UPDATE {table.name} AS zero SET {changes} WHERE {where}", window.bounds)
    where = _where(table, rule, rule.no_reading)
    columns = ", ".join(table.column_names)
    rows = transaction.read(f"SELECT {columns} FROM {table.name} AS zero WHERE {where}", window.bounds)
    if len(rows):
        transaction.execute(f"DELETE FROM {table.name} AS zero WHERE {where}", window.bounds)
    return rows.assign(reason=REASON)


def _where(table: Table, rule: _Rule, zero: _Zero) -> str:
    earlier = _EARLIER.format(table=table.name, owner=rule.owner, count=zero.count, least=zero.least)
    return f"{_WINDOW} AND zero.{zero.count} = 0 AND {zero.condition} AND {earlier}"
