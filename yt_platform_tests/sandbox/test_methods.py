"""What the methods answer, asked by Google's client over HTTP: the level at which a collector meets them."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from googleapiclient.errors import HttpError

from yt_platform.metrics.durations import duration_seconds
from yt_platform.sandbox import KEY, GeneratedWorld, Paging, Sandbox
from yt_platform_tests.sandbox.client import STARTS_AT, pages, reasons

VIDEO_PARTS = "id,snippet,contentDetails,statistics,status,liveStreamingDetails"


@pytest.fixture
def channel_ids(api: Any) -> list[str]:
    """Handles of the sample are numbered from 1."""
    channels = [
        api.channels().list(part="id", forHandle=f"@synthetic-{number:02d}").execute() for number in range(1, 9)
    ]
    return [channel["items"][0]["id"] for channel in channels]


def uploads_of(api: Any, channel_id: str) -> list[str]:
    listing = pages(api.playlistItems(), part="contentDetails", playlistId=f"UU{channel_id[2:]}", maxResults=50)
    return [item["contentDetails"]["videoId"] for page in listing for item in page["items"]]


def videos_of(api: Any, ids: list[str], part: str = VIDEO_PARTS) -> dict[str, dict[str, Any]]:
    chunks = [ids[first : first + 50] for first in range(0, len(ids), 50)]
    answers = [api.videos().list(part=part, id=",".join(chunk)).execute() for chunk in chunks]
    return {item["id"]: item for answer in answers for item in answer["items"]}


@pytest.fixture
def all_videos(api: Any, channel_ids: list[str]) -> dict[str, dict[str, Any]]:
    return videos_of(api, [video for channel in channel_ids for video in uploads_of(api, channel)])


def test_channels_by_id_come_in_order_and_unknown_ones_are_missing(api: Any, channel_ids: list[str]) -> None:
    """Through the client: a 200 that lacks an id is all the API says."""
    asked = [channel_ids[2], "UC" + "0" * 22, channel_ids[0]]
    answer = api.channels().list(part="snippet,contentDetails,statistics", id=asked).execute()
    assert [item["id"] for item in answer["items"]] == [channel_ids[2], channel_ids[0]]
    assert answer["pageInfo"] == {"totalResults": 2, "resultsPerPage": 2}
    item = answer["items"][0]
    assert item["contentDetails"]["relatedPlaylists"]["uploads"] == f"UU{item['id'][2:]}"
    assert item["snippet"]["customUrl"] == "@synthetic-03"
    assert api.channels().list(part="id", id="UC" + "0" * 22).execute()["items"] == []


@pytest.mark.parametrize("handle", ["@synthetic-01", "synthetic-01", "@Synthetic-01"])
def test_a_handle_is_found_however_it_is_written(api: Any, channel_ids: list[str], handle: str) -> None:
    """Through the client, which sends the @ encoded."""
    assert api.channels().list(part="id", forHandle=handle).execute()["items"][0]["id"] == channel_ids[0]


def test_subscribers_are_rounded_down_or_hidden(api: Any, channel_ids: list[str], world: GeneratedWorld) -> None:
    """Against the world's exact number."""
    exact = {state.channel_id: state.subscriber_count for state in world.channels(channel_ids, STARTS_AT.timestamp())}
    shown = {
        item["id"]: item["statistics"]
        for item in api.channels().list(part="statistics", id=channel_ids).execute()["items"]
    }
    assert None in exact.values()
    for channel, count in exact.items():
        assert shown[channel]["hiddenSubscriberCount"] is (count is None)
        if count is None:
            assert "subscriberCount" not in shown[channel]
        else:
            digits = str(count)
            assert shown[channel]["subscriberCount"] == digits[:3] + "0" * (len(digits) - 3)


def test_uploads_are_newest_first_and_complete(api: Any, channel_ids: list[str], world: GeneratedWorld) -> None:
    """Page after page through the client's own paging."""
    channel = channel_ids[0]
    listing = pages(api.playlistItems(), part="id,snippet,contentDetails", playlistId=f"UU{channel[2:]}", maxResults=50)
    items = [item for page in listing for item in page["items"]]
    published = [item["contentDetails"]["videoPublishedAt"] for item in items]
    assert len(listing) > 1
    assert published == sorted(published, reverse=True)
    assert [item["snippet"]["position"] for item in items] == list(range(len(items)))
    assert [item["contentDetails"]["videoId"] for item in items] == world.uploads(channel, STARTS_AT.timestamp())
    assert len({item["id"] for item in items}) == len(items)


