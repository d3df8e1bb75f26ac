"""Values as files spell them to the types of raw columns, a whole column at a time.

Belongs here: what counts as a whole number, a time, a flag or a text, in CSV text and in Parquet types, and what
Kaggle's files spell differently. Not here: which column means what (`layouts.py`), and judging values that could be
read (the contracts in `catalog`).

A conversion takes an Arrow array and returns an array of the target type, null where a value is missing or unreadable,
and the reasons for the unreadable ones by row. Columns are tried whole first; only one that Arrow cannot read as a
whole is gone through value by value, each distinct value once.

Some spellings are open: only the whole column tells what they mean (`numbers.py`, `dates.py`). A file is read in
chunks, so whoever reads it asks `Kind.is_open` of each and, where it is so, goes through the column once for
`Kind.settle`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from yt_platform.history import dates, numbers
from yt_platform.history.dates import Decision, Orders
from yt_platform.history.numbers import MAX_INT64, MISSING_WORDS, Roles, parse_count
from yt_platform.storage.endpoints import TIMESTAMP
from yt_platform.tables import columns as ids

Converted = tuple[pa.Array, dict[int, str]]
Convert = Callable[[pa.Array], Converted]
Pieces = Iterable[tuple[pa.Array, pa.Array | None]]
"""A column in pieces, each with the instants at which the videos of its rows were published where the file has them."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, which is what dates in Python and this platform can say."""

_EPOCH_SECONDS = re.compile(r"\d{10}(\.\d*)?", re.ASCII)
_SPREADSHEET_TEXT = re.compile(r'^="(.*)"$')
_VIDEO_ADDRESS = re.compile(
    r"(?:https?://)?(?:(?:www|m|music)\.)?"
    r"(?:youtube\.com/(?:watch\?(?:[^#\s]*&)?v=|shorts/|embed/|live/|v/)|youtu\.be/)([\w-]{11})(?![\w-])",
    re.ASCII | re.IGNORECASE,
)
_CHANNEL_ADDRESS = re.compile(
    r"(?:https?://)?(?:(?:www|m|music)\.)?youtube\.com/channel/(UC[\w-]{22})(?![\w-])", re.ASCII | re.IGNORECASE
)
_DIGITS = re.compile(r"(\d+)(\.0*)?", re.ASCII)
_ROUNDED = re.compile(r"\d+[.,]?\d*[eE]\+?\d+", re.ASCII)
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_CLOCK = r"(?:(?:,|\s+at)?\s+(?P<clock>\d{1,2}:\d\d(?::\d\d)?)(?:\s*(?:UTC|GMT|Z|\+0000))?)?"
_WORDED = re.compile(
    rf"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?(?:(?P<day>\d{{1,2}})[\s-]+{_MONTH}|"
    rf"{_MONTH.replace('month', 'month_first')}\s+(?P<day_after>\d{{1,2}})),?[\s-]+(?P<year>\d{{4}}){_CLOCK}",
    re.ASCII | re.IGNORECASE,
)
"""English alone, as exports and HTTP write it."""
_SPREADSHEET_DAY = re.compile(r"[34]\d{4}(\.\d+)?", re.ASCII)
_ZONE_NAME = re.compile(r"\s*(?:UTC|GMT)$", re.ASCII | re.IGNORECASE)
_FINER_THAN_SECONDS = {13: 10**3, 16: 10**6, 19: 10**9}
"""Ticks per second of times since 1970, by their digits: those of other lengths are no time since YouTube began."""
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS = range(dates.FIRST_DAY.year, dates.LAST_DAY.year + 1)
_TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Kind:
    """What a column holds, the Parquet types that can hold it, and how it is converted.

    `convert` takes what it is given for the whole column. `is_open` says whether a piece holds spellings that only the
    whole column decides, and `settle` makes the conversion for all pieces of such a column; it takes the order of dates
    that a person has named, and raises OpenDatesError where the column does not decide.
    """

    expected: str
    accepts: Callable[[pa.DataType], bool]
    convert: Convert
    is_open: Callable[[pa.Array], bool] = lambda values: False
    settle: Callable[[Pieces, str | None], Convert] | None = None


