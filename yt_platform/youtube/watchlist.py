"""The watch list of channels and the videos tracked for them: what a person chooses, and what polling needs to know.

A channel is named by its id, its @handle or a URL with one of the two. Not here: polling
(`youtube/data_api/collecting.py`).
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString
from urllib.parse import unquote

import pandas as pd
import psycopg
from psycopg.rows import class_row

from yt_platform.errors import MisuseError
from yt_platform.tables.columns import CHANNEL_ID
from yt_platform.tombstones.store import tombstones
from yt_platform.warehouse.warehouse import Warehouse

FORGOTTEN = "was forgotten on request: it is not collected again"
HEADERS = ("channel", "channel_id", "handle", "url")
_HANDLE = re.compile(r"@[^\s/@?#]{2,60}")
_URL = re.compile(r"(?:https?://)?(?:(?:www|m)\.)?youtube\.com/(?:channel/)?([^/?#]+)(?:[/?#].*)?", re.IGNORECASE)


class WatchListError(MisuseError):
    """A channel cannot be named like that, or is not on the list; the message says what can."""


@dataclass(frozen=True)
class Watched:
    """A channel on the list."""

    reference: str
    channel_id: str | None
    title: str | None
    paused: bool
    failure: str | None
    uploads_polled_at: datetime | None
    retry_at: datetime | None


def reference(text: str) -> str:
    """A channel id or @handle out of what a person writes. Raises WatchListError."""
    text = unquote(text.strip())  # as browsers copy the URLs of handles in other scripts
    found = _URL.fullmatch(text)
    name = found[1] if found else text
    if re.fullmatch(CHANNEL_ID, name):
        return name
    if _HANDLE.fullmatch(name):
        return name.lower()  # handles are the same in any case
    raise WatchListError(
        f"{text!r} names no channel: give its id (UC and 22 characters), its @handle, or a URL with one of the two, "
        "like https://www.youtube.com/@handle"
    )


def read_channels(path: Path) -> list[str]:
    """References in a CSV file: one a line in its first column, or in the first column named as in `HEADERS`.

    Raises WatchListError naming file and line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(map(str.strip, row))]
    except FileNotFoundError:
        raise WatchListError(f"{path}: there is no such file") from None
    except UnicodeDecodeError:
        raise WatchListError(f"{path.name} is not a text in UTF-8: save it as CSV UTF-8") from None
    names = [name.strip().lower() for name in rows[0][1]] if rows else []
    column = next((names.index(name) for name in HEADERS if name in names), None)
    if column is not None:
        rows = rows[1:]
    column = column or 0
    found = []
    for number, row in rows:
        try:
            found.append(reference(row[column] if column < len(row) else ""))
        except WatchListError as error:
            raise WatchListError(f"{path.name}, line {number}: {error}") from None
    return found


def add_channels(url: str, references: Iterable[str], list_fully: bool) -> int:
    """Put channels on the list; those on it keep their state. Returns how many are new. Raises WatchListError for one
    that was forgotten."""
    references, ids = list(references), tombstones(Warehouse(url))
    for name in references:
        if name in ids:
            raise WatchListError(f"{name} {FORGOTTEN}")
    with psycopg.connect(url) as connection:
        added = connection.execute(
            "INSERT INTO ops.watched_channels (reference, channel_id, list_fully) "
            "SELECT DISTINCT name, CASE WHEN name NOT LIKE '@%%' THEN name END, %s FROM unnest(%s::text[]) AS name "
            "ON CONFLICT DO NOTHING",
            (list_fully, list(references)),
        ).rowcount
        if list_fully:
            connection.execute(
                "UPDATE ops.watched_channels SET list_fully = true, uploads_polled_at = NULL WHERE reference = ANY(%s)",
                (list(references),),
            )
            connection.execute(
                "DELETE FROM ops.skipped_items AS skipped USING ops.watched_channels AS named "
                "WHERE skipped.item IN (named.reference, named.channel_id) AND named.reference = ANY(%s)",
                (list(references),),
            )
    return added


