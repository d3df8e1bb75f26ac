"""What a policy mode lets be made is a matter of definitions alone, which are built and not run."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from pydantic import SecretStr

from yt_platform.build import build_defs
from yt_platform.core.lineage import FROM_OWNERS
from yt_platform.core.policy import HOLDS, Holds, expires, first_kept
from yt_platform.settings import Settings


def made_under(mode: str) -> set[str]:
    settings = Settings(api_key=SecretStr("key"), policy_mode=mode, api_endpoint="http://127.0.0.1:9", _env_file=None)
    keys = build_defs(settings).resolve_asset_graph().get_all_asset_keys()
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