def is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or is_text(kind))


def _to_text(values: pa.Array) -> Converted:
    texts = values.cast(pa.string())
    nul = _rows_where(pc.match_substring(texts, "\0"))
    return _empty_to_null(texts), dict.fromkeys(nul, "holds a NUL character, which no text in a database may hold")


def _to_id(values: pa.Array, pattern: str, address: re.Pattern[str]) -> Converted:
    """Ids as the platform writes them, out of spaces, a spreadsheet's `="…"` and addresses of YouTube. What is no id
    stays as it is: the contracts judge ids."""
    texts, reasons = _to_text(values)
    if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is not False:
        return texts, reasons
    found, _ = _by_value(texts, partial(_parse_id, pattern=pattern, address=address), pa.string())
    return found, reasons


def _parse_id(text: str, pattern: str, address: re.Pattern[str]) -> str:
    bare = _SPREADSHEET_TEXT.sub(r"\1", text.strip())
    if found := address.match(bare):
        return found[1]
    return bare if re.match(pattern, bare) else text


def _to_count(values: pa.Array) -> Converted:
    return _settled_counts([(values, None)] if _counts_are_open(values) else [], None)(values)


def _counts_are_open(values: pa.Array) -> bool:
    if not is_text(values.type) or _all_digits(values):
        return False
    return any(map(numbers.is_open, values.drop_null().unique().to_pylist()))


def _settled_counts(pieces: Pieces, dates_wanted: str | None) -> Convert:
    texts = (text for values, _ in pieces if is_text(values.type) for text in values.drop_null().unique().to_pylist())
    return partial(_counts, roles=numbers.roles(texts))


def _counts(values: pa.Array, roles: Roles) -> Converted:
    if is_text(values.type):
        return _count_of_text(values.cast(pa.string()), roles)
    if pa.types.is_floating(values.type):
        return _count_of_float(values.cast(pa.float64()))
    beyond = []
    if pa.types.is_uint64(values.type):
        beyond = _rows_where(pc.greater(values, pa.scalar(MAX_INT64, pa.uint64())))
    return _minus_one_to_null(_without(values, beyond).cast(pa.int64())), dict.fromkeys(
        beyond, "is beyond 64-bit integers"
    )


def _minus_one_to_null(counts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(counts, -1), None, counts)


def _all_digits(texts: pa.Array) -> bool:
    return pc.all(pc.ascii_is_decimal(texts.cast(pa.string()))).as_py() is not False  # None: nothing but nulls


def _count_of_text(texts: pa.Array, roles: Roles) -> Converted:
    if _all_digits(texts):
        try:
            return texts.cast(pa.int64()), {}
        except pa.ArrowInvalid:  # beyond 64 bits: say which value
            pass
    return _by_value(texts, partial(parse_count, known=roles), pa.int64())


def _count_of_float(values: pa.Array) -> Converted:
    values = pc.if_else(pc.is_nan(values), None, values)
    broken = _rows_where(pc.not_equal(values, pc.floor(values)))
    beyond = _rows_where(pc.or_(pc.less(values, -(2.0**63)), pc.greater_equal(values, 2.0**63)))
    reasons = {row: f"{values[row].as_py()} is not a whole number" for row in broken}
    reasons |= {row: f"{values[row].as_py()} is beyond 64-bit integers" for row in beyond}
    return _minus_one_to_null(_without(values, [*reasons]).cast(pa.int64())), reasons


def _to_time(values: pa.Array, year_first: Orders) -> Converted:
    return _settled_times([(values, None)] if _times_are_open(values) else [], None, year_first)(values)


def _times_are_open(values: pa.Array) -> bool:
    """May be: what looks so is then gone through."""
    if not is_text(values.type):
        return False
    return bool(pc.any(pc.match_substring_regex(values.cast(pa.string()), dates.CANDIDATE)).as_py())