def pause_channel(url: str, name: str, paused: bool) -> None:
    """Stop or resume polling a channel; what was collected stays. Raises WatchListError."""
    _change(url, "UPDATE ops.watched_channels SET paused = %(paused)s", name, {"paused": paused})


def remove_channel(url: str, name: str) -> None:
    """Take a channel off the list and stop tracking its videos; what was collected stays. Raises WatchListError."""
    _change(
        url,
        "WITH named AS (SELECT reference, channel_id FROM ops.watched_channels "
        "WHERE reference = %(name)s OR channel_id = %(name)s), "
        "gone AS (DELETE FROM ops.tracked_videos WHERE channel_id IN (SELECT channel_id FROM named)), "
        "unsaid AS (DELETE FROM ops.skipped_items WHERE channel_id IN (SELECT channel_id FROM named) "
        "OR item IN (SELECT reference FROM named)) DELETE FROM ops.watched_channels",
        name,
        {},
    )


def _change(url: str, statement: LiteralString, name: str, parameters: dict[str, object]) -> None:
    with psycopg.connect(url) as connection:
        changed = connection.execute(
            statement + " WHERE reference = %(name)s OR channel_id = %(name)s",
            {**parameters, "name": reference(name)},
        ).rowcount
    if not changed:
        raise WatchListError(f"{name} is not on the watch list")


def listed(url: str) -> list[Watched]:
    with psycopg.connect(url, row_factory=class_row(Watched)) as connection:
        return connection.execute(
            "SELECT watched.reference, watched.channel_id, channel.title, watched.paused, "
            "coalesce(watched.failure, skipped.reason) AS failure, "
            "watched.uploads_polled_at, skipped.retry_at FROM ops.watched_channels AS watched "
            "LEFT JOIN metrics.channels AS channel USING (channel_id) "
            "LEFT JOIN LATERAL (SELECT reason, retry_at FROM ops.skipped_items "
            "WHERE item IN (watched.reference, watched.channel_id) ORDER BY retry_at LIMIT 1) AS skipped ON true "
            "ORDER BY watched.reference"
        ).fetchall()


def watched_channels(warehouse: Warehouse) -> pd.DataFrame:
    """Channels to poll, those that waited longest first."""
    return warehouse.read(
        "SELECT reference, channel_id, uploads_playlist_id, list_fully, channel_polled_at, uploads_polled_at "
        "FROM ops.watched_channels WHERE NOT paused ORDER BY uploads_polled_at NULLS FIRST, reference"
    )


def tracked_videos(warehouse: Warehouse) -> pd.DataFrame:
    """Videos of the channels to poll."""
    return warehouse.read(
        "SELECT video.video_id, video.channel_id, video.published_at, video.metadata_polled_at, video.stats_polled_at, "
        "video.comments_polled_at, video.views_per_day, video.unreturned_at FROM ops.tracked_videos AS video "
        "JOIN ops.watched_channels AS channel USING (channel_id) WHERE NOT channel.paused ORDER BY video.video_id"
    )


def known_videos(warehouse: Warehouse) -> dict[str, frozenset[str]]:
    """Ids of the tracked videos of every channel that were seen in its uploads: a listing ends at them, and one that
    was pushed says nothing of those before it."""
    videos = warehouse.read("SELECT channel_id, video_id FROM ops.tracked_videos WHERE pushed_at IS NULL")
    return {str(channel): frozenset(ids) for channel, ids in videos.groupby("channel_id")["video_id"]}


def channels_of_videos(warehouse: Warehouse) -> pd.Series:
    """The channel of every video that is tracked or was, by video id: it never changes."""
    videos = warehouse.read(
        "SELECT video_id, channel_id FROM ops.tracked_videos UNION "
        "SELECT video_id, channel_id FROM metrics.videos WHERE channel_id IS NOT NULL"
    )
    return videos.drop_duplicates("video_id").set_index("video_id")["channel_id"]
