"""What the YouTube Data API's errors mean for a collection: one table of reasons, and what to do about each kind.

Here: classification and remedies. Not here: retrying (`io/youtube.py`) and stopping (`io/collecting.py`).
"""

import json
from enum import StrEnum


class Kind(StrEnum):
    """What a collection does about an error."""

    QUOTA = "quota"  # stop the bucket until the reset
    TRANSIENT = "transient"  # back off and try again
    ITEM = "item"  # skip this item, record the reason
    PAGE = "page"  # begin this listing anew
    CONFIGURATION = "configuration"  # fail, name the remedy


_KINDS = {
    "quotaExceeded": Kind.QUOTA,
    "dailyLimitExceeded": Kind.QUOTA,
    "rateLimitExceeded": Kind.TRANSIENT,
    "userRateLimitExceeded": Kind.TRANSIENT,
    "processingFailure": Kind.TRANSIENT,
    "backendError": Kind.TRANSIENT,
    "commentsDisabled": Kind.ITEM,
    "videoNotFound": Kind.ITEM,
    "playlistNotFound": Kind.ITEM,
    "channelNotFound": Kind.ITEM,
    "commentNotFound": Kind.ITEM,
    "commentThreadNotFound": Kind.ITEM,
    "parentCommentNotFound": Kind.ITEM,
    "playlistItemsNotAccessible": Kind.ITEM,
    "invalidPageToken": Kind.PAGE,
}

_KEYS = "check YT_API_KEY in the Google Cloud console under APIs & Services, Credentials"
_ENABLE = "enable the YouTube Data API v3 for the key's project in the Google Cloud console"
_SERVER = "that is no answer of YouTube's API: check YT_API_ENDPOINT, and YT_API_KEY"
_REMEDIES = {
    "keyInvalid": _KEYS,
    "API_KEY_INVALID": _KEYS,
    "keyExpired": _KEYS,
    "accessNotConfigured": _ENABLE,
    "SERVICE_DISABLED": _ENABLE,
    "forbidden": "the key's restrictions, or its project's rights, refuse this call: " + _KEYS,
    "ipRefererBlocked": "the key's restriction by address refuses this machine: " + _KEYS,
}


def reasons(body: bytes | str) -> list[str]:
    """Every reason an error's body names, in `error.errors[]` and in `error.details[]`, in that order."""
    try:
        error = json.loads(body)["error"]
        listed = [*error.get("errors", []), *error.get("details", [])]
        return [str(item["reason"]) for item in listed if "reason" in item]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def classify(status: int, named: list[str]) -> Kind:
    """What to do about an answer of HTTP `status` that names these reasons.

    A reason decides where it is known, then the status: 408, 429 and 5xx pass, and any other 4xx means that the call
    itself is refused and would be again. So does a 404 that names no item: a server of another kind answers like that.
    """
    for reason in named:
        if reason in _KINDS:
            return _KINDS[reason]
    if status in (408, 429) or status >= 500:
        return Kind.TRANSIENT
    return Kind.CONFIGURATION


def telling(named: list[str]) -> str | None:
    """The reason that says most: a known one, else the first."""
    return next((reason for reason in named if reason in _KINDS or reason in _REMEDIES), named[0] if named else None)


def remedy(named: list[str]) -> str:
    """What a person can do about a configuration error."""
    return next((_REMEDIES[reason] for reason in named if reason in _REMEDIES), _KEYS if named else _SERVER)