def _settled_times(pieces: Pieces, wanted: str | None, year_first: Orders) -> Convert:
    texts = ((values.cast(pa.string()), published) for values, published in pieces)
    return partial(_times, year_first=year_first, decision=dates.decide(texts, year_first, wanted))


def _times(values: pa.Array, year_first: Orders, decision: Decision) -> Converted:
    if is_text(values.type):
        return _time_of_text(_empty_to_null(values.cast(pa.string())), year_first, decision)
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s" if pa.types.is_date32(values.type) else "ms"))
    return _time_of_timestamp(values)


def _time_of_text(texts: pa.Array, year_first: Orders, decision: Decision) -> Converted:
    first = texts.drop_null().slice(0, 1)  # tried alone: a cast that fails on every value takes 2 µs for each
    for zoned_or_naive in (TIMESTAMP, pa.timestamp("us")):
        try:
            first.cast(zoned_or_naive)
            return _time_of_timestamp(texts.cast(zoned_or_naive))
        except pa.ArrowInvalid:
            continue
    return _by_value(texts, partial(_parse_time, year_first=year_first, decision=decision), TIMESTAMP)


def _time_of_timestamp(values: pa.Array) -> Converted:
    ticks, per_second = values.cast(pa.int64()), _TICKS_PER_SECOND[values.type.unit]
    first, last = max(FIRST_SECOND * per_second, -MAX_INT64), min((LAST_SECOND + 1) * per_second - 1, MAX_INT64)
    outside = _rows_where(pc.or_(pc.less(ticks, first), pc.greater(ticks, last)))
    # Nanoseconds are cut to microseconds: no collector measures finer.
    times = _without(values, outside).cast(pa.timestamp("us", values.type.tz), safe=False).cast(TIMESTAMP)
    return times, dict.fromkeys(outside, "is outside the years 1 to 9999")


def _parse_time(text: str, year_first: Orders, decision: Decision) -> datetime | None:
    text = text.strip()
    if text.lower() in MISSING_WORDS:
        return None
    if _EPOCH_SECONDS.fullmatch(text):
        return EPOCH + timedelta(microseconds=int(Decimal(text) * 10**6))
    if digits := _DIGITS.fullmatch(text):
        return _time_of_digits(digits[1])
    if _ROUNDED.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is a rounded number, the time in its last digits is lost")
    if orders := dates.allowed(text, year_first):
        return dates.parse(text, decision.get(orders, orders[0]))
    if worded := _WORDED.fullmatch(text):
        return _time_of_words(text, worded)
    try:
        moment = datetime.fromisoformat(_ZONE_NAME.sub("+00:00", text))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is neither an ISO 8601 time nor seconds since 1970{_remedy(text)}") from None


def _time_of_words(text: str, found: re.Match[str]) -> datetime:
    """`1 March 2026`, `Mar 1, 2026 14:05` and `Sun, 01 Mar 2026 10:00:00 GMT`: the month leaves one reading."""
    day, month, year = (
        found["day"] or found["day_after"],
        (found["month"] or found["month_first"])[:3].title(),
        found["year"],
    )
    clock = found["clock"] or "00:00"
    try:
        return datetime.strptime(
            f"{day} {month} {year} {clock}", "%d %b %Y %H:%M:%S" if clock.count(":") == 2 else "%d %b %Y %H:%M"
        ).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no day of the calendar") from None


def _remedy(text: str) -> str:
    if _SPREADSHEET_DAY.fullmatch(text):
        return "; a spreadsheet's number of a day? Format the column as a date and export it again"
    return "; write it like 2026-03-31T10:15:00Z"


