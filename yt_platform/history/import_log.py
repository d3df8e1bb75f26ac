"""The imports that were made: what each brought and refused, and taking one back.

Belongs here: what the books say of imports, and everything that goes with one of them. Not here: making an import
(`importing.py`), reading files (`history`), making derived days anew (a run).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import DAILY_TABLES, contiguous, with_short_gaps
from yt_platform.history.importing import RAW_HISTORY, ImportRefusedError
from yt_platform.metrics.tables import IMPORT
from yt_platform.storage.raw import RawStore
from yt_platform.tables.declaration import REJECT_LIMIT, Write
from yt_platform.warehouse.warehouse import Transaction, Warehouse, Window

SHOWN_REASONS = 5
SHORT_ID = 12
"""Digits of an import's id that are shown; as many as tell it from the others are enough to name it."""

FORECASTS = {
    "predictions.video_forecast": ("video_id", "metrics.video_snapshots"),
    "predictions.video_hour_forecast": ("video_id", "metrics.video_snapshots"),
    "predictions.channel_forecast": ("channel_id", "metrics.channel_snapshots"),
    "predictions.forecast_accuracy": ("video_id", "metrics.video_snapshots"),
    "predictions.video_hour_forecast_accuracy": ("video_id", "metrics.video_snapshots"),
    "predictions.channel_forecast_accuracy": ("channel_id", "metrics.channel_snapshots"),
}
"""What each forecast is about, and the table that has readings of it while there are any."""

OF_MODELS = ("models.scorecards", "models.champions", "models.backtest_forecasts", "ops.drift")
"""How models did: of a platform without any data they say nothing."""

_ALIKE = r"'[^']*'|(?<=line )\d+|(?<=character )\d+|\d{4}-\d\d-\d\d[ T]?[\d:.+]*"
"""What differs between refusals for one reason: quoted values, places and times."""


@dataclass(frozen=True)
class Reason:
    """Rows that one import refused for one reason, with one of them as an example."""

    reason: str
    rows: int
    origin: str
    record: str


@dataclass(frozen=True)
class Import:
    """An import in the books. `rows` counts lines of the files that were taken, `refused` those that were not."""

    import_id: str
    name: str
    imported_at: datetime
    rows: int
    refused: int
    accepted_at: datetime | None
    is_being_undone: bool
    reasons: Sequence[Reason]

    @property
    def refused_share(self) -> float:
        return self.refused / (self.rows + self.refused) if self.refused else 0.0

    @property
    def is_broken(self) -> bool:
        """Whether more rows were refused than may pass unseen, and nobody has accepted it."""
        return self.refused_share > REJECT_LIMIT and self.accepted_at is None


def listed(warehouse: Warehouse) -> list[Import]:
    """All imports, the newest first."""
    rows = warehouse.records(
        "SELECT import_id, name, imported_at, coalesce(record_count, row_count) AS rows, reject_count AS refused, "
        "accepted_at, undoing IS NOT NULL AS is_being_undone, run_id FROM raw.imports ORDER BY imported_at DESC"
    )
    reasons = _reasons(warehouse) if any(row["refused"] for row in rows) else {}
    return [Import(reasons=reasons.get(row.pop("run_id"), []), **row) for row in rows]


