"""HTTP around a sandbox: an ASGI application on uvicorn, in this process.

Here: bytes on the wire, delays, cut connections, and listening. Not here: what is answered (`sandbox.py`,
`control.py`).
"""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import uvicorn

from yt_platform.sandbox.control import PREFIX, control
from yt_platform.sandbox.sandbox import Answer, Request, Sandbox

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json; charset=UTF-8")
_KEEP_ALIVE_SECONDS = 75  # a client that pauses for the default 5 s would find its connection closed


class Application:
    """The ASGI application of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _request(scope, receive)
        is_control = request.path.startswith(PREFIX)
        answer = control(self._sandbox, request) if is_control else self._sandbox.answer(request)
        await _respond(answer, send)


async def _request(scope: Scope, receive: Receive) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    request = Request(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers)
    if request.verb == "GET":
        return request
    request = replace(request, body=await _body(receive))
    if headers.get("x-http-method-override") == "GET":  # how Google's client sends a query over 2,048 characters
        return replace(request, verb="GET", query=request.body.decode("latin-1"))
    return request


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _respond(answer: Answer, send: Send) -> None:
    if answer.latency:
        await asyncio.sleep(answer.latency)
    headers = [_JSON, *((name.encode(), value.encode()) for name, value in answer.headers)]
    if answer.status != 304:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.cut:
        # uvicorn closes the connection of an application that returns before its body is complete
        await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        return
    await send({"type": "http.response.body", "body": answer.body})


def listen(port: int = 0) -> socket.socket:
    """A listening socket on the loopback address; port 0 takes a free one."""
    return socket.create_server(("127.0.0.1", port), backlog=512)


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


def server(sandbox: Sandbox) -> uvicorn.Server:
    """To be run with the socket of `listen`."""
    config = uvicorn.Config(
        Application(sandbox),
        lifespan="off",
        ws="none",
        interface="asgi3",
        log_config=None,
        log_level="critical",  # cut connections are meant
        access_log=False,
        date_header=False,  # it would be the machine's time
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextmanager
def serve(sandbox: Sandbox, port: int = 0) -> Iterator[str]:
    """Serves from a thread of this process while the block runs; gives the base URL."""
    with listen(port) as listener:
        running = server(sandbox)
        thread = threading.Thread(target=running.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            while not running.started and thread.is_alive():
                time.sleep(0.005)
            yield url_of(listener)
        finally:
            running.should_exit = running.force_exit = True  # without waiting for idle connections
            thread.join()
