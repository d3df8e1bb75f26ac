"""Google's client on a sandbox, and what its errors say."""

import json
from datetime import datetime
from typing import Any
from urllib.request import Request, urlopen

from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from yt_platform.sandbox import KEY

STARTS_AT = datetime.fromisoformat("2026-03-01T12:00:00Z")


def youtube(url: str, key: str = KEY) -> Any:
    """The unmodified client, as a context manager."""
    return build("youtube", "v3", developerKey=key, static_discovery=True, client_options={"api_endpoint": url})


def reasons(error: HttpError) -> set[str]:
    """The reasons of an error body, wherever they stand."""
    body = json.loads(error.content)["error"]
    return {entry["reason"] for place in ("errors", "details") for entry in body.get(place, ()) if "reason" in entry}


def pages(resource: Any, **parameters: Any) -> list[dict[str, Any]]:
    """Every page of a listing, followed as the client follows it."""
    found = []
    request = resource.list(**parameters)
    while request is not None:
        found.append(request.execute())
        request = resource.list_next(request, found[-1])
    return found


def control(url: str, name: str, content: Any = None) -> Any:
    """GET or, with content, PUT on one of the sandbox's own endpoints."""
    data = None if content is None else json.dumps(content).encode()
    with urlopen(Request(f"{url}/sandbox/{name}", data, method="PUT" if data else "GET"), timeout=10) as answer:
        return json.load(answer)
