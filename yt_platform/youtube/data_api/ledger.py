"""The ledger of quota in Postgres: units are charged before the call they pay for.

A charge is one committed statement, so that two processes never spend the same unit, a killed worker leaves at most
one unit charged and not sent, and the ledger is never below what the server counted.

A bucket that YouTube closed is closed for the key that heard so. The ledger knows a key by its fingerprint alone.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg

from yt_platform.errors import PlatformError
from yt_platform.youtube.data_api.quota import Bucket, bucket_of, pacific_day, resets_at

_STOPPED: LiteralString = "kept.stopped_at IS NOT NULL AND coalesce(kept.stopped_key = %(key)s, true)"
"""Of a row `kept` of the ledger: closed for this key. Where one of the two is unknown, it is taken to be the same."""

Parameters = Sequence[object] | Mapping[str, object]


class QuotaExhaustedError(PlatformError):
    """A bucket has nothing left to spend today."""

    def __init__(self, bucket: Bucket, why: str, resets: datetime) -> None:
        self.bucket = bucket
        super().__init__(f"quota bucket {bucket}: {why}; it resets at {resets:%Y-%m-%d %H:%M} UTC")


@dataclass(frozen=True)
class Spent:
    """What a bucket has been charged today, out of how much, and why it was stopped, if it was."""

    units: int
    allowed: int
    stop_reason: str | None


class QuotaLedger:
    """Units spent per Pacific day and bucket, with `allowed` units a day, by the clock `now`, for calls with `key`."""

    def __init__(
        self, url: str, allowed: Mapping[Bucket, int], now: Callable[[], datetime], key: str | None = None
    ) -> None:
        self._url, self._allowed, self._now = url, allowed, now
        self._fingerprint = fingerprint(key) if key else None
        self._connection: psycopg.Connection | None = None

    def __enter__(self) -> "QuotaLedger":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def charge(self, method: str) -> None:
        """Charge one unit for a call of `method`. Raises QuotaExhaustedError where none is left."""
        at, bucket = self._now(), bucket_of(method)
        charged = self._execute(
            "WITH charged AS ("
            "  INSERT INTO ops.quota_ledger AS kept (pacific_day, bucket, units) VALUES (%(day)s, %(bucket)s, 1)"
            "  ON CONFLICT (pacific_day, bucket) DO UPDATE"
            "  SET units = kept.units + 1, stopped_at = NULL, stop_reason = NULL, stopped_key = NULL"
            f"  WHERE NOT ({_STOPPED}) AND kept.units < %(allowed)s RETURNING pacific_day"
            ") INSERT INTO ops.quota_calls AS kept (pacific_day, method, calls)"
            " SELECT pacific_day, %(method)s, 1 FROM charged"
            " ON CONFLICT (pacific_day, method) DO UPDATE SET calls = kept.calls + 1 RETURNING calls",
            {
                "day": pacific_day(at),
                "bucket": bucket,
                "allowed": self._allowed[bucket],
                "method": method,
                "key": self._fingerprint,
            },
        ).fetchone()
        if charged is None:
            spent = self.spent()[bucket]
            why = spent.stop_reason or f"{spent.units} of {spent.allowed} units are spent"
            raise QuotaExhaustedError(bucket, why, resets_at(at))

    def stop(self, method: str, reason: str) -> QuotaExhaustedError:
        """Close the bucket of `method` until the reset, as YouTube says it is empty; returns the error to raise."""
        at, bucket = self._now(), bucket_of(method)
        self._execute(
            "UPDATE ops.quota_ledger SET stopped_at = %s, stop_reason = %s, stopped_key = %s "
            "WHERE pacific_day = %s AND bucket = %s",
            (at, f"YouTube answered {reason}", self._fingerprint, pacific_day(at), bucket),
        )
        return QuotaExhaustedError(bucket, f"YouTube answered {reason}", resets_at(at))

    def spent(self) -> dict[Bucket, Spent]:
        """Every bucket's state today."""
        rows = self._execute(
            f"SELECT bucket, units, CASE WHEN {_STOPPED} THEN stop_reason END "
            "FROM ops.quota_ledger AS kept WHERE pacific_day = %(day)s",
            {"day": pacific_day(self._now()), "key": self._fingerprint},
        ).fetchall()
        found = {bucket: (units, reason) for bucket, units, reason in rows}
        return {
            bucket: Spent(found.get(bucket, (0, None))[0], allowed, found.get(bucket, (0, None))[1])
            for bucket, allowed in self._allowed.items()
        }

    def calls(self) -> dict[str, int]:
        """Calls charged today, by method."""
        return dict(
            self._execute(
                "SELECT method, calls FROM ops.quota_calls WHERE pacific_day = %s", (pacific_day(self._now()),)
            ).fetchall()
        )

    def _execute(self, statement: LiteralString, parameters: Parameters) -> psycopg.Cursor[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True)
        return self._connection.execute(statement, parameters)


def fingerprint(key: str) -> str:
    """What tells one key from another: 64 bits of a hash, from which a key of 35 random characters cannot be found."""
    return hashlib.sha256(f"quota ledger of {key}".encode()).hexdigest()[:16]
