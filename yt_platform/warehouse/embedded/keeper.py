"""The process that stops the embedded PostgreSQL once nobody uses it, and what it and its clients must judge alike.

Belongs here: which server is ours and alive, which leases are live, how the server is stopped, and the keeper's
loop. Starting the server is `cluster.py`'s. Standard library only, and little of it: a
keeper runs beside every server as `python -I -S embedded_keeper.py`, in 9 MB; `subprocess` (1 MB) is imported when
there is one to stop.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

Account = tuple[int, int]
"""User and group id the server runs under; None where it runs as the caller."""

STOP_SECONDS = 120
LOG_FILES_KEPT = 5


@contextmanager
def locked(file: IO[bytes]) -> Iterator[None]:
    """Hold the exclusive lock of an open file, among processes and threads (each opens it for itself)."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        # Unlocked by name, not by closing: a process forked meanwhile shares the open file and would keep the lock.
        fcntl.flock(file, fcntl.LOCK_UN)


def process_start(pid: int) -> str | None:
    """When a live process started, or None if there is none (a zombie is none).

    Clock ticks since boot from /proc and the boot's id: unlike `psutil.create_time` it does not move when the
    clock is set, and a pid used again, even by the next boot, gets another value.
    """
    fields = _process(pid)
    if not fields or fields[0] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    return f"{fields[19]}.{boot[:8]}"


def is_suspended(pid: int) -> bool:
    """Whether the process was stopped by a signal, and goes on after SIGCONT alone."""
    return _process(pid)[:1] == ["T"]


def _process(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on, empty if there is no such process."""
    try:
        # The second field, the program's name, may hold spaces and parentheses.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def command_line(pid: int) -> list[str]:
    """A process's arguments, empty if there is no such process."""
    try:
        return [os.fsdecode(part) for part in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except (FileNotFoundError, ProcessLookupError):
        return []


def live_leases(folder: Path) -> list[int]:
    """Process ids of the live leases, one per lease; leases of processes that are gone are removed.

    A lease is an empty file named `<pid>-<process_start>-<random>`: it exists whole or not at all.
    """
    pids = []
    for lease in folder.glob("*-*-*"):
        pid, start, _ = lease.name.split("-")
        if process_start(int(pid)) == start:
            pids.append(int(pid))
        else:
            lease.unlink()
    return pids


HERE = "/proc/self/cwd"
"""The data directory, to a program of the server's account that is started in it: root's folders above are closed."""


MARK = "yt.data"
"""A setting that means nothing to PostgreSQL: in the arguments of a server it says whose it is."""


def config_path(data: Path) -> Path:
    """The configuration file of ours that the server of a data directory runs with."""
    return data / "server.conf"


def named(path: Path, data: Path, account: Account | None) -> str:
    """How the server under that account names a path in its data directory."""
    return str(path) if account is None else f"{HERE}/{path.relative_to(data)}"


def account_of(data: Path) -> Account | None:
    """The account of a cluster's server: to root its owner, to others themselves."""
    if os.geteuid() != 0:
        return None
    owner = data.stat()
    return owner.st_uid, owner.st_gid


def postmaster_file(data: Path) -> list[str]:
    """Lines of postmaster.pid: pid, data, start time, port, socket folder, address, shared memory, status."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def recorded_pid(data: Path) -> int:
    """Process id in postmaster.pid, be the process alive or not; 0 if there is none (single-user mode writes -pid)."""
    first = next(iter(postmaster_file(data)), "")
    return abs(int(first)) if first.lstrip("-").isdigit() else 0


def server_pid(data: Path) -> int | None:
    """Process id of the running postmaster that we started on this data directory, or None."""
    pid, before = recorded_pid(data), f"config_file={data.parent / 'server.conf'}"  # of an older version's server
    return pid if {f"{MARK}={data}", before} & {*command_line(pid)} else None


def run_as(
    account: Account | None,
    arguments: list[str | Path],
    output: IO[bytes] | None = None,
    pgdata: Path | None = None,
    given: IO[bytes] | None = None,
) -> int:
    """Run a program under the server's account, quiet unless given a file, and return its exit status.

    With `pgdata` it is started in that data directory, by root before it changes to the account: see `HERE`.
    `given` is its input.
    """
    import subprocess

    user, group = account or (None, None)
    # Nothing of the caller's environment: PG* variables and a missing locale would change what the server does.
    # The data directory goes by PGDATA because pg_ctl puts -D unquoted into a shell's command line.
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    if pgdata is not None:
        environment["PGDATA"] = str(pgdata) if account is None else HERE
    return subprocess.run(
        arguments,
        user=user,
        group=group,
        extra_groups=None if account is None else [],
        stdin=given or subprocess.DEVNULL,
        stdout=output or subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        cwd=pgdata or "/",  # the account may not be allowed into the caller's folder
        umask=0o077,
        env=environment,
        check=False,
    ).returncode


def stop_server(bin_dir: Path, data: Path, account: Account | None) -> bool:
    """Stop the server, ending its sessions; False if it did not stop in STOP_SECONDS."""
    return run_as(account, [bin_dir / "pg_ctl", "stop", "-m", "fast", "-t", str(STOP_SECONDS)], None, data) == 0


def _remove_old_logs(folder: Path) -> None:
    for log in sorted(folder.glob("server-*.log"))[:-LOG_FILES_KEPT]:
        log.unlink()


def watch(state: Path, bin_dir: Path, data: Path, guard: int) -> None:
    """Stop the server when the last lease is gone and nobody asked to keep it; return when there is no server.

    `guard` is the descriptor of the locked file that says a keeper is there.
    """
    absent = 0
    with (state / "lock").open("ab") as lock:
        while True:
            time.sleep(1)
            with locked(lock):
                if server_pid(data) is None:
                    absent += 1
                elif live_leases(state / "leases") or (state / "keep").exists():
                    absent = 0
                else:
                    stop_server(bin_dir, data, account_of(data))  # one that did not stop is met again in a second
                # Twice, as a client killed while it was starting the server may leave one that has no pid file yet.
                if absent == 2:
                    # Before the lock opens: whoever starts the server next must see that it needs a new keeper.
                    os.close(guard)
                    return
                _remove_old_logs(data / "log")


if __name__ == "__main__":
    # The first process ends at once, so that no client is left with a dead child to reap.
    if os.fork() == 0:
        state_dir, binaries, data_dir, guard_fd = sys.argv[1:]
        watch(Path(state_dir), Path(binaries), Path(data_dir), int(guard_fd))
