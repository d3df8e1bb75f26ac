"""WebSub as YouTube speaks it: topics of channels, signatures, and what a notification says.

W3C WebSub (https://www.w3.org/TR/websub/); the feed is described in Google's guide "Subscribe to Push Notifications".
Here: text in, values out. Not here: HTTP (`receiver.py`, `youtube/websub/store.py`) and what follows from a
notification.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

import pandas as pd

from yt_platform.tables.columns import CHANNEL_ID, VIDEO_ID

TOPIC = "https://www.youtube.com/feeds/videos.xml?channel_id="
LEASE_SECONDS = 864_000
"""Ten days, the longest lease that Google's hub grants. A hub may grant less, and says so when it verifies."""

_ATOM = "{http://www.w3.org/2005/Atom}"
_YOUTUBE = "{http://www.youtube.com/xml/schemas/2015}"
_TOMBSTONES = "{http://purl.org/atompub/tombstones/1.0}"
_OF_VIDEO = "yt:video:"


class FeedError(ValueError):
    """A body is no feed that can be read."""


@dataclass(frozen=True)
class Notice:
    """A video was uploaded, edited or deleted, `updated_at` being when. `published_at` is None for a deletion."""

    video_id: str
    channel_id: str
    updated_at: datetime
    published_at: datetime | None


def topic_of(channel_id: str) -> str:
    return TOPIC + channel_id


def channel_secret(secret: bytes, channel_id: str) -> str:
    """What a hub signs a channel's notifications with: nobody who learns one channel's can sign another's."""
    return hmac.new(secret, channel_id.encode(), hashlib.sha256).hexdigest()


def callback_path(secret: bytes, channel_id: str) -> str:
    """Where a hub calls back about a channel, below the receiver's address. Its second part is told the hub alone: who
    calls there is the hub, as nothing else in a verification says so."""
    return f"{channel_id}/{channel_secret(secret, f'callback of {channel_id}')}"


def is_signed(secret: str, body: bytes, header: str) -> bool:
    """Whether `header`, as `sha1=<hex>` or a longer digest, is that of `body`."""
    name, _, found = header.partition("=")
    digest: Mapping[str, str] = {"sha1": "sha1", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
    if name not in digest:
        return False
    expected = hmac.new(secret.encode(), body, digest[name]).hexdigest()
    return hmac.compare_digest(expected.encode(), found.strip().lower().encode())


def notices(body: bytes) -> list[Notice]:
    """What a notification tells. Raises FeedError.

    A document type is refused: a feed has none, and its entities could grow without bound.
    """
    try:
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise FeedError("a feed with a document type")
        feed = ElementTree.fromstring(text)
        entries = [_entry(entry) for entry in feed.iter(f"{_ATOM}entry")]
        return entries + [_deleted(entry) for entry in feed.iter(f"{_TOMBSTONES}deleted-entry")]
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise FeedError(str(error)) from None


def _entry(entry: ElementTree.Element) -> Notice:
    return Notice(
        _matching(VIDEO_ID, entry.findtext(f"{_YOUTUBE}videoId")),
        _matching(CHANNEL_ID, entry.findtext(f"{_YOUTUBE}channelId")),
        _instant(entry.findtext(f"{_ATOM}updated")),
        _instant(entry.findtext(f"{_ATOM}published")),
    )


def _deleted(entry: ElementTree.Element) -> Notice:
    uri = entry.findtext(f"{_TOMBSTONES}by/{_ATOM}uri") or ""
    video = (entry.get("ref") or "").removeprefix(_OF_VIDEO)
    channel = uri.rpartition("/")[2]
    return Notice(_matching(VIDEO_ID, video), _matching(CHANNEL_ID, channel), _instant(entry.get("when")), None)


def _matching(pattern: str, text: str | None) -> str:
    if text is None or not re.fullmatch(pattern, text):
        raise FeedError(f"{text!r} does not match {pattern}")
    return text


def _instant(text: str | None) -> datetime:
    """To the microsecond; YouTube tells nanoseconds."""
    if not text:
        raise FeedError("an instant is missing")
    try:
        return pd.Timestamp(text).floor("us").tz_convert("UTC").to_pydatetime()
    except (ValueError, TypeError, AttributeError) as error:  # no time, or one without a zone
        raise FeedError(f"{text!r} is no instant with a zone: {error}") from None
