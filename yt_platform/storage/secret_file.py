"""Secrets that the platform makes for itself, each in a file that its owner alone may read."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

SECRET_BYTES = 32


def kept_secret(path: Path) -> str:
    """The text of the file, which is made with a new secret when first asked for: 64 hexadecimal digits.

    Every process gets the same, also when two ask first at once.
    """
    with contextlib.suppress(FileExistsError):  # another process made it meanwhile, or long ago
        if not path.exists():
            with _written_beside(path) as made:
                os.link(made, path)
    return path.read_text().strip()


def new_secret(path: Path) -> str:
    """Put a new secret in the place of the old one, and return it."""
    with _written_beside(path) as made:
        made.replace(path)
    return path.read_text().strip()


@contextlib.contextmanager
def _written_beside(path: Path) -> Iterator[Path]:
    """A file of mode 0600 with a new secret in the same folder; it is gone afterwards, if it was not moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES))
        yield made
    finally:
        made.unlink(missing_ok=True)
