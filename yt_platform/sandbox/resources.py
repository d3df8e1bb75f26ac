"""JSON of resources and lists, in the shapes of the Data API v3.

Here: records of a world to text, part by part, with ETags. Not here: which records (`methods.py`). Left out are parts
and fields that only owners see. JSON is written as text: a third faster than dictionaries through the encoder.
"""

import base64
import hashlib
import html
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring

from yt_platform.sandbox import comments
from yt_platform.sandbox.world import ChannelState, VideoDetails, VideoState

Json = str
"""The text of a JSON value."""

Box = tuple[int | None, int | None]
"""Greatest width and height; None where none is given."""

Parts = Mapping[str, Callable[[], Json | None]]

_text: Callable[[str], Json] = encode_basestring


def _object(**fields: Json | None) -> Json:
    """An object; fields of None are left out."""
    known = [f'"{name}":{value}' for name, value in fields.items() if value is not None]
    return "{" + ",".join(known) + "}"


def _optional(value: str | None) -> Json | None:
    return None if value is None else _text(value)


def _count(value: int | None) -> Json | None:
    """64-bit numbers are texts."""
    return None if value is None else f'"{value}"'


def _flag(value: bool) -> Json:
    return "true" if value else "false"


def _image(url: str, width: int, height: int) -> Json:
    return _object(url=_text(url), width=str(width), height=str(height))


_THUMBNAILS = _object(
    default=_image("https://i.ytimg.com/vi/ID/default.jpg", 120, 90),
    medium=_image("https://i.ytimg.com/vi/ID/mqdefault.jpg", 320, 180),
    high=_image("https://i.ytimg.com/vi/ID/hqdefault.jpg", 480, 360),
    standard=_image("https://i.ytimg.com/vi/ID/sddefault.jpg", 640, 480),
    maxres=_image("https://i.ytimg.com/vi/ID/maxresdefault.jpg", 1280, 720),
)
_VERTICAL = _image("https://i.ytimg.com/vi/ID/oardefault.jpg", 1080, 1920)
_AVATARS = _object(
    default=_image("https://yt3.ggpht.com/ytc/ID=s88-c-k-c0x00ffffff-no-rj", 88, 88),
    medium=_image("https://yt3.ggpht.com/ytc/ID=s240-c-k-c0x00ffffff-no-rj", 240, 240),
    high=_image("https://yt3.ggpht.com/ytc/ID=s800-c-k-c0x00ffffff-no-rj", 800, 800),
)


def resource(kind: str, resource_id: str, parts: Parts, asked: Iterable[str]) -> Json:
    """A resource with the parts asked for; a part the resource has no data for is left out, as YouTube does."""
    built = {name: parts[name]() for name in sorted(asked) if name in parts}
    body = _object(id=_text(resource_id), **built)
    return f'{{"kind":"{kind}","etag":"{etag(body)}",{body[1:]}'


def listing(
    kind: str,
    items: Sequence[Json],
    *,
    next_token: str | None = None,
    previous_token: str | None = None,
    total: int | None = None,
    per_page: int | None = None,
) -> tuple[Json, str]:
    """Text and ETag of a list; what is None is left out, and pageInfo with `per_page`."""
    page_info = _object(totalResults=None if total is None else str(total), resultsPerPage=str(per_page))
    head = _object(
        nextPageToken=_optional(next_token),
        prevPageToken=_optional(previous_token),
        pageInfo=None if per_page is None else page_info,
        items="",
    )
    # Each item begins with its own ETag: hashing these hashes all.
    tag = etag(head + "".join(item[:100] for item in items))
    return f'{{"kind":"{kind}","etag":"{tag}",{head[1:-1]}[{",".join(items)}]}}', tag


def etag(text: str) -> str:
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest)[:-1].decode()


def instant(seconds: float) -> Json:
    return time.strftime('"%Y-%m-%dT%H:%M:%SZ"', time.gmtime(seconds))


