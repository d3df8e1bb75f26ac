"""Lines and rows of a stored bulk report, whatever its columns mean.

Here: reading CSV of any size in fixed memory. Not here: what a report is (`youtube/reporting_api/reports.py`).
"""

import io
from collections.abc import Iterable, Iterator

BLOCK_BYTES = 1 << 20
"""CSV that is read at a time, some 7,500 rows of user activity."""

LONGEST_ROW = BLOCK_BYTES
"""Arrow reads no longer one."""


class ReportError(ValueError):
    """A report's file cannot be read; the message says which, why, and the remedy."""


def lines(stored: io.BufferedReader) -> Iterator[str]:
    """Lines of a stored report, opened as uncompressed text, a character a byte and with their ends; one that is longer
    than any row comes in parts, as a file of kilobytes can unfold to a line of gigabytes."""
    while line := stored.readline(LONGEST_ROW):
        yield line.decode("latin-1")


def records(lines: Iterable[str]) -> Iterator[str]:
    """Rows of CSV, those with line ends in quotes as one. A quote that is still open after `LONGEST_ROW` opens nothing:
    its lines are rows of their own."""
    row: list[str] = []
    size, quotes = 0, 0
    for line in lines:
        row.append(line)
        size, quotes = size + len(line), quotes + line.count('"')
        if quotes % 2 and size < LONGEST_ROW:
            continue
        yield from row if quotes % 2 else ["".join(row)]
        row, size, quotes = [], 0, 0
    yield from row
