"""What can be wrong with imported files: a file that stops the import, and a row that is set aside.

Belongs here: the two shapes and the bounded excerpt of a bad record. Not here: finding the problems.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path

from yt_platform.errors import MisuseError
from yt_platform.storage.disk import naming

RECORD_LIMIT = 2_000
"""Characters of a bad record that are kept: enough to recognise it, small enough for a quarantine row."""


class HistoryError(MisuseError):
    """A file cannot be imported; the message names file, line, column, reason and remedy."""

    def __init__(
        self, file: str, reason: str, remedy: str, *, line: int | None = None, column: str | None = None
    ) -> None:
        where = file
        if line is not None:
            where += f", line {line}"
        if column is not None:
            where += f", column {column}"
        super().__init__(f"{where}: {reason}. Remedy: {remedy}.")
        self.file, self.line, self.column, self.reason, self.remedy = file, line, column, reason, remedy


@dataclass(frozen=True)
class Reject:
    """A row that could not be read.

    `line` is where the record begins, from 1 with the header counted (in Parquet: the row, from 1); `column` is the
    file's own name of it, None where the whole record is at fault; `record` holds at most RECORD_LIMIT characters.
    """

    file: str
    line: int
    column: str | None
    reason: str
    record: str


def excerpt(text: str) -> str:
    """The text, cut to RECORD_LIMIT characters, with undecodable bytes shown as question marks."""
    shown = text if len(text) <= RECORD_LIMIT else text[: RECORD_LIMIT - 1] + "…"
    return shown.encode("utf-8", errors="replace").decode()


def csv_text(fields: Sequence[str]) -> str:
    """Fields of a record as one line of CSV."""
    buffer = StringIO()
    csv.writer(buffer).writerow(fields)
    return buffer.getvalue().removesuffix("\r\n")


class RejectLog:
    """Rejects of one import, kept in a file so that neither memory nor their number limits them.

    Iterating reads them from the file again, in the order in which they were found.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        path.write_text("", encoding="utf-8")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Reject]:
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                yield Reject(**json.loads(line))

    def extend(self, rejects: Iterable[Reject]) -> None:
        with naming(self._path), self._path.open("a", encoding="utf-8") as lines:
            for reject in rejects:
                lines.write(json.dumps(asdict(reject)) + "\n")
                self._count += 1
