"""`yt-platform up` as a user starts and ends it: real processes, HTTP and websockets on loopback, Ctrl-C.

One platform serves all tests of its pages, with an MLflow that an older version let others write to.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import pytest
from mlflow import MlflowClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from yt_platform.local import open_platform
from yt_platform.settings import Settings
from yt_platform.up import Service, serve
from yt_platform.warehouse.databases import sqlalchemy_url
from yt_platform.web.login import FILE
from yt_platform_tests.conftest import free_port, reachable_folder

STARTS_WITHIN_SECONDS = 240
ENDS_WITHIN_SECONDS = 180
"""Both are seconds on an idle machine; other tests share two cores with these."""

PLOT = b"\x89PNG of a training"
NOBODY = 65534


@pytest.fixture
def home(migrated_home: Path) -> Path:
    return migrated_home


def start(home: Path, webserver: int, mlflow: int, **options: Any) -> subprocess.Popen[str]:
    ports = {"YT_WEBSERVER_PORT": str(webserver), "YT_MLFLOW_PORT": str(mlflow)}
    return subprocess.Popen(
        [sys.executable, "-m", "yt_platform.cli", "up"],
        env={**os.environ, "YT_HOME": str(home), **ports},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def ask(url: str, headers: dict[str, str] | None = None, body: Any = None) -> tuple[int, bytes]:
    """Status and body; a POST of JSON where a body is given."""
    data = None if body is None else json.dumps(body).encode()
    typed = {"Content-Type": "application/json"} if data else {}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, {**typed, **(headers or {})}), timeout=60
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def answers(port: int) -> bool:
    """Whether the guard there answers, as it does once the page behind it is ready."""
    try:
        return ask(f"http://127.0.0.1:{port}/")[0] == 401
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def wait_for(up: subprocess.Popen[str], *ports: int) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while not all(answers(port) for port in ports):
        assert up.poll() is None, up.communicate()[0]
        assert time.monotonic() < deadline, "the pages did not answer in time"
        time.sleep(0.5)


def processes_of(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(home) in command or (process.info["environ"] or {}).get("YT_HOME") == str(home):
            found.append(process)
    return found


def command_lines(home: Path) -> list[str]:
    return [" ".join(process.info["cmdline"] or []) for process in processes_of(home)]


@dataclass
class Opened:
    """A platform that is up; `run` is an MLflow run of its own, `foreign` lists artifacts that lie elsewhere."""

    home: Path
    webserver: int
    mlflow: int
    up: subprocess.Popen[str]
    run: str
    foreign: dict[str, str]

    @property
    def token(self) -> str:
        return (self.home / FILE).read_text()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def cookie(self) -> dict[str, str]:
        """The header of a session that a browser began by the printed link, without following where that leads."""
        connection = socket.create_connection(("127.0.0.1", self.webserver))
        connection.sendall(
            f"GET /?token={self.token} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        with connection, connection.makefile() as lines:
            cookies = [line.split(": ")[1] for line in lines if line.lower().startswith("set-cookie")]
        return {"Cookie": cookies[0].partition(";")[0]}

    def dagster(self, path: str) -> str:
        return f"http://127.0.0.1:{self.webserver}{path}"

    def artifact(self, run: str, path: str) -> tuple[int, bytes]:
        query = urlencode({"run_uuid": run, "path": path})
        return ask(f"http://127.0.0.1:{self.mlflow}/get-artifact?{query}", self.bearer)

    def mlflow_api(self, path: str, body: Any = None) -> tuple[int, bytes]:
        return ask(f"http://127.0.0.1:{self.mlflow}/ajax-api/2.0/mlflow/{path}", self.bearer, body)


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with reachable_folder() as folder:
        home = folder / "home"
        run, foreign = written_to_mlflow(home)
        webserver, mlflow = free_port(), free_port()
        up = start(home, webserver, mlflow, umask=0)  # the least careful there is
        try:
            wait_for(up, webserver, mlflow)
            yield Opened(home, webserver, mlflow, up, run, foreign)
        finally:
            if up.poll() is None:
                up.send_signal(signal.SIGINT)
            up.communicate(timeout=ENDS_WITHIN_SECONDS)


def written_to_mlflow(home: Path) -> tuple[str, dict[str, str]]:
    """Ids of a run with a plot, as trainings write it, and of runs by where their artifacts lie: outside, as anybody
    could once ask for."""
    with open_platform(Settings(home=home, _env_file=None)) as platform:
        platform.registry.ensure_experiment("trainings")
        client = MlflowClient(sqlalchemy_url(platform.urls.mlflow))
        run = client.create_run(client.get_experiment_by_name("trainings").experiment_id).info
        folder = Path(run.artifact_uri)
        folder.mkdir(parents=True)
        (folder / "plot.png").write_bytes(PLOT)
        (folder / "link").symlink_to(home / "outside")
        foreign = {}
        for location in (str(home / "outside"), f"file://{home}/outside", "s3://bucket/outside"):
            experiment = client.create_experiment(location, artifact_location=location)
            foreign[location] = client.create_run(experiment).info.run_id
    for outside in (home / "outside", *(home / "outside" / run / "artifacts" for run in foreign.values())):
        outside.mkdir(parents=True, exist_ok=True)
        (outside / "secret").write_text("hunter2")
    return run.run_id, foreign


def test_without_the_token_both_pages_show_a_login_alone(opened: Opened) -> None:
    for port in (opened.webserver, opened.mlflow):
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            status, page = ask(f"http://127.0.0.1:{port}/", {**headers, "Accept": "text/html"})
            assert (status, b'action="/login"' in page) == (401, True)
        assert ask(f"http://127.0.0.1:{port}/", {**opened.bearer, "Host": "evil.example"})[0] == 403


def test_one_login_opens_both_pages(opened: Opened) -> None:
    cookie = opened.cookie
    assert ask(opened.dagster("/server_info"), cookie)[0] == 200
    status, page = ask(opened.dagster("/runs"), cookie)
    assert (status, b"https://www.youtube.com/t/terms" in page) == (200, True)
    assert ask(f"http://127.0.0.1:{opened.mlflow}/health", cookie) == (200, b"OK")


def test_dagster_is_asked_by_its_own_page_alone(opened: Opened) -> None:
    url, query = opened.dagster("/graphql"), {"query": "{ version }"}
    own = {**opened.cookie, "Origin": opened.dagster("")}
    assert ask(url, own, query)[0] == 200
    for headers in (own | {"Origin": "http://evil.example"}, opened.cookie, own | {"Content-Type": "text/plain"}):
        assert ask(url, headers, query)[0] in (403, 415)
    mutation = quote('mutation { freeConcurrencySlots(runId: "none") }')
    assert ask(f"{url}?query={mutation}", opened.bearer)[0] == 405


def test_materialisations_are_reported_with_the_token_alone(opened: Opened) -> None:
    url = opened.dagster("/report_asset_materialization/of/elsewhere")
    for headers, status in (({}, 401), ({**opened.cookie, "Origin": opened.dagster("")}, 403), (opened.bearer, 200)):
        assert ask(url, headers, {})[0] == status


def test_live_updates_go_to_the_own_page_alone(opened: Opened) -> None:
    url = f"ws://127.0.0.1:{opened.webserver}/graphql"
    for headers, origin in (({}, opened.dagster("")), (opened.cookie, "http://evil.example")):
        with pytest.raises(InvalidStatus):
            connect(url, origin=origin, additional_headers=headers, subprotocols=["graphql-ws"])  # type: ignore
    query = 'subscription { pipelineRunLogs(runId: "none") { __typename } }'
    own = {"origin": opened.dagster(""), "additional_headers": opened.cookie}
    with connect(url, subprotocols=["graphql-ws"], **own) as websocket:  # type: ignore
        websocket.send(json.dumps({"type": "connection_init"}))
        websocket.send(json.dumps({"id": "1", "type": "start", "payload": {"query": query}}))
        assert json.loads(websocket.recv(timeout=30))["type"] == "connection_ack"
        told = json.loads(websocket.recv(timeout=30))
    assert told["payload"]["data"]["pipelineRunLogs"]["__typename"] == "PipelineRunLogsSubscriptionFailure"


def test_mlflow_shows_what_trainings_wrote(opened: Opened) -> None:
    assert opened.artifact(opened.run, "plot.png") == (200, PLOT)
    listed = json.loads(opened.mlflow_api(f"artifacts/list?run_id={opened.run}")[1])
    assert "plot.png" in {file["path"] for file in listed["files"]}
    status, found = opened.mlflow_api("experiments/search", {"max_results": 10})
    assert (status, b"trainings" in found) == (200, True)


def test_mlflow_opens_no_file_outside_the_folder_of_artifacts(opened: Opened) -> None:
    """Locations of runs are kept in its database: an older platform let anybody write them."""
    tried = [(run, "secret") for run in opened.foreign.values()]
    for run, path in [*tried, (opened.run, "link/secret"), (opened.run, "../../../../outside/secret")]:
        status, body = opened.artifact(run, path)
        assert status in (400, 403), (run, path)
        assert b"hunter2" not in body
    for run in opened.foreign.values():
        assert opened.mlflow_api(f"artifacts/list?run_id={run}")[0] == 403
    assert opened.mlflow_api(f"artifacts/list?run_id={opened.run}&path=link")[0] in (400, 403)


def test_mlflow_takes_no_writes_and_leaves_nothing_in_its_working_directory(opened: Opened) -> None:
    for path in ("experiments/create", "runs/create", "model-versions/create", "webhooks", "gateway-proxy"):
        status, body = opened.mlflow_api(path, {"name": "x", "artifact_location": "/etc"})
        assert (status, b"yt-platform" in body) == (403, True)
    server = next(process for process in processes_of(opened.home) if process.cmdline()[-1] == "mlflow")
    assert Path(server.cwd()) == opened.home / "mlflow" / "empty"
    assert list(Path(server.cwd()).iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
def test_another_user_of_the_machine_stays_outside(opened: Opened) -> None:
    """Sockets of code servers and the token's file too, though this `up` began with no umask at all."""
    script = """
import socket, sys, urllib.error, urllib.request
for url in sys.argv[1:3]:
    try: urllib.request.urlopen(url)
    except urllib.error.HTTPError as error: print(error.code)
try: print(open(sys.argv[3]).read())
except PermissionError: print("no token")
for path in sys.argv[4:]:
    try: socket.socket(socket.AF_UNIX).connect(path)
    except PermissionError: print("no socket")
"""
    sockets = [
        connection.laddr
        for process in processes_of(opened.home)
        if "postgres" not in process.name()
        for connection in process.net_connections("unix")
        if connection.laddr and Path(connection.laddr).is_socket()
    ]
    assert len(set(sockets)) >= 2  # the webserver's code server and the daemon's
    urls = [opened.dagster("/"), f"http://127.0.0.1:{opened.mlflow}/"]
    command = ["/usr/bin/env", "python3", "-c", script, *urls, str(opened.home / FILE), *sorted(set(sockets))]
    found = subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True)
    said = found.stdout.split("\n")
    assert said[:3] == ["401", "401", "no token"], found.stderr
    assert said[3:-1] == ["no socket"] * len(set(sockets))


