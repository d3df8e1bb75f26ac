"""Finding the files of an import and recognising each by its content.

Belongs here: walking a folder, telling data from other files, layouts of files with their hashes, errors for data
that has no known layout. Not here: reading rows.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from yt_platform.history import csv_file, parquet_file, studio, takeout
from yt_platform.history.convert import Convert, Converted
from yt_platform.history.dates import OpenDatesError
from yt_platform.history.layouts import LAYOUTS, Container, Field, Fit, Layout, matching, nearest
from yt_platform.history.names import GAINED, Options, snake_case
from yt_platform.history.problems import HistoryError, excerpt
from yt_platform.history.rows import Chunk, Rows, typed_rows
from yt_platform.history.totals import RunningTotals, SumsOfPeriod, without_sums

COLLECTED, PUBLISHED = "collected_at", "published_at"
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LFS_POINTER = b"version https://git-lfs.github.com/"
_DATA_SUFFIXES = (".csv", ".tsv", ".parquet")  # a file so named is never passed over in silence
HIDDEN = "is hidden"
SHOWN = 5
"""Files named in an error about a whole folder."""
_NOTE_SUFFIXES = (".json", ".md", ".rst", ".html", ".xml")  # whose first lines may look like a table's


@dataclass(frozen=True)
class HistoryFile:
    """A file with a known layout; `name` is relative to the imported folder, `rows` None where only reading tells."""

    name: str
    sha256: str
    bytes: int
    layout: Layout
    container: Container
    rows: int | None
    path: Path
    own_names: Mapping[str, str]
    """Raw column to the file's own name of it."""
    modified_ns: int
    unused: Sequence[str] = ()
    """Columns of the file that are not taken."""
    dates: str | None = None
    """The order of the parts of dates that a person has named, as `dates.ORDERS` has them."""
    _settled: dict[str, Convert] = field(default_factory=dict, compare=False, repr=False)

    def read(self, columns: Collection[str] | None = None) -> Iterator[Rows]:
        """The file's rows; with `columns` only these raw columns. Raises HistoryError, also if the file changed."""
        whole = columns is None or self.layout.counts != "totals"  # what a day gained is nothing without the others
        wanted = {one: own for one, own in self.own_names.items() if whole or one in (columns or ())}
        as_totals = self._as_totals()
        with _readable(self.name):
            for chunk in self._chunks(wanted):
                yield as_totals(typed_rows(self.name, self.layout, self.own_names, chunk, self._convert))
            stat = self.path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (self.bytes, self.modified_ns):
            raise HistoryError(self.name, "changed while it was read", "import a copy that nothing writes to")

    @property
    def made_at(self) -> str:
        """The time of all of its rows where the file does not say it: the same file of another time is another one."""
        at = self.layout.constants.get("collected_at")
        return f"\0{at.isoformat()}" if at else ""

    @property
    def told(self) -> str:
        """What is known of all of its rows from elsewhere than the file: the same rows of another time or region are
        others."""
        constants = self.layout.constants
        return "\0".join(str(constants[name]) for name in ("collected_at", "region") if constants.get(name))

    def _as_totals(self) -> Callable[[Rows], Rows]:
        if self.layout.counts == "gains of days":
            return RunningTotals(self.name)
        if self.layout.counts == "sums of a period":
            return SumsOfPeriod(self.name, self.layout.constants["begins"])
        return lambda rows: rows

    def _chunks(self, wanted: Mapping[str, str]) -> Iterator[Chunk]:
        if self.container == "parquet":
            return parquet_file.chunks(self.path, self.name, wanted)
        required = [
            self.own_names[one.column] for one in self.layout.fields if one.required and one.column in self.own_names
        ]
        chunks = csv_file.chunks(self.path, self.name, wanted, required)
        return chunks if self.layout.counts == "totals" else map(without_sums, chunks)

    def _convert(self, one: Field, values: pa.Array) -> Converted:
        """Converts a piece of a column, by what the whole column tells where that is needed."""
        if not one.kind.is_open(values):
            return one.kind.convert(values)
        if one.column not in self._settled:
            self._settled[one.column] = self._settle(one)
        return self._settled[one.column](values)

    def _settle(self, one: Field) -> Convert:
        assert one.kind.settle, "what may be open can be settled"
        try:
            return one.kind.settle(self._pieces(one), self.dates)
        except OpenDatesError as error:
            raise HistoryError(self.name, error.reason, error.remedy, column=self.own_names[one.column]) from error

    def _pieces(self, one: Field) -> Iterator[tuple[pa.Array, pa.Array | None]]:
        """The column and, beside the time of collection, that of publication where the file has it."""
        beside = [other for other in self.layout.fields if other.column == PUBLISHED and PUBLISHED in self.own_names]
        published = beside[0] if beside and one.column == COLLECTED else None
        columns = {one.column, published.column} if published else {one.column}
        for chunk in self._chunks({name: own for name, own in self.own_names.items() if name in columns}):
            values = chunk.columns[one.column]
            yield values, self._convert(published, chunk.columns[PUBLISHED])[0] if published else None


