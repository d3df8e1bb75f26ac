"""What can be said of the platform while its database does not answer.

Imports little: the machine may be busy, and an answer must come within seconds.
"""

import fcntl
from pathlib import Path
from typing import Any

from yt_platform.settings import Settings
from yt_platform.warehouse.databases import Databases

LOG_LINES = 5


def databases(settings: Settings) -> Databases:
    urls = (settings.database_url, settings.dagster_database_url, settings.mlflow_database_url)
    return Databases(settings.home, *(url.get_secret_value() if url else None for url in urls))


def outage(settings: Settings) -> dict[str, Any] | None:
    """What `status --json` prints where the database should answer and does not; None where it does, or where it is
    started when it is needed."""
    found = databases(settings)
    reason = found.unanswered()
    if reason is None:
        return None
    up = is_up(settings.home)
    if found.server is None:
        remedy = "see that the server of YT_DATABASE_URL runs and takes connections from here"
    elif found.server.is_there():
        remedy = "see what its log says and how busy the machine and its disk are, and ask again"
    elif up:
        remedy = "see why it ended, and that its disk has room; `yt-platform up` starts it again, or ends and says why"
    else:
        remedy = "see why it ended, and that its disk has room; `yt-platform db start`, or any other command, starts it"
    return {
        "database": {
            "answers": False,
            "server": "embedded" if found.server else "YT_DATABASE_URL",
            "up": up,
            "log": _last_lines(found.server.log_folder) if found.server else [],
        },
        "broken": [{"what": "database", "reason": reason, "remedy": remedy}],
    }


def is_up(home: Path) -> bool:
    """Whether `yt-platform up` runs on this home: it holds its lock."""
    try:
        with (home / "up.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _last_lines(folder: Path) -> list[str]:
    """What the server wrote last."""
    logs = sorted(folder.glob("server-*.log"))
    return logs[-1].read_text(errors="replace").splitlines()[-LOG_LINES:] if logs else []
