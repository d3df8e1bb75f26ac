"""A whole platform saved and brought back elsewhere, with PostgreSQL's own programs."""

import dataclasses
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.local import Platform, open_platform, table_makers
from yt_platform.privacy.backup import UNSIGNED, BackupError, Place, back_up, verify
from yt_platform.privacy.restoring import restored
from yt_platform.privacy.signing import own_key
from yt_platform.progress import silent
from yt_platform.resources import artifact_folder
from yt_platform.settings import Settings
from yt_platform.storage.raw import CorruptBatchError, RawStore
from yt_platform.warehouse.databases import Databases
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.conftest import reachable_folder
from yt_platform_tests.warehouse_state import fingerprints

pytestmark = pytest.mark.stage("made")

KEPT_DAYS = 30


def place_of(platform: Platform) -> Place:
    settings = platform.settings
    programs = EmbeddedPostgres(settings.home).bin_dir
    return Place(platform.urls, platform.raw_store, Path(artifact_folder(settings)), programs, settings.home)


@pytest.fixture(scope="module")
def saved(made: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups") / "first"
    back_up(place_of(made), folder, KEPT_DAYS, silent)
    return folder


def row_counts(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables}


def test_a_platform_comes_back_whole_elsewhere(made: Platform, saved: Path) -> None:
    """By the hash of every table, the counts of the other databases, and what the platform finds to do: nothing."""
    with reachable_folder() as folder:
        settings = Settings(home=folder / "home", _env_file=None)
        databases = Databases(settings.home)
        with databases.open() as urls:
            databases.create()
            programs = EmbeddedPostgres(settings.home).bin_dir
            place = Place(
                urls, RawStore(settings.raw_location), Path(artifact_folder(settings)), programs, settings.home
            )
            trusted, makers = own_key(made.settings.home).public, table_makers(settings, urls)
            with restored(place, saved, trusted, makers, silent):
                migrate(urls.warehouse)
            assert fingerprints(Warehouse(urls.warehouse)) == fingerprints(made.warehouse)
            for old, new in ((made.urls.dagster, urls.dagster), (made.urls.mlflow, urls.mlflow)):
                assert row_counts(new) == row_counts(old)
            with (
                pytest.raises(BackupError, match=r"database youtube holds \d+ tables already"),
                restored(place, saved, trusted, makers, silent),
            ):
                pytest.fail("it was to be refused")
        with open_platform(settings) as again:
            assert stale_ranges(again.warehouse, again.clock.now().date()) == []
            champion = again.registry.champion(VIDEO_FORECASTER.name)
            assert champion == made.registry.champion(VIDEO_FORECASTER.name)
            assert list(again.registry.fetch(champion).iterdir())
            with psycopg.connect(again.urls.mlflow) as connection:  # MLflow keeps absolute paths
                uris = connection.execute("SELECT artifact_uri FROM runs").fetchall()
            assert uris
            assert all(uri.startswith(artifact_folder(settings)) for (uri,) in uris)
            for row in again.warehouse.records("SELECT path, sha256 FROM raw.batches"):
                again.raw_store.read_bytes(row["path"], row["sha256"])


def test_a_backup_is_never_written_over_another(made: Platform, saved: Path) -> None:
    with pytest.raises(BackupError, match="exists already"):
        back_up(place_of(made), saved, KEPT_DAYS, silent)


def test_no_password_is_in_a_backups_manifest_and_others_cannot_read_it(saved: Path) -> None:
    assert saved.stat().st_mode & 0o077 == 0
    assert "pgpass" not in (saved / "manifest.json").read_text()


def test_a_damaged_raw_batch_is_said_and_leaves_no_backup(made: Platform, tmp_path: Path) -> None:
    """A backup that looks whole and is not would be noticed when it is needed."""
    victim = made.warehouse.records("SELECT path FROM raw.batches LIMIT 1")[0]["path"]
    file = Path(made.settings.raw_location) / victim
    before = file.read_bytes()
    file.write_bytes(before[:-1])
    try:
        with pytest.raises(CorruptBatchError, match="damaged"):
            back_up(place_of(made), tmp_path / "second", KEPT_DAYS, silent)
    finally:
        file.write_bytes(before)
    assert not (tmp_path / "second").exists()
    back_up(place_of(made), tmp_path / "second", KEPT_DAYS, silent)


@pytest.mark.parametrize("victim", ["youtube.dump", "manifest.json", "raw"])
def test_a_backup_that_lacks_or_alters_a_file_is_refused(
    made: Platform, saved: Path, tmp_path: Path, victim: str
) -> None:
    """Before anything is written: half a restore is worse than none."""
    copy = tmp_path / "copy"
    copy.symlink_to(saved)  # the files of the backup are altered in place and put back
    target = next(saved.joinpath("raw").rglob("*.parquet")) if victim == "raw" else saved / victim
    before = target.read_bytes()
    trusted = own_key(made.settings.home).public
    target.write_bytes(before[: len(before) // 2])
    try:
        with pytest.raises(BackupError, match=r"damaged|is no backup"):
            verify(copy, trusted, silent)
        target.unlink()
        with pytest.raises(BackupError, match=r"missing|is no backup"):
            verify(copy, trusted, silent)
    finally:
        target.write_bytes(before)
    verify(copy, trusted, silent)


def test_a_server_that_does_not_answer_is_said(made: Platform, tmp_path: Path) -> None:
    """Through pg_dump: its own message, and no password in it."""
    dead = dataclasses.replace(made.urls, dagster="postgresql://me:secret-password@127.0.0.1:1/dagster")
    with pytest.raises(BackupError, match="pg_dump failed") as raised:
        back_up(dataclasses.replace(place_of(made), urls=dead), tmp_path / "third", KEPT_DAYS, silent)
    assert "secret-password" not in str(raised.value)


def test_a_backup_that_may_be_kept_no_longer_is_refused(made: Platform, saved: Path, tmp_path: Path) -> None:
    """It holds what has had to be deleted since."""
    manifest = json.loads((saved / "manifest.json").read_text())
    assert datetime.fromisoformat(manifest["keep_until"]) - datetime.fromisoformat(manifest["created_at"]) == timedelta(
        days=KEPT_DAYS
    )
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    old = manifest | {"format": 2, "keep_until": "2026-01-01T00:00:00+00:00"}
    del old["sizes"]
    (copy / "manifest.json").write_text(json.dumps(old))
    with (
        pytest.raises(BackupError, match=r"no longer: .* Delete it"),
        restored(place_of(made), copy, UNSIGNED, {}, silent),
    ):
        pytest.fail("it was to be refused")
