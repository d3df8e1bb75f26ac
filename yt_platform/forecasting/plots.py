"""Plots a person judges a training by, as PNG."""

from typing import Any

import numpy as np
import pandas as pd

from yt_platform.forecasting.gate import Decision
from yt_platform.forecasting.tasks import Task
from yt_platform.plotting import as_png, blank_figure

PLOTTED = 5_000
"""Points of a scatter plot; more make the file large and the plot no clearer."""


def forecasts_and_actuals(task: Task, rows: pd.DataFrame) -> bytes:
    """Per horizon of the task's first target: what all series gained by origin day, and each forecast beside its
    actual."""
    target = task.targets[0]
    figure = blank_figure(2, len(task.horizons))
    for column, horizon in enumerate(task.horizons):
        found = rows[(rows["target"] == target) & (rows["horizon"] == horizon)]
        above, below = figure.axes[column], figure.axes[column + len(task.horizons)]
        sums = found.groupby(found[task.time].dt.floor("D"))[["actual", "p50", "naive"]].sum()
        for name, style in (("actual", "k-"), ("p50", "C0-"), ("naive", "C7:")):
            above.plot(sums.index, sums[name], style, label=name)
        above.set_title(f"{target}, {horizon} {task.unit}s ahead")
        above.tick_params(axis="x", rotation=45)
        shown = found.sample(min(PLOTTED, len(found)), random_state=1)
        below.loglog(shown["actual"] + 1, shown["p50"] + 1, ".", markersize=2, alpha=0.3)
        ends = [1, max(shown["actual"].max(), shown["p50"].max(), 1) + 1]
        below.plot(ends, ends, "k-", linewidth=0.5)
        below.set_xlabel("gained + 1")
    figure.axes[0].legend()
    figure.axes[len(task.horizons)].set_ylabel("p50 + 1")
    return as_png(figure)


def calibration(task: Task, rows: pd.DataFrame) -> bytes:
    """Share of actuals at or below each quantile, and within the 80 % interval by day, for every target."""
    figure = blank_figure(1, 2)
    quantiles, by_day = figure.axes
    for target, found in rows.groupby("target", sort=False):
        below = [float((found["actual"] <= found[name]).mean()) for name in ("p10", "p50", "p90")]
        quantiles.plot([0.1, 0.5, 0.9], below, "o-", label=target)
        covered = found["actual"].between(found["p10"], found["p90"]).astype("float64")
        by_day.plot(covered.groupby(found[task.time].dt.floor("D")).mean(), label=target)
    quantiles.plot([0, 1], [0, 1], "k-", linewidth=0.5)
    quantiles.set_xlabel("quantile")
    quantiles.set_ylabel("share of actuals at or below it")
    by_day.axhline(0.8, color="k", linewidth=0.5)
    by_day.set_ylabel("share within the 80 % interval")
    by_day.tick_params(axis="x", rotation=45)
    by_day.legend()
    return as_png(figure)


def comparison(task: Task, decision: Decision) -> bytes:
    """Error of every candidate beside naive's, by target and horizon."""
    figure = blank_figure(1, 1)
    axes = figure.axes[0]
    figures = decision.figures
    labels = [f"{row.target} {row.horizon}" for row in figures.drop_duplicates(["target", "horizon"]).itertuples()]
    names = list(decision.reasons)
    width = 0.8 / (len(names) + 1)
    naive = figures[figures["candidate"] == names[0]]["naive_wape"]
    for place, (name, heights) in enumerate(
        [("naive", naive), *((name, figures[figures["candidate"] == name]["wape"]) for name in names)]
    ):
        colour: dict[str, Any] = {"color": "lightgrey"} if name == "naive" else {}
        label = f"{name} (wins)" if name == decision.winner else name
        axes.bar(np.arange(len(heights)) + place * width, heights, width, label=label, **colour)
    axes.set_xticks(np.arange(len(labels)) + 0.4 - width / 2, labels, rotation=45)
    axes.set_xlabel(f"target and {task.unit}s ahead")
    axes.set_ylabel("WAPE on held-out days")
    axes.legend()
    return as_png(figure)
