"""What a value of a history file becomes, value by value and in mixed columns.

At the conversions: every spelling met in the wild would need a file of its own one level up.
"""

import re
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yt_platform.history.convert import CHANNEL_ID, COUNT, FLAG, KAGGLE_DAY, KAGGLE_TAGS, TEXT, TIME, VIDEO_ID, Kind
from yt_platform.history.dates import OpenDatesError
from yt_platform.storage.endpoints import TIMESTAMP


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
        ("1.2345E+04", 12345),
        ("1.234567e+06", 1_234_567),
        ("1,234", 1234),
        ("1,234,567", 1_234_567),
        ("12,34,567", 1_234_567),
        ("1.234", 1234),
        ("1.234.567", 1_234_567),
        ("1 234 567", 1_234_567),
        ("1\u00a0234", 1234),
        ("1\u202f234\u202f567", 1_234_567),
        ("1'234'567", 1_234_567),
        ("1\u2019234", 1234),
        ("1,234.0", 1234),
        ("1.234.567,00", 1_234_567),
        ("1 234,0", 1234),
        ("2500,0", 2500),
        ("2500,00", 2500),
        ("12345.000", 12345),
        ("-1", None),
        ("-1.0", None),
        ("", None),
        (None, None),
    ],
)
def test_counts_that_are_whole_numbers(text: str | None, number: int | None) -> None:
    assert _converted(COUNT, text) == ([number], {})


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        "0x10",
        "12a",
        "inf",
        "2500.5",
        "2500,5",
        "1,234.5",
        "1.234,5",
        "1,2345,678",
        "1,23",
        "1,234 567",
        "1.2345E+06",
        "1,2E+06",
        "1.23457E+06",
        "1.2345678E+6",
        "1.2K",
        "3,4 M",
        "3,4 Mio.",
        "12 тыс.",
        "1.5万",
        "2M+",
        "1.000",
        "1,000",
        "12.000",
        "1e-3",
        "1e9999",
        "9223372036854775808",
        "٣",
    ],
)
def test_counts_that_are_none_are_named_and_their_neighbours_kept(text: str) -> None:
    values, reasons = _converted(COUNT, "1", text, "3")
    assert values == [1, None, 3]
    assert list(reasons) == [1]
    assert text in reasons[1]


@pytest.mark.parametrize(
    "text",
    [
        *("NA", "N/A", "#N/A", "None", "null", "NULL", "NaN", "nan", "<NA>", "-", "--", "\N{EM DASH}", "\\N", "Hidden"),
        *("hidden", " NA ", "-1", "Disabled", "n.a.", "?", "unknown", "", "#VALUE!", "#DIV/0!", "Comments disabled"),
    ],
)
def test_words_for_missing_are_null_and_cost_no_row(text: str) -> None:
    assert _converted(COUNT, "1", text, "3") == ([1, None, 3], {})


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.float32()])
def test_minus_one_in_columns_of_numbers_is_missing(kind: pa.DataType) -> None:
    assert _converted(COUNT, 5, -1, 0, of=kind) == ([5, None, 0], {})


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (["1,000", "1,234"], [1000, 1234]),
        (["1.000", "1.234", "999"], [1000, 1234, 999]),
        (["1.000", "12.345.678"], [1000, 12_345_678]),
        (["1,000", "2500,0", "7"], [1, 2500, 7]),
        (["1.000", "12345.000"], [1, 12345]),
        (["1.000", "2500.0"], [1, 2500]),
        (["1,000", "1,234.0"], [1000, 1234]),
        (["1.000", "1.234,0"], [1000, 1234]),
        (["1,234", "1000000"], [1234, 1_000_000]),
    ],
)
def test_the_column_tells_what_its_separators_mean(column: list[str], values: list[int]) -> None:
    assert _converted(COUNT, *column) == (values, {})
    assert _converted(COUNT, *reversed(column)) == (values[::-1], {})


@pytest.mark.parametrize(
    ("column", "refused"),
    [
        (["1.000", "7"], [0]),
        (["1,000", "2,000"], [0, 1]),
        (["1.234", "2500.0"], [0]),  # rows of decimals: 1.234 is no count
        (["1.234", "1000000"], [0]),
        (["1.000", "1000000"], [0]),
        (["1,234", "12,5"], [0, 1]),
    ],
)
def test_separators_that_nothing_explains_are_refused_with_both_readings(column: list[str], refused: list[int]) -> None:
    _, reasons = _converted(COUNT, *column)
    assert list(reasons) == refused
    assert re.search("may be 1.* or 1.* write counts without separators", reasons[0])


def test_lost_digits_are_named_with_the_remedy() -> None:
    _, reasons = _converted(COUNT, "1.2K", "1.23E+06")
    assert reasons == {
        0: "'1.2K' is shortened, its other digits are lost: export the number in full",
        1: "'1.23E+06' is rounded, its last digits are lost: format the column as a number without decimals "
        "and export it again",
    }


