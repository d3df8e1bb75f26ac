"""Which requests the pages take: from which host and site, on which route, and with which proof of who asks.

Pure: a request is a method, a path and headers. Sessions and tokens are `login.py`'s.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from urllib.parse import urlsplit

WEBSOCKET = "WEBSOCKET"
"""Stands for the method of a request that opens a websocket."""

READING = frozenset({"GET", "HEAD"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
DEFAULT_PORTS = {"http": 80, "https": 443}
JUDGED = ("host", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "content-type", "authorization")
"""Headers that decide here. A request that repeats one is refused, as the application might read the other."""

_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Refusal:
    """An answer in place of the application's; the reason says what to do."""

    status: HTTPStatus
    reason: str


@dataclass(frozen=True)
class Asked:
    """A request: `headers` by lower-case name, each once."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def host(self) -> str:
        return self.headers.get("host", "").lower()

    @property
    def is_json(self) -> bool:
        """A page of another site cannot send this type without asking first, which the guard never allows."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"

    @property
    def is_navigation(self) -> bool:
        """Whether a browser opens a page of its own, as after a click on a link in a mail."""
        mode, dest = self.headers.get("sec-fetch-mode"), self.headers.get("sec-fetch-dest")
        return self.method in READING and mode == "navigate" and dest == "document"


@dataclass(frozen=True)
class Addresses:
    """Where a page is reached: at loopback by any port, as tunnels have ports of their own, and at its public URL."""

    public_host: str = ""
    public_origin: str = ""

    @classmethod
    def at(cls, public_url: str | None) -> "Addresses":
        if not public_url:
            return cls()
        parts = urlsplit(public_url.lower())
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
        port = "" if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
        return cls(host, f"{parts.scheme}://{host}{port}")

    def knows(self, host: str) -> bool:
        """Whether the header Host names this page. Another name is that of a site which leads here by its DNS."""
        name = _host_name(host)
        return name in LOOPBACK or (bool(name) and name == self.public_host)

    def is_own(self, origin: str, host: str) -> bool:
        """Whether the header Origin is this very page's. Another port of the same machine is another site."""
        own = {f"http://{host}"} if _host_name(host) in LOOPBACK else set()
        return origin.lower() in own | ({self.public_origin} if self.public_origin else set())

    def is_encrypted(self, host: str) -> bool:
        """Whether the browser that sent this Host talks TLS to the proxy at the public URL."""
        return self.public_origin.startswith("https:") and _host_name(host) == self.public_host


def _host_name(host: str) -> str:
    match = _HOST.fullmatch(host)
    return match[1] if match else ""


class Proof(Enum):
    """What a route demands."""

    LOGIN = "a session, or the token in the header Authorization"
    JSON = "the same, and a body of JSON"
    TOKEN = "the token in the header Authorization"


@dataclass(frozen=True)
class Route:
    """`path` is a regular expression that matches the whole path."""

    methods: frozenset[str]
    path: str
    proof: Proof


@dataclass(frozen=True)
class Page:
    """One application: its routes, and what to do in place of whatever they leave out."""

    routes: tuple[Route, ...]
    instead: str


def refused_address(asked: Asked, addresses: Addresses) -> Refusal | None:
    """Why the request is none for this page, or comes from another site's; None where it may go on."""
    if not addresses.knows(asked.host):
        return Refusal(
            HTTPStatus.FORBIDDEN,
            "this address is not one of the platform's: open the one that `yt-platform up` prints. Where a proxy leads "
            "here, set YT_UI_URL (Dagster) or YT_MLFLOW_UI_URL (MLflow) to its address.",
        )
    if ".." in re.split(r"[/\\]", asked.path) or "\0" in asked.path:
        return Refusal(HTTPStatus.BAD_REQUEST, "a path must not have the part '..'.")
    if _is_from_another_site(asked, addresses):
        return Refusal(
            HTTPStatus.FORBIDDEN,
            "a page of another site, or of another port of this machine, made this request; it was not carried out.",
        )
    return None


def _is_from_another_site(asked: Asked, addresses: Addresses) -> bool:
    origin = asked.headers.get("origin")
    if origin is not None:
        return not addresses.is_own(origin, asked.host)
    site = asked.headers.get("sec-fetch-site", "none")
    return site not in ("same-origin", "none") and not asked.is_navigation


def refused_route(asked: Asked, page: Page, by_session: bool) -> Refusal | None:
    """Why someone who is logged in may not have this, by a session or with the token itself; None where they may."""
    routes = [route for route in page.routes if re.fullmatch(route.path, asked.path)]
    route = next((route for route in routes if asked.method in route.methods), None)
    if route is None:
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED if routes else HTTPStatus.FORBIDDEN, page.instead)
    if by_session and route.proof is Proof.TOKEN:
        return Refusal(
            HTTPStatus.FORBIDDEN, f"this needs {Proof.TOKEN.value}: Bearer and what `yt-platform token` shows."
        )
    if by_session and asked.method not in READING and "origin" not in asked.headers:
        return Refusal(
            HTTPStatus.FORBIDDEN,
            "the request does not say which page made it, as browsers do in the header Origin. "
            f"A script sends {Proof.TOKEN.value}.",
        )
    if route.proof is Proof.JSON and not asked.is_json:
        return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be JSON, of the type application/json.")
    return None


DAGSTER = Page(
    routes=(
        # notebooks are none of this platform's, and their route reads files by a path that the caller names
        Route(READING, r"/(?!(?:graphql|notebook|dagit/notebook)\Z).*", Proof.LOGIN),
        Route(frozenset({"POST"}), "/graphql", Proof.JSON),
        Route(frozenset({WEBSOCKET}), "/graphql", Proof.LOGIN),
        Route(frozenset({"POST"}), "/report_asset_(?:materialization|check|observation)/.+", Proof.TOKEN),
    ),
    instead="Dagster is asked by POST of JSON to /graphql; this route or method is shut.",
)

_API = "/(?:ajax-api|api)/[23][.]0/mlflow/"
MLFLOW = Page(
    routes=(
        Route(READING, "/|/(?:version|health|get-artifact|model-versions/get-artifact)|/static-files/.+", Proof.LOGIN),
        Route(
            READING,
            _API + "(?:artifacts/list|experiments/(?:get|get-by-name|search)|runs/get|server-info"
            "|metrics/get-history(?:-bulk|-bulk-interval)?|registered-models/(?:get|search|alias|get-latest-versions)"
            "|model-versions/(?:get|search|get-download-uri)"
            "|logged-models/[^/]+(?:/artifacts/(?:directories|files))?)",
            Proof.LOGIN,
        ),
        Route(
            frozenset({"POST"}),
            _API + "(?:experiments/(?:search|search-datasets)|runs/search|logged-models/search"
            "|registered-models/get-latest-versions)",
            Proof.JSON,
        ),
        Route(frozenset({"POST"}), "/graphql", Proof.JSON),
    ),
    instead="MLflow's pages are for reading; this route is shut. Trainings write to MLflow by themselves, and "
    "`yt-platform models rollback` changes the champion.",
)
