"""The guard in a real server, around an application that says what reached it: HTTP and websockets on loopback."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from yt_platform.settings import Settings, SettingsError
from yt_platform.web.guard import Guard
from yt_platform.web.login import FILE, SESSION_SECONDS, Sessions, TokenError, renew_token, ui_token
from yt_platform.web.rules import DAGSTER, Addresses

TOKEN = "t" * 40
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGE = "<html><body>the page</body></html>"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says which headers reached it; a page at /page, a download at /download; echoes what a websocket sends."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive())["text"]})
        await send({"type": "websocket.close"})
        return
    headers = [(b"access-control-allow-origin", b"*")]
    body = json.dumps([name.decode() for name, _ in scope["headers"]]).encode()
    if scope["path"] in ("/page", "/download"):
        body = PAGE.encode()
        disposition = b"attachment" if scope["path"] == "/download" else b"inline; filename=index.html"
        length = str(len(body)).encode()
        headers += [(b"content-type", b"text/html"), (b"content-disposition", disposition), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Door:
    port: int
    token: list[str]

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> HTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        answer.text = answer.read().decode()  # type: ignore[attr-defined]
        connection.close()
        return answer

    def log_in(self) -> str:
        """The cookie of a new session."""
        return str(self.ask(f"/?token={self.token[0]}").headers["set-cookie"]).partition(";")[0]


@pytest.fixture(scope="module")
def server() -> Iterator[Door]:
    token = [TOKEN]
    guard = Guard(echo, DAGSTER, Addresses.at("https://dagster.example.org"), Sessions(lambda: token[0]), "session")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(guard, log_level="error", lifespan="off", proxy_headers=False)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield Door(listener.getsockname()[1], token)
        running.should_exit = True
        thread.join()


@pytest.fixture
def door(server: Door) -> Iterator[Door]:
    yield server
    server.token[0] = TOKEN


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": "session="},
        {"Cookie": "session=session.awzG0w.forged"},
        {"Cookie": f"session={TOKEN}"},
    ],
)
def test_nobody_gets_in_without_the_token(door: Door, headers: dict[str, str]) -> None:
    answer = door.ask("/server_info", **headers)
    assert answer.status == 401
    assert "yt-platform token" in answer.text  # type: ignore[attr-defined]


def test_a_browser_is_shown_a_form_that_leads_back(door: Door) -> None:
    answer = door.ask('/runs?cursor="><script>', Accept="text/html,*/*")
    page = answer.text  # type: ignore[attr-defined]
    assert answer.status == 401
    assert 'name="next" value="/runs?cursor=&quot;&gt;&lt;script&gt;"' in page
    assert "https://www.youtube.com/t/terms" in page
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_link_with_the_token_logs_in_and_leaves_no_token_in_the_address(door: Door) -> None:
    answer = door.ask(f"/runs?token={TOKEN}&cursor=a%26b")
    assert (answer.status, answer.headers["location"]) == (303, "/runs?cursor=a%26b")
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert door.ask("/runs", Cookie=cookie.partition(";")[0]).status == 200
    assert door.ask("/runs?token=wrong").status == 401


def test_the_cookie_is_for_tls_alone_where_the_proxy_talks_tls(door: Door) -> None:
    answer = door.ask(f"/?token={TOKEN}", Host="dagster.example.org")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("here", "leads_to"),
    [
        ("/runs?a=1", "/runs?a=1"),
        ("//evil.example/x", "/"),
        ("https://evil.example/x", "/"),
        ("/\\evil.example", "/evil.example"),
        ("//[", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_the_form_logs_in_and_leads_to_this_page_alone(door: Door, here: str, leads_to: str) -> None:
    form = urlencode({"token": f" {TOKEN} ", "next": here})
    answer = door.ask("/login", "POST", form, Origin=door.origin)
    assert (answer.status, answer.headers["location"]) == (303, leads_to)
    assert door.ask("/", Cookie=answer.headers["set-cookie"].partition(";")[0]).status == 200


def test_a_login_that_another_site_sends_or_that_is_wrong_or_endless_fails(door: Door) -> None:
    form = urlencode({"token": TOKEN})
    assert door.ask("/login", "POST", form, Origin="http://evil.example").status == 403
    assert door.ask("/login", "POST", urlencode({"token": "x"}), Origin=door.origin).status == 401
    assert door.ask("/login", "POST", "", Origin=door.origin).status == 401
    assert door.ask("/login", "POST", "x" * 10_000, Origin=door.origin).status == 413


def test_a_session_ends_after_a_week_and_with_a_new_token(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = door.log_in()
    assert door.ask("/", Cookie=cookie).status == 200
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + SESSION_SECONDS + 5)
    assert door.ask("/", Cookie=cookie).status == 401
    monkeypatch.undo()
    door.token[0] = "n" * 40
    assert door.ask("/", Cookie=cookie).status == 401
    assert door.ask("/", **BEARER).status == 401


def test_what_opened_the_door_does_not_reach_the_application(door: Door) -> None:
    for headers in (BEARER, {"Cookie": door.log_in()}):
        reached = json.loads(door.ask("/", X_Other="1", **headers).text)  # type: ignore[attr-defined]
        assert "x-other" in reached
        assert {"authorization", "cookie"}.isdisjoint(reached)


def test_a_session_of_a_browser_serves_its_own_page_and_no_other(door: Door) -> None:
    headers = {"Cookie": door.log_in(), "Content-Type": "application/json"}
    assert door.ask("/graphql", "POST", "{}", **headers, Origin=door.origin).status == 200
    for origin in ("http://evil.example", f"http://localhost:{door.port}", "http://127.0.0.1:1", "null"):
        assert door.ask("/graphql", "POST", "{}", **headers, Origin=origin).status == 403
    assert door.ask("/graphql", "POST", "{}", **headers).status == 403
    assert door.ask("/report_asset_check/a", "POST", "{}", **headers, Origin=door.origin).status == 403
    assert door.ask("/", "OPTIONS", Origin="http://evil.example").status == 403


def test_a_foreign_host_and_a_header_that_is_there_twice_are_refused(door: Door) -> None:
    assert door.ask("/", Host="evil.example", **BEARER).status == 403
    with socket.create_connection(("127.0.0.1", door.port)) as raw:
        raw.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Origin: http://127.0.0.1\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n".encode()
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 400")


def test_answers_are_sealed_against_frames_and_other_sites(door: Door) -> None:
    headers = door.ask("/", **BEARER).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == "frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_every_page_links_the_terms_and_downloads_stay_as_they_are(door: Door) -> None:
    page = door.ask("/page", **BEARER)
    assert "https://www.youtube.com/t/terms" in page.text  # type: ignore[attr-defined]
    assert page.text.endswith("</footer></body></html>")  # type: ignore[attr-defined]
    assert door.ask("/download", **BEARER).text == PAGE  # type: ignore[attr-defined]


def test_the_operators_privacy_policy_is_linked_where_it_is_set() -> None:
    """Without a server: the page is the guard's whatever the application is."""
    url = "https://example.org/privacy?a=1&b=2"
    guard = Guard(echo, DAGSTER, Addresses.at(None), Sessions(lambda: TOKEN), "session", url)
    sent: list[Any] = []

    async def ask() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"accept", b"text/html")]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
        await guard(scope, None, send)  # type: ignore[arg-type]

    asyncio.run(ask())
    assert b'href="https://example.org/privacy?a=1&amp;b=2"' in sent[1]["body"]


