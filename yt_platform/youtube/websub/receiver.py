"""`python -m yt_platform.youtube.websub.receiver`: where a WebSub hub verifies subscriptions and delivers
notifications.

A small ASGI application that `yt-platform up` starts where YT_PUSH_URL is set. It answers `/<channel id>/<token>` below
the path of that URL; a proxy of yours takes it to the public. Here: HTTP. What a notification does is
`youtube/websub/store.py`'s.

The token is told the hub alone (`callback_path`). Whoever lacks it gets 404, nothing of theirs is read and no line is
logged: they could fill the disk. Nor does the log name a channel, as it may be one that is being forgotten.
"""

import argparse
import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, cast, get_args
from urllib.parse import parse_qs, urlsplit

import uvicorn

from yt_platform.clock import Clock
from yt_platform.printing import log_plainly
from yt_platform.resources import databases
from yt_platform.settings import Settings, load_settings
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.websub.bounded_http import HEADER_BYTES, BoundedProtocol
from yt_platform.youtube.websub.protocol import (
    LEASE_SECONDS,
    FeedError,
    callback_path,
    channel_secret,
    is_signed,
    notices,
    topic_of,
)
from yt_platform.youtube.websub.store import Mode, denied, is_known, push_secret, take_in, verified

LOOPBACK = "127.0.0.1"
MAX_BODY = 1 << 20
"""A feed has a few entries of a kilobyte each."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[HTTPStatus, bytes]

log = logging.getLogger("yt_platform.youtube.websub.receiver")


class Receiver:
    """The application, for callbacks below `path`."""

    def __init__(self, warehouse: Warehouse, path: str, secret: bytes, now: Callable[[], datetime]) -> None:
        self._warehouse, self._path, self._secret, self._now = warehouse, path.rstrip("/") + "/", secret, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = await self._answer(scope, receive)
        length = str(len(body)).encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", length), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path = scope["path"]
        channel = path.removeprefix(self._path).partition("/")[0]
        if not hmac.compare_digest(path.encode(), (self._path + callback_path(self._secret, channel)).encode()):
            return HTTPStatus.NOT_FOUND, b""
        if scope["method"] == "GET":
            asked = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
            return await asyncio.to_thread(self._verification, channel, asked)
        if scope["method"] == "POST":
            body = await _body(receive)
            if body is None:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b""
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            return await asyncio.to_thread(self._notification, channel, body, headers.get("x-hub-signature", ""))
        return HTTPStatus.METHOD_NOT_ALLOWED, b""

    def _verification(self, channel: str, asked: dict[str, str]) -> Answer:
        """The challenge, where the hub verifies what is wanted; 404 tells it that it is not."""
        mode = asked.get("hub.mode", "")
        if asked.get("hub.topic") != topic_of(channel):
            return HTTPStatus.NOT_FOUND, b""
        if mode == "denied":
            denied(self._warehouse, channel, asked.get("hub.reason", "no reason given"))
            return HTTPStatus.OK, b""
        lease = asked.get("hub.lease_seconds", "0")
        seconds = min(int(lease[:9]), LEASE_SECONDS) if lease.isdecimal() else 0
        if mode in get_args(Mode) and verified(self._warehouse, channel, cast(Mode, mode), seconds, self._now()):
            return HTTPStatus.OK, asked.get("hub.challenge", "").encode()
        log.warning("a verification of what is not wanted was refused")
        return HTTPStatus.NOT_FOUND, b""

    def _notification(self, channel: str, body: bytes, signature: str) -> Answer:
        """202 for whatever is signed wrongly, too, as the specification asks: who forges learns nothing; 410 tells the
        hub that nobody subscribes any more."""
        if not is_known(self._warehouse, channel):
            return HTTPStatus.GONE, b""
        if not is_signed(channel_secret(self._secret, channel), body, signature):
            log.warning("a notification that is not signed by the hub was left out")
            return HTTPStatus.ACCEPTED, b""
        try:
            told = notices(body)
        except FeedError as error:
            log.warning(f"a signed notification cannot be read: {error}")
            return HTTPStatus.ACCEPTED, b""
        log.info(f"{take_in(self._warehouse, channel, told, self._now())} of {len(told)} notices are new")
        return HTTPStatus.NO_CONTENT, b""


async def _body(receive: Receive) -> bytes | None:
    """None where it is longer than `MAX_BODY`."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            return None
    return body


def server(warehouse: Warehouse, settings: Settings, host: str = LOOPBACK) -> uvicorn.Server:
    path = urlsplit(settings.push_url or "").path
    receiver = Receiver(warehouse, path, push_secret(settings.home), Clock(warehouse).now)
    return uvicorn.Server(
        uvicorn.Config(
            receiver,
            host=host,
            port=settings.push_port,
            http=BoundedProtocol,
            h11_max_incomplete_event_size=HEADER_BYTES,
            lifespan="off",
            ws="none",
            access_log=False,
            log_level="error",  # below it is a line for every request that is no HTTP
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m yt_platform.youtube.websub.receiver")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen at; a container's is 0.0.0.0")
    host = parser.parse_args().host
    log_plainly(logging.INFO)
    settings = load_settings()
    with databases(settings).open() as urls:
        server(Warehouse(urls.warehouse), settings, host).run()


if __name__ == "__main__":
    main()
