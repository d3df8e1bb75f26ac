"""Backups: the three databases, the raw batches the catalogue names, and the bundles of models, in one folder.

A backup is written beside its name and renamed when it is complete and read back. Raw batches are immutable, so those
copied after the warehouse was dumped are all that its catalogue names. A restore takes a backup for a stranger's until
its manifest is signed by a key that is trusted, and then takes what the manifest names and nothing else. Not here: when
backups are made, and where they are taken to; what is read out of a dump (`privacy/dumps.py`).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import orjson
import psycopg
from psycopg import pq
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from yt_platform.errors import PlatformError
from yt_platform.privacy.signing import SigningKey, is_signed, own_key
from yt_platform.progress import Progress
from yt_platform.storage.raw import OWN_FILE, UNFINISHED, RawStore
from yt_platform.tombstones.store import FILE as FORGOTTEN
from yt_platform.tombstones.store import save
from yt_platform.warehouse.databases import DAGSTER, MLFLOW, WAREHOUSE, DatabaseUrls
from yt_platform.warehouse.warehouse import Warehouse

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
FORMAT, UNSIGNED_FORMAT = 3, 2
BESIDE = {MANIFEST, SIGNATURE, FORGOTTEN, Path(FORGOTTEN).with_suffix(".new").name}
"""Files of a backup that its manifest cannot name: forgetting adds to the last two later."""

INCOMPLETE = ".incomplete"
ARTIFACTS = "models"
RAW = "raw"


class BackupError(PlatformError):
    """A backup cannot be made or used; the message says why and what to do."""


UNSIGNED: Literal["unsigned"] = "unsigned"
"""In place of a trusted key: a backup of before they were signed, whoever made it."""


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True)
class Manifest:
    """What a backup holds: sha256 by file of the dumps and bundles, and the raw batches by path in the raw store; and
    until when it may be kept, as YouTube's terms let nobody keep its data for ever. `sizes` are the bytes of all these
    files by path in the backup; format 2 has none."""

    format: int
    created_at: str
    artifact_folder: str
    files: dict[str, str]
    batches: dict[str, str]
    keep_until: str
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def kept_until(self) -> datetime:
        """Raises ValueError where it is no time."""
        return datetime.fromisoformat(self.keep_until).astimezone(UTC)

    @property
    def hashes(self) -> dict[str, str]:
        """sha256 of every file by its path in the backup."""
        return {**self.files, **{f"{RAW}/{path}": sha256 for path, sha256 in self.batches.items()}}


@dataclass(frozen=True)
class Place:
    """Where a platform keeps what a backup holds: databases, raw batches, and the folder of model bundles.

    `programs` is the folder of PostgreSQL's pg_dump and pg_restore, `home` is YT_HOME.
    """

    urls: DatabaseUrls
    raw: RawStore
    artifacts: Path
    programs: Path
    home: Path

    @property
    def databases(self) -> dict[str, str]:
        return {WAREHOUSE: self.urls.warehouse, DAGSTER: self.urls.dagster, MLFLOW: self.urls.mlflow}


def back_up(place: Place, folder: Path, keep_days: int, progress: Progress) -> Manifest:
    """Write a backup to `folder`, which must not exist, to be kept for so many days, signed by the key of YT_HOME.

    Raises BackupError, KeyFileError, and CorruptBatchError for a raw batch whose bytes are no longer the catalogue's.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists already: a backup is never written over another; name a new folder")
    key = own_key(place.home)
    now = datetime.now(UTC)
    created_at, keep_until = (at.isoformat(timespec="seconds") for at in (now, now + timedelta(days=keep_days)))
    begun = folder.with_name(f".{folder.name}{INCOMPLETE}")
    _book(place, begun, created_at, keep_until)  # first, so that forgetting finds what a killed one leaves
    if begun.exists():
        shutil.rmtree(begun)
    begun.mkdir(parents=True, mode=0o700)
    for name, url in place.databases.items():
        progress(0, None, f"backup, database {name}")
        _dump(place.programs / "pg_dump", url, begun / f"{name}.dump")
    batches = dict(_catalogue(place.urls.warehouse))
    for done, (path, sha256) in enumerate(batches.items(), start=1):
        target = begun / RAW / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(place.raw.read_bytes(path, sha256))
        progress(done, len(batches), "backup, raw batches")
    if place.artifacts.exists():
        shutil.copytree(place.artifacts, begun / ARTIFACTS, symlinks=True)  # a link is refused, and followed nowhere
    sizes = _sizes(begun)
    files = {name: digest_of(begun / name) for name in sizes if not name.startswith(f"{RAW}/")}
    manifest = Manifest(FORMAT, created_at, str(place.artifacts), files, batches, keep_until, sizes)
    _check_names(manifest, place.artifacts)
    _write_signed(begun, manifest, key)
    for copied in (begun, place.home):  # none of the manifest's files, as later forgettings add to it
        save(Warehouse(place.urls.warehouse), copied)
    for name in _sizes(begun):
        sync(begun / name)
    begun.replace(folder)
    _book(place, folder, created_at, keep_until)
    delete_incomplete(place.urls.warehouse)
    return manifest


