"""The gate on rows made up: its test against oracles and by simulation, its rule case by case."""

import numpy as np
import pandas as pd
import pytest
from scipy import fft, stats

from yt_platform.forecasting.evaluation import wape
from yt_platform.forecasting.gate import cosines, decide, p_value
from yt_platform.forecasting.tasks import VIDEO_DAY
from yt_platform.panel import floats

DAYS = 27


def rows(seed: int = 1, **skill: float) -> dict[str, pd.DataFrame]:
    """Scored rows of 40 videos over `DAYS` for each name: the larger the figure, the larger the errors (naive: 1)."""
    random = np.random.default_rng(seed)
    keys = pd.MultiIndex.from_product(
        [range(40), range(DAYS), VIDEO_DAY.targets, VIDEO_DAY.horizons], names=["video_id", "day", "target", "horizon"]
    ).to_frame(index=False)
    keys = keys.assign(day=pd.Timestamp("2026-03-01") + pd.to_timedelta(keys["day"], unit="D"))
    actual = random.lognormal(5, 1, len(keys))
    missed = random.normal(0, 40, len(keys))
    common = keys.assign(actual=actual, naive=actual + missed)
    return {
        name: common.assign(p50=actual + factor * missed + random.normal(0, 1, len(keys))).assign(
            p10=lambda frame: frame["p50"] - 50, p90=lambda frame: frame["p50"] + 50
        )
        for name, factor in skill.items()
    }


def test_the_p_value_is_that_of_a_regression_on_cosines() -> None:
    """By another route: scipy's discrete cosine transform (type II) holds the same projections."""
    better_by = np.random.default_rng(4).normal(0.3, 1, DAYS)
    coefficients = fft.dct(better_by, norm="ortho")
    degrees = cosines(DAYS)
    statistic = coefficients[0] / np.sqrt(np.mean(coefficients[1 : degrees + 1] ** 2))
    assert p_value(better_by) == pytest.approx(stats.t.sf(statistic, degrees))


@pytest.mark.parametrize(("days", "overlap", "most"), [(27, 1, 0.065), (27, 7, 0.095), (13, 4, 0.08)])
def test_equal_forecasters_rarely_differ_significantly(days: int, overlap: int, most: float) -> None:
    """By simulation: overlapping horizons make differences persist, and must not pass for skill."""
    random = np.random.default_rng(7)
    noise = random.normal(size=(2000, days + overlap - 1))
    series = np.stack([np.convolve(row, np.ones(overlap), "valid") for row in noise])
    assert np.mean([p_value(row) < 0.05 for row in series]) < most
    assert np.mean([p_value(row + 1.5 * overlap**0.5) < 0.05 for row in series]) > 0.5


def test_degenerate_differences_have_a_p_value() -> None:
    """On the function: short folds and equal forecasters are ordinary."""
    assert p_value(np.zeros(9)) == 1.0
    assert p_value(np.ones(2)) == 1.0
    assert p_value(np.full(9, 2.0)) == 0.0
    assert p_value(np.full(9, -2.0)) == 1.0
    assert np.isnan(p_value(np.full(9, np.nan)))


def test_figures_are_the_scores_and_without_a_champion_the_best_wins() -> None:
    """Against `wape` on the rows: the gate must judge what the scorecards say."""
    candidates = rows(good=0.8, better=0.5)
    decision = decide(VIDEO_DAY, candidates, None)
    assert decision.winner == "better"
    assert "better errs less" in decision.reasons["good"]
    figures = decision.figures.set_index(["candidate", "target", "horizon"]).sort_index()
    for name, frame in candidates.items():
        for key, group in frame.groupby(["target", "horizon"]):
            assert figures.loc[(name, *key), "wape"] == pytest.approx(
                wape(floats(group["actual"]), floats(group["p50"]))
            )
    overall = decision.overall.set_index("candidate")
    assert overall.loc["good", "wape"] == pytest.approx(figures.loc["good", "wape"].mean())
    assert figures["p_champion"].isna().all()


def test_only_a_significantly_better_recipe_replaces_the_champion() -> None:
    """On the rule: chance alone would make every other training move the alias."""
    better = decide(VIDEO_DAY, rows(champion=0.8, other=0.6), "champion")
    assert better.winner == "other"
    assert better.reasons["champion"] == "other errs significantly less"
    level = decide(VIDEO_DAY, rows(champion=0.8, other=0.8), "champion")
    assert level.winner == "champion"
    assert "not significantly less than the champion" in level.reasons["other"]
    assert "learned anew" in level.reasons["champion"]


def test_nothing_ships_that_does_not_beat_naive() -> None:
    """On the rule: not even the champion's own recipe, and for no target or horizon."""
    assert decide(VIDEO_DAY, rows(champion=1.1, other=1.2), "champion").winner is None
    assert decide(VIDEO_DAY, rows(only=1.0), None).winner is None
    spoilt = rows(only=0.5)["only"]
    spoilt = spoilt.assign(p50=spoilt["p50"].where((spoilt["target"] != "likes") | (spoilt["horizon"] != 3), 1e6))
    decision = decide(VIDEO_DAY, {"only": spoilt}, None)
    assert decision.winner is None
    assert decision.reasons["only"] == "errs no less than naive at likes 3 ahead"


def test_better_on_the_whole_is_not_enough_when_worse_somewhere() -> None:
    """On the rule: a gain on comments must not pay for a loss on views."""
    both = rows(champion=0.8, other=0.3)
    other, views = both["other"], both["other"]["target"] == "views"
    missed = 0.9 * (other["naive"] - other["actual"])
    other = other.assign(p50=other["p50"].where(~views, other["actual"] + missed))
    decision = decide(VIDEO_DAY, {**both, "other": other}, "champion")
    assert decision.winner == "champion"
    assert "significantly more than the champion at views 1 ahead" in decision.reasons["other"]


def test_targets_that_nothing_was_gained_of_are_not_judged() -> None:
    """On the rule: likes that everyone hides, or a quiet week, block no model."""
    frame = rows(only=0.5)["only"]
    quiet = frame["target"] == "comments"
    frame = frame.assign(**{name: frame[name].mask(quiet, 0.0) for name in ("actual", "naive", "p50")})
    decision = decide(VIDEO_DAY, {"only": frame}, None)
    assert decision.winner == "only"
    assert set(decision.figures["target"]) == {"views", "likes"}
    silent = frame.assign(actual=0.0, naive=0.0, p50=0.0)
    assert decide(VIDEO_DAY, {"only": silent}, None).winner is None
