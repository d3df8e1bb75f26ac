"""`yt-platform up` as a user starts and ends it: real processes, HTTP on loopback, Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from yt_platform_tests.conftest import free_port, reachable_folder

STARTS_WITHIN_SECONDS = 120


@pytest.fixture
def home() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder / "home"


def start(home: Path, webserver: int, mlflow: int) -> subprocess.Popen[str]:
    ports = {"YT_WEBSERVER_PORT": str(webserver), "YT_MLFLOW_PORT": str(mlflow)}
    return subprocess.Popen(
        [sys.executable, "-m", "yt_platform.cli", "up"],
        env={**os.environ, "YT_HOME": str(home), **ports},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def processes_of(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(home) in command or (process.info["environ"] or {}).get("DAGSTER_HOME") == str(home / "dagster"):
            found.append(command)
    return found


def test_it_serves_until_ctrl_c_and_leaves_nothing_behind(home: Path) -> None:
    webserver, mlflow = free_port(), free_port()
    up = start(home, webserver, mlflow)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not (answers(webserver, "/server_info") and answers(mlflow, "/health")):
            assert up.poll() is None, up.communicate()[0]
            assert time.monotonic() < deadline, "the pages did not answer in time"
            time.sleep(0.5)
        second = start(home, free_port(), free_port())
        assert "already up" in second.communicate(timeout=60)[0]
        assert second.returncode == 1
        commands = processes_of(home)
        up.send_signal(signal.SIGINT)
        output = up.communicate(timeout=60)[0]
    finally:
        up.kill()
        up.communicate()
    assert up.returncode == 0, output
    # the keeper of the database looks once a second whether its server is gone
    deadline = time.monotonic() + 10
    while processes_of(home) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(home) == []
    password = (home / "postgres" / "pgpass").read_text().split(":")[4].strip()
    logs = "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log"))
    assert password not in output + logs + "".join(commands)


def test_killed_without_warning_it_leaves_no_service_behind(home: Path) -> None:
    """They once ran on, holding the ports against the next `up`."""
    webserver = free_port()
    up = start(home, webserver, free_port())
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while not answers(webserver, "/server_info"):
        assert up.poll() is None, up.communicate()[0]
        assert time.monotonic() < deadline, "the page did not answer in time"
        time.sleep(0.5)
    up.kill()
    up.communicate()
    deadline = time.monotonic() + 60
    while processes_of(home) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert processes_of(home) == []


def test_a_port_in_use_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = start(home, taken.getsockname()[1], free_port())
        output = up.communicate(timeout=60)[0]
    assert up.returncode == 1
    assert "YT_WEBSERVER_PORT" in output
