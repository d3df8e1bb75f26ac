"""Calibrated intervals on drawn actuals whose spread is known: coverage by count, order, and what is left alone."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from yt_platform.forecasting.evaluation import score_slices, slices
from yt_platform.forecasting.forecasters.calibration import MIN_ROWS, WHOLE, Calibration, calibrate
from yt_platform.forecasting.tasks import VIDEO_DAY, target_column

AGES = (30.0, 100.0, 1000.0)
SPREADS = {30.0: 1.0, 100.0: 0.3, 1000.0: 0.1}


def drawn(rows: int, seed: int) -> pd.DataFrame:
    """A training frame of views whose log gain spreads by age; nothing else is known of likes and comments."""
    random = np.random.default_rng(seed)
    age = random.choice(AGES, rows)
    frame = pd.DataFrame(
        {
            "video_id": [f"v{n}" for n in range(rows)],
            "day": pd.Timestamp("2026-03-01"),
            "view_increment": random.lognormal(8, 1, rows),
            "like_increment": np.nan,
            "comment_increment": np.nan,
            "age_hours": age,
            "view_count": 5e4,
            "is_short": 0.0,
        }
    )
    gained = frame["view_increment"] * np.exp(random.normal(0, 1, rows) * frame["age_hours"].map(SPREADS))
    targets = {
        target_column(target, ahead): gained * ahead if target == "views" else np.nan
        for target in VIDEO_DAY.targets
        for ahead in VIDEO_DAY.horizons
    }
    return frame.assign(**targets)


def too_narrow(frame: pd.DataFrame) -> pd.DataFrame:
    """The right median, and everywhere the same interval of a tenth to either side."""
    ahead = [frame.assign(target="views", horizon=h, p50=frame["view_increment"] * h) for h in VIDEO_DAY.horizons]
    rows = pd.concat(ahead, ignore_index=True)
    return rows.assign(p10=rows["p50"] * 0.9, p90=rows["p50"] * 1.1)[[*VIDEO_DAY.row, "p10", "p50", "p90"]]


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    frame = drawn(30_000, seed=1)
    return calibrate(VIDEO_DAY, frame, too_narrow(frame))


def test_each_slice_holds_its_share_of_unseen_actuals(calibration: Calibration) -> None:
    """By count on other draws, through the scores a model card shows: one width for all would cover 100 % to 40 %."""
    unseen = drawn(30_000, seed=2)
    forecasts = calibration.apply(VIDEO_DAY, unseen, too_narrow(unseen))
    actual = np.concatenate([unseen[target_column("views", h)] for h in VIDEO_DAY.horizons])
    rows = forecasts.assign(actual=actual, total=actual, naive=forecasts["p50"])
    scores = score_slices(VIDEO_DAY, rows, unseen)
    ages = scores[scores["by"] == "age"]
    assert set(ages["slice"]) == {"1-3 days", "3-7 days", "over 28 days"}
    assert ages["coverage80"].between(0.77, 0.83).all()
    assert ages["n"].groupby(ages["horizon"]).sum().eq(len(unseen)).all()


def test_the_width_is_that_of_the_drawn_distribution(calibration: Calibration) -> None:
    """Against the normal distribution: 80 % of it lies within 1.2816 standard deviations."""
    frame = drawn(3_000, seed=3)
    forecasts = calibration.apply(VIDEO_DAY, frame, too_narrow(frame))
    spread = np.log(forecasts["p90"] / forecasts["p50"]).groupby(frame["age_hours"].to_numpy().tolist() * 3).median()
    for age, sigma in SPREADS.items():
        assert spread[age] == pytest.approx(1.2816 * sigma, rel=0.1)


def test_only_the_interval_moves_and_stays_in_order(calibration: Calibration) -> None:
    """On the frame readers get, with the sizes and gaps that real days have."""
    frame = drawn(999, seed=4).assign(age_hours=np.tile([np.nan, 30.0, 5.0], 333))
    frame["view_increment"] *= np.tile([0.0, 1.0, 1e12], 333)
    forecasts = too_narrow(frame)
    found = calibration.apply(VIDEO_DAY, frame, forecasts)
    pd.testing.assert_frame_equal(found.drop(columns=["p10", "p90"]), forecasts.drop(columns=["p10", "p90"]))
    assert np.isfinite(found[["p10", "p90"]]).all(axis=None)
    assert ((found["p10"] >= 0) & (found["p10"] <= found["p50"]) & (found["p50"] <= found["p90"])).all()


def test_an_interval_without_width_is_given_one() -> None:
    """By count: a naive forecast's, in which no percentage of nothing is anything."""
    frame, unseen = drawn(5_000, seed=5), drawn(5_000, seed=6)
    points = [too_narrow(rows).assign(p10=lambda f: f["p50"], p90=lambda f: f["p50"]) for rows in (frame, unseen)]
    found = calibrate(VIDEO_DAY, frame, points[0]).apply(VIDEO_DAY, unseen, points[1])
    actual = np.concatenate([unseen[target_column("views", h)] for h in VIDEO_DAY.horizons])
    assert found["p10"].le(actual).mean() == pytest.approx(0.9, abs=0.02)
    assert found["p90"].ge(actual).mean() == pytest.approx(0.9, abs=0.02)


