"""Items that a collection skipped, or could not read to their end, in `ops.skipped_items`.

Here: the rows, which of them wait, and how a row changes. Not here: how long each waits
(`youtube/data_api/polling.py`), and what counts as the item's own fault (`youtube/data_api/collecting.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.polling import EARLY, SETTLED, Setback, retry_after
from yt_platform.youtube.pulls import Update

UPLOADS, COMMENTS, REPLIES, CHANNELS = "playlistItems.list", "commentThreads.list", "comments.list", "channels.list"


@dataclass(frozen=True)
class Item:
    """What a call is about: a channel (by id, or by handle until it is resolved), a video, or a comment."""

    method: str
    item: str
    channel_id: str | None
    video_id: str | None


@dataclass(frozen=True)
class Skipped(Item):
    """A row: the item with what was in its way, `times` in a row."""

    setback: str
    reason: str
    times: int
    first_at: datetime
    retry_at: datetime


class SkippedItems:
    """The rows as they are at the instant `now`."""

    def __init__(self, warehouse: Warehouse, now: pd.Timestamp) -> None:
        self._now = now
        self._rows = {(row.method, row.item): row for row in skipped_items(warehouse, now)}

    def waiting(self, method: str) -> set[str]:
        """Items that are not to be asked for yet."""
        return {item for (called, item), row in self._rows.items() if called == method and not self._is_due(row)}

    def known(self, method: str) -> set[str]:
        """Items that were skipped the last time."""
        return {item for called, item in self._rows if called == method}

    def due(self, method: str) -> list[Skipped]:
        """Items to ask for again, those that waited longest first."""
        found = [row for row in self._rows.values() if row.method == method and self._is_due(row)]
        return sorted(found, key=lambda row: (row.retry_at, row.item))

    def skip(self, item: Item, setback: Setback, reason: str) -> Update:
        """The item is asked for again later, and later still each time in a row."""
        row = self._rows.get((item.method, item.item))
        times = row.times + 1 if row and row.setback == setback else 1
        return (
            "INSERT INTO ops.skipped_items AS kept (method, item, channel_id, video_id, setback, reason, times, "
            "first_at, last_at, retry_at) VALUES (%(method)s, %(item)s, %(channel)s, %(video)s, %(setback)s, "
            "%(reason)s, %(times)s, %(now)s, %(now)s, %(retry_at)s) ON CONFLICT (method, item) DO UPDATE SET "
            "channel_id = coalesce(excluded.channel_id, kept.channel_id), setback = excluded.setback, "
            "reason = excluded.reason, times = excluded.times, last_at = excluded.last_at, "
            "retry_at = excluded.retry_at",
            {
                **_named(item),
                "channel": item.channel_id,
                "video": item.video_id,
                "setback": setback,
                "reason": reason,
                "times": times,
                "now": self._now,
                "retry_at": self._now + retry_after(setback, reason, times),
            },
        )

    def read(self, item: Item) -> Update:
        """The item was read to its end."""
        return "DELETE FROM ops.skipped_items WHERE method = %(method)s AND item = %(item)s", _named(item)

    def not_theirs(self, setback: Setback) -> Update:
        """What set items back now was no item's fault: they wait no longer than before."""
        return (
            "UPDATE ops.skipped_items SET times = greatest(times - 1, 0), retry_at = %(now)s "
            "WHERE setback = %(setback)s AND last_at = %(now)s",
            {"now": self._now, "setback": setback},
        )

    def _is_due(self, row: Skipped) -> bool:
        return row.retry_at <= self._now + EARLY


def _named(item: Item) -> Mapping[str, str]:
    return {"method": item.method, "item": item.item}


def skipped_items(warehouse: Warehouse, now: datetime) -> list[Skipped]:
    """Every item that was not read to its end and is to be asked for again: not of a paused channel or a video that is
    gone, and comments and replies for as long as those of a video are read at all."""
    rows = warehouse.records(
        "SELECT method, item, channel_id, video_id, setback, reason, times, first_at, retry_at "
        "FROM ops.skipped_items AS skipped WHERE NOT (method = ANY($1) AND first_at <= $2) "
        "AND NOT EXISTS (SELECT FROM ops.watched_channels AS channel "
        "WHERE channel.channel_id = skipped.channel_id AND channel.paused) "
        "AND NOT EXISTS (SELECT FROM ops.tracked_videos AS video "
        "WHERE video.video_id = skipped.video_id AND video.unreturned_at IS NOT NULL) ORDER BY method, item",
        ([COMMENTS, REPLIES], now - SETTLED),
    )
    return [Skipped(**row) for row in rows]
