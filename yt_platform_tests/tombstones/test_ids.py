"""Forgetting is pure: stored rows and answers in, the same without some ids out."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt_platform.metrics import parse, parse_api
from yt_platform.storage.endpoints import CHANNELS, ENDPOINTS, VIDEO_SNAPSHOTS, VIDEOS
from yt_platform.tombstones.ids import Ids, Known, Tombstones, Without, digest, malformed, videos_in, videos_in_report
from yt_platform_tests.frames import answers

FORGOTTEN, OTHER, AUTHOR = (f"UC{letter * 22}" for letter in "fox")
THEIRS, VIDEO, OTHERS = "theirVideo1", "theirVideo2", "video-of_ot"
NEEDLES = (FORGOTTEN[2:], THEIRS, VIDEO)
AT = "2026-01-02T03:04:05Z"
IDS = Known([FORGOTTEN], [THEIRS, VIDEO])
STONES = Tombstones(b"salt", frozenset(digest(b"salt", name) for name in (FORGOTTEN, THEIRS, VIDEO)))
Item = dict[str, Any]

texts = st.lists(
    st.sampled_from(["hello", "\n", FORGOTTEN, f"https://youtu.be/{THEIRS}", f"/channel/{FORGOTTEN}?x", "ü😀", '"']),
    max_size=5,
).map(" ".join)
channels = st.sampled_from([FORGOTTEN, OTHER])
videos = st.sampled_from([(THEIRS, FORGOTTEN), (VIDEO, FORGOTTEN), (OTHERS, OTHER)])
numbers = st.integers(0, 999)


@st.composite
def channel_item(draw: st.DrawFn) -> Item:
    channel = draw(channels)
    return {
        "id": channel,
        "snippet": {"title": draw(texts), "description": draw(texts), "publishedAt": AT},
        "contentDetails": {"relatedPlaylists": {"uploads": f"UU{channel[2:]}"}},
        "statistics": {"viewCount": "5", "videoCount": "2"},
    }


@st.composite
def video_item(draw: st.DrawFn) -> Item:
    video, channel = draw(videos)
    snippet = {"channelId": channel, "title": draw(texts), "description": draw(texts), "tags": [draw(texts)]}
    return {
        "id": video,
        "snippet": {**snippet, "publishedAt": AT, "thumbnails": {"url": f"https://i.ytimg.com/vi/{video}/a.jpg"}},
        "contentDetails": {"duration": "PT1M"},
        "statistics": {"viewCount": str(draw(numbers)), "likeCount": "1"},
    }


@st.composite
def comment_item(draw: st.DrawFn, video: str, channel: str, comment_id: str) -> Item:
    author = draw(st.sampled_from([FORGOTTEN, AUTHOR]))
    about = {"videoId": video, "channelId": channel} if draw(st.booleans()) else {}
    writer = {"authorChannelId": {"value": author}, "authorChannelUrl": f"http://www.youtube.com/channel/{author}"}
    times = {"publishedAt": AT, "updatedAt": AT}
    return {"id": comment_id, "snippet": {**about, **writer, **times, "textOriginal": draw(texts), "likeCount": 1}}


@st.composite
def thread_item(draw: st.DrawFn) -> Item:
    video, channel = draw(videos)
    thread = f"Ugthread00000000000{draw(numbers):03}"
    replies = [draw(comment_item(video, channel, f"{thread}.reply{n:010}")) for n in range(draw(st.integers(0, 3)))]
    top = draw(comment_item(video, channel, thread))
    snippet = {"videoId": video, "channelId": channel, "topLevelComment": top, "totalReplyCount": 3}
    return {"id": thread, "snippet": snippet, **({"replies": {"comments": replies}} if replies else {})}


def lines(method: str, bodies: list[list[Item]]) -> pa.Table:
    return answers(method, *(json.dumps({"items": items, "pageInfo": {"totalResults": 9}}) for items in bodies))


def starred(text: Any) -> Any:
    for needle in NEEDLES if isinstance(text, str) else ():
        text = text.replace(needle, "*" * len(needle))
    return text


def expected(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Rows that are nobody's who is forgotten, their texts with asterisks: by pandas, not by the code under test."""
    theirs = pd.Series(False, index=frame.index)
    for name in ("video_id", "channel_id", "author_channel_id"):
        if name in frame:
            theirs |= frame[name].isin([FORGOTTEN, THEIRS, VIDEO])
    return shown(frame[~theirs].astype(object).map(starred))


