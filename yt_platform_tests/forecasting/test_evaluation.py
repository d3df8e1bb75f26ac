"""Targets, scores and backtests against figures worked out by hand or by another route."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import (
    actuals,
    backtest,
    beside_actuals,
    score,
    training_frame,
    weekly_range,
)
from yt_platform.forecasting.forecasters.catalog import Recipe, load_forecaster, save_forecaster
from yt_platform.forecasting.forecasters.naive import NaiveForecaster
from yt_platform.forecasting.forecasters.protocol import NotEnoughRowsError
from yt_platform.forecasting.tasks import VIDEO_DAY, target_column
from yt_platform_tests.forecasting import generated

DAYS = 40
LAST = generated.FIRST + pd.Timedelta(days=DAYS - 1)
CUT = generated.FIRST + pd.Timedelta(days=20)


@pytest.fixture(scope="module")
def daily() -> pd.DataFrame:
    return generated.daily(60, DAYS)


@pytest.fixture(scope="module")
def features(daily: pd.DataFrame) -> pd.DataFrame:
    return build_video_day(daily, generated.versions(60, DAYS), generated.FIRST, LAST)


def naive() -> NaiveForecaster:
    return NaiveForecaster(VIDEO_DAY, {}, 1)


def readings(*views: int, start: str = "2026-03-01", regime: str = "shorts_at_start") -> pd.DataFrame:
    days = pd.date_range(start, periods=len(views))
    unknown = pd.Series(pd.NA, range(len(views)), "Int64")
    return pd.DataFrame(
        {
            "video_id": "a",
            "day": days,
            "view_count": views,
            "like_count": unknown,
            "comment_count": unknown,
            "view_definition": regime,
        }
    )


def test_actuals_are_increments_over_exactly_the_horizon() -> None:
    """By hand: a fall counts as nothing gained, and nothing is interpolated over a missing day."""
    daily = readings(10, 15, 12, 40, 50).drop(index=3)
    found = actuals(VIDEO_DAY, daily).set_index(["horizon", "day"])
    assert found.loc[1, "actual"].to_dict() == {pd.Timestamp("2026-03-01"): 5, pd.Timestamp("2026-03-02"): 0}
    assert found.loc[3, "actual"].to_dict() == {pd.Timestamp("2026-03-02"): 35}
    assert found.loc[3, "total"].tolist() == [50]
    assert len(found) == 3


def test_a_change_of_what_counts_as_a_view_is_no_actual() -> None:
    """By hand: models would learn, and be blamed for, the break of 2026-08-24."""
    before, after = readings(10, 20), readings(90, 95, start="2026-03-03", regime="all_at_start")
    found = actuals(VIDEO_DAY, pd.concat([before, after]))
    assert found[["day", "horizon", "actual"]].to_numpy().tolist() == [
        [pd.Timestamp("2026-03-01"), 1, 10.0],
        [pd.Timestamp("2026-03-03"), 1, 5.0],
    ]


def test_training_knows_no_target_after_its_last_day(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On the frame, against a lookup by hand: one target too many is hindsight in every backtest."""
    frame = training_frame(VIDEO_DAY, features, daily, CUT)
    views = {(row.video_id, row.day): row for row in daily.itertuples()}
    assert frame["view_increment"].notna().all()
    for ahead in range(1, 8):
        known = frame[frame[target_column("views", ahead)].notna()]
        assert (known["day"] + pd.Timedelta(days=ahead)).max() == CUT
        for row in known.sample(30, random_state=1).itertuples():
            gained = views[row.video_id, row.day + pd.Timedelta(days=ahead)].view_count - row.view_count
            assert getattr(row, target_column("views", ahead)) == max(gained, 0)


def forecast_rows(**columns: object) -> pd.DataFrame:
    """One forecast per horizon and video, of two videos."""
    keys = [("a", 1), ("a", 3), ("a", 7), ("b", 1), ("b", 3), ("b", 7)]
    frame = pd.DataFrame(keys, columns=["video_id", "horizon"]).assign(day=pd.Timestamp("2026-03-01"), target="views")
    return frame.assign(**columns)


def test_scores_by_hand() -> None:
    """On six forecasts, against figures worked out on paper."""
    actual = forecast_rows(actual=[100.0, 0, 50, 300, 0, 50], total=[1000.0, 10, 500, 1000, 10, 500])
    forecasts = forecast_rows(
        p10=[80.0, 0, 60, 100, 0, 60], p50=[90.0, 0, 70, 200, 0, 70], p90=[110.0, 0, 80, 250, 0, 80]
    )
    keys = VIDEO_DAY.row
    rows = actual.merge(forecasts, on=keys).merge(forecast_rows(naive=[50.0, 0, 0, 150, 0, 0]), on=keys)
    scores = score(VIDEO_DAY, rows).set_index(["target", "horizon"])
    day = scores.loc["views", 1]
    assert day["n"] == 2
    assert day["wape"] == pytest.approx((10 + 100) / 400)
    assert day["naive_wape"] == pytest.approx((50 + 150) / 400)
    assert day["coverage80"] == 0.5
    assert day["width80"] == (30 + 150) / 2
    assert day["median_ape"] == pytest.approx((0.01 + 0.1) / 2)
    by_quantile = [(0.1 * 20 + 0.1 * 200) / 2, (0.5 * 10 + 0.5 * 100) / 2, (0.1 * 10 + 0.9 * 50) / 2]
    assert day["pinball"] == pytest.approx(np.mean(by_quantile))
    assert np.isnan(scores.loc[("views", 3), "wape"])
    assert scores.loc[("views", 7), "coverage80"] == 0


