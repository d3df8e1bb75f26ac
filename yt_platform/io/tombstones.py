"""Ids that were forgotten, as salted hashes in `ops.forgotten`: putting them up, and knowing them again.

What is deleted and how is `io/forgetting.py`; imports and pulls ask here what to leave out.
"""

from collections.abc import Sequence

from yt_platform.core.forgetting import Tombstones, digest
from yt_platform.io.warehouse import Warehouse


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


def _salt(warehouse: Warehouse) -> bytes:
    return bytes(warehouse.records("SELECT salt FROM ops.forgotten_salt")[0]["salt"])
