"""The key that this platform signs its backups with, and checking whose a backup is.

Ed25519: who restores needs the public half alone, which is no secret, so that it may stand in a note, in an argument or
in another machine's script. The private half never leaves YT_HOME. Not here: what is signed (`privacy/backup.py`).
"""

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from yt_platform.errors import MisuseError

KEY_FILE = "backup.key"
"""In YT_HOME, readable by its owner alone: the private key, 64 hexadecimal digits."""

_PUBLIC = re.compile(r"ed25519:([0-9a-f]{64})")


class KeyFileError(MisuseError):
    """A key cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """The private key of a platform."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        """The public half, as `restore --trust` takes it: `ed25519:` and 64 hexadecimal digits."""
        return f"ed25519:{self.private.public_key().public_bytes_raw().hex()}"

    def sign(self, data: bytes) -> str:
        """The signature of these bytes, 128 hexadecimal digits."""
        return self.private.sign(data).hex()


def own_key(home: Path) -> SigningKey:
    """The key of this YT_HOME, made when first asked for. Raises KeyFileError."""
    path = home / KEY_FILE
    if not path.exists():
        temporary = home / f".{KEY_FILE}.{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process made it meanwhile
                os.link(temporary, path)
        finally:
            temporary.unlink()
    return _read(path)


def known_key(home: Path) -> str | None:
    """The public half of this YT_HOME's key, if it has one. Raises KeyFileError."""
    return _read(home / KEY_FILE).public if (home / KEY_FILE).exists() else None


def check_key(key: str) -> str:
    """The public key as it was given. Raises KeyFileError for what is none."""
    if not _PUBLIC.fullmatch(key):
        raise KeyFileError(
            f"{key!r} is no key: `yt-platform backup` prints it when it has written a backup, as ed25519: and 64 "
            "hexadecimal digits"
        )
    return key


def is_signed(data: bytes, signature: str, key: str) -> bool:
    """Whether the private half of this public key signed these bytes."""
    found = _PUBLIC.fullmatch(key)
    if not found or not re.fullmatch("[0-9a-f]{128}", signature):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(found[1])).verify(bytes.fromhex(signature), data)
    except InvalidSignature:
        return False
    return True


def _read(path: Path) -> SigningKey:
    text = path.read_text().strip()
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise KeyFileError(
            f"{path} is no key of backups: restore the file from where you keep a copy, or delete it, and the next "
            "backup makes a new one"
        )
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text)))
