"""Dimensions and the score are arithmetic on counts, so no database is needed."""

from datetime import date
from itertools import combinations

import pandas as pd
import pytest

from yt_platform.monitoring.quality import (
    COUNTS,
    SCORED,
    WEIGHTS,
    accuracy,
    completeness,
    consistency,
    overall,
    quality_scores,
    status,
    timeliness,
    uniqueness,
    validity,
)
from yt_platform.monitoring.tables import QUALITY_SCORES
from yt_platform.tables.validation import judge

KEY = {"day": date(2026, 1, 1), "table_name": "metrics.video_snapshots", "source": "api"}
NONE = float("nan")


def of(*values: float) -> "pd.Series[float]":
    return pd.Series(values, dtype="float64")


@pytest.mark.parametrize("dimension", [completeness, accuracy, consistency, uniqueness])
def test_a_share_is_a_percentage_and_unknown_without_anything_to_share(dimension: object) -> None:
    found = dimension(of(3, 4, 0, 0, NONE), of(4, 4, 4, 0, NONE))  # type: ignore[operator]
    assert found.tolist()[:3] == [75, 100, 0]
    assert found.isna().tolist() == [False, False, False, True, True]


def test_refused_rows_count_against_validity() -> None:
    found = validity(of(99, 5, 0, 0), of(1, 0, 7, 0))
    assert found.tolist()[:3] == [99, 100, 0]
    assert found.isna().tolist() == [False, False, False, True]


def test_timeliness_is_what_the_maximum_age_covers_of_the_gap() -> None:
    found = timeliness(of(24, 36, 72, 168, NONE, 24), of(36, 36, 36, 36, 36, NONE))
    assert found.tolist()[:4] == pytest.approx([100, 100, 50, 100 * 36 / 168])
    assert found.isna().tolist()[4:] == [True, True]


def test_weights_are_those_agreed_and_spread_over_what_is_known() -> None:
    assert list(WEIGHTS.values()) == [0.20, 0.25, 0.20, 0.15, 0.10, 0.10]
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    every = dict(zip(WEIGHTS, (50, 60, 70, 80, 90, 100), strict=True))
    only = {**dict.fromkeys(WEIGHTS, NONE), "accuracy": 60, "validity": 100}
    none = dict.fromkeys(WEIGHTS, NONE)
    found = overall(pd.DataFrame([every, only, none]))
    assert found[0] == pytest.approx(50 * 0.2 + 60 * 0.25 + 70 * 0.2 + 80 * 0.15 + 90 * 0.1 + 100 * 0.1)
    assert found[1] == pytest.approx((60 * 25 + 100 * 10) / 35)
    assert pd.isna(found[2])


def test_a_perfect_day_scores_100_whatever_is_known_of_it() -> None:
    """100.00000000000001 broke the contract of the scores, and real days of channels were refused."""
    known = [names for size in range(1, 7) for names in combinations(WEIGHTS, size)]
    found = overall(pd.DataFrame([{**dict.fromkeys(WEIGHTS, NONE), **dict.fromkeys(names, 100.0)} for names in known]))
    assert len(found) == 63
    assert found.max() <= 100
    assert found.min() == pytest.approx(100)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(100, "ok"), (85, "ok"), (84.99, "warning"), (70, "warning"), (69.99, "error"), (0, "error")],
)
def test_the_status_follows_the_limits(score: float, expected: str) -> None:
    assert status(score) == expected


def test_rows_keep_the_contract_whatever_was_counted() -> None:
    """No rows at all, rows alone, and nothing but refused rows."""
    no_counts = pd.DataFrame(columns=[*KEY, *COUNTS])
    no_rejects = pd.DataFrame(columns=[*KEY, "reject_count"])
    assert judge(QUALITY_SCORES, quality_scores(no_counts, no_rejects)).accepted.empty
    counts = pd.DataFrame([{**KEY, **dict.fromkeys(COUNTS), "row_count": 8, "rows_in_range": 6}])
    rejects = pd.DataFrame([{**KEY, "source": "import", "reject_count": 3}])
    verdict = judge(QUALITY_SCORES, quality_scores(counts, rejects))
    assert verdict.rejected.empty
    rows = verdict.accepted.set_index("source")
    assert rows.loc["api", ["accuracy", "validity", "row_count", "reject_count"]].tolist() == [75, 100, 8, 0]
    assert rows.loc["api", "score"] == pytest.approx((75 * 25 + 100 * 10) / 35)
    assert rows.loc["import", ["validity", "score", "status", "reject_count"]].tolist() == [0, 0, "error", 3]
    assert rows.loc["import", list(WEIGHTS)].notna().sum() == 1


def test_each_table_scored_has_its_own_limit_of_age() -> None:
    counts = pd.DataFrame(
        [{**KEY, "table_name": table, **dict.fromkeys(COUNTS), "row_count": 1, "gap_hours": 100.0} for table in SCORED]
    )
    found = quality_scores(counts, pd.DataFrame(columns=[*KEY, "reject_count"])).set_index("table_name")["timeliness"]
    assert found["metrics.video_snapshots"] == pytest.approx(36)
    assert found["metrics.channel_snapshots"] == pytest.approx(50)
