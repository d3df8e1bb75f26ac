"""Parquet files, read in small batches.

Belongs here: opening, column types, rows as text for rejects. Not here: what columns mean.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from yt_platform.history.convert import is_text
from yt_platform.history.problems import HistoryError
from yt_platform.history.rows import Chunk

CHUNK_ROWS = 65_536
CHUNK_BYTES = 64 << 20
"""A chunk also ends after so many bytes of text. A text that repeats is stored once, whatever its length: 143 kB on
disk became 1.7 GB in memory."""
READ_BUFFER = 1 << 20
"""Bytes read at a time of each column; without it Arrow holds a whole row group, with pre_buffer the whole file."""


def schema(path: Path, name: str) -> tuple[pa.Schema, int]:
    """Columns and number of rows. Raises HistoryError for a file that is cut off or damaged."""
    with _readable(name), pq.ParquetFile(path) as file:
        return file.schema_arrow, file.metadata.num_rows


def chunks(path: Path, name: str, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The file's rows; `columns` says which are wanted, raw column to name in the file.

    Raises HistoryError for a row whose texts are longer than CHUNK_BYTES.
    """
    own_names = list(columns.values())
    first = 1
    with _readable(name), _opened(path, own_names) as file:
        for batch in file.iter_batches(_rows_at_once(file.metadata, own_names), columns=own_names):
            for piece in _pieces(batch, name, first):
                arrays = {column: _typed(piece.column(own)) for column, own in columns.items()}
                yield Chunk(arrays, range(first, first + len(piece)), partial(_json, piece))
                first += len(piece)


def _opened(path: Path, own_names: list[str]) -> pq.ParquetFile:
    """Texts stay dictionaries, in which a text that repeats is held once."""
    schema = pq.read_schema(path)
    texts = [own for own in own_names if is_text(schema.field(own).type)]
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BUFFER, read_dictionary=texts)


def _rows_at_once(metadata: pq.FileMetaData, own_names: list[str]) -> int:
    """How many rows hold CHUNK_BYTES at most, as far as the file tells: where texts are not stored as dictionaries,
    compressed ones may repeat as well."""
    most = 1.0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = [group.column(position) for position in range(group.num_columns)]
        size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in own_names)
        most = max(most, size / max(group.num_rows, 1))
    return max(1, min(CHUNK_ROWS, int(CHUNK_BYTES / most)))


def _pieces(batch: pa.RecordBatch, name: str, first: int) -> Iterator[pa.RecordBatch]:
    sizes = sum((_text_bytes(column) for column in batch.columns), np.zeros(len(batch), np.int64))
    ends = np.cumsum(sizes)
    if len(sizes) and sizes.max() > CHUNK_BYTES:
        row = first + int(np.argmax(sizes))
        reason = f"row {row:,} holds {sizes.max():,} bytes of text, more than {CHUNK_BYTES:,}"
        raise HistoryError(name, reason, "leave the row out")
    start = 0
    while start < len(batch):
        before = ends[start - 1] if start else 0
        end = int(np.searchsorted(ends, before + CHUNK_BYTES, side="right"))
        yield batch.slice(start, end - start)
        start = end


def _text_bytes(values: pa.Array) -> npt.NDArray[np.int64]:
    """Bytes of each row's text; of what is no text 0."""
    if not is_text(values.type):
        return np.zeros(len(values), np.int64)
    if pa.types.is_dictionary(values.type):
        lengths = pc.binary_length(values.dictionary).take(values.indices)
    else:
        lengths = pc.binary_length(values)
    sizes: npt.NDArray[np.int64] = lengths.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return sizes


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise HistoryError(
            name, f"is not a readable Parquet file ({error})", "copy or download the file again"
        ) from error


def _typed(values: pa.Array) -> pa.Array:
    plain = pa.types.is_null(values.type) or pa.types.is_dictionary(values.type)
    return values.cast(pa.string()) if plain else values  # null: a column that was never filled


def _json(batch: pa.RecordBatch, row: int) -> str:
    return json.dumps(batch.slice(row, 1).to_pylist()[0], default=str, ensure_ascii=False)