def test_short_and_empty_pages_lose_nothing(
    world: GeneratedWorld, channel_ids: list[str], api_on: Callable[[Sandbox], Any]
) -> None:
    """A collector must follow the token of a page that is short or empty, so there must be such pages."""
    odd = api_on(Sandbox(world, STARTS_AT, paging=Paging(seed=5, short_share=0.4, empty_share=0.4)))
    playlist = f"UU{channel_ids[0][2:]}"
    listing = pages(odd.playlistItems(), part="contentDetails", playlistId=playlist, maxResults=10)
    sizes = Counter(len(page["items"]) for page in listing[:-1])
    ids = [item["contentDetails"]["videoId"] for page in listing for item in page["items"]]
    assert sizes.keys() == {0, 5, 10}
    assert ids == world.uploads(channel_ids[0], STARTS_AT.timestamp())
    assert listing[0]["pageInfo"]["totalResults"] != len(ids)  # approximate, as YouTube's


def test_the_previous_page_is_the_one_before(api: Any, channel_ids: list[str]) -> None:
    """Through the client's own list_previous, which needs the token's name."""
    playlist_items = api.playlistItems()
    first = playlist_items.list(part="contentDetails", playlistId=f"UU{channel_ids[0][2:]}", maxResults=10)
    one = first.execute()
    second = playlist_items.list_next(first, one)
    two = second.execute()
    back = playlist_items.list(
        part="contentDetails",
        playlistId=f"UU{channel_ids[0][2:]}",
        maxResults=10,
        pageToken=two["prevPageToken"],
    ).execute()
    assert "prevPageToken" not in one
    assert back["items"] == one["items"]


def test_uploads_end_at_20000(api_on: Callable[[Sandbox], Any]) -> None:
    """The whole listing: the cap shows only where it ends."""
    world = GeneratedWorld(seed=1, channels=1, videos=20_400, new_per_day=0, starts_at=STARTS_AT)
    api = api_on(Sandbox(world, STARTS_AT, paging=Paging(short_share=0, empty_share=0)))
    [channel] = api.channels().list(part="id", forHandle="@synthetic-01").execute()["items"]
    assert len(world.uploads(channel["id"], STARTS_AT.timestamp()) or ()) > 20_000
    assert len(uploads_of(api, channel["id"])) == 20_000


def test_only_the_parts_asked_for_appear(api: Any, all_videos: dict[str, dict[str, Any]]) -> None:
    """Through the client, with parts as a list and as a text."""
    video = next(iter(all_videos))
    for part in ("statistics", ["statistics"]):
        [item] = api.videos().list(part=part, id=video).execute()["items"]
        assert item.keys() == {"kind", "etag", "id", "statistics"}
    [item] = api.videos().batchGetStats(part=["snippet", "statistics"], id=video).execute()["items"]
    assert item.keys() == {"kind", "etag", "id", "snippet", "statistics"}


def test_batch_stats_and_list_agree(api: Any, all_videos: dict[str, dict[str, Any]]) -> None:
    """Both methods over the same videos: one notation of durations must mean the other."""
    asked = list(all_videos)[:50]
    stats = api.videos().batchGetStats(part="id,snippet,statistics,contentDetails", id=",".join(asked)).execute()
    assert stats.keys() == {"kind", "etag", "items"}
    assert [item["id"] for item in stats["items"]] == asked
    for item in stats["items"]:
        listed = all_videos[item["id"]]
        assert item["statistics"].items() <= listed["statistics"].items()
        assert item["snippet"] == {"publishTime": listed["snippet"]["publishedAt"]}
        texts = pd.Series([part.get("contentDetails", {}).get("duration") for part in (item, listed)], dtype="str")
        seconds = duration_seconds(texts)
        assert seconds.isna().all() or seconds[0] == seconds[1]


def test_every_kind_of_video_is_there(all_videos: dict[str, dict[str, Any]]) -> None:
    """What facts and contracts say of videos has an instance, so that collectors are tried on it."""
    statistics = [video["statistics"] for video in all_videos.values()]
    assert any("likeCount" not in counts for counts in statistics)
    assert any("commentCount" not in counts for counts in statistics)
    assert all(isinstance(count, str) for counts in statistics for count in counts.values())
    broadcasts = {
        (video["snippet"]["liveBroadcastContent"], video["contentDetails"].get("duration", "none")[:3])
        for video in all_videos.values()
    }
    assert {("upcoming", "P0D"), ("upcoming", "non"), ("none", "PT1")} <= broadcasts
    upcoming = [video for video in all_videos.values() if video["snippet"]["liveBroadcastContent"] == "upcoming"]
    assert {video["statistics"]["viewCount"] for video in upcoming} == {"0"}
    assert all("scheduledStartTime" in video["liveStreamingDetails"] for video in upcoming)


