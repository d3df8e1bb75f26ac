"""Targeted queries of the YouTube Analytics API: which combinations are documented, and what an answer says.

Here: `COMBINATIONS`, a small set of Google's channel reports (developers.google.com/youtube/analytics/channel_reports,
as of 2026-11), the check of a query against it, and reading the answer by its headers. Not here: calls
(`youtube/analytics_api/client.py`). The API answers 400 to a combination it does not know, without saying which it
does.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from yt_platform.errors import MisuseError
from yt_platform.tables.validation import Malformed

MONETARY_METRICS = (
    "estimatedRevenue",
    "estimatedAdRevenue",
    "estimatedRedPartnerRevenue",
    "grossRevenue",
    "monetizedPlaybacks",
    "playbackBasedCpm",
    "adImpressions",
    "cpm",
)
"""Those that need the monetary scope, and a channel of the partner programme."""

CURRENCY = "USD"
"""In which amounts are asked for, as bulk reports have them; Google changes them at the rates of the month."""

LATENCY_DAYS = 3
"""Whole days after the last one counted until Google has it: 48 to 72 hours."""

_CONTENT = "creatorContentType"
"""Shorts, live streams, videos on demand: a core dimension that reports of activity may be divided by besides."""

_ACTIVITY = (
    "views",
    "engagedViews",
    "likes",
    "dislikes",
    "comments",
    "shares",
    "estimatedMinutesWatched",
    "averageViewDuration",
    "averageViewPercentage",
    "subscribersGained",
    "subscribersLost",
)
_WATCHED = ("views", "engagedViews", "estimatedMinutesWatched")


class QueryError(MisuseError):
    """A query that the API would refuse; the message names what is allowed."""


@dataclass(frozen=True)
class Combination:
    """One documented report: the sets of dimensions it may be asked by, its metrics and its filters."""

    name: str
    dimensions: tuple[tuple[str, ...], ...]
    metrics: tuple[str, ...]
    filters: tuple[str, ...] = ()
    required_filters: tuple[str, ...] = ()


def _by_content_too(*dimensions: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return (*dimensions, *((*names, _CONTENT) for names in dimensions))


COMBINATIONS = (
    Combination(
        "retention",
        (("elapsedVideoTimeRatio",),),
        ("audienceWatchRatio", "relativeRetentionPerformance"),
        ("audienceType", "subscribedStatus", "youtubeProduct"),
        ("video",),
    ),
    Combination(
        "activity",
        _by_content_too((), ("day",), ("month",)),
        (*_ACTIVITY, *MONETARY_METRICS),
        ("video", "country"),
    ),
    Combination("geography", _by_content_too(("country",)), (*_ACTIVITY, *MONETARY_METRICS), ("video",)),
    Combination(
        "traffic sources",
        _by_content_too(("insightTrafficSourceType",), ("day", "insightTrafficSourceType")),
        _WATCHED,
        ("video", "country"),
    ),
    Combination(
        "demographics", (("ageGroup",), ("gender",), ("ageGroup", "gender")), ("viewerPercentage",), ("video",)
    ),
)


@dataclass(frozen=True)
class Query:
    """`metrics` by `dimensions` over the days `first` to `last`, both included, of what `filters` leave.

    Days are Google's: those of Los Angeles.
    """

    metrics: tuple[str, ...]
    dimensions: tuple[str, ...]
    first: date
    last: date
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_monetary(self) -> bool:
        return not set(MONETARY_METRICS).isdisjoint(self.metrics)

    def parameters(self) -> dict[str, str]:
        """As `reports.query` takes them, without `ids`. Raises QueryError for what is no documented combination."""
        check(self)
        asked = {
            "startDate": self.first.isoformat(),
            "endDate": self.last.isoformat(),
            "metrics": ",".join(self.metrics),
            "dimensions": ",".join(self.dimensions),
            "filters": ";".join(f"{name}=={value}" for name, value in self.filters.items()),
            "currency": CURRENCY if self.is_monetary else "",
        }
        return {name: text for name, text in asked.items() if text}


@dataclass(frozen=True)
class RetentionPoint:
    """How a video holds its viewers at a share of its length, the end of a hundredth of it.

    `audience_watch_ratio`: times this part was watched for each view of the video; over 1 where it is watched again.
    `relative_retention_performance`: 0 (worst) to 1 (best) among videos of its length. None where YouTube gives none.
    """

    elapsed_video_time_ratio: float
    audience_watch_ratio: float | None
    relative_retention_performance: float | None


def retention_query(video_id: str, first: date, last: date) -> Query:
    return Query(
        ("audienceWatchRatio", "relativeRetentionPerformance"),
        ("elapsedVideoTimeRatio",),
        first,
        last,
        {"video": video_id},
    )


def revenue_query(first: date, last: date) -> Query:
    return Query(MONETARY_METRICS, ("day",), first, last)


def check(query: Query) -> None:
    """Raises QueryError naming what is allowed, where the query is none of `COMBINATIONS`."""
    if query.last < query.first:
        raise QueryError(f"the days {query.first} to {query.last} are none: name the first day first")
    by = set(query.dimensions)
    found = next((known for known in COMBINATIONS if by in map(set, known.dimensions)), None)
    if found is None:
        sets = [" and ".join(names) or "none" for known in COMBINATIONS for names in known.dimensions]
        raise QueryError(f"no report has the dimensions {_said(query.dimensions)}; there are: {', '.join(sets)}")
    unknown = [metric for metric in query.metrics if metric not in found.metrics]
    if unknown or not query.metrics:
        raise QueryError(
            f"the report of {found.name} has no metric {_said(unknown)}; it has: {', '.join(found.metrics)}"
        )
    missing = [name for name in found.required_filters if not query.filters.get(name)]
    allowed = (*found.required_filters, *found.filters)
    if missing or not query.filters.keys() <= set(allowed):
        needs = f", and needs {', '.join(found.required_filters)}" if found.required_filters else ""
        raise QueryError(
            f"the report of {found.name} is not filtered by {_said(query.filters)}; it may be by "
            f"{', '.join(allowed)}{needs}"
        )
    wrong = [text for text in query.filters.values() if any(mark in text for mark in ";=") or not text]
    several = "," in query.filters.get("video", "") and "video" in found.required_filters
    if wrong or several:
        raise QueryError(f"the report of {found.name} takes one value for each filter, and one video")


def rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of an answer by the names of its headers; none where it has none, as for days too young."""
    names = [str(header["name"]) for header in answer.get("columnHeaders", [])]
    return [dict(zip(names, row, strict=True)) for row in answer.get("rows", [])]


def cells(answer: Mapping[str, Any]) -> Iterator[dict[str, Any] | Malformed]:
    """As `rows`, of an answer that was kept as received: what is no row of its headers is `Malformed`."""
    headers = answer.get("columnHeaders")
    names = [header.get("name") for header in headers] if isinstance(headers, list) else []
    found = answer.get("rows") or []
    for row in found if isinstance(found, list) else [found]:
        fits = isinstance(row, list) and len(row) == len(names)
        yield dict(zip(names, row, strict=True)) if fits else Malformed(str(row)[:100])


def figure(value: Any) -> float | Malformed | None:
    """A cell of a metric; None where YouTube gives none."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None if value is None else Malformed(str(value)[:100])


def retention_curve(answer: Mapping[str, Any]) -> list[RetentionPoint]:
    """The curve of one video, from its begin to its end."""
    points = [
        RetentionPoint(
            float(row["elapsedVideoTimeRatio"]),
            _number(row.get("audienceWatchRatio")),
            _number(row.get("relativeRetentionPerformance")),
        )
        for row in rows(answer)
    ]
    return sorted(points, key=lambda point: point.elapsed_video_time_ratio)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _said(names: Any) -> str:
    return ", ".join(names) or "none"
