"""Answers of the YouTube Data API v3 to frames of the `metrics` tables, and what collectors read off one answer.

Belongs here: where in an answer a value stands, and what becomes of a value that is not of its type. Not here: calling
the API, and the rules that imported history shares (`metrics/parse.py`): an answer is brought into the shape of raw
rows (`storage/endpoints.py`) and goes on from there.

The parsers take raw rows in the schema `API_RESPONSE` and give one row per item of every answer that was asked for the
part of the API the table is made from; an answer that is not JSON or has no items gives none. A cell whose value is
not of its type is `Malformed`, so that `judge` refuses its row and no other. Parts and fields: the reference of the
Data API v3 and the discovery document of 2026-11-04.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from yt_platform.metrics import parse
from yt_platform.metrics.parse import obtained
from yt_platform.metrics.tables import COMMENTS
from yt_platform.storage.endpoints import CHANNEL_SNAPSHOTS, CHANNELS, TIMESTAMP, VIDEO_SNAPSHOTS, VIDEOS
from yt_platform.tables.arrow import to_pandas
from yt_platform.tables.columns import CHANNEL_ID, TEXT
from yt_platform.tables.validation import Malformed, Untold

CHUNK_BYTES = 1 << 18
"""Bodies held as Python objects at a time. 8 MB take 1.5 to 2 times as long (caches, the collector of cycles), 128 kB
1.2 times (the columns' fixed costs)."""

EARLIEST, LATEST = pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp("2262-01-01", tz="UTC")
"""Instants outside of these are no times of YouTube; later ones overflow wherever pandas counts in nanoseconds."""

Json = Any
Object = dict[str, Json]
Values = dict[str, list[Json]]
"""Values as JSON has them, by column of the raw rows."""
Cells = dict[int, Malformed]
"""Malformed values of a column, by row."""

_ABSENT: Object = {}
"""Stands for a part that an item lacks, or that is no object."""

_VIDEO = pa.schema(
    [
        *VIDEOS.schema,
        pa.field("embed_width", pa.int64()),
        pa.field("embed_height", pa.int64()),
        pa.field("thumbnail_url", pa.string()),
        pa.field("brand_partner_channel_id", pa.string()),
    ]
)

_PICTURES = ("default", "medium", "high", "standard", "maxres", "fhd", "qhd", "uhd")
"""Known keys of thumbnails, in ascending order of their size."""

_CHANNEL_OF_VIDEO = pa.schema(
    [VIDEOS.schema.field(name) for name in ("source", "channel_id", "channel_title", "collected_at")]
)

_COMMENT = pa.schema(
    {
        "comment_id": pa.string(),
        "video_id": pa.string(),
        "parent_id": pa.string(),
        "channel_id": pa.string(),
        "author_channel_id": pa.string(),
        "author_name": pa.string(),
        "text": pa.string(),
        "like_count": pa.int64(),
        "reply_count": pa.int64(),
        "published_at": TIMESTAMP,
        "updated_at": TIMESTAMP,
        "collected_at": TIMESTAMP,
        "source": pa.string(),
        "image_url": pa.string(),
    }
)


class PolledVideo(NamedTuple):
    """A video of an answer as a collector sees it; None is what the answer has not, or what cannot be read."""

    view_count: int | None
    published_at: datetime | None


class Thread(NamedTuple):
    """A comment thread as a collector sees it; times are None where the answer has none that can be read."""

    comment_id: str
    published_at: datetime | None
    updated_at: datetime | None
    reply_count: int
    inline_reply_ids: tuple[str, ...]

    @property
    def has_more_replies(self) -> bool:
        """Whether there are replies that only comments.list tells."""
        return self.reply_count > len(self.inline_reply_ids)


def next_page_token(body: str | bytes) -> str | None:
    """The token of the next page, None on the last. Raises ValueError for what is not a JSON object."""
    token = _answer(body).get("nextPageToken")
    return token if isinstance(token, str) and token else None


def item_ids(body: str | bytes) -> set[str]:
    """The ids of an answer's items. Raises ValueError for what is not a JSON object."""
    return {item["id"] for item in _items(_answer(body)) if isinstance(item.get("id"), str)}


def uploads_playlists(body: str | bytes) -> dict[str, str | None]:
    """The uploads playlist of every channel of a channels.list answer; None where the answer names none that can be
    asked for. Raises ValueError for what is not a JSON object."""
    found = {}
    for channel in _items(_answer(body)):
        if isinstance(channel.get("id"), str) and re.fullmatch(CHANNEL_ID, channel["id"]):
            playlist = _object(_object(channel.get("contentDetails")).get("relatedPlaylists")).get("uploads")
            usable = isinstance(playlist, str) and re.fullmatch(r"[\w-]+", playlist)
            found[channel["id"]] = playlist if usable else None
    return found


def polled_videos(body: str | bytes) -> dict[str, PolledVideo]:
    """What the next poll needs of every video of a videos answer. Raises ValueError for what is not a JSON object."""
    videos = [video for video in _items(_answer(body)) if isinstance(video.get("id"), str)]
    counts = [part.get("viewCount") for part in _part(videos, "statistics")]
    published = _datetimes(_part(videos, "snippet"), "publishedAt")
    return {
        video["id"]: PolledVideo(
            int(count) if isinstance(count, str) and re.fullmatch("[0-9]{1,18}", count) else None, published_at
        )
        for video, count, published_at in zip(videos, counts, published, strict=True)
    }


def uploads(body: str | bytes) -> list[tuple[str, datetime | None]]:
    """Video id and publication of every item of a playlistItems.list answer, in its order.

    The publication is `contentDetails.videoPublishedAt`, which private and deleted videos lack. Raises ValueError for
    what is not a JSON object.
    """
    details = _part(_items(_answer(body)), "contentDetails")
    named = [detail for detail in details if isinstance(detail.get("videoId"), str)]
    return list(zip(_each(named, "videoId"), _datetimes(named, "videoPublishedAt"), strict=True))


def threads(body: str | bytes) -> list[Thread]:
    """The threads of a commentThreads.list answer, in its order. Raises ValueError for what is not a JSON object."""
    found = [thread for thread in _items(_answer(body)) if isinstance(thread.get("id"), str)]
    snippets = _part(found, "snippet")
    comments = _part(_part(snippets, "topLevelComment"), "snippet")
    return [
        Thread(
            thread["id"],
            published_at,
            updated_at,
            count if type(count) is int else 0,
            tuple(reply["id"] for reply in _replies(thread) if isinstance(reply.get("id"), str)),
        )
        for thread, published_at, updated_at, count in zip(
            found,
            _datetimes(comments, "publishedAt"),
            _datetimes(comments, "updatedAt"),
            _each(snippets, "totalReplyCount"),
            strict=True,
        )
    ]


def video_snapshots(raw: pa.Table) -> pd.DataFrame:
    """Endpoints `api_videos` and `api_video_stats` (either method) to `metrics.video_snapshots`.

    batchGetStats names no channel, and the publication `publishTime`.
    """
    return _through(parse.video_counts, raw, "statistics", VIDEO_SNAPSHOTS.schema, _snapshots_of_videos)


def channel_snapshots(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `api_channels` to `metrics.channel_snapshots`; hidden subscribers are unknown."""
    return _through(parse.channel_counts, raw, "statistics", CHANNEL_SNAPSHOTS.schema, _snapshots_of_channels)


def video_metadata(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `api_videos` to `metrics.videos` and `metrics.video_versions`, which share their columns."""
    return _through(_typed_metadata, raw, "snippet", _VIDEO, _metadata_of_videos)


def channels(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `api_channels` to `metrics.channels`: complete records."""
    return _through(parse.channels, raw, "snippet", CHANNELS.schema, _records_of_channels)


def channels_of_videos(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `api_videos` to `metrics.channels`: id and title, where a video tells them."""
    return _through(parse.channels_of_videos, raw, "snippet", _CHANNEL_OF_VIDEO, _channels_of_videos)


def comments(raw: pa.Table) -> pd.DataFrame:
    """Endpoint `api_comments` to `metrics.comments`: threads, the replies they carry, and replies from comments.list.

    A reply that does not say its video has that of its thread, where `raw` holds the thread.
    """
    return _through(_typed_comments, raw, "snippet", _COMMENT, _values_of_comments, _flat_comments)


def _typed_metadata(raw: pa.Table) -> pd.DataFrame:
    frame = parse.video_metadata(raw)
    texts = to_pandas(raw.select(["duration"]))["duration"]
    unread = texts[texts.notna() & frame["duration_seconds"].isna()]
    cells = zip(unread.index.tolist(), unread.tolist(), strict=True)
    return _put(frame, "duration_seconds", {row: Malformed(_shown(text)) for row, text in cells})


def _typed_comments(raw: pa.Table) -> pd.DataFrame:
    frame = to_pandas(raw)
    if frame["video_id"].isna().any():
        told = frame["comment_id"].notna() & frame["video_id"].notna()
        video_of = frame[told].drop_duplicates("comment_id").set_index("comment_id")["video_id"]
        frame["video_id"] = frame["video_id"].fillna(frame["parent_id"].map(video_of).astype(TEXT))
    return frame.reindex(columns=COMMENTS.column_names)


# Where the values stand.


def _snapshots_of_videos(items: list[Object]) -> Values:
    snippets, statistics = _part(items, "snippet"), _part(items, "statistics")
    return {
        "video_id": _each(items, "id"),
        "channel_id": _each(snippets, "channelId"),
        "published_at": [snippet.get("publishedAt", snippet.get("publishTime")) for snippet in snippets],
        "view_count": _view_counts(items, statistics, lambda counts: counts.get("viewCount") is None),
        "like_count": _each(statistics, "likeCount"),
        "comment_count": _each(statistics, "commentCount"),
    }


def _snapshots_of_channels(items: list[Object]) -> Values:
    statistics = _part(items, "statistics")
    return {
        "channel_id": _each(items, "id"),
        "subscriber_count": [
            None if counts.get("hiddenSubscriberCount") is True else counts.get("subscriberCount")
            for counts in statistics
        ],
        # a channel without public videos has no views to tell
        "view_count": _view_counts(items, statistics, lambda counts: counts is _ABSENT),
        "video_count": _each(statistics, "videoCount"),
    }


def _metadata_of_videos(items: list[Object]) -> Values:
    snippets, details, status = (_part(items, part) for part in ("snippet", "contentDetails", "status"))
    players, partners = _part(items, "player"), _part(items, "brandPartner")
    return {
        "video_id": _each(items, "id"),
        "channel_id": _each(snippets, "channelId"),
        "channel_title": _each(snippets, "channelTitle"),
        "title": _each_of("snippet", snippets, "title"),
        "description": _each(snippets, "description"),
        "published_at": _each(snippets, "publishedAt"),
        "duration": _each(details, "duration"),
        "category_id": _each(snippets, "categoryId"),
        "tags": [_joined(snippet.get("tags")) for snippet in snippets],
        "default_language": _each(snippets, "defaultLanguage"),
        "default_audio_language": _each(snippets, "defaultAudioLanguage"),
        "live_broadcast_content": _each(snippets, "liveBroadcastContent"),
        "definition": _each(details, "definition"),
        "caption": [_flag_of_text(detail.get("caption")) for detail in details],
        "licensed_content": _each(details, "licensedContent"),
        "embeddable": _each(status, "embeddable"),
        "made_for_kids": _each(status, "madeForKids"),
        "embed_width": [_pixels(player.get("embedWidth")) for player in players],
        "embed_height": [_pixels(player.get("embedHeight")) for player in players],
        "thumbnail_url": [_best_picture(_object(snippet.get("thumbnails"))) for snippet in snippets],
        "brand_partner_channel_id": [_channel_if_any(partner.get("channelId")) for partner in partners],
    }


def _channels_of_videos(items: list[Object]) -> Values:
    snippets = _part(items, "snippet")
    return {"channel_id": _each(snippets, "channelId"), "channel_title": _each(snippets, "channelTitle")}


def _records_of_channels(items: list[Object]) -> Values:
    snippets = _part(items, "snippet")
    playlists = _part(_part(items, "contentDetails"), "relatedPlaylists")
    return {
        "channel_id": _each(items, "id"),
        "title": _each_of("snippet", snippets, "title"),
        "handle": [_handle(snippet.get("customUrl")) for snippet in snippets],
        "description": _each(snippets, "description"),
        "country": _each(snippets, "country"),
        "published_at": _each(snippets, "publishedAt"),
        "uploads_playlist_id": _each(playlists, "uploads"),
    }


def _flat_comments(items: list[Object]) -> list[Object]:
    """Comments of comments.list as they are; a thread as its top-level comment and the replies it carries."""
    found = []
    for item in items:
        thread = _object(item.get("snippet"))
        if "topLevelComment" not in thread and "replies" not in item:
            found.append(item)
            continue
        top = _object(thread.get("topLevelComment"))
        count = thread.get("totalReplyCount")
        found.append({"id": top.get("id"), "snippet": top.get("snippet"), "thread": thread, "replyCount": count})
        for reply in _replies(item):
            about = {"thread": thread, "parentId": item.get("id")}
            found.append({"id": reply.get("id"), "snippet": reply.get("snippet"), **about})
    return found


def _values_of_comments(items: list[Object]) -> Values:
    snippets, of_threads = _part(items, "snippet"), _part(items, "thread")
    both = list(zip(snippets, of_threads, strict=True))
    return {
        "comment_id": _each(items, "id"),
        "video_id": [snippet.get("videoId", thread.get("videoId")) for snippet, thread in both],
        "parent_id": [
            snippet.get("parentId", item.get("parentId")) for snippet, item in zip(snippets, items, strict=True)
        ],
        "channel_id": [snippet.get("channelId", thread.get("channelId")) for snippet, thread in both],
        "author_channel_id": [_author(snippet.get("authorChannelId")) for snippet in snippets],
        "author_name": _each(snippets, "authorDisplayName"),
        "text": [_text_of_comment(snippet) for snippet in snippets],
        "like_count": _each(snippets, "likeCount"),
        "reply_count": _each(items, "replyCount"),
        "published_at": _each(snippets, "publishedAt"),
        "updated_at": _each(snippets, "updatedAt"),
        "image_url": [_text_if_any(snippet.get("imageUrl")) for snippet in snippets],
    }


def _text_of_comment(snippet: Object) -> Json:
    """A comment that is a picture alone has an empty text, or none; one without either is malformed."""
    text = snippet.get("textOriginal", snippet.get("textDisplay"))
    if _text_if_any(snippet.get("imageUrl")):
        return text or None
    return Malformed("neither a text nor a picture") if text is None else text


# What adorns a row and is of another shape than told is unknown: it costs no row.


def _text_if_any(value: Json) -> str | None:
    return value if type(value) is str and value else None


def _channel_if_any(value: Json) -> str | None:
    return value if type(value) is str and re.fullmatch(CHANNEL_ID, value) else None


def _pixels(value: Json) -> int | None:
    """Of a number, or of a text of digits, as the API writes 64-bit numbers."""
    text = str(value) if type(value) in (int, str) else ""
    return int(text) if re.fullmatch("[0-9]{1,6}", text) else None


def _best_picture(thumbnails: Object) -> str | None:
    """The address of the largest picture, whether or not its key is known."""
    named = [(name, _object(picture)) for name, picture in thumbnails.items()]
    ranked = [(_rank(name, picture), picture["url"]) for name, picture in named if _text_if_any(picture.get("url"))]
    return max(ranked)[1] if ranked else None


def _rank(name: str, picture: Object) -> tuple[bool, int, int]:
    """Pictures that are higher than wide, like `shortsAspectRatio`, come last, then the size counts; known keys are in
    order where sizes are missing."""
    width, height = (_pixels(picture.get(side)) or 0 for side in ("width", "height"))
    known = _PICTURES.index(name) if name in _PICTURES else -1
    return width >= height and name != "shortsAspectRatio", width * height, known


def _replies(thread: Object) -> list[Object]:
    """The replies a thread carries; one that nothing can be read from where they are no list."""
    if "replies" not in thread:
        return []
    carried = _object(thread["replies"]).get("comments")
    return [_object(reply) for reply in carried] if type(carried) is list else [_ABSENT]


def _author(channel: Json) -> Json:
    """`{"value": id}`; accounts that are gone have none, or an empty one."""
    return channel.get("value") or None if type(channel) is dict else channel


def _handle(custom_url: Json) -> Json:
    """Custom URLs without @ are names from before handles, which forHandle does not take."""
    return None if type(custom_url) is str and not custom_url.startswith("@") else custom_url


def _joined(tags: Json) -> Json:
    if type(tags) is not list:
        return tags if tags is None else Malformed(_shown(tags))
    try:
        return ",".join(tags) or None
    except TypeError:
        return tags


def _flag_of_text(text: Json) -> Json:
    return {"true": True, "false": False}.get(text, text) if type(text) is str else text


# Reading answers.


def _answer(body: str | bytes | memoryview) -> Object:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses the whole text for a lone surrogate or a number beyond 64 bits in one item
        try:
            answer = json.loads(body if isinstance(body, str) else bytes(body), parse_int=_whole_number)
        except RecursionError as error:
            raise ValueError("an answer of the API is nested too deeply to be one") from error
    if type(answer) is not dict:
        raise ValueError(f"an answer of the API must be a JSON object and is {_shown(answer)}")
    return answer


def _whole_number(digits: str) -> float:
    """As orjson has it; int would refuse more than 4300 digits."""
    return int(digits) if len(digits) < 20 else float(digits)


def _items(answer: Object) -> list[Object]:
    items = answer.get("items")
    return [_object(item) for item in items] if type(items) is list else []


def _object(value: Json) -> Object:
    return value if type(value) is dict else _ABSENT


def _part(items: Iterable[Object], name: str) -> list[Object]:
    return [part if type(part := item.get(name)) is dict else _ABSENT for item in items]


def _each(objects: Iterable[Object], name: str) -> list[Json]:
    return [one.get(name) for one in objects]


def _each_of(part: str, objects: Iterable[Object], name: str) -> list[Json]:
    """As `_each`; malformed where the item lacks the part, which would else pass for a record with nothing in it."""
    missing = Malformed(f"no {part}")
    return [missing if one is _ABSENT else one.get(name) for one in objects]


def _view_counts(items: list[Object], statistics: list[Object], is_untold: Callable[[Object], bool]) -> list[Json]:
    return [
        Untold() if is_untold(counts) and type(item.get("id")) is str else counts.get("viewCount")
        for item, counts in zip(items, statistics, strict=True)
    ]


def _datetimes(objects: Iterable[Object], name: str) -> list[datetime | None]:
    """Of all objects at once: a time alone costs as much as a page of them."""
    typed, _ = _instants(_each(objects, name))
    found: list[datetime | None] = typed.to_pylist()
    return found


def _chunks(raw: pa.Table, part: str) -> Iterator[list[tuple[int, list[Object]]]]:
    """Answers asked for `part`, as their row and items, in chunks of about `CHUNK_BYTES` of bodies."""
    chunk: list[tuple[int, list[Object]]] = []
    size = 0
    for row, (parameters, body) in enumerate(zip(raw["parameters"], raw["body"], strict=True)):
        if _asks_for(part, parameters.as_py()):
            text = memoryview(body.as_buffer())
            chunk.append((row, _items_if_any(text)))
            size += len(text)
        if size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    yield chunk


def _items_if_any(body: memoryview) -> list[Object]:
    try:
        return _items(_answer(body))
    except ValueError:
        return []


def _asks_for(part: str, parameters: str) -> bool:
    """Whether the request asked for `part`: an answer to one that did not says nothing of it, not that it is empty."""
    asked: str | list[str] = orjson.loads(parameters).get("part", part)
    return part in asked


# From JSON values to columns.


def _through(
    parser: Callable[[pa.Table], pd.DataFrame],
    raw: pa.Table,
    part: str,
    schema: pa.Schema,
    values_of: Callable[[list[Object]], Values],
    flatten: Callable[[list[Object]], list[Object]] = list,
) -> pd.DataFrame:
    """The frame `parser` makes of the items as raw rows in `schema`, with the malformed cells put in."""
    tables, terms = [], []
    malformed: dict[str, Cells] = {}
    first = 0
    for answers in _chunks(raw, part):
        found = [(row, flatten(items)) for row, items in answers]
        items = [item for _, of_answer in found for item in of_answer]
        rows = np.repeat(np.array([row for row, _ in found], dtype=np.int64), [len(items) for _, items in found])
        labels = raw.select(["source", "access", "collected_at"]).take(rows)
        columns = _constants(len(items)) | {"source": labels["source"], "collected_at": labels["collected_at"]}
        for name, values in values_of(items).items():
            columns[name], cells = _READERS[schema.field(name).type](values)
            malformed.setdefault(name, {}).update({first + row: cell for row, cell in cells.items()})
        tables.append(pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema))
        terms.append(labels.select(["access"]))
        first += len(items)
    frame = obtained(parser(pa.concat_tables(tables)), to_pandas(pa.concat_tables(terms))["access"])
    for name, cells in malformed.items():
        column = "duration_seconds" if name == "duration" else name
        if column in frame:
            frame = _put(frame, column, cells)
    return frame.reset_index(drop=True)


def _constants(rows: int) -> dict[str, pa.Array]:
    """Columns that are the same in all answers: the API leaves out what is missing, and reads by id, not by region."""
    constants = {"region": "", "like_zero_is_missing": False, "comment_zero_is_missing": False}
    return {name: pa.repeat(value, rows) for name, value in constants.items()}


def _put(frame: pd.DataFrame, column: str, cells: Cells) -> pd.DataFrame:
    """The frame with these cells in; of rows it lacks, none."""
    rows = [row for row in cells if row in frame.index]
    if rows:
        frame[column] = frame[column].astype(object)
        frame.loc[rows, column] = pd.Series([cells[row] for row in rows], index=rows, dtype=object)
    return frame


def _texts(values: list[Json]) -> tuple[pa.Array, Cells]:
    """Texts; a lone surrogate, which is no Unicode text, becomes U+FFFD."""
    if _are(str, values):
        with contextlib.suppress(UnicodeEncodeError):
            return pa.array(values, pa.string()), {}
    texts = [_unicode(value) if type(value) is str else None for value in values]
    return pa.array(texts, pa.string()), _others(str, values)


def _counts(values: list[Json]) -> tuple[pa.Array, Cells]:
    """Whole numbers of 64 bits, as JSON numbers or, as the API writes those that may be large, texts of digits."""
    if _are(int, values):
        with contextlib.suppress(OverflowError):
            return pa.array(values, pa.int64()), {}
    texts, cells = _texts([str(value) if type(value) is int else value for value in values])
    # without this, Arrow would take 0x10 for 16
    decimal = pc.if_else(pc.ascii_is_decimal(texts), texts, pa.scalar(None, pa.string()))
    counts = _cast(decimal, pa.int64())
    return counts, cells | _unread(texts, counts)


def _instants(values: list[Json]) -> tuple[pa.Array, Cells]:
    """Times in ISO 8601 with their zone, from `EARLIEST` to before `LATEST`."""
    texts, cells = _texts(values)
    instants = _cast(texts, TIMESTAMP)
    within = pc.and_(pc.greater_equal(instants, EARLIEST), pc.less(instants, LATEST))
    instants = pc.if_else(within, instants, pa.scalar(None, TIMESTAMP))
    return instants, cells | _unread(texts, instants)


def _flags(values: list[Json]) -> tuple[pa.Array, Cells]:
    return pa.array([value if type(value) is bool else None for value in values], pa.bool_()), _others(bool, values)


_READERS: dict[pa.DataType, Callable[[list[Json]], tuple[pa.Array, Cells]]] = {
    pa.string(): _texts,
    pa.int64(): _counts,
    pa.bool_(): _flags,
    TIMESTAMP: _instants,
}


def _are(kind: type, values: list[Json]) -> bool:
    return set(map(type, values)) <= {kind, type(None)}


def _others(kind: type, values: list[Json]) -> Cells:
    """The values that are neither of `kind` nor missing."""
    if _are(kind, values):
        return {}
    return {
        row: value if isinstance(value, Malformed) else Malformed(_shown(value))
        for row, value in enumerate(values)
        if value is not None and type(value) is not kind
    }


def _unread(texts: pa.Array, typed: pa.Array) -> Cells:
    """The texts that have no value in `typed`."""
    rows = np.flatnonzero(pc.and_(texts.is_valid(), typed.is_null()))
    return {int(row): Malformed(_shown(texts[row].as_py())) for row in rows}


def _cast(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """The texts as `kind`, NULL where one is none; halving finds the few bad ones among many good ones."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pa.nulls(1, kind)
    middle = len(texts) // 2
    return pa.concat_arrays([_cast(texts[:middle], kind), _cast(texts[middle:], kind)])


def _shown(value: Json) -> str:
    """A scalar as text, at most 100 characters of it, or the kind of value it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return _unicode(str(value)[:100]) or "an empty text"


def _unicode(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
