"""Reading answers is pure: bodies in, rows and their judgement out."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt_platform.metrics import parse_api
from yt_platform.metrics.tables import (
    CHANNEL_SNAPSHOTS,
    CHANNELS,
    COMMENTS,
    VIDEO_SNAPSHOTS,
    VIDEO_VERSIONS,
    VIDEOS,
)
from yt_platform.tables.declaration import Table
from yt_platform.tables.validation import Verdict, judge, only_untold
from yt_platform.warehouse.loading import as_rejects
from yt_platform_tests.frames import CHANNEL, VIDEO, answers

OTHER_VIDEO = "bcdefghijkl"
OTHER_CHANNEL = "UC" + "b" * 22
THREAD, OTHER_THREAD = "Ugthread000000000000000001", "Ugthread000000000000000002"
AT = "2026-01-02T03:04:05Z"
Item = dict[str, Any]


def video(**snippet: Any) -> Item:
    return {
        "kind": "youtube#video",
        "id": VIDEO,
        "snippet": {
            "publishedAt": AT,
            "channelId": CHANNEL,
            "title": "t",
            "description": "d",
            "channelTitle": "c",
            "tags": ["a", "b c"],
            "categoryId": "10",
            "liveBroadcastContent": "none",
            "defaultLanguage": "en",
            "defaultAudioLanguage": "en",
            **snippet,
        },
        "contentDetails": {"duration": "PT3M16S", "definition": "hd", "caption": "true", "licensedContent": True},
        "statistics": {"viewCount": "5000000000", "likeCount": "4", "commentCount": "3"},
        "status": {"embeddable": True, "madeForKids": False},
    }


def video_stats() -> Item:
    return {
        "kind": "youtube#videoStats",
        "id": VIDEO,
        "snippet": {"publishTime": AT},
        "contentDetails": {"duration": "196s"},
        "statistics": {"viewCount": "5", "likeCount": "4", "commentCount": "3"},
    }


def channel() -> Item:
    return {
        "id": CHANNEL,
        "snippet": {"title": "t", "description": "d", "customUrl": "@c", "publishedAt": AT, "country": "FR"},
        "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": "UU" + "a" * 22}},
        "statistics": {
            "viewCount": "9",
            "subscriberCount": "1230",
            "hiddenSubscriberCount": False,
            "videoCount": "2",
        },
    }


def comment(comment_id: str = THREAD, **snippet: Any) -> Item:
    return {
        "kind": "youtube#comment",
        "id": comment_id,
        "snippet": {
            "videoId": VIDEO,
            "channelId": CHANNEL,
            "textDisplay": "x &lt;3",
            "textOriginal": "x <3",
            "authorDisplayName": "@n",
            "authorChannelId": {"value": OTHER_CHANNEL},
            "likeCount": 2,
            "publishedAt": AT,
            "updatedAt": AT,
            **snippet,
        },
    }


def thread(*replies: Item, reply_count: int | None = None) -> Item:
    snippet = {
        "channelId": CHANNEL,
        "videoId": VIDEO,
        "topLevelComment": comment(),
        "totalReplyCount": len(replies) if reply_count is None else reply_count,
    }
    item = {"kind": "youtube#commentThread", "id": THREAD, "snippet": snippet}
    return {**item, "replies": {"comments": list(replies)}} if replies else item


def body(*items: Any, **top: Any) -> str:
    return json.dumps({"kind": "list", "items": list(items), **top})


@dataclass(frozen=True, eq=False)
class Case:
    """A parser, its table, and two good items with different ids."""

    parse: Callable[[Any], pd.DataFrame]
    table: Table
    method: str
    item: Item
    other: Item

    def rows(self, *items: Any) -> pd.DataFrame:
        return self.parse(answers(self.method, body(*items)))


CASES = {
    "video_snapshots": Case(
        parse_api.video_snapshots, VIDEO_SNAPSHOTS, "videos.list", video(), {**video(), "id": OTHER_VIDEO}
    ),
    "video_stats": Case(
        parse_api.video_snapshots,
        VIDEO_SNAPSHOTS,
        "videos.batchGetStats",
        video_stats(),
        {**video_stats(), "id": OTHER_VIDEO},
    ),
    "videos": Case(parse_api.video_metadata, VIDEOS, "videos.list", video(), {**video(), "id": OTHER_VIDEO}),
    "versions": Case(parse_api.video_metadata, VIDEO_VERSIONS, "videos.list", video(), {**video(), "id": OTHER_VIDEO}),
    "channel_snapshots": Case(
        parse_api.channel_snapshots, CHANNEL_SNAPSHOTS, "channels.list", channel(), {**channel(), "id": OTHER_CHANNEL}
    ),
    "channels": Case(parse_api.channels, CHANNELS, "channels.list", channel(), {**channel(), "id": OTHER_CHANNEL}),
    "comments": Case(parse_api.comments, COMMENTS, "comments.list", comment(), comment(OTHER_THREAD)),
}
REPLY = comment(f"{THREAD}.reply00000000001", parentId=THREAD)
THREADS = Case(parse_api.comments, COMMENTS, "commentThreads.list", thread(), thread(REPLY))
EVERY = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


def only(case: Case, item: Any) -> dict[str, Any]:
    """The row of one good item."""
    verdict = judge(case.table, case.rows(item))
    assert verdict.rejected.empty, verdict.rejected["reason"].tolist()
    return dict(verdict.accepted.iloc[0])


def reason(case: Case, item: Any) -> str:
    """Why the row of a bad item between two good ones is refused."""
    verdict = judge(case.table, case.rows(case.item, item, case.other))
    assert len(verdict.accepted) == 2
    return str(verdict.rejected["reason"].item())


@EVERY
def test_a_good_item_keeps_the_contract_and_has_every_column(case: Case) -> None:
    row = only(case, case.item)
    assert list(row) == case.table.column_names
    assert row["access"] == "api_key"
    assert row["source"] == "api"
    assert row["collected_at"] == row["refreshed_at"] == pd.Timestamp("2026-09-01", tz="UTC")


def test_source_and_access_are_those_of_the_answer() -> None:
    raw = answers("videos.list", body(video()), body({**video(), "id": OTHER_VIDEO}))
    raw = raw.set_column(0, raw.schema.field("source"), [["api", "synthetic"]])
    raw = raw.set_column(1, raw.schema.field("access"), [["owner", "api_key"]])
    found = parse_api.video_metadata(raw)
    assert found["source"].tolist() == ["api", "synthetic"]
    assert found["access"].tolist() == ["owner", "api_key"]


def test_an_absent_count_is_unknown_and_never_zero() -> None:
    item = {**video(), "statistics": {"viewCount": "0"}}
    row = only(CASES["video_snapshots"], item)
    assert row["view_count"] == 0
    assert row["like_count"] is pd.NA
    assert row["comment_count"] is pd.NA
    assert not row["likes_known"]
    assert not row["comments_known"]


def test_a_count_of_zero_is_known() -> None:
    item = {**video(), "statistics": {"viewCount": "9", "likeCount": "0", "commentCount": "0"}}
    row = only(CASES["video_snapshots"], item)
    assert (row["like_count"], row["likes_known"], row["comments_known"]) == (0, True, True)


def test_the_stats_method_names_no_channel_and_has_its_own_name_for_the_publication() -> None:
    row = only(CASES["video_stats"], video_stats())
    assert row["channel_id"] is pd.NA
    assert row["published_at"] == pd.Timestamp(AT)
    assert (row["region"], row["view_definition"]) == ("", "all_at_start")


def test_hidden_subscribers_are_unknown() -> None:
    item = channel()
    item["statistics"] |= {"hiddenSubscriberCount": True, "subscriberCount": "0"}
    row = only(CASES["channel_snapshots"], item)
    assert row["subscriber_count"] is pd.NA
    assert row["view_count"] == 9


@pytest.mark.parametrize(("duration", "seconds"), [("PT3M16S", 196), ("196s", 196), ("P0D", 0), ("P1DT2H", 93_600)])
def test_durations_in_both_notations(duration: str, seconds: int) -> None:
    item = video()
    item["contentDetails"]["duration"] = duration
    assert only(CASES["videos"], item)["duration_seconds"] == seconds


def test_what_a_premiere_lacks_is_unknown() -> None:
    item = video()
    del item["contentDetails"], item["snippet"]["tags"], item["snippet"]["defaultLanguage"], item["status"]
    row = only(CASES["videos"], item)
    for column in ("duration_seconds", "tags", "default_language", "caption", "embeddable", "is_short_guess"):
        assert row[column] is pd.NA
    assert row["title"] == "t"


def test_metadata_of_a_video() -> None:
    row = only(CASES["videos"], video())
    assert row["tags"] == "a,b c"
    assert row["channel_title"] == "c"
    assert [bool(row[flag]) for flag in ("caption", "embeddable", "made_for_kids", "is_short_guess")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("width", "height", "seconds", "guess", "rule"),
    [
        ("405", "720", 179, True, "duration_and_shape"),
        ("720", "720", 179, True, "duration_and_shape"),
        (405, 720, 179, True, "duration_and_shape"),
        ("720", "405", 30, False, "duration_and_shape"),
        ("405", "720", 181, False, "duration_and_shape"),
        ("0", "0", 30, True, "duration"),
        ("0", "720", 30, True, "duration"),
        (None, None, 30, True, "duration"),
        ("720", None, 30, True, "duration"),
        ("wide", "405", 30, True, "duration"),
        ("-720", "405", 30, True, "duration"),
        (True, [], 30, True, "duration"),
        ("9" * 5000, "1", 30, True, "duration"),
    ],
)
def test_a_short_is_brief_and_where_the_shape_is_told_not_wide(
    width: Any, height: Any, seconds: int, guess: bool, rule: str
) -> None:
    """What is no size costs no row: the guess is that of before sizes were told."""
    item = video() | {"player": {"embedHtml": "<iframe>", "embedWidth": width, "embedHeight": height}}
    item["snippet"] |= {"publishedAt": "2026-01-01T00:00:00Z"}
    item["contentDetails"] |= {"duration": f"PT{seconds}S"}
    found = judge(VIDEO_VERSIONS, parse_api.video_metadata(answers("videos.list", body(item))))
    assert found.rejected.empty
    assert found.accepted[["is_short_guess", "short_guess_rule"]].to_numpy().tolist() == [[guess, rule]]


def picture(name: str, width: Any = None, height: Any = None) -> Item:
    return {"url": f"https://i.ytimg.com/{name}", "width": width, "height": height}


@pytest.mark.parametrize(
    ("thumbnails", "best"),
    [
        ({"high": picture("h", 480, 360), "default": picture("d", 120, 90)}, "h"),
        ({"maxres": picture("m", 1280, 720), "shortsAspectRatio": picture("s", 1080, 1920)}, "m"),
        ({"shortsAspectRatio": picture("s", 1080, 1920)}, "s"),
        ({"shortsAspectRatio": picture("s"), "default": picture("d")}, "d"),
        ({"of 2030": picture("o", 9000, 5000), "maxres": picture("m", 1280, 720)}, "o"),
        ({"maxres": picture("m"), "uhd": picture("u"), "default": picture("d"), "of 2030": picture("o")}, "u"),
        ({"maxres": {"width": 1280, "height": 720}, "default": picture("d", 120, 90)}, "d"),
        ({"maxres": None, "high": "h", "medium": {"url": 7}}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_best_picture_is_chosen_among_keys_known_and_unknown(thumbnails: Any, best: str | None) -> None:
    item = video()
    item["snippet"] |= {"thumbnails": thumbnails}
    found = judge(VIDEO_VERSIONS, parse_api.video_metadata(answers("videos.list", body(item))))
    assert found.rejected.empty
    [url] = found.accepted["thumbnail_url"]
    assert (None if pd.isna(url) else url) == (best and f"https://i.ytimg.com/{best}")


@pytest.mark.parametrize(
    ("partner", "channel"),
    [
        ({"channelId": OTHER_CHANNEL, "channelHandle": "@brand"}, OTHER_CHANNEL),
        ({"channelId": OTHER_CHANNEL, "since": 2027}, OTHER_CHANNEL),
        ({"channelHandle": "@brand"}, None),
        ({"channelId": "a brand"}, None),
        ({"channelId": 7}, None),
        ([{"channelId": OTHER_CHANNEL}], None),
        ("a brand", None),
        (None, None),
    ],
)
def test_a_brand_partner_costs_no_row_whatever_it_looks_like(partner: Any, channel: str | None) -> None:
    found = judge(
        VIDEO_VERSIONS, parse_api.video_metadata(answers("videos.list", body(video() | {"brandPartner": partner})))
    )
    assert found.rejected.empty
    assert [None if pd.isna(one) else one for one in found.accepted["brand_partner_channel_id"]] == [channel]


def test_a_comment_may_be_a_picture_alone() -> None:
    """It has an empty text, or none: it once was refused, or would have passed for an empty comment."""
    url = "https://yt3.ggpht.com/picture"
    silent = comment(OTHER_THREAD, imageUrl=url)
    del silent["snippet"]["textOriginal"], silent["snippet"]["textDisplay"]
    mute = comment(THREAD, imageUrl=url, textOriginal="", textDisplay="")
    both = comment("Ugthread000000000000000003", imageUrl=url)
    found = judge(COMMENTS, parse_api.comments(answers("comments.list", body(silent, mute, both))))
    assert found.rejected.empty
    assert found.accepted["image_url"].tolist() == [url] * 3
    assert [None if pd.isna(text) else text for text in found.accepted["text"]] == [None, None, "x <3"]


@pytest.mark.parametrize("image", [None, "", 7, {}])
def test_a_comment_without_text_and_picture_is_refused(image: Any) -> None:
    item = comment(imageUrl=image)
    del item["snippet"]["textOriginal"], item["snippet"]["textDisplay"]
    found = judge(COMMENTS, parse_api.comments(answers("comments.list", body(item))))
    assert found.accepted.empty
    assert "text" in found.rejected["reason"].item()


def test_a_video_names_its_channel_but_does_not_complete_it() -> None:
    old, new = video(channelTitle="old"), video(channelTitle="new")
    found = parse_api.channels_of_videos(
        answers("videos.list", body(old, {"id": OTHER_VIDEO}, 5, video(channelId=5)), body(new))
    )
    assert found[["channel_id", "title", "is_complete", "access"]].to_numpy().tolist() == [
        [CHANNEL, "new", False, "api_key"]
    ]
    assert judge(CHANNELS, found).rejected.empty


def test_a_custom_url_of_before_handles_is_no_handle() -> None:
    item = channel()
    item["snippet"]["customUrl"] = "googlecode"
    assert only(CASES["channels"], item)["handle"] is pd.NA
    assert only(CASES["channels"], channel())["handle"] == "@c"


def test_an_answer_without_the_part_says_nothing_of_it() -> None:
    """Else resolving a handle by `part=id` would wipe the channel's title and description."""
    raw = answers("channels.list", body({"id": CHANNEL}), part="id,contentDetails")
    assert parse_api.channels(raw).empty
    assert parse_api.channel_snapshots(raw).empty
    assert judge(CHANNELS, parse_api.channels(raw)).accepted.empty


