"""Forgetting a channel or an author wherever the platform keeps data, and searching whether anything is left.

Belongs here: the order of the deletion, and how files and databases are rewritten. What is about an id is
`tombstones/ids.py`.

Every step can be repeated, and the ids stand in `ops.forgotten` until the last is done: a forgetting that was killed is
made whole by the next one, of whichever id. The tombstones come first, so that what is collected or imported meanwhile
leaves the ids out.
"""

import contextlib
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.rows import class_row

from yt_platform.errors import MisuseError
from yt_platform.forecasting.registered import MODELS
from yt_platform.privacy.backup import BackupError, Place, delete_incomplete, libpq_environment
from yt_platform.progress import Progress
from yt_platform.storage.raw import REPORT, UNFINISHED, WRITTEN, RawFile, RawStore
from yt_platform.storage.scratch import delete_abandoned
from yt_platform.tombstones.ids import (
    REPORT_HEADS,
    Columns,
    Either,
    Ids,
    Known,
    Without,
    columns_of_others,
    columns_of_warehouse,
    malformed,
    videos_in,
    videos_in_report,
)
from yt_platform.tombstones.store import bury, pending, save_copies, tombstones
from yt_platform.warehouse.sessions import await_unseen, bounded
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.reporting_api.files import pack

PIECE_BYTES, OVERLAP = 16 << 20, 64
"""Of a file that is searched: what is put aside for an import can be larger than memory."""

WHAT = "forgetting"
CHANNEL, AUTHOR, VIDEO = "channel", "author", "video"


class ForgettingRefusedError(MisuseError):
    """The id cannot be forgotten like this; the message says how."""


