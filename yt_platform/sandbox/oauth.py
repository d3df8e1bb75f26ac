"""Google's authorisation server: consent, tokens and their ends, and what a bearer token lets its holder do.

Here: clients, grants and tokens, on the sandbox's clock. Not here: what a grant then sees (`methods.py`). Consent is
given at once, by whoever `Authorizations.consent` says is at the browser.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from yt_platform.sandbox.clock import SandboxClock
from yt_platform.sandbox.errors import ApiError

AUTHORIZE, TOKEN, REVOKE = "/o/oauth2/auth", "/token", "/revoke"
PATHS = frozenset({AUTHORIZE, TOKEN, REVOKE})

CLIENT_ID = "sandbox.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-sandbox-client-secret"

ACCESS_LIFE = timedelta(seconds=3599)
CODE_LIFE = timedelta(minutes=10)
TESTING_LIFE = timedelta(days=7)
"""Of the refresh tokens of a consent screen in testing mode."""

_SCOPES = "https://www.googleapis.com/auth/"
YOUTUBE, ANALYTICS, MONETARY = (
    _SCOPES + name for name in ("youtube.readonly", "yt-analytics.readonly", "yt-analytics-monetary.readonly")
)

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Consent:
    """Who answers the next consent screens, and how. `channel_id` is None for a Google account without channel."""

    channel_id: str | None = None
    testing: bool = False
    denied: bool = False
    withheld: tuple[str, ...] = ()  # scopes whose boxes are left empty

    @staticmethod
    def parse(said: Any) -> "Consent":
        """Raises ValueError for anything but an object of these names with values of their kinds."""
        match said:
            case {"channel_id": str() | None, **others} if others.keys() <= {"testing", "denied", "withheld"}:
                return Consent(**{**said, "withheld": tuple(said.get("withheld", ()))})
        raise ValueError(f'expected {{"channel_id": ID or null, "testing", "denied", "withheld"}}, got {said!r}')


@dataclass(frozen=True)
class Grant:
    """What somebody let the client do, and since when; `channels` are those of a content owner."""

    channel_id: str | None
    scopes: frozenset[str]
    granted_at: datetime
    testing: bool = False
    content_owner: str | None = None
    channels: tuple[str, ...] = ()

    def require(self, *scopes: str) -> None:
        """Raises ApiError 403 unless it has one of the scopes."""
        if self.scopes.isdisjoint(scopes):
            raise ApiError(
                "insufficientPermissions",
                "Request had insufficient authentication scopes.",
                status=403,
                details_reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            )

    def act_for(self, content_owner: str | None) -> None:
        """Raises ApiError 403 where `onBehalfOfContentOwner` names one who has not let this account act for them."""
        if content_owner is not None and content_owner != self.content_owner:
            raise ApiError("forbidden", location="onBehalfOfContentOwner")


class _RefusedError(Exception):
    """An answer of the token endpoint other than 200, in RFC 6749's words."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.status, self.body = status, {"error": error, "error_description": description}
        super().__init__(error)


@dataclass(frozen=True)
class _Code:
    grant: Grant
    redirect_uri: str
    challenge: str | None
    given_at: datetime