def shown(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows = frame.astype(object).itertuples(index=False)
    return sorted(tuple("" if pd.isna(cell) else str(cell) for cell in row) for row in rows)


def holds_none(table: pa.Table) -> bool:
    """Whether the ids are neither in the text that would be stored nor in what JSON readers make of it."""
    stored = json.dumps([table.to_pylist(), [json.loads(body) for body in table["body"].to_pylist()]], default=str)
    return not any(needle in stored for needle in NEEDLES)


ANSWERS = {
    "channels": ("channels.list", channel_item(), parse_api.channels),
    "channel counts": ("channels.list", channel_item(), parse_api.channel_snapshots),
    "videos": ("videos.list", video_item(), parse_api.video_metadata),
    "channels of videos": ("videos.list", video_item(), parse_api.channels_of_videos),
    "counts": ("videos.batchGetStats", video_item(), parse_api.video_snapshots),
    "threads": ("commentThreads.list", thread_item(), parse_api.comments),
}


@pytest.mark.parametrize("ids", [IDS, STONES], ids=["known", "tombstones"])
@pytest.mark.parametrize("kind", list(ANSWERS))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_answers_hold_nothing_of_the_ids_and_all_of_the_rest(ids: Ids, kind: str, data: st.DataObject) -> None:
    method, item, parser = ANSWERS[kind]
    raw = lines(method, data.draw(st.lists(st.lists(item, max_size=4), max_size=3)))
    without = Without(ids)
    left = without.answers(raw)
    assert holds_none(left)
    assert shown(parser(left)) == expected(parser(raw))
    assert Without(ids).answers(left).equals(left)


def test_an_answer_that_names_no_id_stays_as_it_was_received() -> None:
    raw = answers("videos.list", '{ "items":[{"id":"video-of_ot", "snippet": {}}] ,"x":1e2}')
    assert Without(IDS).answers(raw).equals(raw)


def test_an_id_behind_escaped_letters_is_found() -> None:
    hidden = (
        '{"items": [{"id": "\\u0074heirVideo1"}, {"id": "video-of_ot", "snippet": {"title": "\\u0074heirVideo1"}}]}'
    )
    left = Without(IDS).answers(answers("videos.list", hidden))
    assert json.loads(left["body"][0].as_py())["items"] == [{"id": OTHERS, "snippet": {"title": "*" * 11}}]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({"id": f"{THEIRS},{OTHERS}", "part": "id"}, {"id": OTHERS, "part": "id"}),
        ({"id": f"{THEIRS},{VIDEO}"}, None),
        ({"playlistId": f"UU{FORGOTTEN[2:]}"}, None),
        ({"playlistId": f"UU{OTHER[2:]}"}, {"playlistId": f"UU{OTHER[2:]}"}),
        ({"videoId": VIDEO, "part": "id"}, None),
    ],
)
def test_what_was_asked_names_others_only(asked: Item, left: Item | None) -> None:
    raw = answers("videos.list", '{"items": []}')
    raw = raw.set_column(4, raw.schema.field("parameters"), pa.array([json.dumps(asked)]))
    found = [json.loads(one) for one in Without(IDS).answers(raw)["parameters"].to_pylist()]
    assert found == ([] if left is None else [left])


def test_an_answer_about_a_handle_goes_with_its_channel() -> None:
    raw = lines("channels.list", [[{"id": FORGOTTEN, "snippet": {"title": "t"}}]])
    assert Without(IDS).answers(raw).num_rows == 0


@pytest.mark.parametrize("text", ["no JSON: theirVideo1", '{"items": 3, "x": "theirVideo1"}', '["theirVideo1"]'])
def test_bodies_that_are_no_list_are_redacted_as_text(text: str) -> None:
    left = Without(IDS).answers(answers("videos.list", text))
    assert left["body"][0].as_py() == text.replace(THEIRS, "*" * 11)


def rows_of(endpoint: Any, *rows: Item) -> pa.Table:
    return pa.Table.from_pylist(
        [{field.name: row.get(field.name) for field in endpoint.schema} for row in rows], schema=endpoint.schema
    )


