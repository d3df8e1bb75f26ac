"""The command line as scripts use it: real processes, their exit codes, and what they print where."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import typer

from yt_platform.cli import app
from yt_platform_tests.conftest import reachable_folder


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder / "home"


def call(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "YT_HOME": str(home), "COLUMNS": "200", **variables}
    command = [sys.executable, "-m", "yt_platform.cli", *arguments]
    return subprocess.run(command, env=environment, cwd=home.parent, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("command", ["", "db start"])
def test_help_is_printed(command: str, home: Path) -> None:
    found = call(home, *command.split(), "--help")
    assert found.returncode == 0
    assert "Usage" in found.stdout


def commands(context: typer.Context) -> Iterator[typer.Context]:
    """A command and all below it."""
    yield context
    for name, command in getattr(context.command, "commands", {}).items():
        yield from commands(typer.Context(command, parent=context, info_name=name))


EVERY = [*commands(typer.Context(typer.main.get_command(app), info_name="yt-platform"))]


@pytest.mark.parametrize("context", EVERY, ids=lambda context: context.command_path)
def test_every_command_explains_itself_and_its_options(
    context: typer.Context, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: an interpreter for each takes a minute. Above is what only a process shows."""
    told = context.command.get_help(context) + capsys.readouterr().out
    assert f"Usage: {context.command_path}" in told
    assert context.command.help
    for parameter in context.command.params:
        assert getattr(parameter, "help", None) or parameter.name == "help", parameter.name


def test_the_commands_are_those_that_people_use() -> None:
    """A command that is lost with a file that nobody imports any more would otherwise be missed by its users first."""
    assert {"run", "import", "up", "migrate", "status", "accept", "backtest", "forget"} <= {
        context.info_name for context in EVERY if context.parent is EVERY[0]
    }
    below = {context.command_path.removeprefix("yt-platform ") for context in EVERY}
    assert {"models list", "models rollback", "db start", "db stop", "db url", "db shell"} <= below


def test_a_wrong_setting_is_misuse_and_named(home: Path) -> None:
    found = call(home, "status", YT_HOEM="x")
    assert found.returncode == 2
    assert "YT_HOEM" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--channel", "@handle"], "no id of a channel or author"),
        (["--author", "UC123"], "no id of a channel or author"),
        ([], "name what to forget"),
        (["--channel", "UC" + "a" * 22, "--author", "UC" + "a" * 22], "name what to forget"),
    ],
)
def test_what_cannot_be_forgotten_is_misuse(home: Path, arguments: list[str], told: str) -> None:
    found = call(home, "forget", *arguments)
    assert found.returncode == 2
    assert told in found.stderr


def test_a_file_of_no_known_layout_is_misuse_and_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("when,what\n1,2\n")
    found = call(home, "import", str(tmp_path / "odd.csv"))
    assert found.returncode == 2
    assert "odd.csv" in found.stderr
    assert "when" in found.stderr
    assert "Traceback" not in found.stderr


def test_the_url_of_a_server_that_does_not_run_fails_and_says_how_to_start_it(home: Path) -> None:
    found = call(home, "db", "url")
    assert found.returncode == 1
    assert "db start" in found.stderr


def test_a_kept_server_answers_at_the_printed_url_until_it_is_stopped(home: Path) -> None:
    call(home, "migrate")
    assert call(home, "db", "start").returncode == 0
    try:
        for arguments in (("db", "url"), ("db", "url", "--reader")):
            url = call(home, *arguments).stdout.strip()
            query = "import sys, psycopg; print(psycopg.connect(sys.argv[1]).execute('SELECT 1').fetchone())"
            found = subprocess.run([sys.executable, "-W", "ignore", "-c", query, url], capture_output=True, text=True)
            assert found.stdout.strip() == "(1,)", found.stderr
    finally:
        assert call(home, "db", "stop").returncode == 0
    assert call(home, "db", "url").returncode == 1


def test_status_prints_json_and_nothing_else(home: Path) -> None:
    found = call(home, "status", "--json")
    assert found.returncode == 0, found.stderr
    status = json.loads(found.stdout)
    assert set(status) == {"clock", "tables", "partitions", "checks", "alerts", "skipped", "broken"}
    assert status["tables"]["metrics.videos"] == 0
    assert status["broken"] == []


@pytest.mark.parametrize(
    ("step_days", "reason"),
    [
        (1, "training video_forecaster needs more than 24 days of history and there are 20"),
        (2, "with one a day before"),
    ],
)
def test_a_history_too_short_or_thin_to_train_on_is_loaded_and_says_so(
    tmp_path: Path, step_days: int, reason: str
) -> None:
    """A training that must fail once ended the whole run with an error."""
    days = pd.date_range("2026-01-01", periods=20, freq=f"{step_days}D")
    readings = [
        f"{day:%Y-%m-%d},abcdefghij{video},{number},1,1" for video in range(3) for number, day in enumerate(days)
    ]
    header = "timestamp,video_id,view_count,like_count,comment_count\n"
    (tmp_path / "history.csv").write_text(header + "\n".join(readings))
    with reachable_folder() as folder:
        found = call(folder / "home", "run", "--history", str(tmp_path / "history.csv"))
        status = json.loads(call(folder / "home", "status", "--json").stdout)
    assert found.returncode == 0, found.stdout + found.stderr
    assert reason in " ".join(found.stdout.split())
    assert status["tables"]["features.video_day"] == 60
    assert status["broken"] == []