@dataclass(frozen=True)
class Ignored:
    """A file of an imported folder that is no history, why it was left out, and what makes it history."""

    name: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Found:
    """What lies at a path, in order of names: history, files that are something else, and files that cannot be read
    though they may be history."""

    files: Sequence[HistoryFile]
    ignored: Sequence[Ignored] = ()
    unreadable: Sequence[HistoryError] = ()


def find_files(path: Path, options: Options) -> Found:
    """The files at a path, a file or a folder with all below it.

    Raises HistoryError where none of them is history, or none has a column that the options name.
    """
    found = _found(path, options)
    for column, name in options.columns.items():
        if all(file.own_names.get(column) != name for file in found.files):
            raise HistoryError(path.name, f"has no file with a column {name!r}, which is to be {column}", "check --map")
    return found


def _found(path: Path, options: Options) -> Found:
    if path.is_file():
        inspected = _inspect(path, path.name, options)
        if isinstance(inspected, Ignored):
            raise HistoryError(path.name, inspected.reason, inspected.remedy)
        return Found([inspected])
    if not path.is_dir():
        raise HistoryError(str(path), "there is no such file or folder", "check the path")
    results = [
        Ignored(name, "is a link to a file outside the folder", "copy the file itself into the folder")
        if _leads_out(file, path)
        else _inspect_or_fail(file, name, options)
        for name, file in sorted(_walk(path))
    ]
    files = [one for one in results if isinstance(one, HistoryFile)]
    ignored = [one for one in results if isinstance(one, Ignored)]
    unreadable = [one for one in results if isinstance(one, HistoryError)]
    if not files:
        raise _nothing_known(path, ignored, unreadable)
    return Found(files, ignored, unreadable)


def _nothing_known(path: Path, ignored: Sequence[Ignored], unreadable: Sequence[HistoryError]) -> HistoryError:
    others = [*map(str, unreadable), *(f"{one.name} {one.reason}" for one in ignored if one.reason != HIDDEN)]
    told = f", but {len(others)} other files: {'; '.join(others[:SHOWN])}" if others else ""
    return HistoryError(
        str(path), f"holds no history file{told}", f"give files in one of the known layouts: {_known()}"
    )


