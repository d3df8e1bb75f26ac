"""One call from its request to its answer: key or token, quota, faults, validation, ETag.

Here: the order of these steps, which is Google's. Not here: HTTP (`server.py`), the methods (`methods.py`).

Not as Google: answers are neither pretty-printed nor compressed (both would cost more than making them), and every
call with a valid key is charged before a fault strikes it, the dearest of what Google may do.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from yt_platform.sandbox import analytics, selector
from yt_platform.sandbox.clock import SandboxClock
from yt_platform.sandbox.discovery import Method, methods
from yt_platform.sandbox.errors import ApiError, ReasonPlace, key_invalid
from yt_platform.sandbox.faults import Fault, Faults
from yt_platform.sandbox.hub import PATH as HUB_PATH
from yt_platform.sandbox.hub import Hub
from yt_platform.sandbox.methods import METHODS, Call
from yt_platform.sandbox.oauth import CLIENT_ID, PATHS, Authorizations, Grant
from yt_platform.sandbox.paging import Paging
from yt_platform.sandbox.quota import Quota, pacific_day
from yt_platform.sandbox.reporting import PREFIX, Reporting, method_of
from yt_platform.sandbox.world import World

KEY = "sandbox-key"
"""The API key that is accepted unless others are named."""

_NAMES_ITEMS = ("id", "videoId", "playlistId", "parentId", "forHandle", "filters")


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names in lower case, `query` and `path` decoded as far as ASGI does."""

    verb: str
    path: str
    query: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What to send: after `latency` seconds, and with `cut` only half of the body before the connection ends."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    latency: float = 0.0
    cut: bool = False


class Sandbox:
    """The API over a world, a clock and a quota; safe to call from several threads."""

    def __init__(
        self,
        world: World,
        starts_at: datetime | None,
        *,
        keys: Iterable[str] = (KEY,),
        limits: Mapping[str, int] | None = None,
        paging: Paging | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        """`starts_at`: where the clock stands (aware), None for the machine's time. `limits`: units by bucket.

        Raises ValueError for a bucket that does not exist and a time without zone.
        """
        self.clock = SandboxClock(starts_at)
        self.quota = Quota(limits or {})
        self.faults = Faults(faults)
        self.world = world
        self.authorizations = Authorizations(self.clock)
        self.hub = Hub(world, self.clock)
        self.reporting = Reporting(world, self.clock)
        self._keys = frozenset(keys)
        self._paging = paging or Paging()
        self._calls: Counter[str] = Counter()
        self._requests = 0
        self._lock = Lock()

    def answer(self, request: Request) -> Answer:
        """Raises nothing: what the request does wrong is an error body."""
        with self._lock:
            self._requests += 1
        if request.path == HUB_PATH:
            return Answer(self.hub.take(request.body))
        if request.path in PATHS:
            asked = (request.verb, request.path, request.query, request.headers, request.body)
            return Answer(*self.authorizations.answer(*asked))
        method = methods().get((request.verb, request.path))
        try:
            if request.path == analytics.PATH:
                return self._analytics(request)
            if request.path.startswith(PREFIX):
                return self._report(request)
            if method is None:
                raise ApiError("notFound")
            return self._call(method, request)
        except ApiError as error:
            return error_answer(error)

    def usage(self) -> dict[str, Any]:
        """Units of the current Pacific day by bucket, of all days by key, calls by method, requests and strikes."""
        at = self.clock.now().timestamp()
        with self._lock:
            calls = dict(sorted(self._calls.items()))
        return {
            "pacific_day": pacific_day(at).isoformat(),
            "units": self.quota.spent(at),
            "history": self.quota.history(),
            "calls": calls,
            "requests": self._requests,
            "faults": self.faults.strikes,
        }

    def _analytics(self, request: Request) -> Answer:
        """A query of the Analytics API, which takes tokens alone and costs no units of the Data API."""
        grant = self.authorizations.grant(request.headers)
        if grant is None:
            raise ApiError("authError")
        with self._lock:
            self._calls[analytics.METHOD] += 1
        fault = self.faults.strike(analytics.METHOD, _items(parse_qsl(request.query)))

        def serve() -> Answer:
            return Answer(200, analytics.answer(self.world, grant, request.query, self.clock.now()))

        return serve() if fault is None else _struck(fault, serve)

    def _report(self, request: Request) -> Answer:
        """A call of the Reporting API, which takes tokens alone and costs no units."""
        grant = self.authorizations.grant(request.headers)
        if grant is None:
            raise ApiError("authError")
        name = method_of(request.verb, request.path)
        with self._lock:
            self._calls[name] += 1
        fault = self.faults.strike(name, frozenset())

        def serve() -> Answer:
            asked = (request.verb, request.path, request.query, request.headers, request.body)
            return Answer(200, *self.reporting.answer(*asked, grant))

        return serve() if fault is None else _struck(fault, serve)

    def _call(self, method: Method, request: Request) -> Answer:
        at = self.clock.now().timestamp()
        query = parse_qsl(request.query, keep_blank_values=True)
        grant = self.authorizations.grant(request.headers)
        key = CLIENT_ID if grant else _key(query, request.headers)
        if key is None or not (grant or key in self._keys):
            raise key_invalid()
        with self._lock:
            self._calls[method.name] += 1
        self.quota.charge(key, method.name, at)
        fault = self.faults.strike(method.name, _items(query), any(name == "pageToken" for name, _ in query))
        serve = partial(self._serve, method, query, request, grant, at)
        return serve() if fault is None else _struck(fault, serve)

    def _serve(
        self, method: Method, query: list[tuple[str, str]], request: Request, grant: Grant | None, at: float
    ) -> Answer:
        serve = METHODS.get(method.name)
        if serve is None:
            raise ApiError("notFound")
        parameters = method.parse(query)
        given = frozenset(name for name, _ in query)
        text, tag = serve(Call(method, parameters, given, at, self.world, self._paging, grant))
        if tag in _tags(request.headers.get("if-none-match", "")):
            return Answer(304, headers=(("etag", f'"{tag}"'),))
        if "fields" in parameters:
            text = json.dumps(selector.select(json.loads(text), parameters["fields"]), ensure_ascii=False)
        return Answer(200, text.encode(), (("etag", f'"{tag}"'),))


def _struck(fault: Fault, serve: Callable[[], Answer]) -> Answer:
    """What becomes of an answer that a fault strikes."""
    error = fault.error()
    if error is not None:
        retry = () if fault.retry_after is None else (("retry-after", str(fault.retry_after)),)
        return error_answer(error, fault.reason_in, retry, fault.latency)
    if fault.garbage:
        return Answer(200, b'{"kind": "youtube#', latency=fault.latency)
    if fault.body is not None:
        return Answer(fault.status or 200, fault.body.encode(), latency=fault.latency)
    try:
        served = serve()
    except ApiError as refused:
        served = error_answer(refused)
    return Answer(served.status, served.body, served.headers, fault.latency, fault.cut)


def error_answer(
    error: ApiError,
    place: ReasonPlace = "both",
    headers: tuple[tuple[str, str], ...] = (),
    latency: float = 0.0,
) -> Answer:
    return Answer(error.status, json.dumps(error.body(place), indent=2).encode(), headers, latency)


def _key(query: list[tuple[str, str]], headers: Mapping[str, str]) -> str | None:
    return next((value for name, value in query if name == "key"), headers.get("x-goog-api-key"))


def _items(query: list[tuple[str, str]]) -> frozenset[str]:
    # Analytics filters by video==ID, and by several things with ; between them
    return frozenset(item for name, value in query if name in _NAMES_ITEMS for item in re.split("[,;]|==", value))


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
