"""Authorisation of accounts: consent in the browser, whether it still holds, its end, and the books in `ops.accounts`.

Not here: the files and their secrets (`youtube/accounts/credentials.py`).
"""

import json
import os
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import google_auth_httplib2
import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from yt_platform.tombstones.store import tombstones
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.accounts.credentials import (
    ANALYTICS,
    MONETARY,
    OWNER,
    PARTNER,
    YOUTUBE,
    Account,
    AccountError,
    Accounts,
    AuthorizationError,
    Stored,
    checked_uri,
    known_code,
    owner_secret,
)
from yt_platform.youtube.data_api.client import TIMEOUT_SECONDS, UnavailableError
from yt_platform.youtube.data_api.errors import Kind, Refusal
from yt_platform.youtube.watchlist import FORGOTTEN

CONSENT_SECONDS = 600
VERIFY_AFTER = timedelta(days=7)
"""YouTube's policies give 30: where it cannot be asked, three weeks are left until what the account brought must go."""

AUTHORIZED, UNAUTHORIZED = "authorized", "unauthorized"
_AGAIN = "run `yt-platform accounts add` again and "
_PROMPT = "Open this address in a browser on this machine, and let the platform see the channel:\n{url}"


@dataclass(frozen=True)
class Listed:
    """An account as `ops.accounts` has it."""

    name: str
    kind: str
    channel_id: str | None
    content_owner: str | None
    scopes: str
    authorized_at: datetime
    authorization_checked_at: datetime
    state: str
    reason: str | None
    remedy: str | None
    verified_at: datetime


def scopes(monetary: bool) -> tuple[str, ...]:
    return (YOUTUBE, ANALYTICS, MONETARY) if monetary else (YOUTUBE, ANALYTICS)


def consented(
    name: str, client_secrets: Path, asked: tuple[str, ...], at: datetime, *, open_browser: bool, port: int
) -> Stored:
    """What an owner gives in the browser, by the installed-app flow (RFC 8252); `port` 0 takes a free one.

    Raises AccountError for a file that is no client's, AuthorizationError where consent was not given in full.
    """
    # imported here: requests and oauthlib take 0.2 s, which only this needs
    from google_auth_oauthlib.flow import InstalledAppFlow, WSGITimeoutError
    from oauthlib.oauth2 import OAuth2Error
    from requests import RequestException

    config = _read(client_secrets).get("installed")
    if not isinstance(config, dict) or not {"client_id", "client_secret", "auth_uri", "token_uri"} <= config.keys():
        raise AccountError(
            f"{client_secrets} holds no desktop client: make one in the Google Cloud console (Clients, Create client, "
            "Desktop app) and download its JSON"
        )
    flow = InstalledAppFlow.from_client_config({"installed": config}, scopes=list(asked))
    try:
        with _plain_http_to_this_machine(checked_uri(config["token_uri"])):
            given = flow.run_local_server(
                port=port,
                open_browser=open_browser,
                authorization_prompt_message=_PROMPT,
                timeout_seconds=CONSENT_SECONDS,
                prompt="consent",  # else Google gives no refresh token the second time
            )
    except OAuth2Error as error:
        code = known_code(error.error)
        raise AuthorizationError(
            name, code, f"consent was not given ({code})", _AGAIN + "let it see the channel"
        ) from None
    except WSGITimeoutError:
        minutes = CONSENT_SECONDS // 60
        raise AuthorizationError(name, "timeout", f"no consent within {minutes} minutes", _AGAIN + "give it") from None
    except Warning:  # how oauthlib says that other scopes were given than asked for; it holds the tokens
        raise _short(name) from None
    except webbrowser.Error:
        raise AccountError("there is no browser here: use --no-browser, with --port through an SSH tunnel") from None
    except RequestException as error:
        raise UnavailableError(f"Google's token server cannot be reached ({type(error).__name__})") from None
    except OSError as error:
        raise AccountError(f"port {port} of localhost cannot be listened on ({error.strerror})") from None
    if not set(asked) <= set(given.granted_scopes or asked):
        raise _short(name)
    if not given.refresh_token:
        raise AuthorizationError(name, "no_refresh_token", "Google gave no lasting token", _AGAIN + "consent anew")
    return Stored(OWNER, asked, at, owner_secret(given))


def _short(name: str) -> AuthorizationError:
    return AuthorizationError(name, "scopes", "not all that was asked for was granted", _AGAIN + "tick every box")


def partner(key: Path, content_owner: str, asked: tuple[str, ...], at: datetime) -> Stored:
    """A service account that acts for a content owner. Raises AccountError for a file that is no such key."""
    found = _read(key)
    if found.get("type") != "service_account" or not {"private_key", "client_email", "token_uri"} <= found.keys():
        raise AccountError(f"{key} is no key of a service account: download one as JSON in the Google Cloud console")
    checked_uri(found["token_uri"])
    return Stored(PARTNER, asked, at, found, content_owner=content_owner)


