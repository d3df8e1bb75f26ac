"""`yt-platform up`: Dagster's pages and daemon and MLflow's pages as children of this process, and their clean end."""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from yt_platform.errors import PlatformError
from yt_platform.local import HOST_TAG, dagster_environment
from yt_platform.settings import PROJECT_ROOT, Settings
from yt_platform.storage.private import make_private
from yt_platform.warehouse.databases import DatabaseUrls, sqlalchemy_url

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

STOP_WITHIN_SECONDS = 20
HOST = "127.0.0.1"
UMASK = 0o077
"""Sockets of Dagster's code servers have the rights that this leaves: whoever connects to one runs code here."""


class UpError(PlatformError):
    """The platform cannot be brought up; the message says why and what to do."""


@dataclass(frozen=True)
class Service:
    """A child process, with the variables it needs beside the environment's. Arguments never carry secrets."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def services(settings: Settings, urls: DatabaseUrls) -> list[Service]:
    scripts = Path(sys.executable).parent
    dagster = dagster_environment(settings, urls)
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    home = {"YT_HOME": str(settings.home)}
    mlflow = {
        **home,
        "MLFLOW_BACKEND_STORE_URI": sqlalchemy_url(urls.mlflow),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    receiver = Service("receiver", (sys.executable, "-m", "yt_platform.youtube.websub.receiver"), home)
    return [
        *([receiver] if settings.push_url else []),
        Service("webserver", (sys.executable, "-m", "yt_platform.web", "dagster"), dagster),
        Service("daemon", (f"{scripts}/dagster-daemon", "run", "-w", workspace), dagster),
        Service("mlflow", (sys.executable, "-m", "yt_platform.web", "mlflow"), mlflow),
    ]


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the home's lock, so that a second `up` says so instead of fighting over ports. Raises UpError."""
    make_private(home)  # first: who could open the lock could hold it
    with (home / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UpError(f"the platform is already up on {home}; stop it with Ctrl-C where it runs") from None
        yield


def check_ports(settings: Settings) -> None:
    """Raises UpError naming a port that something else listens on."""
    ports = {"YT_WEBSERVER_PORT": settings.webserver_port, "YT_MLFLOW_PORT": settings.mlflow_port}
    for name, port in (ports | ({"YT_PUSH_PORT": settings.push_port} if settings.push_url else {})).items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise UpError(f"port {port} is in use; set {name} to a free one") from None


def fail_orphaned_runs(instance: "DagsterInstance") -> list[str]:
    """Fail runs that say they are under way while their process is gone, and free their concurrency slots.

    Returns the ids of the failed runs.
    """
    from dagster import DagsterRunStatus, RunsFilter

    under_way = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
    orphans = [run for run in instance.get_runs(RunsFilter(statuses=under_way)) if _is_orphan(instance, run)]
    for run in orphans:
        instance.report_run_failed(run, "The process that executed this run is gone; the run was marked as failed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in orphans]


def _is_orphan(instance: "DagsterInstance", run: "DagsterRun") -> bool:
    """A run is alive while any process its engine events name is: same pid, and begun before the event."""
    from dagster import DagsterEventType

    if run.tags.get(HOST_TAG, socket.gethostname()) != socket.gethostname():
        return False
    records = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT).records
    marks = [
        (int(str(entry.value)), record.timestamp)
        for record in records
        if record.event_log_entry.dagster_event
        for label, entry in record.event_log_entry.dagster_event.engine_event_data.metadata.items()
        if label == "pid"
    ]
    return bool(marks) and not any(_was_running(pid, at) for pid, at in marks)


def _was_running(pid: int, at: float) -> bool:
    try:
        return psutil.Process(pid).create_time() <= at and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def serve(
    children: list[Service], logs: Path, started: Callable[[], None], is_current: Callable[[], bool]
) -> int | None:
    """Run the services until one ends, a signal comes or they are no longer current, then stop them all.

    Each service leads a process group of its own, so that its children end with it and Ctrl-C reaches them once,
    in order, from here. Returns 0 after a signal, 1 when a service ended by itself, None when other ones are needed.
    """
    logs.mkdir(parents=True, exist_ok=True)
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: stopping.append(received))
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for service in children:
            with (logs / f"{service.name}.log").open("ab") as log:
                processes[service.name] = subprocess.Popen(
                    service.command,
                    env={**os.environ, **service.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    umask=UMASK,
                    preexec_fn=_end_with_parent,
                )
        started()
        while not stopping:
            ended = [name for name, process in processes.items() if process.poll() is not None]
            if ended:
                print(f"{ended[0]} ended with exit code {processes[ended[0]].returncode}; see {logs}/{ended[0]}.log")
                return 1
            if not is_current():
                return None
            time.sleep(0.3)
        return 0
    finally:
        _stop(list(processes.values()))


def _end_with_parent() -> None:
    """In the child: SIGTERM when `up` ends without having said so, as after kill -9. Linux's prctl(2)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask every process group to end, and end what is left of it."""
    members = [child for process in processes for child in _family(process.pid)]
    for process in processes:
        _signal_group(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(members, timeout=STOP_WITHIN_SECONDS)
    for child in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    for process in processes:
        process.wait()


def _family(pid: int) -> set[psutil.Process]:
    """What is in the service's process group, which outlives a service that was killed, and its descendants."""
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == pid:
                found.update([process, *process.children(recursive=True)])
    return found


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
