"""The `fields` parameter: a selection such as `nextPageToken,items(id,snippet/title)` applied to an answer.

Spoken: names, `/`, `( )`, and `*` for all. A name that the answer lacks selects nothing, as with absent fields.
"""

import re
from typing import Any

from yt_platform.sandbox.errors import ApiError

_SYNTAX = re.compile(r"[A-Za-z0-9_]+|[*/(),]")
Selection = dict[str, "Selection | None"]


def select(answer: Any, fields: str) -> Any:
    """The selected part of an answer. Raises ApiError 400 for a text that is no selection."""
    words = _SYNTAX.findall(fields)
    if "".join(words) != fields:
        raise _invalid(fields)
    selection, rest = _selection(words, fields)
    if rest:
        raise _invalid(fields)
    return _pick(answer, selection)


def _selection(words: list[str], fields: str) -> tuple[Selection, list[str]]:
    found: Selection = {}
    while True:
        name, inner, words = _path(words, fields)
        held = found.get(name, {})
        found[name] = None if inner is None or held is None else {**held, **inner}
        if not words or words[0] != ",":
            return found, words
        words = words[1:]


def _path(words: list[str], fields: str) -> tuple[str, Selection | None, list[str]]:
    if not words or words[0] in "/(),":
        raise _invalid(fields)
    name, rest = words[0], words[1:]
    if rest and rest[0] == "/":
        inner_name, inner, rest = _path(rest[1:], fields)
        return name, {inner_name: inner}, rest
    if rest and rest[0] == "(":
        selection, rest = _selection(rest[1:], fields)
        if not rest or rest[0] != ")":
            raise _invalid(fields)
        return name, selection, rest[1:]
    return name, None, rest


def _pick(value: Any, selection: Selection | None) -> Any:
    if selection is None:
        return value
    if isinstance(value, list):
        return [_pick(item, selection) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in selection:
        return {name: _pick(item, selection["*"]) for name, item in value.items()}
    return {name: _pick(item, selection[name]) for name, item in value.items() if name in selection}


def _invalid(fields: str) -> ApiError:
    return ApiError("invalidParameter", f"Invalid field selection {fields}", status=400, location="fields")
