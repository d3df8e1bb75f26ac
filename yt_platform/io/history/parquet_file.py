"""Parquet files, read in small batches.

Belongs here: opening, column types, rows as text for rejects. Not here: what columns mean.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from yt_platform.io.history.problems import HistoryError
from yt_platform.io.history.rows import Chunk

CHUNK_ROWS = 65_536
READ_BUFFER = 1 << 20
"""Bytes read at a time of each column; without it Arrow holds a whole row group, with pre_buffer the whole file."""


def schema(path: Path, name: str) -> tuple[pa.Schema, int]:
    """Columns and number of rows. Raises HistoryError for a file that is cut off or damaged."""
    with _readable(name), pq.ParquetFile(path) as file:
        return file.schema_arrow, file.metadata.num_rows


def chunks(path: Path, name: str, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The file's rows; `columns` says which are wanted, raw column to name in the file."""
    first = 1
    with _readable(name), pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BUFFER) as file:
        for batch in file.iter_batches(CHUNK_ROWS, columns=list(columns.values())):
            arrays = {column: _typed(batch.column(own)) for column, own in columns.items()}
            yield Chunk(arrays, range(first, first + len(batch)), partial(_json, batch))
            first += len(batch)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise HistoryError(
            name, f"is not a readable Parquet file ({error})", "copy or download the file again"
        ) from error


def _typed(values: pa.Array) -> pa.Array:
    return values.cast(pa.string()) if pa.types.is_null(values.type) else values  # a column that was never filled


def _json(batch: pa.RecordBatch, row: int) -> str:
    return json.dumps(batch.slice(row, 1).to_pylist()[0], default=str, ensure_ascii=False)
