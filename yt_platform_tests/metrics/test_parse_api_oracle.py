"""Parsing by columns against an oracle of plain json and loops, on recorded answers and on thousands of random ones."""

import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from yt_platform.metrics import parse_api
from yt_platform.metrics.tables import (
    CHANNEL_SNAPSHOTS,
    CHANNELS,
    COMMENTS,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
)
from yt_platform.tables.declaration import Table
from yt_platform.tables.validation import judge
from yt_platform_tests.frames import answers

Row = dict[str, Any]
UNITS = {"W": 604_800, "D": 86_400, "H": 3_600, "M": 60, "S": 1}


def time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def number(value: str | int | None) -> int | None:
    return None if value is None else int(value)


def seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if text.endswith("s"):
        return int(float(text[:-1]))
    return sum(int(digits) * UNITS[unit] for digits, unit in re.findall(r"(\d+)([WDHMS])", text))


def regime(at: datetime) -> str:
    if at < datetime(2025, 3, 31, tzinfo=UTC):
        return "legacy"
    return "shorts_at_start" if at < datetime(2026, 8, 24, tzinfo=UTC) else "all_at_start"


def video_snapshot(item: Row, label: Row) -> Iterator[Row]:
    snippet, counts = item.get("snippet", {}), item["statistics"]
    likes, comments = number(counts.get("likeCount")), number(counts.get("commentCount"))
    yield {
        **label,
        "video_id": item["id"],
        "region": "",
        "channel_id": snippet.get("channelId"),
        "published_at": time(snippet.get("publishedAt") or snippet.get("publishTime")),
        "view_count": number(counts.get("viewCount")),
        "like_count": likes,
        "comment_count": comments,
        "likes_known": likes is not None,
        "comments_known": comments is not None,
        "view_definition": regime(label["collected_at"]),
    }


def video(item: Row, label: Row) -> Iterator[Row]:
    snippet, details, status = item["snippet"], item.get("contentDetails", {}), item.get("status", {})
    published, length = time(snippet.get("publishedAt")), seconds(details.get("duration"))
    limit = 180 if published and published >= datetime(2024, 10, 15, tzinfo=UTC) else 60
    yield {
        **label,
        "video_id": item["id"],
        "channel_id": snippet.get("channelId"),
        "channel_title": snippet.get("channelTitle"),
        "title": snippet.get("title"),
        "description": snippet.get("description"),
        "published_at": published,
        "duration_seconds": length,
        "category_id": snippet.get("categoryId"),
        "tags": ",".join(snippet["tags"]) if snippet.get("tags") else None,
        "default_language": snippet.get("defaultLanguage"),
        "default_audio_language": snippet.get("defaultAudioLanguage"),
        "live_broadcast_content": snippet.get("liveBroadcastContent"),
        "definition": details.get("definition"),
        "caption": {"true": True, "false": False, None: None}[details.get("caption")],
        "licensed_content": details.get("licensedContent"),
        "embeddable": status.get("embeddable"),
        "made_for_kids": status.get("madeForKids"),
        **shape(item.get("player", {}), None if length is None or published is None else 0 < length <= limit),
        "thumbnail_url": picture(snippet.get("thumbnails", {})),
        "brand_partner_channel_id": item.get("brandPartner", {}).get("channelId"),
    }


def shape(player: Row, brief: bool | None) -> Row:
    """A video that is wider than high is no Short, whatever else is known of it."""
    width, height = number(player.get("embedWidth")), number(player.get("embedHeight"))
    told = bool(width and height)
    wide = width is not None and height is not None and told and width > height
    return {
        "embed_width": width,
        "embed_height": height,
        "short_guess_rule": "duration_and_shape" if told else "duration",
        "is_short_guess": False if wide else brief,
    }


def picture(thumbnails: Row) -> str | None:
    """The largest that is not higher than wide; all have their sizes here."""
    wide = [one for one in thumbnails.values() if one["width"] >= one["height"]]
    found = sorted(wide or thumbnails.values(), key=lambda one: one["width"] * one["height"])
    return found[-1]["url"] if found else None


def channel(item: Row, label: Row) -> Iterator[Row]:
    snippet = item["snippet"]
    url = snippet.get("customUrl")
    yield {
        **label,
        "channel_id": item["id"],
        "title": snippet.get("title"),
        "handle": url if url and url[0] == "@" else None,
        "description": snippet.get("description"),
        "country": snippet.get("country"),
        "published_at": time(snippet.get("publishedAt")),
        "uploads_playlist_id": item.get("contentDetails", {}).get("relatedPlaylists", {}).get("uploads"),
        "is_complete": True,
    }


def channel_snapshot(item: Row, label: Row) -> Iterator[Row]:
    counts = item["statistics"]
    yield {
        **label,
        "channel_id": item["id"],
        "subscriber_count": None if counts.get("hiddenSubscriberCount") else number(counts.get("subscriberCount")),
        "view_count": number(counts.get("viewCount")),
        "video_count": number(counts.get("videoCount")),
        "view_definition": regime(label["collected_at"]),
    }


