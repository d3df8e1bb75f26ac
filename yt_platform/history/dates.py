"""Dates whose parts may be meant in more than one order: `05/11/2024`, `24.11.05`, `17.14.11` of Kaggle.

Belongs here: what orders a spelling allows, and which of them a whole column is written in. Not here: ISO 8601 and
seconds since 1970, which need no decision (`convert.py`).

The evidence, strongest first: parts that are no day or month in an order; rows that would be collected before their
video was published, or before YouTube began; days that follow each other without a gap in one order alone; days that
only rise or only fall down the file in one order alone. What stays open is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pyarrow as pa

ORDERS = ("ymd", "ydm", "dmy", "mdy")
FIRST_DAY = date(2005, 2, 14)
LAST_DAY = date(2099, 12, 31)

NAMES = {"y": "year", "m": "month", "d": "day"}
ENOUGH_DAYS = 3
"""Two days follow each other by chance."""
CLEARLY = 0.01
"""Share of rows by which an order must fit better than another one: some premieres are moved after they were read."""
AT_MOST_WRONG = 0.1

_DATE = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})"
    r"(?:(?:,?\s+|T)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*([ap]\.?m\.?)?\s*(z|utc|gmt|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
CANDIDATE = r"^\s*(\d{1,3}-\d{1,2}-|\d{1,4}[./]\d{1,2}[./])\d"
"""Finds what may need a decision, ISO 8601 left out; in the syntax of RE2."""

Orders = tuple[str, ...]
Decision = Mapping[Orders, str | None]
"""The order of the parts, by the orders that a spelling allows; None where too many rows fit none of them."""


class OpenDatesError(ValueError):
    """A column of dates can be read in more than one order."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason, self.remedy = reason, remedy
        super().__init__(reason)


def allowed(text: str, year_first: Orders) -> Orders:
    """The orders that the spelling of a date allows, none where it is no such date. `year_first` are those of dates
    that begin with the year, or of which each part has two digits or fewer, where they are more than one."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        return ()
    first, mark, last = found[1], found[2], found[4]
    if len(first) == 4 and len(last) <= 2:
        return ("ymd",) if mark == "-" else year_first
    if len(first) <= 2 and len(last) == 4:
        return ("dmy",) if mark == "." else ("dmy", "mdy")  # no country writes the month first with points
    if len(first) <= 2 and len(last) <= 2:
        if len(year_first) > 1:
            return year_first
        return ("dmy", "ymd") if mark == "." else ("dmy", "mdy", "ymd")
    return ()


def parse(text: str, order: str | None) -> datetime:
    """The instant of a date in this order, in UTC unless it names a zone. Raises ValueError."""
    if order is None:
        raise ValueError(f"{text[:40]!r} is no date: too many of its column fit no order of day, month and year")
    found = _DATE.fullmatch(text.strip())
    assert found, "only what `allowed` knows is parsed"
    day = _day((found[1], found[3], found[4]), order)
    if day is None:
        raise ValueError(f"{text[:40]!r} is no date in the order {_spelled(order)}")
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _time_of_day(found, text)


def _time_of_day(found: re.Match[str], text: str) -> timedelta:
    hour, minute, second = (int(part or 0) for part in (found[5], found[6], found[7]))
    half = (found[9] or "").replace(".", "").lower()
    if hour > (12 if half else 23) or minute > 59 or second > 59 or (half and not hour):
        raise ValueError(f"{text[:40]!r} names a time of day that does not exist")
    hour = hour % 12 + 12 * (half == "pm") if half else hour
    offset = timedelta()
    if found[10] and found[10][0] in "+-":
        zone = datetime.strptime(found[10].replace(":", ""), "%z").tzinfo
        assert isinstance(zone, timezone)
        offset = zone.utcoffset(None)
    micro = int((found[8] or "0").ljust(6, "0")[:6])
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro) - offset


def _day(parts: tuple[str, str, str], order: str) -> date | None:
    of = dict(zip(order, map(int, parts), strict=True))
    try:
        return date(of["y"] + (2000 if of["y"] < 100 else 0), of["m"], of["d"])
    except ValueError:
        return None


@dataclass
class _Tally:
    """What a column's rows are in one order."""

    order: str
    rows: int = 0
    wrong: int = 0
    days: dict[date, None] = field(default_factory=dict)
    """In the order of the file."""
    example: str = ""

    def add(self, texts: list[str], codes: np.ndarray, published: np.ndarray | None) -> None:
        """Rows by their distinct texts; `published` are days since 1970 by row, NaN where unknown."""
        days = [_plausible_day(text, self.order) for text in texts]
        numbers = np.array([np.nan if day is None else day.toordinal() - _EPOCH_ORDINAL for day in days])[codes]
        self.rows += len(codes)
        self.wrong += int(np.isnan(numbers).sum())
        if published is not None:  # a day of grace: days are those of some zone
            self.wrong += int((numbers + 1 < published).sum())
        self.days |= dict.fromkeys(day for day in days if day)
        self.example = self.example or next(
            (f"{text} is {day}" for text, day in zip(texts, days, strict=True) if day), ""
        )

    @property
    def share(self) -> float:
        return self.wrong / self.rows

    @property
    def is_unbroken(self) -> bool:
        days = sorted(self.days)
        return len(days) >= ENOUGH_DAYS and all(late - early == timedelta(days=1) for early, late in pairwise(days))

    @property
    def is_ordered(self) -> bool:
        days = list(self.days)
        return len(days) >= ENOUGH_DAYS and days in (sorted(days), sorted(days, reverse=True))


