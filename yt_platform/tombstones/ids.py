"""Forgetting a channel or an author: which parts of what is stored are theirs, and how the rest reads without them.

Belongs here: recognising ids in answers of the API, in rows and in free text, and taking out what is about them. Not
here: files, databases and the order of deletion (`privacy/forgetting.py`).

What is about a forgotten id is dropped: a channel's record, its videos, their counts and comments, and comments the id
wrote anywhere. Where others mention the id, in a description that links to it, say, its characters become asterisks:
nothing else of the text changes, not even its length.
"""

import csv
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from yt_platform.catalog import DECLARED
from yt_platform.storage.report_lines import LONGEST_ROW, records
from yt_platform.tables.columns import CHANNEL_ID, VIDEO_ID, Personal

Json = Any
Object = dict[str, Json]
Span = tuple[int, int]

VIDEO_LENGTH = 11
CHANNEL_LENGTH = 22
"""Characters of a channel id after UC; its playlists share them: UU… is that of its uploads."""

REPORT_HEADS = 2
"""Lines of a stored report before its rows: what it is, and its columns."""

NAMES_KNOWN = 1 << 16
"""Names of which is remembered whether they were forgotten, about 10 MB."""

CELLS_KNOWN = 1 << 16
"""Cells of a report of which is remembered whether they name an id: a video has a row per country, day and device."""

FEW = 8
"""Ids up to which searching for each beats looking up every place where one could stand."""

OWNERS = frozenset(
    column.name for table in DECLARED.values() for column in table.columns if column.personal is Personal.OWNER
)
"""Columns of raw rows and of rows to be loaded that say whose a row is: names that do so in some table."""

_RUN = re.compile(rf"[A-Za-z0-9_-]{{{VIDEO_LENGTH},}}")
_CHANNEL = re.compile(rf"(?=[A-Z]{{2}}([A-Za-z0-9_-]{{{CHANNEL_LENGTH}}}))")
_ELEVEN = rf"([A-Za-z0-9_-]{{{VIDEO_LENGTH}}})"
_VIDEO = re.compile(rf"(?<![A-Za-z0-9])(?={_ELEVEN})|(?={_ELEVEN}(?![A-Za-z0-9]))")


class Ids(Protocol):
    """Ids of channels (or authors, which are channels) and videos."""

    def __contains__(self, name: object) -> bool:
        """Whether `name` is one of the ids, or a playlist of one of the channels."""
        ...

    def spans(self, text: str) -> Iterable[Span]:
        """Where the ids stand in a text."""
        ...


def malformed(channel: str) -> bool:
    """Whether this cannot be the id of a channel or author."""
    return not re.fullmatch(CHANNEL_ID, channel)


class Known:
    """Ids that are known. Any place in a text counts, within longer words as well."""

    def __init__(self, channels: Iterable[str], videos: Iterable[str] = ()) -> None:
        self._needles = frozenset({channel[-CHANNEL_LENGTH:] for channel in channels} | set(videos))
        self._beginning: dict[str, list[str]] = {}
        for needle in self._needles:
            self._beginning.setdefault(needle[:VIDEO_LENGTH], []).append(needle)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._needles or _channel_part(name) in self._needles)

    def spans(self, text: str) -> Iterator[Span]:
        if len(self._needles) <= FEW and not any(needle in text for needle in self._needles):
            return
        for run in _RUN.finditer(text):
            for start in range(run.start(), run.end() - VIDEO_LENGTH + 1):
                for needle in self._beginning.get(text[start : start + VIDEO_LENGTH], ()):
                    if text.startswith(needle, start):
                        yield start, start + len(needle)


@dataclass(frozen=True)
class Either:
    """What is one of the `ids` of several kinds of knowing them."""

    ids: tuple[Ids, ...]

    def __contains__(self, name: object) -> bool:
        return any(name in ids for ids in self.ids)

    def spans(self, text: str) -> Iterator[Span]:
        return chain.from_iterable(ids.spans(text) for ids in self.ids)


