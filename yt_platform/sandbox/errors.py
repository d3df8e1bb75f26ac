"""Errors as Google writes them: status, reason in `errors[0]` and in `details`, domain and message.

Here: the bodies, and the wording of the reasons the platform must know. Not here: when an error is due (`methods.py`,
`discovery.py`, `quota.py`) and errors planted on purpose (`faults.py`).
"""

from typing import Any, Literal, NamedTuple

ReasonPlace = Literal["both", "errors", "details"]

_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Names of google.rpc.Code by HTTP status."""


class _Wording(NamedTuple):
    status: int
    domain: str
    message: str


_WORDINGS = {
    "quotaExceeded": _Wording(
        403,
        "youtube.quota",
        'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">'
        "quota</a>.",
    ),
    "dailyLimitExceeded": _Wording(403, "usageLimits", "Daily Limit Exceeded."),
    "rateLimitExceeded": _Wording(403, "usageLimits", "Rate Limit Exceeded"),
    "userRateLimitExceeded": _Wording(403, "usageLimits", "User Rate Limit Exceeded"),
    "forbidden": _Wording(403, "global", "The caller does not have permission"),
    "accessNotConfigured": _Wording(
        403, "usageLimits", "YouTube Data API v3 has not been used in this project before or it is disabled."
    ),
    "keyInvalid": _Wording(400, "usageLimits", "Bad Request"),
    "authError": _Wording(401, "global", "Request had invalid authentication credentials."),
    "authorizationRequired": _Wording(
        401, "youtube.parameter", "The request uses a parameter that needs the authorization of an account."
    ),
    "commentsDisabled": _Wording(
        403,
        "youtube.commentThread",
        "The video identified by the <code>videoId</code> parameter has disabled comments.",
    ),
    "commentNotFound": _Wording(404, "youtube.comment", "One or more of the specified comments cannot be found."),
    "videoNotFound": _Wording(
        404,
        "youtube.commentThread",
        "The video identified by the <code>videoId</code> parameter could not be found.",
    ),
    "playlistNotFound": _Wording(
        404,
        "youtube.playlistItem",
        "The playlist identified with the request's <code>playlistId</code> parameter cannot be found.",
    ),
    "channelNotFound": _Wording(
        404, "youtube.commentThread", "The channel identified by the <code>channelId</code> parameter was not found."
    ),
    "notFound": _Wording(404, "global", "Method not found."),
    "channelClosed": _Wording(403, "youtube.playlistItem", "The channel is closed."),
    "channelSuspended": _Wording(403, "youtube.playlistItem", "The channel is suspended."),
    "playlistForbidden": _Wording(403, "youtube.playlistItem", "The playlist cannot be read."),
    "SERVICE_UNAVAILABLE": _Wording(409, "youtube.CoreErrorDomain", "The operation was aborted."),
    "invalidPageToken": _Wording(400, "youtube.parameter", "The request specifies an invalid page token."),
    "invalidFilters": _Wording(400, "youtube.parameter", "The request specifies an invalid filter parameter."),
    "backendError": _Wording(503, "global", "Backend Error"),
    "internalError": _Wording(500, "global", "Internal error encountered."),
}


_USUAL_REASONS: dict[int | None, str] = {
    401: "authError",
    403: "forbidden",
    404: "notFound",
    429: "rateLimitExceeded",
    500: "internalError",
}


class ApiError(Exception):
    """An answer other than 200; `location` is the parameter at fault, `details_reason` the reason in `details`."""

    def __init__(
        self,
        reason: str,
        message: str | None = None,
        *,
        status: int | None = None,
        domain: str | None = None,
        location: str | None = None,
        details_reason: str | None = None,
        also: str | None = None,
        quota_limit: str | None = None,
    ) -> None:
        """Status, domain and message are those of a known reason unless given; `also` names a second error, and
        `quota_limit` the limit that was exceeded."""
        wording = _WORDINGS.get(reason, _Wording(400, "global", reason))
        self.reason = reason
        self.status = status or wording.status
        self.message = message or wording.message
        self._domain = domain or wording.domain
        self._location = location
        self._details_reason = details_reason or reason
        self._also = also
        self._quota_limit = quota_limit
        super().__init__(f"{self.status} {reason}: {self.message}")

    def body(self, place: ReasonPlace = "both") -> dict[str, Any]:
        """The JSON body, with the reason in both places or, as Google's two formats do, in one of them."""
        error: dict[str, Any] = {"code": self.status, "message": self.message}
        if place != "details":
            error["errors"] = self._errors()
        error["status"] = _STATUS_NAMES.get(self.status, "UNKNOWN")
        if place != "errors":
            info = "type.googleapis.com/google.rpc.ErrorInfo"
            domain = "youtube.googleapis.com"
            detail: dict[str, Any] = {"@type": info, "reason": self._details_reason, "domain": domain}
            if self._quota_limit:
                detail["metadata"] = {"quota_limit": self._quota_limit, "service": domain}
            error["details"] = [detail]
        return {"error": error}

    def _errors(self) -> list[dict[str, str]]:
        first = {"message": self.message, "domain": self._domain, "reason": self.reason}
        if self._location:
            first |= {"location": self._location, "locationType": "parameter"}
        if self._also is None:
            return [first]
        other = _WORDINGS[self._also]
        return [first, {"message": other.message, "domain": other.domain, "reason": self._also}]


def usual_reason(status: int | None) -> str:
    """The reason that a bare status stands for."""
    return _USUAL_REASONS.get(status, "backendError")


def key_invalid() -> ApiError:
    """No API key, or one that no project has."""
    return ApiError(
        "badRequest",
        "API key not valid. Please pass a valid API key.",
        status=400,
        details_reason="API_KEY_INVALID",
        also="keyInvalid",
    )


def not_spoken(what: str) -> ApiError:
    """For what the real API answers and the sandbox cannot: loud, so that nobody takes it for an empty answer."""
    return ApiError("notImplemented", f"The sandbox does not speak {what}.", status=501)
