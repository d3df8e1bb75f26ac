"""Backups that somebody else made or changed: refused by their files alone, before a database is asked."""

import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from yt_platform.privacy.backup import MANIFEST, SIGNATURE, UNSIGNED, BackupError, Manifest, _write_signed, verify
from yt_platform.privacy.signing import KEY_FILE, KeyFileError, check_key, is_signed, known_key, own_key
from yt_platform.progress import silent
from yt_platform.storage.raw import RawStore

BATCH = "videos/2026-03-01/0123456789abcdef.parquet"
MODEL = "models/video_forecaster/0a1b/artifacts/bundle/model p50.txt"
FILES = ("youtube.dump", "dagster.dump", "mlflow.dump", MODEL)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_of(files: tuple[str, ...] = FILES, batches: tuple[str, ...] = (BATCH,)) -> Manifest:
    hashes = {name: sha256(name) for name in files}
    raw = {name: sha256(f"raw/{name}") for name in batches}
    sizes = {name: len(name) for name in [*files, *(f"raw/{name}" for name in batches)]}
    return Manifest(3, "2026-03-01T00:00:00+00:00", "/old/mlflow", hashes, raw, "2026-03-31T00:00:00+00:00", sizes)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def saved(tmp_path: Path, home: Path) -> Path:
    """A backup whose files hold their own names."""
    return written(tmp_path / "saved", manifest_of(), home)


def written(folder: Path, manifest: Manifest, home: Path) -> Path:
    for name in manifest.sizes:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    _write_signed(folder, manifest, own_key(home))
    return folder


def test_what_the_key_signed_is_taken(saved: Path, home: Path) -> None:
    (saved / "forgotten.json").write_text("{}")  # beside the manifest, as later forgettings add to it
    assert verify(saved, own_key(home).public, silent) == manifest_of()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/cron.d/x",
        "models/../../x",
        "models//x",
        "models",
        "models/",
        "models/.ssh/authorized_keys",
        "models/a\nb",
        "models/a\\b",
        "models/a\0b",
        "models/a\u202eb",
        "models/" + "x" * 256,
        "other.dump",
        "../youtube.dump",
        "forgotten.json",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_although_it_is_signed(tmp_path: Path, home: Path, name: str) -> None:
    (tmp_path / "saved").mkdir()
    _write_signed(tmp_path / "saved", manifest_of((*FILES, name)), own_key(home))
    with pytest.raises(BackupError, match="no backup takes"):
        verify(tmp_path / "saved", own_key(home).public, silent)


@pytest.mark.parametrize(
    "name",
    [
        "../../x.parquet",
        "/videos/2026-03-01/0123456789abcdef.parquet",
        "videos/../2026-03-01/0123456789abcdef.parquet",
        "videos/2026-03-01/.0123456789abcdef.parquet",
        "videos/2026-03-01/0123456789abcdef.parquet." + "0" * 32 + ".tmp",
        "videos/2026-03-01/0123456789abcdef.pkl",
        "videos/2026-03-01/0123456789abcdef.parquet\n",
    ],
)
def test_a_raw_batch_lies_in_the_store_by_a_name_that_a_store_gives(tmp_path: Path, home: Path, name: str) -> None:
    (tmp_path / "saved").mkdir()
    _write_signed(tmp_path / "saved", manifest_of(batches=(BATCH, name)), own_key(home))
    with pytest.raises(BackupError, match="no store gives"):
        verify(tmp_path / "saved", own_key(home).public, silent)


def test_a_store_reads_and_deletes_nothing_outside_it(tmp_path: Path) -> None:
    """The catalogue is restored, too: its rows say what is read and deleted."""
    (tmp_path / "outside").write_text("mine")
    store = RawStore(str(tmp_path / "raw"))
    for path in ("../outside", str(tmp_path / "outside"), "a/../../outside"):
        for act in (store.delete, store.text, lambda path: store.put_bytes(path, "0" * 64, b"theirs")):
            with pytest.raises(ValueError, match="inside the raw store"):
                act(path)
    assert (tmp_path / "outside").read_text() == "mine"


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def folder_link(path: Path) -> None:
    path.symlink_to("/etc", target_is_directory=True)


def text(path: Path) -> None:
    path.write_text("x")