def test_a_websocket_needs_a_login_and_its_own_origin(door: Door) -> None:
    url, cookie = f"ws://127.0.0.1:{door.port}/graphql", {"Cookie": door.log_in()}
    with connect(url, origin=door.origin, additional_headers=cookie) as websocket:  # type: ignore[arg-type]
        websocket.send("hello")
        assert websocket.recv(timeout=5) == "hello"
    refused = [
        ({}, door.origin, 401),
        (cookie, "http://evil.example", 403),
        (cookie, "http://127.0.0.1:1", 403),
        (cookie, None, 403),
    ]
    for headers, origin, status in refused:
        with pytest.raises(InvalidStatus) as raised:
            connect(url, origin=origin, additional_headers=headers)  # type: ignore[arg-type]
        assert raised.value.response.status_code == status


def test_the_token_is_kept_in_a_file_that_its_owner_alone_reads(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", _env_file=None)
    token = ui_token(settings)
    file = settings.home / FILE
    assert len(token) == 64
    assert file.stat().st_mode & 0o777 == 0o600
    assert ui_token(settings) == token
    renewed = renew_token(settings)
    assert renewed == ui_token(settings) != token
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in settings.home.iterdir()] == [FILE]


def test_an_empty_file_opens_nothing(tmp_path: Path) -> None:
    """An editor that saved nothing once would have let everybody in with an empty token."""
    settings = Settings(home=tmp_path, _env_file=None)
    (tmp_path / FILE).write_text("\n")
    with pytest.raises(TokenError, match="yt-platform token --new"):
        ui_token(settings)
    with pytest.raises(TokenError):
        Sessions(lambda: ui_token(settings)).is_token("")
    renew_token(settings)
    assert ui_token(settings)


def test_a_token_of_the_settings_wins_and_must_be_hard_to_guess(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, ui_token=SecretStr(TOKEN), _env_file=None)
    assert ui_token(settings) == TOKEN
    assert not (tmp_path / FILE).exists()
    with pytest.raises(SettingsError, match="YT_UI_TOKEN"):
        renew_token(settings)
    with pytest.raises(ValueError, match="32 to 256"):
        Settings(home=tmp_path, ui_token=SecretStr("short"), _env_file=None)
