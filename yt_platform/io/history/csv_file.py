"""CSV files: records with the lines they begin at, whatever is torn, ragged or badly encoded among them.

Belongs here: quoting, line numbers, encoding. Not here: what columns mean.
"""

import csv
from collections.abc import Iterator, Mapping
from functools import partial
from io import BytesIO, TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from yt_platform.io.history.problems import HistoryError, Reject, csv_text, excerpt
from yt_platform.io.history.rows import Chunk

CHUNK_ROWS = 10_000
"""Rows converted at a time: enough to make Arrow's cost per call vanish, and 50 MB of the longest descriptions."""

# surrogateescape: a torn record may end inside a character; elsewhere the bytes are refused with their line.
# newline="\n": lines are what editors count; a carriage return inside quotes does not end one.
_open_text = partial(TextIOWrapper, encoding="utf-8-sig", errors="surrogateescape", newline="\n")


def header(head: bytes) -> list[str]:
    """Names in the first record, from the first bytes of a file; empty where these hold no whole record."""
    first = next(_records(_Lines(_open_text(BytesIO(head)))), None)
    return first[1] if first and isinstance(first[1], list) else []


def chunks(path: Path, name: str, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The file's records after the header; `columns` says which are wanted, raw column to name in the header.

    Records with too few or too many fields are rejects, and so is one inside whose quotes the file ends; the lines
    after an opening quote that is never closed are read again, so that whole records among them are kept. Fields
    over csv.field_size_limit() (131,072 characters, 26 times the longest text YouTube allows) count as never closed.
    A file that ends inside an unquoted last field cannot be told from a whole one. Raises HistoryError for bytes
    that are not UTF-8 in a wanted column.
    """
    with _open_text(path.open("rb")) as text:
        records = _records(_Lines(text))
        names = next(records)[1]
        assert isinstance(names, list), "a file without a header has no layout"
        positions = {column: names.index(own) for column, own in columns.items()}
        rows: list[list[str]] = []
        lines: list[int] = []
        rejects: list[Reject] = []
        width = len(names)
        for line, row in records:
            if type(row) is list and len(row) == width:
                rows.append(row)
                lines.append(line)
            else:
                rejects.append(_reject(name, line, row, width))
            if len(rows) + len(rejects) == CHUNK_ROWS:
                yield _chunk(name, columns, positions, rows, lines, rejects)
                rows, lines, rejects = [], [], []
        if rows or rejects:
            yield _chunk(name, columns, positions, rows, lines, rejects)


class _Broken:
    """Lines that csv.reader could not make a record of."""

    def __init__(self, lines: list[str], reason: str) -> None:
        self.text, self.reason = "".join(lines), reason


class _Lines:
    """Lines for csv.reader; `record` holds those it took since the last whole record."""

    def __init__(self, text: TextIO) -> None:
        self._lines: Iterator[str] = iter(text)
        self.record: list[str] = []
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.record.append(line)
            yield line
        self.ended = True

    def put_back(self) -> None:
        """Gives back all lines of the record but the first."""
        self._lines = chain(self.record[1:], self._lines)
        self.record.clear()
        self.ended = False


def _records(lines: _Lines) -> Iterator[tuple[int, list[str] | _Broken]]:
    record = lines.record
    line = 1  # where the next record begins
    width = 0  # fields of the header
    swallowed_until = 0  # the last line behind an open quote
    while not lines.ended:
        reason = "the file ends inside a quoted field"
        try:
            for row in csv.reader(iter(lines)):
                if lines.ended:  # csv.reader hands out the field it was in the middle of
                    break
                if row and (line > swallowed_until or len(row) == width):
                    yield line, row
                    width = width or len(row)
                line += len(record)
                record.clear()
        except csv.Error as error:
            reason = f"cannot be read as CSV: {error}"
        if record:
            last = line + len(record) - 1
            if last > line:
                reason += f"; the record runs from line {line} to line {last}"
            yield line, _Broken(record, reason)
            line, swallowed_until = line + 1, last
            lines.put_back()


def _reject(name: str, line: int, record: list[str] | _Broken, width: int) -> Reject:
    if isinstance(record, _Broken):
        return Reject(name, line, None, record.reason, excerpt(record.text))
    reason = f"has {len(record)} fields where the header has {width}"
    return Reject(name, line, None, reason, excerpt(csv_text(record)))


def _chunk(
    name: str,
    columns: Mapping[str, str],
    positions: Mapping[str, int],
    rows: list[list[str]],
    lines: list[int],
    rejects: list[Reject],
) -> Chunk:
    arrays = {}
    for column, position in positions.items():
        values = [row[position] for row in rows]
        try:
            arrays[column] = pa.array(values, pa.string())
        except UnicodeEncodeError:
            raise HistoryError(
                name,
                "holds bytes that are not UTF-8",
                "convert the file to UTF-8, for example with iconv -f WINDOWS-1252 -t UTF-8",
                line=lines[next(i for i, value in enumerate(values) if not _is_utf8(value))],
                column=columns[column],
            ) from None
    return Chunk(arrays, lines, lambda row: csv_text(rows[row]), rejects)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
