"""What an import would do with each file, without doing it.

Belongs here: the figures of a dry run. Not here: how they look, and what the warehouse refuses beyond them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from yt_platform.catalog.lineage import FIRST_DAY
from yt_platform.history.files import HistoryFile

SHOWN_ROWS = 5
BEGAN = datetime.combine(FIRST_DAY, time(), UTC)


@dataclass
class Preview:
    """One file: `columns` is raw column to the file's own name and what it is read as, `unused` the names of columns
    that are not taken, `reasons` the refused rows by
    reason with the line of the first; `order` says how its times run down the file."""

    name: str
    layout: str
    columns: Mapping[str, tuple[str, str]]
    unused: Sequence[str] = ()
    rows: int = 0
    first: datetime | None = None
    last: datetime | None = None
    rises: bool = True
    falls: bool = True
    shown: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def order(self) -> str:
        if self.rises:
            return "one time" if self.falls else "oldest first"
        return "newest first" if self.falls else "in no order"

    @property
    def refused(self) -> int:
        return self.reasons.total()


def preview(file: HistoryFile, latest: datetime) -> Preview:
    """Reads a file as an import would. Rows after `latest` are refused. Raises HistoryError."""
    kinds = {one.column: one.kind.expected for one in file.layout.fields}
    shown = Preview(
        file.name,
        file.layout.name,
        {column: (own, kinds[column]) for column, own in file.own_names.items()},
        file.unused,
    )
    before: datetime | None = None
    for rows in file.read():
        for reject in rows.rejects:
            where = f"{reject.column}: " if reject.column else ""
            _refuse(shown, f"{where}{reject.reason}", reject.line)
        times = rows.columns["collected_at"]
        early = _days_before_youtube(times)
        if early:
            shown.reasons[f"collected_at lies before YouTube began ({FIRST_DAY})"] += early
            times = times.filter(pc.greater_equal(times, pa.scalar(BEGAN, times.type)))
        late = pc.sum(pc.greater(times, pa.scalar(latest, times.type))).as_py() or 0
        if late:
            shown.reasons["collected_at lies after today"] += late
        shown.rows += len(times) - late
        shown.shown += _records(rows.columns, SHOWN_ROWS - len(shown.shown))
        for at in _turns(times):
            shown.rises &= before is None or before <= at
            shown.falls &= before is None or before >= at
            before = at
        if len(times):
            span = pc.min_max(times).as_py()
            shown.first = min(filter(None, (shown.first, span["min"])))
            shown.last = max(filter(None, (shown.last, span["max"])))
    return shown


def _days_before_youtube(times: pa.Array) -> int:
    return pc.sum(pc.less(times, pa.scalar(BEGAN, times.type))).as_py() or 0


def _refuse(shown: Preview, reason: str, line: int) -> None:
    shown.reasons[reason] += 1
    shown.lines.setdefault(reason, line)


def _turns(times: pa.Array) -> Iterator[datetime]:
    """The times at which the order may turn: all but those that repeat the one before."""
    return iter(pc.run_end_encode(times.cast(pa.int64())).values.cast(times.type).to_pylist())


def _records(columns: Mapping[str, pa.Array], count: int) -> list[dict[str, Any]]:
    shown = pa.table({name: values.slice(0, count) for name, values in columns.items()})
    rows: list[dict[str, Any]] = shown.to_pylist()
    return rows
