"""What an error of Google's APIs means: one row for every answer the facts and people's reports name."""

import json
from typing import Any

import pytest

from yt_platform.youtube.data_api.errors import Kind, Refusal

QUOTA = "Quota exceeded for quota metric 'Queries' and limit 'Queries per {}' of service 'youtube.googleapis.com'."


def answer(code: int, reason: str | None, message: str = "told", **error: Any) -> Refusal:
    """As the older format has it: the reason in `errors`."""
    listed = {"errors": [{"message": message, "domain": "global", "reason": reason}]} if reason else {}
    return Refusal.read(code, json.dumps({"error": {"code": code, "message": message, **listed, **error}}))


def detailed(reason: str, message: str = "told", **metadata: str) -> Refusal:
    """As the newer format has it: the reason in `details`, with a 429."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": metadata}
    return answer(429, None, message, status="RESOURCE_EXHAUSTED", details=[info])


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (403, "quotaExceeded", Kind.QUOTA),
        (403, "dailyLimitExceeded", Kind.QUOTA),
        (403, "rateLimitExceeded", Kind.RATE),
        (403, "userRateLimitExceeded", Kind.RATE),
        (429, None, Kind.RATE),
        (429, "somethingNew", Kind.RATE),
        (500, None, Kind.TRANSIENT),
        (503, "backendError", Kind.TRANSIENT),
        (409, "SERVICE_UNAVAILABLE", Kind.TRANSIENT),
        (409, "somethingNew", Kind.TRANSIENT),
        (400, "processingFailure", Kind.TRANSIENT),
        (403, "commentsDisabled", Kind.ITEM),
        (403, "channelClosed", Kind.ITEM),
        (403, "channelSuspended", Kind.ITEM),
        (404, "videoNotFound", Kind.ITEM),
        (404, "playlistNotFound", Kind.ITEM),
        (404, "channelNotFound", Kind.ITEM),
        (403, "forbidden", Kind.REFUSED),
        (403, "playlistForbidden", Kind.REFUSED),
        (400, "somethingNew", Kind.REFUSED),
        (404, "notFound", Kind.REFUSED),
        (400, "invalidPageToken", Kind.PAGE),
        (400, "keyInvalid", Kind.CONFIGURATION),
        (403, "accessNotConfigured", Kind.CONFIGURATION),
        (401, None, Kind.REFUSED),
        (401, "authorizationRequired", Kind.REFUSED),
        (401, "keyExpired", Kind.CONFIGURATION),
        (404, None, Kind.REFUSED),  # a server of another kind, or a gateway's word about one item
        (403, None, Kind.REFUSED),
        (302, None, Kind.CONFIGURATION),
    ],
)
def test_every_answer_has_its_kind(status: int, reason: str | None, kind: Kind) -> None:
    assert answer(status, reason).kind is kind


@pytest.mark.parametrize(
    ("refusal", "kind", "wait"),
    [
        (answer(429, "rateLimitExceeded", QUOTA.format("day")), Kind.QUOTA, 0),
        (answer(403, "rateLimitExceeded", QUOTA.format("day")), Kind.QUOTA, 0),
        (answer(403, "quotaExceeded", "you have exceeded your quota."), Kind.QUOTA, 0),
        (answer(403, "somethingNew", "You have exceeded your <a>quota</a>."), Kind.QUOTA, 0),
        (answer(403, "somethingNew", "Daily Limit Exceeded."), Kind.QUOTA, 0),
        (answer(403, "forbidden", QUOTA.format("day")), Kind.QUOTA, 0),
        (answer(403, "dailyLimitExceededUnreg", "Daily Limit for Unauthenticated Use Exceeded."), Kind.QUOTA, 0),
        (answer(403, "quotaExceeded", QUOTA.format("minute")), Kind.RATE, 60),
        (answer(429, "rateLimitExceeded", QUOTA.format("minute per user")), Kind.RATE, 60),
        (answer(403, "userRateLimitExceeded", QUOTA.format("100 seconds per user")), Kind.RATE, 100),
        (detailed("RATE_LIMIT_EXCEEDED", quota_limit="defaultPerDayPerProject"), Kind.QUOTA, 0),
        (detailed("RATE_LIMIT_EXCEEDED", quota_limit="defaultPerMinutePerProject"), Kind.RATE, 60),
        (detailed("RATE_LIMIT_EXCEEDED", quota_unit="1/d/{project}"), Kind.QUOTA, 0),
        (detailed("RATE_LIMIT_EXCEEDED", quota_unit="1/min/{project}"), Kind.RATE, 60),
        (detailed("RATE_LIMIT_EXCEEDED"), Kind.RATE, 0),
        (detailed("QUOTA_EXCEEDED"), Kind.QUOTA, 0),
        (answer(429, None, status="RESOURCE_EXHAUSTED"), Kind.RATE, 0),
        (answer(403, None, status="RESOURCE_EXHAUSTED"), Kind.RATE, 0),
        (answer(429, None, details=[{"violations": [{"description": "Queries per day"}]}]), Kind.QUOTA, 0),
        (answer(429, None, details=[{"retryDelay": "31.5s"}]), Kind.RATE, 31.5),
    ],
)  # fmt: skip
def test_a_limit_stops_for_the_day_or_backs_off_in_whatever_words_it_comes(
    refusal: Refusal, kind: Kind, wait: float
) -> None:
    """A day's quota in the words of a rate was tried five times for every item, and taken for the item's outage."""
    assert refusal.kind is kind
    assert refusal.wait == wait


@pytest.mark.parametrize(
    "refusal",
    [
        answer(403, "forbidden", details=[{"reason": "API_KEY_SERVICE_BLOCKED"}]),
        answer(403, "forbidden", "Requests to this API youtube method youtube.api.v3.X.List are blocked."),
        answer(400, "badRequest", "API key not valid. Please pass a valid API key."),
        answer(403, None, details=[{"reason": "CONSUMER_SUSPENDED"}]),
    ],
)
def test_what_speaks_of_the_key_is_the_configuration_at_once(refusal: Refusal) -> None:
    assert refusal.kind is Kind.CONFIGURATION


def test_a_known_reason_decides_wherever_it_stands() -> None:
    refusal = answer(403, "other", details=[{"@type": "t", "reason": "quotaExceeded"}])
    assert refusal.reasons == ("other", "quotaExceeded")
    assert (refusal.kind, refusal.reason) == (Kind.QUOTA, "quotaExceeded")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"error": 5}', b'{"error": {"errors": [1]}}', b'{"error": {"errors": 1}}', b"\xff",
     b'{"error": {"errors": [{"reason": 5, "message": 7}], "details": [{"metadata": 1, "violations": 2}]}}'],
)  # fmt: skip
def test_a_body_that_is_no_error_names_no_reason(body: bytes) -> None:
    refusal = Refusal.read(403, body)
    assert refusal.reasons == ()
    assert (refusal.kind, refusal.reason) == (Kind.REFUSED, "HTTP 403")
    assert "YT_API_ENDPOINT" in refusal.remedy


def test_the_longest_of_the_waits_that_are_asked_for_counts() -> None:
    assert Refusal.read(503, b"", "7").wait == 7
    assert Refusal.read(503, b"", "Wed, 21 Oct 2026 07:28:00 GMT").wait == 0
    body = json.dumps({"error": {"message": "Queries per minute", "errors": [{"reason": "rateLimitExceeded"}]}})
    assert Refusal.read(403, body, "90").wait == 90


def test_a_remedy_is_always_named() -> None:
    assert "enable the YouTube Data API" in answer(403, "accessNotConfigured").remedy
    assert "restrictions refuse" in answer(403, None, details=[{"reason": "API_KEY_IP_ADDRESS_BLOCKED"}]).remedy
    assert "YT_API_KEY" in answer(403, "neverHeardOf").remedy
    assert "YT_API_ENDPOINT" in answer(404, None).remedy


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 403, "errors": [{"reason": "quotaExceeded"}]}, Kind.QUOTA),
        ({"code": 403, "errors": [{"reason": "forbidden"}]}, Kind.REFUSED),
        ({"code": 404, "errors": [{"reason": "playlistNotFound"}]}, Kind.ITEM),
        ({"message": "upstream"}, Kind.TRANSIENT),
        ({"code": 200}, Kind.TRANSIENT),
        ("broken", Kind.TRANSIENT),
        (None, Kind.TRANSIENT),
    ],
)
def test_an_error_inside_an_answer_of_status_200_is_an_error(error: Any, kind: Kind) -> None:
    answered = {"error": error}
    refusal = Refusal.within(answered, json.dumps(answered).encode())
    assert refusal
    assert refusal.kind is kind


def test_an_answer_without_error_refuses_nothing() -> None:
    assert Refusal.within({"items": []}, b'{"items": []}') is None
