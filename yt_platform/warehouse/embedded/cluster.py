"""The cluster of the embedded server: made, judged, started, with which settings.

Not here: where it is (`place.py`), who uses it (`server.py`), and how it is watched and stopped
(`keeper.py`). Databases, roles and tables inside it are `databases.py`'s.
"""

import contextlib
import os
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yt_platform.warehouse import pgpass
from yt_platform.warehouse.embedded.keeper import (
    HERE,
    MARK,
    account_of,
    command_line,
    config_path,
    named,
    postmaster_file,
    recorded_pid,
    run_as,
    server_pid,
)
from yt_platform.warehouse.embedded.place import (
    MAJOR,
    EmbeddedPostgresError,
    Place,
    Server,
    digest,
    hand_over,
    may,
    wheel_binaries,
    workspace,
)

SUPERUSER = "youtube"
# Below 32768, where Linux begins to take ports for outgoing connections: a port once given to a BI tool stays free.
PORTS = range(15432, 15632)
START_SECONDS = 300  # recovery replays up to max_wal_size of log first
SOCKET_PATH_BYTES = 107  # the kernel's limit (sun_path), where PostgreSQL refuses to start

SETTINGS = """\
# Written by yt_platform/warehouse/embedded/cluster.py at every start; changes belong there, or into ALTER SYSTEM.

listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = {socket_dir}
cluster_name = '{cluster_name}'  # in the title of each process: finds those a killed postmaster left
max_connections = 120
superuser_reserved_connections = 50     # the platform's role is the superuser: readers leave it as many

# Two cores, and the whole platform in less than 4 GB.
shared_buffers = 256MB
work_mem = 32MB
maintenance_work_mem = 256MB
autovacuum_work_mem = 64MB              # else each autovacuum worker may take maintenance_work_mem
autovacuum_max_workers = 2
max_worker_processes = 4
max_parallel_workers = 2
max_parallel_workers_per_gather = 1     # with the leader, both cores
max_parallel_maintenance_workers = 1
huge_pages = off                        # none are reserved on an ordinary machine, and trying costs a warning
dynamic_shared_memory_type = posix

# Bulk loads. Nothing replicates from here, so a table filled in the transaction that made it needs no log at all.
wal_level = minimal
max_wal_senders = 0                     # required by wal_level = minimal
max_logical_replication_workers = 0     # else a launcher process waits for work that cannot come
max_wal_size = 2GB                      # with the timeout below: a load is not cut up by checkpoints
checkpoint_timeout = 15min
wal_compression = {wal_compression}
wal_recycle = off                       # a file used again would hold forgotten rows for months
fsync = on                              # said aloud: a committed row survives a power cut
synchronous_commit = on

# Passwords are 192 random bits, which no dictionary holds: hashing them thousands of times only makes connections,
# of which Dagster opens two for every event, take twice as long (4.4 against 2.1 ms).
scram_iterations = 1

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'

# Log files of at most 8 MB; the keeper leaves the newest five.
logging_collector = on
log_directory = {log_dir}
log_filename = 'server-%Y%m%d-%H%M%S.log'
log_rotation_size = 8MB
log_rotation_age = 0
log_line_prefix = '%m [%p] %q%u@%d '
log_min_error_statement = panic         # a failing CREATE ROLE would put its password into the log
"""


