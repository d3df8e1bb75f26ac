"""The table of errors, one row for every answer the facts name."""

import json

import pytest

from yt_platform.core.errors import Kind, classify, reasons, remedy


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (403, "quotaExceeded", Kind.QUOTA),
        (403, "dailyLimitExceeded", Kind.QUOTA),
        (403, "rateLimitExceeded", Kind.TRANSIENT),
        (403, "userRateLimitExceeded", Kind.TRANSIENT),
        (429, "", Kind.TRANSIENT),
        (500, "", Kind.TRANSIENT),
        (503, "backendError", Kind.TRANSIENT),
        (403, "commentsDisabled", Kind.ITEM),
        (404, "videoNotFound", Kind.ITEM),
        (404, "playlistNotFound", Kind.ITEM),
        (404, "channelNotFound", Kind.ITEM),
        (400, "invalidPageToken", Kind.PAGE),
        (400, "keyInvalid", Kind.CONFIGURATION),
        (403, "forbidden", Kind.CONFIGURATION),
        (403, "accessNotConfigured", Kind.CONFIGURATION),
        (401, "", Kind.CONFIGURATION),
        (400, "somethingNew", Kind.CONFIGURATION),
        (404, "", Kind.CONFIGURATION),  # a server of another kind
    ],
)
def test_every_answer_has_its_kind(status: int, reason: str, kind: Kind) -> None:
    assert classify(status, [reason] if reason else []) is kind


def test_a_known_reason_decides_wherever_it_stands() -> None:
    body = json.dumps(
        {"error": {"errors": [{"reason": "other"}], "details": [{"@type": "t", "reason": "quotaExceeded"}]}}
    )
    assert reasons(body) == ["other", "quotaExceeded"]
    assert classify(403, reasons(body)) is Kind.QUOTA


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 5}', b'{"error": {"errors": [1]}}', b"\xff"])
def test_a_body_that_is_no_error_names_no_reason(body: bytes) -> None:
    assert reasons(body) == []


def test_a_remedy_is_always_named() -> None:
    assert "enable the YouTube Data API" in remedy(["accessNotConfigured"])
    assert "YT_API_KEY" in remedy(["neverHeardOf"])
