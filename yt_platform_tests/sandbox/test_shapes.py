"""The shapes of answers against Google's discovery document and against bodies recorded from the real API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from yt_platform.sandbox.discovery import discovery_document

# Method, parts, and where under api_responses/testdata its bodies were recorded. No batchGetStats: it is newer.
RECORDED = {
    "channels": ("channels/info_multiple.json", "channel_info_single.json"),
    "playlistItems": ("playlist_items/playlist_items_paged_1.json", "playlist_items/playlist_items_paged_2.json"),
    "videos": ("videos/videos_info_single.json", "videos/videos_info_multi.json"),
    "commentThreads": ("comment_threads/comment_threads_by_video_paged_1.json",),
    "comments": ("comments/comments_by_parent_paged_1.json",),
}
RESPONSES = {
    "channels": "ChannelListResponse",
    "playlistItems": "PlaylistItemListResponse",
    "videos": "VideoListResponse",
    "videoStats": "BatchGetStatsResponse",
    "commentThreads": "CommentThreadListResponse",
    "comments": "CommentListResponse",
}
# Owners see these in the real bodies, or the API has dropped them since they were recorded (2019 to 2022).
NOT_SERVED = {
    "items[].brandingSettings.channel.keywords",
    "items[].brandingSettings.channel.trackingAnalyticsAccountId",
    "items[].brandingSettings.channel.unsubscribedTrailer",
    "items[].brandingSettings.image",
    "items[].brandingSettings.image.bannerExternalUrl",
    "items[].statistics.commentCount",
}
TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def paths(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key path in a body with the JSON type that stands there."""
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            yield here, TYPES[type(inner)]
            yield from paths(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{path}[]")


def assert_matches_schema(value: Any, schema: dict[str, Any], path: str) -> None:
    """Names and types of a body are those of a schema, which refers to others."""
    schemas = discovery_document()["schemas"]
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    assert TYPES[type(value)] == schema["type"], path
    if isinstance(value, list):
        for item in value:
            assert_matches_schema(item, schema["items"], f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            assert name in schema["properties"], f"{path}.{name} is not in the discovery document"
            assert_matches_schema(inner, schema["properties"][name], f"{path}.{name}")
    elif schema.get("format") in ("uint64", "int64"):
        assert value.isdecimal(), path


@pytest.fixture
def bodies(api: Any) -> dict[str, dict[str, Any]]:
    """One answer of every method with all parts, on a channel's newest videos and a video with many comments."""
    [channel] = api.channels().list(part="id", forHandle="@synthetic-02").execute()["items"]
    parts = "snippet,contentDetails,status"
    uploads = api.playlistItems().list(part=parts, playlistId=f"UU{channel['id'][2:]}", maxResults=50).execute()
    second = api.playlistItems().list(
        part=parts, playlistId=f"UU{channel['id'][2:]}", maxResults=10, pageToken=uploads["nextPageToken"]
    )
    ids = [item["contentDetails"]["videoId"] for item in uploads["items"]]
    parts = "snippet,contentDetails,statistics,status,player,liveStreamingDetails,brandPartner"
    videos = api.videos().list(part=parts, id=ids, maxWidth=720, maxHeight=720).execute()
    talked = max(videos["items"], key=lambda video: int(video["statistics"].get("commentCount", 0)))["id"]
    threads = api.commentThreads().list(part="snippet,replies", videoId=talked, maxResults=30).execute()
    parent = max(threads["items"], key=lambda thread: thread["snippet"]["totalReplyCount"])["id"]
    branded = "snippet,contentDetails,statistics,status,brandingSettings"
    return {
        "channels": api.channels().list(part=branded, id=channel["id"]).execute(),
        "playlistItems": second.execute(),
        "videos": videos,
        "videoStats": api.videos().batchGetStats(part="id,snippet,contentDetails,statistics", id=ids).execute(),
        "commentThreads": threads,
        "comments": api.comments().list(part="snippet", parentId=parent, maxResults=2).execute(),
    }


def test_answers_match_the_discovery_document(bodies: dict[str, dict[str, Any]]) -> None:
    """On bodies as the client gives them: every name is one of Google's, of Google's type."""
    for method, body in bodies.items():
        assert body["items"], method
        assert_matches_schema(body, {"$ref": RESPONSES[method]}, method)


def test_what_is_new_in_2026_is_served(api: Any, bodies: dict[str, dict[str, Any]]) -> None:
    """Players of every shape, pictures of vertical videos, brand partners, and comments that are a picture alone."""
    videos = bodies["videos"]["items"]
    sizes = {(video["player"].get("embedWidth"), video["player"].get("embedHeight")) for video in videos}
    assert {("720", "405"), ("405", "720"), (None, None)} <= sizes
    vertical = [video for video in videos if video["player"].get("embedHeight") == "720"]
    tall = [video for video in vertical if video["player"]["embedWidth"] == "405"]
    assert tall == [video for video in videos if "shortsAspectRatio" in video["snippet"]["thumbnails"]]
    assert 0 < sum("brandPartner" in video for video in videos) < len(videos)
    video = bodies["commentThreads"]["items"][0]["snippet"]["videoId"]
    listing = api.commentThreads().list(part="snippet", videoId=video, maxResults=100).execute()
    threads = [item["snippet"]["topLevelComment"]["snippet"] for item in listing["items"]]
    pictures = [one["textOriginal"] == "" for one in threads if "imageUrl" in one]
    assert set(pictures) == {True, False}
    assert all(one["textOriginal"] for one in threads if "imageUrl" not in one)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ({}, (None, None)),
        ({"maxHeight": 360}, ("640", "360")),
        ({"maxWidth": 320}, ("320", "180")),
        ({"maxWidth": 320, "maxHeight": 90}, ("160", "90")),
    ],
)
def test_a_player_is_fit_into_the_box_that_is_asked_for(
    api: Any, bodies: dict[str, dict[str, Any]], box: dict[str, int], size: tuple[str | None, str | None]
) -> None:
    wide = next(video["id"] for video in bodies["videos"]["items"] if video["player"].get("embedWidth") == "720")
    [video] = api.videos().list(part="player", id=wide, **box).execute()["items"]
    assert (video["player"].get("embedWidth"), video["player"].get("embedHeight")) == size


@pytest.mark.parametrize("method", RECORDED)
def test_answers_have_what_recorded_bodies_have(bodies: dict[str, dict[str, Any]], method: str, data_dir: Path) -> None:
    """Against the real API: what it sent the sandbox sends too, of the same type."""
    folder = data_dir / "api_responses" / "testdata" / "apidata"
    recorded: dict[str, str] = {}
    for name in RECORDED[method]:
        recorded |= dict(paths(json.loads((folder / name).read_text())))
    served = dict(paths(bodies[method]))
    missing = {path: kind for path, kind in recorded.items() if served.get(path) != kind}
    assert missing.keys() - NOT_SERVED == set()


def test_a_recorded_error_body_has_the_same_shape(api: Any, url: str, data_dir: Path) -> None:
    """Against the one error body that was recorded: an invalid key."""
    recorded = json.loads((data_dir / "api_responses" / "testdata" / "error_response.json").read_text())["error"]
    request = api.videos().list(part="id", id="x")
    request.uri = request.uri.replace("sandbox-key", "wrong")
    with pytest.raises(HttpError) as caught:
        request.execute()
    served = json.loads(caught.value.content)["error"]
    assert recorded["code"] == served["code"] == 400
    assert recorded["errors"][0] in served["errors"]
