"""A figure of our own, as PNG: pyplot keeps global state.

Matplotlib is imported inside: it takes half a second.
"""

from io import BytesIO
from typing import TYPE_CHECKING

from yt_platform.printable import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 80
"""Some 30 kB a plot: those of the gate are stored in Dagster's event log."""


def blank_figure(rows: int, columns: int) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(4 * columns, 7), 3.5 * rows), dpi=DPI, layout="tight")
    figure.subplots(rows, columns)
    return figure


def as_png(figure: "Figure") -> bytes:
    """Without mathematics in titles and legends, as names may have dollar signs; ticks of powers are written by it."""
    for axes in figure.axes:
        legend = axes.get_legend()
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *(legend.get_texts() if legend else ())):
            text.set_parse_math(False)
            text.set_text(printable(text.get_text()))
    found = BytesIO()
    figure.savefig(found, format="png")
    return found.getvalue()
