"""Google Takeout's files of YouTube: what is peculiar to them, and why most of them are no history.

Belongs here: when an archive was made, how long its videos are, what its other tables hold. Not here: its columns
(`layouts.py`).

The English headers were seen in public code that reads such archives (2026-11). Takeout translates headers into the
language of the account; those of other languages are not known here, and `--map` names what they are called.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from yt_platform.history.convert import Converted, Kind, is_text
from yt_platform.history.names import snake_case

_MADE_AT = re.compile(r"takeout-(\d{8}T\d{6})Z", re.ASCII | re.IGNORECASE)

_HOLDS = {
    "comment_text": "comments that the account wrote",
    "comment_create_timestamp": "comments that the account wrote",
    "live_chat_id": "messages that the account wrote in live chats",
    "playlist_video_creation_timestamp": "which videos a playlist has",
    "playlist_id": "playlists",
    "channel_url": "subscriptions of the account",
    "video_recording_altitude": "where videos were recorded",
    "channel_vanity_url_1_name": "addresses of channels",
}
"""What a table of Takeout holds, by a column that tells it."""


def made_at(path: Path) -> datetime | None:
    """When an archive was made, from the nearest name on a path that says so: `takeout-20260102T030405Z-001`."""
    for part in reversed(path.resolve().parts):
        if found := _MADE_AT.search(part):
            return datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return None


def why_not(header: Sequence[str]) -> str | None:
    """Why a file of Takeout is no history, None where it is not known to be one of Takeout's."""
    found = next((what for name in header if (what := _HOLDS.get(snake_case(name)))), None)
    return f"holds {found}, as Google Takeout writes them, and no counts" if found else None


def _milliseconds_to_iso(values: pa.Array) -> Converted:
    texts = values.cast(pa.string()).to_pylist()
    return pa.array(
        [f"PT{int(text) // 1000}S" if text and text.isdecimal() else None for text in texts], pa.string()
    ), {}


MILLISECONDS = Kind("milliseconds", is_text, _milliseconds_to_iso)
