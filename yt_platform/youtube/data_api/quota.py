"""Quota of the YouTube Data API: its buckets, which of them a call draws from, and the day it counts for.

Facts from Google's quota pages as of November 2026; limits are settings. Not here: what has been spent
(`youtube/data_api/ledger.py`) and what to spend it on (`youtube/data_api/polling.py`).
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
"""Quota resets at midnight there, daylight saving included."""


class Bucket(StrEnum):
    """A daily allowance of units; every call of a method used here costs one unit of its bucket, each page included."""

    DEFAULT = "default"
    STATS = "batchGetStats"


def bucket_of(method: str) -> Bucket:
    """`videos.batchGetStats` has a bucket of its own since 2026-06; everything else that is called shares one."""
    return Bucket.STATS if method == "videos.batchGetStats" else Bucket.DEFAULT


def pacific_day(at: datetime) -> date:
    """The quota's day of an instant."""
    return at.astimezone(PACIFIC).date()


def resets_at(at: datetime) -> datetime:
    """The next midnight in Los Angeles after `at`, as UTC."""
    return datetime.combine(pacific_day(at) + timedelta(days=1), time(), PACIFIC).astimezone(UTC)
