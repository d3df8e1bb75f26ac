"""Passwords of database roles, kept in libpq password files of mode 0600 and nowhere else."""

import fcntl
import os
import secrets
from pathlib import Path


def role_password(path: Path, role: str) -> str:
    """The password of `role` in the password file at `path`, made up and added when there is none.

    Lines match any host, port and database, so that a server may move without the file changing.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = file.read().splitlines()
        for line in lines:
            fields = line.split(":")
            if len(fields) == 5 and fields[3] == role:
                return fields[4]
        password = secrets.token_urlsafe(24)
        file.seek(0, os.SEEK_SET)
        file.write("".join(f"{line}\n" for line in [*lines, f"*:*:*:{role}:{password}"]))
        return password