@dataclass(frozen=True)
class Forgotten:
    """What was removed. `rows` and `mentions` count by `database schema.table`: rows that were deleted, and rows of
    others whose texts mentioned an id. `models` were trained on what was deleted; `backups` still hold it."""

    ids: Known
    videos: int
    raw_files: int
    raw_items: int
    raw_mentions: int
    rows: Mapping[str, int]
    mentions: Mapping[str, int]
    files: Sequence[Path]
    models: Sequence[str]
    backups: Sequence[Path]

    @property
    def nothing(self) -> bool:
        return not (self.raw_files or self.rows or self.mentions or self.files)


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table, or a partition of the table `root`, and its columns of text with their types."""

    schema: str
    name: str
    root: str
    columns: Mapping[str, str]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def forget(place: Place, folders: Sequence[Path], kind: str, name: str, progress: Progress) -> Forgotten:
    """Delete a channel with its videos, or an author's comments, and what follows from them, everywhere.

    `folders` hold logs of runs. Raises ForgettingRefusedError for an author who is a channel that is kept,
    CorruptBatchError for a damaged raw file, and StillSeenError where older transactions keep what was deleted visible:
    the ids stay pending then, and the next forgetting goes on.
    """
    url = place.urls.warehouse
    if kind == AUTHOR and _is_kept_as_channel(url, name):
        raise ForgettingRefusedError(
            f"{name} is also a channel that is kept: yt-platform forget --channel {name} removes its videos and the "
            "comments it wrote"
        )
    warehouse = Warehouse(url)
    bury(warehouse, kind, [name])
    if kind == CHANNEL:
        bury(warehouse, VIDEO, sorted(_videos(place, name, progress)))
    return _forget_pending(place, folders, Known([]), progress)


def forget_again(place: Place, folders: Sequence[Path], progress: Progress) -> Forgotten | None:
    """Delete what tombstones stand for and a restore has brought back, mentions in texts of others included; None where
    nothing is of them."""
    warehouse = Warehouse(place.urls.warehouse)
    stones = tombstones(warehouse)
    if not stones.digests:
        return None
    names = [name for name in _owners(place.urls.warehouse) if name in stones]
    channels = [name for name in names if not malformed(name)]
    bury(warehouse, CHANNEL, channels)
    of_channels = {video for channel in channels for video in _videos(place, channel, progress)}
    bury(warehouse, VIDEO, sorted(of_channels.union(names) - set(channels)))
    found = _forget_pending(place, folders, stones, progress)
    return None if found.nothing else found


def _forget_pending(place: Place, folders: Sequence[Path], others: Ids, progress: Progress) -> Forgotten:
    """Delete everything about the ids that are pending, and what texts mention of `others`."""
    url, warehouse = place.urls.warehouse, Warehouse(place.urls.warehouse)
    delete_abandoned(place.home)
    delete_incomplete(url)
    backups = save_copies(warehouse, place.home)  # before anything goes: no backup brings it back from here on
    going = pending(warehouse)
    videos = [one for one, of_kind in going.items() if of_kind == VIDEO]
    names, known = list(going), Known(going.keys() - set(videos), videos)
    ids = Either((known, others))
    models = _trained_on(url, names)
    raw = Without(ids)
    raw_files = _forget_raw(place, raw, progress)
    files = [path for path in _files([place.artifacts, *folders]) if _overwrite(path, ids)]
    rows, mentions = Counter[str](), Counter[str]()
    for database, of_database in place.databases.items():
        progress(0, None, f"forget, database {database}")
        columns_of = columns_of_warehouse if of_database == url else columns_of_others
        deleted, mentioned = _forget_rows(of_database, columns_of, names, ids)
        _reclaim(of_database, progress)
        for table, count in deleted.items():
            rows[f"{database} {table.root}"] += count
        for table, count in mentioned.items():
            mentions[f"{database} {table.root}"] += count
    _accept_rejects_as_before(url)
    _delete_strays(place.raw, url, ids)
    _finish(url, progress)
    return Forgotten(known, len(videos), raw_files, raw.removed, raw.redacted, rows, mentions, files, models, backups)


def search(place: Place, folders: Sequence[Path], ids: Ids, progress: Progress) -> list[str]:
    """Where the ids are found: raw files, dumps of the databases and their statistics, bundles of models, and whatever
    lies in `folders`: logs of runs, and the embedded server's own files, which show rows that are deleted and not gone.
    """
    found = []
    for name in place.raw.names():
        progress(0, None, "search, raw files")
        if name.endswith(UNFINISHED):
            continue  # being written now, without the ids
        if any(_mentioned(ids, text) for text in _texts(place.raw, name)):
            found.append(f"raw file {name}")
    for database, url in place.databases.items():
        progress(0, None, f"search, database {database}")
        if any(_mentioned(ids, line) for line in _dump(place, url)):
            found.append(f"database {database}")
        if any(_mentioned(ids, text) for text in _statistics(url)):
            found.append(f"the planner's statistics of database {database}")
    for path in _files([place.artifacts, *folders]):
        if any(_mentioned(ids, text) for text in _pieces(path)):
            found.append(str(path))
    return found


def _finish(url: str, progress: Progress) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE ops.forgotten SET pending = NULL WHERE pending IS NOT NULL")
        _write_anew(url, connection, ["ops.forgotten"], [], progress)
        if connection.info.parameter_status("is_superuser") == "on":
            _end_log(connection)


def _end_log(connection: psycopg.Connection[Any]) -> None:
    """End the write-ahead log that holds what was deleted. The embedded server does not use its files again; those
    that an older version of the platform put aside for that are written over."""
    ahead = "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND name > pg_walfile_name(%s)"
    current = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    row = connection.execute(ahead, current).fetchone()
    for _ in range(1 + (row[0] if row else 0)):
        connection.execute("SELECT pg_logical_emit_message(false, 'yt_platform', 'forgotten')")
        connection.execute("SELECT pg_switch_wal()")
    connection.execute("CHECKPOINT")


# What there is of an id


def _owners(url: str) -> set[str]:
    """Every id of a channel, an author or a video that a table of the warehouse has."""
    found: set[str] = set()
    with psycopg.connect(url) as connection:
        for table in _text_tables(connection):
            for column in columns_of_warehouse(table.root).owners & table.columns.keys():
                query = sql.SQL("SELECT DISTINCT {0} FROM {1} WHERE {0} IS NOT NULL")
                rows = connection.execute(query.format(sql.Identifier(column), table.identifier)).fetchall()
                found.update(row[0] for row in rows)
    return found


def _is_kept_as_channel(url: str, name: str) -> bool:
    with psycopg.connect(url) as connection:
        return any(
            connection.execute(
                sql.SQL("SELECT FROM {} WHERE channel_id = %s LIMIT 1").format(table.identifier), (name,)
            ).rowcount
            for table in _text_tables(connection)
            if "channel_id" in table.columns
        )


def _videos(place: Place, channel: str, progress: Progress) -> set[str]:
    """Ids of the channel's videos, from every table that says a video's channel, and from raw files."""
    ids = Known([channel])
    found: set[str] = set()
    with psycopg.connect(place.urls.warehouse) as connection:
        for table in _text_tables(connection):
            if {"video_id", "channel_id"} <= table.columns.keys():
                query = sql.SQL("SELECT DISTINCT video_id FROM {} WHERE channel_id = %s AND video_id IS NOT NULL")
                found.update(
                    row[0] for row in connection.execute(query.format(table.identifier), (channel,)).fetchall()
                )
    for raw in _batches(place, "forget, videos of the channel", progress):
        if raw.path.endswith(REPORT):
            found |= videos_in_report(place.raw.report_lines(raw.path), ids)
        else:
            found |= videos_in(place.raw.read_table(raw.path, raw.sha256), ids)
    return found


def _trained_on(url: str, names: Sequence[str]) -> list[str]:
    """Versions of models whose training reached the first features of these series."""
    found: list[str] = []
    with psycopg.connect(url) as connection:
        for spec in MODELS.values():
            query = sql.SQL("SELECT min({time})::date FROM {table} WHERE {series} = ANY(%s)").format(
                time=sql.Identifier(spec.task.time),
                table=sql.Identifier(spec.features.layer, spec.features.short_name),
                series=sql.Identifier(spec.task.series),
            )
            first = connection.execute(query, (list(names),)).fetchone()
            versions = connection.execute(
                "SELECT DISTINCT model_version FROM models.scorecards "
                "WHERE split_part(model_version, '/', 1) = %s AND trained_until >= %s ORDER BY 1",
                (spec.name, first and first[0]),
            ).fetchall()
            found += [version for (version,) in versions]
    return found


# Raw files


@dataclass(frozen=True)
class _Raw:
    batch_id: int
    endpoint: str
    day: date
    path: str
    sha256: str


def _batches(place: Place, what: str, progress: Progress) -> Iterator[_Raw]:
    with psycopg.connect(place.urls.warehouse, row_factory=class_row(_Raw)) as connection:
        batches = connection.execute(
            "SELECT batch_id, endpoint, partition_day AS day, path, sha256 FROM raw.batches "
            "WHERE purged_at IS NULL ORDER BY batch_id"
        ).fetchall()
    for done, batch in enumerate(batches, start=1):
        yield batch
        progress(done, len(batches), what)


def _forget_raw(place: Place, without: Without, progress: Progress) -> int:
    """Write batches anew without the ids: the new file, then its row in the catalogue, then the old file goes. Returns
    how many there were."""
    rewritten = 0
    for batch in _batches(place, "forget, raw files", progress):
        file = _written_again(place.raw, batch, without)
        if file is None:
            continue
        with psycopg.connect(place.urls.warehouse) as connection:
            _replace(connection, batch, file)
        place.raw.delete(batch.path)
        rewritten += 1
    return rewritten


def _written_again(store: RawStore, batch: _Raw, without: Without) -> RawFile | None:
    """The new file of a batch; None where it is as before."""
    if batch.path.endswith(REPORT):
        return _report_again(store, batch, without)
    before = store.read_table(batch.path, batch.sha256)
    after = without.answers(before) if "body" in before.column_names else without.rows(before)
    return None if after.equals(before) else store.write_again(batch.endpoint, batch.day, after)


def _report_again(store: RawStore, batch: _Raw, without: Without) -> RawFile | None:
    """As `_written_again`, line by line: reports may be larger than memory."""
    before = without.removed, without.redacted
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report"
        lines = pack(without.report_lines(store.report_lines(batch.path)), file)
        if (without.removed, without.redacted) == before:
            return None
        return store.write_report(batch.endpoint, batch.day, file, max(lines - REPORT_HEADS, 0))


def _replace(connection: psycopg.Connection[Any], batch: _Raw, file: RawFile) -> None:
    """The batch keeps its place in the order; one that became what another is (both empty, say) leaves it alone."""
    twin = connection.execute(
        "SELECT FROM raw.batches WHERE endpoint = %s AND partition_day = %s AND sha256 = %s",
        (batch.endpoint, batch.day, file.sha256),
    ).rowcount
    if twin:
        connection.execute("DELETE FROM raw.batches WHERE batch_id = %s", (batch.batch_id,))
    else:
        connection.execute(
            "UPDATE raw.batches SET path = %s, sha256 = %s, bytes = %s, row_count = %s, supersedes = sha256 "
            "WHERE batch_id = %s",
            (file.path, file.sha256, file.bytes, file.rows, batch.batch_id),
        )


def _delete_strays(store: RawStore, url: str, ids: Ids) -> None:
    """Files that name the ids and that no catalogue knows: of a writer, or of a forgetting, that was killed. What the
    platform has not written stays, and `search` tells of it."""
    with psycopg.connect(url) as connection:
        known = {path for (path,) in connection.execute("SELECT path FROM raw.batches")}
    for name in store.names():
        stray = name.endswith(WRITTEN) and name not in known
        if store.is_abandoned(name) or (stray and any(_mentioned(ids, text) for text in _texts(store, name))):
            store.delete(name)


def _texts(store: RawStore, name: str) -> Iterator[str]:
    """Every text of a raw file."""
    if name.endswith(REPORT):
        yield from store.report_lines(name)
        return
    if not name.endswith(WRITTEN):
        yield store.text(name)
        return
    for column in store.read_unchecked(name).columns:
        if pa.types.is_string(column.type):
            yield from (text for text in column.unique().to_pylist() if text)


# Rows


def _forget_rows(
    url: str, columns_of: Callable[[str], Columns], names: Sequence[str], ids: Ids
) -> tuple[dict[TextTable, int], dict[TextTable, int]]:
    """Delete rows that belong to `names`, and redact the texts of others, in one transaction: counts by table."""
    deleted, mentioned = {}, {}
    with psycopg.connect(url) as connection, bounded(url, connection, WHAT):
        for table in _text_tables(connection):
            columns = columns_of(table.root)
            theirs = _delete(connection, table, columns.owners, names)
            naming, redacted = _redact(connection, table, columns, ids)
            if theirs + naming:
                deleted[table] = theirs + naming
            if redacted:
                mentioned[table] = redacted
        views = connection.execute("SELECT format('%I.%I', schemaname, matviewname) FROM pg_matviews").fetchall()
        for (view,) in views:
            connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.SQL(view)))
    return deleted, mentioned


def _accept_rejects_as_before(url: str) -> None:
    """Refused rows that blocked nothing block nothing when their day is made anew from fewer rows: of 4 instead of 400
    they would pass the table's limit."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO ops.accepted_rejects (table_name, partition_day, reject_count) "
            "SELECT table_name, partition_day, count(*) FROM ops.quarantine JOIN ops.loads "
            "USING (table_name, partition_day) "
            "WHERE partition_day IN (SELECT partition_day FROM raw.batches WHERE supersedes IS NOT NULL) "
            "GROUP BY table_name, partition_day ON CONFLICT (table_name, partition_day) DO UPDATE "
            "SET reject_count = greatest(ops.accepted_rejects.reject_count, excluded.reject_count)"
        )