@dataclass(frozen=True)
class Tombstones:
    """Ids that are known by their salted hash alone.

    In a text they are found where ids can be expected: a channel's after the capitals of its kind (UC, UU, UULF), a
    video's where a letter or digit stands on one side at most (ID_, %3DID). Hashing every place would take seconds for
    a megabyte.
    """

    salt: bytes
    digests: frozenset[str]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._known(name)

    @cached_property
    def _known(self) -> Callable[[str], bool]:
        """Remembers what was asked last: answers repeat their keys, and the ids they are about."""
        return lru_cache(NAMES_KNOWN)(lambda name: digest(self.salt, name) in self.digests)

    def spans(self, text: str) -> Iterator[Span]:
        if not self.digests:
            return
        for run in _RUN.finditer(text):
            for video in _VIDEO.finditer(run[0]):
                if self._known(video[1] or video[2]):
                    yield run.start() + video.start(), run.start() + video.start() + VIDEO_LENGTH
            for channel in _CHANNEL.finditer(run[0]):
                if self._known(f"UC{channel[1]}"):
                    yield run.start() + channel.start(1), run.start() + channel.end(1)


def digest(salt: bytes, name: str) -> str:
    """HMAC-SHA256 of an id in hexadecimal; the playlists of a channel have that of the channel."""
    part = _channel_part(name)
    return hmac.digest(salt, (f"UC{part}" if part else name).encode(), "sha256").hex()


def _channel_part(name: str) -> str | None:
    """What a channel id shares with its playlists: UC…, UU…, UULF… and others."""
    return name[-CHANNEL_LENGTH:] if len(name) >= CHANNEL_LENGTH + 2 and name[0] in "UF" else None


