"""CSV files: records with the lines they begin at, whatever is torn, ragged or badly encoded among them.

Belongs here: quoting, line numbers, encoding. Not here: what columns mean.
"""

import csv
import re
from collections import deque
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

RECORD_CHARS = 262_144
"""How far a record may reach past its first line: two fields at csv.field_size_limit(), 20 times the longest record
YouTube's limits allow (a description of 5,000 characters, all of them quotes). A stray quote can pair with later ones
without end, and what a record holds is in memory.
"""

# Fields as RFC 4180 has them, and those of Kaggle's 2017 files: "several"|"quoted"|"tags". csv.reader takes quotes
# anywhere else too, as text: two torn fields then become one with the rows between them, and no error tells.
_INSIDE = r'[^"]*+(?:""[^"]*+)*+"'
_TAG = r'"[^",\n]*+(?:""[^",\n]*+)*+"'
_FIELD = rf'(?:{_TAG}(?:\|{_TAG})++|"{_INSIDE}|[^",\n]*+)'
_FIRST_LINE = re.compile(rf"{_FIELD}(?:,{_FIELD})*+[\r\n]*+")
_NEXT_LINE = re.compile(rf"{_INSIDE}(?:,{_FIELD})*+[\r\n]*+")

# surrogateescape: a torn record may end inside a character; elsewhere the bytes are refused with their line.
# newline="\n": lines are what editors count; a carriage return inside quotes does not end one.
_open_text = partial(TextIOWrapper, encoding="utf-8-sig", errors="surrogateescape", newline="\n")


def header(head: bytes) -> list[str]:
    """Names in the first record, from the first bytes of a file; the first line as one name where it is no record."""
    _, first = next(_records(_Lines(_open_text(BytesIO(head)))), (1, []))
    return first.text.split("\n", 1)[:1] if isinstance(first, _Broken) else first


def chunks(path: Path, name: str, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The file's records after the header; `columns` says which are wanted, raw column to name in the header.

    Records with too few or too many fields are rejects, and so are those whose quotes are broken: one inside a field
    that does not begin with it, text after a closing one, none that closes before the file, RECORD_CHARS or
    csv.field_size_limit() (131,072 characters, 26 times the longest text YouTube allows) ends. Reading goes on at the
    second line of a record that is broken, or ragged over several lines, so that whole records among its lines are
    kept; lines before the first of these are its rest, and get a reject of their own only for broken quotes.
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
    """Lines that are no record."""

    def __init__(self, lines: list[str], reason: str) -> None:
        self.text, self.reason = "".join(lines), reason


class _Lines:
    """Lines for csv.reader; `record` holds those it took since the last whole record, the first of them at `line`.

    Raises csv.Error at a line whose quotes are broken, and where a record reaches further than RECORD_CHARS.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._chars = 0  # of the record after its first line
        self.record: list[str] = []
        self.line = 1
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        record = self.record
        for line in chain(self._returned(), self._text):
            record.append(line)
            if '"' in line or len(record) > 1:
                self._check(line)
            yield line
        self.ended = True

    def _returned(self) -> Iterator[str]:
        while self._again:
            yield self._again.popleft()

    def _check(self, line: str) -> None:
        inside = len(self.record) > 1  # a quoted field: nothing else makes csv.reader ask for a second line
        self._chars = self._chars + len(line) if inside else 0
        if self._chars > RECORD_CHARS:
            raise csv.Error(f"record longer than {RECORD_CHARS:,} characters")
        well_quoted = (_NEXT_LINE if inside else _FIRST_LINE).match(line)
        if not well_quoted or well_quoted.end() == len(line):
            return
        end = well_quoted.end()
        if line[end] != '"':
            fault = "text after a closing quote"
        elif end and line[end - 1] != ",":
            fault = "a quote inside an unquoted field"
        else:  # one that opens a field, which goes on in the next line
            return
        raise csv.Error(f"{fault} at line {self.line + len(self.record) - 1}, character {end + 1}")

    def put_back(self) -> None:
        """Gives back all lines of the record but the first."""
        self._again.extendleft(reversed(self.record[1:]))
        self.line += 1
        self.record.clear()
        self.ended = False


def _records(lines: _Lines) -> Iterator[tuple[int, list[str] | _Broken]]:
    record = lines.record
    width = 0  # fields of the header
    torn_until = 0  # up to this line, what is no whole record is the rest of the broken one before it
    while not lines.ended:
        fault = ""
        try:
            for row in csv.reader(lines):
                if lines.ended:  # csv.reader hands out the field it was in the middle of
                    fault = "the file ends inside a quoted field"
                    break
                if len(record) > 1 and width not in (0, len(row)):
                    fault = _ragged(row, width)
                    break
                if row and (lines.line > torn_until or len(row) == width):
                    yield lines.line, row
                    width = width or len(row)
                    torn_until = 0
                lines.line += len(record)
                record.clear()
        except csv.Error as error:
            fault = f"cannot be read as CSV: {error}"
        if fault:
            last = lines.line + len(record) - 1
            if last > lines.line:
                fault += f"; the record runs from line {lines.line} to line {last}"
            yield lines.line, _Broken(record, fault)
            torn_until = max(torn_until, last)
            lines.put_back()


def _ragged(row: list[str], width: int) -> str:
    return f"has {len(row)} fields where the header has {width}"


def _reject(name: str, line: int, record: list[str] | _Broken, width: int) -> Reject:
    if isinstance(record, _Broken):
        return Reject(name, line, None, record.reason, excerpt(record.text))
    return Reject(name, line, None, _ragged(record, width), excerpt(csv_text(record)))


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
