"""The six methods: a validated call to its answer.

Here: filters and what excludes what, the prose rules of the reference, lists and pages. Not here: parameters one by
one (`discovery.py`), JSON (`resources.py`), keys, quota and faults (`sandbox.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from yt_platform.sandbox import comments, resources
from yt_platform.sandbox.discovery import Method, Parameters, missing
from yt_platform.sandbox.errors import ApiError, not_spoken
from yt_platform.sandbox.oauth import YOUTUBE, Grant
from yt_platform.sandbox.paging import Page, Paging
from yt_platform.sandbox.world import VideoDetails, VideoState, World

IDS_PER_CALL = 50
UPLOADS_CAP = 20_000
"""An uploads playlist lists about its 20,000 newest videos."""

_OWNER_FILTERS = {"mine", "mySubscribers", "managedByMe", "myRating", "onBehalfOfContentOwner"}


@dataclass(frozen=True)
class Call:
    """One validated request at an instant."""

    method: Method
    parameters: Parameters
    given: frozenset[str]
    at: float
    world: World
    paging: Paging
    grant: Grant | None = None

    @property
    def parts(self) -> list[str]:
        parts: list[str] = self.parameters.get("part", [])
        return parts

    def text(self, name: str) -> str:
        value: str = self.parameters[name]
        return value

    def filter(self, *spoken: str, others: tuple[str, ...] = ()) -> str:
        """The one filter of the call. Raises ApiError for none, two, an owner's, or one the sandbox lacks."""
        owners = self.given & _OWNER_FILTERS
        if owners and self.grant is None:
            raise ApiError("authorizationRequired", location=min(owners))
        if self.grant:
            self.grant.require(YOUTUBE)
            self.grant.act_for(self.parameters.get("onBehalfOfContentOwner"))
        chosen = [name for name in (*spoken, *others) if self.parameters.get(name)]
        if not chosen:
            names = ", ".join((*spoken, *others))
            raise missing(f"No filter selected. Expected one of: {names}", "youtube.parameter", "parameters.")
        if len(chosen) > 1:
            raise incompatible(chosen)
        if chosen[0] in others:
            raise not_spoken(f"{self.method.name} by {chosen[0]}")
        return chosen[0]

    def ids(self) -> list[str]:
        """The ids asked for, each once. Raises ApiError for over 50, and with paging, which ids do not have."""
        clash = self.given & {"maxResults", "pageToken"}
        if clash:
            raise incompatible(["id", *sorted(clash)])
        ids: list[str] = self.parameters["id"]
        if len(ids) > IDS_PER_CALL:
            raise ApiError("invalidFilters", location="id")
        return list(dict.fromkeys(ids))

    def page(self, listing: str, total: int) -> Page:
        size: int = self.parameters["maxResults"]
        return self.paging.page(f"{self.method.name}|{listing}", self.parameters.get("pageToken"), size, total)


def incompatible(names: list[str]) -> ApiError:
    message = f"Incompatible parameters specified in the request: {', '.join(names)}"
    return ApiError("incompatibleParameters", message, domain="youtube.parameter", location="parameters.")


def channels_list(call: Call) -> tuple[str, str]:
    chosen = call.filter(
        "id", "forHandle", "mine", "managedByMe", others=("forUsername", "categoryId", "mySubscribers")
    )
    ids = _CHANNELS[chosen](call)
    items = [resources.channel(state, call.parts) for state in call.world.channels(ids, call.at)]
    per_page = len(items) if chosen == "id" else call.parameters["maxResults"]
    return resources.listing(call.method.kind, items, total=len(items), per_page=per_page)


def _handle_owner(call: Call) -> list[str]:
    handle = "@" + call.text("forHandle").removeprefix("@").lower()
    owner = call.world.channel_with_handle(handle)
    return [owner] if owner else []


def _own_channel(call: Call) -> list[str]:
    return [call.grant.channel_id] if call.grant and call.grant.channel_id else []


def _managed_channels(call: Call) -> list[str]:
    if call.grant is None or "onBehalfOfContentOwner" not in call.given:
        raise ApiError("forbidden", location="managedByMe")
    return list(call.grant.channels)


_CHANNELS: dict[str, Callable[[Call], list[str]]] = {
    "id": Call.ids,
    "forHandle": _handle_owner,
    "mine": _own_channel,
    "managedByMe": _managed_channels,
}


