"""Accounts of owners against the sandbox by HTTP, with real files and a real warehouse."""

import json
import os
import socket
import stat
import threading
import traceback
import webbrowser
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from google.auth.transport.requests import Request

from yt_platform.monitoring.alerts import AUTHORIZATION, open_of_kind, settle_alerts, without_secrets
from yt_platform.monitoring.conditions import authorization_alerts
from yt_platform.privacy.forgetting import CHANNEL
from yt_platform.sandbox import GeneratedWorld, Sandbox, serve
from yt_platform.tombstones.store import bury
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.accounts import credentials as files
from yt_platform.youtube.accounts.authorization import (
    add,
    check,
    consented,
    due,
    enter_dead,
    listed,
    partner,
    recheck,
    remove,
    remove_of_channel,
    scopes,
    verify,
)
from yt_platform.youtube.accounts.credentials import (
    Account,
    AccountError,
    Accounts,
    AuthorizationError,
    Stored,
    owner_secret,
)
from yt_platform.youtube.data_api.client import UnavailableError
from yt_platform_tests.sandbox.client import STARTS_AT, control
from yt_platform_tests.sandbox.consent import granted

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = 86_400


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(seed=3, channels=2, videos=20, new_per_day=1, starts_at=STARTS_AT, days=2)


@pytest.fixture
def url(world: GeneratedWorld) -> Iterator[str]:
    with serve(Sandbox(world, STARTS_AT)) as url:
        yield url


@pytest.fixture
def channel_id(world: GeneratedWorld) -> str:
    found = world.channel_with_handle("@synthetic-01")
    assert found
    return found


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "home")


def given(url: str, channel_id: str | None, at: datetime = AT, **consent: Any) -> Stored:
    """What consent gives, as `consented` returns it."""
    asked = scopes(monetary=False)
    return Stored(files.OWNER, asked, at, owner_secret(granted(url, channel_id, " ".join(asked), **consent)))


class Answering(BaseHTTPRequestHandler):
    """A token server that says one thing."""

    status, body = 200, b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Not in the tests' output."""


def free(_: str) -> None:
    """Quota is the ledger's own test's matter."""


