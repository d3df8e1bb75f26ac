"""Faults by rule, through Google's client and over the wire: only there a cut connection is one."""

import http.client
import json
import time
import urllib.error
from collections.abc import Callable
from typing import Any

import httplib2
import pytest
from googleapiclient.errors import HttpError

from yt_platform.sandbox import Fault, GeneratedWorld, Sandbox
from yt_platform_tests.sandbox.client import STARTS_AT, control


def statuses(api: Any, calls: int, video: str = "x") -> list[int]:
    """What so many calls in a row are answered with."""
    found = []
    for _ in range(calls):
        try:
            api.videos().list(part="id", id=video).execute()
            found.append(200)
        except HttpError as error:
            found.append(error.status_code)
    return found


@pytest.fixture
def api_with(world: GeneratedWorld, api_on: Callable[[Sandbox], Any]) -> Callable[..., Any]:
    return lambda *rules: api_on(Sandbox(world, STARTS_AT, faults=[Fault(**rule) for rule in rules]))


def test_rules_count_calls(api_with: Callable[..., Any]) -> None:
    """The n-th, every n-th, and no more than so many times."""
    assert statuses(api_with({"nth": 2, "status": 500}), 4) == [200, 500, 200, 200]
    assert statuses(api_with({"every": 2, "status": 503, "times": 1}), 4) == [200, 503, 200, 200]
    both = api_with({"every": 2, "status": 500}, {"every": 3, "status": 503})
    assert statuses(both, 6) == [200, 500, 503, 500, 200, 500]


def test_a_rate_is_met_and_repeats_with_its_seed(api_with: Callable[..., Any]) -> None:
    """Two servers with one seed, one with another."""
    first, again, other = (statuses(api_with({"rate": 0.3, "seed": seed, "status": 500}), 100) for seed in (1, 1, 2))
    assert first == again != other
    assert 15 < first.count(500) < 45


def test_rules_choose_method_and_item(api_with: Callable[..., Any]) -> None:
    """A rule for one video of one method leaves all else alone."""
    api = api_with({"method": "videos.list", "item": "chosen", "reason": "videoNotFound"})
    assert statuses(api, 1, "other") == [200]
    assert statuses(api, 1, "other,chosen") == [404]
    assert api.videos().batchGetStats(part="id", id="chosen").execute()["items"] == []


def test_retry_after_is_a_header(api_with: Callable[..., Any]) -> None:
    """On the HttpError, where a collector finds it."""
    with pytest.raises(HttpError) as caught:
        api_with({"status": 429, "reason": "rateLimitExceeded", "retry_after": 7}).videos().list(
            part="id", id="x"
        ).execute()
    assert (caught.value.status_code, caught.value.resp["retry-after"]) == (429, "7")


def test_a_cut_connection_breaks_the_body_and_the_next_call_works(api_with: Callable[..., Any]) -> None:
    """The client does not retry this one by itself: the collector has to."""
    request = api_with({"cut": True, "times": 1}).channels().list(part="snippet", forHandle="@synthetic-01")
    with pytest.raises(http.client.IncompleteRead):
        request.execute(num_retries=2)
    assert len(request.execute()["items"]) == 1


def test_garbage_is_no_json(api_with: Callable[..., Any]) -> None:
    """The client hands a 200 that it cannot read to its caller as text, without an error."""
    answer = api_with({"garbage": True}).videos().list(part="id", id="x").execute()
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer)


def test_a_body_of_its_own_is_answered_with_its_status(api_with: Callable[..., Any]) -> None:
    assert api_with({"body": '{"items": []}'}).videos().list(part="id", id="x").execute() == {"items": []}
    assert statuses(api_with({"body": "closed", "status": 403, "times": 1}), 2) == [403, 200]


def test_latency_runs_into_a_timeout(url: str, api: Any) -> None:
    """With a client that waits less; another call is answered meanwhile, and a shorter delay is only a delay."""
    control(url, "faults", [{"item": "slow", "latency": 30}, {"item": "late", "latency": 0.2}])
    impatient = httplib2.Http(timeout=0.3)
    with pytest.raises(TimeoutError):
        api.videos().list(part="id", id="slow").execute(http=impatient)
    impatient.close()
    began = time.monotonic()
    assert statuses(api, 1, "late") == [200]
    assert time.monotonic() - began >= 0.2


def test_rules_are_replaced_while_it_serves(url: str, api: Any) -> None:
    """Through the control endpoint, as a test of another process would."""
    assert control(url, "faults", [{"status": 500, "times": 1}]) == {"rules": 1}
    assert statuses(api, 2) == [500, 200]
    assert control(url, "usage")["faults"] == 1
    control(url, "faults", [])
    assert statuses(api, 1) == [200]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"status": 500, "often": 3}, "has no often"),
        ({"nth": 1}, "without effect"),
        ({"nth": 1, "every": 2, "status": 500}, "one of nth, every and rate"),
        ({"nth": 1, "after": 2, "status": 500}, "or after so many"),
        ({"cut": True, "garbage": True}, "one effect"),
        ({"body": "x", "reason": "forbidden"}, "one effect"),
        ({"method": "videos.delete", "cut": True}, "unknown method"),
        ({"reason": "forbidden", "reason_in": "nowhere"}, "reason_in"),
    ],
)
def test_rules_that_make_no_sense_are_refused(url: str, rule: dict[str, Any], said: str) -> None:
    """At the control endpoint: a misspelt rule that never strikes would make a test pass."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(url, "faults", [rule])
    with caught.value as answer:
        assert answer.code == 400
        assert said in json.load(answer)["error"]
