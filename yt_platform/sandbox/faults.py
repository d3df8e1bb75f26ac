"""Faults by rule: which calls fail, and how.

Here: the rules, their checking, and which of them strikes a call. Not here: how an answer is delayed or cut on the
wire (`server.py`).
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any, get_args

from yt_platform.sandbox import analytics
from yt_platform.sandbox.errors import ApiError, ReasonPlace, usual_reason
from yt_platform.sandbox.methods import METHODS
from yt_platform.sandbox.reporting import REPORTING_METHODS


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One rule. It looks at calls of `method` (any unless given) that name `item` (a video, channel, playlist or
    comment id or handle; any unless given), with `later_pages` alone at those with a page token, and strikes the `nth`
    of them from 1, all `after` so many, `every` so many, with probability `rate` (drawn from `seed`), or all; at most
    `times` times.

    What a strike does: answers `status` with `reason`, of which one implies the other (and with `retry_after`
    seconds, the reason where `reason_in` says, another `message`, and the name of a `quota_limit` in the details), or
    `cut`s the connection in the middle of the body, or answers `garbage` instead of JSON, or this `body` with `status`
    (200 unless given); after `latency` seconds, which may stand alone. Raises ValueError for rules that contradict
    themselves.
    """

    method: str | None = None
    item: str | None = None
    later_pages: bool = False
    nth: int | None = None
    after: int | None = None
    every: int | None = None
    rate: float | None = None
    seed: int = 0
    times: int | None = None
    status: int | None = None
    reason: str | None = None
    reason_in: ReasonPlace = "both"
    message: str | None = None
    quota_limit: str | None = None
    retry_after: int | None = None
    latency: float = 0.0
    cut: bool = False
    garbage: bool = False
    body: str | None = None

    def __post_init__(self) -> None:
        known = [*METHODS, *REPORTING_METHODS, analytics.METHOD]
        if self.method is not None and self.method not in known:
            raise ValueError(f"fault for an unknown method {self.method!r}; there are {', '.join(known)}")
        if sum(chosen is not None for chosen in (self.nth, self.after, self.every, self.rate)) > 1:
            raise ValueError(f"a fault strikes by one of nth, every and rate, or after so many: {self}")
        told = self.body is not None
        is_error = self.reason is not None or (self.status is not None and not told)
        effects = (is_error, self.cut, self.garbage, told)
        if sum(effects) > 1:
            raise ValueError(f"a fault has one effect of reason or status, cut, garbage and body: {self}")
        if not (any(effects) or self.latency > 0):
            raise ValueError(f"a fault without effect: give reason or status, cut, garbage, body or latency: {self}")
        if self.reason_in not in get_args(ReasonPlace):
            raise ValueError(f"reason_in is one of {', '.join(get_args(ReasonPlace))}, not {self.reason_in!r}")

    @classmethod
    def parse(cls, rule: Mapping[str, Any]) -> "Fault":
        """A rule from JSON, with the names of this class. Raises ValueError for others and contradictions."""
        known = {field.name for field in fields(cls)}
        unknown = rule.keys() - known
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        return cls(**rule)

    def error(self) -> ApiError | None:
        """The error to answer with, None for other effects."""
        if self.body is not None or (self.reason is None and self.status is None):
            return None
        reason = self.reason or usual_reason(self.status)
        return ApiError(reason, self.message, status=self.status, quota_limit=self.quota_limit)


class _Armed:
    """A rule with its own count of calls and of strikes left."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0
        self._left = fault.times
        self._random = random.Random(fault.seed)

    def is_due(self, method: str, items: frozenset[str], is_later_page: bool) -> bool:
        """Counts the call if it is one of the rule's, and says whether the rule would strike it."""
        fault = self.fault
        if (fault.method not in (None, method)) or (fault.item is not None and fault.item not in items):
            return False
        if fault.later_pages and not is_later_page:
            return False
        self._seen += 1
        return self._is_turn() and self._left != 0

    def strike(self) -> None:
        if self._left is not None:
            self._left -= 1

    def _is_turn(self) -> bool:
        fault = self.fault
        if fault.nth is not None:
            return self._seen == fault.nth
        if fault.after is not None:
            return self._seen > fault.after
        if fault.every is not None:
            return self._seen % fault.every == 0
        return fault.rate is None or self._random.random() < fault.rate


class Faults:
    """The rules in force; the first that strikes a call decides, and every rule counts every call."""

    def __init__(self, rules: Iterable[Fault] = ()) -> None:
        self._lock = Lock()
        self.strikes = 0
        self.replace(rules)

    def replace(self, rules: Iterable[Fault]) -> None:
        """Other rules from the next call on, with fresh counts."""
        armed = [_Armed(rule) for rule in rules]
        with self._lock:
            self._rules = armed

    def strike(self, method: str, items: frozenset[str], is_later_page: bool = False) -> Fault | None:
        """The fault of this call, if any. `items` are the ids and handles that the call names."""
        with self._lock:
            due = [rule for rule in self._rules if rule.is_due(method, items, is_later_page)]
            if not due:
                return None
            due[0].strike()
            self.strikes += 1
            return due[0].fault
