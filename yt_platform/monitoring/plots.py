"""Plots a person judges a training or the data by, as PNG. Drawn on figures of their own: pyplot keeps global state.

Matplotlib is imported inside: it takes half a second.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from yt_platform.forecasting.gate import Decision
from yt_platform.forecasting.tasks import Task
from yt_platform.monitoring.quality import ERROR_BELOW, WARN_BELOW
from yt_platform.printable import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 80
"""Some 30 kB a plot: those of the gate are stored in Dagster's event log."""

PLOTTED = 5_000
"""Points of a scatter plot; more make the file large and the plot no clearer."""


def forecasts_and_actuals(task: Task, rows: pd.DataFrame) -> bytes:
    """Per horizon of the task's first target: what all series gained by origin day, and each forecast beside its
    actual."""
    target = task.targets[0]
    figure = _figure(2, len(task.horizons))
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
    return _png(figure)


def calibration(task: Task, rows: pd.DataFrame) -> bytes:
    """Share of actuals at or below each quantile, and within the 80 % interval by day, for every target."""
    figure = _figure(1, 2)
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
    return _png(figure)


def comparison(task: Task, decision: Decision) -> bytes:
    """Error of every candidate beside naive's, by target and horizon."""
    figure = _figure(1, 1)
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
    return _png(figure)


def bars(title: str, values: Mapping[date, int]) -> bytes:
    """PNG of one value a day."""
    figure = _figure(1, 1)
    (axes,) = figure.axes
    axes.bar(np.array(list(values), dtype="datetime64[D]"), list(values.values()))
    axes.set_title(title)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.autofmt_xdate()
    return _png(figure)


def quality(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """PNG of scores by day, a line for each source and a part of the picture for each table, with the limits of
    warnings and errors. `rows`: `table_name`, `source`, `day`, `score` (None where unknown); one at least."""
    found = pd.DataFrame(rows)
    tables = {str(table): of_table for table, of_table in found.groupby("table_name")}
    figure = _figure(-(-len(tables) // 3), min(len(tables), 3))
    # as a run's time is spent on it: a tight layout draws all twice, and more ticks take as long as the lines
    figure.set_layout_engine("none")
    figure.subplots_adjust(left=0.05, right=0.95, hspace=0.3)
    ends = sorted({found["day"].min(), found["day"].max()})
    for axes, (table, of_table) in zip(figure.axes, tables.items(), strict=False):
        for source, of_source in of_table.groupby("source"):
            days = of_source["day"].to_numpy("datetime64[D]")
            axes.plot(days, of_source["score"].to_numpy("float64"), ".-", label=_label(str(source)))
        for limit, colour in ((WARN_BELOW, "C1"), (ERROR_BELOW, "C3")):
            axes.axhline(limit, color=colour, linewidth=0.5)
        axes.set_title(table)
        axes.set_ylim(0, 102)
        axes.set_xticks(ends)
        axes.legend(loc="lower left", fontsize="small")
    for axes in figure.axes[len(tables) :]:
        axes.set_axis_off()
    return _png(figure)


def _label(source: str) -> str:
    """A source's name in a legend, which leaves out names that begin with an underscore."""
    return f" {source}" if source.startswith("_") else source or "all sources"


def _figure(rows: int, columns: int) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(4 * columns, 7), 3.5 * rows), dpi=DPI, layout="tight")
    figure.subplots(rows, columns)
    return figure


def _png(figure: "Figure") -> bytes:
    """Without mathematics in titles and legends, as names may have dollar signs; ticks of powers are written by it."""
    for axes in figure.axes:
        legend = axes.get_legend()
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *(legend.get_texts() if legend else ())):
            text.set_parse_math(False)
            text.set_text(printable(text.get_text()))
    found = BytesIO()
    figure.savefig(found, format="png")
    return found.getvalue()