def _time_of_digits(digits: str) -> datetime:
    """Milliseconds and finer since 1970, or a date without separators: the years since YouTube began leave one
    reading of each length."""
    try:
        if len(digits) in _FINER_THAN_SECONDS:
            moment = EPOCH + timedelta(microseconds=int(digits) * 10**6 // _FINER_THAN_SECONDS[len(digits)])
        else:
            moment = datetime.strptime(digits, _COMPACT[len(digits)]).replace(tzinfo=UTC)
        if moment.year in _YEARS:
            return moment
    except (KeyError, ValueError, OverflowError):
        pass
    if _SPREADSHEET_DAY.fullmatch(digits):
        raise ValueError(f"{digits!r} is no time{_remedy(digits)}")
    raise ValueError(
        f"{digits[:40]!r} is no time since YouTube began: seconds since 1970 have 10 digits before the point, "
        "milliseconds 13, dates without separators 8, 12 or 14"
    )


def _to_kaggle_tags(texts: pa.Array) -> Converted:
    texts, reasons = _to_text(texts)
    texts = pc.if_else(pc.equal(pc.utf8_lower(texts), "[none]"), None, texts)
    parted = pc.replace_substring_regex(texts, pattern=r'"?\|"?', replacement=", ")
    return pc.utf8_trim(parted, characters='"'), reasons


def _to_flag(values: pa.Array) -> Converted:
    if pa.types.is_boolean(values.type):
        return values, {}
    return _by_value(_empty_to_null(values.cast(pa.string())), _parse_flag, pa.bool_())


def _parse_flag(text: str) -> bool | None:
    try:
        return {"true": True, "false": False, **dict.fromkeys(MISSING_WORDS)}[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{text[:40]!r} is neither true nor false") from None


def _empty_to_null(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _by_value(texts: pa.Array, parse: Callable[[str], Any], target: pa.DataType) -> Converted:
    coded = texts.dictionary_encode()
    parsed: list[Any] = []
    reasons: dict[int, str] = {}
    for code, text in enumerate(coded.dictionary.to_pylist()):
        try:
            parsed.append(parse(text))
        except ValueError as error:
            parsed.append(None)
            reasons[code] = str(error)
    values = pa.array(parsed, target).take(coded.indices)
    unreadable = _rows_where(pc.is_in(coded.indices, pa.array(reasons, coded.indices.type)))
    return values, {row: reasons[coded.indices[row].as_py()] for row in unreadable}


def _rows_where(mask: pa.Array) -> list[int]:
    rows: list[int] = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return rows


def _without(values: pa.Array, rows: list[int]) -> pa.Array:
    if not rows:
        return values
    drop = pc.is_in(pa.array(range(len(values)), pa.int64()), pa.array(rows, pa.int64()))
    return pc.if_else(drop, None, values)


def _time_kind(expected: str, accepts: Callable[[pa.DataType], bool], *year_first: str) -> Kind:
    return Kind(
        expected,
        accepts,
        partial(_to_time, year_first=year_first),
        _times_are_open,
        partial(_settled_times, year_first=year_first),
    )


TEXT = Kind("text", lambda kind: is_text(kind) or bool(pa.types.is_integer(kind)), _to_text)
VIDEO_ID = Kind("ids of videos", TEXT.accepts, partial(_to_id, pattern=ids.VIDEO_ID, address=_VIDEO_ADDRESS))
CHANNEL_ID = Kind("ids of channels", TEXT.accepts, partial(_to_id, pattern=ids.CHANNEL_ID, address=_CHANNEL_ADDRESS))
COUNT = Kind("integers or floats", _is_number, _to_count, _counts_are_open, _settled_counts)
TIME = _time_kind("timestamps, dates or ISO 8601 text", _is_time, "ymd")
FLAG = Kind("booleans or true/false text", lambda kind: is_text(kind) or bool(pa.types.is_boolean(kind)), _to_flag)
KAGGLE_DAY = _time_kind("yy.dd.mm, yyyy/dd/mm or ISO 8601 text", is_text, "ydm", "ymd")
KAGGLE_TAGS = Kind("text parted by |", is_text, _to_kaggle_tags)