def test_a_broadcast_is_announced_live_and_over(
    sandbox: Sandbox, api: Any, all_videos: dict[str, dict[str, Any]]
) -> None:
    """One stream at three instants: its duration is P0D until it has one."""
    stream = next(
        name
        for name, video in all_videos.items()
        if video["snippet"]["liveBroadcastContent"] == "upcoming" and "duration" in video["contentDetails"]
    )
    begins = datetime.fromisoformat(all_videos[stream]["liveStreamingDetails"]["scheduledStartTime"])
    seen = []
    for instant in (STARTS_AT, begins + timedelta(minutes=1), begins + timedelta(days=2)):
        sandbox.clock.set(instant)
        video = videos_of(api, [stream])[stream]
        seen.append((video["snippet"]["liveBroadcastContent"], video["contentDetails"]["duration"] == "P0D"))
    assert seen == [("upcoming", True), ("live", True), ("none", False)]


def test_time_brings_new_videos_titles_and_deletions(
    sandbox: Sandbox, api: Any, channel_ids: list[str], all_videos: dict[str, dict[str, Any]]
) -> None:
    """The same questions 25 days later, through the moved clock."""
    sandbox.clock.advance(timedelta(days=25))
    later_ids = {video for channel in channel_ids for video in uploads_of(api, channel)}
    later = videos_of(api, list(all_videos))
    gone = all_videos.keys() - later.keys()
    assert len(later_ids - all_videos.keys()) > 25 * 40 * 0.95  # some are deleted again
    assert gone
    assert gone.isdisjoint(later_ids)
    retitled = [video for video in later if later[video]["snippet"]["title"] != all_videos[video]["snippet"]["title"]]
    assert retitled
    views = [int(later[video]["statistics"]["viewCount"]) for video in later]
    before = [int(all_videos[video]["statistics"]["viewCount"]) for video in later]
    fallen = sum(now < then for now, then in zip(views, before, strict=True))
    assert sum(views) > sum(before)
    assert fallen < 0.02 * len(views)


def most_commented(videos: dict[str, dict[str, Any]]) -> str:
    return max(videos, key=lambda name: int(videos[name]["statistics"].get("commentCount", 0)))


def test_threads_and_replies_are_all_comments(api: Any, all_videos: dict[str, dict[str, Any]]) -> None:
    """Threads, and comments.list where more than five replies are said to be: together the comment count."""
    video = most_commented(all_videos)
    listing = pages(
        api.commentThreads(), part="id,snippet,replies", videoId=video, order="time", maxResults=100,
        textFormat="plainText",
    )  # fmt: skip
    threads = [item for page in listing for item in page["items"]]
    times = [thread["snippet"]["topLevelComment"]["snippet"]["publishedAt"] for thread in threads]
    assert times == sorted(times, reverse=True)
    ids = {thread["id"] for thread in threads}
    many = 0
    for thread in threads:
        inline = thread.get("replies", {}).get("comments", [])
        total = thread["snippet"]["totalReplyCount"]
        assert len(inline) == min(total, 5)
        many += total > 5
        answers = pages(api.comments(), part="snippet", parentId=thread["id"], maxResults=3)
        replies = [item for page in answers for item in page["items"]]
        assert len(replies) == total
        assert [reply["id"] for reply in replies[:5]] == [reply["id"] for reply in inline]
        for reply in replies:
            assert reply["snippet"]["parentId"] == thread["id"]
            assert reply["snippet"]["publishedAt"] >= thread["snippet"]["topLevelComment"]["snippet"]["publishedAt"]
        ids |= {reply["id"] for reply in replies}
    assert many
    assert len(ids) == int(all_videos[video]["statistics"]["commentCount"])


