"""What is stale is decided on versions alone, so no database is needed."""

from datetime import date, timedelta
from hashlib import sha256
from inspect import signature

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yt_platform.catalog.lineage import (
    DAILY_TABLES,
    FROM_OWNERS,
    Versions,
    contiguous,
    input_version,
    pack_days,
    settled,
    stale_versions,
    with_short_gaps,
)
from yt_platform.tables.declaration import Table
from yt_platform.tables.times import LOOKBACK_DAYS, REACH_DAYS

DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(60)]
RAW = {"raw.video_snapshots": {day: f"s{day}" for day in DAYS}, "raw.videos": {day: f"v{day}" for day in DAYS}}


def loaded(raw: dict[str, dict[date, str]]) -> dict[str, dict[date, str]]:
    """Versions as they stand after every table was made."""
    versions: dict[str, dict[date, str]] = {name: dict(days) for name, days in raw.items()}
    for table in DAILY_TABLES:
        versions[table.name] = {day: input_version(table, day, versions) for day in DAYS}
    return versions


def tables_of(raw: Versions, made: Versions, days: list[date]) -> dict[date, set[str]]:
    """What is stale, without the versions."""
    return {day: set(tables) for day, tables in stale_versions(raw, made, days).items()}


def test_everything_is_stale_at_first_and_nothing_once_made() -> None:
    assert set(tables_of(RAW, {}, DAYS)) == set(DAYS)
    assert tables_of(RAW, {}, DAYS)[DAYS[0]] == {table.name for table in DAILY_TABLES} - FROM_OWNERS
    assert tables_of(RAW, loaded(RAW), DAYS) == {}


def test_a_late_batch_makes_stale_exactly_what_looks_at_its_day() -> None:
    late = DAYS[20]
    changed = {**RAW, "raw.video_snapshots": {**RAW["raw.video_snapshots"], late: "other"}}
    stale = tables_of(changed, loaded(RAW), DAYS)
    by_table = {table.name: [day for day in DAYS if table.name in stale.get(day, ())] for table in DAILY_TABLES}
    # zeros that stand for missing are told by what was read up to 28 days before them
    assert by_table["metrics.video_snapshots"] == DAYS[20 : 20 + LOOKBACK_DAYS + 1]
    assert by_table["metrics.videos"] == []
    assert by_table["metrics.video_daily"] == DAYS[20 : 20 + LOOKBACK_DAYS + 2]
    # features read daily rows, which a day later still differ, over their own lookback
    assert by_table["features.video_day"] == DAYS[20 : 20 + 2 * LOOKBACK_DAYS + 2]


def test_what_looks_ahead_is_stale_again_when_later_days_arrive() -> None:
    """Its days were once made before the readings after them, and stayed as they were."""
    until = DAYS[:20]
    early = {name: {day: version for day, version in days.items() if day in until} for name, days in RAW.items()}
    stale = tables_of(RAW, loaded(early), DAYS)
    assert {day for day in until if "metrics.channel_daily" in stale.get(day, ())} >= set(until[-REACH_DAYS:])
    assert not any("metrics.video_daily" in stale.get(day, ()) for day in until)


def test_what_read_answers_that_were_deleted_stays_as_it_is_and_so_does_what_follows() -> None:
    """New code once would have asked for them for ever, and for all that is made from them."""
    made, gone = loaded(RAW), DAYS[3]
    made["metrics.video_snapshots"] = {**made["metrics.video_snapshots"], gone: "of older code"}
    for table in DAILY_TABLES:
        if table.name != "metrics.video_snapshots":
            made[table.name] = {day: input_version(table, day, made) for day in DAYS}
    assert "metrics.video_snapshots" in stale_versions(RAW, made, DAYS)[gone]
    assert stale_versions(RAW, made, DAYS, {"raw.video_snapshots": {gone}}) == {}


def test_ranges_join_neighbouring_days_with_the_same_tables() -> None:
    a, b = frozenset({"a"}), frozenset({"b"})
    days = {DAYS[0]: a, DAYS[1]: a, DAYS[2]: b, DAYS[4]: b}
    assert contiguous(days) == [(DAYS[0], DAYS[1], a), (DAYS[2], DAYS[2], b), (DAYS[4], DAYS[4], b)]


def test_days_of_a_short_gap_belong_to_those_around_it() -> None:
    """A history read every second day once took a run for each reading."""
    days = {DAYS[0], DAYS[2], DAYS[2 + REACH_DAYS], DAYS[2 + REACH_DAYS + REACH_DAYS + 1]}
    assert with_short_gaps(days) == {*DAYS[: 3 + REACH_DAYS], max(days)}
    assert with_short_gaps(set()) == set()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 100))
def test_packing_keeps_every_day_once_and_the_limit(sizes: list[int], limit: int) -> None:
    days = {DAYS[0] + timedelta(days=n): size for n, size in enumerate(sizes)}
    chunks = pack_days(days, limit)
    covered = [day for first, last in chunks for day in days if first <= day <= last]
    assert covered == sorted(days)
    for first, last in chunks:
        assert first == last or sum(size for day, size in days.items() if first <= day <= last) <= limit