def test_it_serves_until_ctrl_c_and_leaves_nothing_behind(opened: Opened) -> None:
    """The last test of these pages, as it ends them."""
    home, up = opened.home, opened.up
    second = start(home, free_port(), free_port())
    assert "already up" in second.communicate(timeout=ENDS_WITHIN_SECONDS)[0]
    assert second.returncode == 1
    token, commands = opened.token, command_lines(home)
    up.send_signal(signal.SIGINT)
    output = up.communicate(timeout=ENDS_WITHIN_SECONDS)[0]
    assert up.returncode == 0, output
    # the keeper of the database looks once a second whether its server is gone
    deadline = time.monotonic() + 10
    while processes_of(home) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert command_lines(home) == []
    password = (home / "postgres" / "pgpass").read_text().split(":")[4].strip()
    logs = "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log"))
    assert password not in output + logs + "".join(commands)
    assert f"http://127.0.0.1:{opened.webserver}/?token={token}" in output
    assert token not in logs + "".join(commands)
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600


def test_killed_without_warning_it_leaves_no_service_behind(home: Path) -> None:
    """They once ran on, holding the ports against the next `up`."""
    webserver = free_port()
    up = start(home, webserver, free_port())
    wait_for(up, webserver)
    up.kill()
    up.communicate()
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while processes_of(home) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert command_lines(home) == []


def test_services_whose_database_has_moved_are_stopped_for_others(tmp_path: Path) -> None:
    """They kept the old address for good, where another program may listen."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    asleep = Service("asleep", (sys.executable, "-c", "import time; time.sleep(600)"), {"YT_HOME": str(tmp_path)})
    try:
        assert serve([asleep], tmp_path, lambda: None, iter([True, False]).__next__) is None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert command_lines(tmp_path) == []


def test_a_port_in_use_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = start(home, taken.getsockname()[1], free_port())
        output = up.communicate(timeout=ENDS_WITHIN_SECONDS)[0]
    assert up.returncode == 1
    assert "YT_WEBSERVER_PORT" in output
