"""Real servers on loopback that take messages: a webhook and a mail server, which keep them, and that of push."""

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.websub.receiver import server


class Hook:
    """A webhook that keeps what it gets and answers with `status`; what is longer than `limit` it refuses."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.status = 200
        self.limit = 40_000
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.received.append(message)
                self.send_response(hook.status if len(message["text"]) <= hook.limit else 400)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/SECRET"


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    thread = threading.Thread(target=hook.server.serve_forever)
    thread.start()
    yield hook
    hook.server.shutdown()
    thread.join()
    hook.server.server_close()


class Box:
    """A mail server that keeps what it gets; `refuse` is its answer to a message where it takes none."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.refuse: str | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse
        self.received.append(envelope)
        return "250 OK"


@pytest.fixture
def dawdler() -> Iterator[int]:
    """The port of a server of any protocol that answers a byte at a time and never comes to an end."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.02):
                    self.request.sendall(b"2")

    over = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        over.set()
        server.shutdown()
        thread.join()


def authenticated(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"me@example.org", b"p@ss word")
    return AuthResult(success=known, handled=False)


@pytest.fixture
def box() -> Iterator[tuple[Box, int]]:
    box = Box()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=authenticated, auth_require_tls=False, ready_timeout=60
    )
    controller.start()
    yield box, port
    controller.stop()


@contextlib.contextmanager
def receiving(warehouse: Warehouse, settings: Settings) -> Iterator[None]:
    """The receiver of push, as `yt-platform up` serves it."""
    running = server(warehouse, settings)
    thread = threading.Thread(target=running.run)
    thread.start()
    eventually(lambda: running.started)
    yield
    running.should_exit = True
    thread.join()


def eventually(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