@dataclass(frozen=True)
class Cluster:
    """The cluster of a place; all is done with the lock of `server.py` held."""

    place: Place
    server: Server

    def check(self) -> None:
        """Raise if the data directory is not one that this server can and may run on."""
        version = self.server.data / "PG_VERSION"
        if not version.exists() or not (self.server.data / "global" / "pg_control").exists():
            raise EmbeddedPostgresError(
                "The data directory is no PostgreSQL cluster",
                self.server.data,
                "it holds files, but not those of a complete cluster",
                "move that folder away, and a new cluster is made in its place",
            )
        if version.read_text().strip() != MAJOR:
            raise EmbeddedPostgresError(
                "The data directory belongs to another PostgreSQL",
                self.server.data,
                f"it was made by major version {version.read_text().strip()}, and the server is version {MAJOR}",
                "dump it with the release of the platform that made it and restore the dump here, or move the folder "
                "away to start afresh (all but raw files is then rebuilt)",
            )
        if not self.place.pgpass.exists() or f":{SUPERUSER}:" not in self.place.pgpass.read_text():
            raise EmbeddedPostgresError(
                "The password of the embedded PostgreSQL is lost",
                self.place.pgpass,
                f"the file holds no line for the role {SUPERUSER}, and the cluster {self.server.data} exists",
                f"restore the file from a backup, or move {self.server.data} away to start afresh",
            )
        pid = recorded_pid(self.server.data)
        # Asked under the server's account: a container's root may not look at what others' processes do.
        on_it = may(
            account_of(self.server.data), f'test "$(readlink /proc/{pid}/cwd)" = "$0"', self.server.data.resolve()
        )
        if on_it and server_pid(self.server.data) is None:
            raise EmbeddedPostgresError(
                "The data directory is in use by another server",
                self.server.data,
                f"a PostgreSQL that the platform did not start runs on it as process {pid}",
                f"stop it first: {wheel_binaries() / 'pg_ctl'} stop -D {shlex.quote(str(self.server.data))}",
            )

    def make(self) -> None:
        """initdb in a folder of its own and a rename, so that a cluster is there whole or not at all."""
        with workspace(self.server.base) as work, tempfile.TemporaryFile() as password:
            data = work / "data"
            data.mkdir(mode=0o700)
            password.write(pgpass.role_password(self.place.pgpass, SUPERUSER).encode())
            password.seek(0)
            if self.server.account:
                os.chown(data, *self.server.account)
                os.fchown(password.fileno(), *self.server.account)  # initdb opens it anew
            # Builtin C.UTF-8: code point order and Unicode case rules that no update of the system's locales changes.
            # initdb syncs what it wrote: a power cut after the rename below must not leave a cluster that looks whole.
            arguments: list[str | Path] = [
                self.server.bin_dir / "initdb",
                f"--pgdata={HERE if self.server.account else data}",
                f"--username={SUPERUSER}",
                "--pwfile=/dev/stdin",
                "--auth-local=scram-sha-256",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                "--set=scram_iterations=1",  # as in SETTINGS: the superuser's password is hashed here
            ]
            with (self.place.state / "start.log").open("wb") as log:
                status = run_as(self.server.account, arguments, log, data, password)
            if status != 0:
                raise self.failed("initdb could not make the cluster of the embedded PostgreSQL")
            _sync(self.place.pgpass)
            _sync(self.place.state)
            data.rename(self.server.data)
            _sync(self.server.base)

    def clear_leftovers(self) -> None:
        """End and remove what a killed postmaster or client left behind, so that the next server may start."""
        deadline = time.monotonic() + 30
        while orphans := _orphans(self.server):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    "The embedded PostgreSQL cannot be started",
                    self.server.data,
                    f"processes of its previous run do not end: {', '.join(map(str, orphans))}",
                    "end them, or restart the machine",
                )
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)  # as after a power cut; the log they wrote is what recovery reads
            time.sleep(0.05)
        # The pid in a stale lock file may be another program's by now, or a zombie's where nobody reaps: PostgreSQL
        # takes both for a live server. What the files protect from, processes on the data, was ended above.
        for stale in (self.server.data / "postmaster.pid", *_socket_dir(self.server).glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        for unfinished in self.server.base.glob("new-*"):
            # Of a killed client. Its initdb may still be writing and fill a folder anew; the next start removes that.
            shutil.rmtree(unfinished, ignore_errors=True)

    def start(self) -> None:
        data, account = self.server.data, self.server.account
        self._bring_up_to_date()
        socket_dir, log_dir, config = _socket_dir(self.server), data / "log", config_path(data)
        for folder in (socket_dir, log_dir):
            _make_owned_folder(folder, self.server)
        for port in _free_ports(config):
            settings = SETTINGS.format(
                port=port,
                socket_dir=_setting(named(socket_dir, data, account)),
                cluster_name=self.server.cluster_name,
                wal_compression=_wal_compression(self.server.bin_dir),
                log_dir=_setting(named(log_dir, data, account)),
            )
            _write_owned(config, settings, self.server)
            arguments = [f"config_file={named(config, data, account)}", f"{MARK}={data}"]
            options = " ".join(f"-c {shlex.quote(argument)}" for argument in arguments)
            start: list[str | Path] = [self.server.bin_dir / "pg_ctl", "start", "-t", str(START_SECONDS), "-o", options]
            with (self.place.state / "start.log").open("wb") as log:
                if run_as(self.server.account, start, log, self.server.data) == 0:
                    return
            # Another process may have taken the port since it was tried; anything else is no matter of ports.
            if server_pid(self.server.data) is not None or _is_free(port):
                raise self.failed("The embedded PostgreSQL did not start")
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL found no port",
            self.server.data,
            f"all ports of 127.0.0.1 from {PORTS.start} to {PORTS.stop - 1} are taken",
            "end what listens there",
        )

    def _bring_up_to_date(self) -> None:
        """What older versions put beside the data directory, or gave to an account of others."""
        base, data = self.server.base, self.server.data
        for name in ("log", "server.conf"):
            if (base / name).exists() and not (data / name).exists():
                (base / name).rename(data / name)
        if self.server.account and data.stat().st_uid != self.server.owner:
            hand_over(data, self.server.account)

    def failed(self, what: str) -> EmbeddedPostgresError:
        """The error for a program of PostgreSQL's that failed, with the last lines it and the server wrote."""
        logs = [self.place.state / "start.log", *sorted((self.server.data / "log").glob("server-*.log"))[-1:]]
        lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()[-8:]]
        return EmbeddedPostgresError(
            what,
            self.server.data,
            "\n    ".join(["PostgreSQL says", *lines]),
            f"mend what it names (the whole log is {logs[-1]}) and try again; "
            "or set YT_HOME to another folder, or YT_DATABASE_URL to another server",
        )


