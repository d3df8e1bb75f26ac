"""The used part of the YouTube Analytics API v2: `reports.query` for a channel's owner or a content partner.

Here: combinations that are answered, scopes, and figures that follow from the world, the query and the clock alone.
Not here: tokens (`oauth.py`). Days come 48 hours after they end. Views are what the counts of the Data API gained;
all else is a fixed share of them. Days
are those of UTC. What the real API answers and this cannot is 501; what neither does is 400.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from math import exp
from typing import Any
from urllib.parse import parse_qsl

from yt_platform.sandbox.draws import share
from yt_platform.sandbox.errors import ApiError, not_spoken
from yt_platform.sandbox.oauth import ANALYTICS, MONETARY, Grant
from yt_platform.sandbox.world import World

PATH = "/v2/reports"
METHOD = "reports.query"
READY_AFTER = timedelta(hours=48)
POINTS = 100

_REVENUE = {"estimatedRevenue": 0.002, "estimatedAdRevenue": 0.0018, "estimatedRedPartnerRevenue": 0.0002}
_REVENUE |= {"grossRevenue": 0.0036, "monetizedPlaybacks": 0.5, "adImpressions": 0.6}
_PER_VIEW = {"views": 1.0, "engagedViews": 0.9, "likes": 0.04, "comments": 0.005, "shares": 0.01}
_PER_VIEW |= {"estimatedMinutesWatched": 2.5, **_REVENUE}
_RATIOS = {
    "cpm": ("grossRevenue", "adImpressions"),
    "playbackBasedCpm": ("grossRevenue", "monetizedPlaybacks"),
}
"""A thousandth of the second for each of the first."""
_MONETARY = {*_REVENUE, *_RATIOS}
_WHOLE = {"monetizedPlaybacks", "adImpressions"}
_SPLITS = {
    "country": {"US": 0.5, "DE": 0.3, "IN": 0.2},
    "insightTrafficSourceType": {"YT_SEARCH": 0.4, "SUBSCRIBER": 0.35, "EXT_URL": 0.25},
    "creatorContentType": {"shorts": 0.7, "videoOnDemand": 0.3},
}
_VIEWERS = {"ageGroup": {"age13-17": 0.05, "age18-24": 0.55, "age25-34": 0.4}, "gender": {"female": 0.55, "male": 0.45}}
_OTHER_METRICS = {"dislikes", "averageViewDuration", "averageViewPercentage", "subscribersGained", "subscribersLost"}
_KNOWN = {"ids", "startDate", "endDate", "metrics", "dimensions", "filters", "currency", "alt"}

Row = list[Any]


def answer(world: World, grant: Grant, query: str, now: datetime) -> bytes:
    """The JSON of a result table. Raises ApiError 400 where there is no such report, 403 for what is not theirs."""
    asked = dict(parse_qsl(query, keep_blank_values=True))
    if asked.keys() - _KNOWN:
        raise not_spoken(f"reports.query with {', '.join(sorted(asked.keys() - _KNOWN))}")
    if asked.get("currency", "USD") != "USD":
        raise not_spoken(f"reports.query in {asked['currency']}")
    metrics, dimensions = _names(asked, "metrics"), _names(asked, "dimensions")
    filters = dict(text.split("==", 1) for text in asked.get("filters", "").split(";") if "==" in text)
    grant.require(MONETARY) if _MONETARY & set(metrics) else grant.require(ANALYTICS, MONETARY)
    videos = _videos(world, grant, asked.get("ids", ""), filters, now)
    first, last = _day(asked, "startDate"), _day(asked, "endDate")
    last = min(last, (now - READY_AFTER).date() - timedelta(days=1))
    rows = list(_rows(world, videos, metrics, dimensions, filters, (first, last)))
    headers = [{"name": name, "columnType": "DIMENSION", "dataType": "STRING"} for name in dimensions]
    headers += [{"name": name, "columnType": "METRIC", "dataType": "FLOAT"} for name in metrics]
    table = {"kind": "youtubeAnalytics#resultTable", "columnHeaders": headers}
    return json.dumps(table | ({"rows": rows} if rows else {})).encode()


def _names(asked: dict[str, str], name: str) -> list[str]:
    return [part for part in asked.get(name, "").split(",") if part]


def _videos(world: World, grant: Grant, ids: str, filters: dict[str, str], now: datetime) -> list[str]:
    """Videos the query is about: those of the account's channels, and of them the ones filtered for."""
    if ids in ("channel==MINE", f"channel=={grant.channel_id}") and grant.channel_id:
        channels: tuple[str, ...] = (grant.channel_id,)
    elif grant.content_owner and ids == f"contentOwner=={grant.content_owner}":
        channels = grant.channels
    else:
        raise ApiError("forbidden", location="ids")
    own = [video for channel in channels for video in world.uploads(channel, now.timestamp()) or ()]
    return [video for video in own if video in filters["video"].split(",")] if "video" in filters else own