@st.composite
def imported_video(draw: st.DrawFn) -> Item:
    video, channel = draw(videos)
    return {
        "source": "test",
        "video_id": video,
        "collected_at": pd.Timestamp(AT).to_pydatetime(),
        "channel_id": channel,
        "title": draw(texts),
        "description": draw(st.none() | texts),
    }


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(imported_video(), max_size=6))
def test_imported_rows_hold_nothing_of_the_ids_and_all_of_the_rest(rows: list[Item]) -> None:
    raw = rows_of(VIDEOS, *rows)
    without = Without(IDS)
    left = without.rows(raw)
    assert left.schema == VIDEOS.schema
    assert not any(needle in str(left.to_pylist()) for needle in NEEDLES)
    assert shown(parse.video_metadata(left)) == expected(parse.video_metadata(raw))
    assert without.removed == len(raw) - len(left)


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=list(ENDPOINTS))
def test_every_kind_of_import_says_whose_its_rows_are(endpoint: Any) -> None:
    """A new endpoint whose rows name ids in other columns would keep them."""
    theirs = {"channel_id": FORGOTTEN, "video_id": THEIRS}
    others = {"channel_id": OTHER, "video_id": OTHERS}
    at = {"source": "test", "collected_at": pd.Timestamp(AT).to_pydatetime(), "region": ""}
    zeros = {"like_zero_is_missing": False, "comment_zero_is_missing": False}
    raw = rows_of(endpoint, {**at, **zeros, **theirs}, {**at, **zeros, **others})
    assert Without(IDS).rows(raw).equals(raw.slice(1))


def test_imports_without_any_stay_the_same_table() -> None:
    raw = rows_of(CHANNELS, {"source": "test", "channel_id": OTHER, "title": "x"})
    assert Without(IDS).rows(raw) is raw


def test_videos_of_a_channel_are_found_wherever_they_are_told() -> None:
    only = Known([FORGOTTEN])
    told = [{"id": THEIRS, "snippet": {"channelId": FORGOTTEN}}, {"id": OTHERS, "snippet": {"channelId": OTHER}}]
    assert videos_in(lines("videos.list", [told]), only) == {THEIRS}
    listed = {"id": "x", "snippet": {"playlistId": f"UU{FORGOTTEN[2:]}"}, "contentDetails": {"videoId": VIDEO}}
    assert videos_in(lines("playlistItems.list", [[listed]]), only) == {VIDEO}
    row = {"source": "t", "collected_at": pd.Timestamp(AT).to_pydatetime(), "region": ""}
    zeros = {"like_zero_is_missing": False, "comment_zero_is_missing": False}
    one = {**row, **zeros, "video_id": THEIRS, "channel_id": FORGOTTEN}
    raw = rows_of(VIDEO_SNAPSHOTS, one, {**one, "video_id": OTHERS, "channel_id": OTHER}, {**one, "channel_id": None})
    assert videos_in(raw, only) == {THEIRS}


def test_comments_the_channel_wrote_on_others_videos_make_them_none_of_its_own() -> None:
    item = {"id": "Ug1", "snippet": {"videoId": OTHERS, "channelId": OTHER, "authorChannelId": {"value": FORGOTTEN}}}
    assert videos_in(lines("comments.list", [[item]]), Known([FORGOTTEN])) == set()


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*NEEDLES, FORGOTTEN, "x", "-", " ", "\n", THEIRS[:6], FORGOTTEN[2:9]]), max_size=12).map(
        "".join
    )
)
def test_any_place_in_a_text_is_found(text: str) -> None:
    few, many = IDS, Known([FORGOTTEN], [THEIRS, VIDEO, *(f"filler_{n:04}" for n in range(20))])
    redacted: Callable[[Ids], str] = lambda ids: Without(ids).text(text)  # noqa: E731
    assert redacted(few) == redacted(many)
    assert len(redacted(few)) == len(text)
    assert not any(needle in redacted(few) for needle in NEEDLES)


@pytest.mark.parametrize("ids", [IDS, STONES])
def test_a_forgotten_brand_is_taken_out_of_the_videos_of_others(ids: Ids) -> None:
    """Its handle would still have named it."""
    item = {"id": OTHERS, "snippet": {"channelId": OTHER}}
    partner = {"brandPartner": {"channelId": FORGOTTEN, "channelHandle": "@theirs"}}
    other = {"brandPartner": {"channelId": AUTHOR, "channelHandle": "@another"}}
    without = Without(ids)
    left = without.answers(answers("videos.list", json.dumps({"items": [item | partner, item | other]})))
    assert json.loads(left["body"][0].as_py()) == {"items": [item, item | other]}
    assert (without.removed, without.redacted) == (0, 1)


