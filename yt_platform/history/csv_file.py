"""CSV files: records with the lines they begin at, whatever is torn, ragged or badly encoded among them.

Belongs here: encoding, delimiter, line ends, quoting, line numbers. Not here: what columns mean.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO, TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TextIO

import pyarrow as pa

from yt_platform.history.problems import HistoryError, Reject, csv_text, excerpt
from yt_platform.history.rows import Chunk

HEAD_BYTES = 65_536
"""How much of a file tells its dialect: the header must lie within it."""

CHUNK_ROWS = 10_000
"""Rows converted at a time: enough to make Arrow's cost per call vanish, and 50 MB of the longest descriptions."""
CHUNK_CHARS = 32 << 20
"""A chunk also ends after so many characters: rows of other texts than YouTube's may be far longer."""

LINE_CHARS = 1 << 20
"""The longest line that is read. The rest of a longer one is passed over piece by piece: a line of 300 MB would be in
memory several times. Four fields at csv.field_size_limit() and a record of YouTube's longest texts stay far below it.
"""

RECORD_CHARS = 262_144
"""How far a record may reach past its first line: two fields at csv.field_size_limit(), 20 times the longest record
YouTube's limits allow (a description of 5,000 characters, all of them quotes). A stray quote can pair with later ones
without end, and what a record holds is in memory.
"""

DELIMITERS = ",;\t|"
_EXCEL_HINT = re.compile(r'"?sep=(.)"?,*\s*', re.ASCII)
"""The first line of a file that tells Excel its delimiter."""


@dataclass(frozen=True)
class Dialect:
    """How a file is written: its encoding, what parts its fields, and lines before the header."""

    encoding: str
    delimiter: str
    lines_before: int = 0


@dataclass(frozen=True)
class _Quoting:
    """Where the quotes of a record's first line, and of a line inside a quoted field, are as they should be."""

    first_line: re.Pattern[str]
    next_line: re.Pattern[str]


@cache
def _quoting(delimiter: str) -> _Quoting:
    # Fields as RFC 4180 has them, and those of Kaggle's 2017 files: "several"|"quoted"|"tags". csv.reader takes quotes
    # anywhere else too, as text: two torn fields then become one with the rows between them, and no error tells.
    parts = re.escape(delimiter)
    inside = r'[^"]*+(?:""[^"]*+)*+"'
    tag = rf'"[^"{parts}\n]*+(?:""[^"{parts}\n]*+)*+"'
    tags = rf"{tag}(?:\|{tag})++|" if delimiter != "|" else ""
    field = rf'(?:{tags}"{inside}|[^"{parts}\n]*+)'
    return _Quoting(
        re.compile(rf"{field}(?:{parts}{field})*+[\r\n]*+"), re.compile(rf"{inside}(?:{parts}{field})*+[\r\n]*+")
    )


def dialect(head: bytes) -> Dialect:
    """The dialect of a file, from its first bytes.

    The encoding is UTF-8 unless a byte order mark, or a NUL at every second of the first bytes, makes it UTF-16. The
    delimiter is the one that parts the header into most fields: names of columns hold none of `DELIMITERS`.
    """
    encoding = _encoding(head)
    with _open_text(BytesIO(head), encoding, "replace") as text:
        first = text.read().lstrip("\r\n").replace("\r", "\n").split("\n", 1)[0]
    if hint := _EXCEL_HINT.fullmatch(first):
        return Dialect(encoding, hint.group(1), lines_before=1)
    return Dialect(encoding, max(DELIMITERS, key=lambda one: _field_count(first, one)))