def _inspect_or_fail(path: Path, name: str, options: Options) -> HistoryFile | Ignored | HistoryError:
    try:
        return _inspect(path, name, options)
    except HistoryError as error:
        return error


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a file of a folder is, by symbolic links, one outside it: who made the folder chose what is imported."""
    return not path.resolve().is_relative_to(folder.resolve())


def _inspect(path: Path, name: str, options: Options) -> HistoryFile | Ignored:
    if any(part.startswith(".") for part in name.split("/")):
        return Ignored(name, HIDDEN, "give it another name")
    with _readable(name):
        with path.open("rb") as file:
            head = file.read(csv_file.HEAD_BYTES)
        if not head:
            return Ignored(name, "is empty", _give_known())
        if head.startswith(b"PAR1"):
            schema, rows = parquet_file.schema(path, name)
            found = matching("parquet", schema.names, options)
            if not found:
                return _unknown(name, "parquet", schema.names)
            _check_types(name, found, schema)
            return _recognised(path, name, "parquet", found, rows, options)
        return _inspect_text(path, name, head, options)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryError(name, f"cannot be read ({error.strerror})", "check the file and its permissions") from error


def _inspect_text(path: Path, name: str, head: bytes, options: Options) -> HistoryFile | Ignored:
    if head.startswith(_WORKBOOK):
        return Ignored(name, "is a workbook of Excel", "save it as CSV, and import that")
    packed = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)
    if packed:
        return Ignored(name, f"is packed with {packed}", "unpack it, or save a workbook as CSV, and import that")
    if head.startswith(_LFS_POINTER):
        return Ignored(name, "is a pointer of Git LFS, the file itself is not here", "get it with git lfs pull")
    header = csv_file.header(head)
    options = replace(options, as_of=options.as_of or takeout.made_at(path))
    if found := matching("csv", header, options):
        return (
            _of_a_period(name, header, found.layout, options)
            or _of_no_period(path, name, found.layout)
            or _recognised(path, name, "csv", found, None, options)
        )
    if why_not := studio.why_not(header) or takeout.why_not(header):
        return Ignored(name, why_not, _give_known())
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return Ignored(name, "is JSON, which is not imported", f"write its readings as CSV or Parquet: {_known()}")
    named_as_data = name.lower().endswith(_DATA_SUFFIXES)
    is_text = csv_file.is_text(head)
    if not is_text and named_as_data:
        raise HistoryError(name, "is neither text nor Parquet", "copy or download the file again", line=1)
    if is_text and (named_as_data or nearest("csv", header, options) or _is_table(name, head)):
        return _unknown(name, "csv", header)
    return Ignored(name, "is no table", _give_known())


def _is_table(name: str, head: bytes) -> bool:
    if name.lower().endswith(_NOTE_SUFFIXES):
        return False
    first, second, *_ = [*head.split(b"\n", 2), b""]
    return any(first.count(separator) == second.count(separator) > 0 for separator in (b",", b";", b"\t"))


def _of_a_period(name: str, header: Sequence[str], layout: Layout, options: Options) -> Ignored | None:
    """A report about days, whose counts would be taken for totals; not where a person has named the total."""
    gained = [column for column in header if snake_case(column) in GAINED]
    if not gained or layout.container or "view_count" in options.columns:
        return None
    reason = f"holds what was gained in a period, as {', '.join(gained)} tell, and no totals"
    return Ignored(
        name,
        reason,
        "where a column has the totals all the same, name it by --map view_count=name; reports of an owner are "
        "collected by yt-platform accounts",
    )


def _of_no_period(path: Path, name: str, layout: Layout) -> Ignored | None:
    if layout.counts != "sums of a period" or studio.period(path):
        return None
    return Ignored(
        name,
        "has sums of a period that neither the file nor a folder's name tells",
        "keep the name that YouTube Studio gave the folder, like 'Content 2024-01-01_2024-12-31 Channel'",
    )


def _recognised(
    path: Path, name: str, container: Container, found: Fit, rows: int | None, options: Options
) -> HistoryFile:
    _refuse_doubled(name, found)
    stat = path.stat()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    layout = found.layout.of_file(name)
    if layout.counts == "sums of a period" and (period := studio.period(path)):
        of_period = {"collected_at": studio.end_of_day(period[1]), "begins": period[0]}
        layout = replace(layout, constants=layout.constants | of_period)
    elif "collected_at" not in found.own_names:
        layout = replace(layout, constants=layout.constants | {"collected_at": options.as_of})
    return HistoryFile(
        name,
        sha256,
        stat.st_size,
        layout,
        container,
        rows,
        path,
        found.own_names,
        stat.st_mtime_ns,
        found.unused,
        options.dates,
    )


def _refuse_doubled(name: str, found: Fit) -> None:
    for column, own in found.doubled.items():
        if len({snake_case(one) for one in own}) == 1:
            raise HistoryError(
                name, f"has {len(own)} columns of this name", "keep one of them", line=1, column=snake_case(own[0])
            )
        raise HistoryError(
            name,
            f"the columns {' and '.join(own)} both mean {column}",
            f"choose one: --map {column}='{own[0]}'",
            line=1,
        )


def _check_types(name: str, found: Fit, schema: pa.Schema) -> None:
    for one in found.layout.fields:
        if one.column not in found.own_names or found.doubled:
            continue
        own = found.own_names[one.column]
        kind = schema.field(own).type
        if not (pa.types.is_null(kind) or one.kind.accepts(kind)):
            raise HistoryError(
                name,
                f"is of type {kind} where {one.kind.expected} belong",
                "write the column in that type",
                column=own,
            )


def _unknown(name: str, container: Container, header: Sequence[str]) -> Ignored:
    has = f"its columns: {_listed(header)}"
    if near := nearest(container, header, Options()):
        lacking = f"lacks {', '.join(near.missing)} for the layout {near.layout.name}; {has}"
        return Ignored(name, lacking, "add what is missing, or say which column it is by --map column=name")
    remedy = f"rename its columns to one of the known layouts: {_known()}"
    return Ignored(name, f"is in no known layout; {has}", remedy)


def _give_known() -> str:
    return f"give one of the known layouts: {_known()}"


def _listed(header: Sequence[str]) -> str:
    return excerpt(", ".join(header))


def _known() -> str:
    return "; ".join(str(layout) for layout in LAYOUTS)
