"""An import of history: files to finished raw batches by endpoint and UTC day.

Belongs here: the order of the steps, identities joined from videos to snapshots, new titles as metadata, parts of
large days. Not here: files and layouts (`files.py`, `layouts.py`), catalogue and quarantine rows (their writer gets
what is returned here).
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yt_platform.history.files import Found, HistoryFile, find_files
from yt_platform.history.handles import plain_handle
from yt_platform.history.layouts import TRENDING_VIDEOS
from yt_platform.history.names import Options
from yt_platform.history.problems import RejectLog
from yt_platform.history.rows import endpoint_rows
from yt_platform.history.spool import Spool
from yt_platform.progress import Progress, silent
from yt_platform.storage.endpoints import CHANNELS, ENDPOINTS, VIDEOS
from yt_platform.storage.raw import RawFile, RawStore

IMPORTER_VERSION = 3
"""Raised when the same files would give other batches: an import of them then takes the place of the older one."""

PART_ROWS = 600_000
PART_BYTES = 128 << 20
"""More rows of one endpoint and day become further batches; a piece of the spool always fits into PART_ROWS."""

WRITERS = 2
"""Batches stored side by side: on ext4 346 syncs one after another took 7 s, two at a time 1 s."""

TITLES = "titles"
"""Spooled rows that become metadata only where the title is new: schema of `videos`, of which title is filled."""


@dataclass(frozen=True)
class Scan:
    """Rows in the files, rejects among them, and the UTC days any of them falls on."""

    rows: int
    days: list[date]


@dataclass(frozen=True)
class ImportedBatch:
    """A stored batch and where it came from: one file, or the import's folder with the hash of its manifest."""

    endpoint: str
    day: date
    file: RawFile
    sources: tuple[str, ...]
    original_name: str
    original_sha256: str
    first_collected_at: datetime
    last_collected_at: datetime


class History:
    """Files recognised at a path, ready to be scanned and imported; made by `open_history`.

    `files`, `ignored` and `unreadable` are in order of their names, relative to the path; `formats` names the layouts.
    `import_id` stands for the names and contents of all files and for `reading`, the importer's version and what a
    person said. `earlier_ids` are the ids that earlier versions gave. `contents` says which files these are, whatever
    they are called, and `known_by` also how earlier versions noted them. Once `batches` has begun to give batches,
    `rejects` holds the rows that could not be read, until its scratch folder is removed, `header_lines` is how many
    repeated headers were left out, and `records` how many rows the files have.
    """

    def __init__(self, path: Path, found: Found, options: Options) -> None:
        files = found.files
        self.name = path.resolve().name
        self.files = files
        self.ignored = found.ignored
        self.unreadable = found.unreadable
        self.formats = sorted({file.layout.name for file in files})
        manifest = "".join(f"{file.name}\0{file.sha256}{file.made_at}\n" for file in files)
        self.manifest_sha256 = _sha256(manifest)
        self.reading = f"{IMPORTER_VERSION}\n{options}"
        self.import_id = _sha256(f"{self.reading}{manifest}")
        self.earlier_ids = [_sha256(f"{version}\n{manifest}") for version in range(1, IMPORTER_VERSION)]
        self.contents = sorted({_sha256(f"{file.sha256}{file.told}") if file.told else file.sha256 for file in files})
        self.known_by = [*self.contents, *(file.sha256 for file in files), self.manifest_sha256]
        self.rejects: RejectLog | tuple[()] = ()
        self.header_lines = 0
        self.records = 0
        self._hashes = {file.name: file.sha256 for file in files}
        self._total = _sum_or_none(file.rows for file in files)

    def scan(self, progress: Progress = silent) -> Scan:
        """Counts rows and finds their days, reading only the time of each. A day may turn out to hold only rejects.

        Raises HistoryError.
        """
        done = self.header_lines = 0
        days: set[date] = set()
        for file in self.files:
            for rows in file.read({"collected_at"}):
                self.header_lines += rows.headers
                days.update(pc.unique(rows.columns["collected_at"].cast(pa.date32())).to_pylist())
                done += rows.records
                progress(done, self._total, "scanning files, rows")
        self._total = done
        return Scan(done, sorted(days))

    def batches(self, store: RawStore, scratch: Path, progress: Progress = silent) -> Iterator[ImportedBatch]:
        """Stores the rows as raw batches, day by day, and gives each once it is stored.

        `scratch` is an existing, empty folder with room for all rows. Every file has been read before the first batch
        is stored, so a HistoryError leaves the store untouched. Memory is bounded by buffers whatever the number and
        order of rows; only the identities of TRENDING_VIDEOS files and the last title of each video of files with
        titles are held for the whole import. The same files give the same batches.
        """
        rejects = RejectLog(scratch / "rejects.jsonl")
        with Spool(scratch) as spool:
            self._read(spool, rejects, progress)
            self.rejects = rejects
            yield from self._store(spool, store, progress)

    def _read(self, spool: Spool, rejects: RejectLog, progress: Progress) -> None:
        identities = _Identities(self.files)
        done = self.header_lines = 0
        for file in self.files:
            for rows in file.read():
                rejects.extend(rows.rejects)
                self.header_lines += rows.headers
                columns = rows.columns
                if file.layout.joins_identity:
                    columns = columns | identities.of(columns["video_id"])
                for endpoint in file.layout.endpoints:
                    spool.add(endpoint, file.name, endpoint_rows(endpoint, file.layout, columns))
                if file.layout.title_changes:
                    titled = endpoint_rows(VIDEOS.name, file.layout, columns)
                    spool.add(TITLES, file.name, titled.filter(pc.is_valid(titled["title"])))
                done += rows.records
                progress(done, self._total, "reading files, rows")
        self.records = done
        spool.finish()

    def _store(self, spool: Spool, store: RawStore, progress: Progress) -> Iterator[ImportedBatch]:
        days = spool.days()
        done, total = 0, sum(days.values())
        titles = _Titles()
        pending: deque[Future[ImportedBatch]] = deque()
        with ThreadPoolExecutor(WRITERS) as pool:
            for day, rows in days.items():
                for endpoint, part, origin in _day_parts(spool, titles, day):
                    pending.append(pool.submit(self._batch, store, endpoint, day, part, origin))
                    if len(pending) > WRITERS:
                        yield pending.popleft().result()
                done += rows
                progress(done, total, "storing batches, rows")
            for batch in pending:
                yield batch.result()

    def _batch(self, store: RawStore, endpoint: str, day: date, rows: pa.Table, origin: str | None) -> ImportedBatch:
        span = pc.min_max(rows["collected_at"]).as_py()
        return ImportedBatch(
            endpoint=endpoint,
            day=day,
            file=store.write_table(endpoint, day, rows),
            sources=tuple(sorted(rows["source"].unique().to_pylist())),
            original_name=origin or self.name,
            original_sha256=self._hashes[origin] if origin else self.manifest_sha256,
            first_collected_at=span["min"],
            last_collected_at=span["max"],
        )


