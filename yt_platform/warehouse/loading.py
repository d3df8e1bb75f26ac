"""Loading a table's days: which days to take at once, judged rows in, rejects to quarantine, and the books.

A chunk of days is one transaction: rows, rejects and the entry in `ops.loads` are there together or not at all.
"""

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import FROM_OWNERS, input_version, pack_days
from yt_platform.metrics.false_zeros import withdraw_false_zeros
from yt_platform.progress import Progress
from yt_platform.storage.endpoints import API_ENDPOINTS, IDS_PER_CALL
from yt_platform.storage.raw import RawStore
from yt_platform.storage.report_lines import ReportError
from yt_platform.tables.columns import DAY, TEXT
from yt_platform.tables.declaration import Table, Write
from yt_platform.tables.validation import judge, only_untold
from yt_platform.warehouse.warehouse import DuplicateKeyError, Transaction, Warehouse, Window

ROWS_AT_ONCE = 250_000
"""Rows of input in a transaction, unless one day has more; held in memory together they take about 150 MB in pandas,
with copies."""

ROWS_OF_A_PACK = 50_000
"""Rows that are parsed while the same number before is written: fewer cost more (some 50 ms a pack), more begin to
overlap later."""

Parser = Callable[[pa.Table], pd.DataFrame]
Item = TypeVar("Item")


class PurgedError(ValueError):
    """A day is to be made from raw answers that had to be deleted."""


@dataclass(frozen=True)
class Loaded:
    """What a load wrote: rows by day, and rows refused by day, those a person has accepted as refused left out. On days
    in `unread` a batch was refused as a whole."""

    rows: Mapping[date, int]
    rejects: Mapping[date, int]
    unread: frozenset[date] = frozenset()

    @property
    def row_count(self) -> int:
        return sum(self.rows.values())

    @property
    def reject_count(self) -> int:
        return sum(self.rejects.values())

    def plus(
        self, rows: Mapping[date, int], rejects: Mapping[date, int], unread: frozenset[date] = frozenset()
    ) -> "Loaded":
        return Loaded({**self.rows, **rows}, {**self.rejects, **rejects}, self.unread | unread)

    @property
    def reject_share(self) -> float:
        total = self.row_count + self.reject_count
        return self.reject_count / total if total else 0.0

    def unusable(self, reject_limit: float) -> list[date]:
        """Days that nothing may be made from: a batch could not be read, or rows of too large a share were refused."""
        return sorted(self.rejects if self.reject_share > reject_limit else self.unread)


@dataclass(frozen=True)
class Batch:
    """A row of `raw.batches`, as far as loading needs it."""

    batch_id: int
    endpoint: str
    day: date
    path: str
    sha256: str
    row_count: int

    @property
    def expected_rows(self) -> int:
        """Rows of an import; of a pull `row_count` is its answers, with up to 50 items each."""
        return self.row_count * (IDS_PER_CALL if self.endpoint in API_ENDPOINTS else 1)


def batches_of(warehouse: Warehouse, endpoints: list[str], window: Window) -> list[Batch]:
    """The catalogue's batches of these endpoints and days that have files, oldest first, but for reports that YouTube
    restated."""
    rows = warehouse.records(
        "SELECT batch_id, endpoint, partition_day AS day, path, sha256, row_count FROM raw.batches "
        "WHERE endpoint = ANY($1) AND partition_day BETWEEN $2 AND $3 AND purged_at IS NULL "
        "AND batch_id NOT IN (SELECT batch_id FROM raw.superseded_reports WHERE partition_day BETWEEN $2 AND $3) "
        "ORDER BY partition_day, batch_id",
        (endpoints, window.first, window.last),
    )
    return [Batch(**row) for row in rows]


def raw_versions(warehouse: Warehouse, window: Window) -> dict[str, dict[date, str]]:
    """Versions of the raw endpoints, `raw.<endpoint>` → day → digest of the hashes of its batches."""
    rows = warehouse.records(
        "SELECT 'raw.' || endpoint AS name, partition_day, "
        "md5(string_agg(sha256, ',' ORDER BY batch_id)) AS version "
        "FROM raw.batches WHERE partition_day BETWEEN $1 AND $2 GROUP BY endpoint, partition_day",
        (window.first, window.last),
    )
    return _by_name_and_day(rows)


