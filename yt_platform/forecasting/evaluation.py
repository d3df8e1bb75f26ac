"""How good forecasts are: targets, errors, intervals, backtests, and the rule by which a model may ship.

Does not belong here: any particular model (`forecasting/forecasters`), and where scores are kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from yt_platform.forecasting.forecasters.naive import NaiveForecaster
from yt_platform.forecasting.forecasters.protocol import Forecaster, NotEnoughRowsError, origins
from yt_platform.forecasting.tasks import QUANTILES, Task, count_column, target_column
from yt_platform.panel import Floats, floats

SCORED = ["target", "horizon"]
"""What scores are told by: target, and steps to it."""

AGES = {"under 1 day": 24.0, "1-3 days": 72.0, "3-7 days": 168.0, "7-28 days": 672.0, "over 28 days": np.inf}
"""Slices by age, and the hours each ends before."""

SIZES = {"under 10 k": 1e4, "10-100 k": 1e5, "100 k-1 M": 1e6, "1-10 M": 1e7, "over 10 M": np.inf}
"""Slices by views since publication, and the views each ends before. Decades, not quintiles: a slice is the same
videos whatever else was read, so that its figures can be compared between months and with those of training."""

SHORTS = {"no Short": 1.0, "Short": np.inf}
UNKNOWN = "unknown"


def actuals(task: Task, counts: pd.DataFrame) -> pd.DataFrame:
    """What happened between any two readings of a series that lie one of the task's horizons apart.

    `counts` has one row per series and time, with the counts and `view_definition`. Columns `Task.row`, `actual`
    (gained; 0 where the count fell) and `total` (the count at the target). Pairs across a change of what counts as a
    view are left out, and so are unknown counts.
    """
    return pd.concat([_actuals_at(task, counts, horizon, task.targets) for horizon in task.horizons], ignore_index=True)


def _actuals_at(task: Task, counts: pd.DataFrame, ahead: int, targets: tuple[str, ...]) -> pd.DataFrame:
    pairs = _pairs(task, counts, ahead)
    found = []
    for target in targets:
        total = floats(pairs[f"{count_column(target)}_later"])
        actual = np.maximum(total - floats(pairs[count_column(target)]), 0.0)
        known = ~np.isnan(actual)
        keys = pairs.loc[known, [task.series, task.time]]
        found.append(keys.assign(target=target, horizon=ahead, actual=actual[known], total=total[known]))
    return pd.concat(found, ignore_index=True)


def _pairs(task: Task, counts: pd.DataFrame, ahead: int) -> pd.DataFrame:
    keys = [task.series, task.time, "view_definition"]
    known = counts[[*keys, *map(count_column, task.targets)]]
    later = known.assign(**{task.time: known[task.time] - task.step * ahead})
    return known.merge(later, on=keys, suffixes=("", "_later"))


def training_frame(task: Task, features: pd.DataFrame, counts: pd.DataFrame, train_until: pd.Timestamp) -> pd.DataFrame:
    """What `Forecaster.fit` learns from: origins with targets up to the time `train_until`.

    The columns of `features`, and one column `target_column` for every target and step ahead: what was gained, NaN
    where the series was not read then or `train_until` lies before. `counts` are readings as `actuals` takes them.
    """
    known = counts[counts[task.time] <= train_until]
    origin = origins(task, features, task.targets[0])
    frame = features[origin & (features[task.time] < train_until)].reset_index(drop=True)
    keys = frame[[task.series, task.time]]
    for ahead in task.steps_ahead:
        pairs = keys.merge(_pairs(task, known, ahead), how="left")
        for target in task.targets:
            name = count_column(target)
            gained = floats(pairs[f"{name}_later"]) - floats(pairs[name])
            frame[target_column(target, ahead)] = np.maximum(gained, 0.0)
    return frame.copy()  # in one block: columns added one by one make every later selection slow


@dataclass(frozen=True)
class Fold:
    """What a forecaster learns from, the origins it is then tested on, and what happened after each."""

    frame: pd.DataFrame
    test: pd.DataFrame
    actual: pd.DataFrame

    @classmethod
    def of(
        cls,
        task: Task,
        features: pd.DataFrame,
        counts: pd.DataFrame,
        train_until: pd.Timestamp,
        test_until: pd.Timestamp,
    ) -> "Fold":
        """Targets up to `train_until` to learn from; every origin and target after it and up to `test_until` to test.

        `features` and `counts` hold the rows of all those times.
        """
        test = features[(features[task.time] > train_until) & (features[task.time] < test_until)]
        held_out = counts[(counts[task.time] > train_until) & (counts[task.time] <= test_until)]
        return cls(training_frame(task, features, counts, train_until), test, actuals(task, held_out))


def backtest(
    task: Task,
    features: pd.DataFrame,
    counts: pd.DataFrame,
    train_until: pd.Timestamp,
    test_until: pd.Timestamp,
    make_forecaster: Callable[[], Forecaster],
) -> pd.DataFrame:
    """Forecasts by a forecaster trained and tested on a `Fold`, beside what happened.

    Columns: see `beside_actuals`. Raises NotEnoughRowsError.
    """
    fold = Fold.of(task, features, counts, train_until, test_until)
    forecaster = make_forecaster()
    forecaster.fit(fold.frame)
    return beside_actuals(task, forecaster.predict(fold.test), fold.test, fold.actual)


def beside_actuals(task: Task, forecasts: pd.DataFrame, features: pd.DataFrame, actual: pd.DataFrame) -> pd.DataFrame:
    """The forecasts of every origin in `features` whose actual is known, with `naive` (its p50), `actual` and `total`.

    Raises ValueError when `forecasts` lacks one of them: leaving out what is hard would look like skill.
    """
    naive = NaiveForecaster(task, {}, 1).predict(features)[[*task.row, "p50"]].rename(columns={"p50": "naive"})
    rows = actual.merge(naive, on=task.row).merge(forecasts, on=task.row, how="left")
    if missing := int(rows["p50"].isna().sum()):
        raise ValueError(f"{missing} of {len(rows)} forecasts to score are missing: a forecaster answers every origin")
    return rows


def score(task: Task, rows: pd.DataFrame) -> pd.DataFrame:
    """Errors of the rows of `beside_actuals`, one row per target and horizon (`SCORED`).

    `n`: forecasts scored; `wape` and `naive_wape`: sum of absolute errors over sum of actual increments; `pinball`:
    mean over rows and quantiles, in counts; `coverage80` and `width80`: share of actuals within p10 to p90, and the
    mean width; `median_ape`: median of the absolute error over the actual total.

    Raises NotEnoughRowsError when a horizon has no actual of the task's first target; other targets may have none.
    """
    for horizon in task.horizons:
        if not ((rows["target"] == task.targets[0]) & (rows["horizon"] == horizon)).any():
            raise NotEnoughRowsError(
                f"no origin with a known target {horizon} steps later to score: test more than {horizon} steps, with "
                f"series read at a step, at the step before and {horizon} steps after"
            )
    by_key = rows.groupby(SCORED)
    keys = [key for key in product(task.targets, task.horizons) if key in by_key.groups]
    return pd.DataFrame([dict(zip(SCORED, key, strict=True)) | _errors(by_key.get_group(key)) for key in keys])


def slices(features: pd.DataFrame) -> pd.DataFrame:
    """What kind of series each row is of, in as many columns as its features tell: `age` (`AGES`), `size` (`SIZES`) and
    `shorts`; `UNKNOWN` where a feature is. The index is that of `features`."""
    told = {"age": ("age_hours", AGES), "size": ("view_count", SIZES), "shorts": ("is_short", SHORTS)}
    known = {name: _slice(features[column], ends) for name, (column, ends) in told.items() if column in features}
    return pd.DataFrame(known, index=features.index)


def _slice(values: pd.Series, ends: Mapping[str, float]) -> npt.NDArray[np.object_]:
    labels = np.array([*ends, UNKNOWN], dtype=object)
    known = floats(values)
    return labels[np.where(np.isnan(known), len(ends), np.searchsorted([*ends.values()], known, side="right"))]


def score_slices(task: Task, rows: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Errors of the rows of `beside_actuals` in each slice of the origins in `features`: one row per target, horizon,
    `by` (the column of `slices`) and `slice`, with the figures of `score`. Slices without an actual are left out."""
    keys = [task.series, task.time]
    told = slices(features)
    labelled = rows.merge(pd.concat([features[keys], told], axis="columns"), on=keys)
    return pd.DataFrame(
        [
            {"target": target, "horizon": horizon, "by": by, "slice": label, **_errors(found)}
            for by in told
            for (target, horizon, label), found in labelled.groupby([*SCORED, by])
        ]
    )


