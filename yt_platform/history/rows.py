"""A chunk of a file to raw rows: typed, filled with what the layout knows, bad rows set aside.

Belongs here: what every layout shares between reading a file and spooling its rows. Not here: how a container is read
(`csv_file.py`, `parquet_file.py`), what one column's values mean (`convert.py`).
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from yt_platform.history.convert import Converted
from yt_platform.history.layouts import Field, Layout
from yt_platform.history.problems import Reject, excerpt
from yt_platform.storage.endpoints import ENDPOINTS, TIMESTAMP, VIDEO_SNAPSHOTS

DEFAULTS: dict[str, Any] = {"region": "", "like_zero_is_missing": False, "comment_zero_is_missing": False}
"""Required raw columns that most files have no column for."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file as it holds them.

    `columns` is by raw column, `lines` says where each row begins, `record(i)` is the text of row i, and `rejects`
    are records among them that are no rows at all. `headers` is how many lines were left out that are headers or sums.
    """

    columns: dict[str, pa.Array]
    lines: Sequence[int]
    record: Callable[[int], str]
    rejects: list[Reject] = field(default_factory=list)
    headers: int = 0


@dataclass(frozen=True)
class Rows:
    """The readable rows of a chunk by raw column, its rejects in order of lines, how many records it had, and how many
    repeated header lines were left out."""

    columns: dict[str, pa.Array]
    rejects: list[Reject]
    records: int
    headers: int = 0
    lines: Sequence[int] = ()


def typed_rows(
    name: str,
    layout: Layout,
    own_names: Mapping[str, str],
    chunk: Chunk,
    convert: Callable[[Field, pa.Array], Converted],
) -> Rows:
    """Types a chunk of the file `name`, each column by `convert`; a row at fault is rejected for the first of its
    columns that is."""
    defaults = _defaults(layout)
    required = _required(layout, own_names)
    columns: dict[str, pa.Array] = {}
    faults: dict[int, tuple[str, str]] = {}
    for one in layout.fields:
        if one.column not in chunk.columns:
            continue
        values, reasons = convert(one, chunk.columns[one.column])
        for row, reason in reasons.items():
            faults.setdefault(row, (one.column, reason))
        if defaults.get(one.column) is not None:
            values = pc.fill_null(values, defaults[one.column])
        if one.column in required and values.null_count:
            for row in pc.indices_nonzero(pc.is_null(values)).to_pylist():
                faults.setdefault(row, (one.column, _missing(chunk.columns[one.column][row])))
        columns[one.column] = values
    if at := layout.constants.get("collected_at"):
        columns["collected_at"] = pa.repeat(pa.scalar(at, TIMESTAMP), len(chunk.lines))
    rejects = [
        Reject(name, chunk.lines[row], own_names[column], reason, excerpt(chunk.record(row)))
        for row, (column, reason) in faults.items()
    ]
    if faults:
        good = pa.array([row for row in range(len(chunk.lines)) if row not in faults], pa.int64())
        columns = {column: values.take(good) for column, values in columns.items()}
    return Rows(
        columns,
        sorted([*chunk.rejects, *rejects], key=lambda reject: reject.line),
        len(chunk.lines) + len(chunk.rejects),
        chunk.headers,
        [line for row, line in enumerate(chunk.lines) if row not in faults] if faults else chunk.lines,
    )


def _required(layout: Layout, has: Container[str]) -> set[str]:
    """Raw columns without which a row is nothing. A reading is nothing without its views, but its row may bring
    metadata: then the contract refuses the reading alone."""
    columns = {one.name for kind in layout.endpoints for one in ENDPOINTS[kind].schema if not one.nullable}
    brings_metadata = layout.title_changes and "title" in has
    only_reading = layout.endpoints == (VIDEO_SNAPSHOTS.name,) and not brings_metadata
    only_reading = only_reading and layout.counts == "totals"  # what a day gained may be unknown before publication
    return columns | {"view_count"} if only_reading else columns


def _missing(value: pa.Scalar) -> str:
    text = value.as_py()
    return "is empty" if text is None or text == "" else f"is {text!r}, which stands for missing"


def endpoint_rows(endpoint: str, layout: Layout, columns: Mapping[str, pa.Array]) -> pa.Table:
    """Typed columns as rows of an endpoint, in its schema; what neither file nor layout has is null."""
    if endpoint == VIDEO_SNAPSHOTS.name and "published_at" in columns:
        columns = {**columns, "published_at": _known_publishing(columns)}
    defaults = _defaults(layout)
    rows = len(columns["collected_at"])
    schema = ENDPOINTS[endpoint].schema
    arrays = [
        columns[one.name] if one.name in columns else pa.repeat(pa.scalar(defaults.get(one.name), one.type), rows)
        for one in schema
    ]
    return pa.table(arrays, schema=schema)


def _known_publishing(columns: Mapping[str, pa.Array]) -> pa.Array:
    """published_at where it is not after the reading: a premiere moved it since, or the reading has only its day."""
    published, collected = columns["published_at"], columns["collected_at"]
    return pc.if_else(pc.greater(published, collected), None, published)


def _defaults(layout: Layout) -> dict[str, Any]:
    return DEFAULTS | {"source": layout.source} | layout.constants
