"""What YouTube's developer policies let a mode keep and make, table by table; docs/policy.md says it clause by clause.

Here: what follows in each mode from what a table holds, which its declaration says. Not here: how it is deleted
(`privacy/retention.py`), and which mode an operator may declare, which nobody but they can know.
"""

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from typing import get_args

from yt_platform.catalog import DECLARED, VIEWS
from yt_platform.constants import PolicyMode as PolicyMode
from yt_platform.tables.declaration import Holds

MODES: tuple[PolicyMode, ...] = get_args(PolicyMode)

KEPT_DAYS = 29
"""Whole days, today among them, of what may be kept 30: a row of a day's first second is gone before it is 30 days old,
though the purge runs once a day."""

KEPT_MONTHS = 36
"""Calendar months for which the Analytics & Reporting amendment lets statistics and metrics derived from them be kept.

The number comes from a third party's reading of Google's page, dated 2026-09-27, and not from the page itself."""


VERIFIED_DAYS = 30
"""For so long what an account brought may be kept after YouTube last said that its owner authorises it."""

HOLDS: Mapping[str, Holds] = {name: table.holds for name, table in DECLARED.items()} | VIEWS
"""By table and materialised view of the warehouse, as they declare it; a test fails on one that is not here."""

_EXPIRES: Mapping[str, frozenset[Holds]] = {
    "strict": frozenset({Holds.STATISTICS, Holds.METADATA, Holds.STORED}),
    "owned": frozenset({Holds.METADATA, Holds.STORED}),
    "amended": frozenset({Holds.METADATA, Holds.STORED}),
    "synthetic": frozenset(),
}

_EXPIRES_BY_MONTHS: Mapping[str, frozenset[Holds]] = {"amended": frozenset({Holds.STATISTICS, Holds.DERIVED})}

_OF_DERIVED = ("features.", "models.", "predictions.")


def may_derive(mode: PolicyMode | None) -> bool:
    """Without a mode there is no key, and what people import is theirs to judge."""
    return mode != "strict"


def may_hold(mode: PolicyMode | None, table: str) -> bool:
    """Whether the mode lets a table, or an asset of its layer, be made at all."""
    return may_derive(mode) or not (HOLDS.get(table) is Holds.DERIVED or table.startswith(_OF_DERIVED))


def expires(mode: PolicyMode, table: str) -> bool:
    """Whether rows of the table that were not refreshed for `KEPT_DAYS` must go."""
    return HOLDS[table] in _EXPIRES[mode]


def first_kept(today: date) -> date:
    """The oldest UTC day of which something is kept that may be kept 30 days."""
    return today - timedelta(days=KEPT_DAYS - 1)


def first_kept_of_months(today: date) -> date:
    """The oldest UTC day of which something is kept that may be kept `KEPT_MONTHS`.

    As with `first_kept`, a row of a day's first second goes before its time is over, though the purge runs once a day.
    """
    next_purge = today + timedelta(days=1)
    day = next_purge.replace(year=next_purge.year - KEPT_MONTHS // 12, day=1)
    while months_later(day, KEPT_MONTHS) <= next_purge:
        day += timedelta(days=1)
    return day


def months_later(day: date, months: int) -> date:
    """The same day so many calendar months later; the month's last where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def kept_from(mode: PolicyMode, what: Holds, today: date) -> date | None:
    """The oldest UTC day of which the mode lets it be kept; None where age alone deletes nothing."""
    if what in _EXPIRES[mode]:
        return first_kept(today)
    if what in _EXPIRES_BY_MONTHS.get(mode, ()):
        return first_kept_of_months(today)
    return None
