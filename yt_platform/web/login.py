"""Who may open the pages: whoever has the token, and for a week a browser that has shown it.

The token is YT_UI_TOKEN, or lies in YT_HOME/ui-token, mode 0600. A browser shows it once and then holds a cookie that
is signed with the token. The cookie says when it was made and nothing else, so no process keeps a list of sessions, and
a new token ends them all.
"""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner

from yt_platform.errors import PlatformError
from yt_platform.settings import TOKEN, Settings, SettingsError
from yt_platform.storage.secret_file import kept_secret, new_secret

FILE = "ui-token"
SESSION_SECONDS = 7 * 24 * 3600
BEARER = "bearer "

_SESSION = "session"


class TokenError(PlatformError):
    """The file of the token holds none; the message says what to do."""


def ui_token(settings: Settings) -> str:
    """The token as it is now, made when first asked for. Raises TokenError, so that an empty file opens nothing."""
    if settings.ui_token:
        return settings.ui_token.get_secret_value()
    token = kept_secret(_file(settings))
    if not TOKEN.fullmatch(token):
        raise TokenError(f"{_file(settings)} holds no token; make one by `yt-platform token --new`")
    return token


def renew_token(settings: Settings) -> str:
    """Put a new token in the place of the old one, which ends every session. Raises SettingsError."""
    if settings.ui_token:
        raise SettingsError("the token is that of YT_UI_TOKEN; change it there")
    return new_secret(_file(settings))


def _file(settings: Settings) -> Path:
    return settings.home / FILE


class Sessions:
    """The proofs that requests bring. `token` is asked every time, so that a new one holds at once."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token().encode())

    def is_bearer(self, authorization: str) -> bool:
        scheme, given = authorization[: len(BEARER)], authorization[len(BEARER) :]
        return scheme.lower() == BEARER and self.is_token(given.strip())

    def begin(self) -> str:
        """The value of the cookie of a new session."""
        return self._signer().sign(_SESSION).decode()

    def is_session(self, cookie: str) -> bool:
        try:
            return self._signer().unsign(cookie, max_age=SESSION_SECONDS) == _SESSION.encode()
        except BadSignature:
            return False

    def _signer(self) -> TimestampSigner:
        return TimestampSigner(self._token(), salt="yt-platform.web.session", digest_method=hashlib.sha256)
