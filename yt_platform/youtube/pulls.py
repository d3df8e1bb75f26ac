"""A pull: answers of one raw endpoint on their way into the store, with the state that follows from them.

Answers, their row in the catalogue and the state of channels and videos are committed together, so a killed pull
loses at most the answers since the last commit, which are still due. Which calls to make is
`youtube/data_api/collecting.py`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date
from types import TracebackType
from typing import Any, LiteralString

import psycopg

from yt_platform.progress import Progress
from yt_platform.storage.raw import Answer, RawStore
from yt_platform.tombstones.ids import Tombstones, Without
from yt_platform.tombstones.store import NONE_MEANWHILE, tombstones
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.client import ThrottledError, UnavailableError
from yt_platform.youtube.data_api.ledger import QuotaExhaustedError

FAILURES_IN_A_ROW = 3
"""After so many calls that failed to the last try YouTube itself is taken to be out of reach, and the pull ends."""

ANSWERS_PER_COMMIT = 100
"""Answers held in memory: 100 of 50 videos with their metadata are about 10 MB."""

Update = tuple[LiteralString, Mapping[str, Any]]
"""A statement that moves the state on, and its parameters; it is left out where one of them was forgotten meanwhile."""


@dataclass
class Collected:
    """What a collection did: answers kept, items left out as they were forgotten, items skipped with the reason, and
    what quota kept from it."""

    answers: int = 0
    forgotten: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    missing: str | None = None


class OutOfReachError(RuntimeError):
    """YouTube keeps failing; the message says with what."""


@dataclass(frozen=True)
class Origin:
    """How a pull is labelled: run, source of its rows, and whether they are synthetic."""

    run_id: str
    synthetic: bool


class Pull:
    """One endpoint's answers, in `steps` steps. When quota runs out in its block, or YouTube keeps failing or slows it
    down, the block ends there and what is missing is said; what was answered before is kept whatever happens.

    `source` is that of the batches: api, or report of what an owner alone is told, which costs no quota."""

    def __init__(
        self,
        url: str,
        store: RawStore,
        endpoint: str,
        origin: Origin,
        steps: int,
        of: str,
        progress: Progress,
        source: str = "api",
    ) -> None:
        self.collected = Collected()
        self._url, self._store, self._endpoint, self._origin, self._source = url, store, endpoint, origin, source
        self._steps, self._of, self._progress = steps, of, progress
        self.is_answered = False
        self._done = self._failures = self._due = 0
        self._answers: list[Answer] = []
        self._updates: list[Update] = []

    def __enter__(self) -> "Pull":
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        self._commit()
        if isinstance(error, QuotaExhaustedError | OutOfReachError | ThrottledError):
            self.collected.missing = f"{self._steps - self._done:,} of {self._steps:,} {self._of}: {error}"
            return True
        return False

    def keep(self, answers: Sequence[Answer], updates: Sequence[Update]) -> None:
        """A step's answers, and the state once they are kept."""
        self.keep_part(answers, updates)
        self._done += 1
        if len(self._answers) >= ANSWERS_PER_COMMIT:
            self._commit()
        self._progress(self._done, self._steps, f"raw.{self._endpoint.partition('_')[2]}, {self._of}")

    def keep_part(self, answers: Sequence[Answer], updates: Sequence[Update]) -> None:
        """What there is of a step that is cut short."""
        if answers:
            self.answered()
        self._answers += answers
        self._updates += updates

    def answered(self) -> None:
        """YouTube answers, so that what failed before was not an outage."""
        self.is_answered = True
        self._failures = 0

    def skip(self, item: str, reason: str) -> None:
        self.collected.skipped[item] = reason

    def fail(self, items: Sequence[str], error: UnavailableError) -> None:
        """Items whose call failed to the last try: they stay due. Raises OutOfReachError after several in a row."""
        for item in items:
            self.skip(item, str(error))
        self._due += len(items)
        self.collected.missing = f"{self._due:,} items stay due: {error}"
        self._failures += 1
        if self._failures == FAILURES_IN_A_ROW:
            raise OutOfReachError(f"YouTube is out of reach: {error}") from error

    def _commit(self) -> None:
        days: dict[date, list[Answer]] = {}
        with psycopg.connect(self._url) as connection:
            connection.execute(NONE_MEANWHILE)
            ids = tombstones(Warehouse(self._url))
            answers = self._without(ids)
            for answer in answers:
                days.setdefault(answer.collected_at.astimezone(UTC).date(), []).append(answer)
            for day, found in days.items():
                file = self._store.write_answers(self._endpoint, day, found)
                connection.execute(
                    "INSERT INTO raw.batches (source, endpoint, partition_day, collected_at, path, sha256, bytes, "
                    "row_count, quota_units, synthetic, run_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
                    "ON CONFLICT (endpoint, partition_day, sha256) DO NOTHING",
                    (
                        self._source,
                        self._endpoint,
                        day,
                        max(answer.collected_at for answer in found),
                        file.path,
                        file.sha256,
                        file.bytes,
                        file.rows,
                        file.rows if self._source == "api" else 0,
                        self._origin.synthetic,
                        self._origin.run_id,
                    ),
                )
            for statement, parameters in self._updates:
                if not any(value in ids for value in parameters.values()):
                    connection.execute(statement, parameters)
        self.collected.answers += len(answers)
        self._answers, self._updates = [], []

    def _without(self, ids: Tombstones) -> list[Answer]:
        """The answers as far as they are not about ids that were forgotten."""
        if not (ids.digests and self._answers):
            return self._answers
        without = Without(ids)
        kept = []
        for answer in self._answers:
            left = without.answer(json.dumps(answer.parameters, sort_keys=True), answer.body)
            if left:
                kept.append(replace(answer, parameters=json.loads(left[0]), body=left[1]))
        self.collected.forgotten += without.removed
        return kept