_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def _plausible_day(text: str, order: str) -> date | None:
    found = _DATE.fullmatch(text.strip())
    day = _day((found[1], found[3], found[4]), order) if found else None
    return day if day and FIRST_DAY <= day <= LAST_DAY else None


def decide(pieces: Iterable[tuple[pa.Array, pa.Array | None]], year_first: Orders, wanted: str | None) -> Decision:
    """The order of each spelling in a column, given in pieces of its texts and, where the file tells it, the instants
    at which the videos of the rows were published.

    `wanted` is the order a person has named. Raises OpenDatesError where more than one order is possible.
    """
    groups: dict[Orders, list[_Tally]] = {}
    for texts, published in pieces:
        coded = texts.dictionary_encode()
        distinct = coded.dictionary.to_pylist()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        days = None if published is None else _days(published)
        spellings = [allowed(text, year_first) for text in distinct]
        for orders in {one for one in spellings if len(one) > 1}:
            tallies = groups.setdefault(orders, [_Tally(order) for order in orders])
            numbers = [number for number, one in enumerate(spellings) if one == orders]
            place = np.full(len(distinct) + 1, -1)
            place[numbers] = range(len(numbers))
            rows = np.flatnonzero(place[codes] >= 0)
            for tally in tallies:
                of_rows = None if days is None else days[rows]
                tally.add([distinct[number] for number in numbers], place[codes][rows], of_rows)
    return {orders: _decided(tallies, wanted) for orders, tallies in groups.items()}


def _days(instants: pa.Array) -> np.ndarray:
    days = instants.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    return np.where(np.isnat(days), np.nan, days.astype("int64"))


def _decided(tallies: list[_Tally], wanted: str | None) -> str | None:
    if wanted:
        return _allowed(tallies, wanted)
    tallies = sorted(tallies, key=lambda tally: tally.share)
    best = tallies[0]
    if best.share > AT_MOST_WRONG:
        return None
    possible = [one for one in tallies if one.share < max(best.share + CLEARLY, 5 * best.share)]
    if len({tuple(one.days) for one in possible}) == 1:
        return best.order
    for found in ([one for one in possible if one.is_unbroken], [one for one in possible if one.is_ordered]):
        if len(found) == 1:
            return found[0].order
    readings = " or ".join(f"{_spelled(one.order)} ({one.example})" for one in possible)
    names = " or ".join(f"--dates {one.order}" for one in possible)
    raise OpenDatesError(f"holds dates that may be {readings}, and nothing in the file decides", f"give {names}")


def _allowed(tallies: list[_Tally], wanted: str) -> str:
    orders = [tally.order for tally in tallies]
    if wanted not in orders:
        raise OpenDatesError(
            f"holds dates that cannot be {_spelled(wanted)}", f"name one of these orders: {', '.join(orders)}"
        )
    return wanted


def _spelled(order: str) -> str:
    return ", ".join(NAMES[part] for part in order)
