"""Backups restored after something was forgotten: into databases of their own on a real server, interrupted, copied.

At this level because pg_restore brings rows back whole: only what runs after it keeps them out.
"""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from dagster import DagsterRun
from dagster_postgres import DagsterPostgresStorage
from psycopg import sql
from pydantic import SecretStr
from rich.console import Console

from yt_platform.commands import back_up_to, forget_id, restore_from, trusted_key
from yt_platform.local import open_platform
from yt_platform.models.registry import ModelRegistry
from yt_platform.privacy.backup import BackupError, Place
from yt_platform.privacy.forgetting import search
from yt_platform.privacy.restoring import restored
from yt_platform.privacy.signing import KEY_FILE, KeyFileError, own_key
from yt_platform.progress import silent
from yt_platform.resources import artifact_folder, databases
from yt_platform.settings import Settings
from yt_platform.storage.raw import RawStore
from yt_platform.tombstones.ids import Known
from yt_platform.tombstones.store import FILE, TombstoneError, tombstones
from yt_platform.warehouse.databases import DatabaseError, database_name, sqlalchemy_url, with_database
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform_tests.privacy.test_forgetting import (
    AT,
    FORGOTTEN,
    IDS,
    OTHER,
    OTHERS,
    THEIRS,
    InterruptedHereError,
    answer,
    catalogue,
    interrupted_at,
    video,
)

MENTIONED = f"UC{'m' * 22}"
QUIET = Console(quiet=True)


@dataclass
class Homes:
    """Platforms with databases of their own on one server."""

    server: EmbeddedPostgres
    folder: Path
    urls: list[str]

    def settings(self, name: str) -> Settings:
        url = with_database(self.server.url("postgres"), f"test_{uuid.uuid4().hex[:12]}")
        self.urls += [url, *(with_database(url, f"{database_name(url)}_{part}") for part in ("dagster", "mlflow"))]
        return Settings(home=self.folder / name, database_url=SecretStr(url), _env_file=None)


@pytest.fixture
def homes(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Homes]:
    found = Homes(server, tmp_path, [])
    yield found
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for url in found.urls:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(database_name(url))))


@pytest.fixture
def filled(homes: Homes) -> Settings:
    """A platform that collected two channels, one of which is mentioned by the other, and never trained."""
    settings = homes.settings("first")
    with open_platform(settings) as platform:
        answers = [answer("videos.list", video(THEIRS, FORGOTTEN), video(OTHERS, OTHER, f"see {MENTIONED}"))]
        catalogue(
            platform.urls.warehouse, "api_videos", platform.raw_store.write_answers("api_videos", AT.date(), answers)
        )
        with psycopg.connect(platform.urls.warehouse) as connection:
            tracked = "INSERT INTO ops.tracked_videos (video_id, channel_id, discovered_at) VALUES (%s, %s, %s)"
            connection.cursor().executemany(tracked, [(THEIRS, FORGOTTEN, AT), (OTHERS, OTHER, AT)])
            connection.execute(
                "INSERT INTO ops.watched_channels (reference, channel_id, failure) VALUES ('@others', %s, %s)",
                (OTHER, f"it is not {MENTIONED}"),
            )
    return settings


def place(settings: Settings) -> Place:
    return Place(
        databases(settings).urls(),
        RawStore(settings.raw_location),
        Path(artifact_folder(settings)),
        EmbeddedPostgres(settings.home).bin_dir,
        settings.home,
    )


def found(settings: Settings, ids: Known = IDS) -> list[str]:
    return search(place(settings), [settings.home], ids, silent)


def forget_channel(settings: Settings, name: str) -> None:
    assert forget_id(settings, "channel", name, True, QUIET) == 0


def restore(settings: Settings, saved: Path, list_is_lost: bool = False, trust: str | None = None) -> None:
    restore_from(settings, saved, list_is_lost, trust or trusted_key(settings, None, unsigned=False), QUIET)


def another(homes: Homes, name: str, like: Settings) -> Settings:
    """A platform to restore into, which has the list of what the first has forgotten."""
    settings = homes.settings(name)
    settings.home.mkdir()
    for file in (FILE, KEY_FILE):
        shutil.copy(like.home / file, settings.home)
    return settings


