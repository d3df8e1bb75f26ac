"""The statistics of drift against their formulas, their limits against simulation, and what is made of them."""

from math import log

import numpy as np
import pandas as pd
import pytest

from yt_platform.models.drift import limits_by_size, measure_drift, psi

DAYS = pd.date_range("2026-01-01", periods=28)


def rows(values: np.ndarray, first: str = "2026-01-01", **columns: np.ndarray) -> pd.DataFrame:
    """One row per value, each of a video of its own, over 28 days."""
    days = pd.Timestamp(first) + pd.to_timedelta(np.arange(len(values)) % 28, unit="D")
    return pd.DataFrame({"video_id": np.arange(len(values)).astype(str), "day": days, "view_count": values, **columns})


def status(reference: pd.DataFrame, window: pd.DataFrame, name: str = "view_count") -> str:
    return str(measure_drift(reference, window, [name])["status"].iloc[0])


def test_statistics_are_those_of_their_formulas() -> None:
    """By loops over counts written out here: two bins of a flag, one for what lies above, and the unknown."""
    before = np.array([0.0] * 60 + [1.0] * 30 + [np.nan] * 10)
    now = np.array([0.0] * 20 + [1.0] * 50 + [np.nan] * 10)
    found = measure_drift(rows(before), rows(now), ["view_count"]).iloc[0]
    p = [60.5 / 102, 30.5 / 102, 0.5 / 102, 10.5 / 102]
    q = [20.5 / 82, 50.5 / 82, 0.5 / 82, 10.5 / 82]
    assert found["psi"] == pytest.approx(sum((b - a) * log(b / a) for a, b in zip(p, q, strict=True)))
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    divergence = sum(a * log(a / m, 2) + b * log(b / m, 2) for a, b, m in zip(p, q, middle, strict=True)) / 2
    assert found["jensen_shannon"] == pytest.approx(divergence**0.5)
    assert found["kolmogorov_smirnov"] == pytest.approx(60 / 90 - 20 / 70)
    assert (found["reference_unknown"], found["window_unknown"]) == (0.1, 0.125)


@pytest.mark.parametrize(("n", "m"), [(60, 60), (300, 80), (5000, 1000)])
def test_chance_alone_stays_within_the_limits(n: int, m: int) -> None:
    """Simulated: of 400 pairs of samples from one distribution none should pass a limit of 1 in 10,000."""
    random = np.random.default_rng(5)
    passed = [status(rows(random.lognormal(size=n)), rows(random.lognormal(size=m))) for _ in range(400)]
    assert set(passed) == {"ok"}


def test_limits_of_small_samples_are_those_of_chance_and_of_large_ones_of_what_matters() -> None:
    """Against quantiles of simulated PSI: the chi-square limit is near the 1 in 100 largest, scaled to 1 in 10,000."""
    random = np.random.default_rng(6)
    shares = np.full(10, 0.1)
    simulated = [psi(random.multinomial(500, shares) / 500, random.multinomial(500, shares) / 500) for _ in range(4000)]
    # 21.67 and 33.72 are the upper 0.01 and 0.0001 quantiles of chi-square with 9 degrees of freedom (tables)
    assert np.quantile(simulated, 0.99) == pytest.approx(21.67 * 2 / 500, rel=0.1)
    assert limits_by_size(100, 100, 10)["psi"] == pytest.approx(33.72 * 2 / 100, rel=1e-3)
    assert limits_by_size(10_000, 10_000, 10) == {"psi": 0.25, "jensen_shannon": 0.2, "kolmogorov_smirnov": 0.2}


def test_a_shift_is_drift_and_across_a_change_of_what_counts_as_a_view_a_known_break() -> None:
    random = np.random.default_rng(7)
    before, now = random.lognormal(size=2000), random.lognormal(size=2000) * 3
    titles, other = random.poisson(20, 2000).astype(float), random.poisson(40, 2000).astype(float)
    assert status(rows(before), rows(now)) == "drift"
    old, new = rows(before, "2026-07-01", title_length=titles), rows(now, "2026-08-24", title_length=other)
    assert status(old, new) == "known_break"
    assert status(old, new, "title_length") == "drift"  # which has nothing to do with views


def test_values_that_become_unknown_or_known_are_drift() -> None:
    random = np.random.default_rng(8)
    known, unknown = rows(random.normal(size=500)), rows(np.full(500, np.nan))
    assert status(known, unknown) == status(unknown, known) == "drift"
    assert status(unknown, unknown) == "ok"


@pytest.mark.parametrize("size", [0, 1, 49])
def test_few_videos_are_not_judged_however_many_rows_they_have(size: int) -> None:
    values = np.random.default_rng(9).normal(size=2000)
    few = rows(values).assign(video_id=np.arange(2000) % max(size, 1)).head(2000 if size else 0)
    assert status(rows(values), few) == "too_few"
    assert status(few, rows(values)) == "too_few"


def test_what_all_videos_of_a_day_share_counts_once_a_day() -> None:
    """A week has seven values of it, however many videos: any week would differ from the month before."""
    reference = rows(np.zeros(2000))
    shared = dict(zip(DAYS, np.random.default_rng(10).normal(size=28), strict=True))
    reference["view_count"] = reference["day"].map(shared)
    assert status(reference, reference[reference["day"] < DAYS[7]]) == "too_few"


def test_what_all_videos_of_a_channel_share_counts_once_a_channel() -> None:
    """Two channels' records differ from any other two's, however many videos they have."""
    reference = rows(np.zeros(2000)).assign(channel_id="a", channel_views_mean=1.0)
    window = reference.assign(channel_id="b", channel_views_mean=2.0)
    assert status(reference, window, "channel_views_mean") == "too_few"