def test_edits_move_updated_at_and_keep_the_id(
    sandbox: Sandbox, api: Any, all_videos: dict[str, dict[str, Any]]
) -> None:
    """The same listing before and after: that is how a collector notices an edit."""
    video = most_commented(all_videos)
    published = datetime.fromisoformat(all_videos[video]["snippet"]["publishedAt"])

    def read() -> dict[str, dict[str, Any]]:
        listing = pages(api.commentThreads(), part="snippet", videoId=video, maxResults=100)
        found = [item["snippet"]["topLevelComment"] for page in listing for item in page["items"]]
        # links to pictures are signed anew at every reading; a picture alone has no text to be edited
        return {one["id"]: one["snippet"] for one in found if "imageUrl" not in one["snippet"]}

    sandbox.clock.set(published + timedelta(hours=12))
    before = read()
    sandbox.clock.set(published + timedelta(days=3))
    after = read()
    assert before.keys() <= after.keys()
    edited = [name for name in before if before[name] != after[name]]
    assert edited
    for name in edited:
        assert after[name]["updatedAt"] > before[name]["updatedAt"] == before[name]["publishedAt"]
        assert after[name]["publishedAt"] == before[name]["publishedAt"]
        assert after[name]["textOriginal"] != before[name]["textOriginal"]


def test_text_format_decides_on_html(api: Any, all_videos: dict[str, dict[str, Any]]) -> None:
    """Through the client: one text says <3, which HTML must escape."""
    video = most_commented(all_videos)

    def displayed(text_format: str) -> str:
        listing = api.commentThreads().list(part="snippet", videoId=video, maxResults=100, textFormat=text_format)
        snippets = [item["snippet"]["topLevelComment"]["snippet"] for item in listing.execute()["items"]]
        return "".join(snippet["textDisplay"] for snippet in snippets)

    assert "<3" in displayed("plainText")
    assert "<3" not in displayed("html")
    assert "&lt;3" in displayed("html")


def test_an_unchanged_answer_is_304_and_costs_a_unit(sandbox: Sandbox, api: Any, channel_ids: list[str]) -> None:
    """Through the client, which reports a 304 as an error."""
    request = api.channels().list(part="snippet,statistics", id=channel_ids)
    request.headers["If-None-Match"] = request.execute()["etag"]
    spent = sandbox.usage()["units"]["default"]
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert caught.value.status_code == 304
    assert sandbox.usage()["units"]["default"] == spent + 1
    sandbox.clock.advance(timedelta(days=1))
    changed = request.execute()
    assert changed["etag"] != request.headers["If-None-Match"]
    assert [item["id"] for item in changed["items"]] == channel_ids


def test_fields_select(api: Any, channel_ids: list[str]) -> None:
    """Through the client, which sends them as a parameter of every method."""
    one = channel_ids[0]
    asked = api.channels().list(part="snippet,statistics", id=one, fields="items(id,snippet/thumbnails/*/width),etag")
    answer = asked.execute()
    assert answer.keys() == {"items", "etag"}
    widths = {"default": {"width": 88}, "medium": {"width": 240}, "high": {"width": 800}}
    assert answer["items"] == [{"id": one, "snippet": {"thumbnails": widths}}]


def test_a_query_too_long_for_a_url_arrives(api: Any, channel_ids: list[str]) -> None:
    """The client turns one of over 2,048 characters into a POST, which no other test makes it do."""
    fields = "kind" + ",items(id)" * 300
    answer = api.channels().list(part="id", id=channel_ids[0], fields=fields).execute()
    assert answer == {"kind": "youtube#channelListResponse", "items": [{"id": channel_ids[0]}]}


def test_the_clock_alone_decides_what_is_answered(world: GeneratedWorld, api_on: Callable[[Sandbox], Any]) -> None:
    """Two sandboxes that came to the same instant in different ways."""
    direct = api_on(Sandbox(world, STARTS_AT + timedelta(days=3)))
    moved = Sandbox(world, STARTS_AT)
    moved.clock.set(datetime.fromisoformat("2026-04-01T00:00:00Z"))
    moved.clock.set(STARTS_AT + timedelta(days=3))
    channel = direct.channels().list(part="snippet,statistics", forHandle="@synthetic-02").execute()
    assert api_on(moved).channels().list(part="snippet,statistics", forHandle="@synthetic-02").execute() == channel


def test_methods_it_does_not_speak_are_404_and_counted(sandbox: Sandbox, api: Any) -> None:
    """Search through the client: a collector that spends its bucket must be seen."""
    with pytest.raises(HttpError) as caught:
        api.search().list(part="snippet", q="anything").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (404, {"notFound"})
    assert sandbox.usage()["units"]["search"] == 1
    assert sandbox.usage()["history"][0]["key"] == KEY