@pytest.mark.parametrize("name", ["channels", "channel_snapshots", "videos", "versions", "video_snapshots"])
def test_an_item_that_lacks_the_part_asked_for_is_refused(name: str) -> None:
    case = CASES[name]
    identity = {"channels": OTHER_CHANNEL, "channel_snapshots": OTHER_CHANNEL}.get(name, OTHER_VIDEO)
    wanted = "view_count is not told" if name.endswith("snapshots") else "title = no snippet is malformed"
    assert reason(case, {"id": identity}) == wanted


def test_a_refused_row_that_lacks_a_count_is_told_from_one_that_is_wrong() -> None:
    """YouTube leaves counts out of single answers; one such channel in two made their day unusable."""
    case = CASES["video_snapshots"]
    untold = {"id": OTHER_VIDEO, "statistics": {"likeCount": "4"}}
    wrong = [{"statistics": {}}, {**untold, "snippet": {"publishedAt": "yesterday"}}]
    rejected = judge(case.table, case.rows(case.item, untold, *wrong)).rejected
    assert len(rejected) == 3
    assert only_untold(rejected)["video_id"].tolist() == [OTHER_VIDEO]


@pytest.mark.parametrize(
    "count", ["abc", "-1", "", "1.5", "0x10", "1" + "0" * 30, 10**30, -1, 1.5, True, [], {}, "\u0661"]
)
@pytest.mark.parametrize("name", ["viewCount", "likeCount", "commentCount"])
def test_what_is_no_count_is_refused(name: str, count: Any) -> None:
    item = video()
    item["statistics"][name] = count
    column = {"viewCount": "view_count", "likeCount": "like_count", "commentCount": "comment_count"}[name]
    assert f"{column} = " in reason(CASES["video_snapshots"], item)


