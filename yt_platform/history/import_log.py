"""The imports that were made: what each brought and refused, and taking one back.

Belongs here: what the catalogue says of imports, and the steps of an undo. Not here: what goes with an import when it
goes (`import_removal.py`), making an import (`importing.py`), making derived days anew (a run).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from yt_platform.history.import_removal import RAW_HISTORY, delete_files, possibly_shared, remove_from_catalogue
from yt_platform.history.importing import ImportRefusedError
from yt_platform.storage.raw import RawStore
from yt_platform.tables.declaration import REJECT_LIMIT
from yt_platform.warehouse.warehouse import Transaction, Warehouse

SHOWN_REASONS = 5
SHORT_ID = 12
"""Digits of an import's id that are shown; as many as tell it from the others are enough to name it."""

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
    anew. Called again after an interruption it goes on. `end_undo` is called once the days are made. Raises
    ImportRefusedError where batches of it may be those of another import as well, and nothing tells.
    """
    with warehouse.transaction() as transaction:
        transaction.take_turns("raw.imports")
        _refuse_shared(transaction, import_id)
        remove_from_catalogue(transaction, import_id)
    delete_files(warehouse, store, import_id)


def _refuse_shared(transaction: Transaction, import_id: str) -> None:
    others = [shared for shared in possibly_shared(transaction, import_id) if not shared.is_certain]
    if others:
        named = ", ".join(f"{other.name} ({other.import_id[:SHORT_ID]})" for other in others)
        raise ImportRefusedError(
            f"the import {import_id[:SHORT_ID]} cannot be taken back yet: readings of it are those of {named} as well, "
            "and the version that imported them did not note which. Import the files of the latter again, which notes "
            "it, or take the latter back first"
        )
