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
from psycopg import sql
from pydantic import SecretStr
from rich.console import Console

from yt_platform.commands import back_up_to, forget_id, restore_from
from yt_platform.core.forgetting import Known
from yt_platform.core.progress import silent
from yt_platform.io.backup import BackupError, Place, restored
from yt_platform.io.databases import DatabaseError, database_name, with_database
from yt_platform.io.embedded import EmbeddedPostgres
from yt_platform.io.forgetting import search
from yt_platform.io.raw import RawStore
from yt_platform.io.tombstones import FILE, TombstoneError, tombstones
from yt_platform.local import open_platform
from yt_platform.resources import artifact_folder, databases
from yt_platform.settings import Settings
from yt_platform_tests.warehouse.test_forgetting import (
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


def another(homes: Homes, name: str, like: Settings) -> Settings:
    """A platform to restore into, which has the list of what the first has forgotten."""
    settings = homes.settings(name)
    settings.home.mkdir()
    shutil.copy(like.home / FILE, settings.home)
    return settings


def test_a_platform_that_never_trained_is_restored_without_what_was_forgotten(homes: Homes, filled: Settings) -> None:
    """MLflow makes its tables with the first training, which policy mode strict never does."""
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    forget_channel(filled, FORGOTTEN)
    second = another(homes, "second", filled)
    restore_from(second, saved, False, QUIET)
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
    manifest = (saved / "manifest.json").read_bytes()
    forget_channel(filled, FORGOTTEN)
    second = another(homes, "second", filled)
    with databases(second).open_to_restore():
        databases(second).create()
        with pytest.raises(InterruptedHereError), restored(place(second), saved, interrupted_at(step)):
            pytest.fail("it was to be interrupted")
    with pytest.raises(DatabaseError, match=r"did not end: run `yt-platform restore`"), open_platform(second):
        pytest.fail("it was to be refused")
    (saved / "manifest.json").write_bytes(manifest + b"\n")
    with pytest.raises(BackupError, match="the restore of another backup"):
        restore_from(second, saved, False, QUIET)
    (saved / "manifest.json").write_bytes(manifest)
    restore_from(second, saved, False, QUIET)
    assert found(second) == []
    with open_platform(second) as platform:
        assert len(platform.warehouse.records("SELECT FROM ops.tracked_videos")) == 1
    with pytest.raises(BackupError, match=r"holds \d+ tables already"):
        restore_from(second, saved, False, QUIET)


def test_a_killed_deletion_after_a_restore_is_made_whole_by_repeating_the_restore(
    homes: Homes, filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    forget_channel(filled, FORGOTTEN)
    second = another(homes, "second", filled)
    with monkeypatch.context() as patched:
        patched.setattr("yt_platform.io.forgetting._finish", lambda *_: interrupted_at(0)(0, None, ""))
        with pytest.raises(InterruptedHereError):
            restore_from(second, saved, False, QUIET)
    restore_from(second, saved, False, QUIET)
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
    restore_from(second, saved, False, QUIET)
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
        restore_from(second, copy, False, QUIET)
    assert not (second.home / "raw").exists()
    third = another(homes, "third", filled)
    restore_from(third, copy, False, QUIET)
    assert found(third) == []
    restore_from(second, copy, True, QUIET)
    assert found(second) != []


def test_the_list_of_another_platform_is_refused_before_anything_is_written(homes: Homes, filled: Settings) -> None:
    back_up_to(filled, homes.folder / "saved", QUIET)
    other = homes.settings("other")
    back_up_to(other, homes.folder / "of_other", QUIET)
    second = another(homes, "second", other)
    with pytest.raises(TombstoneError, match="another platform"):
        restore_from(second, homes.folder / "saved", False, QUIET)
    assert list(second.home.iterdir()) == [second.home / FILE]


def test_the_list_is_complete_before_anything_is_deleted(
    homes: Homes, filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgetting that ended but for its list would be undone by the next restore, and nothing would tell."""
    saved = homes.folder / "saved"
    back_up_to(filled, saved, QUIET)
    monkeypatch.setattr("yt_platform.io.forgetting._forget_raw", lambda *_: interrupted_at(0)(0, None, ""))
    with pytest.raises(InterruptedHereError):
        forget_id(filled, "channel", FORGOTTEN, False, QUIET)
    with open_platform(filled) as platform:
        digests = tombstones(platform.warehouse).digests
    for folder in (filled.home, saved):
        assert len(digests) == 2
        assert all(digest in (folder / FILE).read_text() for digest in digests)