@pytest.mark.parametrize(
    ("make", "said"),
    [(link, "is a link"), (folder_link, "is a link"), (os.mkfifo, "a device"), (text, "does not name")],
)
@pytest.mark.parametrize("where", ["evil", "models/video_forecaster/evil", "raw/videos/evil.parquet"])
def test_links_devices_and_files_that_are_not_named_are_refused(
    saved: Path, home: Path, make: Callable[[Path], None], said: str, where: str
) -> None:
    make(saved / where)
    with pytest.raises(BackupError, match=said):
        verify(saved, own_key(home).public, silent)


@pytest.mark.parametrize("name", [MODEL, f"raw/{BATCH}"])
def test_a_link_in_place_of_a_file_is_refused(saved: Path, home: Path, name: str) -> None:
    """Even where it leads to the same bytes: it may lead elsewhere a moment later."""
    (saved / name).replace(saved.parent / "same")
    (saved / name).symlink_to(saved.parent / "same")
    with pytest.raises(BackupError, match="is a link"):
        verify(saved, own_key(home).public, silent)


@pytest.mark.parametrize("data", ["", "longer than it was" * 9, MODEL.upper()])
def test_bytes_other_than_those_that_were_signed_are_refused(saved: Path, home: Path, data: str) -> None:
    (saved / MODEL).write_text(data)
    with pytest.raises(BackupError, match="damaged"):
        verify(saved, own_key(home).public, silent)


def test_a_manifest_is_taken_by_its_key_alone(saved: Path, home: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(BackupError, match=r"not signed by the key that is trusted, ed25519:"):
        verify(saved, own_key(tmp_path / "other").public, silent)
    told = (saved / MANIFEST).read_bytes()
    (saved / MANIFEST).write_bytes(told.replace(b"2026-03-31", b"2036-03-31"))
    with pytest.raises(BackupError, match="somebody else made or changed it"):
        verify(saved, own_key(home).public, silent)
    (saved / MANIFEST).write_bytes(told)
    (saved / SIGNATURE).write_text('{"key": 1}')
    with pytest.raises(BackupError, match=r"has no manifest\.sig that can be read"):
        verify(saved, own_key(home).public, silent)
    (saved / SIGNATURE).unlink()
    for trusted, said in ((own_key(home).public, "nothing shows who made it"), (UNSIGNED, "--trust, not --unsigned")):
        with pytest.raises(BackupError, match=said):
            verify(saved, trusted, silent)


def test_a_backup_of_before_they_were_signed_is_taken_when_asked_for_and_checked_too(saved: Path, home: Path) -> None:
    old = manifest_of().__dict__ | {"format": 2}
    del old["sizes"]
    (saved / SIGNATURE).unlink()
    (saved / MANIFEST).write_text(json.dumps(old))
    with pytest.raises(BackupError, match="restore --unsigned"):
        verify(saved, own_key(home).public, silent)
    assert verify(saved, UNSIGNED, silent) == replace(manifest_of(), format=2, sizes={})
    (saved / "evil").symlink_to("/etc/hostname")
    with pytest.raises(BackupError, match="is a link"):
        verify(saved, UNSIGNED, silent)


@pytest.mark.parametrize(
    "told", ["", "[]", "{}", '{"format": 4}', '{"format": 2}', '{"format": 2, "files": 1}', "[" * 100_000]
)
def test_a_manifest_that_is_none_is_refused(saved: Path, told: str) -> None:
    (saved / MANIFEST).write_text(told)
    with pytest.raises(BackupError, match=r"is no backup|has format 4"):
        verify(saved, UNSIGNED, silent)


def test_a_key_is_made_once_for_its_owner_alone_and_only_its_public_half_is_told(home: Path) -> None:
    assert known_key(home) is None
    key = own_key(home)
    assert known_key(home) == own_key(home).public == key.public == check_key(key.public)
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [KEY_FILE]
    assert (home / KEY_FILE).read_text() not in key.public
    assert is_signed(b"a", key.sign(b"a"), key.public)
    for data, signature in ((b"b", key.sign(b"a")), (b"a", ""), (b"a", key.sign(b"a")[:-2]), (b"a", "g" * 128)):
        assert not is_signed(data, signature, key.public)


def test_what_is_no_key_is_said(home: Path) -> None:
    with pytest.raises(KeyFileError, match="is no key"):
        check_key("ed25519:abc")
    (home / KEY_FILE).write_text("abc")
    with pytest.raises(KeyFileError, match=r"backup\.key is no key"):
        own_key(home)
