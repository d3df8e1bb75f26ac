"""The ASGI middleware around an application of others: it lets in who is logged in, and what `rules.py` allows."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yt_platform.web.html import footer, login_page
from yt_platform.web.login import SESSION_SECONDS, Sessions, TokenError
from yt_platform.web.rules import JUDGED, WEBSOCKET, Addresses, Asked, Page, Refusal, refused_address, refused_route

LOGIN = "/login"
MAX_LOGIN_BYTES = 4096
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # not no-referrer: browsers then send "null" as the origin of forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
NO_FRAMES = "frame-ancestors 'none'"
FORM_ONLY = f"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; {NO_FRAMES}"

log = logging.getLogger("yt_platform.web")


@dataclass(frozen=True)
class Guard:
    """`application` behind a login.

    `cookie` is the name of the session's cookie: browsers send cookies to every port of a host, so two platforms on one
    machine need two names.
    """

    application: ASGIApp
    page: Page
    addresses: Addresses
    sessions: Sessions
    cookie: str
    privacy_policy_url: str | None = None
    _footer: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_footer", footer(self.privacy_policy_url))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive)
        except TokenError as error:
            log.error(str(error))
            answer = _plain(HTTPStatus.SERVICE_UNAVAILABLE, "nobody can log in: the log of this page says why.")
        if answer:
            await _secured(answer)(scope, receive, send)
        else:
            await self.application(_without_secrets(scope), receive, self._adding(send, scope))

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """The guard's own answer; None where the application is to answer."""
        headers = Headers(scope=scope)
        repeated = [name for name, count in Counter(headers.keys()).items() if count > 1 and name in JUDGED]
        if repeated:
            return _plain(HTTPStatus.BAD_REQUEST, f"the header {repeated[0]} is there twice.")
        asked = Asked(scope.get("method", WEBSOCKET), scope["path"], headers)
        if refusal := refused_address(asked, self.addresses):
            return _refused(refusal)
        if asked.method == "POST" and asked.path == LOGIN:
            return await self._login_by_form(Request(scope, receive), asked)
        query = QueryParams(scope["query_string"])
        if asked.method == "GET" and "token" in query:
            return self._login_by_link(asked, query)
        by_token = self.sessions.is_bearer(headers.get("authorization", ""))
        by_session = self.sessions.is_session(HTTPConnection(scope).cookies.get(self.cookie, ""))
        if not by_token and not by_session:
            return self._login_wanted(asked, scope)
        refusal = refused_route(asked, self.page, by_session=not by_token)
        return _refused(refusal) if refusal else None

    def _login_by_link(self, asked: Asked, query: QueryParams) -> Response:
        """Back to the same address without the token, which stays in no history and no list of bookmarks."""
        rest = urlencode([(name, value) for name, value in query.multi_items() if name != "token"])
        here = asked.path + (f"?{rest}" if rest else "")
        return self._login(query["token"], here, asked)

    async def _login_by_form(self, request: Request, asked: Asked) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_LOGIN_BYTES:
                return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "this is longer than a token.")
        given = parse_qs(body.decode("latin-1"))
        return self._login(given.get("token", [""])[0].strip(), given.get("next", ["/"])[0], asked)

    def _login(self, token: str, here: str, asked: Asked) -> Response:
        if not self.sessions.is_token(token):
            return self._login_form(here, wrong=True)
        answer = RedirectResponse(_local(here), HTTPStatus.SEE_OTHER, {"cache-control": "no-store"})
        answer.set_cookie(
            self.cookie,
            self.sessions.begin(),
            max_age=SESSION_SECONDS,
            secure=self.addresses.is_encrypted(asked.host),
            httponly=True,
            samesite="lax",  # not strict: a link in an alert's mail would ask for the token every time
        )
        return answer

    def _login_wanted(self, asked: Asked, scope: Scope) -> Response:
        if "text/html" not in asked.headers.get("accept", ""):
            answer = _plain(
                HTTPStatus.UNAUTHORIZED,
                "this needs a login: open the link that `yt-platform up` prints, or send the header "
                "Authorization: Bearer and the token that `yt-platform token` shows.",
            )
            answer.headers["www-authenticate"] = "Bearer"
            return answer
        query = scope["query_string"].decode("latin-1")
        return self._login_form(asked.path + (f"?{query}" if query else ""), wrong=False)

    def _login_form(self, here: str, wrong: bool) -> Response:
        return HTMLResponse(
            login_page(here, wrong, self.privacy_policy_url),
            HTTPStatus.UNAUTHORIZED,
            {"cache-control": "no-store", "content-security-policy": FORM_ONLY, "www-authenticate": "Bearer"},
        )

    def _adding(self, send: Send, scope: Scope) -> Send:
        """`send` with our headers, and the footer in what a browser shows as a page."""
        if scope["type"] == "websocket":
            return send
        awaits_end = False

        async def adding(message: Message) -> None:
            nonlocal awaits_end
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                awaits_end = _is_page(headers)
                _secure(headers)
                if awaits_end:
                    headers["cache-control"] = "no-store"
                    del headers["content-length"], headers["etag"], headers["last-modified"]
            elif awaits_end and b"</body>" in message.get("body", b""):
                message = {**message, "body": message["body"].replace(b"</body>", self._footer + b"</body>", 1)}
                awaits_end = False
            await send(message)

        return adding


def _is_page(headers: Headers) -> bool:
    is_download = headers.get("content-disposition", "").startswith("attachment")
    return headers.get("content-type", "").startswith("text/html") and not is_download


def _secure(headers: MutableHeaders) -> None:
    headers.update(SECURITY)
    headers.append("content-security-policy", NO_FRAMES)  # beside the application's own: browsers obey both
    for name in [name for name in headers if name.startswith("access-control-")]:
        del headers[name]


def _secured(answer: Response) -> Response:
    answer.headers.update(SECURITY)
    return answer


def _without_secrets(scope: Scope) -> Scope:
    """The request as the application sees it: nothing there can log or store what opened the door."""
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"authorization", b"cookie")]
    return {**scope, "headers": kept}


def _local(here: str) -> str:
    """A path of this page, whatever was asked for: //host and \\host would lead to another."""
    try:
        parts = urlsplit(here)
    except ValueError:
        return "/"
    if parts.scheme or parts.netloc:
        return "/"
    return "/" + parts.path.lstrip("/\\") + (f"?{parts.query}" if parts.query else "")


def _refused(refusal: Refusal) -> Response:
    return _plain(refusal.status, refusal.reason)


def _plain(status: HTTPStatus, reason: str) -> Response:
    return PlainTextResponse(f"{status.value} {status.phrase}: {reason}\n", status, {"cache-control": "no-store"})
