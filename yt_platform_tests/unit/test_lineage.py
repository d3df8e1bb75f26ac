"""What is stale is decided on versions alone, so no database is needed."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yt_platform.core.lineage import (
    FROM_OWNERS,
    LOOKBACK_DAYS,
    NODES,
    REACH_DAYS,
    Versions,
    contiguous,
    input_version,
    pack_days,
    settled,
    stale_versions,
    with_short_gaps,
)

DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(60)]
RAW = {"raw.video_snapshots": {day: f"s{day}" for day in DAYS}, "raw.videos": {day: f"v{day}" for day in DAYS}}


def loaded(raw: dict[str, dict[date, str]]) -> dict[str, dict[date, str]]:
    """Versions as they stand after every table was made."""
    versions: dict[str, dict[date, str]] = {name: dict(days) for name, days in raw.items()}
    for node in NODES:
        versions[node.table] = {day: input_version(node, day, versions) for day in DAYS}
    return versions


def tables_of(raw: Versions, made: Versions, days: list[date]) -> dict[date, set[str]]:
    """What is stale, without the versions."""
    return {day: set(tables) for day, tables in stale_versions(raw, made, days).items()}


def test_everything_is_stale_at_first_and_nothing_once_made() -> None:
    assert set(tables_of(RAW, {}, DAYS)) == set(DAYS)
    assert tables_of(RAW, {}, DAYS)[DAYS[0]] == {node.table for node in NODES} - FROM_OWNERS
    assert tables_of(RAW, loaded(RAW), DAYS) == {}


def test_a_late_batch_makes_stale_exactly_what_looks_at_its_day() -> None:
    late = DAYS[20]
    changed = {**RAW, "raw.video_snapshots": {**RAW["raw.video_snapshots"], late: "other"}}
    stale = tables_of(changed, loaded(RAW), DAYS)
    by_table = {node.table: [day for day in DAYS if node.table in stale.get(day, ())] for node in NODES}
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
    for node in NODES:
        if node.table != "metrics.video_snapshots":
            made[node.table] = {day: input_version(node, day, made) for day in DAYS}
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


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.table)
def test_inputs_come_before_the_tables_made_from_them(node: object) -> None:
    names = [other.table for other in NODES]
    for source in node.inputs:  # type: ignore[attr-defined]
        assert source.name.startswith("raw.") or names.index(source.name) < names.index(node.table)  # type: ignore[attr-defined]


def test_what_looks_ahead_to_an_open_day_is_not_settled() -> None:
    everything = frozenset(node.table for node in NODES)
    left = settled(dict.fromkeys(DAYS, everything), {DAYS[-1]})
    last = {table: max(day for day in left if table in left[day]) for table in everything}
    ahead = {table: (DAYS[-1] - day).days - 1 for table, day in last.items()}
    assert {table: days for table, days in ahead.items() if days} == {
        "metrics.channel_daily": REACH_DAYS,
        "ops.quality_scores": REACH_DAYS,
        "metrics.video_windows": 1,
    }
    assert settled(dict.fromkeys(DAYS, everything), set()) == dict.fromkeys(DAYS, everything)