def _errors(rows: pd.DataFrame) -> dict[str, float]:
    actual, p10, p50, p90 = (floats(rows[name]) for name in ("actual", "p10", "p50", "p90"))
    losses = [_pinball(actual, p, q) for p, q in zip((p10, p50, p90), QUANTILES, strict=True)]
    return {
        "n": len(rows),
        "wape": wape(actual, p50),
        "naive_wape": wape(actual, floats(rows["naive"])),
        "pinball": float(np.mean(losses)),
        "coverage80": float(np.mean((p10 <= actual) & (actual <= p90))),
        "width80": float(np.mean(p90 - p10)),
        "median_ape": float(np.median(np.abs(actual - p50) / np.maximum(floats(rows["total"]), 1.0))),
    }


def weekly_range(task: Task, rows: pd.DataFrame) -> pd.DataFrame:
    """How much error and coverage move from week to week: lowest and highest of any 7 UTC target days in a row.

    `rows` as `score` takes them. One row per target and horizon: `wape_7d_min`, `wape_7d_max`, `coverage80_7d_min`,
    `coverage80_7d_max`. Fewer than 7 days count as one week.
    """
    at = rows[task.time] + rows["horizon"] * task.step
    sums = pd.DataFrame(
        {
            "day": at.dt.floor("D"),
            **{name: rows[name] for name in SCORED},
            "error": (rows["actual"] - rows["p50"]).abs(),
            "actual": rows["actual"],
            "covered": rows["actual"].between(rows["p10"], rows["p90"]).astype("float64"),
            "n": 1.0,
        }
    )
    by_day = sums.groupby([*SCORED, "day"], as_index=False).sum()
    found = [dict(zip(SCORED, key, strict=True)) | _weekly(days) for key, days in by_day.groupby(SCORED)]
    return pd.DataFrame(found)


def _weekly(days: pd.DataFrame) -> dict[str, float]:
    totals = days.set_index("day")[["error", "actual", "covered", "n"]]
    weeks = totals.resample("D").sum().rolling(7).sum().dropna()
    weeks = weeks if len(weeks) else totals.sum().to_frame().T
    error, covered = weeks["error"] / weeks["actual"].where(weeks["actual"] > 0), weeks["covered"] / weeks["n"]
    return {
        "wape_7d_min": float(error.min()),
        "wape_7d_max": float(error.max()),
        "coverage80_7d_min": float(covered.min()),
        "coverage80_7d_max": float(covered.max()),
    }


def wape(actual: Floats, forecast: Floats) -> float:
    """Sum of absolute errors over the sum of actuals; NaN when nothing was gained at all."""
    total = actual.sum()
    return float(np.abs(actual - forecast).sum() / total) if total else float("nan")


def _pinball(actual: Floats, forecast: Floats, quantile: float) -> float:
    missed = actual - forecast
    return float(np.mean(np.maximum(quantile * missed, (quantile - 1) * missed)))