def verify(account: Account, endpoint: str | None, charge: Callable[[str], None]) -> str | None:
    """The account's channel, None for a content owner's, as YouTube says now; `charge` is told the method called.

    Raises AuthorizationError where it may not, UnavailableError where YouTube does not say.
    """
    asked: dict[str, Any] = {"mine": True}
    if account.content_owner:
        asked = {"managedByMe": True, "onBehalfOfContentOwner": account.content_owner, "maxResults": 1}
    options = {"api_endpoint": endpoint} if endpoint else None
    http = httplib2.Http(timeout=TIMEOUT_SECONDS)
    http.follow_redirects = False  # one charge pays for one request
    authorized = google_auth_httplib2.AuthorizedHttp(account.credentials, http)
    charge("channels.list")
    try:
        with build("youtube", "v3", http=authorized, client_options=options, static_discovery=True) as service:
            found = service.channels().list(part="id", **asked).execute().get("items", [])
    except HttpError as error:
        raise _refused(account.name, error) from None
    except (OSError, httplib2.HttpLib2Error) as error:
        raise UnavailableError(f"account {account.name}: YouTube cannot be reached ({type(error).__name__})") from None
    if account.content_owner:
        return None
    if not found:
        raise _no_channel(account.name)
    return str(found[0]["id"])


def _no_channel(name: str) -> AuthorizationError:
    return AuthorizationError(
        name,
        "no_channel",
        "the Google account has no YouTube channel",
        _AGAIN + "choose the account, or the brand account, that owns the channel",
    )


def _refused(name: str, error: HttpError) -> Exception:
    refusal = Refusal.read(error.status_code, error.content)
    code = refusal.reason
    if "youtubeSignupRequired" in refusal.reasons:
        return _no_channel(name)
    if refusal.kind in (Kind.QUOTA, Kind.RATE, Kind.TRANSIENT):
        return UnavailableError(f"account {name}: YouTube does not answer ({code}); try again later")
    return AuthorizationError(
        name,
        code,
        f"YouTube refuses it ({code})",
        "see that the YouTube Data API v3 is enabled in its project, then authorise again with `yt-platform accounts "
        "add`",
    )


def add(
    warehouse: Warehouse,
    accounts: Accounts,
    name: str,
    given: Stored,
    endpoint: str | None,
    charge: Callable[[str], None],
) -> Stored:
    """Keep an account that YouTube answers to; in place of one of that name, which stays where this one is refused.

    Raises AuthorizationError and UnavailableError like `verify`, and AccountError for a channel that was forgotten.
    """
    channel = verify(accounts.opened(name, given), endpoint, charge)
    if channel in tombstones(warehouse):
        _revoke(given)
        raise AccountError(f"the channel of account {name} {FORGOTTEN}")
    stored = replace(given, channel_id=channel)
    accounts.write(name, stored)
    enter(warehouse, name, stored, stored.authorized_at, None)
    return stored


def check(
    warehouse: Warehouse,
    accounts: Accounts,
    name: str,
    endpoint: str | None,
    charge: Callable[[str], None],
    at: datetime,
) -> AuthorizationError | None:
    """Ask YouTube whether the account still may, and enter it; returns why not.

    Raises AccountError, and UnavailableError where YouTube does not say: then nothing is entered.
    """
    stored, error = accounts.read(name), None
    try:
        stored = replace(stored, channel_id=verify(accounts.open(name), endpoint, charge))
    except AuthorizationError as dead:
        error = dead
    enter(warehouse, name, stored, at, error)
    return error


def due(warehouse: Warehouse, accounts: Accounts, now: datetime) -> list[str]:
    """Accounts that were not asked about for `VERIFY_AFTER`, or never, and those that lost their file."""
    known = {row.name: row for row in listed(warehouse)}
    recent = {name for name, row in known.items() if row.authorization_checked_at > now - VERIFY_AFTER}
    lost = {name for name, row in known.items() if row.state == AUTHORIZED} - set(accounts.names())
    return sorted(set(accounts.names()) - recent | lost)


def recheck(
    warehouse: Warehouse,
    accounts: Accounts,
    names: Sequence[str],
    endpoint: str | None,
    charge: Callable[[str], None],
    at: datetime,
) -> list[AuthorizationError]:
    """Check each of these accounts; returns why some may no longer.

    Raises UnavailableError after the last, where YouTube did not say of one, which stays due; QuotaExhaustedError.
    """
    refused, unknown = [], []
    for name in names:
        try:
            error = check(warehouse, accounts, name, endpoint, charge, at)
        except AccountError as unusable:
            error = AuthorizationError(name, "file", str(unusable), "add it again with `yt-platform accounts add`")
            enter_dead(warehouse, error, at)
        except UnavailableError as unsaid:
            unknown.append(str(unsaid))
            continue
        if error:
            refused.append(error)
    if unknown:
        raise UnavailableError("; ".join(unknown))
    return refused