def test_few_rows_leave_the_interval_alone() -> None:
    """On the fewest rows that count: a tenth of a handful is chance."""
    frame = drawn(MIN_ROWS - 1, seed=7)
    assert calibrate(VIDEO_DAY, frame, too_narrow(frame)).stretches == {}
    frame = drawn(MIN_ROWS, seed=7)
    assert set(calibrate(VIDEO_DAY, frame, too_narrow(frame)).stretches["views_3"]) >= {WHOLE}


def test_a_small_slice_leans_on_the_whole() -> None:
    """By hand: of 100 rows and 50 to shrink by, a third of the way from its own percentiles to all rows'."""
    frame = drawn(2_000, seed=8).assign(age_hours=np.repeat([1000.0, 30.0], [1900, 100]))
    told = frame[["age_hours", *(name for name in frame if name not in ("age_hours", "view_count", "is_short"))]]
    found = calibrate(VIDEO_DAY, told, too_narrow(told)).stretches["views_1"]
    own = calibrate(VIDEO_DAY, told.iloc[1900:], too_narrow(told.iloc[1900:])).stretches["views_1"]
    expected = (np.array(own[WHOLE]) - found[WHOLE]) * 2 / 3
    assert found["age: 1-3 days"] == pytest.approx(expected)
    assert own["age: 1-3 days"] == pytest.approx((0, 0))


def test_slices_that_overlap_all_hold_their_share() -> None:
    """By count: Shorts are young here, and what their age adds must not be added to them twice."""
    frame, unseen = (drawn(20_000, seed=seed) for seed in (11, 12))
    for rows in (frame, unseen):
        rows["is_short"] = ((rows["age_hours"] == 30) | (rows.index % 10 == 0)).astype("float64")
    found = calibrate(VIDEO_DAY, frame, too_narrow(frame)).apply(VIDEO_DAY, unseen, too_narrow(unseen))
    found = found[found["horizon"] == 1].reset_index(drop=True)
    within = unseen[target_column("views", 1)].between(found["p10"], found["p90"])
    for _, labels in slices(unseen).items():
        assert within.groupby(labels).mean().between(0.77, 0.83).all()


def test_it_is_the_same_from_a_bundle(calibration: Calibration) -> None:
    """Through JSON, bit for bit: bundles keep it so."""
    frame = drawn(500, seed=9)
    loaded = Calibration(**json.loads(json.dumps(asdict(calibration))))
    again = loaded.apply(VIDEO_DAY, frame, too_narrow(frame))
    pd.testing.assert_frame_equal(again, calibration.apply(VIDEO_DAY, frame, too_narrow(frame)), check_exact=True)


def test_forecasts_of_other_rows_are_refused(calibration: Calibration) -> None:
    """On the message: widths by age would land on other videos."""
    frame = drawn(50, seed=10)
    with pytest.raises(ValueError, match="50 forecasts of views at 1 steps were given with 49 origins"):
        calibration.apply(VIDEO_DAY, frame.iloc[1:], too_narrow(frame))


def test_slices_by_hand() -> None:
    """At the edges, each of which belongs to the slice above it."""
    features = pd.DataFrame(
        {
            "age_hours": [0, 24, 671.9, 672, np.nan],
            "view_count": [9999, 1e4, 1e7, 0, 5],
            "is_short": [1, 0, np.nan, 1, 0],
        }
    )
    found = slices(features)
    assert found["age"].tolist() == ["under 1 day", "1-3 days", "7-28 days", "over 28 days", "unknown"]
    assert found["size"].tolist() == ["under 10 k", "10-100 k", "over 10 M", "under 10 k", "under 10 k"]
    assert found["shorts"].tolist() == ["Short", "no Short", "unknown", "Short", "no Short"]
    assert slices(features[[]]).empty
    assert list(slices(features[["age_hours"]])) == ["age"]
