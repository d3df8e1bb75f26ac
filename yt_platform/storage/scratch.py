"""Folders for what is put aside while it is read: below `YT_HOME/spool`.

A folder is locked as long as its process lives. What a killed one left is deleted by the next, and before something is
forgotten: it may hold anything that was imported or downloaded.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def spool(home: Path) -> Path:
    return home / "spool"


@contextlib.contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """A folder of its own, which is deleted at the end."""
    root = spool(home)
    root.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        with _locked(root):  # so that nobody deletes it before its own lock is held
            _delete_abandoned(root)
            folder = Path(tempfile.mkdtemp(dir=root))
            held.enter_context(_locked(folder))
        held.callback(shutil.rmtree, folder)
        yield folder


def delete_abandoned(home: Path) -> None:
    """Delete the folders of processes that were killed."""
    root = spool(home)
    if root.exists():
        with _locked(root):
            _delete_abandoned(root)


def _delete_abandoned(root: Path) -> None:
    for folder in root.iterdir():
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(folder, fcntl.LOCK_NB):
            shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    """Hold a folder's lock. Raises BlockingIOError where somebody else does and `how` is LOCK_NB."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)