def test_a_platform_that_never_trained_is_restored_without_what_was_forgotten(homes: Homes, filled: Settings) -> None:
    """MLflow makes its tables with the first training, which policy mode strict never does."""
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    forget_channel(filled, FORGOTTEN)
    second = another(homes, "second", filled)
    restore(second, saved)
    assert found(second) == []
    with open_platform(second) as platform:
        assert [row["video_id"] for row in platform.warehouse.records("SELECT video_id FROM ops.tracked_videos")] == [
            OTHERS
        ]


@pytest.mark.parametrize("step", [4, 6])
def test_nothing_runs_after_half_a_restore_until_it_is_repeated(homes: Homes, filled: Settings, step: int) -> None:
    """After the raw batches, and between two databases."""
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    other = homes.folder / "other"
    back_up_to(filled, other, QUIET)
    forget_channel(filled, FORGOTTEN)
    second = another(homes, "second", filled)
    with databases(second).open_to_restore():
        databases(second).create()
        with (
            pytest.raises(InterruptedHereError),
            restored(place(second), saved, own_key(filled.home).public, {}, interrupted_at(step)),
        ):
            pytest.fail("it was to be interrupted")
    with pytest.raises(DatabaseError, match=r"did not end: run `yt-platform restore`"), open_platform(second):
        pytest.fail("it was to be refused")
    with pytest.raises(BackupError, match="the restore of another backup"):
        restore(second, other)
    restore(second, saved)
    assert found(second) == []
    with open_platform(second) as platform:
        assert len(platform.warehouse.records("SELECT FROM ops.tracked_videos")) == 1
    with pytest.raises(BackupError, match=r"holds \d+ tables already"):
        restore(second, saved)


