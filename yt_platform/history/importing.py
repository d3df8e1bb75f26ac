"""An import from files to the catalogue: batches stored first, then batches, rejects and the import itself entered in
one transaction, so that nothing is half-imported. The same transaction takes out imports that read the same files
otherwise. Reading the files is `history`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path

import pandas as pd

from yt_platform.catalog.lineage import FIRST_DAY
from yt_platform.errors import MisuseError
from yt_platform.history import History, ImportedBatch, Options, Reject, open_history, plain_handle
from yt_platform.history.import_removal import RAW_HISTORY, delete_files, end_undo, remove_from_catalogue
from yt_platform.policy import PolicyMode
from yt_platform.progress import Progress
from yt_platform.storage.raw import RawStore
from yt_platform.tables.columns import DAY, TEXT
from yt_platform.tombstones.ids import Without
from yt_platform.tombstones.store import tombstones
from yt_platform.warehouse.loading import batches_of
from yt_platform.warehouse.warehouse import Transaction, Warehouse, Window

SYNTHETIC = "synthetic"
REJECTS_AT_ONCE = 10_000


class ImportRefusedError(MisuseError):
    """What was asked of `raw.history` cannot be done; the message says why and what to do."""


@dataclass(frozen=True)
class Stored:
    """Rows of stored batches by day, rows the importer refused, and rows left out as they were forgotten."""

    rows: Mapping[date, int]
    rejects: int
    forgotten: int = 0
    replaced: int = 0
    """Imports whose place this one took."""


def import_history(
    warehouse: Warehouse,
    store: RawStore,
    path: Path,
    spool: Path,
    partitions: Window,
    run_id: str,
    progress: Progress,
    options: Options | None = None,
) -> Stored:
    """Import a file or folder whole; importing the same content again changes nothing, unless it was read otherwise
    before: then the new reading takes the place of the old one.

    Rows collected after the last of `partitions`, which is today, or before YouTube began go to quarantine.
    Raises HistoryError when a file
    cannot be read, and ImportRefusedError when rows are older than the first partition or when the import would mix
    real and synthetic data.
    """
    history = open_history(path, options, known_handles(warehouse))
    if is_imported(warehouse, store, history):
        return Stored({}, 0)
    refuse_forgotten(warehouse, path, history)
    ids = tombstones(warehouse)
    without = Without(ids)
    batches = list(history.batches(store, spool, progress))
    if ids.digests:
        batches = [_without_forgotten(warehouse, store, batch, without) for batch in batches]
    _refuse_older(batches, partitions.first)
    for synthetic in {is_synthetic(batch) for batch in batches}:
        refuse_mixture(warehouse, synthetic)
    kept = [batch for batch in batches if FIRST_DAY <= batch.day <= partitions.last]
    rejects: Iterator[dict[str, str]] = chain(
        (_unreadable(reject) for reject in history.rejects),
        (row for batch in batches if batch.day > partitions.last for row in _out_of_time(store, batch, "after today")),
        (
            row
            for batch in batches
            if batch.day < FIRST_DAY
            for row in _out_of_time(store, batch, "before YouTube began")
        ),
    )
    rejects = (row for row in rejects if without.text(row["record"]) == row["record"])
    reject_count = 0
    refused = len(history.rejects) + _out_of_time_records(batches, kept)
    with warehouse.transaction() as transaction:
        transaction.take_turns("raw.imports")
        replaced = _read_otherwise(transaction, history)
        if not _is_entered(transaction, history):
            while chunk := list(islice(rejects, REJECTS_AT_ONCE)):
                reject_count += len(chunk)
                transaction.add_to_quarantine(RAW_HISTORY, _as_quarantine(chunk), run_id)
            _enter(transaction, history, kept, refused, run_id)
        elif not replaced:
            return Stored({}, 0)
        for other in replaced:
            remove_from_catalogue(transaction, other.import_id)
    for other in replaced:
        delete_files(warehouse, store, other.import_id)
        end_undo(warehouse, other.import_id)
    if without.removed:
        progress(without.removed, without.removed, "raw.history, rows left out as forgotten")
    rows = _rows_by_day((batch.day, batch.file.rows) for batch in kept)
    return Stored(rows, reject_count, without.removed, len(replaced))


def _without_forgotten(warehouse: Warehouse, store: RawStore, batch: ImportedBatch, without: Without) -> ImportedBatch:
    """The batch without rows about ids that were forgotten; nothing of the file that had them is kept."""
    before = store.read_table(batch.file.path, batch.file.sha256)
    after = without.rows(before)
    if after.equals(before):
        return batch
    if not warehouse.records("SELECT FROM raw.batches WHERE path = $1", (batch.file.path,)):
        store.delete(batch.file.path)
    return replace(batch, file=store.write_table(batch.endpoint, batch.day, after))


def known_handles(warehouse: Warehouse) -> dict[str, str]:
    """Channel ids by handle, of the channels that are watched or have a record."""
    rows = warehouse.records(
        "SELECT handle, channel_id FROM metrics.channels WHERE handle IS NOT NULL UNION ALL "
        "SELECT reference, channel_id FROM ops.watched_channels WHERE reference LIKE '@%' AND channel_id IS NOT NULL"
    )
    return {plain_handle(row["handle"]): row["channel_id"] for row in rows}


def refuse_import(mode: PolicyMode | None) -> None:
    """Raises ImportRefusedError under a policy mode that lets nothing be imported."""
    if mode == "strict":
        raise ImportRefusedError(
            "YT_POLICY_MODE=strict keeps no statistic for longer than 30 days and derives none, so no history is "
            "imported: import it into a YT_HOME of its own, without a mode or under the one its terms allow"
        )


def refuse_forgotten(warehouse: Warehouse, path: Path, history: History) -> None:
    """Raises ImportRefusedError where a file is named after an id that was forgotten: names are kept with batches, and
    the path with the run."""
    without = Without(tombstones(warehouse))
    for name in (str(path.resolve()), *(file.name for file in history.files)):
        if (shown := without.text(name)) != name:
            raise ImportRefusedError(
                f"{shown} is named after what was forgotten on request, where the asterisks are: rename it, or leave "
                "it out, as the names of files are kept"
            )


def is_imported(warehouse: Warehouse, store: RawStore, history: History) -> bool:
    """Whether these files were imported before and read as they would be now, and not otherwise as well, and every
    imported batch is still there as it was: importing again is the remedy for one that is not."""
    with warehouse.transaction() as transaction:
        if not _is_entered(transaction, history) or _read_otherwise(transaction, history):
            return False
    batches = warehouse.records(
        "SELECT path, sha256 FROM raw.batches WHERE source = 'import' AND purged_at IS NULL ORDER BY batch_id"
    )
    return all(store.holds(batch["path"], batch["sha256"]) for batch in batches)


def _is_entered(transaction: Transaction, history: History) -> bool:
    entered = "SELECT import_id FROM raw.imports WHERE import_id = $1 AND undoing IS NULL"
    return bool(transaction.records(entered, (history.import_id,)))


@dataclass(frozen=True)
class Replaced:
    """An import whose place another one takes, as it read the same files, or some of them, otherwise."""

    import_id: str
    name: str
    imported_at: datetime


def read_otherwise(warehouse: Warehouse, history: History) -> list[Replaced]:
    """The imports whose place this one would take, the oldest first."""
    with warehouse.transaction() as transaction:
        return _read_otherwise(transaction, history)


def _read_otherwise(transaction: Transaction, history: History) -> list[Replaced]:
    """Imports that have no other files than this one, whatever these were called, and read them by another version or
    by what a person said about names and dates. An import with further files stays: nothing tells its rows apart."""
    rows = transaction.records(
        "SELECT import_id, name, imported_at FROM raw.imports WHERE import_id <> $1 AND (import_id = ANY($2) "
        "OR contents <@ $3 AND reading IS DISTINCT FROM $4) ORDER BY imported_at",
        (history.import_id, history.earlier_ids, history.known_by, history.reading),
    )
    return [Replaced(**row) for row in rows]


def verify_batches(
    warehouse: Warehouse, store: RawStore, endpoints: list[str], window: Window, progress: Progress
) -> Stored:
    """Read every stored batch of `window` again and hold it against its hash.

    Raises CorruptBatchError for a damaged file, and ImportRefusedError when a day has no batch: the API cannot be
    asked about the past.
    """
    missing = sorted(set(window.days) - {batch.day for batch in batches_of(warehouse, endpoints, window)})
    if missing:
        raise ImportRefusedError(
            f"no batch is stored for {len(missing)} of {len(window.days)} days, first {missing[0]}. YouTube's API "
            "cannot be asked about a past day: import a file that holds it (yt-platform import PATH)"
        )
    return verify_stored(warehouse, store, endpoints, window, progress)


def verify_stored(
    warehouse: Warehouse, store: RawStore, endpoints: list[str], window: Window, progress: Progress
) -> Stored:
    """As `verify_batches`, of what need not be there every day: a day without a batch is no error."""
    batches = batches_of(warehouse, endpoints, window)
    for done, batch in enumerate(batches, start=1):
        store.verify(batch.path, batch.sha256)
        progress(done, len(batches), "batches verified")
    return Stored(_rows_by_day((batch.day, batch.row_count) for batch in batches), 0)


def holds_synthetic(warehouse: Warehouse) -> bool | None:
    """Whether the warehouse's data is synthetic; None while it has none."""
    found = warehouse.records("SELECT synthetic FROM raw.batches LIMIT 1")
    return bool(found[0]["synthetic"]) if found else None


