"""Taking an import out of the platform: what goes with it, and what others still need.

Belongs here: everything that follows in the catalogue, the tables and the raw store when an import goes, because a
person takes it back or because the same files were imported anew. Not here: who decides that (`import_log.py`,
`importing.py`), making derived days anew (a run).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import DAILY_TABLES, contiguous, with_short_gaps
from yt_platform.metrics.tables import IMPORT
from yt_platform.storage.raw import RawStore
from yt_platform.tables.declaration import Write
from yt_platform.warehouse.warehouse import Transaction, Warehouse, Window

RAW_HISTORY = "raw.history"

LARGE_BATCH = 10_000
"""Rows from which on an import may have several batches of one endpoint and day; parts are far larger than this."""

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


@dataclass(frozen=True)
class Shared:
    """Batches of one import that are, or may be, those of a later import as well."""

    import_id: str
    name: str
    batch_ids: Collection[int]
    is_certain: bool


def possibly_shared(transaction: Transaction, import_id: str) -> list[Shared]:
    """Which batches of this import later imports may have brought too, without being noted as theirs.

    Up to commit 9529093 a batch was noted as that of the first import that brought it. What is left of an import's rows
    beside its own batches tells that it shares some, and where it is as much as all that it can share, it tells which.
    Two imports that share a batch have no other batch of that endpoint and day, unless it is large.
    """
    rows = transaction.records(
        "WITH noted AS (SELECT import_id, name, imported_at, "
        "row_count - coalesce(sum(batch.rows), 0)::bigint AS rows_left FROM raw.imports "
        "LEFT JOIN (SELECT import_id, row_count AS rows FROM raw.import_batches JOIN raw.batches "
        "USING (batch_id)) AS batch USING (import_id) WHERE record_count IS NULL GROUP BY import_id) "
        "SELECT DISTINCT later.import_id, later.name, later.rows_left, batch.batch_id, batch.row_count, "
        "EXISTS (SELECT FROM raw.import_batches AS own WHERE own.import_id = $1 AND own.batch_id = batch.batch_id) "
        "AS is_own FROM noted AS later JOIN noted AS earlier ON earlier.imported_at < later.imported_at "
        "JOIN raw.import_batches AS link ON link.import_id = earlier.import_id "
        "JOIN raw.batches AS batch ON batch.batch_id = link.batch_id "
        "WHERE later.rows_left > 0 AND later.import_id <> $1 AND (batch.row_count >= $2 OR NOT EXISTS "
        "(SELECT FROM raw.import_batches AS same JOIN raw.batches AS theirs USING (batch_id) "
        "WHERE same.import_id = later.import_id AND theirs.endpoint = batch.endpoint "
        "AND theirs.partition_day = batch.partition_day))",
        (import_id, LARGE_BATCH),
    )
    found = []
    for other in {row["import_id"]: row for row in rows}.values():
        candidates = [row for row in rows if row["import_id"] == other["import_id"]]
        own = [row["batch_id"] for row in candidates if row["is_own"]]
        if own:
            is_certain = sum(row["row_count"] for row in candidates) == other["rows_left"]
            found.append(Shared(other["import_id"], other["name"], own, is_certain))
    return found


def delete_files(warehouse: Warehouse, store: RawStore, import_id: str) -> None:
    """Delete the files of an import's batches that are in the catalogue no more."""
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


def remove_from_catalogue(transaction: Transaction, import_id: str) -> None:
    """Take out what this import alone brought: batches, refused rows, days of which nothing is left, newest states.

    Batches that are another import's as well stay, and so do those of which that is possible.
    """
    for other in possibly_shared(transaction, import_id):
        transaction.execute(
            "INSERT INTO raw.import_batches (import_id, batch_id) SELECT $1, unnest($2::bigint[]) "
            "ON CONFLICT DO NOTHING",
            (other.import_id, list(other.batch_ids)),
        )
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
