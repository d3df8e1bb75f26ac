"""Ids that were forgotten, as salted hashes in `ops.forgotten`: putting them up, and knowing them again.

What is deleted and how is `io/forgetting.py`; imports and pulls ask here what to leave out. A copy lies beside every
known backup and in YT_HOME, so that a restore, which brings an older state back, knows what was forgotten since.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from yt_platform.core.forgetting import Tombstones, digest
from yt_platform.io.warehouse import Warehouse

FILE = "forgotten.json"


class TombstoneError(RuntimeError):
    """Tombstones cannot be carried over; the message says why and what to do."""


def tombstones(warehouse: Warehouse) -> Tombstones:
    """What was forgotten, as far as it can be recognised."""
    rows = warehouse.records("SELECT digest FROM ops.forgotten")
    return Tombstones(_salt(warehouse), frozenset(row["digest"] for row in rows))


def bury(warehouse: Warehouse, kind: str, names: Sequence[str]) -> None:
    """Put up tombstones, with the ids on them until all is done."""
    salt = _salt(warehouse)
    warehouse.records(
        "INSERT INTO ops.forgotten (digest, kind, pending) "
        "SELECT digest, $1, name FROM unnest($2::text[], $3::text[]) AS stone (digest, name) "
        "ON CONFLICT (digest) DO UPDATE SET forgotten_at = now(), pending = excluded.pending RETURNING 1",
        (kind, [digest(salt, name) for name in names], list(names)),
    )


def pending(warehouse: Warehouse) -> dict[str, str]:
    """Ids that are not forgotten to the end yet, with their kinds."""
    rows = warehouse.records("SELECT pending, kind FROM ops.forgotten WHERE pending IS NOT NULL")
    return {row["pending"]: row["kind"] for row in rows}


def save(warehouse: Warehouse, folder: Path) -> None:
    """Write a copy of the tombstones to a folder."""
    rows = warehouse.records("SELECT digest, kind FROM ops.forgotten ORDER BY digest")
    copy = {"salt": _salt(warehouse).hex(), "forgotten": {row["digest"]: row["kind"] for row in rows}}
    file = folder / FILE
    written = file.with_suffix(".new")
    written.write_text(json.dumps(copy, indent=2) + "\n")
    written.replace(file)


def bring_back(warehouse: Warehouse, folder: Path) -> None:
    """Add the tombstones of a folder's copy, if it has one. Raises TombstoneError for those of another platform."""
    file = folder / FILE
    if not file.exists():
        return
    copy = json.loads(file.read_text())
    if bytes.fromhex(copy["salt"]) != _salt(warehouse):
        if warehouse.records("SELECT FROM ops.forgotten LIMIT 1"):
            raise TombstoneError(
                f"{file} lists what another platform has forgotten: restore into a YT_HOME of its own, or move the "
                "file away if it does not concern what is restored"
            )
        warehouse.records("UPDATE ops.forgotten_salt SET salt = $1 RETURNING 1", (bytes.fromhex(copy["salt"]),))
    warehouse.records(
        "INSERT INTO ops.forgotten (digest, kind) SELECT * FROM unnest($1::text[], $2::text[]) "
        "ON CONFLICT DO NOTHING RETURNING 1",
        (list(copy["forgotten"].keys()), list(copy["forgotten"].values())),
    )


def _salt(warehouse: Warehouse) -> bytes:
    return bytes(warehouse.records("SELECT salt FROM ops.forgotten_salt")[0]["salt"])