def found(warehouse: Warehouse, name: str) -> Import:
    """The import of which this is the id, or its beginning. Raises ImportRefusedError unless it is exactly one's."""
    fitting = [one for one in listed(warehouse) if name and one.import_id.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    why = "begins the ids of several imports" if fitting else "is no import's id"
    raise ImportRefusedError(f"{name!r} {why}; `yt-platform imports` lists them")


def accept(warehouse: Warehouse, import_id: str) -> None:
    """Let what the import refused be broken no more."""
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE raw.imports SET accepted_at = now() WHERE import_id = $1", (import_id,))


def _reasons(warehouse: Warehouse) -> dict[object, list[Reason]]:
    """What the importer refused by run, the most frequent reason first."""
    rows = warehouse.records(
        "SELECT run_id, min(regexp_replace(reason, $2, '…', 'g')) AS reason, count(*) AS rows, "
        "(array_agg(origin ORDER BY quarantine_id))[1] AS origin, "
        "(array_agg(record ORDER BY quarantine_id))[1] AS record "
        "FROM ops.quarantine WHERE table_name = $1 GROUP BY run_id, regexp_replace(reason, $2, '…', 'g') "
        "ORDER BY count(*) DESC, reason",
        (RAW_HISTORY, _ALIKE),
    )
    reasons: dict[object, list[Reason]] = {}
    for row in rows:
        record = row["record"].get("text") or str(row["record"])
        reasons.setdefault(row["run_id"], []).append(Reason(row["reason"], row["rows"], row["origin"], record))
    return reasons


def take_back(warehouse: Warehouse, store: RawStore, import_id: str) -> None:
    """Remove what an import brought from the catalogue, the tables and the raw store.

    Days that have nothing left are emptied here; days of which something is left are stale then, and a run makes them
    anew. Called again after an interruption it goes on. `end_undo` is called once the days are made.
    """
    with warehouse.transaction() as transaction:
        transaction.take_turns("raw.imports")
        _take_out_of_the_books(transaction, import_id)
    [row] = warehouse.records("SELECT undoing FROM raw.imports WHERE import_id = $1", (import_id,))
    for path in row["undoing"]:
        if not warehouse.records("SELECT FROM raw.batches WHERE path = $1", (path,)):
            store.delete(path)


def end_undo(warehouse: Warehouse, import_id: str) -> None:
    """Forget the import itself, and forecasts about what has no reading any more."""
    with warehouse.transaction() as transaction:
        for forecast, (column, readings) in FORECASTS.items():
            transaction.execute(
                f"DELETE FROM {forecast} AS made WHERE NOT EXISTS "
                f"(SELECT FROM {readings} AS reading WHERE reading.{column} = made.{column})"
            )
        for name in OF_MODELS:
            transaction.execute(f"DELETE FROM {name} WHERE NOT EXISTS (SELECT FROM raw.batches)")
        transaction.execute("DELETE FROM raw.imports WHERE import_id = $1", (import_id,))


def _take_out_of_the_books(transaction: Transaction, import_id: str) -> None:
    own = transaction.records(
        "SELECT batch_id, endpoint, path FROM raw.batches JOIN raw.import_batches AS own USING (batch_id) "
        "WHERE import_id = $1 AND NOT EXISTS (SELECT FROM raw.import_batches AS other "
        "WHERE other.batch_id = own.batch_id AND other.import_id <> own.import_id)",
        (import_id,),
    )
    paths = [batch["path"] for batch in own]
    before = _days(transaction)
    transaction.execute(
        "DELETE FROM raw.batches WHERE batch_id = ANY($1::bigint[])", ([batch["batch_id"] for batch in own],)
    )
    _empty(transaction, before - _days(transaction))
    _unmake_newest_states(transaction, {f"raw.{batch['endpoint']}" for batch in own})
    transaction.execute("DELETE FROM ops.quarantine WHERE origin = ANY($1)", (paths,))
    transaction.execute(
        "DELETE FROM ops.quarantine WHERE table_name = $2 AND run_id = "
        "(SELECT run_id FROM raw.imports WHERE import_id = $1)",
        (import_id, RAW_HISTORY),
    )
    transaction.execute("DELETE FROM raw.import_batches WHERE import_id = $1", (import_id,))
    transaction.execute(
        "UPDATE raw.imports SET undoing = coalesce(undoing, '{}') || $2::text[] WHERE import_id = $1",
        (import_id, paths),
    )


def _days(transaction: Transaction) -> set[date]:
    """Days that tables are made for."""
    rows = transaction.records("SELECT DISTINCT partition_day AS day FROM raw.batches")
    return with_short_gaps(row["day"] for row in rows)


def _empty(transaction: Transaction, days: Iterable[date]) -> None:
    """Leave nothing of days of which nothing is known any more, but for what is about no day's data."""
    made = frozenset(table.name for table in DAILY_TABLES)
    for first, last, _ in contiguous(dict.fromkeys(days, made)):
        window = Window(first, last)
        for name in (*made, *FORECASTS):
            transaction.clear(TABLES[name], window)
        transaction.execute("DELETE FROM ops.loads WHERE partition_day BETWEEN $1 AND $2", (window.first, window.last))
        transaction.execute(
            "DELETE FROM ops.accepted_rejects WHERE partition_day BETWEEN $1 AND $2", (window.first, window.last)
        )


def _unmake_newest_states(transaction: Transaction, lost: set[str]) -> None:
    """A newest state that an import brought may hide an older one: all of such tables are read from raw again."""
    for table in DAILY_TABLES:
        if table.write is Write.NEWEST and lost & {source.name for source in table.inputs}:
            transaction.execute(f"DELETE FROM {table.name} WHERE access = $1", (IMPORT,))
            transaction.execute(
                "UPDATE ops.loads SET input_version = '', batch_ids = '{}' WHERE table_name = $1", (table.name,)
            )
