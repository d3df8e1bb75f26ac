"""Plots a person judges the data by, as PNG."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from yt_platform.monitoring.quality import ERROR_BELOW, WARN_BELOW
from yt_platform.plotting import as_png, blank_figure


def bars(title: str, values: Mapping[date, int]) -> bytes:
    """PNG of one value a day."""
    figure = blank_figure(1, 1)
    (axes,) = figure.axes
    axes.bar(np.array(list(values), dtype="datetime64[D]"), list(values.values()))
    axes.set_title(title)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.autofmt_xdate()
    return as_png(figure)


def quality(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """PNG of scores by day, a line for each source and a part of the picture for each table, with the limits of
    warnings and errors. `rows`: `table_name`, `source`, `day`, `score` (None where unknown); one at least."""
    found = pd.DataFrame(rows)
    tables = {str(table): of_table for table, of_table in found.groupby("table_name")}
    figure = blank_figure(-(-len(tables) // 3), min(len(tables), 3))
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
    return as_png(figure)


def _label(source: str) -> str:
    """A source's name in a legend, which leaves out names that begin with an underscore."""
    return f" {source}" if source.startswith("_") else source or "all sources"