def videos_list(call: Call) -> tuple[str, str]:
    call.filter("id", others=("chart",))
    states = call.world.videos(call.ids(), call.at)
    within = call.parameters.get("maxWidth"), call.parameters.get("maxHeight")
    items = [resources.video(state, _details(call, state), call.parts, within) for state in states]
    return resources.listing(call.method.kind, items, total=len(items), per_page=len(items))


def videos_batch_get_stats(call: Call) -> tuple[str, str]:
    call.filter("id")
    states = call.world.videos(call.ids(), call.at)
    return resources.listing(call.method.kind, [resources.video_stats(state, call.parts) for state in states])


def playlist_items_list(call: Call) -> tuple[str, str]:
    call.filter("playlistId", others=("id",))
    if "videoId" in call.given:
        raise not_spoken("playlistItems.list by videoId")
    playlist = call.text("playlistId")
    channel_id = f"UC{playlist[2:]}"
    uploads = call.world.uploads(channel_id, call.at) if playlist.startswith("UU") else None
    if uploads is None:
        raise ApiError("playlistNotFound", location="playlistId")
    total = min(len(uploads), UPLOADS_CAP)
    page = call.page(playlist, total)
    states = call.world.videos(uploads[page.start : page.stop], call.at)
    items = [
        resources.playlist_item(state, _details(call, state), channel_id, position, call.parts)
        for position, state in enumerate(states, page.start)
    ]
    return resources.listing(
        call.method.kind,
        items,
        next_token=page.next_token,
        previous_token=page.previous_token,
        total=_roughly(total),
        per_page=call.parameters["maxResults"],
    )


def comment_threads_list(call: Call) -> tuple[str, str]:
    call.filter("videoId", others=("id", "channelId", "allThreadsRelatedToChannelId"))
    for name, spoken in (("order", "time"), ("moderationStatus", "published")):
        if call.parameters[name] != spoken:
            raise not_spoken(f"commentThreads.list with {name}={call.parameters[name]}")
    if "searchTerms" in call.given:
        raise not_spoken("commentThreads.list with searchTerms")
    video = _commented(call, call.text("videoId"))
    page = call.page(video.video_id, comments.thread_count(video.comment_count or 0))
    threads = comments.threads(call.world, video, page.start, page.stop - page.start, call.at)
    items = [
        resources.comment_thread(
            video,
            thread,
            comments.comments(call.world, video, list(thread.replies[: comments.INLINE_REPLIES]), call.at),
            call.text("textFormat"),
            call.parts,
        )
        for thread in threads
    ]
    return resources.listing(
        call.method.kind,
        items,
        next_token=page.next_token,
        total=len(items),
        per_page=call.parameters["maxResults"],
    )


def comments_list(call: Call) -> tuple[str, str]:
    call.filter("parentId", others=("id",))
    parent = call.text("parentId")
    video_id, thread = comments.find(parent)
    states = call.world.videos([video_id], call.at)
    arrived = (states[0].comment_count or 0) if states else 0
    if thread >= arrived:
        raise ApiError("commentNotFound", location="parentId")
    replies = comments.replies(video_id, thread, arrived)
    page = call.page(parent, len(replies))
    found = comments.comments(call.world, states[0], list(replies[page.start : page.stop]), call.at)
    return resources.listing(
        call.method.kind,
        [resources.comment(states[0], one, call.text("textFormat"), call.parts) for one in found],
        next_token=page.next_token,
        per_page=call.parameters["maxResults"],
    )


METHODS: dict[str, Callable[[Call], tuple[str, str]]] = {
    "channels.list": channels_list,
    "playlistItems.list": playlist_items_list,
    "videos.list": videos_list,
    "videos.batchGetStats": videos_batch_get_stats,
    "commentThreads.list": comment_threads_list,
    "comments.list": comments_list,
}
"""What the sandbox speaks: the text and ETag of each method's answer."""


def _details(call: Call, state: VideoState) -> Callable[[], VideoDetails]:
    return partial(call.world.details, state.video_id, call.at)


def _commented(call: Call, video_id: str) -> VideoState:
    states = call.world.videos([video_id], call.at)
    if not states:
        raise ApiError("videoNotFound", location="videoId")
    if states[0].comment_count is None:
        raise ApiError("commentsDisabled", location="videoId")
    return states[0]


def _roughly(total: int) -> int:
    """Up to 2 % too high: YouTube's totals are approximate."""
    return total + total // 50
