"""Backups: the three databases, the raw batches the catalogue names, and the bundles of models, in one folder.

A backup is written beside its name and renamed when it is complete and read back. Raw batches are immutable, so those
copied after the warehouse was dumped are all that its catalogue names. Not here: when backups are made, and where they
are taken to.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq

from yt_platform.core.progress import Progress
from yt_platform.io.databases import RESTORING, DatabaseUrls
from yt_platform.io.raw import RawStore
from yt_platform.io.tombstones import save
from yt_platform.io.warehouse import Warehouse

MANIFEST = "manifest.json"
FORMAT = 2
INCOMPLETE = ".incomplete"
ARTIFACTS = "models"
RAW = "raw"


class BackupError(RuntimeError):
    """A backup cannot be made or used; the message says why and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: sha256 by file of the dumps and bundles, and the raw batches by path in the raw store; and
    until when it may be kept, as YouTube's terms let nobody keep its data for ever."""

    format: int
    created_at: str
    artifact_folder: str
    files: dict[str, str]
    batches: dict[str, str]
    keep_until: str


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
        return {"youtube": self.urls.warehouse, "dagster": self.urls.dagster, "mlflow": self.urls.mlflow}


def back_up(place: Place, folder: Path, keep_days: int, progress: Progress) -> Manifest:
    """Write a backup to `folder`, which must not exist, to be kept for so many days.

    Raises BackupError, and CorruptBatchError for a raw batch whose bytes are no longer the catalogue's.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists already: a backup is never written over another; name a new folder")
    now = datetime.now(UTC)
    created_at, keep_until = (at.isoformat(timespec="seconds") for at in (now, now + timedelta(days=keep_days)))
    begun = folder.with_name(f".{folder.name}{INCOMPLETE}")
    _book(place, begun, created_at, keep_until)  # first, so that forgetting finds what a killed one leaves
    if begun.exists():
        shutil.rmtree(begun)
    begun.mkdir(parents=True, mode=0o700)
    for name, url in place.databases.items():
        progress(0, None, f"backup, database {name}")
        _run([place.programs / "pg_dump", "--format=custom", "--no-owner", "--no-acl"], url, begun / f"{name}.dump")
    batches = dict(_catalogue(place.urls.warehouse))
    for done, (path, sha256) in enumerate(batches.items(), start=1):
        target = begun / RAW / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(place.raw.read_bytes(path, sha256))
        progress(done, len(batches), "backup, raw batches")
    if place.artifacts.exists():
        shutil.copytree(place.artifacts, begun / ARTIFACTS)
    names = [str(path.relative_to(begun)) for path in _files(begun)]
    files = {name: _sha256(begun / name) for name in names if not name.startswith(f"{RAW}/")}
    manifest = Manifest(FORMAT, created_at, str(place.artifacts), files, batches, keep_until)
    (begun / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    for copied in (begun, place.home):  # none of the manifest's files, as later forgettings add to it
        save(Warehouse(place.urls.warehouse), copied)
    for file in _files(begun):
        _sync(file)
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


@contextmanager
def restored(place: Place, folder: Path, progress: Progress) -> Iterator[Manifest]:
    """Bring a backup back into databases that hold nothing yet, or what an interrupted restore of it brought.

    What must follow before anybody uses the platform is done in the context: until it ends well, `Databases.open`
    refuses. Everything is verified before anything is written. Raises BackupError where the folder is no whole backup,
    or one that may be kept no longer, or the databases hold something else.
    """
    manifest = verify(folder, progress)
    if datetime.fromisoformat(manifest.keep_until) < datetime.now(UTC):
        raise BackupError(
            f"{folder} was to be kept until {manifest.keep_until} and no longer: it holds what YouTube's terms or "
            "people's requests have had deleted since. Delete it, and restore a newer backup or import your own files"
        )
    marker, told = place.home / RESTORING, (folder / MANIFEST).read_bytes()
    if not marker.exists():
        for name, url in place.databases.items():
            if tables := _table_count(url):
                raise BackupError(
                    f"database {name} holds {tables} tables already: restore into a new YT_HOME, or into databases "
                    "that were dropped"
                )
        marker.write_bytes(told)
        _sync(marker)
    elif marker.read_bytes() != told:
        raise BackupError(
            f"the restore of another backup, of {json.loads(marker.read_text())['created_at']}, did not end: end that "
            "one first, or restore into a new YT_HOME"
        )
    for done, (path, sha256) in enumerate(manifest.batches.items(), start=1):
        place.raw.put_bytes(path, sha256, (folder / RAW / path).read_bytes())
        progress(done, len(manifest.batches), "restore, raw batches")
    if (folder / ARTIFACTS).exists():
        shutil.copytree(folder / ARTIFACTS, place.artifacts, dirs_exist_ok=True)
    for name, url in place.databases.items():
        if _table_count(url):
            continue  # filled before the interruption, in the one transaction of its restore
        progress(0, None, f"restore, database {name}")
        restoring = ["--no-owner", "--no-acl", "--exit-on-error", "--single-transaction", f"--dbname={_name(url)}"]
        _run([place.programs / "pg_restore", *restoring, folder / f"{name}.dump"], url, None)
    _move_artifacts(place.urls.mlflow, manifest.artifact_folder, str(place.artifacts))
    yield manifest
    marker.unlink()


def verify(folder: Path, progress: Progress) -> Manifest:
    """The manifest of a backup whose every file is there with its bytes. Raises BackupError."""
    try:
        told = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder} is no backup: its {MANIFEST} cannot be read ({error})") from None
    if told.get("format") != FORMAT:
        raise BackupError(f"{folder} has format {told.get('format')}, and this version reads format {FORMAT}")
    manifest = Manifest(**told)
    expected = {**manifest.files, **{f"{RAW}/{path}": sha256 for path, sha256 in manifest.batches.items()}}
    for done, (name, sha256) in enumerate(expected.items(), start=1):
        path = folder / name
        if not path.is_file() or _sha256(path) != sha256:
            raise BackupError(f"{path} is {'damaged' if path.exists() else 'missing'}: use another backup")
        progress(done, len(expected), "restore, files verified")
    return manifest


def _run(command: list[str | Path], url: str, output: Path | None) -> None:
    """Run a program of PostgreSQL on the database of `url`; the password is in its environment, not its arguments."""
    redirected = [*command, f"--file={output}"] if output else command
    environment = {**os.environ, **libpq_environment(url)}
    done = subprocess.run(redirected, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{Path(command[0]).name} failed: {done.stderr.strip() or f'exit code {done.returncode}'}")


def libpq_environment(url: str) -> Mapping[str, str]:
    """The URL as the variables libpq reads, so that no password is among the arguments of a process."""
    options = {option.keyword: option for option in pq.Conninfo.parse(url.encode())}
    return {
        option.envvar.decode(): option.val.decode()
        for option in options.values()
        if option.envvar and option.val is not None
    }


def _name(url: str) -> str:
    return libpq_environment(url)["PGDATABASE"]


def _catalogue(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT path, sha256 FROM raw.batches WHERE purged_at IS NULL ORDER BY batch_id"
        ).fetchall()


def _table_count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchone()
        return int(row[0]) if row else 0


def _move_artifacts(url: str, old: str, new: str) -> None:
    """MLflow keeps absolute paths of bundles: those below the old folder are moved to the new one. Its tables are not
    there before the first training."""
    columns = {
        "experiments": "artifact_location",
        "runs": "artifact_uri",
        "model_versions": "source",
        "logged_models": "artifact_location",
    }
    with psycopg.connect(url) as connection:
        there = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables")}
        for table in columns.keys() & there:
            column = columns[table]
            connection.execute(
                f"UPDATE {table} SET {column} = %(new)s || substr({column}, length(%(old)s) + 1) "
                f"WHERE starts_with({column}, %(old)s)",
                {"old": f"{old}/", "new": f"{new}/"},
            )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