def video(
    state: VideoState, details: Callable[[], VideoDetails], asked: Iterable[str], within: Box = (None, None)
) -> Json:
    """A resource of videos.list, its player fit `within` a width and a height."""
    parts: Parts = {
        "snippet": lambda: _video_snippet(state, details()),
        "contentDetails": lambda: _content_details(state, details()),
        "statistics": lambda: _object(
            viewCount=_count(state.view_count),
            likeCount=_count(state.like_count),
            favoriteCount=_count(0),
            commentCount=_count(state.comment_count),
        ),
        "status": lambda: _object(
            uploadStatus='"processed"' if state.broadcast == "none" else '"uploaded"',
            privacyStatus='"public"',
            license='"youtube"',
            embeddable=_flag(details().embeddable),
            publicStatsViewable="true",
            madeForKids=_flag(details().made_for_kids),
        ),
        "liveStreamingDetails": lambda: _streaming(state, details()),
        "player": lambda: _player(state.video_id, details().aspect, within),
        "brandPartner": lambda: _partner(details().brand_partner),
    }
    return resource("youtube#video", state.video_id, parts, asked)


def video_stats(state: VideoState, asked: Iterable[str]) -> Json:
    """A resource of videos.batchGetStats."""
    parts: Parts = {
        "snippet": lambda: _object(publishTime=instant(state.published_at)),
        "contentDetails": lambda: None if state.seconds is None else _object(duration=f'"{state.seconds}s"'),
        "statistics": lambda: _object(
            viewCount=_count(state.view_count),
            likeCount=_count(state.like_count),
            commentCount=_count(state.comment_count),
        ),
    }
    return resource("youtube#videoStats", state.video_id, parts, asked)


def channel(state: ChannelState, asked: Iterable[str]) -> Json:
    """A resource of channels.list."""
    title, description = _text(state.title), _text(state.description)
    rounded = None if state.subscriber_count is None else three_figures(state.subscriber_count)
    parts: Parts = {
        "snippet": lambda: _object(
            title=title,
            description=description,
            customUrl=_optional(state.handle),
            publishedAt=instant(state.published_at),
            thumbnails=_AVATARS.replace("ID", state.channel_id),
            localized=_object(title=title, description=description),
            country=_optional(state.country),
        ),
        "contentDetails": lambda: _object(
            relatedPlaylists=_object(likes='""', uploads=_text(uploads_playlist(state.channel_id)))
        ),
        "statistics": lambda: _object(
            viewCount=_count(state.view_count),
            subscriberCount=_count(rounded),
            hiddenSubscriberCount=_flag(rounded is None),
            videoCount=_count(state.video_count),
        ),
        "status": lambda: _object(
            privacyStatus='"public"', isLinked="true", longUploadsStatus='"longUploadsUnspecified"'
        ),
        "brandingSettings": lambda: _object(
            channel=_object(title=title, description=description, country=_optional(state.country))
        ),
    }
    return resource("youtube#channel", state.channel_id, parts, asked)


def playlist_item(
    state: VideoState, details: Callable[[], VideoDetails], channel_id: str, position: int, asked: Iterable[str]
) -> Json:
    """A resource of playlistItems.list on an uploads playlist."""
    playlist = uploads_playlist(channel_id)
    item_id = base64.urlsafe_b64encode(f"{playlist}.{state.video_id}".encode()).rstrip(b"=").decode()
    published_at, video_id = instant(state.published_at), _text(state.video_id)
    parts: Parts = {
        "snippet": lambda: _object(
            publishedAt=published_at,
            channelId=_text(channel_id),
            title=_text(details().title),
            description=_text(details().description),
            thumbnails=_thumbnails(state.video_id, details().aspect),
            channelTitle=_optional(details().channel_title),
            playlistId=_text(playlist),
            position=str(position),
            resourceId=_object(kind='"youtube#video"', videoId=video_id),
            videoOwnerChannelTitle=_optional(details().channel_title),
            videoOwnerChannelId=_text(channel_id),
        ),
        "contentDetails": lambda: _object(videoId=video_id, videoPublishedAt=published_at),
        "status": lambda: _object(privacyStatus='"public"'),
    }
    return resource("youtube#playlistItem", item_id, parts, asked)


def comment_thread(
    state: VideoState,
    thread: comments.Comment,
    replies: Sequence[comments.Comment],
    text_format: str,
    asked: Iterable[str],
) -> Json:
    """A resource of commentThreads.list; `replies` are those it carries."""

    def carried() -> Json | None:
        texts = [comment(state, reply, text_format, ("snippet",)) for reply in replies]
        return _object(comments=f"[{','.join(texts)}]") if texts else None

    parts: Parts = {
        "snippet": lambda: _object(
            channelId=_optional(state.channel_id),
            videoId=_text(state.video_id),
            topLevelComment=comment(state, thread, text_format, ("snippet",)),
            canReply="true",
            totalReplyCount=str(len(thread.replies)),
            isPublic="true",
        ),
        "replies": carried,
    }
    return resource("youtube#commentThread", thread.comment_id, parts, asked)