def test_a_forecaster_that_leaves_origins_out_is_not_scored() -> None:
    """On the message: leaving out what is hard would look like skill."""
    actual = forecast_rows(actual=1.0, total=1.0)
    forecasts = forecast_rows(p10=1.0, p50=1.0, p90=1.0)
    features = forecasts.loc[forecasts["horizon"] == 1, ["video_id", "day"]]
    features = features.assign(view_increment=1.0, like_increment=np.nan, comment_increment=np.nan)
    with pytest.raises(ValueError, match="2 of 6 forecasts to score are missing"):
        beside_actuals(VIDEO_DAY, forecasts.iloc[2:], features, actual)


def test_a_backtest_tests_every_origin_and_target_of_its_days(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """Against a count by hand; naive beside itself must score the same."""
    scores = score(VIDEO_DAY, backtest(VIDEO_DAY, features, daily, CUT, LAST, naive)).set_index(["target", "horizon"])
    seen = set(zip(daily["video_id"], daily["day"], strict=True))
    one, last = pd.Timedelta(days=1), daily["day"].max()
    for horizon in VIDEO_DAY.horizons:
        ahead = pd.Timedelta(days=horizon)
        expected = [
            (video, day)
            for video, day in seen
            if day > CUT and day + ahead <= last and (video, day - one) in seen and (video, day + ahead) in seen
        ]
        found = scores.loc["views", horizon]
        assert found["n"] == len(expected)
        assert found["wape"] == found["naive_wape"]
        assert found["width80"] == 0
        assert 0 < scores.loc[("likes", horizon), "n"] < len(expected)  # some videos hide them


def test_too_short_a_test_is_said(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """On the message: a horizon without figures must not pass the gate."""
    with pytest.raises(NotEnoughRowsError, match="no origin with a known target 7 steps later to score"):
        score(VIDEO_DAY, backtest(VIDEO_DAY, features, daily, CUT, CUT + pd.Timedelta(days=6), naive))


def test_naive_is_saved_and_loaded_like_any_other(features: pd.DataFrame, tmp_path: Path) -> None:
    """Through the protocol: the gate and the registry treat every forecaster alike."""
    forecaster = naive()
    save_forecaster(forecaster, Recipe("naive"), VIDEO_DAY, tmp_path)
    loaded = load_forecaster(tmp_path, threads=1)
    pd.testing.assert_frame_equal(loaded.predict(features), forecaster.predict(features))


def test_the_range_of_weeks_is_that_of_any_seven_target_days_in_a_row(
    features: pd.DataFrame, daily: pd.DataFrame
) -> None:
    """Against scores of each week on its own: by another route to the same figures."""
    rows = backtest(VIDEO_DAY, features, daily, CUT, LAST, naive)
    found = weekly_range(VIDEO_DAY, rows).set_index(["target", "horizon"])
    for (target, horizon), group in rows.groupby(["target", "horizon"]):
        at = group["day"] + pd.Timedelta(days=horizon)
        starts = pd.date_range(at.min(), at.max() - pd.Timedelta(days=6))
        weeks = [group[at.between(start, start + pd.Timedelta(days=6))] for start in starts]
        errors = [(week["actual"] - week["p50"]).abs().sum() / week["actual"].sum() for week in weeks]
        covered = [((week["p10"] <= week["actual"]) & (week["actual"] <= week["p90"])).mean() for week in weeks]
        expected = [min(errors), max(errors), min(covered), max(covered)]
        assert found.loc[(target, horizon)].to_list() == pytest.approx(expected)


def test_less_than_a_week_is_one_range(features: pd.DataFrame, daily: pd.DataFrame) -> None:
    """By the whole fold's score: a short history must still have a range to be judged by."""
    rows = backtest(VIDEO_DAY, features, daily, CUT, LAST, naive)
    short = rows[(rows["horizon"] == 1) & (rows["day"] < rows["day"].min() + pd.Timedelta(days=5))]
    found = weekly_range(VIDEO_DAY, short).set_index("target").loc["views"]
    views = short[short["target"] == "views"]
    assert found["wape_7d_min"] == found["wape_7d_max"]
    assert found["wape_7d_min"] == pytest.approx((views["actual"] - views["p50"]).abs().sum() / views["actual"].sum())