def open_history(path: Path, options: Options | None = None, known: Mapping[str, str] | None = None) -> History:
    """Recognises and hashes the files at a path: one file, or a folder with all below it.

    `known` is the channel ids of handles. Raises HistoryError where no known layout fits any of the files, naming
    files, columns and the known layouts.
    """
    options = options or Options()
    found = find_files(path, options)
    handles = {**(known or {}), **_handles_of(found.files)}
    files = [replace(file, layout=file.layout.with_handles(handles)) for file in found.files]
    return History(path, replace(found, files=files), options)


def _handles_of(files: Iterable[HistoryFile]) -> dict[str, str]:
    """Channel ids by handle, from the files with records of channels beside files that have handles alone."""
    known: dict[str, str] = {}
    for file in files:
        if CHANNELS.name in file.layout.endpoints and "handle" in file.own_names:
            for rows in file.read(("channel_id", "handle", "collected_at")):
                pairs = zip(rows.columns["channel_id"].to_pylist(), rows.columns["handle"].to_pylist(), strict=True)
                known |= {plain_handle(handle): channel_id for channel_id, handle in pairs if handle}
    return known


def _day_parts(spool: Spool, titles: "_Titles", day: date) -> Iterator[tuple[str, pa.Table, str | None]]:
    for endpoint in ENDPOINTS:
        kinds: tuple[str, ...] = (endpoint,)
        tables = spool.tables(endpoint, day)
        if endpoint == VIDEOS.name:
            kinds = (endpoint, TITLES)
            tables = chain(tables, map(titles.new, _parts(spool.tables(TITLES, day))))
        for part in _parts(tables):
            yield endpoint, part, spool.origin(kinds, day)


class _Identities:
    """Channel and publishing time of videos, from the videos files beside snapshots that were stored without them.

    The API answers that carried those snapshots carried both, so joining them restores what was known at the time.
    """

    def __init__(self, files: Iterable[HistoryFile]) -> None:
        names = ("video_id", "collected_at", "channel_id", "published_at")
        tables = [pa.schema([VIDEOS.schema.field(name) for name in names]).empty_table()]
        for file in files:
            if file.layout is TRENDING_VIDEOS:
                for rows in file.read(names):  # its rejects are counted when all its columns are read
                    tables.append(pa.table([rows.columns[name] for name in names], schema=tables[0].schema))
        latest_first = pa.concat_tables(tables).combine_chunks().sort_by([("collected_at", "descending")])
        codes = latest_first["video_id"].combine_chunks().dictionary_encode().indices
        _, latest = np.unique(codes.to_numpy(), return_index=True)
        known = {name: latest_first[name].combine_chunks().take(pa.array(latest)) for name in names}
        self._ids = known["video_id"]
        self._columns = {name: known[name] for name in ("channel_id", "published_at")}

    def of(self, video_ids: pa.Array) -> dict[str, pa.Array]:
        """Raw columns channel_id and published_at of these videos, null for those not known."""
        rows = pc.index_in(video_ids, value_set=self._ids)
        return {name: values.take(rows) for name, values in self._columns.items()}


class _Titles:
    """Which rows carry a title that is new for their video, day after day."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], str] = {}

    def new(self, rows: pa.Table) -> pa.Table:
        """Rows of one day whose title differs from the one before in time, or that are the video's first."""
        rows = rows.sort_by([(name, "ascending") for name in VIDEOS.key])
        source, video, title = (rows[name] for name in ("source", "video_id", "title"))
        same_video = pc.and_(_same_as_before(source), _same_as_before(video)).to_numpy()
        keep = ~(same_video & _same_as_before(title).to_numpy())
        starts = np.flatnonzero(~same_video)
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), rows.num_rows], strict=True):
            key = (source[start].as_py(), video[start].as_py())
            keep[start] = self._last.get(key) != title[start].as_py()
            self._last[key] = title[end - 1].as_py()
        return rows.filter(pa.array(keep))


def _same_as_before(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array([False]), *pc.equal(values.slice(1), values.slice(0, len(values) - 1)).chunks])


def _parts(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        if held and (rows + table.num_rows > PART_ROWS or size + table.nbytes > PART_BYTES):
            yield pa.concat_tables(held)
            held, rows, size = [], 0, 0
        if table.num_rows:
            held.append(table)
            rows, size = rows + table.num_rows, size + table.nbytes
    if held:
        yield pa.concat_tables(held)


def _sha256(text: str) -> str:
    # surrogateescape: names of files need not be UTF-8
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _sum_or_none(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)
