"""YT_HOME and what is in it, for the platform's user alone.

Here: the modes of folders and files of one machine, whatever the umask. Accounts, passwords and roles of the database
are not: `warehouse/pgpass.py`, `warehouse/readers.py`.
"""

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

PRIVATE = 0o700
HEALING = 0o1700
"""Mode of a home that is closed already and whose files are not all healed. The sticky bit changes nothing else."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_given: int | None = None


def close_umask() -> None:
    """From here on, this process and its children make files for their user alone."""
    global _given
    before = os.umask(_OTHERS)
    _given = before if _given is None else _given


@contextlib.contextmanager
def files_for_others() -> Iterator[None]:
    """Files of the body get the modes that the user's own umask gives: they are the user's to publish."""
    before = os.umask(_OTHERS if _given is None else _given)
    try:
        yield
    finally:
        os.umask(before)


def write_private(file: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all, in place of the one that may be there."""
    written = file.with_suffix(".new")
    written.unlink(missing_ok=True)  # what a killed writer left may have another mode
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    written.replace(file)


def make_private(home: Path) -> None:
    """Make the folder, or close an existing one and what is in it to other users.

    The files are walked through once, when the folder is found open. A folder of another user is left as it is, with a
    warning. Raises OSError where it cannot be made.
    """
    home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    found = home.stat()
    if stat.S_IMODE(found.st_mode) == PRIVATE:
        return
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        if found.st_mode & _OTHERS:
            log.warning("%s belongs to user %d, and others may enter it: chmod 700 it", home, found.st_uid)
        return
    home.chmod(HEALING)
    if stat.S_IMODE(home.stat().st_mode) != HEALING:
        return  # a file system without modes
    for folder, folders, files in os.walk(home):
        for name in [*folders, *files]:
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                _close(Path(folder) / name, found.st_uid)
    home.chmod(PRIVATE)


def _close(path: Path, owner: int) -> None:
    """Close what is of the home's owner: the database server's own files have their modes from it."""
    status = path.lstat()
    if status.st_uid == owner and not stat.S_ISLNK(status.st_mode) and status.st_mode & _OTHERS:
        path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)