@dataclass
class Without:
    """Takes what is about `ids` out of stored rows and texts, and counts what it did: rows or items that were theirs,
    and texts of others that mentioned them."""

    ids: Ids
    removed: int = field(default=0, init=False)
    redacted: int = field(default=0, init=False)

    def text(self, text: str) -> str:
        """The text with asterisks for the ids."""
        found = list(self.ids.spans(text))
        for start, end in found:
            text = text[:start] + "*" * (end - start) + text[end:]
        self.redacted += bool(found)
        return text

    def rows(self, raw: pa.Table) -> pa.Table:
        """Rows of an import (`storage/endpoints.py`) or a table that are not about the ids; the same where none is."""
        theirs = pa.chunked_array([pa.repeat(False, len(raw))])
        for name in OWNERS.intersection(raw.column_names):
            values = [value for value in raw[name].unique().to_pylist() if value in self.ids]
            theirs = pc.or_(theirs, pc.is_in(raw[name], pa.array(values, raw[name].type)))
        count = pc.sum(theirs).as_py() or 0
        self.removed += count
        left = raw.filter(pc.invert(theirs)) if count else raw
        for position, column in enumerate(left.schema):
            is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            if is_text and column.name not in OWNERS:
                left = self._redacted_column(left, position)
        return left

    def report_lines(self, lines: Iterable[str]) -> Iterator[str]:
        """Heads and rows of a stored report (`youtube/reporting_api/reports.py`) without rows that name one of the ids
        in any column: which video led to a view is part of a row's key, so that it cannot be overwritten. What is
        longer than any row goes as well, as its parts could not be searched."""

        @lru_cache(CELLS_KNOWN)
        def mentioned(cell: str) -> bool:
            return any(True for _ in self.ids.spans(cell))

        left = iter(lines)
        yield from map(self.text, islice(left, REPORT_HEADS))
        for row in records(left):
            # no id has a comma
            if len(row) >= LONGEST_ROW or any(len(cell) >= VIDEO_LENGTH and mentioned(cell) for cell in row.split(",")):
                self.removed += 1
            else:
                yield row

    def _redacted_column(self, table: pa.Table, position: int) -> pa.Table:
        column, schema = table.column(position), table.schema
        mentioning = {text for text in column.unique().to_pylist() if text and any(True for _ in self.ids.spans(text))}
        if not mentioning:
            return table
        texts = [self.text(text) if text in mentioning else text for text in column.to_pylist()]
        return table.set_column(position, schema.field(position), pa.array(texts, column.type))

    def answers(self, raw: pa.Table) -> pa.Table:
        """Answers of the API (`API_RESPONSE`) without items about the ids; an answer that was about nothing else is
        left out. The body of one that holds none stays as it was received."""
        kept = [self.answer(*pair) for pair in zip(*(raw[n].to_pylist() for n in ("parameters", "body")), strict=True)]
        left = raw.filter(pa.array([answer is not None for answer in kept], pa.bool_()))
        answers = [answer for answer in kept if answer is not None]
        for position, name in enumerate(("parameters", "body")):
            texts = pa.array([answer[position] for answer in answers], pa.string())
            column = left.schema.get_field_index(name)
            left = left.set_column(column, left.schema.field(column), texts)
        return left

    def answer(self, parameters: str, body: str) -> tuple[str, str] | None:
        """Parameters and body of one answer, as `answers`."""
        told = json.loads(parameters)
        asked = self._parameters(told)
        if asked is None:
            self.removed += 1
            return None
        if asked != told:
            parameters = json.dumps(asked, sort_keys=True)
        # an escaped letter could hide an id from a search of the text
        if "\\u00" not in body and not any(True for _ in self.ids.spans(body)):
            return parameters, body
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return parameters, self.text(body)
        before = self.removed, self.redacted
        answer = self._of_others(answer)
        if answer is None:
            return None
        return parameters, body if (self.removed, self.redacted) == before else json.dumps(answer)

    def _parameters(self, asked: Mapping[str, Json]) -> Object | None:
        """Parameters of a call without the ids; None where it asked about them alone."""
        left: Object = {}
        for name, value in asked.items():
            names = value.split(",") if isinstance(value, str) else []
            others = [one for one in names if one not in self.ids]
            if names and not others:
                return None
            left[name] = ",".join(others) if names else value
        return dict(self._rest(left))

    def _of_others(self, answer: Json) -> Json:
        """An answer's items about others; None where all were about the ids."""
        if type(answer) is dict and type(answer.get("items")) is list:
            items = [left for item in answer["items"] for left in self._items(item)]
            if answer["items"] and not items:
                return None
            answer = answer | {"items": items}
        return self._rest(answer)

    def _items(self, item: Json) -> list[Json]:
        """What is left of an item: itself, nothing, or of a thread that was begun by a forgotten author the replies of
        others, each on its own as comments.list has them."""
        if self._about(item):
            return []
        if _object(_object(item).get("brandPartner")).get("channelId") in self.ids:
            self.redacted += 1  # its handle names it as well
            item = {name: part for name, part in item.items() if name != "brandPartner"}
        if type(item) is not dict or not ("replies" in item or "topLevelComment" in _object(item.get("snippet"))):
            return [item]
        carried = _object(item.get("replies")).get("comments")
        replies = [one for one in carried if not self._about(one)] if type(carried) is list else None
        if self._about(_object(item.get("snippet")).get("topLevelComment")):
            return [_on_its_own(reply, item) for reply in replies or []]
        return [item if replies is None else item | {"replies": item["replies"] | {"comments": replies}}]

    def _about(self, item: Json) -> bool:
        about = any(name in self.ids for name in _names(item))
        self.removed += about
        return about

    def _rest(self, value: Json) -> Json:
        """JSON with every text redacted."""
        if type(value) is str:
            return self.text(value)
        if type(value) is list:
            return [self._rest(one) for one in value]
        if type(value) is dict:
            return {self.text(name): self._rest(one) for name, one in value.items()}
        return value