def loaded_versions(warehouse: Warehouse, window: Window) -> dict[str, dict[date, str]]:
    """Versions the tables were last made from, by table and day."""
    rows = warehouse.records(
        "SELECT table_name AS name, partition_day, input_version AS version FROM ops.loads "
        "WHERE partition_day BETWEEN $1 AND $2",
        (window.first, window.last),
    )
    return _by_name_and_day(rows)


def _by_name_and_day(rows: list[dict[str, Any]]) -> dict[str, dict[date, str]]:
    versions: dict[str, dict[date, str]] = {}
    for row in rows:
        versions.setdefault(row["name"], {})[row["partition_day"]] = row["version"]
    return versions


@contextlib.contextmanager
def _known_objects_unexamined() -> Iterator[None]:
    """Keeps the collector of cycles from walking what modules have defined, a fifth of the time of parsing answers:
    their millions of short-lived objects call it again and again. Around a load as a whole: garbage that is let go with
    the rest waits for a full collection, and with every chunk more of it did (some 2.7 MB)."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@_known_objects_unexamined()
def load_from_raw(
    warehouse: Warehouse,
    store: RawStore,
    table: Table,
    parsers: Mapping[str, Parser],
    window: Window,
    run_id: str,
    progress: Progress,
) -> Loaded:
    """Parse the raw batches of `window` into `table`, `parsers` saying how for each endpoint.

    Days that only gained batches since the same code last loaded them are parsed from the new batches; other days
    are made anew from all of their batches. Raises PurgedError for days whose batches are no longer all there.
    """
    _refuse_purged(warehouse, list(parsers), window)
    versions = _versions_behind(warehouse, table, list(parsers), window)
    batches: dict[date, list[Batch]] = {day: [] for day in window.days} | _by_day(
        batches_of(warehouse, list(parsers), window)
    )
    loaded = _loaded_batches(warehouse, table, window)
    accepted_rejects = _accepted_rejects(warehouse, table, window)
    sizes = {day: sum(batch.expected_rows for batch in found) for day, found in batches.items()}
    puts = APPEND_OR_UPSERT if table.name in FROM_OWNERS else UPSERT
    total = Loaded({}, {})
    for chunk in (Window(*ends) for ends in pack_days(sizes, ROWS_AT_ONCE)):
        gained = {day: _gained(batches[day], loaded.get(day)) for day in chunk.days}
        grew = all(gained.values())
        taken = [batch for day in chunk.days for batch in (gained if grew else batches)[day]]
        parsed = partial(_parsed, store, table, parsers, taken)
        books = {
            day: (input_version(table, day, versions), [batch.batch_id for batch in batches[day]]) for day in chunk.days
        }
        load = partial(_load_chunk, warehouse, table, chunk, grew, books=books, run_id=run_id, puts=puts)
        unreadable: dict[Batch, str] = {}
        try:
            counts, refused = load(rows=partial(parsed, unreadable))
        except ReportError:
            unreadable = _unreadable(store, taken)
            counts, refused = load(rows=partial(parsed, unreadable))
        rejects = _unaccepted(refused, accepted_rejects)
        total = total.plus(counts, rejects, frozenset(batch.day for batch in unreadable) & rejects.keys())
        progress(len(total.rows), len(window.days), f"{table.name}, days")
    return _booked(warehouse, table, total)


def _versions_behind(
    warehouse: Warehouse, table: Table, endpoints: list[str], window: Window
) -> dict[str, dict[date, str]]:
    """Versions of the raw endpoints on the days that the rows of `window` depend on.

    Rows of earlier days are looked up in the table itself. One that is not loaded from all of its batches has no
    version here, so that what is made without it stays stale.
    """
    lookback = max(upstream.lookback_days for upstream in table.inputs)
    if not lookback:
        return raw_versions(warehouse, window)
    reach = window.reaching(lookback)
    loaded = _loaded_batches(warehouse, table, reach)
    unloaded = {
        batch.day
        for batch in batches_of(warehouse, endpoints, reach)
        if batch.day < window.first and batch.batch_id not in loaded.get(batch.day, set())
    }
    return {
        name: {day: version for day, version in versions.items() if day not in unloaded}
        for name, versions in raw_versions(warehouse, reach).items()
    }


UPSERT = ("upsert",)
APPEND_OR_UPSERT = ("append", "upsert")
"""Rows of a report have dimensions of their own, says Google: they are upserted where that was not so."""


def _load_chunk(
    warehouse: Warehouse,
    table: Table,
    chunk: Window,
    grew: bool,
    rows: Callable[[], Iterator[tuple[pd.DataFrame, pd.DataFrame]]],
    books: Mapping[date, tuple[str, list[int]]],
    run_id: str,
    puts: Sequence[str],
) -> tuple[dict[date, int], dict[date, int]]:
    """One transaction, by the first of these methods of it that finds no key twice; returns rows and rejects by day."""
    counts, rejects, untold = (dict.fromkeys(chunk.days, 0) for _ in range(3))
    try:
        with warehouse.transaction() as transaction:
            if not grew:
                transaction.clear(table, chunk)
            for accepted, rejected in _one_ahead(rows()):
                getattr(transaction, puts[0])(table, accepted, run_id)
                transaction.add_to_quarantine(table.name, rejected, run_id)
                counts = _added(counts, count_by_day(accepted, table.window, chunk))
                rejects = _added(rejects, rejects_by_day(rejected))
                untold = _added(untold, rejects_by_day(only_untold(rejected)))
            # items that tell no count are in nobody's way; where most tell none, the answers have changed
            rejects = {day: n - untold[day] if untold[day] <= counts[day] else n for day, n in rejects.items()}
            withdrawn = withdraw_false_zeros(transaction, table, chunk)
            if len(withdrawn):  # no fault of a row, so that no day is unusable for them
                told = as_rejects(withdrawn, withdrawn[table.window], withdrawn["source"])
                transaction.add_to_quarantine(table.name, told, run_id)
                gone = rejects_by_day(told)
                counts = {day: max(0, count - gone.get(day, 0)) for day, count in counts.items()}
            for day, (version, ids) in books.items():
                book(transaction, table.name, day, version, counts[day], run_id, table.code_version, ids)
    except DuplicateKeyError:
        return _load_chunk(warehouse, table, chunk, grew, rows, books, run_id, puts[1:])
    return counts, rejects


def _refuse_purged(warehouse: Warehouse, endpoints: list[str], window: Window) -> None:
    gone = purged_days(warehouse)
    purged: set[date] = set().union(*(gone.get(f"raw.{name}", set()) for name in endpoints))
    days = sorted(day for day in purged if window.first <= day <= window.last)
    if days:
        raise PurgedError(
            f"raw answers of {len(days)} days up to {days[-1]} were deleted, as YouTube's policies demand after 30 "
            f"days: their rows cannot be made again. Ask for days from {days[-1] + timedelta(days=1)} on"
        )


def purged_days(warehouse: Warehouse) -> dict[str, set[date]]:
    """Days of which a raw batch was deleted, `raw.<endpoint>` → days."""
    rows = warehouse.records(
        "SELECT DISTINCT 'raw.' || endpoint AS name, partition_day AS day FROM raw.batches WHERE purged_at IS NOT NULL"
    )
    days: dict[str, set[date]] = {}
    for row in rows:
        days.setdefault(row["name"], set()).add(row["day"])
    return days


def _packs(batches: list[Batch], rows: int) -> Iterator[list[Batch]]:
    """Consecutive batches of at most so many expected rows together, one at least: a day may hold gigabytes."""
    pack: list[Batch] = []
    for batch in batches:
        if pack and sum(one.expected_rows for one in pack) + batch.expected_rows > rows:
            yield pack
            pack = []
        pack.append(batch)
    if pack:
        yield pack


def _one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items in their order, each made by a thread while the one before is used: Arrow, ADBC and the server work
    without Python's lock."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _added(counts: Mapping[date, int], more: Mapping[date, int]) -> dict[date, int]:
    return {day: count + more.get(day, 0) for day, count in counts.items()}


def load_from_tables(
    warehouse: Warehouse,
    table: Table,
    build: Callable[..., pd.DataFrame],
    window: Window,
    run_id: str,
    progress: Progress,
) -> Loaded:
    """Make the rows of `window`: `build(rows of each input in the declared order, first day, last day)`."""

    def build_chunk(chunk: Window) -> pd.DataFrame:
        frames = [
            warehouse.read_window(
                TABLES[upstream.name], chunk.reaching(upstream.lookback_days, upstream.lookahead_days)
            )
            for upstream in table.inputs
        ]
        return build(*frames, pd.Timestamp(chunk.first), pd.Timestamp(chunk.last))

    return load_in_chunks(warehouse, table, build_chunk, window, run_id, progress)


def load_in_chunks(
    warehouse: Warehouse,
    table: Table,
    build: Callable[[Window], pd.DataFrame],
    window: Window,
    run_id: str,
    progress: Progress,
) -> Loaded:
    """Make the rows of `window` by `build`, as many days at once as their inputs' rows allow."""
    furthest = max(max(upstream.lookback_days, upstream.lookahead_days) for upstream in table.inputs)
    versions = loaded_versions(warehouse, window.reaching(furthest, furthest))
    sizes = _input_sizes(warehouse, table, window)
    accepted_rejects = _accepted_rejects(warehouse, table, window)
    origin = f"made from {', '.join(upstream.name for upstream in table.inputs)}"
    total = Loaded({}, {})
    for chunk in (Window(*ends) for ends in pack_days(sizes, ROWS_AT_ONCE)):
        verdict = judge(table, build(chunk))
        rejected = as_rejects(verdict.rejected, verdict.rejected[table.window], origin)
        counts = count_by_day(verdict.accepted, table.window, chunk)
        with warehouse.transaction() as transaction:
            transaction.write(table, verdict.accepted, chunk, run_id)
            transaction.quarantine(table.name, rejected, chunk, run_id)
            for day in chunk.days:
                version = input_version(table, day, versions)
                book(transaction, table.name, day, version, counts[day], run_id, table.code_version)
        total = total.plus(counts, _unaccepted(rejects_by_day(rejected), accepted_rejects))
        progress(len(total.rows), len(window.days), f"{table.name}, days")
    return _booked(warehouse, table, total)


