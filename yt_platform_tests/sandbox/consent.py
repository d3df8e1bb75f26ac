"""Owners who consent at a sandbox: the steps of a browser and of the token endpoint, one by one."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener, urlopen

import pytest
from google.oauth2.credentials import Credentials

from yt_platform.sandbox.oauth import YOUTUBE
from yt_platform_tests.sandbox.client import control


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def consent_code(url: str, scope: str = YOUTUBE, **more: str) -> str:
    """The code in the redirect of a consent screen."""
    client = control(url, "client")["installed"]
    asked = {"client_id": client["client_id"], "redirect_uri": "http://localhost:1/", "scope": scope, **more}
    with pytest.raises(HTTPError) as caught:
        build_opener(_Stay).open(f"{client['auth_uri']}?{urlencode(asked)}", timeout=10)
    with caught.value as answer:
        assert answer.code == 302
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def token(url: str, **form: str) -> Any:
    """What the token endpoint answers: status and error, or the tokens."""
    client = control(url, "client")["installed"]
    body = {"client_id": client["client_id"], "client_secret": client["client_secret"], **form}
    return post(client["token_uri"], body)


def post(url: str, form: dict[str, str]) -> tuple[int, Any]:
    try:
        with urlopen(url, urlencode(form).encode(), timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def granted(url: str, channel_id: str | None, scope: str = YOUTUBE, **consent: Any) -> Credentials:
    """Credentials of an owner who consented."""
    control(url, "consent", {"channel_id": channel_id, **consent})
    form = {"grant_type": "authorization_code", "redirect_uri": "http://localhost:1/"}
    status, tokens = token(url, code=consent_code(url, scope), **form)
    assert status == 200
    client = control(url, "client")["installed"]
    named = {name: client[name] for name in ("token_uri", "client_id", "client_secret")}
    return Credentials(tokens["access_token"], refresh_token=tokens["refresh_token"], **named)