class Authorizations:
    """Every grant and token of one sandbox; safe to call from several threads."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._lock = Lock()
        self.consent = Consent()
        self._partners: dict[str, tuple[str, tuple[str, ...]]] = {}  # content owner and channels by service account
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, Grant] = {}
        self._access: dict[str, tuple[Grant, datetime]] = {}

    def client_secrets(self, url: str) -> dict[str, Any]:
        """The JSON that Google's console gives for a desktop client, which names this sandbox at `url` instead."""
        return {
            "installed": {
                "client_id": CLIENT_ID,
                "project_id": "sandbox",
                "auth_uri": f"{url}{AUTHORIZE}",
                "token_uri": f"{url}{TOKEN}",
                "client_secret": CLIENT_SECRET,
                "redirect_uris": ["http://localhost"],
            }
        }

    def service_account_key(self, url: str, content_owner: str, channels: tuple[str, ...]) -> dict[str, Any]:
        """The key of the service account that acts for a content owner, to whom these channels belong."""
        email = f"{content_owner.lower()}@sandbox.iam.gserviceaccount.com"
        with self._lock:
            self._partners[email] = content_owner, channels
        return {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": "1",
            "private_key": self._key_pair[0],
            "client_email": email,
            "client_id": "1",
            "auth_uri": f"{url}{AUTHORIZE}",
            "token_uri": f"{url}{TOKEN}",
        }

    def grant(self, headers: Mapping[str, str]) -> Grant | None:
        """The grant of the request's bearer token; None without one. Raises ApiError 401 for a token that is dead."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        with self._lock:
            grant, until = self._access.get(token, (None, None))
        if grant is None or until is None or self._clock.now() >= until:
            raise ApiError("authError")
        return grant

    def revoke_channel(self, channel_id: str | None) -> int:
        """What an owner does on the page of their Google account: every grant of the channel ends. Returns how many."""
        with self._lock:
            ended = [grant for grant in self._refresh.values() if grant.channel_id == channel_id]
            for grant in ended:
                self._end(grant)
        return len(ended)

    def answer(
        self, verb: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, Headers]:
        """Status, body and headers of a request to one of `PATHS`."""
        try:
            if path == AUTHORIZE and verb == "GET":
                return 302, b"", (("location", self._authorize(dict(parse_qsl(query)))),)
            if verb != "POST":
                raise _RefusedError("invalid_request", f"{verb} is not allowed", 405)
            form = _client(headers) | dict(parse_qsl(body.decode("latin-1") or query))
            with self._lock:
                found = self._revoke(form) if path == REVOKE else self._token(form)
            return 200, json.dumps(found).encode(), ()
        except _RefusedError as refused:
            return refused.status, json.dumps(refused.body).encode(), ()

    def _authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent after consent."""
        redirect = asked.get("redirect_uri", "")
        if asked.get("client_id") != CLIENT_ID or not redirect.startswith(("http://localhost", "http://127.0.0.1")):
            raise _RefusedError("invalid_client", "The OAuth client was not found, or not with this redirect URI.", 401)
        said, at = self.consent, self._clock.now()
        if said.denied:
            return f"{redirect}?{urlencode({'error': 'access_denied', 'state': asked.get('state', '')})}"
        scopes = frozenset(asked.get("scope", "").split()) - set(said.withheld)
        code = "4/" + secrets.token_urlsafe(24)
        grant = Grant(said.channel_id, scopes, at, said.testing)
        with self._lock:
            self._codes[code] = _Code(grant, redirect, asked.get("code_challenge"), at)
        return f"{redirect}?{urlencode({'state': asked.get('state', ''), 'code': code, 'scope': ' '.join(scopes)})}"

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self._opened(self._partner(form.get("assertion", "")))
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            raise _RefusedError("invalid_client", "The OAuth client was not found.", 401)
        if kind == "refresh_token":
            return self._opened(self._refreshed(form.get("refresh_token", "")))
        if kind == "authorization_code":
            grant = self._exchanged(form)
            refresh_token = "1//" + secrets.token_urlsafe(48)
            self._refresh[refresh_token] = grant
            return {**self._opened(grant), "refresh_token": refresh_token}
        raise _RefusedError("unsupported_grant_type", f"Invalid grant_type: {kind}")

    def _exchanged(self, form: dict[str, str]) -> Grant:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or self._clock.now() - code.given_at >= CODE_LIFE:
            raise _RefusedError("invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise _RefusedError("redirect_uri_mismatch", "Bad Request")
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if code.challenge and base64.urlsafe_b64encode(verifier).decode().rstrip("=") != code.challenge:
            raise _RefusedError("invalid_grant", "Invalid code verifier.")
        return code.grant

    def _refreshed(self, token: str) -> Grant:
        grant = self._refresh.get(token)
        if grant is None or (grant.testing and self._clock.now() - grant.granted_at >= TESTING_LIFE):
            raise _RefusedError("invalid_grant", "Token has been expired or revoked.")
        return grant

    def _partner(self, assertion: str) -> Grant:
        try:
            claims = jwt.decode(assertion, self._key_pair[1])  # its times are the machine's, as its writer's are
        except ValueError:  # what google-auth's errors of a JWT are
            raise _RefusedError("invalid_grant", "Invalid JWT Signature.") from None
        partner = self._partners.get(str(claims.get("iss")))
        if partner is None:
            raise _RefusedError("invalid_grant", "Invalid grant: account not found")
        scopes = frozenset(str(claims.get("scope", "")).split())
        return Grant(None, scopes, self._clock.now(), content_owner=partner[0], channels=partner[1])

    def _opened(self, grant: Grant) -> dict[str, Any]:
        token = "ya29." + secrets.token_urlsafe(48)
        self._access[token] = grant, self._clock.now() + ACCESS_LIFE
        seconds = int(ACCESS_LIFE.total_seconds())
        scope = " ".join(sorted(grant.scopes))
        return {"access_token": token, "expires_in": seconds, "scope": scope, "token_type": "Bearer"}

    def _revoke(self, form: dict[str, str]) -> dict[str, Any]:
        token = form.get("token", "")
        grant = self._refresh.get(token) or self._access.get(token, (None, None))[0]
        if grant is None:
            raise _RefusedError("invalid_token", "Token expired or revoked")
        self._end(grant)
        return {}

    def _end(self, ended: Grant) -> None:
        self._refresh = {token: grant for token, grant in self._refresh.items() if grant is not ended}
        self._access = {token: held for token, held in self._access.items() if held[0] is not ended}

    @cached_property
    def _key_pair(self) -> tuple[str, str]:
        """PEM texts, private and public; made at the first use, as it takes a tenth of a second."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return private.decode(), public.decode()


def _client(headers: Mapping[str, str]) -> dict[str, str]:
    """The client as HTTP Basic names it, which is how oauthlib does; others write it into the form."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        client_id, _, secret = base64.b64decode(text).decode("latin-1").partition(":")
    except ValueError:
        raise _RefusedError("invalid_client", "The OAuth client was not found.", 401) from None
    return {"client_id": client_id, "client_secret": secret}
