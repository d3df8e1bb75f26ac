"""Bringing a backup back: raw batches, bundles of models and the rows of three databases, into a place with nothing.

The restore takes a backup for a stranger's until its manifest is verified, takes what that names, and runs no SQL of it
(`privacy/dumps.py`). Not here: what a backup holds and how it is verified (`privacy/backup.py`), and what was forgotten
since.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from yt_platform.privacy.backup import (
    ARTIFACTS,
    MANIFEST,
    RAW,
    BackupError,
    Manifest,
    Place,
    digest_of,
    is_batch,
    sync,
    verify,
)
from yt_platform.privacy.dumps import Archive, DumpError
from yt_platform.progress import Progress
from yt_platform.warehouse.databases import RESTORING, WAREHOUSE
from yt_platform.warehouse.migrations import migrate_to

Maker = Callable[[], None]
"""Creates the tables of a database that is not the warehouse, as this version of the tool that uses it makes them."""


@contextmanager
def restored(
    place: Place, folder: Path, trusted: str, makers: Mapping[str, Maker], progress: Progress
) -> Iterator[Manifest]:
    """Bring a backup back into databases that hold nothing yet, or what an interrupted restore of it brought.

    `trusted` is the public key that must have signed it, or UNSIGNED for format 2. `makers` are those of Dagster's and
    MLflow's databases. The warehouse has the structure of the backup afterwards: what must follow before anybody uses
    the platform, like its migration, is done in the context. Until that ends well, `Databases.open` refuses.
    Everything is verified before anything is written. Raises BackupError where the folder is no whole backup, is not
    signed by that key or may be kept no longer, or the databases hold something else.
    """
    folder = folder.resolve()
    manifest = verify(folder, trusted, progress)
    if manifest.kept_until < datetime.now(UTC):
        raise BackupError(
            f"{folder} was to be kept until {manifest.keep_until} and no longer: it holds what YouTube's terms or "
            "people's requests have had deleted since. Delete it, and restore a newer backup or import your own files"
        )
    marker = _Marker(place.home / RESTORING, manifest.created_at, digest_of(folder / MANIFEST))
    if not marker.begun:
        for name, url in place.databases.items():
            if tables := _table_count(url):
                raise BackupError(
                    f"database {name} holds {tables} tables already: restore into a new YT_HOME, or into databases "
                    "that were dropped"
                )
        marker.write([])
    for done, (path, sha256) in enumerate(manifest.batches.items(), start=1):
        place.raw.put_bytes(path, sha256, _read(folder / RAW / path, sha256))
        progress(done, len(manifest.batches), "restore, raw batches")
    for name, sha256 in manifest.files.items():
        if name.startswith(f"{ARTIFACTS}/"):
            target = place.artifacts / name.removeprefix(f"{ARTIFACTS}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_read(folder / name, sha256))
    for name, url in place.databases.items():
        if name not in marker.loaded:
            progress(0, None, f"restore, database {name}")
            _empty(url)
            _fill(name, url, Archive(folder / f"{name}.dump", place.programs / "pg_restore"), makers)
            marker.write([*marker.loaded, name])
    move_artifacts(place.urls.mlflow, manifest.artifact_folder, str(place.artifacts))
    yield manifest
    marker.file.unlink()


class _Marker:
    """The file in YT_HOME that says which backup is being restored, and which databases are loaded."""

    def __init__(self, file: Path, created_at: str, manifest: str) -> None:
        self.file, self._told = file, {"created_at": created_at, "manifest": manifest}
        found = json.loads(file.read_text()) if file.exists() else {}
        if found and found.get("manifest") != manifest:
            raise BackupError(
                f"the restore of another backup, of {found.get('created_at')}, did not end: end that one first, by the "
                "version that began it, or restore into a new YT_HOME"
            )
        self.begun, self.loaded = bool(found), list(found.get("loaded", []))

    def write(self, loaded: list[str]) -> None:
        self.loaded = loaded
        written = self.file.with_suffix(".new")
        written.write_text(json.dumps(self._told | {"loaded": loaded}) + "\n")
        sync(written)
        written.replace(self.file)


def _fill(name: str, url: str, archive: Archive, makers: Mapping[str, Maker]) -> None:
    """Make the tables that the archive was dumped from, and copy its rows into them. Raises BackupError."""
    try:
        if name == WAREHOUSE:
            unknown = migrate_to(url, archive.versions("_yoyo_migration", "migration_id"))
            if unknown:
                raise BackupError(f"a newer version made this backup ({', '.join(sorted(unknown))}): restore with that")
        elif revisions := archive.versions("alembic_version", "version_num"):
            makers[name]()
            _check_revisions(name, url, revisions)
        archive.load(url)
        if name == WAREHOUSE:
            _check_paths(url)
    except DumpError as error:
        raise BackupError(f"the dump of the database {name} is refused: {error}") from None
    except (psycopg.errors.DataError, psycopg.errors.IntegrityError, psycopg.errors.ProgrammingError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BackupError(f"the dump of the database {name} does not fit its tables: {reason}") from None


def _check_revisions(name: str, url: str, revisions: frozenset[str]) -> None:
    with psycopg.connect(url) as connection:
        made = {str(row[0]) for row in connection.execute("SELECT version_num FROM alembic_version")}
    if made != revisions:
        raise BackupError(
            f"the database {name} of this backup is of revision {', '.join(revisions)}, and the version that is "
            f"installed makes {', '.join(made)}: restore with the version that made the backup, then update"
        )


def _check_paths(url: str) -> None:
    """Rows name files that the platform later reads and deletes."""
    with psycopg.connect(url) as connection:
        for (path,) in connection.execute("SELECT path FROM raw.batches"):
            if not is_batch(path):
                raise BackupError(f"the catalogue of this backup has a raw batch outside the store: {path!r}")


def _read(path: Path, sha256: str) -> bytes:
    """The bytes that were verified. Raises BackupError where they changed since."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BackupError(f"{path} changed while it was restored: keep others from writing there, and begin again")
    return data


def _table_count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchone()
        return int(row[0]) if row else 0


def _empty(url: str) -> None:
    """Drop what an interrupted restore made in a database that held nothing."""
    with psycopg.connect(url) as connection:
        for schema, name in connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall():
            connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(schema, name)))
        for (schema,) in connection.execute(
            "SELECT nspname FROM pg_namespace "
            "WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')"
        ).fetchall():
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def move_artifacts(url: str, old: str, new: str) -> None:
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