def delete_incomplete(url: str) -> None:
    """Delete what interrupted backups left, while nobody makes one."""
    with psycopg.connect(url) as connection:
        for folder in _struck_off(connection):
            if folder.exists():
                shutil.rmtree(folder)


def unbook_incomplete(url: str) -> None:
    """Once a backup is restored: its dump has the row under which it was made."""
    with psycopg.connect(url) as connection:
        _struck_off(connection)


def _struck_off(connection: psycopg.Connection[Any]) -> list[Path]:
    struck = connection.execute(
        "DELETE FROM ops.backups WHERE starts_with(reverse(folder), reverse(%s)) RETURNING folder", (INCOMPLETE,)
    ).fetchall()
    return [Path(folder) for (folder,) in struck]


def _book(place: Place, folder: Path, created_at: str, keep_until: str) -> None:
    with psycopg.connect(place.urls.warehouse) as connection:
        connection.execute(
            "INSERT INTO ops.backups (folder, created_at, keep_until) VALUES (%s, %s, %s) ON CONFLICT (folder) "
            "DO UPDATE SET created_at = excluded.created_at, keep_until = excluded.keep_until",
            (str(folder), created_at, keep_until),
        )


def verify(folder: Path, trusted: str, progress: Progress) -> Manifest:
    """The manifest of a backup that is signed by the trusted key, and whose every file is there with its bytes, and no
    other. Raises BackupError."""
    manifest = _signed_manifest(folder, trusted)
    _check_names(manifest, folder)
    expected, found = manifest.hashes, _sizes(folder)
    if unlisted := sorted(found.keys() - expected.keys() - BESIDE):
        raise BackupError(
            f"{folder} holds {len(unlisted)} files that its manifest does not name, like {unlisted[0]!r}: they are no "
            "part of the backup; see who put them there, and delete them"
        )
    if manifest.sizes.keys() ^ (expected.keys() if manifest.format == FORMAT else set()):
        raise BackupError(f"{folder / MANIFEST} names sizes of other files than it names")
    for done, (name, sha256) in enumerate(expected.items(), start=1):
        path = folder / name
        if name not in found or found[name] != manifest.sizes.get(name, found[name]) or digest_of(path) != sha256:
            raise BackupError(f"{path} is {'damaged' if name in found else 'missing'}: use another backup")
        progress(done, len(expected), "restore, files verified")
    return manifest


def _write_signed(folder: Path, manifest: Manifest, key: SigningKey) -> None:
    told = (json.dumps(asdict(manifest), indent=2) + "\n").encode()
    (folder / MANIFEST).write_bytes(told)
    signature = {"key": key.public, "signature": key.sign(_signed(told))}
    (folder / SIGNATURE).write_text(json.dumps(signature, indent=2) + "\n")


def _signed(manifest: bytes) -> bytes:
    """What is signed: no other thing that this key may sign one day begins so."""
    return b"yt-platform backup\n" + manifest