def comment(state: VideoState, one: comments.Comment, text_format: str, asked: Iterable[str]) -> Json:
    """A resource of comments.list."""
    author = comments.author_channel_id(one.author)
    parts: Parts = {
        "snippet": lambda: _object(
            channelId=_optional(state.channel_id),
            videoId=_text(state.video_id),
            textDisplay=_text(one.text if text_format == "plainText" else html.escape(one.text)),
            textOriginal=_text(one.text),
            imageUrl=_optional(one.image_url),
            parentId=_optional(one.parent_id),
            authorDisplayName=_text(f"@synthetic-viewer-{one.author % 100_000}"),
            authorProfileImageUrl=_text(f"https://yt3.ggpht.com/synthetic/{author}=s48-c-k-c0x00ffffff-no-rj"),
            authorChannelUrl=_text(f"http://www.youtube.com/channel/{author}"),
            authorChannelId=_object(value=_text(author)),
            canRate="true",
            viewerRating='"none"',
            likeCount=str(one.like_count),
            publishedAt=instant(one.published_at),
            updatedAt=instant(one.updated_at),
        )
    }
    return resource("youtube#comment", one.comment_id, parts, asked)


def uploads_playlist(channel_id: str) -> str:
    return f"UU{channel_id[2:]}"


def three_figures(count: int) -> int:
    """Rounded down to three significant figures, as YouTube shows subscribers."""
    unit: int = 10 ** max(0, len(str(count)) - 3)
    return count // unit * unit


def _video_snippet(state: VideoState, details: VideoDetails) -> Json:
    title, description = _text(details.title), _text(details.description)
    tags = ",".join(_text(tag) for tag in details.tags)
    return _object(
        publishedAt=instant(state.published_at),
        channelId=_optional(state.channel_id),
        title=title,
        description=description,
        thumbnails=_thumbnails(state.video_id, details.aspect),
        channelTitle=_optional(details.channel_title),
        tags=f"[{tags}]" if tags else None,
        categoryId=_optional(details.category_id),
        liveBroadcastContent=f'"{state.broadcast}"',
        defaultLanguage=_optional(details.default_language),
        localized=_object(title=title, description=description),
        defaultAudioLanguage=_optional(details.default_audio_language),
    )


def _thumbnails(video_id: str, aspect: tuple[int, int] | None) -> Json:
    """Videos that are higher than wide have one picture more."""
    vertical = aspect is not None and aspect[0] < aspect[1]
    pictures = f'{_THUMBNAILS[:-1]},"shortsAspectRatio":{_VERTICAL}}}' if vertical else _THUMBNAILS
    return pictures.replace("ID", video_id)


def _player(video_id: str, aspect: tuple[int, int] | None, within: Box) -> Json:
    """The size is told only where one was asked for and the shape is known."""
    size = _fit(aspect, within) if aspect else None
    width, height = size or (480, 270)
    embedded = (
        f'<iframe width="{width}" height="{height}" src="//www.youtube.com/embed/{video_id}" frameborder="0" '
        "allowfullscreen></iframe>"
    )
    told = {"embedHeight": _count(height), "embedWidth": _count(width)} if size else {}
    return _object(embedHtml=_text(embedded), **told)


def _fit(aspect: tuple[int, int], within: Box) -> tuple[int, int] | None:
    scales = [greatest / side for greatest, side in zip(within, aspect, strict=True) if greatest]
    return (round(aspect[0] * min(scales)), round(aspect[1] * min(scales))) if scales else None


def _partner(partner: tuple[str, str] | None) -> Json | None:
    return _object(channelId=_text(partner[0]), channelHandle=_text(partner[1])) if partner else None


def _content_details(state: VideoState, details: VideoDetails) -> Json:
    return _object(
        duration=_optional(state.duration),
        dimension='"2d"',
        definition=_text(details.definition),
        caption=f'"{_flag(details.caption)}"',
        licensedContent=_flag(details.licensed_content),
        contentRating="{}",
        projection='"rectangular"',
    )


def _streaming(state: VideoState, details: VideoDetails) -> Json | None:
    if details.streams_at is None:
        return None
    begins = instant(details.streams_at)
    return _object(
        scheduledStartTime=begins,
        actualStartTime=None if state.broadcast == "upcoming" else begins,
        actualEndTime=instant(details.ends_at) if details.ends_at and state.broadcast == "none" else None,
    )
