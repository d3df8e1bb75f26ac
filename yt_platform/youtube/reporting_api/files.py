"""A bulk report on its way into the store: spooled to disk as it arrives, stored as a raw batch, and booked.

Here: one file, in memory of fixed size whatever the report's. Not here: asking for reports
(`youtube/reporting_api/client.py`), and reading what is stored (`youtube/reporting_api/reports.py`).
"""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

import psycopg

from yt_platform.storage.raw import RawStore
from yt_platform.storage.report_lines import lines
from yt_platform.tombstones.ids import REPORT_HEADS, Without
from yt_platform.tombstones.store import NONE_MEANWHILE, tombstones
from yt_platform.warehouse.databases import take_turn
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.pulls import Origin
from yt_platform.youtube.reporting_api.reports import (
    LONGEST_HEADER,
    ReportHead,
    header_of,
    unknown_columns,
    version_of,
)

_GZIP = 31  # zlib's number for its largest window, with gzip's head and checksum
_LEVEL = 6  # zlib's own; gzip's 9 takes 3.5 times as long for 2 % less
_BLOCK = 1 << 20


class TruncatedError(RuntimeError):
    """A download ended before the report did."""


@dataclass(frozen=True)
class Spooled:
    """A report's file as the store takes it; `rows` are lines after the header, `header` the names of its columns."""

    head: ReportHead
    file: Path
    rows: int
    header: list[str]


def spool(head: ReportHead, body: Iterable[bytes], compressed: bool, file: Path) -> Spooled:
    """Write the head and the report as it arrives to `file`: what is compressed already stays as it is.

    The head is a gzip member of its own before the report's, so that nobody need pack the report anew. Raises
    TruncatedError for a compressed report that is cut short, and for what is not compressed as it says.
    """
    lines, first, last = 0, b"", b""
    with file.open("wb") as out:
        out.write(gzip.compress(head.line(), mtime=0))
        for text in _unpacked(body, out) if compressed else _packed(body, out):
            if b"\n" not in first and len(first) < LONGEST_HEADER:
                first += text[:LONGEST_HEADER]
            lines += text.count(b"\n")
            last = text or last
    lines += bool(last) and not last.endswith(b"\n")
    return Spooled(head, file, max(0, lines - 1), header_of(first.partition(b"\n")[0]))


def _packed(blocks: Iterable[bytes], out: IO[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=_GZIP)
    for block in blocks:
        out.write(packer.compress(block))
        yield block
    out.write(packer.flush())


def _unpacked(blocks: Iterable[bytes], out: IO[bytes]) -> Iterator[bytes]:
    """Text of gzip members, a block at most at a time: a well-packed one unfolds a thousandfold."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        for block in blocks:
            out.write(block)
            left = block
            while left:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(wbits=_GZIP)
                yield unpacker.decompress(left, _BLOCK)
                left = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error as error:
        raise TruncatedError(f"the download is no gzip: {error}") from None
    if not unpacker.eof:
        raise TruncatedError("the download ended before the report did")


def pack(rows: Iterable[str], file: Path) -> int:
    """Write heads and rows of a stored report, a character a byte, and count them. The same rows make the same file."""
    count = 0
    with (
        file.open("wb") as target,
        gzip.GzipFile("", "wb", _LEVEL, target, mtime=0) as stream,
        io.BufferedWriter(cast("io.RawIOBase", stream), _BLOCK) as buffered,
    ):
        for row in rows:
            buffered.write(row.encode("latin-1"))
            count += 1
    return count


def _without_forgotten(url: str, spooled: Spooled) -> Spooled:
    ids = tombstones(Warehouse(url))
    if not ids.digests:
        return spooled
    without = Without(ids)
    file = spooled.file.with_name(f"{spooled.file.name}.without")
    with gzip.open(spooled.file) as text:
        stored = lines(io.BufferedReader(cast("io.RawIOBase", text), _BLOCK))
        count = pack(without.report_lines(stored), file)
    return (
        replace(spooled, file=file, rows=max(0, count - REPORT_HEADS))
        if without.removed or without.redacted
        else spooled
    )


def keep(url: str, store: RawStore, spooled: Spooled, origin: Origin) -> bool:
    """Store and book a spooled report, without what was forgotten; False where it was booked before."""
    head, family = spooled.head, spooled.head.family
    with psycopg.connect(url) as connection:
        take_turn(connection, f"raw.reports {head.account} {head.report_id}")  # two pulls may bring the same
        if connection.execute(
            "SELECT FROM raw.reports WHERE account = %s AND report_id = %s", (head.account, head.report_id)
        ).rowcount:
            return False
        connection.execute(NONE_MEANWHILE)
        spooled = _without_forgotten(url, spooled)
        stored = store.write_report(family.endpoint, head.day, spooled.file, spooled.rows)
        row = connection.execute(
            "INSERT INTO raw.batches (source, endpoint, partition_day, collected_at, path, sha256, bytes, row_count, "
            "synthetic, run_id) VALUES ('report', %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING batch_id",
            (
                family.endpoint,
                head.day,
                head.collected_at,
                stored.path,
                stored.sha256,
                stored.bytes,
                stored.rows,
                origin.synthetic,
                origin.run_id,
            ),
        ).fetchone()
        connection.execute(
            "INSERT INTO raw.reports (batch_id, account, report_type, type_version, job_id, report_id, start_time, "
            "create_time, unknown_columns) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(row or ()),
                head.account,
                head.report_type,
                version_of(head.report_type),
                head.job_id,
                head.report_id,
                head.start_time,
                head.create_time,
                unknown_columns(family, spooled.header),
            ),
        )
    return True
