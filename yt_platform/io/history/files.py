"""Finding the files of an import and recognising each by its content.

Belongs here: walking a folder, telling data from other files, layouts of files with their hashes, errors for data
that has no known layout. Not here: reading rows.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from yt_platform.io.history import csv_file, parquet_file
from yt_platform.io.history.convert import Convert, Converted
from yt_platform.io.history.dates import OpenDatesError
from yt_platform.io.history.layouts import LAYOUTS, Container, Field, Layout, matching, nearest, snake_case
from yt_platform.io.history.problems import HistoryError, excerpt
from yt_platform.io.history.rows import Chunk, Rows, typed_rows

COLLECTED, PUBLISHED = "collected_at", "published_at"
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
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
    rows: int | None
    path: Path
    own_names: Mapping[str, str]
    """Raw column to the file's own name of it."""
    modified_ns: int
    dates: str | None = None
    """The order of the parts of dates that a person has named, as `dates.ORDERS` has them."""
    _settled: dict[str, Convert] = field(default_factory=dict, compare=False, repr=False)

    def read(self, columns: Collection[str] | None = None) -> Iterator[Rows]:
        """The file's rows; with `columns` only these raw columns. Raises HistoryError, also if the file changed."""
        wanted = {one: own for one, own in self.own_names.items() if columns is None or one in columns}
        with _readable(self.name):
            for chunk in self._chunks(wanted):
                yield typed_rows(self.name, self.layout, self.own_names, chunk, self._convert)
            stat = self.path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (self.bytes, self.modified_ns):
            raise HistoryError(self.name, "changed while it was read", "import a copy that nothing writes to")

    def _chunks(self, wanted: Mapping[str, str]) -> Iterator[Chunk]:
        if self.layout.container == "parquet":
            return parquet_file.chunks(self.path, self.name, wanted)
        return csv_file.chunks(self.path, self.name, wanted, self.own_names.values())

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


def find_files(path: Path) -> Found:
    """The files at a path, a file or a folder with all below it.

    Raises HistoryError where none of them is history.
    """
    if path.is_file():
        inspected = _inspect(path, path.name)
        if isinstance(inspected, Ignored):
            raise HistoryError(path.name, inspected.reason, inspected.remedy)
        return Found([inspected])
    if not path.is_dir():
        raise HistoryError(str(path), "there is no such file or folder", "check the path")
    results = [
        Ignored(name, "is a link to a file outside the folder", "copy the file itself into the folder")
        if _leads_out(file, path)
        else _inspect_or_fail(file, name)
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


def _inspect_or_fail(path: Path, name: str) -> HistoryFile | Ignored | HistoryError:
    try:
        return _inspect(path, name)
    except HistoryError as error:
        return error


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a file of a folder is, by symbolic links, one outside it: who made the folder chose what is imported."""
    return not path.resolve().is_relative_to(folder.resolve())


def _inspect(path: Path, name: str) -> HistoryFile | Ignored:
    if any(part.startswith(".") for part in name.split("/")):
        return Ignored(name, HIDDEN, "give it another name")
    with _readable(name):
        with path.open("rb") as file:
            head = file.read(csv_file.HEAD_BYTES)
        if not head:
            return Ignored(name, "is empty", _give_known())
        if head.startswith(b"PAR1"):
            schema, rows = parquet_file.schema(path, name)
            return _recognised(path, name, "parquet", schema.names, rows, schema)
        return _inspect_text(path, name, head)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryError(name, f"cannot be read ({error.strerror})", "check the file and its permissions") from error


def _inspect_text(path: Path, name: str, head: bytes) -> HistoryFile | Ignored:
    packed = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)
    if packed:
        return Ignored(name, f"is packed with {packed}", "unpack it, or save a workbook as CSV, and import that")
    header = csv_file.header(head)
    if matching("csv", header) or nearest("csv", header):
        return _recognised(path, name, "csv", header, None, None)
    named_as_data = name.lower().endswith(_DATA_SUFFIXES)
    is_text = csv_file.is_text(head)
    if not is_text and named_as_data:
        raise HistoryError(name, "is neither text nor Parquet", "copy or download the file again", line=1)
    if is_text and (named_as_data or _is_table(name, head)):
        return _unknown(name, "csv", header)
    return Ignored(name, "is no table", _give_known())


def _is_table(name: str, head: bytes) -> bool:
    if name.lower().endswith(_NOTE_SUFFIXES):
        return False
    first, second, *_ = [*head.split(b"\n", 2), b""]
    return any(first.count(separator) == second.count(separator) > 0 for separator in (b",", b";", b"\t"))


def _recognised(
    path: Path, name: str, container: Container, header: Sequence[str], rows: int | None, schema: pa.Schema | None
) -> HistoryFile | Ignored:
    layout = matching(container, header)
    if layout is None:
        return _unknown(name, container, header)
    own_names = _own_names(name, layout, header)
    if schema is not None:
        _check_types(name, layout, own_names, schema)
    stat = path.stat()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return HistoryFile(name, sha256, stat.st_size, layout.of_file(name), rows, path, own_names, stat.st_mtime_ns)


def _own_names(name: str, layout: Layout, header: Sequence[str]) -> dict[str, str]:
    own = {snake_case(column): column for column in header}
    counts = Counter(snake_case(column) for column in header)
    for one in layout.fields:
        if counts[one.name] > 1:
            raise HistoryError(
                name, f"has {counts[one.name]} columns of this name", "keep one of them", line=1, column=own[one.name]
            )
    return {one.column: own[one.name] for one in layout.fields if one.name in own}


def _check_types(name: str, layout: Layout, own_names: Mapping[str, str], schema: pa.Schema) -> None:
    for one in layout.fields:
        if one.column not in own_names:
            continue
        found = schema.field(own_names[one.column]).type
        if not (pa.types.is_null(found) or one.kind.accepts(found)):
            raise HistoryError(
                name,
                f"is of type {found} where {one.kind.expected} belong",
                "write the column in that type",
                column=own_names[one.column],
            )


def _unknown(name: str, container: Container, header: Sequence[str]) -> Ignored:
    has = f"its columns: {_listed(header)}"
    if near := nearest(container, header):
        layout, missing = near
        lacking = f"lacks {', '.join(missing)} for the layout {layout.name}; {has}"
        return Ignored(name, lacking, "add what is missing, empty if unknown")
    remedy = f"rename its columns to one of the known layouts: {_known()}"
    return Ignored(name, f"is in no known layout; {has}", remedy)


def _give_known() -> str:
    return f"give one of the known layouts: {_known()}"


def _listed(header: Sequence[str]) -> str:
    return excerpt(", ".join(header))


def _known() -> str:
    return "; ".join(str(layout) for layout in LAYOUTS)
