"""A real server on loopback beside senders that are slow, many or long: others are answered meanwhile."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from yt_platform.youtube.websub import bounded_http
from yt_platform.youtube.websub.bounded_http import HEADER_BYTES, BoundedProtocol
from yt_platform_tests.receivers import eventually

REQUEST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


async def echo(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(bounded_http, "CONNECTION_SECONDS", 1.0)
    monkeypatch.setattr(bounded_http, "CONNECTIONS", 6)
    monkeypatch.setattr(bounded_http, "CONNECTIONS_OF_ONE", 4)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            echo,
            http=BoundedProtocol,
            h11_max_incomplete_event_size=HEADER_BYTES,
            lifespan="off",
            log_level="critical",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        eventually(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def connected(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10, (source, 0))


def answer(port: int, source: str, request: bytes = REQUEST) -> bytes:
    """Everything the server says until it closes; nothing where it cuts off."""
    with connected(port, source) as connection:
        try:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except (ConnectionResetError, BrokenPipeError):
            return b""


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nHost:", REQUEST[:-1]], ids=["nothing", "header", "body"])
def test_who_sends_slowly_is_cut_off_and_keeps_nobody_waiting(port: int, begun: bytes) -> None:
    """One connection that sends a header a minute used to be held for ever, and any number of them."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(port, "127.0.0.1")) for _ in range(4)]
        for connection in slow:
            connection.sendall(begun)
        eventually(lambda: answer(port, "127.0.0.1") == b"")  # one more of the same address
        assert answer(port, "127.0.0.2").endswith(b"\r\n\r\nabc")  # others are answered
        began = time.monotonic()
        for connection in slow:
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        assert time.monotonic() - began < 5
    eventually(lambda: answer(port, "127.0.0.1").endswith(b"abc"))


def test_connections_are_bounded_over_all_addresses(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            for _ in range(2):
                stack.enter_context(connected(port, source)).sendall(b"P")
        eventually(lambda: answer(port, "127.0.0.4") == b"")
    eventually(lambda: answer(port, "127.0.0.4").endswith(b"abc"))


def test_headers_are_bounded_and_a_connection_is_one_request(port: int) -> None:
    long = REQUEST.replace(b"Host: a", b"Host: a\r\nX: " + b"x" * (1 << 20))
    assert b"200 OK" not in answer(port, "127.0.0.1", long)
    assert answer(port, "127.0.0.1", REQUEST * 2).count(b"HTTP/1.1 200") == 1
