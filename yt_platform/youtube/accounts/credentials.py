"""Accounts of owners: what they gave the platform, in one file each that only its own user can read.

`HOME/accounts/NAME.json`, 0600 in a folder of 0700, written whole or not at all. Here: these files, and credentials
that refresh themselves and are stored again. Not here: how an account is added, checked and ended
(`youtube/accounts/authorization.py`). Nothing a file keeps secret is in a message, a `repr` or the warehouse.
"""

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from google.auth import credentials as google_auth
from google.auth.exceptions import RefreshError, TransportError
from google.oauth2 import credentials as owner_credentials
from google.oauth2 import service_account

from yt_platform.errors import MisuseError, PlatformError
from yt_platform.youtube.data_api.client import UnavailableError

YOUTUBE = "https://www.googleapis.com/auth/youtube.readonly"
ANALYTICS = "https://www.googleapis.com/auth/yt-analytics.readonly"
MONETARY = "https://www.googleapis.com/auth/yt-analytics-monetary.readonly"

OWNER: Final = "owner"
PARTNER: Final = "content_owner"
Kind = Literal["owner", "content_owner"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_DEAD = {
    (OWNER, "invalid_grant"): (
        "Google takes its token no longer: the owner revoked it, or its password changed, or the consent screen is in "
        "testing mode, whose tokens die after 7 days",
        "publish the app in the Google Cloud console (Audience, Publish app) if it is in testing mode, then "
        "authorise again with `yt-platform accounts add`; if the owner revoked it for good, YouTube gives 7 days to "
        "delete what it brought, with `yt-platform forget --channel`",
    ),
    (OWNER, "invalid_client"): (
        "Google knows its OAuth client no longer",
        "download the secrets of a desktop client in the Google Cloud console, and authorise again with "
        "`yt-platform accounts add`",
    ),
    (PARTNER, "invalid_grant"): (
        "Google takes its key no longer: the key or the service account was deleted, or this machine's clock is wrong",
        "make a new key in the Google Cloud console, and add it with `yt-platform accounts add`",
    ),
    (PARTNER, "unauthorized_client"): (
        "the service account may not ask for these scopes",
        "let YouTube's content manager invite the service account's address, and enable the APIs in its project",
    ),
}
_CODES = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
        *("invalid_scope", "access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable"),
        *("admin_policy_enforced", "deleted_client", "disabled_client", "internal_failure", "org_internal"),
        *("redirect_uri_mismatch", "mismatching_state", "missing_token"),
    }
)
"""Words of RFC 6749, Google and oauthlib that are repeated in messages: anything else might be what was sent."""

_SECRETS = {
    OWNER: ("refresh_token", "token_uri", "client_id", "client_secret"),
    PARTNER: ("private_key", "client_email", "token_uri"),
}
_TOKEN = re.compile(r"[!-~]+")

_OTHERWISE = "authorise again with `yt-platform accounts add`"


class AccountError(MisuseError):
    """There is no such account, or its file or name cannot be used; the message says what can."""


class AuthorizationError(PlatformError):
    """An account may no longer do what it is for; the message says which account, what, and the remedy.

    `code` is Google's word or the platform's own, like invalid_grant or no_channel.
    """

    def __init__(self, account: str, code: str, reason: str, remedy: str) -> None:
        super().__init__(f"account {account}: {reason}; {remedy}")
        self.account, self.code, self.reason, self.remedy = account, code, reason, remedy


@dataclass(frozen=True)
class Stored:
    """What the file of an account holds. `secret` is the token of an owner, or the key of a service account."""

    kind: Kind
    scopes: tuple[str, ...]
    authorized_at: datetime
    secret: Mapping[str, Any] = field(repr=False)
    channel_id: str | None = None
    content_owner: str | None = None


@dataclass(frozen=True)
class Account:
    """An account that is open: `credentials` are for Google's client, and keep themselves up to date."""

    name: str
    credentials: google_auth.Credentials = field(repr=False)
    scopes: tuple[str, ...]
    content_owner: str | None
    channel_id: str | None


class Accounts:
    """The accounts below `home`, side by side by their names."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "accounts"

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.json") if _NAME.fullmatch(path.stem))

    def open(self, name: str) -> Account:
        """Raises AccountError where there is no such account, or its file is damaged or open to others."""
        return self.opened(name, self.read(name))

    def opened(self, name: str, stored: Stored) -> Account:
        """The account of what need not be in its file yet. Raises AccountError for what is no token and no key."""
        inner = _credentials(stored)
        kept = StoredCredentials(inner, name, stored.kind, lambda: self._keep(name, stored, inner))
        return Account(name, kept, stored.scopes, stored.content_owner, stored.channel_id)

    def read(self, name: str) -> Stored:
        """Raises AccountError like `open`."""
        path = self.path(name)
        try:
            mode, data = path.stat().st_mode, path.read_bytes()
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none yet"
            raise AccountError(
                f"there is no account {name}; `yt-platform accounts add` adds one (now: {known})"
            ) from None
        except OSError as error:
            raise AccountError(f"{path} cannot be read ({error.strerror}): mend that, or delete it") from None
        if mode & _OTHERS:
            raise AccountError(f"others may read {path}, which holds secrets: end that with `chmod 600`")
        try:
            return _stored(data)
        except (ValueError, KeyError, TypeError, RecursionError):  # without the cause, which may repeat the text
            raise AccountError(f"{path} is damaged: add the account again with `yt-platform accounts add`") from None

    def write(self, name: str, stored: Stored) -> None:
        """Whole or not at all. Raises AccountError for a name that cannot be a file's."""
        path = self.path(name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=self.folder)  # of mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                json.dump({**asdict(stored), "authorized_at": stored.authorized_at.isoformat()}, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise AccountError(f"{name!r} cannot name an account: use small letters, digits, - and _, 63 at most")
        return self.folder / f"{name}.json"

    def _keep(self, name: str, opened: Stored, inner: owner_credentials.Credentials) -> None:
        """Store a refreshed token, unless the account was removed or authorised again since it was opened."""
        if self.path(name).exists() and self.read(name).authorized_at == opened.authorized_at:
            self.write(name, replace(self.read(name), secret=owner_secret(inner)))


