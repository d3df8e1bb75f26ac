"""Requests that are wrong, and every error reason a collector must know: through Google's client, by its HttpError."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from yt_platform.sandbox import Fault, GeneratedWorld, Sandbox, serve
from yt_platform_tests.sandbox.client import STARTS_AT, reasons, youtube

IDS = ",".join(f"syn-{number:07d}" for number in range(51))
WRONG = [
    ("videos", {"part": "id"}, "", 400, "missingRequiredParameter"),
    ("videos", {"part": "id", "id": ""}, "", 400, "missingRequiredParameter"),
    ("videos", {"part": "id", "id": IDS}, "", 400, "invalidFilters"),
    ("videos", {"part": "id", "id": "x", "maxResults": 5}, "", 400, "incompatibleParameters"),
    ("videos", {"part": "id", "id": "x", "pageToken": "x"}, "", 400, "incompatibleParameters"),
    ("videos", {"part": "id,nonsense", "id": "x"}, "", 400, "unknownPart"),
    ("videos", {"part": "replies", "id": "x"}, "", 400, "unknownPart"),
    ("videos", {"part": "id", "id": "x"}, "&colour=red", 400, "invalid"),
    ("videos", {"part": "id", "id": "x"}, "&maxWidth=wide", 400, "invalidParameter"),
    ("videos", {"part": "id", "id": "x"}, "&myRating=some", 400, "invalidParameter"),
    ("videos", {"part": "id", "id": "x"}, "&prettyPrint=perhaps", 400, "invalidParameter"),
    ("videos", {"part": "id", "myRating": "like"}, "", 401, "authorizationRequired"),
    ("videos", {"part": "id", "chart": "mostPopular"}, "", 501, "notImplemented"),
    ("videos", {"part": "id", "id": "x", "fields": "items(id"}, "", 400, "invalidParameter"),
    ("channels", {"part": "id"}, "", 400, "missingRequiredParameter"),
    ("channels", {"part": "id", "mine": True}, "", 401, "authorizationRequired"),
    ("channels", {"part": "id", "id": "x", "forHandle": "@x"}, "", 400, "incompatibleParameters"),
    ("playlistItems", {"part": "id"}, "", 400, "missingRequiredParameter"),
    ("playlistItems", {"part": "id", "playlistId": "UUx", "maxResults": 51}, "", 400, "invalidParameter"),
    ("playlistItems", {"part": "id", "playlistId": "UUx", "maxResults": -1}, "", 400, "invalidParameter"),
    ("playlistItems", {"part": "id", "playlistId": "UUx"}, "", 404, "playlistNotFound"),
    ("playlistItems", {"part": "id", "playlistId": "PLx"}, "", 404, "playlistNotFound"),
    ("commentThreads", {"part": "id", "videoId": "syn-0000000"}, "", 404, "videoNotFound"),
    ("commentThreads", {"part": "id", "videoId": "x", "maxResults": 101}, "", 400, "invalidParameter"),
    ("commentThreads", {"part": "id", "videoId": "x", "maxResults": 0}, "", 400, "invalidParameter"),
    ("commentThreads", {"part": "id", "videoId": "x"}, "&order=size", 400, "invalidParameter"),
    ("commentThreads", {"part": "id", "videoId": "x", "order": "relevance"}, "", 501, "notImplemented"),
    ("comments", {"part": "id"}, "", 400, "missingRequiredParameter"),
    ("comments", {"part": "id", "parentId": "Ugx"}, "", 404, "commentNotFound"),
    ("comments", {"part": "id", "parentId": "Ugssyn-0000000AAAAAA4AaABA"}, "", 404, "commentNotFound"),
]


# One server for the module: to start and stop one takes 0.3 s, and there are a hundred tests here.
@pytest.fixture(scope="module")
def sandbox(world: GeneratedWorld) -> Sandbox:
    return Sandbox(world, STARTS_AT)


@pytest.fixture(scope="module")
def url(sandbox: Sandbox) -> Iterator[str]:
    with serve(sandbox) as url:
        yield url


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[Any]:
    with youtube(url) as client:
        yield client


@pytest.fixture
def units(sandbox: Sandbox) -> Callable[[], int]:
    """Units that the test has spent so far."""
    before = sandbox.usage()["units"]["default"]
    return lambda: sandbox.usage()["units"]["default"] - before


@pytest.fixture
def fail(sandbox: Sandbox) -> Iterator[Callable[..., None]]:
    """Sets one fault for the test."""
    yield lambda **fault: sandbox.faults.replace([Fault(**fault)])
    sandbox.faults.replace([])


@pytest.mark.parametrize(("resource", "parameters", "more", "status", "reason"), WRONG)
def test_wrong_requests_are_refused_and_cost_a_unit(
    units: Callable[[], int], api: Any, resource: str, parameters: dict[str, Any], more: str, status: int, reason: str
) -> None:
    """By the client; what the client itself would refuse to send is added to its URL."""
    request = getattr(api, resource)().list(**parameters)
    request.uri += more
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert (caught.value.status_code, reasons(caught.value)) == (status, {reason})
    assert units() == 1


def test_a_required_parameter_is_missed(url: str) -> None:
    """By plain HTTP: the client refuses to leave out a required parameter."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/youtube/v3/videos?id=x&key=sandbox-key", timeout=10)
    with caught.value as answer:
        body = json.load(answer)["error"]
    assert (body["code"], body["errors"][0]["reason"]) == (400, "missingRequiredParameter")
    assert body["errors"][0]["location"] == "part"


