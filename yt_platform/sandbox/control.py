"""The sandbox's own endpoints under /sandbox/: its clock, faults, counts and owners, as JSON and free of charge.

    GET  /sandbox/clock   {"now": "2026-03-01T12:00:00+00:00", "real": false}
    PUT  /sandbox/clock   {"now": TIME} stands there, {"advance_seconds": N} moves on, {"real": true} runs
    PUT  /sandbox/faults  [{...}, ...] in the names of `faults.Fault`; replaces all rules
    GET  /sandbox/usage   what `Sandbox.usage` says
    GET  /sandbox/client  a client-secrets file that names this sandbox
    PUT  /sandbox/consent {"channel_id": ID or null, ...} in the names of `oauth.Consent`: who consents from now on
    PUT  /sandbox/revoke  {"channel_id": ID or null}: the owner ends every grant
    PUT  /sandbox/partner {"content_owner": ID, "channels": [ID, ...]}: the key of a service account that acts for them
    PUT  /sandbox/push    {"channel_id": ID, "video_id": ID} lets the hub tell its subscriber of the video
    PUT  /sandbox/hub     {"closed_until": TIME or null}: until then the hub answers requests with 503

A request that cannot be followed is answered with 400 (404 for another path or verb) and {"error": why}.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from yt_platform.sandbox.faults import Fault
from yt_platform.sandbox.oauth import Consent
from yt_platform.sandbox.sandbox import Answer, Request, Sandbox

PREFIX = "/sandbox/"


def control(sandbox: Sandbox, request: Request) -> Answer:
    """The answer to a request below PREFIX."""
    command = _COMMANDS.get((request.verb, request.path.removeprefix(PREFIX)))
    if command is None:
        known = ", ".join(f"{verb} {PREFIX}{name}" for verb, name in _COMMANDS)
        return _answer(404, {"error": f"no {request.verb} {request.path} here; there are {known}"})
    try:
        return _answer(200, command(sandbox, request))
    except (ValueError, TypeError) as error:  # what parsing JSON and its values raises
        return _answer(400, {"error": str(error)})


def _get_clock(sandbox: Sandbox, _: Request) -> dict[str, Any]:
    return {"now": sandbox.clock.now().isoformat(), "real": sandbox.clock.is_real}


def _put_clock(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    match json.loads(request.body):
        case {"now": str(text), **others} if not others:
            sandbox.clock.set(datetime.fromisoformat(text))
        case {"advance_seconds": int() | float() as seconds, **others} if not others:
            sandbox.clock.advance(timedelta(seconds=seconds))
        case {"real": True, **others} if not others:
            sandbox.clock.set(None)
        case other:
            raise ValueError(f'expected {{"now": TIME}}, {{"advance_seconds": N}} or {{"real": true}}, got {other!r}')
    return _get_clock(sandbox, request)


def _put_faults(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    rules = json.loads(request.body)
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("expected a JSON list of rules")
    faults = [Fault.parse(rule) for rule in rules]
    sandbox.faults.replace(faults)
    return {"rules": len(faults)}


def _put_push(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    match json.loads(request.body):
        case {"channel_id": str(channel), "video_id": str(video), **others} if not others:
            return {"status": sandbox.hub.publish(channel, video)}
        case other:
            raise ValueError(f'expected {{"channel_id": ID, "video_id": ID}}, got {other!r}')


def _put_hub(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    match json.loads(request.body):
        case {"closed_until": str() | None as text, **others} if not others:
            until = datetime.fromisoformat(text) if text else None
            if until and not until.tzinfo:
                raise ValueError(f"expected a time with its zone, got {text!r}")
            sandbox.hub.closed_until = until
            return {"closed_until": text}
        case other:
            raise ValueError(f'expected {{"closed_until": TIME or null}}, got {other!r}')


def _get_usage(sandbox: Sandbox, _: Request) -> dict[str, Any]:
    return sandbox.usage()


def _get_client(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    return sandbox.authorizations.client_secrets(_url(request))


def _put_consent(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    sandbox.authorizations.consent = Consent.parse(json.loads(request.body))
    return asdict(sandbox.authorizations.consent)


def _put_revoke(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    match json.loads(request.body):
        case {"channel_id": str() | None as channel_id, **others} if not others:
            return {"revoked": sandbox.authorizations.revoke_channel(channel_id)}
        case other:
            raise ValueError(f'expected {{"channel_id": ID or null}}, got {other!r}')


def _put_partner(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    match json.loads(request.body):
        case {"content_owner": str(owner), "channels": list(channels), **others} if not others:
            return sandbox.authorizations.service_account_key(_url(request), owner, tuple(map(str, channels)))
        case other:
            raise ValueError(f'expected {{"content_owner": ID, "channels": [ID, ...]}}, got {other!r}')


def _url(request: Request) -> str:
    return f"http://{request.headers['host']}"


_COMMANDS: dict[tuple[str, str], Callable[[Sandbox, Request], dict[str, Any]]] = {
    ("GET", "clock"): _get_clock,
    ("PUT", "clock"): _put_clock,
    ("PUT", "faults"): _put_faults,
    ("GET", "usage"): _get_usage,
    ("GET", "client"): _get_client,
    ("PUT", "consent"): _put_consent,
    ("PUT", "revoke"): _put_revoke,
    ("PUT", "partner"): _put_partner,
    ("PUT", "push"): _put_push,
    ("PUT", "hub"): _put_hub,
}


def _answer(status: int, content: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(content, indent=2).encode())