def _accepted_rejects(warehouse: Warehouse, table: Table, window: Window) -> dict[date, int]:
    rows = warehouse.records(
        "SELECT partition_day, reject_count FROM ops.accepted_rejects "
        "WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3",
        (table.name, window.first, window.last),
    )
    return {row["partition_day"]: row["reject_count"] for row in rows}


def _unaccepted(rejects: Mapping[date, int], accepted: Mapping[date, int]) -> dict[date, int]:
    """Refused rows by day, but for days where no more are refused than a person has accepted."""
    return {day: count for day, count in rejects.items() if count > accepted.get(day, 0)}


def rejects_by_day(rejected: pd.DataFrame) -> dict[date, int]:
    counts = rejected["partition_day"].dt.date.value_counts()
    return dict(zip(counts.index, counts.astype("int64").tolist(), strict=True))


def _booked(warehouse: Warehouse, table: Table, loaded: Loaded) -> Loaded:
    """The load, with days that are unusable struck from the books.

    Such days stay stale, so that nothing is made from them until they are repaired or accepted: a blocking check
    alone holds back only the run it is evaluated in.
    """
    if days := loaded.unusable(table.reject_limit):
        with warehouse.transaction() as transaction:
            transaction.execute(
                "DELETE FROM ops.loads WHERE table_name = $1 AND partition_day = ANY($2)", (table.name, days)
            )
    return loaded


