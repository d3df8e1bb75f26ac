"""Calls of the YouTube Data API by Google's client: charged first, retried where that helps, answered as received.

Here: one call and what becomes of it. Not here: which calls to make (`youtube/data_api/polling.py`), keeping answers
(`youtube/data_api/collecting.py`), reading them (`metrics/parse_api.py`).
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import Error, HttpError

from yt_platform.errors import PlatformError
from yt_platform.storage.raw import Answer
from yt_platform.youtube.data_api.errors import Kind, Refusal
from yt_platform.youtube.data_api.ledger import QuotaLedger

TIMEOUT_SECONDS = 30
ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 120
GROWTH = {Kind.TRANSIENT: 2, Kind.RATE: 4}
"""What passes, and how fast the pauses between its tries grow: before the last one of a rate that is exceeded, more
than a minute has passed, which is what such limits count."""

ACCESS = "api_key"
"""The terms of rows obtained with a key alone: "non-authorized data" in YouTube's developer policies."""


UNVERIFIED_PARTS = frozenset({"brandPartner"})
"""Parts of which Google's pages do not say that a key alone may read them. Where they are refused, the rest is asked
for without them."""


class ConfigurationError(PlatformError):
    """YouTube refuses the call and would again; the message names the remedy."""


class ItemError(RuntimeError):
    """The call's item cannot be had: it is gone or closed. `reason` is YouTube's word."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RefusedError(ItemError):
    """The call is refused for a reason that may be the item's or the key's; `said` is what to say of the key."""

    def __init__(self, reason: str, said: str) -> None:
        self.said = said
        super().__init__(reason)


class ThrottledError(RuntimeError):
    """Too many calls in a short time, and waiting has not helped: every other call would meet the same limit."""


class UnavailableError(PlatformError):
    """YouTube cannot be reached, or kept failing: what was asked stays due. Item by item it would only cost quota."""


class PageError(RuntimeError):
    """The page token is no longer valid: the listing begins anew."""


@dataclass(frozen=True)
class _Fault:
    """A try that failed, without the request: its URL holds the key."""

    kind: Kind
    reason: str
    remedy: str = ""
    wait: float = 0.0


class YouTubeClient:
    """The API at `endpoint` (None: Google's), whose rows are labelled `source`, by the clock `now`.

    For one thread; the ledger is shared by any number of processes. `wait` sleeps between tries.
    """

    def __init__(
        self,
        key: str,
        endpoint: str | None,
        source: str,
        ledger: QuotaLedger,
        now: Callable[[], datetime],
        wait: Callable[[float], None],
    ) -> None:
        self._source, self._ledger, self._now, self._wait = source, ledger, now, wait
        self._doubted_parts, self._refused_parts = UNVERIFIED_PARTS, frozenset[str]()
        self._method = ""
        self._http = ChargedHttp(lambda: ledger.charge(self._method), TIMEOUT_SECONDS)
        self._service = build(
            "youtube",
            "v3",
            http=self._http,
            developerKey=key,
            client_options={"api_endpoint": endpoint} if endpoint else None,
            static_discovery=True,  # the document inside the package: nothing is fetched at start
        )

    def __enter__(self) -> "YouTubeClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._service.close()

    def call(self, method: str, **parameters: Any) -> Answer:
        """One call, e.g. `call("videos.list", part="id", id="…")`, tried up to `ATTEMPTS` times; every request that is
        sent is charged.

        Where it is refused with one of `UNVERIFIED_PARTS` that was not answered before, it is made without them. Where
        that is answered, so are all calls from then on.
        Raises QuotaExhaustedError, ConfigurationError, PageError, ItemError, RefusedError, and after the last try
        UnavailableError or ThrottledError.
        """
        asked = self._without(self._refused_parts, parameters)
        try:
            answer = self._call(method, asked)
        except (ConfigurationError, ItemError):
            left = self._without(self._doubted_parts, asked)
            if left == asked:
                raise
        else:
            self._doubted_parts -= set(asked["part"].split(","))
            return answer
        answer = self._call(method, left)
        self._refused_parts, self._doubted_parts = self._doubted_parts, frozenset()
        return answer

    def _without(self, parts: frozenset[str], parameters: dict[str, Any]) -> dict[str, Any]:
        asked = [part for part in parameters["part"].split(",") if part not in parts]
        return parameters | {"part": ",".join(asked)}

    def _call(self, method: str, parameters: dict[str, Any]) -> Answer:
        fault = self._try(method, parameters)
        for attempt in range(1, ATTEMPTS):
            if not isinstance(fault, _Fault) or fault.kind not in GROWTH:
                break
            self._wait(pause(attempt, fault.wait, GROWTH[fault.kind]))
            fault = self._try(method, parameters)
        if isinstance(fault, Answer):
            return fault
        raise self._error(method, fault)

    def _try(self, method: str, parameters: dict[str, Any]) -> "Answer | _Fault":
        self._method = method
        resource, verb = method.split(".")
        request = getattr(getattr(self._service, resource)(), verb)(**parameters)
        request.postproc = as_received
        try:
            content: bytes = request.execute()
        except HttpError as error:
            return _fault(Refusal.read(error.status_code, error.content, error.resp.get("retry-after")))
        except (ConnectionRefusedError, httplib2.ServerNotFoundError) as error:
            return _Fault(Kind.TRANSIENT, f"{type(error).__name__}: check YT_API_ENDPOINT and the network")
        except (OSError, httplib2.HttpLib2Error, httplib2.http.client.HTTPException, Error) as error:
            # a kept connection may have died: the next try opens another
            self._http.close()
            return _Fault(Kind.TRANSIENT, type(error).__name__)
        answer = json_object(content)
        if answer is None:
            return _Fault(Kind.TRANSIENT, "the answer is not JSON")
        if refusal := Refusal.within(answer, content):
            return _fault(refusal)
        if not is_list_response(answer):
            return _Fault(Kind.TRANSIENT, "the answer is no list of items")
        return Answer(self._source, ACCESS, self._now(), method, parameters, content.decode())

    def _error(self, method: str, fault: _Fault) -> Exception:
        if fault.kind is Kind.QUOTA:
            return self._ledger.stop(method, fault.reason)
        said = f"YouTube refuses {method}: {fault.reason}; {fault.remedy}"
        if fault.kind is Kind.CONFIGURATION:
            return ConfigurationError(said)
        if fault.kind is Kind.REFUSED:
            return RefusedError(fault.reason, said)
        if fault.kind is Kind.PAGE:
            return PageError(fault.reason)
        if fault.kind is Kind.ITEM:
            return ItemError(fault.reason)
        if fault.kind is Kind.RATE:
            return ThrottledError(
                f"YouTube still answers {fault.reason} to {method} after {ATTEMPTS} tries: too many calls in a short "
                "time, by this key or by other programs of its project; what is left is asked for at the next run"
            )
        return UnavailableError(f"{method} failed {ATTEMPTS} times, last with {fault.reason}")


class ChargedHttp(httplib2.Http):  # type: ignore[misc]  # httplib2 has no types
    """HTTP whose every request is charged just before it is sent.

    httplib2 sends a request again by itself where the server closed the connection without an answer. Redirects are
    answers like others: YouTube's API makes none, and a loop of them would send more than one call is worth.
    """

    def __init__(self, charge: Callable[[], None], timeout: float) -> None:
        super().__init__(timeout=timeout)
        self.follow_redirects = False
        self._kinds = {scheme: _charging(kind, charge) for scheme, kind in httplib2.SCHEME_TO_CONNECTION.items()}

    def request(self, uri: str, *arguments: Any, **named: Any) -> Any:
        return super().request(uri, *arguments, **named, connection_type=self._kinds[urlsplit(uri).scheme])


def _charging(kind: Any, charge: Callable[[], None]) -> Any:
    """A connection of this kind that calls `charge` before each request."""

    class Charging(kind):  # type: ignore[misc]  # httplib2 has no types
        def request(self, *arguments: Any, **named: Any) -> None:
            charge()
            super().request(*arguments, **named)

    return Charging


def pause(attempt: int, at_least: float, growth: int) -> float:
    """Seconds to wait after a try that failed, the first of which is number 1."""
    # jitter keeps many workers from coming back together
    backoff: float = random.uniform(0.5, 1) * growth**attempt
    return min(max(backoff, at_least), LONGEST_WAIT_SECONDS)


def as_received(_: object, content: bytes) -> bytes:
    """In place of a request's `postproc`, which would read the JSON and lose its text."""
    return content


def json_object(content: bytes) -> dict[str, Any] | None:
    """The body, where it is a JSON object in UTF-8."""
    try:
        answer = json.loads(content.decode())
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def json_text(content: bytes) -> str | None:
    """As `json_object`, as received."""
    return None if json_object(content) is None else content.decode()


def is_list_response(answer: dict[str, Any]) -> bool:
    """Whether the answer can be one of the API's lists. A list of nothing has no `items`, but then its `kind`.

    What passed for one would say that channels are closed, videos are gone, and a playlist has ended.
    """
    items = answer.get("items", [])
    return bool(answer.keys() & {"kind", "items"}) and isinstance(items, list) and all(map(_is_object, items))


def _is_object(item: Any) -> bool:
    return isinstance(item, dict)


def _fault(refusal: Refusal) -> _Fault:
    return _Fault(refusal.kind, refusal.reason, refusal.remedy, refusal.wait)