def seen(account: Account, url: str) -> str | None:
    return verify(account, url, free)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_for_their_user_alone_and_several_accounts_lie_side_by_side(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """On the files and the table: what one account may, the other's file does not change."""
    charged: list[str] = []
    for name in ("one", "two"):
        assert add(warehouse, accounts, name, given(url, channel_id), url, charged.append).channel_id == channel_id
    assert charged == ["channels.list"] * 2
    assert accounts.names() == ["one", "two"]
    assert mode(accounts.folder) == 0o700
    assert [mode(path) for path in sorted(accounts.folder.iterdir())] == [0o600, 0o600]
    assert accounts.open("one").channel_id == channel_id
    rows = listed(warehouse)
    assert [(row.name, row.kind, row.channel_id, row.scopes, row.state) for row in rows] == [
        (name, "owner", channel_id, "youtube.readonly yt-analytics.readonly", "authorized") for name in ("one", "two")
    ]


def test_a_token_that_is_spent_is_refreshed_and_stored_again(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """A second process, which opens the file anew, must not need to refresh again."""
    add(warehouse, accounts, "one", given(url, channel_id), url, free)
    before = accounts.read("one").secret["token"]
    control(url, "clock", {"advance_seconds": 3_600})
    assert seen(accounts.open("one"), url) == channel_id
    after = accounts.read("one").secret["token"]
    assert after != before
    assert mode(accounts.path("one")) == 0o600
    assert accounts.open("one").credentials.token == after
    assert seen(accounts.open("one"), url) == channel_id
    assert accounts.read("one").secret["token"] == after


def test_a_refresh_does_not_bring_back_an_account_that_was_removed(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """By two holders of one account: a long run has it open while a person removes it."""
    add(warehouse, accounts, "one", given(url, channel_id), url, free)
    open_elsewhere = accounts.open("one")
    accounts.remove("one")
    control(url, "clock", {"advance_seconds": 3_600})
    assert seen(open_elsewhere, url) == channel_id
    assert accounts.names() == []


@pytest.mark.parametrize(
    ("consent", "later", "code", "reason", "remedy"),
    [
        ({"testing": True}, 7 * DAY, "invalid_grant", "testing mode, whose tokens die after 7 days", "Publish app"),
        ({}, None, "invalid_grant", "the owner revoked it", "accounts add"),
    ],
)
def test_a_token_that_died_is_told_with_what_to_do_and_entered(
    warehouse: Warehouse,
    accounts: Accounts,
    url: str,
    channel_id: str,
    consent: dict[str, Any],
    later: int | None,
    code: str,
    reason: str,
    remedy: str,
) -> None:
    """From the token endpoint's answer to the row that people read."""
    add(warehouse, accounts, "mine", given(url, channel_id, **consent), url, free)
    if later:
        control(url, "clock", {"advance_seconds": later})
    else:
        control(url, "revoke", {"channel_id": channel_id})
    found = check(warehouse, accounts, "mine", url, free, AT + timedelta(days=7))
    assert isinstance(found, AuthorizationError)
    assert (found.account, found.code) == ("mine", code)
    assert "account mine: " in str(found)
    assert reason in found.reason
    assert remedy in found.remedy
    [row] = listed(warehouse)
    assert (row.state, row.reason, row.remedy) == ("unauthorized", found.reason, found.remedy)
    assert (row.authorized_at, row.authorization_checked_at) == (AT, AT + timedelta(days=7))
    assert row.channel_id == channel_id
    add(warehouse, accounts, "mine", given(url, channel_id, AT + timedelta(days=8)), url, free)
    assert [(row.state, row.reason) for row in listed(warehouse)] == [("authorized", None)]


def test_an_account_without_channel_is_refused_and_the_one_before_it_stays(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """By its file: a wrong choice in the browser must not cost the account that works."""
    add(warehouse, accounts, "mine", given(url, channel_id), url, free)
    with pytest.raises(AuthorizationError, match=r"account mine: the Google account has no YouTube channel; .*brand"):
        add(warehouse, accounts, "mine", given(url, None), url, free)
    assert seen(accounts.open("mine"), url) == channel_id


def test_a_service_account_acts_for_a_content_owner(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str, tmp_path: Path
) -> None:
    """With a key file as Google's console gives it."""
    key = tmp_path / "key.json"
    key.write_text(json.dumps(control(url, "partner", {"content_owner": "CMS1", "channels": [channel_id]})))
    add(warehouse, accounts, "network", partner(key, "CMS1", scopes(monetary=True), AT), url, free)
    opened = accounts.open("network")
    assert (opened.content_owner, opened.channel_id) == ("CMS1", None)
    assert mode(accounts.path("network")) == 0o600
    [row] = listed(warehouse)
    assert (row.kind, row.content_owner) == ("content_owner", "CMS1")
    assert row.scopes == "youtube.readonly yt-analytics.readonly yt-analytics-monetary.readonly"
    with pytest.raises(AuthorizationError, match="account other: YouTube refuses it"):
        add(warehouse, accounts, "other", partner(key, "CMS2", scopes(monetary=True), AT), url, free)
    assert accounts.names() == ["network"]


def test_a_server_that_does_not_answer_says_nothing_of_the_account(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """By the row: an outage must not read as a revocation."""
    add(warehouse, accounts, "mine", given(url, channel_id), url, free)
    control(url, "faults", [{"method": "channels.list", "status": 403, "reason": "quotaExceeded"}])
    with pytest.raises(UnavailableError, match="mine"):
        check(warehouse, accounts, "mine", url, free, AT + timedelta(days=1))
    with pytest.raises(UnavailableError, match="mine"):
        check(warehouse, accounts, "mine", "http://127.0.0.1:1", free, AT + timedelta(days=1))
    assert [(row.state, row.authorization_checked_at) for row in listed(warehouse)] == [("authorized", AT)]


def test_a_refusal_in_the_middle_of_work_is_entered(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    add(warehouse, accounts, "mine", given(url, channel_id), url, free)
    enter_dead(warehouse, AuthorizationError("mine", "invalid_grant", "it was revoked", "authorise again"), AT)
    assert [(row.state, row.reason) for row in listed(warehouse)] == [("unauthorized", "it was revoked")]


def test_authorisations_are_due_after_a_week_and_alerts_follow_the_books(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """From the age of a check to the open alerts, over two accounts of which one died and one lost its file."""

    def told(at: datetime) -> dict[str, tuple[str, str]]:
        settle_alerts(warehouse, AUTHORIZATION, authorization_alerts(warehouse, at), at)
        open_now = open_of_kind(warehouse, AUTHORIZATION)
        return {subject: (alert["severity"], alert["message"]) for subject, alert in open_now.items()}

    for name in ("dies", "lost"):
        add(warehouse, accounts, name, given(url, channel_id), url, free)
    assert due(warehouse, accounts, AT + timedelta(days=7, seconds=-1)) == []
    later = AT + timedelta(days=7)
    assert due(warehouse, accounts, later) == ["dies", "lost"]
    assert told(AT + timedelta(days=14)) == {}
    overdue = told(AT + timedelta(days=14, seconds=1))
    assert overdue["dies"][1] == "was last verified on 2026-03-01. What it brought is deleted on 2026-03-31"
    assert {name: severity for name, (severity, _) in overdue.items()} == {"dies": "warning", "lost": "warning"}
    with pytest.raises(UnavailableError, match=r"dies.*; .*lost"):
        recheck(warehouse, accounts, ["dies", "lost"], "http://127.0.0.1:1", free, later)
    assert due(warehouse, accounts, later) == ["dies", "lost"]
    control(url, "revoke", {"channel_id": channel_id})
    accounts.remove("lost")
    refused = recheck(warehouse, accounts, due(warehouse, accounts, later), url, free, later)
    assert [(error.account, error.code) for error in refused] == [("dies", "invalid_grant"), ("lost", "file")]
    assert due(warehouse, accounts, later) == []
    dead = told(later)
    assert dead["dies"][0] == "error"
    assert "since 2026-03-08: Google takes its token no longer" in dead["dies"][1]
    assert "there is no account lost" in dead["lost"][1]
    for name in ("dies", "lost"):
        add(warehouse, accounts, name, given(url, channel_id, later), url, free)
    assert told(later) == {}


def test_removing_ends_the_token_at_google_too(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """With the very token, which must be worth nothing afterwards to whoever copied the file."""
    add(warehouse, accounts, "mine", given(url, channel_id), url, free)
    copied = accounts.open("mine")
    assert remove(warehouse, accounts, "mine")
    assert (accounts.names(), listed(warehouse)) == ([], [])
    with pytest.raises(AuthorizationError, match="revoked"):
        seen(copied, url)


class Browser(webbrowser.BaseBrowser):
    """Follows the address it is given, as a browser does whose owner consents at once."""

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        threading.Thread(target=self._follow, args=(url,)).start()
        return True

    def _follow(self, url: str) -> None:
        with urlopen(url, timeout=20) as page:
            page.read()


@pytest.fixture
def browser() -> None:
    webbrowser.register("test", None, Browser(), preferred=True)


def test_accounts_of_a_channel_that_is_forgotten_end_with_it(
    warehouse: Warehouse, accounts: Accounts, url: str, world: GeneratedWorld, channel_id: str
) -> None:
    """By the files and the token: an account that stayed would be entered again, with the channel's id."""
    other = world.channel_with_handle("@synthetic-02")
    for name, channel in (("one", channel_id), ("two", other), ("three", channel_id)):
        add(warehouse, accounts, name, given(url, channel), url, free)
    copied = accounts.open("three")
    assert remove_of_channel(warehouse, accounts, channel_id) == (["one", "three"], [])
    assert accounts.names() == ["two"]
    assert [row.name for row in listed(warehouse)] == ["two"]
    with pytest.raises(AuthorizationError, match="revoked"):
        seen(copied, url)
    bury(warehouse, CHANNEL, [channel_id])
    anew = given(url, channel_id)
    with pytest.raises(AccountError, match="account one was forgotten on request"):
        add(warehouse, accounts, "one", anew, url, free)
    assert [row.name for row in listed(warehouse)] == accounts.names() == ["two"]
    with pytest.raises(AuthorizationError, match="revoked"):
        seen(accounts.opened("one", anew), url)


def test_a_file_that_cannot_be_read_keeps_no_channel_from_being_forgotten(
    warehouse: Warehouse, accounts: Accounts, url: str, world: GeneratedWorld, channel_id: str
) -> None:
    """Whose it is the warehouse knows; before, one such file of anybody stopped every forgetting."""
    other = world.channel_with_handle("@synthetic-02")
    for name, channel in (("one", channel_id), ("others", other), ("theirs", channel_id)):
        add(warehouse, accounts, name, given(url, channel), url, free)
    accounts.path("others").chmod(0o644)
    accounts.path("theirs").write_text("{")
    ended, faults = remove_of_channel(warehouse, accounts, channel_id)
    assert ended == ["one", "theirs"]
    assert ["chmod 600" in faults[0], "damaged" in faults[1]] == [True, True]
    assert [row.name for row in listed(warehouse)] == accounts.names() == ["others"]


SECRET = "1//never-shown"


def stored_text(secret: object = (), **changed: object) -> bytes:
    """The file of an account that differs in something."""
    uri = "http://127.0.0.1:1/token"
    whole = {"token": "t", "expiry": None, "refresh_token": SECRET, "token_uri": uri, "client_id": "c"}
    kept = {**whole, "client_secret": "s", **dict(secret)} if isinstance(secret, dict | tuple) else secret
    told = {"kind": "owner", "scopes": [files.YOUTUBE], "authorized_at": AT.isoformat(), "secret": kept}
    return json.dumps(told | changed).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"kind": "owner", "x": "\xff\xfe"}',
        stored_text(kind="weird"),
        stored_text(kind=["owner"]),
        stored_text(scopes=5),
        stored_text(scopes=[1]),
        stored_text(authorized_at="2026-11-01T00:00:00"),
        stored_text("abc"),
        stored_text(None),
        stored_text({"refresh_token": 5}),
        stored_text({"token_uri": "https://[bad"}),
        stored_text({"expiry": "2026-11-01T01:00:00+00:00"}),
        stored_text({"expiry": "soon"}),
        stored_text({"more": 1}),
    ],
    ids=range(16),
)
def test_a_file_that_holds_no_account_is_told_as_such(accounts: Accounts, text: bytes) -> None:
    """Any other error would stop the work of all accounts, or show what is in the file."""
    accounts.folder.mkdir(parents=True)
    accounts.path("mine").write_bytes(text)
    accounts.path("mine").chmod(0o600)
    with pytest.raises(AccountError) as raised:
        accounts.open("mine")
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_folder_in_the_place_of_an_account_is_told_as_such(accounts: Accounts) -> None:
    accounts.path("mine").mkdir(parents=True)
    with pytest.raises(AccountError, match="cannot be read"):
        accounts.open("mine")


@pytest.fixture
def answering() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"hello", UnavailableError),
        (200, b"[]", UnavailableError),
        (200, b"null", UnavailableError),
        (200, b"\xff\xfe", UnavailableError),
        (200, b'{"access_token": "x", "expires_in": "abc"}', UnavailableError),
        (200, b'{"access_token": "x", "expires_in": 99999999999999}', UnavailableError),
        (200, b'{"access_token": null}', UnavailableError),
        (200, b'{"access_token": "a\\nb: c"}', UnavailableError),
        (200, b'{"access_token": "x", "refresh_token": 5}', UnavailableError),
        (200, b"{}", AuthorizationError),
        (400, b"<html>", AuthorizationError),
        (400, b"[]", UnavailableError),
        (400, b'{"error": {"a": 1}}', AuthorizationError),
        (400, b'{"error": "1//never-shown"}', AuthorizationError),
    ],
)
def test_what_no_token_server_answers_is_told_as_an_account_that_fails(
    accounts: Accounts, answering: ThreadingHTTPServer, status: int, body: bytes, error: type[Exception]
) -> None:
    """A proxy's page, say; nothing of it is kept, and nothing of the request that it may repeat is shown."""
    Answering.status, Answering.body = status, body
    text = stored_text({"token_uri": f"http://127.0.0.1:{answering.server_port}/token"})
    accounts.folder.mkdir(parents=True)
    accounts.path("mine").write_bytes(text)
    accounts.path("mine").chmod(0o600)
    with pytest.raises(error) as raised:
        accounts.open("mine").credentials.refresh(Request())
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert accounts.path("mine").read_bytes() == text


def test_a_port_that_is_taken_is_said_so(url: str, tmp_path: Path) -> None:
    client = tmp_path / "client.json"
    client.write_text(json.dumps(control(url, "client")))
    with socket.create_server(("localhost", 0)) as taken, pytest.raises(AccountError, match="cannot be listened on"):
        consented("mine", client, (files.YOUTUBE,), AT, open_browser=False, port=taken.getsockname()[1])


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize(
    ("consent", "said"),
    [({"denied": True}, "access_denied"), ({"withheld": [files.YOUTUBE]}, "tick every box"), ({}, None)],
)
def test_consent_is_given_in_full_or_refused(
    url: str, channel_id: str, tmp_path: Path, consent: dict[str, Any], said: str | None
) -> None:
    """Google's flow as the command runs it, with its server on loopback and PKCE."""
    client = tmp_path / "client.json"
    client.write_text(json.dumps(control(url, "client")))
    control(url, "consent", {"channel_id": channel_id, **consent})
    expected = pytest.raises(AuthorizationError, match=said) if said else nullcontext()
    with expected:
        asked = scopes(monetary=True)
        stored = consented("mine", client, asked, AT, open_browser=True, port=0)
        assert (stored.scopes, bool(stored.secret["refresh_token"])) == (asked, True)
    assert "OAUTHLIB_INSECURE_TRANSPORT" not in os.environ


def test_what_is_no_usable_account_is_named_with_its_remedy(accounts: Accounts, tmp_path: Path) -> None:
    """Each mistake a person can make with files, by its message."""
    with pytest.raises(AccountError, match=r"no account mine; .*accounts add.*none yet"):
        accounts.open("mine")
    for name in ("../mine", "Mine", "", "a.b"):
        with pytest.raises(AccountError, match="cannot name an account"):
            accounts.open(name)
    client = {"client_id": "c", "client_secret": "s"}
    secret = {"token_uri": "http://example.org/token", "refresh_token": "1//abc", **client}
    accounts.write("mine", Stored(files.OWNER, (), AT, secret))
    with pytest.raises(AccountError, match="no https"):
        accounts.open("mine")
    accounts.write("mine", Stored(files.OWNER, (), AT, {"token_uri": "https://example.org/token", "token": "ya29.x"}))
    with pytest.raises(AccountError, match="damaged"):
        accounts.open("mine")
    accounts.path("mine").chmod(0o640)
    with pytest.raises(AccountError, match="chmod 600"):
        accounts.open("mine")
    accounts.path("mine").chmod(0o600)
    accounts.path("mine").write_text('{"kind": "owner"')
    with pytest.raises(AccountError, match="damaged"):
        accounts.open("mine")
    for content in ("", "[]", '{"web": {}}', '{"installed": {"client_id": "x"}}'):
        (tmp_path / "client.json").write_text(content)
        with pytest.raises(AccountError, match=r"no desktop client|cannot be read"):
            consented("mine", tmp_path / "client.json", (), AT, open_browser=True, port=0)
    (tmp_path / "key.json").write_text('{"type": "authorized_user"}')
    with pytest.raises(AccountError, match="no key of a service account"):
        partner(tmp_path / "key.json", "CMS1", (), AT)


def test_no_secret_shows_in_what_is_printed_of_an_account(
    warehouse: Warehouse, accounts: Accounts, url: str, channel_id: str
) -> None:
    """By every way an account is turned to text, and by what strikes secrets out of alerts."""
    add(warehouse, accounts, "mine", given(url, channel_id), url, free)
    stored, opened = accounts.read("mine"), accounts.open("mine")
    control(url, "revoke", {"channel_id": channel_id})
    error = check(warehouse, accounts, "mine", url, free, AT)
    text = f"{stored!r} {stored} {opened!r} {opened} {opened.credentials!r} {error!r} {error} {listed(warehouse)}"
    secrets = [str(stored.secret[name]) for name in ("token", "refresh_token", "client_secret")]
    assert all(len(secret) > 20 for secret in secrets)
    assert not [secret for secret in secrets if secret in text]
    struck = without_secrets("it said " + ", then ".join(secrets) + " and ended")
    assert not [secret for secret in secrets if secret in struck]
