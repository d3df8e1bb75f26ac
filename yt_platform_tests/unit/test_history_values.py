"""What a value of a history file becomes, value by value and in mixed columns.

At the conversions: every spelling met in the wild would need a file of its own one level up.
"""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yt_platform.core.endpoints import TIMESTAMP
from yt_platform.io.history.convert import COUNT, FLAG, KAGGLE_DAY, KAGGLE_TAGS, KAGGLE_TIME, TEXT, TIME, Kind


def _converted(kind: Kind, *values: Any, of: pa.DataType | None = None) -> tuple[list[Any], dict[int, str]]:
    array, reasons = kind.convert(pa.array(values, of or pa.string()))
    return array.to_pylist(), reasons


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-5", -5),
        ("+7", 7),
        (" 12 ", 12),
        ("2500.0", 2500),
        ("2500.", 2500),
        ("1e3", 1000),
        ("1.5E+3", 1500),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9007199254740993", 2**53 + 1),  # not a float64
        ("9007199254740993.0", 2**53 + 1),
        ("", None),
        (None, None),
    ],
)
def test_counts_that_are_whole_numbers(text: str | None, number: int | None) -> None:
    assert _converted(COUNT, text) == ([number], {})


@pytest.mark.parametrize(
    "text",
    [
        "1,234",
        "1_000",
        "0x10",
        "12a",
        "nan",
        "inf",
        "None",
        "2500.5",
        "1e-3",
        "1e9999",
        "9223372036854775808",
        "٣",
        "-",
    ],
)
def test_counts_that_are_none_are_named_and_their_neighbours_kept(text: str) -> None:
    values, reasons = _converted(COUNT, "1", text, "3")
    assert values == [1, None, 3]
    assert list(reasons) == [1]
    assert text in reasons[1]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**70), 2**70))))
def test_integers_of_any_size_are_kept_or_rejected_never_changed(numbers: list[int | None]) -> None:
    values, reasons = _converted(COUNT, *[None if number is None else str(number) for number in numbers])
    fits = [number is None or -(2**63) <= number < 2**63 for number in numbers]
    assert values == [number if fit else None for number, fit in zip(numbers, fits, strict=True)]
    assert sorted(reasons) == [row for row, fit in enumerate(fits) if not fit]


def test_float_columns_hold_whole_numbers_and_nan_for_missing() -> None:
    values, reasons = _converted(COUNT, 3.0, float("nan"), None, 2.5, 2.0**63, float("inf"), of=pa.float64())
    assert values == [3, None, None, None, None, None]
    assert sorted(reasons) == [3, 4, 5]


def test_unsigned_columns_may_be_beyond_64_bits() -> None:
    values, reasons = _converted(COUNT, 2**63 - 1, 2**63, of=pa.uint64())
    assert values == [2**63 - 1, None]
    assert sorted(reasons) == [1]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-02", datetime(2026, 1, 2)),
        ("2026-01-02 03:04", datetime(2026, 1, 2, 3, 4)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02T03:04:05.678901+02:00", datetime(2026, 1, 2, 1, 4, 5, 678901)),
        ("2026-01-02T23:04:05-0130", datetime(2026, 1, 3, 0, 34, 5)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456)),
        (" 2026-01-02 ", datetime(2026, 1, 2)),
        ("1767323045", datetime(2026, 1, 2, 3, 4, 5)),
        ("1767323045.5", datetime(2026, 1, 2, 3, 4, 5, 500000)),
    ],
)
def test_times(text: str, time: datetime) -> None:
    expected = time.replace(tzinfo=UTC)
    assert _converted(TIME, text) == ([expected], {})
    # among values of other spellings a column goes another way
    assert _converted(TIME, "1767323045", text, "2026-01-02T03:04:05+00:00", "oops", None)[0][1] == expected
    assert _converted(TIME, "2026-01-02T03:04:05+00:00", text, "2026-01-02")[0][1] == expected


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-02-30",
        "20260102",  # a date or seconds of August 1970: no guess
        "1767323045000",  # milliseconds
        "17.14.11",
        "2026-01-02T25:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "nan",
    ],
)
def test_times_that_are_none_are_named_and_their_neighbours_kept(text: str) -> None:
    values, reasons = _converted(TIME, "2026-01-02T00:00:00Z", text)
    assert values == [datetime(2026, 1, 2, tzinfo=UTC), None]
    assert list(reasons) == [1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_timestamp_columns_of_any_unit_are_one_instant(unit: str, zone: str | None) -> None:
    at = pa.scalar(datetime(2026, 1, 2, 3, 4, 5), pa.timestamp("us")).cast(pa.timestamp(unit)).value
    values, reasons = TIME.convert(pa.array([at, None], pa.int64()).cast(pa.timestamp(unit, zone)))
    assert values.type == TIMESTAMP
    assert (values.to_pylist(), reasons) == ([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None], {})


def test_timestamps_outside_the_calendar_are_rejected_not_wrapped() -> None:
    """Seconds times a million overflow 64 bits without a word from Arrow."""
    array = pa.array([0, 2**62, -(2**62)], pa.int64()).cast(pa.timestamp("s"))
    values, reasons = TIME.convert(array)
    assert values.to_pylist() == [datetime(1970, 1, 1, tzinfo=UTC), None, None]
    assert sorted(reasons) == [1, 2]


def test_date_columns_are_midnights() -> None:
    day = datetime(2026, 1, 2).date()
    for kind in (pa.date32(), pa.date64()):
        assert _converted(TIME, day, of=kind) == ([datetime(2026, 1, 2, tzinfo=UTC)], {})


def test_kaggle_days_are_year_day_month_or_iso() -> None:
    values, reasons = _converted(KAGGLE_DAY, "17.14.11", "2017/27/12", "2020-08-12T00:00:00Z", "17.11.14", "17.31.11")
    days = [datetime(2017, 11, 14), datetime(2017, 12, 27), datetime(2020, 8, 12)]
    assert values == [*(day.replace(tzinfo=UTC) for day in days), None, None]
    assert sorted(reasons) == [3, 4]


def test_kaggle_publishing_times_are_year_month_day_or_iso() -> None:
    values, reasons = _converted(KAGGLE_TIME, "2009/12/15", "2017-11-13T17:32:55.000Z", "2009/15/12")
    assert values == [datetime(2009, 12, 15, tzinfo=UTC), datetime(2017, 11, 13, 17, 32, 55, tzinfo=UTC), None]
    assert sorted(reasons) == [2]


def test_kaggle_tags_become_separated_by_commas() -> None:
    texts = ['Raptor|"Dissident"|"cette merde"', "187|bonez", "one", "[none]", "[None]", ""]
    expected = ["Raptor, Dissident, cette merde", "187, bonez", "one", None, None, None]
    assert _converted(KAGGLE_TAGS, *texts) == (expected, {})


def test_flags_in_any_case_or_type() -> None:
    values, reasons = _converted(FLAG, "True", "false", "FALSE", "", "yes")
    assert values == [True, False, False, None, None]
    assert sorted(reasons) == [4]
    assert _converted(FLAG, True, None, of=pa.bool_()) == ([True, None], {})


def test_text_keeps_everything_but_nul() -> None:
    """PostgreSQL has no NUL in text: such a row would fail the whole load later."""
    values, reasons = _converted(TEXT, " é\n\\n", "", "a\0b")
    assert values[:2] == [" é\n\\n", None]
    assert sorted(reasons) == [2]
    assert _converted(TEXT, 24, of=pa.int64()) == (["24"], {})
