"""What the sandbox serves: videos, channels and comments at any instant.

Here: the protocol between the API and a world, and its records. Not here: worlds (`generated.py`, `replayed.py`) and
JSON (`resources.py`). Instants are epoch seconds. What is deleted, private or not yet published does not exist.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class VideoState(NamedTuple):
    """A public video at an instant.

    `broadcast` is none, upcoming or live. `duration` is ISO 8601 (P0D while scheduled or live) and `seconds` the same
    length; None where YouTube gives none. None among the counts: hidden, or comments disabled.
    """

    video_id: str
    channel_id: str | None
    published_at: float
    broadcast: str
    duration: str | None
    seconds: int | None
    view_count: int
    like_count: int | None
    comment_count: int | None


class VideoDetails(NamedTuple):
    """The metadata of a video at an instant; None where it has none. `streams_at` is set on broadcasts only.

    `aspect` is width to height, None where YouTube does not know it; `brand_partner` the id and handle of a channel.
    """

    title: str
    description: str
    channel_title: str | None
    category_id: str | None
    tags: tuple[str, ...]
    default_language: str | None
    default_audio_language: str | None
    definition: str
    caption: bool
    licensed_content: bool
    embeddable: bool
    made_for_kids: bool
    streams_at: float | None
    ends_at: float | None
    aspect: tuple[int, int] | None = None
    brand_partner: tuple[str, str] | None = None


class ChannelState(NamedTuple):
    """A channel at an instant; `subscriber_count` is exact, and None where the channel hides it."""

    channel_id: str
    title: str
    description: str
    handle: str | None
    country: str | None
    published_at: float
    subscriber_count: int | None
    view_count: int
    video_count: int


class World(Protocol):
    """Pure functions of their arguments: the same question has the same answer whenever and however often asked."""

    def videos(self, ids: Sequence[str], at: float) -> list[VideoState]:
        """Those of the ids that are public, in the order asked."""

    def details(self, video_id: str, at: float) -> VideoDetails:
        """Metadata of a public video."""

    def channels(self, ids: Sequence[str], at: float) -> list[ChannelState]:
        """Those of the ids that exist, in the order asked."""

    def channel_with_handle(self, handle: str) -> str | None:
        """Id of the channel with this handle, written with its @ and in lower case."""

    def uploads(self, channel_id: str, at: float) -> Sequence[str] | None:
        """Ids of the channel's public videos, newest first; None where there is no such channel."""

    def comment_times(self, video_id: str, start: int, stop: int) -> list[float]:
        """When comments number `start` to `stop` (excluded) of a video arrived, ascending; the first is number 0.

        At an instant a public video shows the first `comment_count` of them.
        """
