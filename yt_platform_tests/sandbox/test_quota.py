"""Quota: what is charged, to whom, on which day; counted by the server while clients call it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from yt_platform.sandbox import GeneratedWorld, Sandbox, serve
from yt_platform_tests.sandbox.client import STARTS_AT, control, pages, reasons, youtube

# Midnight in Los Angeles: 08:00 UTC in winter, 07:00 in summer; clocks changed on 2026-03-08 and 2026-11-01.
MIDNIGHTS = [
    ("2026-03-01T08:00:00Z", "2026-03-01"),
    ("2026-03-08T08:00:00Z", "2026-03-08"),
    ("2026-03-09T07:00:00Z", "2026-03-09"),
    ("2026-11-01T07:00:00Z", "2026-11-01"),
    ("2026-11-02T08:00:00Z", "2026-11-02"),
]


def spend(api: Any) -> int:
    """The status of one call, which is 200 or that of a spent quota."""
    try:
        api.videos().list(part="id", id="x").execute()
    except HttpError as error:
        return error.status_code if reasons(error) == {"quotaExceeded"} else 0
    return 200


@pytest.mark.parametrize(("midnight", "day"), MIDNIGHTS)
def test_the_day_begins_at_pacific_midnight(
    world: GeneratedWorld, api_on: Callable[[Sandbox], Any], midnight: str, day: str
) -> None:
    """To the second, across both changes of clocks, by what a client may still call."""
    instant = datetime.fromisoformat(midnight)
    sandbox = Sandbox(world, datetime.fromtimestamp(instant.timestamp() - 1, instant.tzinfo), limits={"default": 1})
    api = api_on(sandbox)
    assert [spend(api), spend(api)] == [200, 403]
    assert sandbox.usage()["pacific_day"] < day
    sandbox.clock.set(instant)
    assert sandbox.usage()["pacific_day"] == day
    assert [spend(api), spend(api)] == [200, 403]


def test_buckets_and_keys_do_not_share(world: GeneratedWorld) -> None:
    """One key's spent bucket stops neither its other bucket nor another key."""
    sandbox = Sandbox(world, STARTS_AT, keys=["one", "two"], limits={"default": 1})
    with serve(sandbox) as url, youtube(url, "one") as one, youtube(url, "two") as two:
        assert [spend(one), spend(one), spend(two)] == [200, 403, 200]
        one.videos().batchGetStats(part="id", id="x").execute()
        assert control(url, "usage")["units"] == {"default": 2, "batchGetStats": 1, "search": 0}
        day = "2026-03-01"
        assert control(url, "usage")["history"] == [
            {"key": "one", "day": day, "bucket": "batchGetStats", "units": 1},
            {"key": "one", "day": day, "bucket": "default", "units": 1},
            {"key": "two", "day": day, "bucket": "default", "units": 1},
        ]


def test_every_page_is_charged(sandbox: Sandbox, api: Any) -> None:
    """Units are pages, not listings."""
    [channel] = api.channels().list(part="contentDetails", forHandle="@synthetic-01").execute()["items"]
    uploads = channel["contentDetails"]["relatedPlaylists"]["uploads"]
    listing = pages(api.playlistItems(), part="id", playlistId=uploads, maxResults=20)
    usage = sandbox.usage()
    assert usage["units"]["default"] == 1 + len(listing) > 3
    assert usage["calls"] == {"channels.list": 1, "playlistItems.list": len(listing)}


def test_threads_never_spend_a_unit_twice(world: GeneratedWorld) -> None:
    """Eight clients at once on the last 100 units: exactly so many calls succeed."""
    sandbox = Sandbox(world, STARTS_AT, limits={"default": 100})

    def calls(url: str) -> list[int]:
        with youtube(url) as api:
            return [spend(api) for _ in range(20)]

    with serve(sandbox) as url, ThreadPoolExecutor(8) as pool:
        found = [status for statuses in pool.map(calls, [url] * 8) for status in statuses]
    assert (found.count(200), found.count(403)) == (100, 60)
    assert sandbox.usage()["units"]["default"] == 100
    assert sandbox.usage()["requests"] == 160


def test_a_limit_of_no_bucket_is_refused(world: GeneratedWorld) -> None:
    """At the constructor: a misspelt limit would leave the default in force."""
    with pytest.raises(ValueError, match="no quota bucket is named stats"):
        Sandbox(world, STARTS_AT, limits={"stats": 1})
