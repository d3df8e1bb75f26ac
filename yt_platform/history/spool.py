"""Rows on their way from the order of files to the order of days, through a scratch folder.

Belongs here: buffering, spilling and giving back by day, in bounded memory. Not here: what the rows are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yt_platform.storage.disk import naming

BUFFER_ROWS = 500_000
BUFFER_BYTES = 128 << 20
"""Rows with long descriptions fill the buffer by size long before they do by number."""
TABLE_BYTES = 10_000
"""What a table takes beside its values, by far the most of it where every file has a row or two."""

_EPOCH = date(1970, 1, 1)
_SEVERAL = "\0"  # no file has this name


class Spool:
    """Tables of several kinds in; out by kind and UTC day of `collected_at`, in the order they came.

    A buffer that is full is sorted by day and appended to one Arrow file per kind, a record batch per day; reading a
    day back reads its record batches only. A context manager, whose exit removes the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._buffer: dict[str, list[pa.Table]] = defaultdict(list)
        self._buffered_rows = 0
        self._buffered_bytes = 0
        self._writers: dict[str, pa.RecordBatchFileWriter] = {}
        self._readers: dict[str, pa.RecordBatchFileReader] = {}
        self._index: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._batches: dict[str, int] = defaultdict(int)
        self._origins: dict[tuple[str, int], str] = {}
        self._rows: Counter[int] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with naming(self._folder):  # what is closed writes its end
            self._open.close()
        for name in self._index:
            self._path(name).unlink(missing_ok=True)

    def add(self, kind: str, origin: str, table: pa.Table) -> None:
        """Takes rows that came from the file `origin`."""
        if not table.num_rows:
            return
        for day, rows in zip(*np.unique(_days(table), return_counts=True), strict=True):
            if self._origins.setdefault((kind, int(day)), origin) != origin:
                self._origins[kind, int(day)] = _SEVERAL
            self._rows[int(day)] += int(rows)
        self._buffer[kind].append(table)
        self._buffered_rows += table.num_rows
        self._buffered_bytes += table.nbytes + TABLE_BYTES
        if self._buffered_rows >= BUFFER_ROWS or self._buffered_bytes >= BUFFER_BYTES:
            self._spill()

    def finish(self) -> None:
        """Ends the adding: from here on days can be read."""
        self._spill()
        with naming(self._folder):
            self._open.close()
        for kind in self._writers:
            file = self._open.enter_context(pa.OSFile(str(self._path(kind))))
            self._readers[kind] = self._open.enter_context(pa.ipc.open_file(file))

    def days(self) -> dict[date, int]:
        """Rows of each day, in order of days."""
        return {_EPOCH + timedelta(days=day): rows for day, rows in sorted(self._rows.items())}

    def tables(self, kind: str, day: date) -> Iterator[pa.Table]:
        """The rows of a kind and day, in the pieces in which they were spilled: each at most a full buffer."""
        for batch in self._index[kind].get(_number(day), []):
            yield pa.Table.from_batches([self._readers[kind].get_batch(batch)])

    def origin(self, kinds: tuple[str, ...], day: date) -> str | None:
        """The file all rows of these kinds and this day came from, None where they came from several."""
        origins = {self._origins.get((kind, _number(day))) for kind in kinds} - {None}
        return origins.pop() if len(origins) == 1 and _SEVERAL not in origins else None

    def _spill(self) -> None:
        for kind, tables in self._buffer.items():
            rows = pa.concat_tables(tables).combine_chunks().to_batches()[0]
            tables.clear()
            rows = rows.take(pa.array(np.argsort(_days(rows), kind="stable")))
            days, starts = np.unique(_days(rows), return_index=True)
            for day, start, end in zip(days.tolist(), starts, [*starts[1:], rows.num_rows], strict=True):
                with naming(self._path(kind)):
                    self._writer(kind, rows.schema).write_batch(rows.slice(start, end - start))
                self._index[kind][day].append(self._batches[kind])
                self._batches[kind] += 1
        self._buffer.clear()
        self._buffered_rows = self._buffered_bytes = 0

    def _writer(self, kind: str, schema: pa.Schema) -> pa.RecordBatchFileWriter:
        if kind not in self._writers:
            file = self._open.enter_context(pa.OSFile(str(self._path(kind)), "wb"))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writers[kind] = self._open.enter_context(pa.ipc.new_file(file, schema, options=options))
        return self._writers[kind]

    def _path(self, kind: str) -> Path:
        return self._folder / f"{kind}.arrow"


def _days(rows: pa.Table | pa.RecordBatch) -> npt.NDArray[np.int32]:
    days: npt.NDArray[np.int32] = rows["collected_at"].cast(pa.date32()).cast(pa.int32()).to_numpy()
    return days


def _number(day: date) -> int:
    return (day - _EPOCH).days
