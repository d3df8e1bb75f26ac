"""Features as of a day: what must not change them, and what they say of small histories made by hand."""

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.tables import VIDEO_DAY, VIDEO_DAY_FEATURES
from yt_platform.features.videos import LOOKBACK_DAYS, build_video_day
from yt_platform.metrics.tables import VIDEO_DAILY, VIDEO_VERSIONS
from yt_platform_tests.forecasting import generated
from yt_platform_tests.frames import CHANNEL, VIDEO, accepted, obtained

DAYS = 60
FIRST, LAST = generated.FIRST, generated.FIRST + pd.Timedelta(days=DAYS - 1)
NO_VERSIONS = generated.versions(1, 1).iloc[:0]


@pytest.fixture(scope="module")
def daily() -> pd.DataFrame:
    return generated.daily(40, DAYS)


@pytest.fixture(scope="module")
def versions() -> pd.DataFrame:
    return generated.versions(40, DAYS)


@pytest.mark.parametrize("seed", range(4))
def test_the_future_changes_nothing(daily: pd.DataFrame, versions: pd.DataFrame, seed: int) -> None:
    """On the frame, for every column: a feature that sees past its origin wins every backtest and fails in use."""
    random = np.random.default_rng(seed)
    origin = FIRST + pd.Timedelta(days=int(random.integers(10, DAYS - 10)))
    later, told_later = (
        daily["day"] > origin,
        versions["collected_at"].dt.tz_localize(None) >= origin + pd.Timedelta(days=1),
    )
    other = daily[later].sample(frac=0.8, random_state=seed)
    for column in ("channel_id", "published_at", "collected_at", "region_count", "like_count", "comment_count"):
        other[column] = other[column].sample(frac=1, random_state=seed).array
    other["view_count"] = pd.array(random.integers(0, 10**9, len(other)), dtype="Int64")
    retold = versions[told_later].assign(title="Other", description="Other", duration_seconds=1)

    before = build_video_day(daily, versions, FIRST, LAST)
    after = build_video_day(pd.concat([other, daily[~later]]), pd.concat([retold, versions[~told_later]]), FIRST, LAST)
    assert (
        not before[before["day"] > origin]
        .reset_index(drop=True)
        .equals(after[after["day"] > origin].reset_index(drop=True))
    )
    up_to_origin = before[before["day"] <= origin].reset_index(drop=True)
    pd.testing.assert_frame_equal(after[after["day"] <= origin].reset_index(drop=True), up_to_origin, check_exact=True)


def test_days_one_by_one_are_the_days_at_once(daily: pd.DataFrame, versions: pd.DataFrame) -> None:
    """On the frame, bit for bit: a backfill and sixty daily runs must leave the same rows."""
    at_once = build_video_day(daily, versions, FIRST, LAST)
    parts = []
    for day in pd.date_range(FIRST, LAST):
        start = day - pd.Timedelta(days=LOOKBACK_DAYS)
        read = daily[daily["day"].between(start, day)]
        told = versions[versions["collected_at"].dt.tz_localize(None).dt.normalize().between(start, day)]
        parts.append(build_video_day(read.sample(frac=1, random_state=1), told, day, day))
    one_by_one = pd.concat(parts).sort_values(["video_id", "day"], ignore_index=True)
    assert len(at_once) == len(daily)
    pd.testing.assert_frame_equal(one_by_one, at_once, check_exact=True)


def test_every_feature_keeps_its_contract_and_is_known_somewhere(daily: pd.DataFrame, versions: pd.DataFrame) -> None:
    """On the frame: a column that is never known, or out of its range, would be quarantined or ignored in silence."""
    frame = accepted(VIDEO_DAY, build_video_day(daily, versions, FIRST, LAST))
    known = frame[list(VIDEO_DAY_FEATURES)].notna().any()
    assert known.all(), known[~known].index.tolist()


def history(*views: int | None, **columns: object) -> pd.DataFrame:
    """Daily rows of one video from 2026-03-01 at noon, None for a day without a reading."""
    days = pd.date_range("2026-03-01", periods=len(views))
    rows = pd.DataFrame(
        {
            "video_id": VIDEO,
            "day": days,
            "channel_id": CHANNEL,
            "published_at": pd.Timestamp("2026-02-28T12:00", tz="UTC"),
            "collected_at": days.tz_localize("UTC") + pd.Timedelta(hours=12),
            "view_count": views,
            **dict.fromkeys(("view_count_fell", "like_count_fell", "comment_count_fell"), False),
            **dict.fromkeys(("reading_count", "region_count", "source_count"), 1),
            "view_definition": "shorts_at_start",
            **columns,
        }
    )
    return accepted(VIDEO_DAILY, rows[rows["view_count"].notna()].reindex(columns=VIDEO_DAILY.column_names))


def features(daily: pd.DataFrame, versions: pd.DataFrame = NO_VERSIONS) -> pd.DataFrame:
    """Features by day, within their contract."""
    frame = build_video_day(daily, versions, daily["day"].min(), daily["day"].max())
    return accepted(VIDEO_DAY, frame).set_index("day")


