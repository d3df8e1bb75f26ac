"""How far the values a model is given, and those it gives, have moved from those of its training.

Three statistics between a sample of the training's reference and one of the newest days:

- the population stability index (Siddiqi, Credit Risk Scorecards, 2006) over tenths of the reference, unknown values
  being a bin of their own;
- the Jensen-Shannon distance, base 2, over the same bins (Lin 1991, IEEE Trans. Inf. Theory 37(1));
- the Kolmogorov-Smirnov statistic of the known values.

Each has a limit: what chance makes of samples of this size, and at least what matters in practice. By chance, where
n and m independent values come from one distribution over B bins, PSI is distributed as (1/n + 1/m) times chi-square
with B - 1 degrees of freedom (Yurdakul and Naranjo 2020, J. Risk Model Validation 14(4)), the Jensen-Shannon
divergence as an eighth of that in nats (Grosse et al. 2002, Phys. Rev. E 65, 041905), and the Kolmogorov-Smirnov
statistic exceeds sqrt(-ln(alpha / 2) / 2 * (1/n + 1/m)) with probability alpha (Smirnov 1948). A video's rows are much
alike from day to day, so n and m count videos; of what the videos of a channel or of a day share, channels or days.

scipy computes what is not one line. Libraries for drift (evidently, nannyml) know neither limits by sample size nor
regimes of what counts as a view, and bring stacks of plotting and models.

Does not belong here: which rows are the reference, and what is done about drift.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.metrics.view_definition import view_definition
from yt_platform.panel import Floats, floats

BINS = 10
MIN_SIZE = 50
"""Independent values on either side; with fewer, chance alone moves tenths beyond what any limit tells."""

CHANCE = 1e-4
"""Probability that chance alone passes a limit; a day's 300 comparisons do so together once a month."""

PSI_MATTERS = 0.25
"""Siddiqi's `significant change`. Of weeks of real trending videos against the 28 days before, none passed 0.1."""

JENSEN_SHANNON_MATTERS = 0.2
"""About where PSI is 0.25: the square root of 0.25 / 8 nats, in bits. Those weeks stayed below 0.14."""

KOLMOGOROV_SMIRNOV_MATTERS = 0.2
"""A fifth of all values lie elsewhere. Those weeks stayed below 0.14."""

OK = "ok"
DRIFT = "drift"
KNOWN_BREAK = "known_break"
TOO_FEW = "too_few"

OF_COLLECTION = frozenset({"days_observed", "days_observed_in_a_row", "channel_video_days"})
"""Features that tell how long videos have been watched: they grow with a young history, and say nothing of the world.
Gaps in collection are told by the checks of freshness."""

_FROM_VIEWS = {
    "like_ratio",
    "comment_ratio",
    "recent_like_ratio",
    "recent_comment_ratio",
    "like_ratio_change",
    "days_since_peak",
    "channel_acceleration_mean",
}


def measure_drift(reference: pd.DataFrame, window: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row per column of `names`: `psi`, `jensen_shannon` and `kolmogorov_smirnov`, each with its `_limit`, the
    sizes and shares of unknown values of both sides, and `status`.

    Rows of both frames have `video_id`, `channel_id`, `day` and the columns, NaN where unknown. What passes a
    limit is `drift`, or `known_break` where it rests on views and both sides do not share one definition of a view.
    """
    broken = _regimes(reference) != _regimes(window) or len(_regimes(reference)) > 1
    return pd.DataFrame([_measured(reference, window, name, broken and counts_views(name)) for name in names])


def counts_views(name: str) -> bool:
    """Whether a feature, or the prediction of a target, changes with what counts as a view."""
    return "view" in name or name in _FROM_VIEWS


def _regimes(rows: pd.DataFrame) -> set[str]:
    days = pd.Series(rows["day"].unique()).dt.tz_localize("UTC")
    return set(view_definition(days))


def _measured(reference: pd.DataFrame, window: pd.DataFrame, name: str, known_break: bool) -> dict[str, object]:
    before, now = floats(reference[name]), floats(window[name])
    sizes = (_size(reference, name, before), _size(window, name, now))
    found: dict[str, object] = {
        "name": name,
        "reference_rows": len(before),
        "window_rows": len(now),
        "reference_size": sizes[0],
        "window_size": sizes[1],
        "reference_unknown": _unknown(before),
        "window_unknown": _unknown(now),
    }
    if min(sizes) < MIN_SIZE:
        return found | {"status": TOO_FEW}
    p, q = _shares(before, now)
    statistics = {
        "psi": psi(p, q),
        "jensen_shannon": _jensen_shannon(p, q),
        "kolmogorov_smirnov": _kolmogorov_smirnov(before, now),
    }
    limits = limits_by_size(*sizes, bins=len(p))
    passed = any(statistics[name] > limits[name] for name in statistics)
    status = (KNOWN_BREAK if known_break else DRIFT) if passed else OK
    return found | statistics | {f"{name}_limit": limit for name, limit in limits.items()} | {"status": status}


def _size(rows: pd.DataFrame, name: str, values: Floats) -> int:
    """Independent values: videos; channels of a channel's record; days where the videos of a day share a value that
    differs between days."""
    if name.startswith("channel_"):
        return int(rows["channel_id"].nunique())
    column = pd.Series(values)
    by_day = column.groupby(rows["day"].to_numpy()).nunique(dropna=False)
    shared = column.nunique(dropna=False) > 1 and bool((by_day == 1).all())
    return int(rows["day" if shared else "video_id"].nunique())


def _unknown(values: Floats) -> float:
    return float(np.isnan(values).mean()) if len(values) else float("nan")


def _shares(before: Floats, now: Floats) -> tuple[Floats, Floats]:
    """Shares of the bins: tenths of the known values before, and the unknown; half a value is added to every bin, as
    no logarithm is taken of an empty one (Krichevsky and Trofimov 1981, IEEE Trans. Inf. Theory 27(2))."""
    known = before[~np.isnan(before)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
    return _binned(before, edges), _binned(now, edges)


def _binned(values: Floats, edges: npt.NDArray[np.float64]) -> Floats:
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    filled = np.append(counts, len(values) - len(known)) + 0.5
    shares: Floats = filled / filled.sum()
    return shares


def psi(before: Floats, now: Floats) -> float:
    """Population stability index of two vectors of shares, none of them 0."""
    return float(((now - before) * np.log(now / before)).sum())


def _jensen_shannon(before: Floats, now: Floats) -> float:
    from scipy.spatial.distance import jensenshannon

    return float(jensenshannon(before, now, base=2))


def _kolmogorov_smirnov(before: Floats, now: Floats) -> float:
    """0 where one side knows no value: what is unknown is told by the other two."""
    from scipy.stats import ks_2samp

    before, now = before[~np.isnan(before)], now[~np.isnan(now)]
    return float(ks_2samp(before, now, method="asymp").statistic) if len(before) and len(now) else 0.0


def limits_by_size(n: int, m: int, bins: int) -> dict[str, float]:
    """What each statistic of samples of n and m may reach by chance, or without mattering."""
    from scipy.stats import chi2

    spread = 1 / n + 1 / m
    by_chance = spread * float(chi2.isf(CHANCE, bins - 1))
    return {
        "psi": max(PSI_MATTERS, by_chance),
        "jensen_shannon": max(JENSEN_SHANNON_MATTERS, float(np.sqrt(by_chance / 8 / np.log(2)))),
        "kolmogorov_smirnov": max(KOLMOGOROV_SMIRNOV_MATTERS, float(np.sqrt(-np.log(CHANCE / 2) / 2 * spread))),
    }