def accept_rejects(warehouse: Warehouse, table: Table, window: Window) -> int:
    """Let what is refused of these days now block nothing any more; returns how many rows that is."""
    accepted = warehouse.records(
        "INSERT INTO ops.accepted_rejects (table_name, partition_day, reject_count) "
        "SELECT $1::text, partition_day, count(*) FROM ops.quarantine "
        "WHERE table_name = $1 AND partition_day BETWEEN $2 AND $3 GROUP BY partition_day "
        "ON CONFLICT (table_name, partition_day) DO UPDATE SET reject_count = excluded.reject_count, "
        "accepted_at = now() RETURNING reject_count",
        (table.name, window.first, window.last),
    )
    return sum(row["reject_count"] for row in accepted)


def _by_day(batches: list[Batch]) -> dict[date, list[Batch]]:
    days: dict[date, list[Batch]] = {}
    for batch in batches:
        days.setdefault(batch.day, []).append(batch)
    return days


def _loaded_batches(warehouse: Warehouse, table: Table, window: Window) -> dict[date, set[int]]:
    """Batches each day's rows were last parsed from by this version of the code."""
    rows = warehouse.records(
        "SELECT partition_day, unnest(batch_ids) AS batch_id FROM ops.loads "
        "WHERE table_name = $1 AND code_version = $2 AND partition_day BETWEEN $3 AND $4",
        (table.name, table.code_version, window.first, window.last),
    )
    days: dict[date, set[int]] = {}
    for row in rows:
        days.setdefault(row["partition_day"], set()).add(row["batch_id"])
    return days


