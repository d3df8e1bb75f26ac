"""The command and the control endpoints, from another process: that is how a benchmark or `make run` uses them."""

import json
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from yt_platform_tests.sandbox.client import control, youtube


@contextmanager
def started(*arguments: str) -> Iterator[str]:
    """The command with a free port; it must end by itself when told to."""
    command = [sys.executable, "-m", "yt_platform.sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=20)
    assert errors == ""


def test_the_command_serves_a_generated_world(tmp_path: Path) -> None:
    """With options of every kind, each of which shows in an answer."""
    rules = tmp_path / "faults.json"
    rules.write_text(json.dumps([{"method": "comments.list", "reason": "backendError"}]))
    options = ["--seed", "5", "--channels", "3", "--videos", "60", "--starts-at", "2026-04-01T00:00Z", "--key", "mine"]
    options += ["--client-secrets", str(tmp_path / "client.json")]
    with started(*options, "--limit", "default=2", "--faults", str(rules)) as url, youtube(url, "mine") as api:
        assert json.loads((tmp_path / "client.json").read_text()) == control(url, "client")
        assert control(url, "clock") == {"now": "2026-04-01T00:00:00+00:00", "real": False}
        [channel] = api.channels().list(part="statistics", forHandle="@synthetic-03").execute()["items"]
        assert 0 < int(channel["statistics"]["videoCount"]) < 60
        with pytest.raises(Exception, match="Backend Error"):
            api.comments().list(part="id", parentId="x").execute()
        with pytest.raises(Exception, match="exceeded"):
            api.videos().list(part="id", id="x").execute()
        assert control(url, "usage")["units"]["default"] == 2


def test_the_command_replays_the_sample() -> None:
    """Its clock stands at the sample's end, where a collector goes on."""
    with started("--replay", "sample") as url, youtube(url, "sandbox-key") as api:
        assert control(url, "clock")["now"].startswith("2026-03-01T")
        [channel] = api.channels().list(part="contentDetails", forHandle="@synthetic-05").execute()["items"]
        uploads = channel["contentDetails"]["relatedPlaylists"]["uploads"]
        assert api.playlistItems().list(part="id", playlistId=uploads).execute()["items"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--limit", "stats=3"], "no quota bucket is named stats"),
        (["--channels", "0"], "cannot be generated"),
        (["--starts-at", "2026-04-01T00:00"], "has no zone"),
        (["--replay", "nowhere"], "there is no such file or folder"),
    ],
)
def test_the_command_says_in_a_line_what_is_wrong(arguments: list[str], said: str) -> None:
    """By exit code and both streams: whoever waits for the URL must not take the error for one."""
    command = [sys.executable, "-m", "yt_platform.sandbox", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_clock_is_moved_and_let_run(url: str) -> None:
    """Through its endpoint; the machine's time is read only once asked for."""
    assert control(url, "clock")["now"] == "2026-03-01T12:00:00+00:00"
    assert control(url, "clock", {"advance_seconds": 90})["now"] == "2026-03-01T12:01:30+00:00"
    assert control(url, "clock", {"now": "2026-05-01T00:00:00Z"})["now"] == "2026-05-01T00:00:00+00:00"
    real = control(url, "clock", {"real": True})
    assert real["real"]
    assert control(url, "clock")["now"] > real["now"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("clock", {"now": "soon"}), ("clock", {"now": "2026-05-01T00:00:00"}), ("clock", {}), ("clock", {"tick": 1}),
     ("faults", {"status": 500}), ("faults", [1])],
)  # fmt: skip
def test_what_control_cannot_follow_is_400(url: str, name: str, content: Any) -> None:
    """By HTTP: a test that sets a clock wrongly must fail there."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(url, name, content)
    with caught.value as answer:
        assert answer.code == 400
        assert json.load(answer)["error"]


def test_control_is_free_and_knows_its_paths(url: str) -> None:
    """By HTTP: neither reading nor a wrong path costs quota."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(url, "time")
    with caught.value as answer:
        assert answer.code == 404
        assert "/sandbox/clock" in json.load(answer)["error"]
    usage = control(url, "usage")
    assert (usage["requests"], usage["units"]) == (0, {"default": 0, "batchGetStats": 0, "search": 0})
