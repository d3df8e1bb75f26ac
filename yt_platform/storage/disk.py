"""A full disk: what the system's errors leave out, and what a person is told.

Not here: making room, and noticing that a disk fills before it is full.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

NO_SPACE = os.strerror(errno.ENOSPC)
"""In the words of the system, and of PostgreSQL, which quotes them."""

NEEDED_BYTES = 32 << 20
"""Two segments of PostgreSQL's log. With less, its server ends without a word to its clients."""


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system name `path` where they name no file: writing to one that is open raises such."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def room_wanted(error: str, places: Sequence[Path]) -> str | None:
    """What to do about an error, in one line, where it comes from a full disk; `places` are folders written to."""
    free = {}
    for place in places:
        with contextlib.suppress(OSError):  # not there, or not on a disk of this machine
            free[place] = shutil.disk_usage(place).free
    if NO_SPACE not in error and all(left >= NEEDED_BYTES for left in free.values()):
        return None
    told = ", ".join(f"{place} has {left >> 20:,} MB left" for place, left in free.items())
    return (
        f"A disk is full, here or of a database server elsewhere ({told}): make room, and run the command again. "
        "Nothing committed is lost, and it goes on where this one ended."
    )