def comments(item: Row, label: Row) -> Iterator[Row]:
    if "topLevelComment" not in item["snippet"]:
        yield comment(item, {}, None, label)
        return
    yield comment(item["snippet"]["topLevelComment"], item["snippet"], item["snippet"]["totalReplyCount"], label)
    for reply in item.get("replies", {}).get("comments", []):
        yield comment(reply, item["snippet"], None, label)


def comment(item: Row, of_thread: Row, reply_count: int | None, label: Row) -> Row:
    snippet = item["snippet"]
    return {
        **label,
        "comment_id": item["id"],
        "video_id": snippet.get("videoId") or of_thread.get("videoId"),
        "parent_id": snippet.get("parentId"),
        "channel_id": snippet.get("channelId") or of_thread.get("channelId"),
        "author_channel_id": snippet.get("authorChannelId", {}).get("value"),
        "author_name": snippet.get("authorDisplayName"),
        "text": snippet.get("textOriginal", snippet["textDisplay"]) or (None if "imageUrl" in snippet else ""),
        "image_url": snippet.get("imageUrl"),
        "like_count": snippet.get("likeCount"),
        "reply_count": reply_count,
        "published_at": time(snippet["publishedAt"]),
        "updated_at": time(snippet["updatedAt"]),
    }


class Draw(random.Random):
    """Random parts of answers as YouTube writes them."""

    def letters(self, size: int) -> str:
        return "".join(self.choices("abcXYZ019_-", k=size))

    def words(self) -> str:
        return "".join(self.choices('ab é😀\n\t"\\<&,\u2028', k=self.randrange(40)))

    def at(self) -> str:
        moment = datetime.fromtimestamp(self.randrange(1_500_000_000, 1_790_000_000), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + self.choice(["Z", ".000Z", ".250Z"])

    def count(self) -> str:
        return str(int(10 ** self.uniform(0, 12)) - 1)

    def some(self, **fields: Any) -> Row:
        """Some of the fields: YouTube leaves out what there is none of."""
        return {name: value for name, value in fields.items() if self.random() < 0.85}

    def channel_id(self) -> str:
        return "UC" + self.letters(22)

    def duration(self) -> str:
        return self.choice(["P0D", "PT0S", "PT3M16S", "P1DT2H", "PT61S", "212s", "0s", f"PT{self.randrange(400)}S"])


def a_video(draw: Draw) -> Row:
    counts = draw.some(likeCount=draw.count(), commentCount=draw.count())
    snippet = draw.some(
        publishedAt=draw.at(),
        channelId=draw.channel_id(),
        description=draw.words(),
        channelTitle=draw.words(),
        tags=[draw.letters(3) for _ in range(draw.randrange(4))],
        categoryId="10",
        liveBroadcastContent="none",
        defaultLanguage="en",
        defaultAudioLanguage="de",
        thumbnails=some_pictures(draw),
    )
    details = draw.some(
        duration=draw.duration(),
        definition="hd",
        caption=draw.choice(["true", "false"]),
        licensedContent=draw.random() < 0.5,
    )
    sides = draw.choice([("720", "405"), ("405", "720"), ("720", "720"), ("0", "0"), ("720", "0")])
    parts = draw.some(
        contentDetails=details,
        status=draw.some(embeddable=True, madeForKids=False),
        player=draw.some(embedWidth=sides[0], embedHeight=sides[1]),
        brandPartner={"channelId": draw.channel_id(), "channelHandle": "@brand"},
    )
    return {
        "id": draw.letters(11),
        "snippet": {"title": draw.words(), **snippet},
        "statistics": {"viewCount": draw.count(), **counts},
        **parts,
    }


def some_pictures(draw: Draw) -> Row:
    sizes = {"default": (120, 90), "maxres": (1280, 720), "shortsAspectRatio": (1080, 1920), "of 2030": (9000, 5000)}
    return {
        name: {"url": f"https://i.ytimg.com/{draw.letters(9)}", "width": width, "height": height}
        for name, (width, height) in draw.some(**sizes).items()
    }


def some_stats(draw: Draw) -> Row:
    snippet = {"snippet": {"publishTime": draw.at()}} if draw.random() < 0.9 else {}
    counts = draw.some(likeCount=draw.count(), commentCount=draw.count())
    return {"id": draw.letters(11), **snippet, "statistics": {"viewCount": draw.count(), **counts}}


def a_channel(draw: Draw) -> Row:
    snippet = draw.some(
        description=draw.words(),
        customUrl=draw.choice(["@", ""]) + draw.letters(5),
        publishedAt=draw.at(),
        country="FR",
    )
    hidden = {"hiddenSubscriberCount": draw.random() < 0.2}
    counts = draw.some(subscriberCount=draw.count(), viewCount=draw.count(), videoCount=draw.count())
    playlists = draw.some(relatedPlaylists=draw.some(uploads="UU" + draw.letters(22)))
    return {
        "id": draw.channel_id(),
        "snippet": {"title": draw.words(), **snippet},
        "statistics": hidden | counts,
        "contentDetails": playlists,
    }


def a_comment(draw: Draw, comment_id: str, video: Row, **fields: Any) -> Row:
    snippet = draw.some(
        authorDisplayName=draw.words(),
        authorChannelId={"value": draw.channel_id()},
        textOriginal=draw.words() + "x",
        likeCount=draw.randrange(9),
    )
    if draw.random() < 0.2:
        snippet |= {"imageUrl": "https://yt3.ggpht.com/" + draw.letters(9), "textOriginal": draw.choice(["", "x"])}
    return {
        "id": comment_id,
        "snippet": {
            "textDisplay": draw.words(),
            "publishedAt": draw.at(),
            "updatedAt": draw.at(),
            **video,
            **snippet,
            **fields,
        },
    }


def a_thread(draw: Draw) -> Row:
    name, about = draw.letters(26), {"videoId": draw.letters(11), "channelId": draw.channel_id()}
    replies = [
        a_comment(draw, f"{name}.{draw.letters(22)}", draw.some(**about), parentId=name)
        for _ in range(draw.randrange(6))
    ]
    snippet = {"topLevelComment": a_comment(draw, name, about), "totalReplyCount": draw.randrange(99), **about}
    return {"id": name, "snippet": snippet, **({"replies": {"comments": replies}} if replies else {})}


Parser = Callable[[pa.Table], pd.DataFrame]
Oracle = Callable[[Row, Row], Iterator[Row]]
VIDEO_PATHS = ("videos/videos_chart_paged_1.json", "videos/videos_info_multi.json", "videos/videos_info_single.json")
THREAD_PATHS = ("comment_threads_by_video_paged_1", "comment_threads_by_channel", "comment_threads_all_to_me")
COMMENT_PATHS = ("comments_by_parent_paged_1", "comments_multi", "comments_single")
CASES: dict[str, tuple[Parser, Table, Oracle, Callable[[Draw], Row], str, tuple[str, ...]]] = {
    "video_snapshots": (parse_api.video_snapshots, VIDEO_SNAPSHOTS, video_snapshot, a_video, "videos.list", ()),
    "video_stats": (
        parse_api.video_snapshots,
        VIDEO_SNAPSHOTS,
        video_snapshot,
        some_stats,
        "videos.batchGetStats",
        (),
    ),
    "videos": (parse_api.video_metadata, VIDEO_VERSIONS, video, a_video, "videos.list", VIDEO_PATHS),
    "channels": (
        parse_api.channels,
        CHANNELS,
        channel,
        a_channel,
        "channels.list",
        ("channels/info_multiple.json", "channel_info_multi.json"),
    ),
    "channel_snapshots": (
        parse_api.channel_snapshots,
        CHANNEL_SNAPSHOTS,
        channel_snapshot,
        a_channel,
        "channels.list",
        ("channels/info_multiple.json",),
    ),
    "threads": (
        parse_api.comments,
        COMMENTS,
        comments,
        a_thread,
        "commentThreads.list",
        tuple(f"comment_threads/{name}.json" for name in THREAD_PATHS),
    ),
    "comments": (
        parse_api.comments,
        COMMENTS,
        comments,
        lambda draw: a_comment(draw, draw.letters(26), {"videoId": draw.letters(11)}),
        "comments.list",
        tuple(f"comments/{name}.json" for name in COMMENT_PATHS),
    ),
}


def expected(raw: pa.Table, oracle: Oracle) -> list[Row]:
    rows = []
    for answer in raw.to_pylist():
        at = answer["collected_at"]
        label = {"source": "api", "access": "api_key", "collected_at": at, "refreshed_at": at}
        for item in json.loads(answer["body"])["items"]:
            rows += oracle(item, label)
    return rows


def assert_agreement(raw: pa.Table, name: str) -> None:
    parse, table, oracle, *_ = CASES[name]
    rows = expected(raw, oracle)
    verdict = judge(table, parse(raw))
    assert verdict.rejected.empty, verdict.rejected["reason"].tolist()
    assert len(verdict.accepted) == len(rows) > 0
    for column in table.column_names:
        found = [None if pd.isna(value) else value for value in verdict.accepted[column]]
        assert found == [row[column] for row in rows], column


@pytest.mark.parametrize("name", CASES)
def test_random_answers(name: str) -> None:
    draw = Draw(name)
    item = CASES[name][3]
    bodies = [
        json.dumps({"items": [item(draw) for _ in range(50)]}, ensure_ascii=number % 2 == 0) for number in range(20)
    ]
    assert_agreement(answers(CASES[name][4], *bodies), name)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[5]])
def test_recorded_answers(name: str, data_dir: Path) -> None:
    folder = data_dir / "api_responses" / "testdata" / "apidata"
    bodies = [(folder / path).read_text() for path in CASES[name][5]]
    assert_agreement(answers(CASES[name][4], *bodies), name)
