"""Cold starts on generated histories: what stands in for the increment, wider intervals, nothing foreseen."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.tables import METADATA
from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.cold import (
    add_cold,
    cold_frame,
    cold_rows,
    fit_cold,
    forecast_cold,
    load_cold,
    unread_rows,
)
from yt_platform.forecasting.evaluation import actuals, beside_actuals, score, training_frame
from yt_platform.forecasting.forecasters.naive import NaiveForecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster, NotEnoughRowsError
from yt_platform.forecasting.tables import FIRST_READING, GAP, NO_READING
from yt_platform.forecasting.tasks import VIDEO_COLD
from yt_platform_tests.forecasting import generated

VIDEOS, DAYS = 900, 60
LAST = generated.FIRST + pd.Timedelta(days=DAYS - 1)
TRAIN_UNTIL = generated.FIRST + pd.Timedelta(days=44)


@pytest.fixture(scope="module")
def daily() -> pd.DataFrame:
    return generated.daily(VIDEOS, DAYS)


@pytest.fixture(scope="module")
def features(daily: pd.DataFrame) -> pd.DataFrame:
    return build_video_day(daily, generated.versions(VIDEOS, DAYS), generated.FIRST, LAST)


def learned(rows: pd.DataFrame) -> pd.DataFrame:
    """Two of three videos: those that a forecaster is fitted on, where the others are tested on."""
    return rows[rows["video_id"].str[-1].isin(list("012345"))]


def kept_back(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~rows["video_id"].str[-1].isin(list("012345"))]


@pytest.fixture(scope="module")
def forecaster(features: pd.DataFrame, daily: pd.DataFrame) -> Forecaster:
    return fit_cold(learned(features), learned(daily), TRAIN_UNTIL, threads=1)


def test_it_beats_naive_on_videos_it_has_never_seen(
    forecaster: Forecaster, features: pd.DataFrame, daily: pd.DataFrame
) -> None:
    """Grouped by video and later in time, for a cold start is always another video."""
    rows, readings = cold_frame(kept_back(features), kept_back(daily), LAST)
    rows, readings = rows[rows["day"] > TRAIN_UNTIL], readings[readings["day"] > TRAIN_UNTIL]
    scored = beside_actuals(VIDEO_COLD, forecast_cold(forecaster, rows), rows, actuals(VIDEO_COLD, readings))
    views = scored[scored["target"] == "views"]
    scores = score(VIDEO_COLD, views)
    assert (scores["n"] > 100).all()
    assert (scores["wape"] < scores["naive_wape"]).all()
    assert scores["coverage80"].between(0.6, 0.95).all()
    told = views.merge(rows[["video_id", "day", "basis"]])
    assert set(told["basis"]) == {GAP, FIRST_READING, NO_READING}


def test_less_is_known_and_intervals_are_wider(
    forecaster: Forecaster, features: pd.DataFrame, daily: pd.DataFrame
) -> None:
    """On the same forecaster: who reads a label expects a wider interval with it."""
    rows, _ = cold_frame(kept_back(features), kept_back(daily), LAST)
    found = forecast_cold(forecaster, rows).merge(rows[["video_id", "day", "basis"]])
    found = found[(found["target"] == "views") & (found["horizon"] == 7)]
    width = (np.log1p(found["p90"]) - np.log1p(found["p10"])).groupby(found["basis"]).median()
    assert width[NO_READING] > width[FIRST_READING]
    assert (found["p10"] <= found["p50"]).all()
    assert (found["p50"] <= found["p90"]).all()


def test_every_video_without_an_increment_is_answered(forecaster: Forecaster, features: pd.DataFrame) -> None:
    """On the frame: with `VIDEO_DAY`'s, every row of features has a forecast of its views."""
    rows = cold_rows(features)
    assert len(rows) == features["view_increment"].isna().sum()
    found = forecast_cold(forecaster, rows)
    views = found[found["target"] == "views"]
    assert len(views) == 3 * len(rows)
    hidden = rows["like_count"].isna().sum()
    assert hidden
    assert (found["target"] == "likes").sum() == 3 * (len(rows) - hidden)