def _rows_by_day(sizes: Iterable[tuple[date, int]]) -> dict[date, int]:
    rows: dict[date, int] = {}
    for day, size in sizes:
        rows[day] = rows.get(day, 0) + size
    return rows


def _refuse_older(batches: list[ImportedBatch], first: date) -> None:
    older = sorted({batch.day for batch in batches if FIRST_DAY <= batch.day < first})
    if older:
        raise ImportRefusedError(
            f"{len(older)} days, from {older[0]} on, lie before the first partition {first}: "
            f"set YT_PARTITIONS_START={older[0]} and import again"
        )


def refuse_mixture(warehouse: Warehouse, synthetic: bool) -> None:
    """Raises ImportRefusedError where the warehouse holds data of the other kind."""
    held = holds_synthetic(warehouse)
    if held is not None and held != synthetic:
        names = {True: "synthetic", False: "real"}
        raise ImportRefusedError(
            f"the warehouse holds {names[held]} data, and {names[synthetic]} data is to be added: models and totals "
            "would mix them. Set YT_HOME (or YT_DATABASE_URL) to another place for one of the two"
        )


def _out_of_time_records(batches: list[ImportedBatch], kept: list[ImportedBatch]) -> int:
    """Lines of files in batches that are not kept: a line may have a row of counts and one of metadata."""
    days: dict[date, dict[str, int]] = {}
    for batch in batches:
        if batch not in kept:
            rows = days.setdefault(batch.day, {})
            rows[batch.endpoint] = rows.get(batch.endpoint, 0) + batch.file.rows
    return sum(max(rows.values()) for rows in days.values())