def test_a_killed_deletion_after_a_restore_is_made_whole_by_repeating_the_restore(
    homes: Homes, filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    forget_channel(filled, FORGOTTEN)
    second = another(homes, "second", filled)
    with monkeypatch.context() as patched:
        patched.setattr("yt_platform.privacy.forgetting._finish", lambda *_: interrupted_at(0)(0, None, ""))
        with pytest.raises(InterruptedHereError):
            restore(second, saved)
    restore(second, saved)
    assert found(second) == []


def test_a_mention_is_overwritten_again_after_a_restore(homes: Homes, filled: Settings) -> None:
    """Nothing else of the id is stored, so that its hash alone finds it in three databases and raw files."""
    with open_platform(filled) as platform:
        platform.registry.ensure_experiment(f"for {MENTIONED}")
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    ids = Known([MENTIONED])
    assert {what.split()[0] for what in found(filled, ids)} == {"raw", "database"}
    forget_channel(filled, MENTIONED)
    second = another(homes, "second", filled)
    restore(second, saved)
    assert found(second, ids) == []
    with open_platform(second) as platform:
        assert platform.warehouse.records("SELECT failure FROM ops.watched_channels") == [
            {"failure": f"it is not UC{'*' * 22}"}
        ]


def test_a_copy_of_a_backup_is_not_restored_by_the_list_it_was_copied_with(homes: Homes, filled: Settings) -> None:
    """Off-site copies are the normal case, and no later forgetting reaches them."""
    back_up_to(filled, homes.folder / "saved", QUIET)
    copy = shutil.copytree(homes.folder / "saved", homes.folder / "copy")
    forget_channel(filled, FORGOTTEN)
    second = homes.settings("second")
    with pytest.raises(TombstoneError, match=r"copy forgotten\.json of the platform's YT_HOME"):
        restore(second, copy, trust=own_key(filled.home).public)
    assert not (second.home / "raw").exists()
    third = another(homes, "third", filled)
    restore(third, copy)
    assert found(third) == []
    restore(second, copy, list_is_lost=True, trust=own_key(filled.home).public)
    assert found(second) != []


def test_the_list_of_another_platform_is_refused_before_anything_is_written(homes: Homes, filled: Settings) -> None:
    back_up_to(filled, homes.folder / "saved", QUIET)
    other = homes.settings("other")
    back_up_to(other, homes.folder / "of_other", QUIET)
    second = another(homes, "second", other)
    with pytest.raises(TombstoneError, match="another platform"):
        restore(second, homes.folder / "saved")
    assert {path.name for path in second.home.iterdir()} == {FILE, KEY_FILE}


def test_the_list_is_complete_before_anything_is_deleted(
    homes: Homes, filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgetting that ended but for its list would be undone by the next restore, and nothing would tell."""
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    monkeypatch.setattr("yt_platform.privacy.forgetting._forget_raw", lambda *_: interrupted_at(0)(0, None, ""))
    with pytest.raises(InterruptedHereError):
        forget_id(filled, "channel", FORGOTTEN, False, QUIET)
    with open_platform(filled) as platform:
        digests = tombstones(platform.warehouse).digests
    for folder in (filled.home, saved):
        assert len(digests) == 2
        assert all(digest in (folder / FILE).read_text() for digest in digests)


def row_counts(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        count = "SELECT count(*) FROM {}"
        return {
            name: connection.execute(sql.SQL(count).format(sql.Identifier(name))).fetchone()[0] for (name,) in tables
        }


def test_runs_and_models_come_back_into_tables_that_their_tools_make(homes: Homes, filled: Settings) -> None:
    """And a key of YT_HOME or a named one must have signed the backup."""
    urls = databases(filled).urls()
    runs = DagsterPostgresStorage(sqlalchemy_url(urls.dagster)).run_storage
    run = runs.add_run(DagsterRun(job_name="collect", tags={"a": "b\tc"}))
    registry = ModelRegistry(sqlalchemy_url(urls.mlflow), artifact_folder(filled))
    registry.ensure_experiment("trainings")
    client = registry.client()
    trained = client.create_run(client.get_experiment_by_name("trainings").experiment_id, tags={"note": "b\tc"})
    client.log_metric(trained.info.run_id, "wape", 0.25)
    client.log_text(trained.info.run_id, "tree", "bundle/model p50.txt")
    client.create_registered_model("video_forecaster")
    version = client.create_model_version(
        "video_forecaster", f"{trained.info.artifact_uri}/bundle", trained.info.run_id
    )
    client.set_registered_model_alias("video_forecaster", "champion", version.version)
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    second = homes.settings("second")
    second.home.mkdir()
    shutil.copy(filled.home / FILE, second.home)
    with pytest.raises(KeyFileError, match="nothing says whose backup this is"):
        restore(second, saved)
    with pytest.raises(BackupError, match="not signed by the key that is trusted"):
        restore(second, saved, trust=own_key(homes.folder).public)
    assert not (second.home / "raw").exists()
    restore(second, saved, trust=own_key(filled.home).public)
    there = databases(second).urls()
    for old, new in ((urls.dagster, there.dagster), (urls.mlflow, there.mlflow)):
        assert row_counts(new) == row_counts(old)
    again = DagsterPostgresStorage(sqlalchemy_url(there.dagster)).run_storage
    assert [(found.run_id, found.tags["a"]) for found in again.get_runs()] == [(run.run_id, "b\tc")]
    found = ModelRegistry(sqlalchemy_url(there.mlflow), artifact_folder(second)).client()
    champion = found.get_model_version_by_alias("video_forecaster", "champion")
    assert found.get_run(str(champion.run_id)).data.metrics == {"wape": 0.25}
    bundle = Path(str(champion.source))  # MLflow keeps absolute paths
    assert bundle.is_relative_to(artifact_folder(second))
    assert (bundle / "model p50.txt").read_text() == "tree"


def test_a_catalogue_that_names_files_outside_the_store_is_refused(homes: Homes, filled: Settings) -> None:
    """What the catalogue names is read and deleted later."""
    with psycopg.connect(databases(filled).urls().warehouse) as connection:
        connection.execute("UPDATE raw.batches SET path = '../../outside', purged_at = now()")
    back_up_to(filled, homes.folder / "saved", QUIET)
    second = another(homes, "second", filled)
    with pytest.raises(BackupError, match=r"outside the store: '\.\./\.\./outside'"):
        restore(second, homes.folder / "saved")
    with pytest.raises(DatabaseError, match="did not end"), open_platform(second):
        pytest.fail("it was to be refused")
