"""`yt-platform token` and the lines of `up` about logging in, through the functions that print them."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from yt_platform.cli import app
from yt_platform.report import print_login, print_opened
from yt_platform.settings import Settings
from yt_platform.web.login import FILE

TOKEN = "t" * 40


def test_the_command_prints_links_with_the_kept_token_and_makes_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(app, ["token"]).output
    token = (tmp_path / ".yt" / FILE).read_text()
    assert f"http://127.0.0.1:3000/?token={token}\n" in printed
    assert f"http://127.0.0.1:5000/?token={token}\n" in printed
    assert CliRunner().invoke(app, ["token"]).output == printed
    assert token not in CliRunner().invoke(app, ["token", "--new"]).output
    assert (tmp_path / ".yt" / FILE).read_text() != token


@pytest.mark.parametrize(("content", "named"), [("", "holds no token"), ("short", "--new")])
def test_a_file_without_a_token_is_an_error_with_its_remedy(
    content: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".yt").mkdir()
    (tmp_path / ".yt" / FILE).write_text(content)
    result = CliRunner().invoke(app, ["token"])
    assert result.exit_code == 1
    assert named in result.output.replace("\n", "")


@pytest.mark.parametrize(("mode", "shown"), [(0o600, True), (0o640, False), (0o604, False)])
def test_up_leaves_the_token_out_of_a_file_that_others_may_read(mode: int, shown: bool, tmp_path: Path) -> None:
    """`up > up.log` would otherwise hand it to every user of the machine."""
    path = tmp_path / "up.log"
    path.touch()
    path.chmod(mode)
    with path.open("w") as file:
        print_opened(Settings(_env_file=None), TOKEN, Console(file=file))
    assert (TOKEN in path.read_text()) is shown
    assert "Open the UI:     Dagster at http://127.0.0.1:3000" in path.read_text()


def test_up_prints_the_token_into_a_pipe() -> None:
    reads, writes = os.pipe()
    with os.fdopen(writes, "w") as pipe:
        print_opened(Settings(_env_file=None), TOKEN, Console(file=pipe))
    with os.fdopen(reads) as pipe:
        assert TOKEN in pipe.read()


def test_the_address_of_a_proxy_never_holds_the_token() -> None:
    """Proxies log addresses."""
    out = io.StringIO()
    print_login(Settings(ui_url="https://dagster.example.org", _env_file=None), TOKEN, Console(file=out, width=200))
    assert f"At https://dagster.example.org, enter the token {TOKEN}" in out.getvalue()
    assert "dagster.example.org/?token" not in out.getvalue()