@pytest.mark.parametrize("at", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01", "0000-01-01T00:00:00Z", 5, []])
def test_what_is_no_timestamp_is_refused(at: Any) -> None:
    assert "published_at = " in reason(CASES["videos"], video(publishedAt=at))


@pytest.mark.parametrize("duration", ["", "3:16", "PT", "PT" + "9" * 30 + "S", "\u0663s", 196, []])
def test_what_is_no_duration_is_refused(duration: Any) -> None:
    item = video()
    item["contentDetails"]["duration"] = duration
    assert "duration_seconds = " in reason(CASES["videos"], item)


@pytest.mark.parametrize("tags", ["a", {"a": "b"}, [1], [["a"]], [None], 5])
def test_tags_that_are_no_list_of_texts_are_refused(tags: Any) -> None:
    assert "tags = " in reason(CASES["videos"], video(tags=tags))


@pytest.mark.parametrize("value", [5, True, [], {}, ["t"]])
def test_what_is_no_text_is_refused(value: Any) -> None:
    assert "title = " in reason(CASES["videos"], video(title=value))


@pytest.mark.parametrize("value", ["yes", 1, []])
def test_what_is_no_flag_is_refused(value: Any) -> None:
    item = video()
    item["contentDetails"]["caption"] = value
    assert "caption = " in reason(CASES["videos"], item)


@EVERY
@pytest.mark.parametrize("identity", [None, "", 5, [], "short", "abcdefghijk\n", "\ud800bcdefghijk", "abcdefghij\0"])
def test_a_missing_or_odd_id_is_refused(case: Case, identity: Any) -> None:
    assert "_id = " in reason(case, {**case.item, "id": identity})


@EVERY
@pytest.mark.parametrize("item", [None, 5, "text", [], {}, [None], {"id": None, "snippet": 3, "statistics": []}])
def test_an_item_of_another_shape_is_refused(case: Case, item: Any) -> None:
    assert reason(case, item)


def test_a_lone_surrogate_is_replaced_and_a_nul_left_to_the_warehouse() -> None:
    """One such title would else cost all 50 videos of the answer: orjson refuses the whole text."""
    found = CASES["videos"].rows(video(title="a\ud83d"), video(title="b\0"), video(title="c\ud83d\ude00"))
    assert judge(VIDEOS, found).accepted["title"].tolist() == ["a�", "b\0", "c😀"]


@pytest.mark.parametrize("text", ["", "<html>", "[1]", "null", '{"items": 5}', '{"items": {}}', "{}", "[" * 100_000])
def test_a_body_that_is_no_list_gives_no_rows(text: str) -> None:
    for case in CASES.values():
        found = case.parse(answers(case.method, text, body(case.item)))
        assert len(found) == 1
        assert judge(case.table, case.parse(answers(case.method, text))).accepted.empty


@EVERY
def test_no_answers_give_no_rows(case: Case) -> None:
    assert judge(case.table, case.parse(answers(case.method))).accepted.empty


@EVERY
def test_answers_keep_their_order_over_many_chunks(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_api, "CHUNK_BYTES", 1000)
    verdict = judge(case.table, case.parse(answers(case.method, *[body(case.item, case.other)] * 9)))
    assert verdict.rejected.empty
    assert verdict.accepted["collected_at"].dt.hour.tolist() == [hour for hour in range(9) for _ in range(2)]


def test_what_is_malformed_is_refused_in_its_own_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells are placed by row, whose numbers must not start anew with a chunk."""
    monkeypatch.setattr(parse_api, "CHUNK_BYTES", 1)
    bodies = [body(video(), video(tags=n)) for n in range(4)]
    verdict = judge(VIDEO_VERSIONS, parse_api.video_metadata(answers("videos.list", *bodies)))
    assert verdict.rejected["reason"].tolist() == [f"tags = {n} is malformed" for n in range(4)]
    assert len(verdict.accepted) == 4


def test_a_number_that_python_refuses_to_read_costs_its_item_only() -> None:
    text = body(video(), video(categoryId="LONG"), video()).replace('"LONG"', "1" * 5000)
    verdict = judge(VIDEOS, parse_api.video_metadata(answers("videos.list", text)))
    assert (len(verdict.accepted), len(verdict.rejected)) == (2, 1)


def test_a_thread_is_its_comment_and_the_replies_it_carries() -> None:
    reply = comment(f"{THREAD}.reply00000000001", parentId=THREAD, likeCount=0)
    del reply["snippet"]["videoId"], reply["snippet"]["channelId"]
    item = thread(reply, reply_count=7)
    del item["snippet"]["topLevelComment"]["snippet"]["videoId"]
    found = parse_api.comments(answers("commentThreads.list", body(item)))
    rows = judge(COMMENTS, found).accepted
    assert rows["comment_id"].tolist() == [THREAD, f"{THREAD}.reply00000000001"]
    assert rows["parent_id"].tolist() == [pd.NA, THREAD]
    assert rows["reply_count"].tolist() == [7, pd.NA]
    assert rows["like_count"].tolist() == [2, 0]
    assert rows["video_id"].tolist() == [VIDEO, VIDEO]
    assert rows["channel_id"].tolist() == [CHANNEL, CHANNEL]
    assert rows["text"].tolist() == ["x <3", "x <3"]
    assert rows["author_channel_id"].tolist() == [OTHER_CHANNEL] * 2


def test_a_reply_of_a_list_of_its_own_has_the_video_of_its_thread() -> None:
    """YouTube's comments.list does not name the video in all answers."""
    reply = comment(f"{THREAD}.reply00000000001", parentId=THREAD)
    orphan = comment(f"{OTHER_THREAD}.reply00000000001", parentId=OTHER_THREAD)
    del reply["snippet"]["videoId"], orphan["snippet"]["videoId"]
    found = parse_api.comments(answers("comments.list", body(reply, orphan), body(thread())))
    assert judge(COMMENTS, found).accepted["video_id"].tolist() == [VIDEO, pd.NA, VIDEO]


def test_a_comment_without_an_id_lends_its_video_to_none() -> None:
    lost = comment()
    del lost["snippet"]["videoId"]
    found = parse_api.comments(answers("comments.list", body({**comment(), "id": None}, lost)))
    assert judge(COMMENTS, found).accepted["video_id"].tolist() == [pd.NA]


@pytest.mark.parametrize("replies", [5, [], {}, {"comments": 5}, {"comments": [5]}, {"comments": None}])
def test_replies_of_another_shape_cost_no_thread(replies: Any) -> None:
    found = parse_api.comments(answers("commentThreads.list", body({**thread(), "replies": replies}, thread())))
    verdict = judge(COMMENTS, found)
    assert verdict.accepted["comment_id"].tolist() == [THREAD, THREAD]
    assert len(verdict.rejected) == 1


def test_an_author_that_is_gone_is_unknown() -> None:
    assert only(CASES["comments"], comment(authorChannelId={"value": ""}))["author_channel_id"] is pd.NA
    assert only(CASES["comments"], comment(authorChannelId={}))["author_channel_id"] is pd.NA
    assert only(CASES["comments"], comment(authorChannelId=None))["author_channel_id"] is pd.NA


# Any shape of item.

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    ANY_TEXT,
    st.sampled_from(["5", "-1", "9" * 25, AT, "0001-01-01T00:00:00-14:00", "9999-12-31T23:59:59Z", "PT3S", "true"]),
)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=5
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, child in children for found in paths(child, (*path, name)))]


