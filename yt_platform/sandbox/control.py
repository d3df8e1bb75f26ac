"""The sandbox's own endpoints under /sandbox/: its clock, its faults and its counts, as JSON and free of charge.

    GET  /sandbox/clock   {"now": "2026-03-01T12:00:00+00:00", "real": false}
    PUT  /sandbox/clock   {"now": TIME} stands there, {"advance_seconds": N} moves on, {"real": true} runs
    PUT  /sandbox/faults  [{...}, ...] in the names of `faults.Fault`; replaces all rules
    GET  /sandbox/usage   what `Sandbox.usage` says

A request that cannot be followed is answered with 400 (404 for another path or verb) and {"error": why}.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from yt_platform.sandbox.faults import Fault
from yt_platform.sandbox.sandbox import Answer, Request, Sandbox

PREFIX = "/sandbox/"


def control(sandbox: Sandbox, request: Request) -> Answer:
    """The answer to a request below PREFIX."""
    command = _COMMANDS.get((request.verb, request.path.removeprefix(PREFIX)))
    if command is None:
        known = ", ".join(f"{verb} {PREFIX}{name}" for verb, name in _COMMANDS)
        return _answer(404, {"error": f"no {request.verb} {request.path} here; there are {known}"})
    try:
        return _answer(200, command(sandbox, request.body))
    except (ValueError, TypeError) as error:  # what parsing JSON and its values raises
        return _answer(400, {"error": str(error)})


def _get_clock(sandbox: Sandbox, _: bytes) -> dict[str, Any]:
    return {"now": sandbox.clock.now().isoformat(), "real": sandbox.clock.is_real}


def _put_clock(sandbox: Sandbox, body: bytes) -> dict[str, Any]:
    match json.loads(body):
        case {"now": str(text), **others} if not others:
            sandbox.clock.set(datetime.fromisoformat(text))
        case {"advance_seconds": int() | float() as seconds, **others} if not others:
            sandbox.clock.advance(timedelta(seconds=seconds))
        case {"real": True, **others} if not others:
            sandbox.clock.set(None)
        case other:
            raise ValueError(f'expected {{"now": TIME}}, {{"advance_seconds": N}} or {{"real": true}}, got {other!r}')
    return _get_clock(sandbox, b"")


def _put_faults(sandbox: Sandbox, body: bytes) -> dict[str, Any]:
    rules = json.loads(body)
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("expected a JSON list of rules")
    faults = [Fault.parse(rule) for rule in rules]
    sandbox.faults.replace(faults)
    return {"rules": len(faults)}


def _get_usage(sandbox: Sandbox, _: bytes) -> dict[str, Any]:
    return sandbox.usage()


_COMMANDS: dict[tuple[str, str], Callable[[Sandbox, bytes], dict[str, Any]]] = {
    ("GET", "clock"): _get_clock,
    ("PUT", "clock"): _put_clock,
    ("PUT", "faults"): _put_faults,
    ("GET", "usage"): _get_usage,
}


def _answer(status: int, content: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(content, indent=2).encode())
