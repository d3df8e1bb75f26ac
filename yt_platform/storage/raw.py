"""The immutable store of raw batches, on a local folder or any store fsspec can reach.

Belongs here: writing a batch whole or not at all, naming it by its content, reading it back with its hash checked.
Not here: what the rows mean (`storage/endpoints.py`) and which batches exist (the catalogue in Postgres).
"""

import contextlib
import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import fsspec
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from yt_platform.errors import PlatformError
from yt_platform.storage.disk import naming
from yt_platform.storage.endpoints import API_RESPONSE, ENDPOINTS
from yt_platform.storage.report_lines import lines
from yt_platform.youtube.reporting_api.reports import pieces

REPORT = "csv.gz"
_BLOCK = 1 << 20

WRITTEN = (".parquet", ".jsonl.zst", f".{REPORT}")
"""How the name of a batch ends; all else in the folder is not the platform's."""

UNFINISHED = ".tmp"
"""How the name of a file ends that is being written."""

OWN_FILE = re.compile(
    rf"[a-z_]+/(?P<day>\d{{4}}-\d\d-\d\d)/\.?[0-9a-f]{{16}}(?:{'|'.join(map(re.escape, WRITTEN))})"
    rf"(?:\.[0-9a-f]{{32}}{re.escape(UNFINISHED)})?"
)
"""Paths of files that a store writes: in a folder or bucket of others, theirs are none of its business."""


