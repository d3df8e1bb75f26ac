"""What a policy mode lets be made is a matter of definitions alone, which are built and not run."""

from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from yt_platform.build import build_defs
from yt_platform.catalog.lineage import FROM_OWNERS
from yt_platform.policy import HOLDS, MODES, expires, first_kept, first_kept_of_months, kept_from
from yt_platform.settings import Settings
from yt_platform.tables.declaration import Holds


def made_under(mode: str) -> set[str]:
    declared = Settings(api_key=SecretStr("key"), policy_mode=mode, api_endpoint="http://127.0.0.1:9", _env_file=None)
    keys = build_defs(declared).resolve_asset_graph().get_all_asset_keys()
    return {".".join(key.path) for key in keys}


def test_strict_makes_nothing_after_the_snapshots() -> None:
    assert {name for name in made_under("strict") if not name.startswith("raw.")} == {
        "metrics.video_snapshots",
        "metrics.channel_snapshots",
        "metrics.videos",
        "metrics.video_versions",
        "metrics.channels",
        "metrics.comments",
        *FROM_OWNERS,  # an owner's own, which the owner let be kept
        "ops.retention",
        "ops.authorizations",
        "ops.loads",
    }


@pytest.mark.parametrize("mode", ["owned", "amended", "synthetic"])
def test_the_other_modes_make_everything(mode: str) -> None:
    made = made_under(mode)
    by_trainings = {"models.scorecards", "models.backtest_forecasts"}
    assert {name for name, held in HOLDS.items() if held is Holds.DERIVED} - made == by_trainings
    assert {"models.video_forecaster", "ops.retention"} <= made


def test_strict_lets_nothing_from_youtube_grow_old_and_the_sandbox_everything() -> None:
    from_youtube = {name for name, held in HOLDS.items() if held in {Holds.STATISTICS, Holds.METADATA, Holds.STORED}}
    assert all(expires("strict", name) for name in from_youtube)
    assert not any(expires("synthetic", name) for name in HOLDS)
    for mode in ("owned", "amended"):
        assert {name for name in from_youtube if not expires(mode, name)} == {
            "metrics.video_snapshots",
            "metrics.channel_snapshots",
        }


def test_with_a_purge_a_day_nothing_is_ever_thirty_days_old() -> None:
    """By hand: the oldest second that is kept, at the next day's purge."""
    purged_at = datetime(2026, 5, 31, 0, 10, tzinfo=UTC)
    assert first_kept(purged_at.date()) == date(2026, 5, 3)
    oldest_second = datetime.combine(first_kept(purged_at.date()), time(), UTC)
    assert purged_at + timedelta(hours=24) - oldest_second < timedelta(days=30)


@pytest.mark.parametrize(
    ("purged_on", "oldest"),
    [
        ("2026-11-29", "2023-12-01"),  # 2023-11-30 turns 36 months old before the next purge
        ("2026-11-30", "2023-12-02"),
        ("2027-02-26", "2024-02-28"),
        ("2027-02-27", "2024-03-01"),  # 36 months after 29 February 2024 is 28 February 2027
        ("2027-02-28", "2024-03-02"),
        ("2028-02-27", "2025-03-01"),
        ("2028-02-28", "2025-03-01"),  # the next purge is on 29 February, which 2025 does not have
        ("2028-02-29", "2025-03-02"),
        ("2026-12-31", "2024-01-02"),
    ],
)
def test_36_months_are_counted_by_the_calendar(purged_on: str, oldest: str) -> None:
    """By hand, over ends of months and years and leap days."""
    assert first_kept_of_months(date.fromisoformat(purged_on)) == date.fromisoformat(oldest)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.dates(date(2020, 1, 1), date(2060, 1, 1)))
def test_with_a_purge_a_day_nothing_is_ever_36_months_old_and_nothing_goes_days_before(today: date) -> None:
    """Against pandas, which counts months by itself."""
    tomorrow, months = pd.Timestamp(today + timedelta(days=1)), pd.DateOffset(months=36)
    kept = pd.Timestamp(first_kept_of_months(today))
    assert kept + months > tomorrow
    assert kept - pd.Timedelta(days=1) + months <= tomorrow


def test_of_all_modes_the_amended_one_alone_counts_months() -> None:
    today = date(2026, 11, 29)
    days, months = first_kept(today), first_kept_of_months(today)
    assert {mode: kept_from(mode, Holds.STATISTICS, today) for mode in MODES} == {
        "strict": days,
        "amended": months,
        "owned": None,
        "synthetic": None,
    }
    assert {mode: kept_from(mode, Holds.DERIVED, today) for mode in MODES} == {
        "strict": None,  # it lets none be made, of whatever age
        "amended": months,
        "owned": None,
        "synthetic": None,
    }
    for what in (Holds.METADATA, Holds.STORED):
        assert {kept_from(mode, what, today) for mode in MODES if mode != "synthetic"} == {days}
    for what in (Holds.AUTHORIZED, Holds.IDS, Holds.NOTHING):
        assert {kept_from(mode, what, today) for mode in MODES} == {None}