def _gained(batches: list[Batch], loaded: set[int] | None) -> list[Batch]:
    """The batches beyond those loaded; none when the day was never loaded, or lost a batch it was loaded from."""
    if not loaded or not loaded <= {batch.batch_id for batch in batches}:
        return []
    return [batch for batch in batches if batch.batch_id not in loaded]


def _parsed(
    store: RawStore,
    table: Table,
    parsers: Mapping[str, Parser],
    batches: list[Batch],
    unreadable: Mapping[Batch, str],
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Accepted rows of all batches in their order, and the refused ones as quarantine takes them, pack by pack.

    A refused row of an instant that another batch holds in good shape is repaired, and no longer refused. A batch that
    is known to be unreadable is one refused row.
    """
    if unreadable:
        nothing = judge(table, pd.DataFrame(columns=table.column_names)).accepted
        yield nothing, _as_quarantined(_unread(unreadable))
    for together in _packs([batch for batch in batches if batch not in unreadable], ROWS_AT_ONCE):
        keys, refused = [], []
        # a lone batch beyond the limit has no other to repair it, and its keys would be held in memory
        repaired = len(together) > 1 or together[0].expected_rows <= ROWS_AT_ONCE
        for pack in _packs(together, ROWS_OF_A_PACK):
            for accepted, rejected in _judged_pack(store, table, parsers, pack):
                if repaired:
                    keys.append(accepted[list(table.key)])
                refused.append(rejected)
                yield accepted, _as_quarantined(rejected.iloc[:0])
        yield accepted.iloc[:0], _as_quarantined(_unrepaired(table, concat(refused), keys))


def _unrepaired(table: Table, refused: pd.DataFrame, keys: list[pd.DataFrame]) -> pd.DataFrame:
    if table.write is not Write.REPLACE or refused.empty or not keys:
        return refused
    return refused[~_keys(table, refused).isin(_keys(table, concat(keys)))]


def _unread(unreadable: Mapping[Batch, str]) -> pd.DataFrame:
    paths, days = [batch.path for batch in unreadable], [pd.Timestamp(batch.day) for batch in unreadable]
    told = pd.DataFrame({"reason": list(unreadable.values()), "batch": paths, "origin": paths})
    return told.assign(partition_day=pd.Series(days, dtype=DAY))


def _as_quarantined(refused: pd.DataFrame) -> pd.DataFrame:
    return as_rejects(refused.drop(columns=["partition_day", "origin"]), refused["partition_day"], refused["origin"])


def _judged_pack(
    store: RawStore, table: Table, parsers: Mapping[str, Parser], pack: list[Batch]
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Accepted rows, oldest record first where the table keeps the newest, and the refused ones; piece by piece where
    one batch is the pack, as a report may be of any size."""
    if len(pack) == 1:
        for piece in _pieces(store, pack):
            yield _in_order(table, [_judged(table, parsers[pack[0].endpoint], [piece])])
        return
    of_endpoint = {endpoint: [batch for batch in pack if batch.endpoint == endpoint] for endpoint in parsers}
    yield _in_order(
        table,
        [_judged(table, parsers[name], _pieces(store, batches)) for name, batches in of_endpoint.items() if batches],
    )


def _pieces(store: RawStore, batches: list[Batch]) -> Iterator[tuple[Batch, pa.Table]]:
    return ((batch, piece) for batch in batches for piece in store.read_tables(batch.path, batch.sha256))


def _unreadable(store: RawStore, batches: list[Batch]) -> dict[Batch, str]:
    """Reports that cannot be read to their end, and why: one of them must not keep the others from being loaded."""
    found: dict[Batch, str] = {}
    for batch in batches:
        try:
            for _ in store.read_tables(batch.path, batch.sha256):
                pass
        except ReportError as error:
            found[batch] = str(error)
    return found


def _in_order(table: Table, verdicts: list[tuple[pd.DataFrame, pd.DataFrame]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = concat([accepted for accepted, _ in verdicts])
    if table.newest:
        rows = rows.sort_values(list(table.newest), kind="stable", ignore_index=True)
    return rows, concat([rejected for _, rejected in verdicts])


def _judged(
    table: Table, parser: Parser, pieces: Iterable[tuple[Batch, pa.Table]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accepted rows of batches of one endpoint, and the refused with their `partition_day` and `origin`.

    Judged together: a judgement costs some 20 ms however few the rows are.
    """
    of, parsed = [], []
    for batch, piece in pieces:
        of.append(batch)
        parsed.append(parser(piece))
    verdict = judge(table, concat([*parsed, pd.DataFrame(columns=table.column_names)]))
    ends = np.cumsum([len(frame) for frame in parsed])
    owners = [of[number] for number in np.searchsorted(ends, verdict.rejected.index, side="right")]
    days = pd.Series([pd.Timestamp(owner.day) for owner in owners], index=verdict.rejected.index, dtype=DAY)
    return verdict.accepted, verdict.rejected.assign(partition_day=days, origin=[owner.path for owner in owners])


def _keys(table: Table, frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[list(table.key)].astype("object"))


def concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The frames that have rows, one after another; the first when none has."""
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def as_rejects(refused: pd.DataFrame, days: pd.Series, origin: str | pd.Series) -> pd.DataFrame:
    """Refused rows in the columns of `ops.quarantine`, each row kept as JSON; `origin` is that of all or of each."""
    records = refused.drop(columns="reason").to_json(orient="records", lines=True, date_format="iso").splitlines()
    rejects = pd.DataFrame({"reason": refused["reason"].astype(TEXT).to_numpy(), "record": records[: len(refused)]})
    days = pd.to_datetime(days, utc=True).dt.tz_localize(None).dt.normalize()
    rejects["partition_day"] = days.dt.as_unit("ns").reset_index(drop=True)
    return rejects.assign(origin=origin if isinstance(origin, str) else origin.to_numpy())


def count_by_day(frame: pd.DataFrame, column: str, window: Window) -> dict[date, int]:
    counts = pd.to_datetime(frame[column], utc=True).dt.floor("D").value_counts()
    days = dict(zip(pd.DatetimeIndex(counts.index).date, counts.tolist(), strict=True))
    return {day: days.get(day, 0) for day in window.days}


def _input_sizes(warehouse: Warehouse, table: Table, window: Window) -> dict[date, int]:
    rows = warehouse.records(
        "SELECT partition_day, sum(row_count)::bigint AS size FROM ops.loads "
        "WHERE table_name = ANY($1) AND partition_day BETWEEN $2 AND $3 GROUP BY partition_day",
        ([upstream.name for upstream in table.inputs], window.first, window.last),
    )
    return dict.fromkeys(window.days, 0) | {row["partition_day"]: row["size"] for row in rows}


def book(
    transaction: Transaction,
    table_name: str,
    day: date,
    version: str,
    rows: int,
    run_id: str,
    code_version: str = "1",
    batch_ids: Sequence[int] = (),
) -> None:
    """Enter into the books from which version of its inputs a table's day was made."""
    transaction.execute(
        "INSERT INTO ops.loads (table_name, partition_day, input_version, code_version, batch_ids, row_count, run_id) "
        "VALUES ($1, $2, $3, $4, $5::bigint[], $6, $7::uuid) ON CONFLICT (table_name, partition_day) DO UPDATE SET "
        "input_version = excluded.input_version, code_version = excluded.code_version, batch_ids = excluded.batch_ids, "
        "row_count = excluded.row_count, run_id = excluded.run_id, loaded_at = now()",
        (table_name, day, version, code_version, list(batch_ids), rows, run_id),
    )
