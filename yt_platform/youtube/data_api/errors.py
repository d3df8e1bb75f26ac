"""What an answer other than 200 of Google's APIs means for a collection, and what a person can do about it.

Here: reading the error's body, classification and remedies. Not here: retrying (`client.py`), and what a collection
does about a refusal (`collecting.py`).

Facts: the error pages of the YouTube Data API, the reasons of google/api/error_reason.proto (for keys and quota), and
bodies that people reported up to November 2026.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any


class Kind(StrEnum):
    """What a collection does about an error."""

    QUOTA = "quota"  # stop the bucket until the reset
    RATE = "rate"  # too many calls in a short time: back off until a minute has passed
    TRANSIENT = "transient"  # back off and try again
    ITEM = "item"  # skip this item, record the reason
    REFUSED = "refused"  # the item is refused, or the key: what other calls answer says which
    PAGE = "page"  # begin this listing anew
    CONFIGURATION = "configuration"  # fail, name the remedy


_KINDS = {
    "quotaExceeded": Kind.QUOTA,
    "dailyLimitExceeded": Kind.QUOTA,
    "dailyLimitExceededUnreg": Kind.QUOTA,
    "rateLimitExceeded": Kind.RATE,
    "userRateLimitExceeded": Kind.RATE,
    "userRateLimitExceededUnreg": Kind.RATE,
    "concurrentLimitExceeded": Kind.RATE,
    "resourceExhausted": Kind.RATE,
    "processingFailure": Kind.TRANSIENT,
    "backendError": Kind.TRANSIENT,
    "serviceUnavailable": Kind.TRANSIENT,
    "commentsDisabled": Kind.ITEM,
    "videoNotFound": Kind.ITEM,
    "playlistNotFound": Kind.ITEM,
    "channelNotFound": Kind.ITEM,
    "commentNotFound": Kind.ITEM,
    "commentThreadNotFound": Kind.ITEM,
    "parentCommentNotFound": Kind.ITEM,
    "playlistItemsNotAccessible": Kind.ITEM,
    "channelClosed": Kind.ITEM,
    "channelSuspended": Kind.ITEM,
    "invalidPageToken": Kind.PAGE,
}

_KEYS = "check YT_API_KEY in the Google Cloud console under APIs & Services, Credentials"
_ENABLE = "enable the YouTube Data API v3 for the key's project in the Google Cloud console"
_RESTRICTED = "the key's restrictions refuse this call or this machine: " + _KEYS
_PROJECT = "the key's project may not call the API: see its state and billing in the Google Cloud console"
_SERVER = "that is no answer of YouTube's API: check YT_API_ENDPOINT, and YT_API_KEY"
_REMEDIES = {
    "keyInvalid": _KEYS,
    "keyExpired": _KEYS,
    "apiKeyInvalid": _KEYS,
    "accessNotConfigured": _ENABLE,
    "serviceDisabled": _ENABLE,
    "ipRefererBlocked": _RESTRICTED,
    "apiKeyServiceBlocked": _RESTRICTED,
    "apiKeyHttpReferrerBlocked": _RESTRICTED,
    "apiKeyIpAddressBlocked": _RESTRICTED,
    "apiKeyAndroidAppBlocked": _RESTRICTED,
    "apiKeyIosAppBlocked": _RESTRICTED,
    "consumerInvalid": _PROJECT,
    "consumerSuspended": _PROJECT,
    "billingDisabled": _PROJECT,
    "userProjectDenied": _PROJECT,
}
"""Reasons that speak of the key or its project, whatever the call was about."""

_UNKNOWN = "the key's restrictions, or its project's rights, may refuse this call: " + _KEYS

_OF_THE_KEY = re.compile(r"api key (?:not valid|not found|expired)|requests to this api .+ are blocked", re.IGNORECASE)
"""How messages of the older format tell of the key where their reason, badRequest or forbidden, does not."""

_QUOTA = re.compile(r"quota (?:exceeded|exhausted)|exceeded (?:your|the) .{0,80}quota", re.IGNORECASE)
_LIMIT = re.compile(r"limit exceeded", re.IGNORECASE)
_PERIODS = re.compile(
    r"(?:per|\d/)[\s_-]*(\d+)?[\s_-]*(day|d\b|minute|min\b|second|s\b|hour|h\b)|\b(daily)", re.IGNORECASE
)
_SECONDS = {"m": 60.0, "s": 1.0, "h": 3600.0}


@dataclass(frozen=True)
class Refusal:
    """What an answer other than 200 says: its status, the reasons it names in their order, and texts about quota.

    `reasons` are as written, from `error.errors[]` and then `error.details[]`. `limits` are the name and unit of the
    quota that is exceeded, and the messages. `delay` is what the answer asks for, in seconds.
    """

    status: int
    reasons: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    delay: float = 0.0

    @classmethod
    def read(cls, status: int, body: bytes | str, retry_after: str | None = None) -> "Refusal":
        """`retry_after`: the header, in its form of seconds; Google's APIs do not use the form of a date."""
        error = _error(body)
        listed = [*_objects(error.get("errors")), *_objects(error.get("details"))]
        named = [item["reason"] for item in listed if isinstance(item.get("reason"), str) and item["reason"]]
        exhausted = ["RESOURCE_EXHAUSTED"] if error.get("status") == "RESOURCE_EXHAUSTED" and not named else []
        header = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
        asked = [_duration(item.get("retryDelay")) for item in listed]
        return cls(status, (*named, *exhausted), tuple(_limits(error, listed)), max(header, *asked, 0.0))

    @classmethod
    def within(cls, answer: Mapping[str, Any], body: bytes) -> "Refusal | None":
        """What an answer of status 200 refuses in its body, as gateways pass errors on: its own code counts, or else
        it passes like any failure of a server."""
        if "error" not in answer:
            return None
        error = answer["error"]
        code = error.get("code") if isinstance(error, dict) else None
        return cls.read(code if type(code) is int and 400 <= code < 600 else 502, body)

    @cached_property
    def kind(self) -> Kind:
        """What to do about the answer.

        A known reason decides, and for quota the period that it counts for. Then the status: 408, 409, 429 and 5xx
        pass; what is below 400 is the configuration's. Any other 4xx, 401 among them, may be the item's or the key's,
        and one without a reason that of a server of another kind, which refuses every call alike.
        """
        known = self._known
        if self._is_limit(known):
            return Kind.QUOTA if self._counts_days(known) else Kind.RATE
        if known:
            return known
        if self._says(_OF_THE_KEY):
            return Kind.CONFIGURATION
        if self.status in (408, 409) or self.status >= 500:
            return Kind.TRANSIENT
        if self.status < 400:
            return Kind.CONFIGURATION
        return Kind.REFUSED

    @property
    def reason(self) -> str:
        """The reason that says most: a known one, else the first; the status where there is none."""
        known = (reason for reason in self.reasons if _plain(reason) in _KINDS or _plain(reason) in _REMEDIES)
        return next(known, self.reasons[0] if self.reasons else f"HTTP {self.status}")

    @property
    def remedy(self) -> str:
        """What a person can do about a configuration error."""
        known = (_REMEDIES[_plain(reason)] for reason in self.reasons if _plain(reason) in _REMEDIES)
        return next(known, _UNKNOWN if self.reasons else _SERVER)

    @property
    def wait(self) -> float:
        """Seconds to wait at least before the next try: what is asked for, and the period of an exceeded limit."""
        periods = [seconds for seconds in self._periods if seconds] if self.kind is Kind.RATE else []
        return max([self.delay, *periods])

    @property
    def _known(self) -> Kind | None:
        for reason in map(_plain, self.reasons):
            if reason in _REMEDIES:
                return Kind.CONFIGURATION
            if reason in _KINDS:
                return _KINDS[reason]
        return None

    def _is_limit(self, known: Kind | None) -> bool:
        if known:
            return known in (Kind.QUOTA, Kind.RATE)
        return self.status == 429 or self._says(_QUOTA) or self._says(_LIMIT)

    def _counts_days(self, known: Kind | None) -> bool:
        """Of a limit: whether it is a day's. A period that is named decides, then the reason, then the words."""
        if self._periods:
            return None in self._periods
        return known is Kind.QUOTA or (known is None and self._says(_QUOTA))

    def _says(self, words: re.Pattern[str]) -> bool:
        return any(words.search(text) for text in self.limits)

    @cached_property
    def _periods(self) -> list[float | None]:
        """Seconds of the periods that the texts name; None for a day."""
        found = [match for text in self.limits for match in _PERIODS.finditer(text)]
        return [
            None if match[3] or match[2].lower().startswith("d") else _SECONDS[match[2][0].lower()] * int(match[1] or 1)
            for match in found
        ]


def _error(body: bytes | str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _objects(listed: Any) -> list[dict[str, Any]]:
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _limits(error: dict[str, Any], listed: list[dict[str, Any]]) -> Iterator[str]:
    for item in listed:
        metadata = item.get("metadata")
        told = metadata if isinstance(metadata, dict) else {}
        # google.rpc.QuotaFailure names limits in words alone
        texts = [told.get("quota_limit"), told.get("quota_unit"), item.get("message")]
        texts += [violation.get("description") for violation in _objects(item.get("violations"))]
        yield from (text for text in texts if isinstance(text, str))
    if isinstance(error.get("message"), str):
        yield error["message"]


def _duration(text: Any) -> float:
    """Seconds of a duration as google.rpc.RetryInfo writes it, 1.5s; 0 for anything else."""
    return float(text[:-1]) if isinstance(text, str) and re.fullmatch(r"\d{1,9}(\.\d{1,9})?s", text) else 0.0


def _plain(reason: str) -> str:
    """A reason in one of its two spellings: RATE_LIMIT_EXCEEDED is rateLimitExceeded."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", reason):
        return reason
    first, *others = reason.lower().split("_")
    return first + "".join(map(str.capitalize, others))