class StoredCredentials(google_auth.Credentials):
    """Google's credentials of an account: a refresh is stored, and a refusal is told as AuthorizationError."""

    def __init__(self, inner: google_auth.Credentials, account: str, kind: Kind, keep: Callable[[], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inner, self._account, self._kind, self._keep = inner, account, kind, keep
        self.token, self.expiry = inner.token, inner.expiry

    def refresh(self, request: Any) -> None:
        """Raises AuthorizationError where the token or key is dead, UnavailableError where Google does not answer."""
        try:
            self._inner.refresh(request)
        except RefreshError as error:
            if error.retryable:
                raise UnavailableError(
                    f"account {self._account}: Google's token server fails; try again later"
                ) from None
            raise _dead(self._account, self._kind, error) from None
        except (TransportError, OSError) as error:
            raise UnavailableError(
                f"account {self._account}: Google's token server cannot be reached ({type(error).__name__})"
            ) from None
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):  # Google's client takes JSON on trust
            raise self._no_token() from None
        tokens = (self._inner.token, getattr(self._inner, "refresh_token", "none"))
        if not all(isinstance(token, str) and _TOKEN.fullmatch(token) for token in tokens):
            raise self._no_token()
        self.token, self.expiry = self._inner.token, self._inner.expiry
        if self._kind == OWNER:  # tokens of a service account are made from its key at any time
            self._keep()

    def _no_token(self) -> UnavailableError:
        return UnavailableError(
            f"account {self._account}: the token server's answer holds no token; see that its token_uri is Google's, "
            "and try again later"
        )


def owner_secret(credentials: owner_credentials.Credentials) -> dict[str, Any]:
    """What a file keeps of an owner's credentials."""
    return {
        "token": credentials.token,
        "expiry": credentials.expiry.isoformat() if credentials.expiry else None,
        "refresh_token": credentials.refresh_token,
        "token_uri": credentials.token_uri,
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
    }


def checked_uri(uri: object) -> str:
    """A URI that secrets may be sent to: by TLS, or to this machine. Raises AccountError."""
    try:
        parts = urlsplit(str(uri))
    except ValueError:
        raise AccountError("the file's token_uri is no address; download the file again") from None
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        return str(uri)
    raise AccountError("the file's token_uri is no https:// address; download the file again")


def known_code(told: object) -> str:
    """What a server calls its refusal, if that is one of the words it may be."""
    return told if isinstance(told, str) and told in _CODES else "refused"


def _stored(data: bytes) -> Stored:
    """Raises ValueError, KeyError, TypeError or RecursionError for what cannot be an account."""
    found = json.loads(data)
    scopes, at = tuple(found["scopes"]), datetime.fromisoformat(found["authorized_at"])
    stored = Stored(**{**found, "scopes": scopes, "authorized_at": at})
    needed = [stored.secret[name] for name in _SECRETS[stored.kind]]
    texts = [*scopes, *needed, stored.channel_id or "", stored.content_owner or ""]
    if at.tzinfo is None or not all(isinstance(text, str) for text in texts):
        raise ValueError
    return stored


def _credentials(stored: Stored) -> Any:
    checked_uri(stored.secret.get("token_uri"))
    scopes = list(stored.scopes)
    try:
        if stored.kind == PARTNER:
            return service_account.Credentials.from_service_account_info(stored.secret, scopes=scopes)
        secret = dict(stored.secret)
        written = secret.pop("expiry")
        expiry = datetime.fromisoformat(written) if written else None
        if expiry and expiry.tzinfo:
            raise ValueError  # Google's client compares it with a naive UTC time
        return owner_credentials.Credentials(**secret, scopes=scopes, expiry=expiry)
    except (ValueError, KeyError, TypeError):  # without the cause, which may repeat the key
        raise AccountError("the account's file is damaged: add it again with `yt-platform accounts add`") from None


def _dead(account: str, kind: Kind, error: RefreshError) -> AuthorizationError:
    body = error.args[1] if len(error.args) > 1 else None
    code = known_code(body.get("error")) if isinstance(body, Mapping) else "refused"
    reason, remedy = _DEAD.get((kind, code), (f"Google refuses its token ({code})", _OTHERWISE))
    return AuthorizationError(account, code, reason, remedy)
