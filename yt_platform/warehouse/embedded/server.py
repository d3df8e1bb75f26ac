"""The embedded PostgreSQL server of a YT_HOME, as its users see it: shared by leases, kept, stopped, and its URL.

Not here: where it is (`place.py`), how its cluster is made and started (`cluster.py`), and how it is
watched and stopped (`keeper.py`).
"""

import atexit
import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from yt_platform.warehouse.embedded import keeper as embedded_keeper
from yt_platform.warehouse.embedded.cluster import SUPERUSER, Cluster, await_ready, ready_port
from yt_platform.warehouse.embedded.keeper import (
    is_suspended,
    live_leases,
    locked,
    process_start,
    server_pid,
    stop_server,
)
from yt_platform.warehouse.embedded.place import EmbeddedPostgresError, Place, Server, explained, wheel_binaries

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]


class EmbeddedPostgres:
    """The server of one YT_HOME, shared by all processes that name the same one.

    It runs while at least one of them holds a lease (`acquire`, or `with`), or from `keep` to `stop`. Every method
    may raise EmbeddedPostgresError. Databases other than PostgreSQL's own are the caller's to create.
    """

    def __init__(self, home: Path) -> None:
        self._place = Place(home.resolve())
        self._state = self._place.state
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
            self._keep.touch(mode=0o600)

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
        data = self._place.data
        return data is not None and ready_port(data) is not None

    def is_there(self) -> bool:
        """Whether the server's process lives, be it ready or not."""
        data = self._place.data
        return data is not None and server_pid(data) is not None

    def outage(self) -> str | None:
        """Why the server does not run although somebody uses it; None where it runs, or nobody does.

        Waits for nothing and starts nothing.
        """
        data = self._place.data
        if data is None:
            return None
        pid = server_pid(data)
        if pid is not None and is_suspended(pid):
            return f"process {pid}, the server, was stopped by a signal: `kill -CONT {pid}` lets it go on"
        if ready_port(data):
            return None
        if pid is not None:
            return "it is starting, recovering after a crash, or stopping"
        users = sorted(set(live_leases(self._state / "leases")) - {os.getpid()})
        if users:
            return f"it does not run, although process {', '.join(map(str, users))} uses it: it was killed or crashed"
        return "it does not run, although `yt-platform db start` started it" if self._keep.exists() else None

    def url(self, database: str, role: str = SUPERUSER, passfile: Path | None = None) -> str:
        """libpq URL over loopback TCP, which names the file of the role's password (None: the superuser's).

        Good for libpq (psql, psycopg), ADBC, and with `postgresql+psycopg2://` for SQLAlchemy. The port may
        change when the server is started again. Raises EmbeddedPostgresError if it is not running.
        """
        data = self._place.data
        port = ready_port(data) if data else None
        if port is None:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL is not running",
                self._state,
                "it accepts no connections" if data else "it was never started",
                "start it with `yt-platform db start`",
            )
        file = quote(os.fsencode(passfile or self._place.pgpass))
        # A program that took the port while the server is down would ask for the password itself.
        options = f"require_auth=scram-sha-256&passfile={file}"
        return f"postgresql://{quote(role, safe='')}@127.0.0.1:{port}/{quote(database, safe='')}?{options}"

    @property
    def log_folder(self) -> Path:
        """Folder of the server's own log."""
        return (self._place.data or self._place.state / "data") / "log"

    @property
    def bin_dir(self) -> Path:
        """Folder of the wheel's psql, pg_dump and the rest, for the caller (the server may run from a copy)."""
        return wheel_binaries()

    @property
    def data(self) -> Path | None:
        """The data directory, None before the first start."""
        return self._place.data

    @property
    def _keep(self) -> Path:
        return self._state / "keep"

    # Locks and leases

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with explained(self._state), (self._state / "lock").open("ab") as file, locked(file):
            yield

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        with explained(self._state):
            self._place.make_state()
        with self._locked():
            yield

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

    # Starting and stopping, all with the lock held

    def _ensure_running(self) -> None:
        if process_start(os.getpid()) is None:
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL needs Linux",
                Path("/proc"),
                "who uses it and whether it runs is read from there",
                "set YT_DATABASE_URL to a PostgreSQL server",
            )
        server = self._place.server()
        cluster = Cluster(self._place, server)
        # Before the server: a client killed from here on leaves none that nobody watches.
        self._ensure_keeper(server)
        if self._place.data is None:
            cluster.make()
        cluster.check()
        if not await_ready(server.data):
            cluster.clear_leftovers()
            cluster.start()

    def _ensure_keeper(self, server: Server) -> None:
        with (self._state / "keeper.lock").open("ab") as guard:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            paths = (self._state, server.bin_dir, server.data)
            # The keeper inherits the locked file, so there is no moment in which two could be started.
            with (self._state / "keeper.log").open("ab") as log:
                subprocess.run(
                    [sys.executable, "-I", "-S", embedded_keeper.__file__, *paths, str(guard.fileno())],
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
        data = self._place.data
        if data is None or server_pid(data) is None:
            return
        server = self._place.server()
        if not stop_server(server.bin_dir, data, server.account):
            raise Cluster(self._place, server).failed("The embedded PostgreSQL did not stop")