def ready_port(data: Path) -> str | None:
    """The port of our server if it accepts connections."""
    lines = postmaster_file(data)
    ready = len(lines) > 7 and lines[7].strip() == "ready" and server_pid(data) is not None
    return lines[3] if ready else None


def await_ready(data: Path) -> bool:
    """Wait for a server that is starting or recovering; False if it ended instead."""
    deadline = time.monotonic() + START_SECONDS
    while server_pid(data) is not None:
        if ready_port(data):
            return True
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL is not ready",
                data,
                f"it has been starting or stopping for {START_SECONDS} s, perhaps recovering after a crash",
                f"try again later; {data / 'log'} says what it does",
            )
        time.sleep(0.1)
    return False


def _orphans(server: Server) -> list[int]:
    """Processes of this cluster's server, other than its postmaster: their titles begin with the cluster's name."""
    title = f"postgres: {server.cluster_name}: "
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if "".join(command_line(pid)[:1]).startswith(title)]


def _make_owned_folder(path: Path, server: Server) -> None:
    """Make a folder of the server's account. Raises if something else has the name: in /tmp anyone may take it."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if server.account:
            os.chown(path, *server.account, follow_symlinks=False)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != server.owner:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL cannot use a folder it needs",
            path,
            f"it is not a folder of user {server.owner}, but of user {found.st_uid}",
            "remove it",
        )


def _write_owned(path: Path, text: str, server: Server) -> None:
    """Write a file of the server's account, a new one: the old one could be a link that the account has put there."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        if server.account:
            os.fchown(file.fileno(), *server.account)
        file.write(text)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _socket_dir(server: Server) -> Path:
    inside = server.data / "run"
    longest = os.fsencode(inside / f".s.PGSQL.{PORTS.stop}")
    # libpq takes a comma for the end of one host, PostgreSQL's setting a comma or quote for that of one folder.
    usable = len(longest) <= SOCKET_PATH_BYTES and b"," not in longest and b'"' not in longest
    return inside if usable or server.account else Path("/tmp") / f"yt-platform-{digest(server.data)}"


def _free_ports(config: Path) -> Iterator[int]:
    """Free ports, the one used before first."""
    lines = config.read_text().splitlines() if config.exists() else []
    previous = [int(line.removeprefix("port = ")) for line in lines if line.startswith("port = ")]
    return (port for port in [*previous, *PORTS] if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server itself does: a port that only has connections left from before is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wal_compression(bin_dir: Path) -> str:
    """lz4 where the build has it, which the wheel of PostgreSQL 18.4 has not. Its pglz made the log of an update right
    after a checkpoint (140,000 rows) 35 % shorter and the update 0.9 to 1.7 times as long (three pairs)."""
    options = subprocess.run([bin_dir / "pg_config", "--configure"], capture_output=True, text=True, check=True)
    return "lz4" if "--with-lz4" in options.stdout else "off"


def _setting(value: str) -> str:
    """A string quoted for PostgreSQL's configuration file."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