def _enter(transaction: Transaction, history: History, kept: list[ImportedBatch], refused: int, run_id: str) -> None:
    """Enter the import and its batches into the catalogue; one that is being taken back is a new import then."""
    rows = sum(batch.file.rows for batch in kept)
    transaction.execute(
        "INSERT INTO raw.imports (import_id, name, formats, row_count, record_count, reject_count, run_id, contents, "
        "reading) VALUES ($1, $2, $3, $4, $5, $6, $7::uuid, $8, $9) ON CONFLICT (import_id) DO UPDATE SET "
        "row_count = excluded.row_count, record_count = excluded.record_count, reject_count = excluded.reject_count, "
        "run_id = excluded.run_id, imported_at = now(), accepted_at = NULL, undoing = NULL",
        (
            history.import_id,
            history.name,
            list(history.formats),
            rows,
            history.records - refused,
            refused,
            run_id,
            history.contents,
            history.reading,
        ),
    )
    for batch in kept:
        _catalogue(transaction, batch, run_id)
        transaction.execute(
            "INSERT INTO raw.import_batches (import_id, batch_id) SELECT $1, batch_id FROM raw.batches "
            "WHERE endpoint = $2 AND partition_day = $3 AND sha256 = $4 ON CONFLICT DO NOTHING",
            (history.import_id, batch.endpoint, batch.day, batch.file.sha256),
        )


def _catalogue(transaction: Transaction, batch: ImportedBatch, run_id: str) -> None:
    transaction.execute(
        "INSERT INTO raw.batches (source, endpoint, partition_day, collected_at, path, sha256, bytes, row_count, "
        "synthetic, original_name, original_sha256, run_id) "
        "VALUES ('import', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::uuid) "
        "ON CONFLICT (endpoint, partition_day, sha256) DO NOTHING",
        (
            batch.endpoint,
            batch.day,
            batch.last_collected_at,
            batch.file.path,
            batch.file.sha256,
            batch.file.bytes,
            batch.file.rows,
            is_synthetic(batch),
            batch.original_name,
            batch.original_sha256,
            run_id,
        ),
    )


def is_synthetic(batch: ImportedBatch) -> bool:
    return batch.sources == (SYNTHETIC,)


def _unreadable(reject: Reject) -> dict[str, str]:
    column = f", column {reject.column}" if reject.column else ""
    return {
        "origin": f"{reject.file}, line {reject.line}{column}",
        "reason": reject.reason,
        "record": json.dumps({"text": reject.record}),
    }


def _out_of_time(store: RawStore, batch: ImportedBatch, why: str) -> Iterator[dict[str, str]]:
    for row in store.read_table(batch.file.path, batch.file.sha256).to_pylist():
        yield {
            "origin": batch.original_name,
            "reason": f"collected_at = {row['collected_at']} lies {why}",
            "record": json.dumps(row, default=str),
        }


def _as_quarantine(rejects: list[dict[str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rejects, dtype=TEXT)
    return frame.assign(partition_day=pd.Series(pd.NaT, index=frame.index, dtype=DAY))