@st.composite
def mutated(draw: st.DrawFn, item: Item) -> Any:
    """The item with up to three of its values replaced by anything, or left out."""
    found: Any = deepcopy(item)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(found)))
        if not path:
            return draw(ANY_JSON)
        parent = found
        for name in path[:-1]:
            parent = parent[name]
        if isinstance(parent, dict) and draw(st.booleans()):
            del parent[path[-1]]
        else:
            parent[path[-1]] = draw(ANY_JSON)
    return found


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_item_gives_its_row_and_leaves_its_neighbours_alone(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    odd = data.draw(mutated(case.item))
    verdict = check(case.table, case.rows(case.item, odd, case.other), good_rows(case))
    assert len(verdict.accepted) + len(verdict.rejected) == 3


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_thread_leaves_its_neighbours_alone(data: st.DataObject) -> None:
    odd = data.draw(mutated(thread(REPLY)))
    found = parse_api.comments(answers("commentThreads.list", body(thread(), odd, thread(REPLY))))
    check(COMMENTS, found, good_rows(THREADS))


@cache
def good_rows(case: Case) -> pd.DataFrame:
    return judge(case.table, case.rows(case.item, case.other)).accepted


def check(table: Table, found: pd.DataFrame, good: pd.DataFrame) -> Verdict:
    """The first row and the last ones are as without what stands between; every row is accepted or refused with a
    reason, and quarantine can hold it."""
    verdict = judge(table, found)
    assert len(verdict.accepted) + len(verdict.rejected) == len(found)
    kept = pd.concat([verdict.accepted.iloc[:1], verdict.accepted.iloc[-(len(good) - 1) :]], ignore_index=True)
    pd.testing.assert_frame_equal(kept, good)
    rejects = as_rejects(verdict.rejected, pd.Series(pd.Timestamp("2026-09-01"), index=verdict.rejected.index), "test")
    assert rejects["reason"].str.len().gt(0).all()
    for record in rejects["record"]:
        json.loads(record)
    return verdict


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_helpers_take_any_item(data: st.DataObject) -> None:
    for item in (thread(comment()), video(), {"contentDetails": {"videoId": VIDEO, "videoPublishedAt": AT}}):
        text = body(data.draw(mutated(item)), nextPageToken=data.draw(ANY_JSON))
        parse_api.threads(text)
        parse_api.uploads(text)
        parse_api.polled_videos(text)
        parse_api.uploads_playlists(text)
        token = parse_api.next_page_token(text)
        assert token is None or token


# What collectors read.


def test_uploads_are_published_when_the_video_was_not_when_it_was_listed() -> None:
    listed = {
        "id": "UUx",
        "snippet": {"publishedAt": "2020-01-01T00:00:00Z"},
        "contentDetails": {"videoId": VIDEO, "videoPublishedAt": AT},
    }
    private = {"id": "UUy", "contentDetails": {"videoId": OTHER_VIDEO}}
    assert parse_api.uploads(body(listed, private, {"id": "UUz"}, None)) == [
        (VIDEO, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (OTHER_VIDEO, None),
    ]


def test_views_are_of_what_was_returned_and_unknown_where_they_are_no_count() -> None:
    odd = [
        {"id": f"odd{n}", "statistics": {"viewCount": count}} for n, count in enumerate((5, "-1", "x", "9" * 40, None))
    ]
    whole = {"id": VIDEO, "statistics": {"viewCount": "12"}, "snippet": {"publishedAt": AT}}
    text = body(whole, {"id": 5}, {}, {"id": OTHER_VIDEO}, *odd)
    unknown = dict.fromkeys([OTHER_VIDEO, *(one["id"] for one in odd)], (None, None))
    assert parse_api.polled_videos(text) == {VIDEO: (12, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)), **unknown}
    assert parse_api.polled_videos('{"kind": "youtube#channelListResponse"}') == {}  # YouTube leaves out empty lists


def test_uploads_playlists_are_those_that_can_be_asked_for() -> None:
    channels = [
        {"id": "UC" + letter * 22, "contentDetails": {"relatedPlaylists": {"uploads": playlist}}}
        for letter, playlist in (("a", "UUx-_1"), ("b", "U\x00"), ("c", ""), ("d", 5))
    ]
    found = parse_api.uploads_playlists(body(*channels, {"id": "UC" + "e" * 22}, {"id": "short"}, {"id": {}}))
    assert found == {"UC" + "a" * 22: "UUx-_1", **{"UC" + letter * 22: None for letter in "bcde"}}


def test_page_tokens() -> None:
    assert parse_api.next_page_token(body(video(), nextPageToken="CAU").encode()) == "CAU"
    assert parse_api.next_page_token(body()) is None


def test_threads_tell_which_have_more_replies_than_they_carry() -> None:
    all_there, more = parse_api.threads(body(thread(REPLY), thread(REPLY, reply_count=6)))
    assert not all_there.has_more_replies
    assert more.has_more_replies
    assert more.inline_reply_ids == (f"{THREAD}.reply00000000001",)
    assert more.published_at == more.updated_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "<html>", "[]", "null", "[" * 100_000])