def _rows(
    world: World,
    videos: list[str],
    metrics: list[str],
    dimensions: list[str],
    filters: dict[str, str],
    days: tuple[date, date],
) -> Iterable[Row]:
    make = _REPORTS.get(frozenset(dimensions))
    if make is None or not metrics:
        raise _unsupported()
    allowed, needs, rows = make
    if not set(metrics) <= allowed or not needs <= filters.keys():
        raise _unsupported()
    if not filters.keys() <= {"video"}:
        raise not_spoken(f"reports.query with filters {', '.join(filters)}")
    unspoken = set(metrics) - _PER_VIEW.keys() - _RATIOS.keys() if allowed is _ACTIVITY else set()
    if unspoken:
        raise not_spoken(f"reports.query of {', '.join(sorted(unspoken))}")
    if "elapsedVideoTimeRatio" in dimensions and "," in filters["video"]:
        raise _unsupported()
    return rows(world, videos, metrics, dimensions, days) if days[0] <= days[1] else ()


def _retention(_: World, videos: list[str], metrics: list[str], __: list[str], ___: tuple[date, date]) -> Iterable[Row]:
    for video in videos:
        for point in range(1, POINTS + 1):
            ratio = point / POINTS
            watched = 0.2 + 0.3 * share(f"retention|{video}") + 0.7 * exp(-3 * ratio)
            figures = {
                "audienceWatchRatio": watched,
                "relativeRetentionPerformance": share(f"relative|{video}|{point}"),
            }
            yield [ratio, *(round(figures[metric], 6) for metric in metrics)]


def _gained(world: World, videos: list[str], first: date, last: date) -> int:
    """Views of the days `first` to `last`, both included."""
    begin, end = (datetime.combine(day, time(), UTC).timestamp() for day in (first, last + timedelta(days=1)))
    before = sum(state.view_count for state in world.videos(videos, begin))
    return max(0, sum(state.view_count for state in world.videos(videos, end)) - before)


def _activity(
    world: World, videos: list[str], metrics: list[str], dimensions: list[str], days: tuple[date, date]
) -> Iterable[Row]:
    parts: list[tuple[dict[str, str], float]] = [({}, 1.0)]
    for name in (name for name in dimensions if name in _SPLITS):
        parts = [({**row, name: value}, of * part) for row, of in parts for value, part in _SPLITS[name].items()]
    for label, (first, last) in _periods(days, dimensions):
        views = _gained(world, videos, first, last)
        for values, part in parts:
            named = {"day": label, "month": label, **values}
            yield [*(named[name] for name in dimensions), *(_figure(metric, views * part) for metric in metrics)]


def _figure(metric: str, views: float) -> float:
    if metric in _WHOLE:
        return int(views * _PER_VIEW[metric])
    if metric in _PER_VIEW:
        return round(views * _PER_VIEW[metric], 4)
    amount, of = _RATIOS[metric]
    return round(1_000 * _PER_VIEW[amount] / _PER_VIEW[of], 4) if views else 0.0


def _periods(days: tuple[date, date], dimensions: list[str]) -> list[tuple[str, tuple[date, date]]]:
    first, last = days
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if "day" in dimensions:
        return [(day.isoformat(), (day, day)) for day in every]
    if "month" in dimensions:
        months = sorted({day.strftime("%Y-%m") for day in every})
        of = {month: [day for day in every if day.strftime("%Y-%m") == month] for month in months}
        return [(month, (held[0], held[-1])) for month, held in of.items()]
    return [("", days)]


def _demographics(
    _: World, videos: list[str], __: list[str], dimensions: list[str], ___: tuple[date, date]
) -> Iterable[Row]:
    parts: list[tuple[Row, float]] = [([], 100.0)] if videos else []
    for name in dimensions:
        parts = [([*row, value], of * part) for row, of in parts for value, part in _VIEWERS[name].items()]
    return [[*row, round(percentage, 4)] for row, percentage in parts]


Make = Callable[[World, list[str], list[str], list[str], tuple[date, date]], Iterable[Row]]

_CONTENT: tuple[tuple[str, ...], ...] = ((), ("creatorContentType",))
_ACTIVITY = frozenset(_PER_VIEW) | _OTHER_METRICS | _MONETARY
_REPORTS: dict[frozenset[str], tuple[frozenset[str], frozenset[str], Make]] = {
    frozenset({"elapsedVideoTimeRatio"}): (
        frozenset({"audienceWatchRatio", "relativeRetentionPerformance"}),
        frozenset({"video"}),
        _retention,
    ),
    **{
        frozenset({*by, *content}): (_ACTIVITY, frozenset[str](), _activity)
        for by in ((), ("day",), ("month",), ("country",))
        for content in _CONTENT
    },
    **{
        frozenset({*by, *content}): (
            frozenset({"views", "engagedViews", "estimatedMinutesWatched"}),
            frozenset[str](),
            _activity,
        )
        for by in (("insightTrafficSourceType",), ("day", "insightTrafficSourceType"))
        for content in _CONTENT
    },
    **{
        frozenset(by): (frozenset({"viewerPercentage"}), frozenset[str](), _demographics)
        for by in (("ageGroup",), ("gender",), ("ageGroup", "gender"))
    },
}
"""By dimensions: metrics, filters that are required, and how rows are made."""


def _day(asked: dict[str, str], name: str) -> date:
    try:
        return date.fromisoformat(asked.get(name, ""))
    except ValueError:
        raise ApiError("badRequest", f"The {name} must be written as YYYY-MM-DD.", status=400, location=name) from None


def _unsupported() -> ApiError:
    return ApiError(
        "badRequest", "The query is not supported. Check the documentation for supported queries.", status=400
    )
