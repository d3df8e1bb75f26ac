"""What a command prints of an error and exits with, for the platform's own errors and for those of its libraries."""

import ast
from pathlib import Path

import pytest
import typer

import yt_platform
from yt_platform.cli import _explained
from yt_platform.errors import FAILED, MisuseError, PlatformError

PACKAGE = Path(yt_platform.__file__).parent
MISUSES = {
    "AccountError",
    "ForgettingRefusedError",
    "HistoryError",
    "ImportRefusedError",
    "KeyFileError",
    "NamingError",
    "NoPreviousChampionError",
    "NotEnoughRowsError",
    "QueryError",
    "ReaderNameError",
    "SettingsError",
    "UnknownVersionError",
    "WatchListError",
}
FAILURES = {
    "AuthorizationError",
    "BackupError",
    "ConfigurationError",
    "CorruptBatchError",
    "DatabaseError",
    "EmbeddedPostgresError",
    "QuotaExhaustedError",
    "RunFailedError",
    "StillSeenError",
    "TokenError",
    "TombstoneError",
    "UnavailableError",
    "UpError",
}


def heirs(base: str, found: dict[str, str]) -> set[str]:
    own = {name for name, parent in found.items() if parent == base}
    return own.union(*(heirs(name, found) for name in own))


def test_each_error_of_the_platform_has_the_exit_code_that_scripts_rely_on() -> None:
    """Read from the source, as importing all of the platform takes 20 s."""
    parents = {
        node.name: base.id
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    assert heirs("MisuseError", parents) == MISUSES
    assert heirs("PlatformError", parents) == FAILURES | MISUSES | {"MisuseError"}


def raising(error: BaseException) -> int:
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as exit_:
        _explained(command)()
    return exit_.value.exit_code


@pytest.mark.parametrize(("kind", "code"), [(PlatformError, 1), (MisuseError, 2)])
def test_an_error_ends_with_its_code_its_message_and_its_remedy(
    kind: type[PlatformError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(kind("the tap leaks [red]", "turn it off")) == code
    assert capsys.readouterr().err == "error: the tap leaks [red]\nturn it off\n"


def test_a_full_disk_is_told_with_the_file_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(OSError(28, "No space left on device", "/tmp/batch")) == FAILED
    told = capsys.readouterr().err
    assert told.startswith("error: [Errno 28] No space left on device: '/tmp/batch'\nA disk is full")


def test_what_nobody_can_mend_is_raised_as_it_is() -> None:
    def command() -> None:
        raise KeyError("a fault of the code")

    with pytest.raises(KeyError):
        _explained(command)()