@pytest.mark.parametrize("path", ["/", "/youtube/v3/nothing", "/youtube/v4/videos"])
def test_unknown_paths_are_404_and_free(units: Callable[[], int], url: str, path: str) -> None:
    """By plain HTTP: the client knows no such paths."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}{path}?key=sandbox-key", timeout=10)
    with caught.value as answer:
        assert json.load(answer)["error"]["code"] == answer.code == 404
    assert units() == 0


def test_a_page_token_belongs_to_its_listing(api: Any, world: GeneratedWorld) -> None:
    """With tokens that are none, are damaged, and are another listing's."""
    playlists = [
        f"UU{channel['id'][2:]}"
        for number in (1, 2)
        for channel in api.channels().list(part="id", forHandle=f"@synthetic-{number:02d}").execute()["items"]
    ]
    token = api.playlistItems().list(part="id", playlistId=playlists[0]).execute()["nextPageToken"]
    for playlist, wrong in ((0, "x"), (0, token[:-1]), (0, "A" + token[1:-1] + "A"), (1, token), (0, "ü" * 12)):
        with pytest.raises(HttpError) as caught:
            api.playlistItems().list(part="id", playlistId=playlists[playlist], pageToken=wrong).execute()
        assert (caught.value.status_code, reasons(caught.value)) == (400, {"invalidPageToken"})


def test_disabled_comments_are_403(api: Any, world: GeneratedWorld) -> None:
    """On a video whose commentCount is absent."""
    at = STARTS_AT.timestamp()
    [channel] = api.channels().list(part="id", forHandle="@synthetic-01").execute()["items"]
    states = world.videos(world.uploads(channel["id"], at) or (), at)
    closed = next(state.video_id for state in states if state.comment_count is None)
    with pytest.raises(HttpError) as caught:
        api.commentThreads().list(part="snippet", videoId=closed).execute()
    assert (caught.value.status_code, reasons(caught.value)) == (403, {"commentsDisabled"})


@pytest.mark.parametrize("sent", ["key=another", ""])
def test_a_key_that_is_none(units: Callable[[], int], api: Any, sent: str) -> None:
    """In both places, as Google's own body, and charged to nobody."""
    request = api.videos().list(part="id", id="x")
    request.uri = request.uri.replace("key=sandbox-key", sent)
    with pytest.raises(HttpError) as caught:
        request.execute()
    assert caught.value.status_code == 400
    assert reasons(caught.value) == {"badRequest", "keyInvalid", "API_KEY_INVALID"}
    assert units() == 0


@pytest.mark.parametrize("place", ["both", "errors", "details"])
@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("quotaExceeded", 403),
        ("dailyLimitExceeded", 403),
        ("rateLimitExceeded", 403),
        ("userRateLimitExceeded", 403),
        ("forbidden", 403),
        ("accessNotConfigured", 403),
        ("commentsDisabled", 403),
        ("keyInvalid", 400),
        ("invalidPageToken", 400),
        ("authError", 401),
        ("videoNotFound", 404),
        ("playlistNotFound", 404),
        ("channelNotFound", 404),
        ("internalError", 500),
        ("backendError", 503),
    ],
)
def test_every_reason_can_be_had(api: Any, fail: Callable[..., None], reason: str, status: int, place: str) -> None:
    """By a fault, whose status is that of the reason, with the reason in each of the two places."""
    fail(reason=reason, reason_in=place)
    with pytest.raises(HttpError) as caught:
        api.videos().list(part="id", id="x").execute()
    assert (caught.value.status_code, reasons(caught.value)) == (status, {reason})
    present = json.loads(caught.value.content)["error"].keys() & {"errors", "details"}
    assert present == ({"errors", "details"} if place == "both" else {place})


@pytest.mark.parametrize("fault", [{"reason": "rateLimitExceeded"}, {"status": 429}, {"status": 500}])
def test_what_the_client_retries_passes_after_two_tries(
    api: Any, fail: Callable[..., None], fault: dict[str, Any]
) -> None:
    """The client's own num_retries must take the answer for a transient one; only its sleeps are left out."""
    fail(**fault, times=2)
    request = api.videos().list(part="id", id="x")
    request._sleep = lambda seconds: None
    assert request.execute(num_retries=3)["items"] == []