def _text_tables(connection: psycopg.Connection[Any]) -> list[TextTable]:
    rows = connection.execute(
        "SELECT nspname, relname, coalesce(pg_partition_root(rel.oid), rel.oid)::regclass::text, "
        "json_object_agg(attname, format_type(atttypid, NULL)) "
        "FROM pg_class AS rel JOIN pg_namespace AS layer ON layer.oid = relnamespace "
        "JOIN pg_attribute ON attrelid = rel.oid AND attnum > 0 AND NOT attisdropped "
        "WHERE relkind = 'r' AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' "
        "AND atttypid IN ('text'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype) "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2"
    ).fetchall()
    return [TextTable(*row) for row in rows]


def _delete(connection: psycopg.Connection[Any], table: TextTable, owners: Set[str], names: Sequence[str]) -> int:
    theirs = [sql.SQL("{} = ANY(%(names)s)").format(sql.Identifier(name)) for name in table.columns if name in owners]
    if not theirs:
        return 0
    query = sql.SQL("DELETE FROM {} WHERE {}").format(table.identifier, sql.SQL(" OR ").join(theirs))
    return connection.execute(query, {"names": list(names)}).rowcount


def _redact(connection: psycopg.Connection[Any], table: TextTable, columns: Columns, ids: Ids) -> tuple[int, int]:
    """Counts of rows deleted, as one of the columns `naming` mentions an id, and of rows redacted."""
    texts = [name for name in table.columns if name not in columns.owners | columns.plain]
    if not texts:
        return 0, 0
    names = [sql.Identifier(name) for name in texts]
    selected = sql.SQL(", ").join(sql.SQL("{}::text").format(name) for name in names)
    doomed: list[str] = []
    redacted: list[tuple[str | None, ...]] = []
    without = Without(ids)
    with connection.cursor("texts") as cursor:
        cursor.itersize = 5_000  # rows a round trip
        for ctid, *found in cursor.execute(sql.SQL("SELECT ctid::text, {} FROM {}").format(selected, table.identifier)):
            left = [text and without.text(text) for text in found]
            changed = {name for name, old, new in zip(texts, found, left, strict=True) if old != new}
            if changed & columns.naming:
                doomed.append(ctid)
            elif changed:
                redacted.append((*left, ctid))
    at = sql.SQL("WHERE ctid = ANY(%s::tid[])")
    connection.execute(sql.SQL("DELETE FROM {} {}").format(table.identifier, at), (doomed,))
    updates = [
        sql.SQL("{} = %s::{}").format(name, sql.SQL(table.columns[column]))
        for name, column in zip(names, texts, strict=True)
    ]
    update = sql.SQL("UPDATE {} SET {} WHERE ctid = %s::tid").format(table.identifier, sql.SQL(", ").join(updates))
    connection.cursor().executemany(update, redacted)
    return len(doomed), len(redacted)