def test_what_is_no_answer_is_an_error_for_collectors(text: str) -> None:
    """No counts would read as: every video asked for is gone."""
    for helper in (
        parse_api.polled_videos,
        parse_api.uploads_playlists,
        parse_api.next_page_token,
        parse_api.uploads,
        parse_api.threads,
    ):
        with pytest.raises(ValueError, match=r"."):
            helper(text)


# Recorded answers.


@pytest.mark.parametrize(
    ("path", "name", "rows"),
    [
        ("channels/info_multiple.json", "channels", 2),
        ("channels/info_multiple.json", "channel_snapshots", 2),
        ("videos/videos_info_multi.json", "videos", 2),
        ("videos/videos_chart_paged_1.json", "versions", 5),
        ("comments/comments_multi.json", "comments", 2),
        ("comments/comments_by_parent_paged_1.json", "comments", 2),
        ("comment_threads/comment_threads_by_video_paged_1.json", "comments", 5),
        ("comment_threads/comment_threads_by_channel.json", "comments", 2),
    ],
)
def test_recorded_answers_keep_the_contracts(path: str, name: str, rows: int, data_dir: Path) -> None:
    text = (data_dir / "api_responses/testdata/apidata" / path).read_text()
    verdict = judge(CASES[name].table, CASES[name].parse(answers(CASES[name].method, text)))
    assert verdict.rejected.empty, verdict.rejected["reason"].tolist()
    assert len(verdict.accepted) == rows
