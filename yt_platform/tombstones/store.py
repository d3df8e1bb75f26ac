"""Ids that were forgotten, as salted hashes in `ops.forgotten`: putting them up, and knowing them again.

What is deleted and how is `privacy/forgetting.py`; imports and pulls ask here what to leave out. A copy lies beside
every known backup and in YT_HOME, so that a restore, which brings an older state back, knows what was forgotten since.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from yt_platform.errors import PlatformError
from yt_platform.storage.private import write_private
from yt_platform.tombstones.ids import Tombstones, digest

if TYPE_CHECKING:
    from yt_platform.warehouse.warehouse import Warehouse  # which asks here what to leave out

FILE = "forgotten.json"

NONE_MEANWHILE = "LOCK TABLE ops.forgotten IN SHARE MODE"
"""In a transaction that stores what YouTube told, before it asks for the tombstones: none is put up until it ends. What
it stores of an id is so either left out, or there when the deletion begins."""


class TombstoneError(PlatformError):
    """Tombstones cannot be carried over; the message says why and what to do."""


class Records(Protocol):
    """The warehouse, or a transaction on it."""

    def records(self, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]: ...


def tombstones(warehouse: Records) -> Tombstones:
    """What was forgotten, as far as it can be recognised."""
    rows = warehouse.records("SELECT digest FROM ops.forgotten")
    return Tombstones(_salt(warehouse), frozenset(row["digest"] for row in rows))


def bury(warehouse: "Warehouse", kind: str, names: Sequence[str]) -> None:
    """Put up tombstones, with the ids on them until all is done."""
    salt = _salt(warehouse)
    warehouse.records(
        "INSERT INTO ops.forgotten (digest, kind, pending) "
        "SELECT digest, $1, name FROM unnest($2::text[], $3::text[]) AS stone (digest, name) "
        "ON CONFLICT (digest) DO UPDATE SET forgotten_at = now(), pending = excluded.pending RETURNING 1",
        (kind, [digest(salt, name) for name in names], list(names)),
    )


def pending(warehouse: "Warehouse") -> dict[str, str]:
    """Ids that are not forgotten to the end yet, with their kinds."""
    rows = warehouse.records("SELECT pending, kind FROM ops.forgotten WHERE pending IS NOT NULL")
    return {row["pending"]: row["kind"] for row in rows}


def save(warehouse: "Warehouse", folder: Path) -> None:
    """Write a copy of the tombstones to a folder, for its user alone: with the salt, ids can be tried one by one."""
    rows = warehouse.records("SELECT digest, kind FROM ops.forgotten ORDER BY digest")
    copy = {"salt": _salt(warehouse).hex(), "forgotten": {row["digest"]: row["kind"] for row in rows}}
    write_private(folder / FILE, json.dumps(copy, indent=2) + "\n")


def save_copies(warehouse: "Warehouse", home: Path) -> list[Path]:
    """As `save`, to YT_HOME and beside the backups that are where they were made; returns those."""
    rows = warehouse.records("SELECT folder FROM ops.backups ORDER BY created_at")
    backups = [folder for folder in (Path(row["folder"]) for row in rows) if folder.exists()]
    for folder in (home, *backups):
        save(warehouse, folder)
    return backups


def check_list(home: Path, backup: Path, *, lost: bool) -> None:
    """Whether it is known what to leave out of a backup: a copy of it tells only what was forgotten when it was copied.

    Raises TombstoneError where YT_HOME has no list, unless it is said to be `lost`, or that of another platform.
    """
    if not (home / FILE).exists():
        if lost:
            return
        raise TombstoneError(
            f"nothing says what was forgotten since this backup was made: copy {FILE} of the platform's YT_HOME to "
            f"{home} first. Where that is lost, `yt-platform restore --list-is-lost` leaves out what the list beside "
            "the backup has, if any, and forgetting again what was asked for since is yours to do"
        )
    if (backup / FILE).exists() and _read(home)["salt"] != _read(backup)["salt"]:
        raise _of_another(home)


def bring_back(warehouse: "Warehouse", folder: Path) -> None:
    """Add the tombstones of a folder's copy, if it has one. Raises TombstoneError for those of another platform."""
    if not (folder / FILE).exists():
        return
    copy = _read(folder)
    if bytes.fromhex(copy["salt"]) != _salt(warehouse):
        if warehouse.records("SELECT FROM ops.forgotten LIMIT 1"):
            raise _of_another(folder)
        warehouse.records("UPDATE ops.forgotten_salt SET salt = $1 RETURNING 1", (bytes.fromhex(copy["salt"]),))
    warehouse.records(
        "INSERT INTO ops.forgotten (digest, kind) SELECT * FROM unnest($1::text[], $2::text[]) "
        "ON CONFLICT DO NOTHING RETURNING 1",
        (list(copy["forgotten"].keys()), list(copy["forgotten"].values())),
    )


def _read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FILE).read_text())
    return found


def _of_another(folder: Path) -> TombstoneError:
    return TombstoneError(
        f"{folder / FILE} lists what another platform has forgotten: restore into a YT_HOME of its own, or move the "
        "file away if it does not concern what is restored"
    )


def _salt(warehouse: Records) -> bytes:
    return bytes(warehouse.records("SELECT salt FROM ops.forgotten_salt")[0]["salt"])
