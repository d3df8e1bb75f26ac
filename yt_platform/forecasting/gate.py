"""Which candidate becomes champion: paired tests on the same held-out rows, and the rule over them.

Does not belong here: how single forecasts are scored (`forecasting/evaluation.py`), and where decisions are kept.

**The test.** Two forecasters are compared by their losses on the same origins: the daily sums of absolute errors, each
target and horizon as a share of what was gained in the whole fold, so that views do not drown comments. Days, not rows,
are the observations: errors of one day are driven by the same news, and summing over the day leaves no dependence
between rows to model. H0 is that the candidate's expected loss is not below the rival's (Diebold and Mariano 1995,
Comparing predictive accuracy). Forecasts a week ahead overlap, so the differences are serially correlated; their
long-run variance is estimated by equal-weighted cosines and the statistic compared with Student's t of as many degrees
of freedom (Lazarus, Lewis, Stock and Watson 2018, HAR inference: recommendations for practice; Coroneo and Iacone 2020
for such fixed-smoothing tests in small samples). With 27 days and noise that lasts a week, H0 is rejected at 5 % in 7 %
of samples; Newey and West's variance with the correction of Harvey, Leybourne and Newbold rejects in 12 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from yt_platform.forecasting.evaluation import SCORED
from yt_platform.forecasting.tasks import Task
from yt_platform.panel import Floats, floats

SIGNIFICANCE = 0.05
SIGNIFICANCE_OVER_NAIVE = 0.1
"""Where the error is lower at every target and horizon as well: 12 days to test on leave two degrees of freedom, and a
model better on each of the 12 came out at 0.07."""


@dataclass(frozen=True)
class Decision:
    """Who won, why, and the figures.

    `figures` has one row per candidate, target and horizon: `candidate`, `target`, `horizon`, `wape`, `naive_wape`,
    `p_naive`, `champion_wape`, `p_champion` (NaN where there is no champion, or it is the candidate's recipe).
    `overall` has one row per candidate, with the same columns over all targets and horizons.
    """

    winner: str | None
    reasons: Mapping[str, str]
    figures: pd.DataFrame
    overall: pd.DataFrame


def decide(task: Task, candidates: Mapping[str, pd.DataFrame], champion: str | None) -> Decision:
    """Judge candidates by the rows of `evaluate.beside_actuals`, all of the same origins and targets.

    `champion` names the candidate that has the sitting champion's recipe; None where nothing is champion.

    To ship, a candidate must err less than naive for every target at every horizon, and significantly less over all.
    With a champion it must moreover err significantly less than that over all, and nowhere significantly more. Of
    several, the one with the lowest error wins. Where none does, the champion's own recipe, learned on newer data,
    follows it if it still beats naive: on the same fold it errs as the champion does.
    """
    tables = {name: _Errors.of(task, rows) for name, rows in candidates.items()}
    sitting = tables.get(champion) if champion else None
    figures = {name: _compared(errors, None if name == champion else sitting) for name, errors in tables.items()}
    overall = {name: _overall(errors, None if name == champion else sitting) for name, errors in tables.items()}
    reasons = {name: _objection(figures[name], overall[name]) for name in candidates}
    able = [name for name in candidates if not reasons[name]]
    challengers = sorted((name for name in able if name != champion), key=lambda name: overall[name]["wape"])
    winner = challengers[0] if challengers else champion if champion in able else None
    told = {name: objection or _praise(name, winner, champion) for name, objection in reasons.items()}
    every = pd.concat([table.assign(candidate=name) for name, table in figures.items()], ignore_index=True)
    totals = pd.DataFrame([{"candidate": name} | row for name, row in overall.items()])
    return Decision(winner, told, every, totals)


def _praise(name: str, winner: str | None, champion: str | None) -> str:
    if name != winner:
        return f"good enough, but {winner} errs less" if name != champion else f"{winner} errs significantly less"
    if name == champion:
        return "the champion's own recipe, learned anew: it beats naive, and no other errs significantly less"
    return "errs significantly less than naive" + (" and than the champion" if champion else "")


def _objection(figures: pd.DataFrame, overall: Mapping[str, float]) -> str:
    """Why a candidate may not ship; '' when it may."""
    if figures.empty:
        return "nothing was gained in the folds"
    behind = figures[~(figures["wape"] < figures["naive_wape"])]
    if len(behind):
        return f"errs no less than naive at {_keys(behind)}"
    if not overall["p_naive"] < SIGNIFICANCE_OVER_NAIVE:
        return f"errs not significantly less than naive (p = {overall['p_naive']:.3f})"
    if np.isnan(overall["champion_wape"]):
        return ""
    worse = figures[figures["p_champion"] > 1 - SIGNIFICANCE / len(figures)]  # so many tests: Bonferroni
    if len(worse):
        return f"errs significantly more than the champion at {_keys(worse)}"
    if not overall["p_champion"] < SIGNIFICANCE:
        return f"errs not significantly less than the champion (p = {overall['p_champion']:.3f})"
    return ""


def _keys(figures: pd.DataFrame) -> str:
    return ", ".join(f"{row.target} {row.horizon} ahead" for row in figures.itertuples())


Key = tuple[str, int]
"""A target and a horizon."""


@dataclass(frozen=True)
class _Errors:
    """By target and horizon: absolute errors summed by origin day, 0 on a day without rows, and what was gained in all.

    Where nothing was gained there is no entry: no error is a share of nothing.
    """

    own: dict[Key, Floats]
    naive: dict[Key, Floats]
    gained: dict[Key, float]

    @classmethod
    def of(cls, task: Task, rows: pd.DataFrame) -> "_Errors":
        day, days = pd.factorize(rows[task.time].dt.floor("D"), sort=True)
        actual = floats(rows["actual"])
        missed = {name: np.abs(floats(rows[name]) - actual) for name in ("p50", "naive")}
        positions: dict[Any, Any] = rows.groupby(SCORED).indices
        found = cls({}, {}, {})
        for key in product(task.targets, task.horizons):
            at = positions.get(key, [])
            gained = float(actual[at].sum()) if len(at) else 0.0
            if gained > 0:
                found.gained[key] = gained
                found.own[key] = np.bincount(day[at], missed["p50"][at], len(days)).astype(np.float64)
                found.naive[key] = np.bincount(day[at], missed["naive"][at], len(days)).astype(np.float64)
        return found


def _compared(errors: _Errors, champion: _Errors | None) -> pd.DataFrame:
    return pd.DataFrame(
        [dict(zip(SCORED, key, strict=True)) | _figures(errors, champion, [key]) for key in errors.gained]
    )


def _overall(errors: _Errors, champion: _Errors | None) -> dict[str, float]:
    return _figures(errors, champion, list(errors.gained))


def _figures(errors: _Errors, champion: _Errors | None, keys: list[Key]) -> dict[str, float]:
    """WAPE (its mean over several keys), and p-values of erring less than naive and the champion."""
    own, naive = _daily(errors.own, errors.gained, keys), _daily(errors.naive, errors.gained, keys)
    rival = _daily(champion.own, champion.gained, keys) if champion else np.full(len(own), np.nan)
    return {
        "wape": float(own.sum()),
        "naive_wape": float(naive.sum()),
        "p_naive": p_value(naive - own),
        "champion_wape": float(rival.sum()),
        "p_champion": p_value(rival - own),
    }


def _daily(errors: Mapping[Key, Floats], gained: Mapping[Key, float], keys: list[Key]) -> Floats:
    """By day, the mean over the keys of the errors as shares of what was gained; the days add up to the mean WAPE."""
    shares: Floats = np.mean([errors[key] / gained[key] for key in keys], axis=0) if keys else np.empty(0)
    return shares


def p_value(better_by: Floats) -> float:
    """Chance of a mean so far above 0 if it were 0 or below, for a serially correlated series in order of time.

    The statistic: mean over its standard error from `cosines` equally weighted, by Student's t. NaN for NaN; 1 for
    fewer than 3 values, and where none differs from 0.
    """
    from scipy.stats import t

    n = len(better_by)
    if np.isnan(better_by).any():
        return float("nan")
    if n < 3 or not better_by.any():
        return 1.0
    order = np.arange(1, cosines(n) + 1)[:, None]
    projections = np.sqrt(2 / n) * np.cos(np.pi * order * (np.arange(n) + 0.5) / n) @ better_by
    deviation = np.sqrt(np.mean(projections**2) / n)
    if deviation <= 1e-12 * np.abs(better_by).max():  # the same difference every day
        return 0.0 if better_by.mean() > 0 else 1.0
    return float(t.sf(better_by.mean() / deviation, len(order)))


def cosines(n: int) -> int:
    """Degrees of freedom for `n` observations: the rule of Lazarus et al. (2018), 0.4 n^(2/3)."""
    return max(1, int(0.4 * n ** (2 / 3)))