def _signed_manifest(folder: Path, trusted: str) -> Manifest:
    try:
        told = (folder / MANIFEST).read_bytes()
        version = orjson.loads(told)["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder} is no backup: its {MANIFEST} cannot be read ({error})") from None
    if version not in (FORMAT, UNSIGNED_FORMAT):
        raise BackupError(f"{folder} has format {version}, and this version reads format {FORMAT}")
    if version == UNSIGNED_FORMAT and trusted != UNSIGNED:
        raise BackupError(
            f"{folder} is of before backups were signed, so that nothing shows who made it: anyone who could write to "
            "it may have changed it. Where nobody but you could, `yt-platform restore --unsigned` restores it"
        )
    if version == FORMAT:
        _check_signature(folder, told, trusted)
    try:
        manifest = TypeAdapter(Manifest).validate_json(told)
        _ = manifest.kept_until  # raises ValueError, as which ValidationError counts
    except ValueError as error:
        raise BackupError(f"{folder} is no backup: its {MANIFEST} says what none says: {error}") from None
    return manifest


def _check_signature(folder: Path, manifest: bytes, trusted: str) -> None:
    if trusted == UNSIGNED:
        raise BackupError(
            f"{folder} is of a version that signs its backups: name the key that signed it, by --trust, not --unsigned"
        )
    try:
        found = TypeAdapter(dict[str, str]).validate_json((folder / SIGNATURE).read_bytes())
    except (OSError, ValidationError):
        raise BackupError(f"{folder} has no {SIGNATURE} that can be read, so that nothing shows who made it") from None
    if not is_signed(_signed(manifest), found.get("signature", ""), trusted):
        raise BackupError(
            f"{folder} is not signed by the key that is trusted, {trusted}: somebody else made or changed it, or it is "
            "of another platform of yours, whose key `yt-platform restore --trust KEY` then names"
        )


_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .=+@,()-]{0,254}")


def _check_names(manifest: Manifest, folder: Path) -> None:
    """Raises BackupError unless every name lies in the backup, and in the store or folder it is restored to."""
    dumps = {f"{name}.dump" for name in (WAREHOUSE, DAGSTER, MLFLOW)}
    for name in manifest.files:
        first, *parts = name.split("/")
        if name not in dumps and not (first == ARTIFACTS and parts and all(map(_PART.fullmatch, parts))):
            raise BackupError(
                f"{folder} has a file that no backup takes, by its name: {name!r}. Names of models' files are letters, "
                "digits, spaces and _.=+@,()- and begin with a letter, a digit or _"
            )
    if missing := dumps - manifest.files.keys():
        raise BackupError(f"{folder} has no {', '.join(sorted(missing))}")
    for path in manifest.batches:
        if not is_batch(path):
            raise BackupError(f"{folder} has a raw batch by a name that no store gives: {path!r}")


def is_batch(path: str) -> bool:
    """Whether a raw store gives such names to its batches."""
    return bool(OWN_FILE.fullmatch(path)) and "/." not in path and not path.endswith(UNFINISHED)


def _dump(pg_dump: Path, url: str, file: Path) -> None:
    """Write a database to a file; the password is in the program's environment, not among its arguments."""
    command: list[str | Path] = [pg_dump, "--format=custom", "--no-owner", "--no-acl", f"--file={file}"]
    environment = {**os.environ, **libpq_environment(url)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"pg_dump failed: {done.stderr.strip() or f'exit code {done.returncode}'}")


def libpq_environment(url: str) -> Mapping[str, str]:
    """The URL as the variables libpq reads, so that no password is among the arguments of a process."""
    options = {option.keyword: option for option in pq.Conninfo.parse(url.encode())}
    return {
        option.envvar.decode(): option.val.decode()
        for option in options.values()
        if option.envvar and option.val is not None
    }


def _catalogue(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT path, sha256 FROM raw.batches WHERE purged_at IS NULL ORDER BY batch_id"
        ).fetchall()


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes by path of every file in a folder. Raises BackupError for what is neither file nor folder, like a link."""
    found: dict[str, int] = {}
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    found[str(Path(entry.path).relative_to(folder))] = entry.stat(follow_symlinks=False).st_size
                else:
                    raise BackupError(
                        f"{entry.path} is a link or a device, and a backup holds files and folders alone: delete it"
                    )
    return dict(sorted(found.items()))


def digest_of(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file is on disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
