"""Loading a table's days: which days to take at once, judged rows in, rejects to quarantine, and the books.

A chunk of days is one transaction: rows, rejects and the entry in `ops.loads` are there together or not at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa

from yt_platform.core.lineage import NODE, Node, input_version, pack_days
from yt_platform.core.progress import Progress
from yt_platform.core.schemas import TABLES
from yt_platform.core.schemas.base import DAY, TEXT, Table, judge
from yt_platform.io.raw import RawStore
from yt_platform.io.warehouse import Transaction, Warehouse, Window

ROWS_AT_ONCE = 250_000
"""Rows of input held in memory at a time: about 150 MB in pandas, with copies."""

Parser = Callable[[pa.Table], pd.DataFrame]


@dataclass(frozen=True)
class Loaded:
    """What a load wrote: rows by day, and how many rows were refused."""

    rows: Mapping[date, int]
    rejects: int

    @property
    def row_count(self) -> int:
        return sum(self.rows.values())

    def plus(self, rows: Mapping[date, int], rejects: int) -> "Loaded":
        return Loaded({**self.rows, **rows}, self.rejects + rejects)

    @property
    def reject_share(self) -> float:
        total = self.row_count + self.rejects
        return self.rejects / total if total else 0.0


@dataclass(frozen=True)
class Batch:
    """A row of `raw.batches`, as far as loading needs it."""

    batch_id: int
    endpoint: str
    day: date
    path: str
    sha256: str
    row_count: int


def batches_of(warehouse: Warehouse, endpoints: list[str], window: Window) -> list[Batch]:
    """The catalogue's batches of these endpoints and days, oldest first."""
    rows = warehouse.records(
        "SELECT batch_id, endpoint, partition_day AS day, path, sha256, row_count FROM raw.batches "
        "WHERE endpoint = ANY($1) AND partition_day BETWEEN $2 AND $3 ORDER BY partition_day, batch_id",
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
    are made anew from all of their batches.
    """
    node = NODE[table.name]
    versions = raw_versions(warehouse, window)
    batches: dict[date, list[Batch]] = {day: [] for day in window.days} | _by_day(
        batches_of(warehouse, list(parsers), window)
    )
    loaded = _loaded_batches(warehouse, node, window)
    sizes = {day: sum(batch.row_count for batch in found) for day, found in batches.items()}
    total = Loaded({}, 0)
    for chunk in (Window(*ends) for ends in pack_days(sizes, ROWS_AT_ONCE)):
        gained = {day: _gained(batches[day], loaded.get(day)) for day in chunk.days}
        grew = all(gained.values())
        taken = gained if grew else {day: batches[day] for day in chunk.days}
        accepted, rejected = _parse(store, table, parsers, [batch for day in chunk.days for batch in taken[day]])
        counts = count_by_day(accepted, table.window, chunk)
        with warehouse.transaction() as transaction:
            if grew:
                transaction.upsert(table, accepted, run_id)
                transaction.add_to_quarantine(table.name, rejected, run_id)
            else:
                transaction.write(table, accepted, chunk, run_id)
                transaction.quarantine(table.name, rejected, chunk, run_id)
            for day in chunk.days:
                ids = [batch.batch_id for batch in batches[day]]
                _book(transaction, node, day, input_version(node, day, versions), counts[day], ids, run_id)
        total = total.plus(counts, len(rejected))
        progress(len(total.rows), len(window.days), f"{table.name}, days")
    return total


def load_from_tables(
    warehouse: Warehouse,
    table: Table,
    build: Callable[[Mapping[str, pd.DataFrame], pd.Timestamp, pd.Timestamp], pd.DataFrame],
    window: Window,
    run_id: str,
    progress: Progress,
) -> Loaded:
    """Make the rows of `window` from the table's inputs: `build(frames by input table, first day, last day)`."""
    node = NODE[table.name]
    furthest = max(upstream.lookback_days for upstream in node.inputs)
    versions = loaded_versions(warehouse, window.reaching_back(furthest))
    sizes = _input_sizes(warehouse, node, window)
    total = Loaded({}, 0)
    for chunk in (Window(*ends) for ends in pack_days(sizes, ROWS_AT_ONCE)):
        frames = {
            upstream.name: warehouse.read_window(TABLES[upstream.name], chunk.reaching_back(upstream.lookback_days))
            for upstream in node.inputs
        }
        verdict = judge(table, build(frames, pd.Timestamp(chunk.first), pd.Timestamp(chunk.last)))
        rejected = as_rejects(verdict.rejected, verdict.rejected[table.window], f"made from {', '.join(frames)}")
        counts = count_by_day(verdict.accepted, table.window, chunk)
        with warehouse.transaction() as transaction:
            transaction.write(table, verdict.accepted, chunk, run_id)
            transaction.quarantine(table.name, rejected, chunk, run_id)
            for day in chunk.days:
                _book(transaction, node, day, input_version(node, day, versions), counts[day], [], run_id)
        total = total.plus(counts, len(rejected))
        progress(len(total.rows), len(window.days), f"{table.name}, days")
    return total


def _by_day(batches: list[Batch]) -> dict[date, list[Batch]]:
    days: dict[date, list[Batch]] = {}
    for batch in batches:
        days.setdefault(batch.day, []).append(batch)
    return days


def _loaded_batches(warehouse: Warehouse, node: Node, window: Window) -> dict[date, set[int]]:
    """Batches each day's rows were last parsed from by this version of the code."""
    rows = warehouse.records(
        "SELECT partition_day, unnest(batch_ids) AS batch_id FROM ops.loads "
        "WHERE table_name = $1 AND code_version = $2 AND partition_day BETWEEN $3 AND $4",
        (node.table, node.code_version, window.first, window.last),
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


def _parse(
    store: RawStore, table: Table, parsers: Mapping[str, Parser], batches: list[Batch]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accepted rows of all batches in their order, and the refused ones as quarantine takes them."""
    accepted = [pd.DataFrame(columns=table.column_names)]
    rejected = [as_rejects(accepted[0].assign(reason=""), accepted[0][table.window], "")]
    for batch in batches:
        verdict = judge(table, parsers[batch.endpoint](store.read_table(batch.path, batch.sha256)))
        accepted.append(verdict.accepted)
        rejected.append(as_rejects(verdict.rejected, pd.Timestamp(batch.day), batch.path))
    rows = judge(table, concat(accepted)).accepted
    if table.newest:
        rows = rows.sort_values(list(table.newest), kind="stable", ignore_index=True)
    return rows, concat(rejected)


def concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The frames that have rows, one after another; the first when none has."""
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def as_rejects(refused: pd.DataFrame, day: pd.Timestamp | pd.Series, origin: str) -> pd.DataFrame:
    """Refused rows in the columns of `ops.quarantine`, each row kept as JSON; `day` is the partition of all or each."""
    records = refused.drop(columns="reason").to_json(orient="records", lines=True, date_format="iso").splitlines()
    rejects = pd.DataFrame({"reason": refused["reason"].astype(TEXT).to_numpy(), "record": records[: len(refused)]})
    rejects["partition_day"] = pd.Series(day, index=refused.index, dtype=DAY).to_numpy()
    return rejects.assign(origin=origin)


def count_by_day(frame: pd.DataFrame, column: str, window: Window) -> dict[date, int]:
    days = pd.to_datetime(frame[column], utc=True).dt.date.value_counts()
    return {day: int(days.get(day, 0)) for day in window.days}


def _input_sizes(warehouse: Warehouse, node: Node, window: Window) -> dict[date, int]:
    rows = warehouse.records(
        "SELECT partition_day, sum(row_count)::bigint AS size FROM ops.loads "
        "WHERE table_name = ANY($1) AND partition_day BETWEEN $2 AND $3 GROUP BY partition_day",
        ([upstream.name for upstream in node.inputs], window.first, window.last),
    )
    return dict.fromkeys(window.days, 0) | {row["partition_day"]: row["size"] for row in rows}


def _book(
    transaction: Transaction, node: Node, day: date, version: str, rows: int, batch_ids: list[int], run_id: str
) -> None:
    transaction.execute(
        "INSERT INTO ops.loads (table_name, partition_day, input_version, code_version, batch_ids, row_count, run_id) "
        "VALUES ($1, $2, $3, $4, $5::bigint[], $6, $7::uuid) ON CONFLICT (table_name, partition_day) DO UPDATE SET "
        "input_version = excluded.input_version, code_version = excluded.code_version, batch_ids = excluded.batch_ids, "
        "row_count = excluded.row_count, run_id = excluded.run_id, loaded_at = now()",
        (node.table, day, version, node.code_version, batch_ids, rows, run_id),
    )