def test_the_rate_to_start_from_by_hand() -> None:
    """On three videos: since the last reading, since publication, and of unknown age."""
    known = {
        "video_id": ["a", "b", "c"],
        "view_increment": np.nan,
        "view_count": [1000.0, 600.0, 50.0],
        "like_count": [10.0, np.nan, 5.0],
        "comment_count": [np.nan, 6.0, 0.0],
        "age_hours": [240.0, 48.0, np.nan],
        "view_rate_since_reading": [20.0, np.nan, np.nan],
        "like_rate_since_reading": np.nan,
        "comment_rate_since_reading": np.nan,
    }
    rows = cold_rows(pd.DataFrame(known))
    assert rows["basis"].tolist() == [GAP, FIRST_READING, FIRST_READING]
    assert rows["start_view_rate"].tolist() == [20.0, 300.0, 0.0]
    np.testing.assert_array_equal(rows["start_like_rate"], [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(rows["start_comment_rate"], [np.nan, 3.0, 0.0])


def unread(published: str, day: str = "2026-06-10") -> pd.DataFrame:
    known = {"video_id": ["new"], "channel_id": ["one"], "day": pd.Timestamp(day), **dict.fromkeys(METADATA, 1.0)}
    return pd.DataFrame(known).assign(published_at=pd.DatetimeIndex([published], tz="UTC"))


def test_a_channel_without_a_record_is_unknown(features: pd.DataFrame) -> None:
    """By hand: records older than the lookback, later than the origin, or of another channel tell nothing."""
    records = features.head(4).assign(
        channel_id=["one", "one", "one", "two"],
        day=pd.DatetimeIndex(["2026-05-12", "2026-06-10", "2026-06-11", "2026-06-10"]),
        channel_view_rate_mean=[7.0, 8.0, 9.0, 10.0],
    )
    assert unread_rows(unread("2026-06-12T06:00"), records)["start_view_rate"].tolist() == [8.0]
    assert unread_rows(unread("2026-06-12T06:00"), records)["hours_to_publication"].tolist() == [30.0]
    rates = unread_rows(unread("2026-06-12T06:00"), records)[["start_like_rate", "start_comment_rate"]]
    np.testing.assert_allclose(rates, [[8.0 * 0.03, 8.0 * 0.002]])  # from 0 they were forecast to stay there
    assert unread_rows(unread("2026-06-12T06:00"), records.drop(index=records.index[1]))[
        "start_view_rate"
    ].tolist() == [0.0]
    assert unread_rows(unread("2026-06-12T06:00").iloc[:0], records).empty


def test_nothing_is_gained_before_publication(forecaster: Forecaster, features: pd.DataFrame) -> None:
    """By hand: a premiere in four days gains nothing in three, and something in seven."""
    rows = unread_rows(unread("2026-06-15T06:00"), features.assign(channel_id="one"))
    found = forecast_cold(forecaster, rows).set_index(["target", "horizon"])
    assert (found.loc[("views", [1, 3]), ["p10", "p50", "p90"]] == 0).all(axis=None)
    assert found.loc[("views", 7), "p50"] > 0


def test_the_future_changes_nothing_that_is_learned(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On the frame: rows and targets up to the cut are the same whatever comes after it."""
    shuffled = daily.copy()
    later = daily["day"] > TRAIN_UNTIL
    counts = ["view_count", "like_count", "comment_count"]
    shuffled.loc[later, counts] = daily.loc[later, counts].sample(frac=1, random_state=1).to_numpy()
    frames = [
        training_frame(VIDEO_COLD, *cold_frame(known, told, TRAIN_UNTIL), TRAIN_UNTIL)
        for known, told in ((features, daily), (features[features["day"] <= TRAIN_UNTIL], shuffled))
    ]
    pd.testing.assert_frame_equal(*frames, check_exact=True)
    assert set(frames[0]["basis"]) == {GAP, FIRST_READING, NO_READING}


def test_it_is_loaded_from_beside_the_champion(features: pd.DataFrame, daily: pd.DataFrame, tmp_path: Path) -> None:
    """On the files, bit for bit; a history too young to learn from leaves none and is no failure."""
    assert load_cold(tmp_path, 1) is None
    assert not add_cold(tmp_path, features.head(9), daily, TRAIN_UNTIL, 1)
    assert add_cold(tmp_path, features, daily, TRAIN_UNTIL, 1)
    loaded = load_cold(tmp_path, 1)
    assert loaded
    rows = cold_rows(features)
    digests = {
        hashlib.sha256(forecast_cold(one, rows)[["p10", "p50", "p90"]].to_numpy().tobytes()).hexdigest()
        for one in (loaded, fit_cold(features, daily, TRAIN_UNTIL, 1))
    }
    assert len(digests) == 1


def test_too_little_to_learn_from_is_said(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On the message."""
    with pytest.raises(NotEnoughRowsError, match="have a known target 1 steps later"):
        fit_cold(features.head(9), daily, TRAIN_UNTIL, 1)


def test_naive_answers_cold_starts_as_well(features: pd.DataFrame) -> None:
    """Through the protocol: it is what the forecaster is compared with."""
    found = NaiveForecaster(VIDEO_COLD, {}, 1).predict(cold_rows(features))
    assert np.isfinite(found["p50"]).all()