def videos_in(raw: pa.Table, channel: Known) -> set[str]:
    """Ids of a channel's videos, as far as answers or rows tell them: by their channel, or by its playlist."""
    if "body" not in raw.column_names:
        if not {"video_id", "channel_id"} <= set(raw.column_names):
            return set()
        theirs = pc.is_in(
            raw["channel_id"], pa.array([one for one in _unique(raw["channel_id"]) if one in channel], pa.string())
        )
        return _videos(_unique(raw["video_id"].filter(theirs)))
    found: set[str] = set()
    for body in raw["body"].to_pylist():
        if any(True for _ in channel.spans(body)):
            found |= _videos(_videos_of_answer(body, channel))
    return found


def videos_in_report(lines: Iterable[str], channel: Known) -> set[str]:
    """As `videos_in`, from the lines of a stored report, readable to its tables or not."""
    left = islice(lines, REPORT_HEADS - 1, None)
    header = _cells(next(left, ""))
    if not {"channel_id", "video_id"} <= set(header):
        return set()
    theirs = (_cells(row) for row in records(left) if any(True for _ in channel.spans(row)))
    found = (dict(zip(header, cells, strict=False)) for cells in theirs)
    return _videos(row.get("video_id") for row in found if row.get("channel_id") in channel)


def _cells(row: str) -> list[str]:
    """Cells of a row of CSV; none of what is no such row."""
    try:
        return next(csv.reader([row]), [])
    except csv.Error:
        return []


def _videos_of_answer(body: str, channel: Known) -> Iterator[Json]:
    try:
        items = _object(json.loads(body)).get("items")
    except (ValueError, RecursionError):
        return
    for item in map(_object, items if type(items) is list else []):
        snippet, details = _object(item.get("snippet")), _object(item.get("contentDetails"))
        if any(snippet.get(name) in channel for name in ("channelId", "videoOwnerChannelId", "playlistId")):
            resource = _object(snippet.get("resourceId"))
            yield from (item.get("id"), snippet.get("videoId"), details.get("videoId"), resource.get("videoId"))


def _videos(names: Iterable[Json]) -> set[str]:
    return {name for name in names if isinstance(name, str) and re.fullmatch(VIDEO_ID, name)}


def _unique(column: pa.ChunkedArray) -> list[Json]:
    values: list[Json] = column.unique().to_pylist()
    return values


def _names(item: Json) -> Iterator[Json]:
    """Whose an item of an answer is: ids of the item, its channel and video, and of a comment its author."""
    one = _object(item)
    snippet, details = _object(one.get("snippet")), _object(one.get("contentDetails"))
    for holder in (one.get("id"), snippet.get("resourceId"), snippet.get("authorChannelId")):
        yield from (_object(holder).get(name) for name in ("channelId", "videoId", "value"))
    yield from (one.get("id"), snippet.get("authorChannelId"), details.get("videoId"))
    yield from (snippet.get(name) for name in ("channelId", "videoId", "videoOwnerChannelId", "playlistId"))
    url = snippet.get("authorChannelUrl")
    yield url.rpartition("/")[2] if isinstance(url, str) else None


def _on_its_own(reply: Json, thread: Object) -> Json:
    about = _object(thread.get("snippet"))
    told = {name: about[name] for name in ("videoId", "channelId") if name in about} | {"parentId": thread.get("id")}
    return _object(reply) | {"snippet": told | _object(_object(reply).get("snippet"))}


def _object(value: Json) -> Object:
    return value if type(value) is dict else {}


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns of text: `owners` say whose a row is, so that theirs go; rows go as well where one of
    `naming` mentions an id; `plain` hold neither YouTube's texts nor people's. All others are redacted."""

    owners: frozenset[str] = frozenset()
    naming: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()


def columns_of_warehouse(table: str) -> Columns:
    """As the table declares them; all texts of one that is not declared are redacted."""
    declared = DECLARED[table].columns if table in DECLARED else ()

    def marked(personal: Personal) -> frozenset[str]:
        return frozenset(column.name for column in declared if column.personal is personal)

    return Columns(marked(Personal.OWNER), marked(Personal.KEY), marked(Personal.NONE))


def columns_of_others(_: str) -> Columns:
    """Dagster's and MLflow's tables are not ours, and any text of theirs may name an id."""
    return Columns()
