"""Values as files spell them to the types of raw columns, a whole column at a time.

Belongs here: what counts as a whole number, a time, a flag or a text, in CSV text and in Parquet types, and what
Kaggle's files spell differently. Not here: which column means what (`layouts.py`), and judging values that could be
read (the contracts in `core/schemas`).

A conversion takes an Arrow array and returns an array of the target type, null where a value is empty or unreadable,
and the reasons for the unreadable ones by row. Columns are tried whole first; only one that Arrow cannot read as a
whole is gone through value by value, each distinct value once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from yt_platform.core.endpoints import TIMESTAMP

Converted = tuple[pa.Array, dict[int, str]]

MAX_INT64 = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999, which is what dates in Python and this platform can say."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH_SECONDS = re.compile(r"\d{10}(\.\d*)?", re.ASCII)
_DIGITS = re.compile(r"\d+(\.\d*)?", re.ASCII)
_KAGGLE_DAY = re.compile(r"(\d\d|\d{4})[./](\d\d)[./](\d\d)", re.ASCII)
_KAGGLE_DATE = re.compile(r"(\d{4})/(\d\d)/(\d\d)", re.ASCII)
_TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True)
class Kind:
    """What a column holds, the Parquet types that can hold it, and how it is converted."""

    expected: str
    accepts: Callable[[pa.DataType], bool]
    convert: Callable[[pa.Array], Converted]


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


def _to_count(values: pa.Array) -> Converted:
    if is_text(values.type):
        return _count_of_text(_empty_to_null(values.cast(pa.string())))
    if pa.types.is_floating(values.type):
        return _count_of_float(values.cast(pa.float64()))
    beyond = []
    if pa.types.is_uint64(values.type):
        beyond = _rows_where(pc.greater(values, pa.scalar(MAX_INT64, pa.uint64())))
    return _without(values, beyond).cast(pa.int64()), dict.fromkeys(beyond, "is beyond 64-bit integers")


def _count_of_text(texts: pa.Array) -> Converted:
    if pc.all(pc.ascii_is_decimal(texts)).as_py() is not False:  # None: nothing but nulls
        try:
            return texts.cast(pa.int64()), {}
        except pa.ArrowInvalid:  # beyond 64 bits: say which value
            pass
    return _by_value(texts, _parse_count, pa.int64())


def _parse_count(text: str) -> int:
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(f"{text[:40]!r} is not a whole number written in plain digits")
    number = Decimal(text.strip())
    if number != number.to_integral_value():
        raise ValueError(f"{text[:40]!r} is not a whole number")
    if not -MAX_INT64 - 1 <= number <= MAX_INT64:
        raise ValueError(f"{text[:40]!r} is beyond 64-bit integers")
    return int(number)


def _count_of_float(values: pa.Array) -> Converted:
    values = pc.if_else(pc.is_nan(values), None, values)
    broken = _rows_where(pc.not_equal(values, pc.floor(values)))
    beyond = _rows_where(pc.or_(pc.less(values, -(2.0**63)), pc.greater_equal(values, 2.0**63)))
    reasons = {row: f"{values[row].as_py()} is not a whole number" for row in broken}
    reasons |= {row: f"{values[row].as_py()} is beyond 64-bit integers" for row in beyond}
    return _without(values, [*reasons]).cast(pa.int64()), reasons


def _to_time(values: pa.Array) -> Converted:
    if is_text(values.type):
        return _time_of_text(_empty_to_null(values.cast(pa.string())))
    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s" if pa.types.is_date32(values.type) else "ms"))
    return _time_of_timestamp(values)


def _time_of_text(texts: pa.Array) -> Converted:
    first = texts.drop_null().slice(0, 1)  # tried alone: a cast that fails on every value takes 2 µs for each
    for zoned_or_naive in (TIMESTAMP, pa.timestamp("us")):
        try:
            first.cast(zoned_or_naive)
            return _time_of_timestamp(texts.cast(zoned_or_naive))
        except pa.ArrowInvalid:
            continue
    return _by_value(texts, _parse_time, TIMESTAMP)


def _time_of_timestamp(values: pa.Array) -> Converted:
    ticks, per_second = values.cast(pa.int64()), _TICKS_PER_SECOND[values.type.unit]
    first, last = max(FIRST_SECOND * per_second, -MAX_INT64), min((LAST_SECOND + 1) * per_second - 1, MAX_INT64)
    outside = _rows_where(pc.or_(pc.less(ticks, first), pc.greater(ticks, last)))
    # Nanoseconds are cut to microseconds: no collector measures finer.
    times = _without(values, outside).cast(pa.timestamp("us", values.type.tz), safe=False).cast(TIMESTAMP)
    return times, dict.fromkeys(outside, "is outside the years 1 to 9999")


def _parse_time(text: str) -> datetime:
    text = text.strip()
    if _EPOCH_SECONDS.fullmatch(text):
        return EPOCH + timedelta(microseconds=int(Decimal(text) * 10**6))
    if _DIGITS.fullmatch(text):  # 8 digits may be a date, 13 are milliseconds: both would be silently wrong
        raise ValueError(f"{text[:40]!r} is no time: seconds since 1970 have 10 digits before the point")
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is neither an ISO 8601 time nor seconds since 1970") from None


def _parse_kaggle_day(text: str) -> datetime:
    match = _KAGGLE_DAY.fullmatch(text.strip())
    if not match:
        return _parse_time(text)
    year, day, month = (int(part) for part in match.groups())
    try:
        return datetime(year + 2000 if year < 100 else year, month, day, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text!r} is no date in the order year, day, month") from None


def _parse_kaggle_time(text: str) -> datetime:
    return _parse_time(_KAGGLE_DATE.sub(r"\1-\2-\3", text))


def _to_kaggle_day(texts: pa.Array) -> Converted:
    return _by_value(_empty_to_null(texts), _parse_kaggle_day, TIMESTAMP)


def _to_kaggle_time(texts: pa.Array) -> Converted:
    return _by_value(_empty_to_null(texts), _parse_kaggle_time, TIMESTAMP)


def _to_kaggle_tags(texts: pa.Array) -> Converted:
    texts, reasons = _to_text(texts)
    texts = pc.if_else(pc.equal(pc.utf8_lower(texts), "[none]"), None, texts)
    parted = pc.replace_substring_regex(texts, pattern=r'"?\|"?', replacement=", ")
    return pc.utf8_trim(parted, characters='"'), reasons


def _to_flag(values: pa.Array) -> Converted:
    if pa.types.is_boolean(values.type):
        return values, {}
    return _by_value(_empty_to_null(values.cast(pa.string())), _parse_flag, pa.bool_())


def _parse_flag(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.strip().lower()]
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


TEXT = Kind("text", lambda kind: is_text(kind) or bool(pa.types.is_integer(kind)), _to_text)
COUNT = Kind("integers or floats", _is_number, _to_count)
TIME = Kind("timestamps, dates or ISO 8601 text", _is_time, _to_time)
FLAG = Kind("booleans or true/false text", lambda kind: is_text(kind) or bool(pa.types.is_boolean(kind)), _to_flag)
KAGGLE_DAY = Kind("yy.dd.mm, yyyy/dd/mm or ISO 8601 text", is_text, _to_kaggle_day)
KAGGLE_TIME = Kind("yyyy/mm/dd or ISO 8601 text", is_text, _to_kaggle_time)
KAGGLE_TAGS = Kind("text parted by |", is_text, _to_kaggle_tags)