def enter(warehouse: Warehouse, name: str, stored: Stored, at: datetime, error: AuthorizationError | None) -> None:
    """Write the account's row in `ops.accounts`, as it was found at `at`."""
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.accounts (name, kind, channel_id, content_owner, scopes, authorized_at, "
            "authorization_checked_at, state, reason, remedy, verified_at) "
            "VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $7::timestamptz, $8, $9, $10, "
            "CASE $8 WHEN $11 THEN $7::timestamptz ELSE $6::timestamptz END) "
            "ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, "
            "channel_id = excluded.channel_id, content_owner = excluded.content_owner, scopes = excluded.scopes, "
            "authorized_at = excluded.authorized_at, authorization_checked_at = excluded.authorization_checked_at, "
            "state = excluded.state, reason = excluded.reason, remedy = excluded.remedy, loaded_at = now(), "
            "verified_at = greatest(accounts.verified_at, excluded.verified_at)",
            (
                name,
                stored.kind,
                stored.channel_id,
                stored.content_owner,
                " ".join(scope.rpartition("/")[2] for scope in stored.scopes),
                stored.authorized_at,
                at,
                UNAUTHORIZED if error else AUTHORIZED,
                error.reason if error else None,
                error.remedy if error else None,
                AUTHORIZED,
            ),
        )


def enter_dead(warehouse: Warehouse, error: AuthorizationError, at: datetime) -> None:
    """Write down that an account was refused in the middle of its work."""
    with warehouse.transaction() as transaction:
        transaction.execute(
            "UPDATE ops.accounts SET state = $2, reason = $3, remedy = $4, "
            "authorization_checked_at = $5::timestamptz, loaded_at = now() WHERE name = $1",
            (error.account, UNAUTHORIZED, error.reason, error.remedy, at),
        )


def listed(warehouse: Warehouse) -> list[Listed]:
    """Every account there is, by name."""
    rows = warehouse.records(
        "SELECT name, kind, channel_id, content_owner, scopes, authorized_at, authorization_checked_at, state, reason, "
        "remedy, verified_at FROM ops.accounts ORDER BY name"
    )
    return [Listed(**row) for row in rows]


def remove(warehouse: Warehouse, accounts: Accounts, name: str) -> bool:
    """End the account here, and at Google too where that can be done: whether it was. Raises AccountError."""
    stored = accounts.read(name)
    revoked = stored.kind == OWNER and _revoke(stored)
    _delete(warehouse, accounts, name)
    return revoked


def remove_of_channel(warehouse: Warehouse, accounts: Accounts, channel_id: str) -> tuple[list[str], list[str]]:
    """End every account of a channel's owner, as `remove` does; returns their names, and what is wrong with files that
    cannot be read. Whose those are `ops.accounts` says: of this channel's, Google is not told."""
    entered = {row.name: row.channel_id for row in listed(warehouse)}
    ended, faults = [], []
    for name in accounts.names():
        try:
            if accounts.read(name).channel_id != channel_id:
                continue
            remove(warehouse, accounts, name)
        except AccountError as error:
            faults.append(str(error))
            if entered.get(name) != channel_id:
                continue
            _delete(warehouse, accounts, name)
        ended.append(name)
    return ended, faults


def _delete(warehouse: Warehouse, accounts: Accounts, name: str) -> None:
    accounts.remove(name)
    with warehouse.transaction() as transaction:
        transaction.execute("DELETE FROM ops.accounts WHERE name = $1", (name,))


def _revoke(stored: Stored) -> bool:
    """RFC 7009; the address is Google's, beside that of its tokens."""
    with closing(httplib2.Http(timeout=TIMEOUT_SECONDS)) as http, suppress(OSError, httplib2.HttpLib2Error):
        answer, _ = http.request(
            urljoin(stored.secret["token_uri"], "revoke"),
            "POST",
            body=f"token={quote(stored.secret['refresh_token'], safe='')}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        return bool(answer.status == 200)
    return False


@contextmanager
def _plain_http_to_this_machine(token_uri: str) -> Iterator[None]:
    """Let oauthlib speak to a server without TLS, which `checked_uri` lets pass on this machine alone."""
    name = "OAUTHLIB_INSECURE_TRANSPORT"
    if token_uri.startswith("https:") or name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:  # the cause may repeat what the file holds
        raise AccountError(f"{path} cannot be read as JSON ({type(error).__name__})") from None
    return found if isinstance(found, dict) else {}