@given(st.lists(st.one_of(st.none(), st.integers(-(2**70), 2**70))))
def test_integers_of_any_size_are_kept_or_rejected_never_changed(numbers: list[int | None]) -> None:
    values, reasons = _converted(COUNT, *[None if number is None else str(number) for number in numbers])
    fits = [number is None or -(2**63) <= number < 2**63 for number in numbers]
    known = [fit and number != -1 for number, fit in zip(numbers, fits, strict=True)]  # -1 stands for missing
    assert values == [number if so else None for number, so in zip(numbers, known, strict=True)]
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
        ("1767323045123", datetime(2026, 1, 2, 3, 4, 5, 123000)),
        ("1767323045123.0", datetime(2026, 1, 2, 3, 4, 5, 123000)),
        ("1767323045123456", datetime(2026, 1, 2, 3, 4, 5, 123456)),
        ("1767323045123456789", datetime(2026, 1, 2, 3, 4, 5, 123456)),
        ("20260102T030405Z", datetime(2026, 1, 2, 3, 4, 5)),
        ("20260102T030405+0200", datetime(2026, 1, 2, 1, 4, 5)),
        ("20260102", datetime(2026, 1, 2)),
        ("202601020304", datetime(2026, 1, 2, 3, 4)),
        ("20260102030405", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026-01-02 03:04:05 UTC", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026/01/02 03:04", datetime(2026, 1, 2, 3, 4)),
        ("2026.1.2", datetime(2026, 1, 2)),
        ("2026-1-2 3:04", datetime(2026, 1, 2, 3, 4)),
        ("02.01.2026 03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
        ("13/01/2026", datetime(2026, 1, 13)),
        ("01/13/2026 11:05 PM", datetime(2026, 1, 13, 23, 5)),
        ("1/13/26, 12:05 am", datetime(2026, 1, 13, 0, 5)),
        ("13-01-2026T03:04:05.5+02:00", datetime(2026, 1, 13, 1, 4, 5, 500000)),
        ("1767323045.5", datetime(2026, 1, 2, 3, 4, 5, 500000)),
        ("2 January 2026", datetime(2026, 1, 2)),
        ("Jan 2, 2026", datetime(2026, 1, 2)),
        ("Jan. 2, 2026, 3:04", datetime(2026, 1, 2, 3, 4)),
        ("02-Jan-2026 03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
        ("Fri, 02 Jan 2026 03:04:05 GMT", datetime(2026, 1, 2, 3, 4, 5)),
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
        "30 February 2026",
        "Jan 2, 2026 03:04 PST",
        "2 Janvier 2026",
        "20261302",
        "176732304500",  # 12 digits: no date, and milliseconds of 1975
        "17673230450000",
        "1.76732E+09",
        "46082.5",  # a spreadsheet's day
        "13.13.2026",
        "2026/01/02 25:00",
        "13/01/2026 13:00 pm",
        "17.14.11",
        "2026-01-02T25:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
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
    days = [f"17.{day}.11" for day in range(10, 30)]
    values, reasons = _converted(KAGGLE_DAY, *days, "2017/27/12", "2020-08-12T00:00:00Z", "17.11.14", "17.31.11")
    found = [*(datetime(2017, 11, day) for day in range(10, 30)), datetime(2017, 12, 27), datetime(2020, 8, 12)]
    assert values == [*(day.replace(tzinfo=UTC) for day in found), None, None]
    assert sorted(reasons) == [22, 23]


def _order(kind: Kind, texts: list[str], published: list[datetime] | None = None, wanted: str | None = None) -> str:
    """The order in which a column is read, by its first date: day 4, month 11 of 2024, whichever way it is written."""
    assert kind.settle
    beside = None if published is None else pa.array(published, TIMESTAMP)
    (found, *_), reasons = kind.settle([(pa.array(texts), beside)], wanted)(pa.array(texts))
    assert reasons == {}
    return f"{found.as_py():%Y-%m-%d}"


NOVEMBER = [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("kind", "spelling"),
    [
        (KAGGLE_DAY, "24.11.{:02}"),
        (KAGGLE_DAY, "24.{:02}.11"),
        (KAGGLE_DAY, "2024/11/{:02}"),
        (KAGGLE_DAY, "2024/{:02}/11"),
        (KAGGLE_DAY, "{:02}/11/2024"),
        (KAGGLE_DAY, "11/{:02}/2024"),
        (TIME, "{:02}/11/2024"),
        (TIME, "11/{:02}/2024"),
        (TIME, "{}-11-2024"),
        (TIME, "24/11/{:02}"),
        (TIME, "{:02}.11.24"),
        (TIME, "{:02}.11.2024"),
        (TIME, "2024/11/{:02}"),
    ],
)
@pytest.mark.parametrize("evidence", ["published", "unbroken days", "a day over 12", "rising"])
def test_the_column_tells_the_order_of_its_dates(kind: Kind, spelling: str, evidence: str) -> None:
    days = {"a day over 12": [4, 30], "published": [4, 6], "rising": [4, 6, 8, 10]}.get(evidence, NOVEMBER)
    texts = [spelling.format(day) for day in days]
    if evidence == "rising":  # read the other way the next month goes back to January
        texts = [*texts, spelling.replace("11", "12", 1).format(2)]
    published = [datetime(2024, 11, 3)] * len(texts) if evidence == "published" else None
    assert _order(kind, texts, published) == "2024-11-04"


@pytest.mark.parametrize(
    ("kind", "texts", "orders"),
    [
        (KAGGLE_DAY, ["24.11.04", "24.11.05"], ("ydm", "ymd")),
        (KAGGLE_DAY, ["2017/01/12"], ("ydm", "ymd")),
        (TIME, ["04/11/2024"], ("dmy", "mdy")),
        (TIME, ["04/11/2024 10:00", "06/11/2024 10:00"], ("dmy", "mdy")),
    ],
)
def test_an_order_that_stays_open_is_refused_until_it_is_named(
    kind: Kind, texts: list[str], orders: tuple[str, str]
) -> None:
    with pytest.raises(OpenDatesError) as error:
        kind.convert(pa.array(texts))
    assert all(f"--dates {order}" in error.value.remedy for order in orders)
    assert texts[0] in error.value.reason
    assert {_order(kind, texts, wanted=order) for order in orders} == {
        f"{datetime.strptime(texts[0][:10], pattern):%Y-%m-%d}" for pattern in _patterns(texts[0], orders)
    }


def test_years_of_two_digits_may_stand_last() -> None:
    assert _order(TIME, [f"11/{day}/24 10:00" for day in NOVEMBER]) == "2024-11-04"
    assert _order(TIME, ["11/4/24 10:00", "11/30/24 10:00"]) == "2024-11-04"


def _patterns(text: str, orders: tuple[str, str]) -> list[str]:
    mark = "." if "." in text else "/"
    year = "%Y" if len(text) >= 10 else "%y"
    return [mark.join({"y": year, "m": "%m", "d": "%d"}[part] for part in order) for order in orders]


def test_dates_that_are_the_same_in_every_order_are_read() -> None:
    assert _converted(TIME, "11/11/2024")[0] == [datetime(2024, 11, 11, tzinfo=UTC)]


def test_an_order_that_a_spelling_does_not_allow_is_refused() -> None:
    with pytest.raises(OpenDatesError, match="cannot be year, month, day"):
        _order(TIME, ["04/11/2024"], wanted="ymd")


def test_dates_of_no_single_order_are_refused_and_their_neighbours_kept() -> None:
    values, reasons = _converted(TIME, "30/01/2024", "2024-01-31", "01/30/2024", "02/03/2024")
    assert values == [None, datetime(2024, 1, 31, tzinfo=UTC), None, None]
    assert "too many of its column fit no order" in reasons[3]


def test_words_for_missing_are_no_times_and_no_flags() -> None:
    assert _converted(TIME, "NA", "2026-01-02", "NaT", "-", "null")[1] == {}
    assert _converted(FLAG, "NA", "true", "None") == ([None, True, None], {})


def test_dates_that_begin_with_the_year_go_on_with_the_month() -> None:
    values, reasons = _converted(TIME, "2009/12/15", "2017-11-13T17:32:55.000Z", "2009/15/12")
    assert values == [datetime(2009, 12, 15, tzinfo=UTC), datetime(2017, 11, 13, 17, 32, 55, tzinfo=UTC), None]
    assert sorted(reasons) == [2]


@pytest.mark.parametrize(
    "text",
    [
        "a-c_EFGHIJ9",
        " a-c_EFGHIJ9 ",
        '="a-c_EFGHIJ9"',
        "https://www.youtube.com/watch?v=a-c_EFGHIJ9&t=5s",
        "https://m.youtube.com/watch?list=PL1&v=a-c_EFGHIJ9",
        "https://youtu.be/a-c_EFGHIJ9?si=x",
        "youtube.com/shorts/a-c_EFGHIJ9",
    ],
)
def test_ids_of_videos_are_read_out_of_what_people_write_around_them(text: str) -> None:
    assert _converted(VIDEO_ID, text, None) == (["a-c_EFGHIJ9", None], {})


@pytest.mark.parametrize("text", ["short", "#NAME?", "https://youtu.be/a-c_EFGHIJ90", "https://vimeo.com/a-c_EFGHIJ9"])
def test_what_is_no_id_is_left_to_the_contract(text: str) -> None:
    assert _converted(VIDEO_ID, text) == ([text], {})


def test_ids_of_channels_are_read_out_of_addresses() -> None:
    channel = "UC" + "a-_9" * 5 + "bc"
    assert _converted(CHANNEL_ID, f"https://www.youtube.com/channel/{channel}/videos", f" {channel}") == (
        [channel] * 2,
        {},
    )


def test_a_spreadsheets_number_of_a_day_is_named_with_the_remedy() -> None:
    for text in ("46082", "46082.5"):
        assert "Format the column as a date" in _converted(TIME, text)[1][0]


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
