"""Google's own libraries against the sandbox's authorisation server, over HTTP: they are the oracle of what it says."""

from typing import Any
from urllib.error import HTTPError

import google_auth_httplib2
import httplib2
import pytest
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from google.oauth2.service_account import Credentials as ServiceAccount
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from yt_platform.sandbox import GeneratedWorld, Sandbox
from yt_platform.sandbox.oauth import ANALYTICS, YOUTUBE
from yt_platform_tests.sandbox.client import control, reasons
from yt_platform_tests.sandbox.consent import consent_code, granted, post, token

DAY = 86_400


def own_channels(url: str, credentials: Any, **asked: Any) -> list[str]:
    options = {"api_endpoint": url}
    with build("youtube", "v3", credentials=credentials, client_options=options, static_discovery=True) as api:
        return [item["id"] for item in api.channels().list(part="id", **(asked or {"mine": True})).execute()["items"]]


@pytest.fixture
def channel_id(world: GeneratedWorld, sandbox: Sandbox) -> str:
    found = world.channel_with_handle("@synthetic-01")
    assert found
    return found


def test_an_owner_sees_the_channel_and_a_spent_token_is_refreshed(url: str, channel_id: str) -> None:
    """The client asks for a new token after a 401 by itself, and the call it repeats is answered."""
    credentials = granted(url, channel_id)
    assert own_channels(url, credentials) == [channel_id]
    first = credentials.token
    control(url, "clock", {"advance_seconds": 3_600})
    assert own_channels(url, credentials) == [channel_id]
    assert credentials.token != first


def test_an_account_without_channel_has_none(url: str) -> None:
    assert own_channels(url, granted(url, None)) == []


@pytest.mark.parametrize("ended", ["testing", "by the owner", "by the client"])
def test_a_token_dies(url: str, channel_id: str, ended: str) -> None:
    """Tokens of a consent screen in testing mode after 7 days, others when they are revoked."""
    credentials = granted(url, channel_id, testing=ended == "testing")
    http = httplib2.Http()
    request = google_auth_httplib2.Request(http)
    control(url, "clock", {"advance_seconds": 7 * DAY - 60})
    credentials.refresh(request)
    if ended == "testing":
        control(url, "clock", {"advance_seconds": 60})
    elif ended == "by the owner":
        assert control(url, "revoke", {"channel_id": channel_id}) == {"revoked": 1}
    else:
        assert post(f"{url}/revoke", {"token": str(credentials.refresh_token)}) == (200, {})
        assert post(f"{url}/revoke", {"token": str(credentials.refresh_token)})[0] == 400
    with pytest.raises(RefreshError, match="invalid_grant"):
        credentials.refresh(request)
    http.close()
    if ended != "testing":
        with pytest.raises(RefreshError, match="invalid_grant"):
            own_channels(url, credentials)


def test_a_published_consent_screen_gives_tokens_that_last(url: str, channel_id: str) -> None:
    credentials = granted(url, channel_id)
    control(url, "clock", {"advance_seconds": 100 * DAY})
    assert own_channels(url, credentials) == [channel_id]


def test_a_token_without_the_scope_is_refused(url: str, channel_id: str) -> None:
    with pytest.raises(HttpError) as caught:
        own_channels(url, granted(url, channel_id, ANALYTICS))
    assert caught.value.status_code == 403
    assert "insufficientPermissions" in reasons(caught.value)


def test_an_invented_token_is_no_api_key(url: str) -> None:
    """Without a refresh token the client gives the 401 to its caller."""
    with pytest.raises((HttpError, RefreshError)):
        own_channels(url, Credentials("ya29.invented"))


def test_a_service_account_acts_for_its_content_owner_alone(url: str, channel_id: str) -> None:
    """Its assertion is signed by Google's library and verified by the server with the other half of the key."""
    key = control(url, "partner", {"content_owner": "CMS1", "channels": [channel_id]})
    credentials = ServiceAccount.from_service_account_info(key, scopes=[YOUTUBE])
    asked = {"managedByMe": True}
    assert own_channels(url, credentials, onBehalfOfContentOwner="CMS1", **asked) == [channel_id]
    with pytest.raises(HttpError) as caught:
        own_channels(url, credentials, onBehalfOfContentOwner="CMS2", **asked)
    assert caught.value.status_code == 403
    other = control(url, "partner", {"content_owner": "CMS3", "channels": []})
    forged = {**key, "private_key": other["private_key"], "client_email": "nobody@example.org"}
    with pytest.raises(RefreshError, match="account not found"):
        own_channels(url, ServiceAccount.from_service_account_info(forged, scopes=[YOUTUBE]), mine=True)


def test_a_code_is_taken_once_by_its_client_with_its_verifier(url: str) -> None:
    """Each refusal in the words of RFC 6749."""
    form = {"grant_type": "authorization_code", "redirect_uri": "http://localhost:1/"}
    code = consent_code(url)
    assert token(url, code=code, **form)[0] == 200
    assert token(url, code=code, **form)[1]["error"] == "invalid_grant"
    assert (
        token(url, code=consent_code(url, code_challenge="x"), code_verifier="y", **form)[1]["error"] == "invalid_grant"
    )
    assert token(url, code=consent_code(url), client_secret="guess", **form) == (
        401, {"error": "invalid_client", "error_description": "The OAuth client was not found."}
    )  # fmt: skip
    assert token(url, grant_type="password")[1]["error"] == "unsupported_grant_type"
    late = consent_code(url)
    control(url, "clock", {"advance_seconds": 600})
    assert token(url, code=late, **form)[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("name", "content"), [("consent", {"testing": True}), ("revoke", {}), ("partner", {"content_owner": "x"})]
)
def test_what_control_cannot_follow_is_400(url: str, name: str, content: Any) -> None:
    """A test that plans an owner wrongly must fail there."""
    with pytest.raises(HTTPError) as caught:
        control(url, name, content)
    caught.value.close()
    assert caught.value.code == 400