def _reclaim(url: str, progress: Progress) -> None:
    """Write tables anew, so that their files hold deleted rows no more, and the planner's samples of their values. All
    tables: rows may have been deleted before it came to forgetting them."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = _text_tables(connection)
        names = [table.identifier.as_string() for table in tables]
        _write_anew(url, connection, names, sorted({table.root for table in tables}), progress)


def _write_anew(
    url: str, connection: psycopg.Connection[Any], tables: Sequence[str], roots: Sequence[str], progress: Progress
) -> None:
    """Rewrite tables, and make the samples of them and of the tables they are partitions of anew. A rewritten table
    keeps what an older transaction still sees, so those are waited for."""
    with bounded(url, connection, WHAT):
        await_unseen(connection, progress, WHAT)
        if connection.info.parameter_status("is_superuser") == "on":
            # ANALYZE leaves a table that became empty the samples of what it held
            forgotten = "DELETE FROM pg_statistic WHERE starelid = ANY(%s::text[]::regclass[])"
            connection.execute(forgotten, ([*tables, *roots],))
        for table in tables:
            connection.execute(f"VACUUM (FULL, ANALYZE) {table}".encode())
        for root in roots:
            connection.execute(f"ANALYZE {root}".encode())
        await_unseen(connection, progress, WHAT)
        connection.execute("VACUUM FULL pg_catalog.pg_statistic")


def _statistics(url: str) -> Iterator[str]:
    """The planner's samples of values, as far as this role may see them."""
    with psycopg.connect(url) as connection:
        yield from (
            text
            for row in connection.execute(
                "SELECT most_common_vals::text, histogram_bounds::text, most_common_elems::text FROM pg_stats"
            )
            for text in row
            if text
        )