def test_packing_nothing() -> None:
    assert pack_days({}, 10) == []


@pytest.mark.parametrize("table", DAILY_TABLES, ids=lambda table: table.name)
def test_inputs_come_before_the_tables_made_from_them(table: Table) -> None:
    names = [other.name for other in DAILY_TABLES]
    for source in table.inputs:
        assert source.name.startswith("raw.") or names.index(source.name) < names.index(table.name)


def test_what_looks_ahead_to_an_open_day_is_not_settled() -> None:
    everything = frozenset(table.name for table in DAILY_TABLES)
    left = settled(dict.fromkeys(DAYS, everything), {DAYS[-1]})
    last = {table: max(day for day in left if table in left[day]) for table in everything}
    ahead = {table: (DAYS[-1] - day).days - 1 for table, day in last.items()}
    assert {table: days for table, days in ahead.items() if days} == {
        "metrics.channel_daily": REACH_DAYS,
        "ops.quality_scores": REACH_DAYS,
        "metrics.video_windows": 1,
    }
    assert settled(dict.fromkeys(DAYS, everything), set()) == dict.fromkeys(DAYS, everything)


VERSIONS = {
    "metrics.video_snapshots": "c309d2e7d5d1ce7144927ac6905e8151",
    "metrics.channel_snapshots": "f188d3fb92272ed788e42ba1a16915a2",
    "metrics.videos": "f7be097cde2f53f8eaa1c935c692c07a",
    "metrics.video_versions": "bcb611862e40cecdee47123d14073d1f",
    "metrics.channels": "3af1409f177616d090a910a6af7b495f",
    "metrics.comments": "d0006ec92a15ab50650f2f4ab734accb",
    "metrics.video_daily": "cb1f131fae96e166f29274a5ce36d6a8",
    "metrics.video_hourly": "8b20aae5bd0c595133ea6f1c063fc5e2",
    "metrics.report_basic": "eed0a09a718d17e0d6cfbe65a18f6652",
    "metrics.report_demographics": "40a6fa40c59effb11e1e5b0c87c92066",
    "metrics.report_traffic_sources": "f1a489e03bb6ec21b5110f015d180459",
    "metrics.report_reach": "15ac28921bb5a88a00eb02569c2412a4",
    "metrics.report_revenue": "d86706eaed5b4684c7833b983b419057",
    "metrics.report_devices": "e5ae3b8a6a7e53aa0f969fd120e12b23",
    "metrics.report_playback_locations": "6e5628378ace2e520abf120dc576048d",
    "metrics.report_cards": "02ef01cbdd0084238610274bb06e9f2e",
    "metrics.report_end_screens": "08bf31e0c70b9fe13456f97cc3b1fd94",
    "metrics.report_subtitles": "1097f279a849a8c45bf94ac87b910abf",
    "metrics.report_provinces": "b0471d523905b1fc436f59e8d8c77ff7",
    "metrics.report_playlists": "fc7479ef21f57c9ae70abfcc9e372eac",
    "metrics.channel_daily": "5eee6345d611a1638ddf65e017c49d41",
    "metrics.video_retention": "96d26e9442395b700e07f065e10290cb",
    "metrics.channel_revenue": "b32a7de172d06a9a0733e5a90982bfea",
    "metrics.video_windows": "202783b92f54c7758ac380177ba55740",
    "features.video_day": "7bd6c8ff750bb5a375d632651928ee87",
    "features.video_hour": "adb623b1ccdeedbd404ff0f8a5b27e2c",
    "ops.anomalies": "4e8460215ab4318ce7f9b4d6d0056329",
    "ops.quality_scores": "6575c179bc581eb79efa705c53c8c86b",
    "features.channel_day": "2df03f424e5577d94f5997e52d921dc6",
}
"""Digests that commit 475bda7 computed, whose tables and code versions are those of 9529093 and of what came since."""


def test_versions_stay_what_they_were() -> None:
    """A home whose rows were made before the declarations must not be made anew: the order of inputs, their reach and
    the code version are all in the digest. Whoever changes one of these for a table on purpose replaces its line."""
    day, names = date(2026, 3, 1), {source.name for table in DAILY_TABLES for source in table.inputs}
    versions = {
        name: {day + timedelta(days=n): sha256(f"{name} {n}".encode()).hexdigest() for n in range(-150, 20)}
        for name in names
    }
    assert {table.name: input_version(table, day, versions) for table in DAILY_TABLES} == VERSIONS


@pytest.mark.parametrize("table", [table for table in DAILY_TABLES if table.made_by], ids=lambda table: table.name)
def test_the_function_that_a_table_names_takes_a_frame_for_each_input_and_two_days(table: Table) -> None:
    """It is named by a string, so that only the first run would tell of a name that is wrong."""
    assert len(signature(table.maker).parameters) == len(table.inputs) + 2