class CorruptBatchError(PlatformError):
    """A stored batch is missing or its bytes are no longer those of the catalogue."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        self.path, self.expected, self.found = path, expected, found
        super().__init__(
            f"raw batch {path} is damaged: expected sha256 {expected}, found {found}. "
            "Remedy: restore the file from a backup of the raw store, or import its original again, "
            "which writes the same file under the same name."
        )


@dataclass(frozen=True)
class RawFile:
    """A stored batch; `path` is relative to the store's URL, `bytes` is the file's size."""

    path: str
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True)
class Answer:
    """An answer of the API: `body` is JSON text exactly as received, `parameters` those of the call without the key.

    `source` and `access` label its rows: where they are from, and under which terms they were obtained.
    """

    source: str
    access: str
    collected_at: datetime
    method: str
    parameters: dict[str, Any]
    body: str


class RawStore:
    """Batches under `<url>/<endpoint>/<day>/<first 16 digits of the sha256>`: `.parquet` for imports, for answers of
    the API `.jsonl.zst`, a JSON object a line, and for bulk reports `.csv.gz` (`youtube/reporting_api/reports.py` says
    what is in it).

    A local file appears under its name only when it is complete and on disk (written beside it, synced, renamed); on
    object stores one put does the same. A killed writer leaves at most a hidden `.tmp` file that nothing reads.
    """

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)

    def write_table(self, endpoint: str, day: date, table: pa.Table) -> RawFile:
        """Stores the rows of one endpoint and UTC day as Parquet.

        The same rows in any order give the same bytes (with one version of pyarrow), hence the same file; storing
        them again changes nothing, and repairs the file if it was damaged. Raises ValueError for a table that is not
        in the endpoint's schema.
        """
        spec = ENDPOINTS[endpoint]
        if table.schema != spec.schema:
            raise ValueError(f"a batch of {endpoint} must have the schema\n{spec.schema}\nand has\n{table.schema}")
        return self._write(endpoint, day, "parquet", _parquet(_sorted(table, spec.key)), table.num_rows)

    def write_answers(self, endpoint: str, day: date, answers: Sequence[Answer]) -> RawFile:
        """Stores answers in their order, as compressed lines of JSON."""
        return self._write(endpoint, day, "jsonl.zst", _json_lines(answers), len(answers))

    def write_report(self, endpoint: str, day: date, file: Path, rows: int) -> RawFile:
        """Stores a report's file, however large."""
        with file.open("rb") as stream:
            sha256 = _digest(stream)
        path = f"{endpoint}/{day.isoformat()}/{sha256[:16]}.{REPORT}"
        if isinstance(self._fs, LocalFileSystem):
            with file.open("rb") as stream:
                _write_durably(Path(self._full(path)), stream)
        else:
            self._fs.put_file(str(file), self._full(path))
        return RawFile(path, sha256, file.stat().st_size, rows)

    def write_again(self, endpoint: str, day: date, table: pa.Table) -> RawFile:
        """Stores what is left of a batch that was read: rows of an import, or answers."""
        if "body" not in table.column_names:
            return self.write_table(endpoint, day, table)
        rows = table.to_pylist()
        return self.write_answers(
            endpoint, day, [Answer(**{**row, "parameters": json.loads(row["parameters"])}) for row in rows]
        )

    def names(self) -> list[str]:
        """Paths of all files there are, in the catalogue or not."""
        return sorted(path.removeprefix(self._root).lstrip("/") for path in self._fs.find(self._root))

    def written_at(self, path: str) -> datetime:
        """When the file was last written, by the store's clock."""
        found: datetime = self._fs.modified(self._full(path))
        return found

    def _write(self, endpoint: str, day: date, suffix: str, data: bytes, rows: int) -> RawFile:
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"{endpoint}/{day.isoformat()}/{sha256[:16]}.{suffix}"
        self.put_bytes(path, sha256, data)
        return RawFile(path, sha256, len(data), rows)

    def read_bytes(self, path: str, sha256: str) -> bytes:
        """The file of a batch. Raises CorruptBatchError unless it has this hash."""
        try:
            data: bytes = self._fs.cat_file(self._full(path))
        except FileNotFoundError:
            raise CorruptBatchError(path, sha256, "no file") from None
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise CorruptBatchError(path, sha256, found)
        return data

    def holds(self, path: str, sha256: str) -> bool:
        """Whether the file of a batch is there and has this hash."""
        return self._found(path) == sha256

    def put_bytes(self, path: str, sha256: str, data: bytes) -> None:
        """Store the file of a batch under its name, unless it is there."""
        if not self.holds(path, sha256):
            self._put(path, data)

    def read_table(self, path: str, sha256: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of a batch, or some of their columns. Raises CorruptBatchError unless the file has this hash."""
        return _read(path, self.read_bytes(path, sha256), columns)

    def is_abandoned(self, path: str) -> bool:
        """Whether this is what a writer left that was killed: unfinished, and held by nobody."""
        if not (path.endswith(UNFINISHED) and isinstance(self._fs, LocalFileSystem)):
            return False
        try:
            with Path(self._full(path)).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return os.fstat(file.fileno()).st_size > 0  # an empty one may be held in a moment
        except (FileNotFoundError, BlockingIOError):
            return False

    def text(self, path: str) -> str:
        """Any file, a character a byte."""
        data: bytes = self._fs.cat_file(self._full(path))
        return data.decode("latin-1")

    def read_unchecked(self, path: str) -> pa.Table:
        """Rows of a file that need not be in the catalogue."""
        return _read(path, self._fs.cat_file(self._full(path)), None)

    def verify(self, path: str, sha256: str) -> None:
        """Raises CorruptBatchError unless the file of a batch, however large, has this hash."""
        with self._opened(path, sha256):
            pass

    @contextlib.contextmanager
    def _opened(self, path: str, sha256: str) -> Iterator[IO[bytes]]:
        try:
            with self._fs.open(self._full(path), "rb") as stream:
                found = _digest(stream)
                if found != sha256:
                    raise CorruptBatchError(path, sha256, found)
                stream.seek(0)
                yield stream
        except FileNotFoundError:
            raise CorruptBatchError(path, sha256, "no file") from None

    def report_lines(self, path: str) -> Iterator[str]:
        """Lines of a report's file, as `report_lines.py` reads them."""
        with self._fs.open(self._full(path), "rb") as stream, gzip.open(stream) as text:
            yield from lines(io.BufferedReader(cast("io.RawIOBase", text), _BLOCK))

    def read_tables(self, path: str, sha256: str) -> Iterator[pa.Table]:
        """Rows of a batch, those of a report in pieces of bounded size. Raises CorruptBatchError, and ReportError for a
        report that cannot be read."""
        if not path.endswith(REPORT):
            yield self.read_table(path, sha256)
            return
        with self._opened(path, sha256) as stream, gzip.open(stream) as text:
            yield from pieces(io.BufferedReader(cast("io.RawIOBase", text), _BLOCK))

    def delete(self, path: str) -> None:
        """Remove a batch; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._full(path))

    def _full(self, path: str) -> str:
        """Raises ValueError for a path that leads out of the store: some come from rows that were restored."""
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"{path!r} is no path inside the raw store")
        return f"{self._root.rstrip('/')}/{path}"

    def _found(self, path: str) -> str | None:
        try:
            return hashlib.sha256(self._fs.cat_file(self._full(path))).hexdigest()
        except FileNotFoundError:
            return None

    def _put(self, path: str, data: bytes) -> None:
        if isinstance(self._fs, LocalFileSystem):
            _write_durably(Path(self._full(path)), BytesIO(data))
        else:
            self._fs.pipe_file(self._full(path), data)


def _sorted(table: pa.Table, key: tuple[str, ...]) -> pa.Table:
    # By the key for compression and locality, by the rest so that rows that share a key have one order as well.
    order = [*key, *(name for name in table.column_names if name not in key)]
    return table.combine_chunks().sort_by([(name, "ascending") for name in order])


def _parquet(table: pa.Table) -> bytes:
    buffer = BytesIO()
    # Plain values under zstd beat dictionaries: 933,392 snapshots in day batches took 23.2 against 28.9 MB and 0.36
    # against 0.54 s, 150,253 videos 32.1 against 33.2 MB.
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
    return buffer.getvalue()


def _json_lines(answers: Sequence[Answer]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        for answer in answers:
            record = asdict(answer) | {"parameters": json.dumps(answer.parameters, sort_keys=True)}
            record["collected_at"] = answer.collected_at.isoformat()
            stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _read(path: str, data: bytes, columns: Sequence[str] | None) -> pa.Table:
    if path.endswith(".jsonl.zst"):
        return _read_json_lines(data, columns)
    return pq.read_table(pa.BufferReader(data), columns=columns)


def _read_json_lines(data: bytes, columns: Sequence[str] | None) -> pa.Table:
    text = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    names = API_RESPONSE.names if columns is None else list(columns)
    if not text:
        return API_RESPONSE.empty_table().select(names)
    table = pj.read_json(
        pa.BufferReader(text),
        pj.ReadOptions(block_size=len(text)),  # a line must lie within a block, and the whole is in memory anyway
        pj.ParseOptions(explicit_schema=API_RESPONSE),
    )
    return table.select(names)


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _write_durably(target: Path, data: IO[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}{UNFINISHED}")
    try:
        with naming(target), temporary.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # its writer lives: see `is_abandoned`
            shutil.copyfileobj(data, file, _BLOCK)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    for folder in list(target.parents)[:3]:  # day, endpoint and root: each may just have gained an entry
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