def _dump(place: Place, url: str) -> Iterator[str]:
    command: list[str | Path] = [place.programs / "pg_dump", "--format=plain", "--encoding=UTF8"]
    with subprocess.Popen(
        command, env={**os.environ, **libpq_environment(url)}, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None  # asked for above
        yield from process.stdout
    if process.returncode:
        raise BackupError(f"pg_dump failed with exit code {process.returncode}")


# Files


def _files(folders: Iterable[Path]) -> list[Path]:
    return [
        path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()
    ]


def _overwrite(path: Path, ids: Ids) -> bool:
    """Redact a file in its place, as a process may be writing on at its end."""
    spans = list(ids.spans(path.read_bytes().decode("latin-1")))  # a character a byte
    if spans:
        with path.open("r+b") as file:
            for start, end in spans:
                file.seek(start)
                file.write(b"*" * (end - start))
            os.fsync(file.fileno())
    return bool(spans)


def _pieces(path: Path) -> Iterator[str]:
    """A file's text, a character a byte, in pieces that share more than the length of an id."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:  # a database drops files as it likes
        before = ""
        while data := file.read(PIECE_BYTES):
            text = before + data.decode("latin-1")
            yield text
            before = text[-OVERLAP:]


def _mentioned(ids: Ids, text: str) -> bool:
    return any(True for _ in ids.spans(text))