def is_text(head: bytes) -> bool:
    """Whether these first bytes of a file are text in an encoding that is read here: no other text holds NUL bytes."""
    return b"\0" not in head or _encoding(head) != "utf-8-sig"


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = head[: min(len(head), 64) // 2 * 2]
    if start and not any(start[1::2]) and all(start[::2]):
        return "utf-16-le"
    if start and not any(start[::2]) and all(start[1::2]):
        return "utf-16-be"
    return "utf-8-sig"


def _field_count(line: str, delimiter: str) -> int:
    try:
        return sum(len(row) for row in csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return 0


def _open_text(file: BinaryIO, encoding: str, errors: str) -> TextIOWrapper:
    # newline="": a line may end in CR alone, as old Macs and some spreadsheets write it, and keeps its end.
    return TextIOWrapper(file, encoding=encoding, errors=errors, newline="")


def header(head: bytes) -> list[str]:
    """Names in the first record, from the first bytes of a file; the first line as one name where it is no record."""
    found = dialect(head)
    with _open_text(BytesIO(head), found.encoding, "replace") as text:
        _, first = next(_records(_Lines(text, found), lambda row: False), (1, []))
    return [first.text.rstrip("\r\n")] if isinstance(first, _Broken) else first


def chunks(path: Path, name: str, columns: Mapping[str, str], known: Collection[str]) -> Iterator[Chunk]:
    """The file's records after the header; `columns` says which are wanted, raw column to name in the header.

    A record that holds all of the `known` names is a header again, of files that were joined or of a collector that
    was given more columns: the records after it are read by it. Wanted columns that it lacks are empty from there on.

    Records with too few or too many fields are rejects, and so are those whose quotes are broken: one inside a field
    that does not begin with it, text after a closing one, none that closes before the file, LINE_CHARS, RECORD_CHARS or
    csv.field_size_limit() (131,072 characters, 26 times the longest text YouTube allows) ends. Reading goes on at the
    second line of a record that is broken, or ragged over several lines, so that whole records among its lines are
    kept; lines before the first of these are its rest, and get a reject of their own only for broken quotes.
    A file that ends inside an unquoted last field cannot be told from a whole one. Raises HistoryError for bytes
    that are not UTF-8 in a wanted column, and for UTF-16 that cannot be decoded.
    """
    with path.open("rb") as file:
        found = dialect(file.read(HEAD_BYTES))
    # surrogateescape: a torn record may end inside a character; elsewhere the bytes are refused with their line.
    errors = "surrogateescape" if found.encoding == "utf-8-sig" else "strict"
    with _decoded(name), _open_text(path.open("rb"), found.encoding, errors) as text:
        source = _Lines(text, found)
        is_header = _recognises_header(known)
        records = _records(source, is_header)
        names = next(records)[1]
        assert isinstance(names, list), "a file without a header has no layout"
        part = _Part(name, columns, names)
        begun = source.chars
        for line, row in records:
            if type(row) is list and is_header(row):
                yield part.chunk(headers=1)
                part = _Part(name, columns, _without_bom(row))
            else:
                part.add(line, row)
            if part.size == CHUNK_ROWS or source.chars - begun > CHUNK_CHARS:
                yield part.chunk()
                begun = source.chars
        if part.size:
            yield part.chunk()


def _recognises_header(known: Collection[str]) -> Callable[[list[str]], bool]:
    names = frozenset(known)
    last = sorted(names)[-1]  # one is enough to tell most records from a header, and takes less than all
    return lambda row: last in _without_bom(row) and names.issubset(_without_bom(row))


def _without_bom(row: list[str]) -> list[str]:
    """Files that were joined keep the byte order mark of each."""
    return [row[0][1:], *row[1:]] if row[0].startswith("\ufeff") else row


class _Part:
    """Records that follow one header, taken up to a chunk at a time."""

    def __init__(self, name: str, columns: Mapping[str, str], header: list[str]) -> None:
        self._name, self._columns, self._width = name, columns, len(header)
        self._positions = {column: header.index(own) if own in header else None for column, own in columns.items()}
        self._empty()

    def _empty(self) -> None:
        self._rows: list[list[str]] = []
        self._lines: list[int] = []
        self._rejects: list[Reject] = []

    @property
    def size(self) -> int:
        return len(self._rows) + len(self._rejects)

    def add(self, line: int, row: "list[str] | _Broken") -> None:
        if type(row) is list and len(row) == self._width:
            self._rows.append(row)
            self._lines.append(line)
        else:
            self._rejects.append(_reject(self._name, line, row, self._width))

    def chunk(self, headers: int = 0) -> Chunk:
        """What was added since the last chunk; `headers` lines after it are headers."""
        made = _chunk(self._name, self._columns, self._positions, self._rows, self._lines, self._rejects, headers)
        self._empty()
        return made


@contextmanager
def _decoded(name: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise HistoryError(
            name, f"is UTF-16 text that is cut off or damaged ({error.reason})", "save it as UTF-8, or copy it again"
        ) from error


_ENDS = ("\n", "\r")


class _Broken:
    """Lines that are no record."""

    def __init__(self, lines: list[str], reason: str) -> None:
        self.text, self.reason = "".join(lines), reason


class _Lines:
    """Lines for csv.reader; `record` holds those it took since the last whole record, the first of them at `line`.

    Raises csv.Error at a line whose quotes are broken, and where a line is longer than LINE_CHARS or a record reaches
    further than RECORD_CHARS. `chars` counts what was read, without what was passed over.
    """

    def __init__(self, text: TextIO, dialect: Dialect) -> None:
        self._text = text
        self._quoting = _quoting(dialect.delimiter)
        self.delimiter = dialect.delimiter
        self._again: deque[str] = deque()
        self._chars = 0  # of the record after its first line
        self.chars = 0
        self.record: list[str] = []
        self.line = 1 + dialect.lines_before
        self.ended = False
        for _ in range(dialect.lines_before):
            self._read()

    def __iter__(self) -> Iterator[str]:
        record = self.record
        for line in chain(self._returned(), iter(self._read, "")):
            record.append(line)
            if len(line) >= LINE_CHARS and not line.endswith(_ENDS):
                raise csv.Error(f"a line longer than {LINE_CHARS:,} characters")
            if '"' in line or len(record) > 1:
                self._check(line)
            yield line
        self.ended = True

    def _read(self) -> str:
        """The next line, its first LINE_CHARS alone where it is longer; '' at the end."""
        line = self._text.readline(LINE_CHARS)
        self.chars += len(line)
        if len(line) == LINE_CHARS:
            rest = line
            while rest and not rest.endswith(_ENDS):
                rest = self._text.readline(LINE_CHARS)
        return line

    def _returned(self) -> Iterator[str]:
        while self._again:
            yield self._again.popleft()

    def _check(self, line: str) -> None:
        inside = len(self.record) > 1  # a quoted field: nothing else makes csv.reader ask for a second line
        self._chars = self._chars + len(line) if inside else 0
        if self._chars > RECORD_CHARS:
            raise csv.Error(f"record longer than {RECORD_CHARS:,} characters")
        well_quoted = (self._quoting.next_line if inside else self._quoting.first_line).match(line)
        if not well_quoted or well_quoted.end() == len(line):
            return
        end = well_quoted.end()
        if line[end] != '"':
            fault = "text after a closing quote"
        elif end and line[end - 1] != self.delimiter:
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


def _records(lines: _Lines, is_header: Callable[[list[str]], bool]) -> Iterator[tuple[int, list[str] | _Broken]]:
    record = lines.record
    width = 0  # fields of the header
    torn_until = 0  # up to this line, what is no whole record is the rest of the broken one before it
    while not lines.ended:
        fault = ""
        try:
            for row in csv.reader(lines, delimiter=lines.delimiter):
                if lines.ended:  # csv.reader hands out the field it was in the middle of
                    fault = "the file ends inside a quoted field"
                    break
                if len(record) > 1 and width not in (0, len(row)):
                    fault = _ragged(row, width)
                    break
                if row and (lines.line > torn_until or len(row) == width):
                    yield lines.line, row
                    if not width or is_header(row):
                        width = len(row)
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
    positions: Mapping[str, int | None],
    rows: list[list[str]],
    lines: list[int],
    rejects: list[Reject],
    headers: int,
) -> Chunk:
    arrays = {}
    for column, position in positions.items():
        values = [""] * len(rows) if position is None else [row[position] for row in rows]
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
    return Chunk(arrays, lines, lambda row: csv_text(rows[row]), rejects, headers)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