def test_a_gap_leaves_the_increment_unknown() -> None:
    """By hand: spreading three days' views over one would teach growth that never was."""
    found = features(history(100, 300, None, None, 900))
    assert found["view_increment"].tolist()[1] == 200
    assert found["view_increment"].isna().tolist() == [True, False, True]
    assert found["days_observed"].tolist() == [1, 2, 3]
    assert found["days_observed_in_a_row"].tolist() == [1, 2, 1]


def test_a_rate_is_per_24_hours_of_at_least_6() -> None:
    """By hand: readings ten minutes apart across midnight would else make a rate 144 times the increment."""
    at = pd.DatetimeIndex(["2026-03-01T23:55", "2026-03-02T00:05", "2026-03-03T12:05"], tz="UTC")
    found = features(history(1000, 1100, 1400, collected_at=at))
    assert found["view_rate_lag_0"].tolist()[1:] == [400.0, 200.0]
    assert found["view_increment"].tolist()[1:] == [100.0, 300.0]


def test_a_change_of_what_counts_as_a_view_is_not_growth() -> None:
    """By hand: on 2026-08-24 every count may jump."""
    regimes = ["shorts_at_start", "shorts_at_start", "all_at_start", "all_at_start"]
    found = features(history(100, 200, 900, 1000, view_definition=regimes))
    assert found["view_increment"].isna().tolist() == [True, False, True, False]
    assert found["view_rate_peak"].iloc[-1] == 100


def version(at: str, **columns: object) -> pd.DataFrame:
    row = {"video_id": VIDEO, "collected_at": pd.Timestamp(at, tz="UTC"), "source": "test", **obtained(at), **columns}
    return accepted(VIDEO_VERSIONS, pd.DataFrame([row]).reindex(columns=VIDEO_VERSIONS.column_names))


def test_metadata_counts_from_the_day_it_was_collected_for_the_lookback() -> None:
    """By hand: the last instant of the origin's day is known, the first of the next is not."""
    told = pd.concat([version("2026-03-02T23:59:59", title="Old"), version("2026-03-04T00:00:00", title="Newer")])
    found = features(history(*range(1, 36)), told)["title_length"]
    assert found.isna().tolist()[:1] == [True]
    assert found.tolist()[1:3] == [3, 3]
    assert found.tolist()[3 : 3 + LOOKBACK_DAYS + 1] == [5] * (LOOKBACK_DAYS + 1)
    assert found.isna().tolist()[3 + LOOKBACK_DAYS + 1 :] == [True] * 3


def test_features_of_texts() -> None:
    """By hand, in more than ASCII: half of the world's titles are."""
    told = version(
        "2026-03-01",
        title="ÜBER 50 Köche?! 😀🔥 #Küche",
        description="Rezept: https://example.org\n#Brot #Salz\n\nhttp://example.org",
        tags="a,b,c",
        category_id="26",
        live_broadcast_content="live",
        is_short_guess=True,
        duration_seconds=0,
    )
    found = features(history(1, 2), told).iloc[0]
    assert found[[name for name in VIDEO_DAY_FEATURES if name.startswith("title_")]].to_dict() == {
        "title_length": 25,
        "title_words": 5,
        "title_digits": 2,
        "title_uppercase_share": 6 / 14,
        "title_questions": 1,
        "title_exclamations": 1,
        "title_emojis": 2,
        "title_hashtags": 1,
    }
    assert found[[name for name in VIDEO_DAY_FEATURES if name.startswith("description_")]].to_dict() == {
        "description_length": 59,
        "description_words": 5,
        "description_lines": 4,
        "description_urls": 2,
        "description_hashtags": 2,
    }
    assert found[["duration_seconds", "category", "is_short", "is_broadcast", "tag_count"]].tolist() == [0, 26, 1, 1, 3]


def test_small_and_extreme_histories() -> None:
    """By hand: a new platform has one row, and the largest videos gain a billion a day."""
    one = features(history(5)).iloc[0]
    assert one["view_count"] == 5
    assert np.isnan(one["view_increment"])
    still = features(history(7, 7, 7, 7))
    assert (still["view_acceleration_lag_0"].dropna() == 0).all()
    assert still["view_growth"].tolist()[1:] == [0, 0, 0]
    huge = features(history(*(10**9 * n for n in range(5))))
    assert huge["view_increment"].tolist()[1:] == [10**9] * 4
    nothing = build_video_day(history(5).iloc[:0], NO_VERSIONS, FIRST, LAST)
    assert accepted(VIDEO_DAY, nothing).empty


def test_two_rows_of_a_video_on_one_day_are_refused() -> None:
    """By hand: lags would silently skip a day."""
    twice = pd.concat([history(1, 2), history(1)])
    with pytest.raises(
        ValueError, match=rf"1 daily rows repeat a video and day, the first of them {VIDEO} on 2026-03-01"
    ):
        features(twice)
