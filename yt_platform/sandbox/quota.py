"""Units spent, by API key, Pacific day and bucket.

Here: which bucket a method draws on, the limits, and the count. Not here: when a call is charged
(`sandbox.py`). Limits as of 2026-06-01 (https://developers.google.com/youtube/v3/getting-started#quota).
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from threading import Lock
from zoneinfo import ZoneInfo

from yt_platform.sandbox.errors import ApiError

PACIFIC = ZoneInfo("America/Los_Angeles")
DEFAULT = "default"
LIMITS = {DEFAULT: 10_000, "batchGetStats": 10_000, "search": 100}
"""Units per key and Pacific day; the bucket of search counts calls."""

_BUCKETS = {"videos.batchGetStats": "batchGetStats", "search.list": "search"}


def bucket_of(method: str) -> str:
    return _BUCKETS.get(method, DEFAULT)


def pacific_day(at: float) -> date:
    """The day whose quota an instant (epoch seconds) draws on; it has 23 or 25 hours when clocks change."""
    return datetime.fromtimestamp(at, UTC).astimezone(PACIFIC).date()


class Quota:
    """Counts every unit once, whichever threads charge."""

    def __init__(self, limits: Mapping[str, int] = LIMITS) -> None:
        """`limits` replace those of LIMITS bucket by bucket. Raises ValueError for a bucket that does not exist."""
        unknown = limits.keys() - LIMITS.keys()
        if unknown:
            raise ValueError(f"no quota bucket is named {', '.join(sorted(unknown))}; there are {', '.join(LIMITS)}")
        self._limits = LIMITS | dict(limits)
        self._spent: Counter[tuple[str, date, str]] = Counter()
        self._lock = Lock()

    def charge(self, key: str, method: str, at: float) -> None:
        """Spend one unit. Raises ApiError 403 quotaExceeded, and spends nothing, where none is left."""
        bucket = bucket_of(method)
        account = (key, pacific_day(at), bucket)
        with self._lock:
            if self._spent[account] >= self._limits[bucket]:
                raise ApiError("quotaExceeded")
            self._spent[account] += 1

    def spent(self, at: float) -> dict[str, int]:
        """Units by bucket on the Pacific day of `at`, of all keys together; every bucket is there."""
        today = pacific_day(at)
        with self._lock:
            return {
                bucket: sum(units for (_, day, name), units in self._spent.items() if (day, name) == (today, bucket))
                for bucket in LIMITS
            }

    def history(self) -> list[dict[str, str | int]]:
        """Every count: key, Pacific day, bucket, units; sorted."""
        with self._lock:
            rows = sorted(self._spent.items())
        return [
            {"key": key, "day": day.isoformat(), "bucket": bucket, "units": units}
            for (key, day, bucket), units in rows
            if units
        ]