def test_a_tombstone_tells_nothing_without_its_salt() -> None:
    assert digest(b"salt", FORGOTTEN) != digest(b"other", FORGOTTEN)
    assert digest(b"salt", f"UU{FORGOTTEN[2:]}") == digest(b"salt", FORGOTTEN)
    assert FORGOTTEN in STONES
    assert OTHER not in STONES


@pytest.mark.parametrize("ids", [IDS, STONES], ids=["known", "tombstones"])
@pytest.mark.parametrize(
    "text",
    [
        *("https://youtu.be/{v}", "https://youtu.be/{v}_", "watch?v={v}-", "x{v}", "vi/{v}/x.jpg", "_{v}_", "{v}."),
        *("https%3A%2F%2Fyoutu.be%2F{v}", "v%3D{v}%26t%3D1", "%20{v}", "a-long-slug-that-ends-with_{v}_and_more"),
        *("UC{c}", "UU{c}", "list=UULF{c}", "UUSH{c}_", "yt:UC{c}", "xUC{c}", "UC{c}UC{c}", "feed_UC{c}", "%2FUC{c}"),
    ],
)
@pytest.mark.parametrize("video", [THEIRS, VIDEO])
def test_what_hides_an_id_from_readers_hides_it_from_nobody_else(ids: Ids, text: str, video: str) -> None:
    """Where only the hash is left as well, or a mention that was overwritten would be back with the next collection."""
    written = text.format(v=video, c=FORGOTTEN[2:])
    assert Without(ids).text(written) == starred(written)


@pytest.mark.parametrize("name", ["", "UC", "UC" + "a" * 21, "UC" + "a" * 23, "UU" + "a" * 22, f"{FORGOTTEN}\n", "@x"])
def test_what_is_no_channel_id_is_malformed(name: str) -> None:
    assert malformed(name)
    assert not malformed(FORGOTTEN)


def test_rows_of_reports_go_where_they_name_an_id() -> None:
    head, header = f'{{"account": "{FORGOTTEN}"}}\n', "date,channel_id,video_id,traffic_source_detail,views\n"
    rows = [f"20260101,{OTHER},{OTHERS},{detail},1\n" for detail in ("x", THEIRS)]
    lines = [head, header, f"20260101,{FORGOTTEN},{THEIRS},x,1\n", *rows]
    without = Without(IDS)
    assert list(without.report_lines(lines)) == [head.replace(FORGOTTEN[2:], "*" * 22), header, rows[0]]
    assert (without.removed, without.redacted) == (2, 1)


@pytest.mark.parametrize("ids", [IDS, STONES], ids=["known", "tombstones"])
def test_a_row_of_several_lines_goes_or_stays_as_a_whole(ids: Ids) -> None:
    """Search terms are people's: half a row that was left made the day's report one that nobody could read."""
    heads = ["{}\n", "date,channel_id,video_id,traffic_source_detail,views\n"]
    rows = [
        f'20260101,{FORGOTTEN},{THEIRS},"two\nlines",1\n',
        f'20260101,{OTHER},{OTHERS},"a ""term"",\nof\nthree",2\n',
        f'20260101,{OTHER},{OTHERS},"see\n{THEIRS}, please\n""end""",3\n',
        f"20260101,{OTHER},{OTHERS},plain,4\n",
    ]
    without = Without(ids)
    left = "".join(without.report_lines("".join(heads + rows).splitlines(keepends=True)))
    assert left == "".join([*heads, rows[1], rows[3]])
    assert without.removed == 2
    assert [row[4] for row in csv.reader(io.StringIO(left[3:]))] == ["views", "2", "4"]


def test_a_quote_that_nothing_closes_takes_no_rows_with_it() -> None:
    row = f'20260101,{OTHER},{OTHERS},5" disc,1\n'
    lines = ["{}\n", "date\n", row, f"20260101,{FORGOTTEN},{THEIRS},x,1\n", *[row.replace('"', "")] * 30_000]
    without = Without(IDS)
    assert list(without.report_lines(lines)) == [line for line in lines if FORGOTTEN not in line]
    assert without.removed == 1


def test_videos_of_a_channel_are_found_in_rows_of_several_lines() -> None:
    heads = ["{}\n", "channel_id,traffic_source_detail,video_id\n"]
    rows = [
        f'{FORGOTTEN},"two\nlines",{THEIRS}\n',
        f'{OTHER},"to\n{FORGOTTEN}",{OTHERS}\n',
        f"{FORGOTTEN},{'x' * 200_000},\n",
    ]
    assert videos_in_report("".join(heads + rows).splitlines(keepends=True), Known([FORGOTTEN])) == {THEIRS}
