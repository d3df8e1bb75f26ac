"""The methods of the API and their parameters, read from the discovery document inside google-api-python-client.

Here: what that document can say of a request (names, types, enums, ranges, what is required, which parts exist). Not
here: rules that stand in prose only, such as 50 ids per call and which filters exclude each other (`methods.py`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from googleapiclient.discovery_cache import get_static_doc

from yt_platform.sandbox.errors import ApiError

Parameters = dict[str, Any]
"""Parsed values by name: list of str where repeated, else str, int or bool; defaults are filled in."""

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_HEAD = {"kind", "etag", "id"}


@dataclass(frozen=True)
class Parameter:
    """One query parameter; ranges are None where the document has none."""

    name: str
    type: str
    format: str
    repeated: bool
    required: bool
    choices: tuple[str, ...]
    minimum: int | None
    maximum: int | None
    default: str | None

    def parse(self, texts: list[str]) -> Any:
        """Raises ApiError 400 for a value of another type, outside the range or not among the choices."""
        if self.repeated:
            return [item for text in texts for item in text.split(",") if item]
        if len(texts) > 1:
            raise self._invalid(f"Invalid value at '{self.name}', it must not be repeated.")
        text = texts[0]
        if self.type == "integer":
            return self._integer(text)
        if self.type == "boolean":
            if text.lower() not in _BOOLEANS:
                raise self._invalid(f"Invalid value at '{self.name}' (TYPE_BOOL), \"{text}\"")
            return _BOOLEANS[text.lower()]
        if self.choices and text not in self.choices:
            raise self._invalid(f"Invalid value at '{self.name}' (TYPE_ENUM), \"{text}\"")
        return text

    def _integer(self, text: str) -> int:
        if not text.removeprefix("-").isdecimal() or not text.isascii():
            raise self._invalid(f"Invalid value at '{self.name}' (TYPE_{self.format.upper()}), \"{text}\"")
        value = int(text)
        low = self.minimum if self.minimum is not None else -(2**31)
        high = self.maximum if self.maximum is not None else 2**31 - 1
        if not low <= value <= high:
            raise self._invalid(f"Invalid value '{text}'. Values must be within the range: [{low}, {high}]")
        return value

    def _invalid(self, message: str) -> ApiError:
        return ApiError("invalidParameter", message, status=400, location=self.name)


@dataclass(frozen=True)
class Method:
    """One method: `name` such as `videos.list`, `parts` that may be asked for, `kind` of its answer."""

    name: str
    verb: str
    path: str
    parameters: dict[str, Parameter]
    parts: frozenset[str]
    kind: str

    def parse(self, query: Iterable[tuple[str, str]]) -> Parameters:
        """Values of a query. Raises ApiError 400: unknown name, wrong value, missing required, unknown part."""
        texts: dict[str, list[str]] = {}
        for name, text in query:
            texts.setdefault(name, []).append(text)
        for name in texts:
            if name not in self.parameters:
                message = (
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                    f"Field '{name}' could not be found in request message."
                )
                raise ApiError("invalid", message, status=400)
        values = {name: self.parameters[name].parse(given) for name, given in texts.items()}
        for name, parameter in self.parameters.items():
            if parameter.required and not values.get(name):
                raise missing(f"'{name}'", "youtube.part" if name == "part" else "youtube.parameter", name)
            if parameter.default is not None and name not in values:
                values[name] = parameter.parse([parameter.default])
        for part in values.get("part", ()):
            if part not in self.parts:
                raise ApiError("unknownPart", f"'{part}'", status=400, domain="youtube.part", location="part")
        return values


def missing(message: str, domain: str, location: str) -> ApiError:
    return ApiError("missingRequiredParameter", message, status=400, domain=domain, location=location)


@cache
def methods() -> dict[tuple[str, str], Method]:
    """Every method by HTTP verb and path, the path with a leading slash. Paths that hold a variable are left out."""
    document = discovery_document()
    common = document["parameters"]
    found = [
        _method(resource, name, spec, common, document["schemas"])
        for resource, holder in document["resources"].items()
        for name, spec in holder.get("methods", {}).items()
        if "{" not in spec["path"]
    ]
    return {(method.verb, method.path): method for method in found}


@cache
def discovery_document() -> dict[str, Any]:
    """The document that the client's `build(..., static_discovery=True)` reads."""
    document: dict[str, Any] = json.loads(get_static_doc("youtube", "v3"))
    return document


def _method(resource: str, name: str, spec: dict[str, Any], common: dict[str, Any], schemas: dict[str, Any]) -> Method:
    response = schemas.get(spec.get("response", {}).get("$ref"), {}).get("properties", {})
    item = schemas.get(response.get("items", {}).get("items", {}).get("$ref"), {})
    return Method(
        name=f"{resource}.{name}",
        verb=spec["httpMethod"],
        path=f"/{spec['path']}",
        parameters={key: _parameter(key, value) for key, value in (common | spec.get("parameters", {})).items()},
        parts=frozenset(item.get("properties", {}).keys() - _HEAD | {"id"}),
        kind=response.get("kind", {}).get("default", ""),
    )


def _parameter(name: str, spec: dict[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        type=spec["type"],
        format=spec.get("format", ""),
        repeated=spec.get("repeated", False),
        required=spec.get("required", False),
        choices=tuple(spec.get("enum", ())),
        minimum=int(spec["minimum"]) if "minimum" in spec else None,
        maximum=int(spec["maximum"]) if "maximum" in spec else None,
        default=spec.get("default"),
    )
