"""Which table is made from which, over how many days back, and whether a day's rows are still what their inputs say.

This is the one place that knows the shape of the graph below raw: Dagster's dependencies and partition mappings are
built from it, and so is the plan of what to materialise. A day's version is a digest of the code version and of the
versions of its inputs, down to the hashes of the raw files; equal versions mean equal rows.
"""

import hashlib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from yt_platform.core.known import FIRST_DAY as FIRST_DAY
from yt_platform.core.schemas.reports import REPORTS
from yt_platform.core.steps import DAILY, HOURLY

LOOKBACK_DAYS = 28
"""How far back features look; metadata older than 30 days must be refreshed or deleted anyway (YouTube's policy)."""

REACH_DAYS = 7
"""How far reports look for a reading on either side of a midnight: quiet videos are read weekly."""
GAP_DAYS = 7
"""How far back the score of quality looks for data before the day's; longer gaps count as this one."""
HOURS_DAYS = 3
"""How far back the features of an hour look: the increment 48 hours earlier is against a reading 49 hours earlier."""

Versions = Mapping[str, Mapping[date, str]]
"""Version of each input's rows, by input and day."""

Purged = Mapping[str, Set[date]]
"""Days of which raw answers were deleted, by input."""

_NOTHING: Purged = {}


@dataclass(frozen=True)
class Input:
    """An upstream table, or a raw endpoint (`raw.<endpoint>`), read from `lookback_days` before the day up to
    `lookahead_days` after it. What looks ahead is made again when later days arrive, and no feature may read it."""

    name: str
    lookback_days: int = 0
    lookahead_days: int = 0


@dataclass(frozen=True)
class Node:
    """A table partitioned by UTC day. `code_version` changes whenever the same inputs would give other rows."""

    table: str
    code_version: str
    inputs: tuple[Input, ...]


NODES = (
    Node(
        "metrics.video_snapshots",
        "4",
        (
            Input("raw.video_snapshots", lookback_days=LOOKBACK_DAYS),
            Input("raw.api_videos", lookback_days=LOOKBACK_DAYS),
            Input("raw.api_video_stats", lookback_days=LOOKBACK_DAYS),
        ),
    ),
    Node(
        "metrics.channel_snapshots",
        "3",
        (
            Input("raw.channel_snapshots", lookback_days=LOOKBACK_DAYS),
            Input("raw.api_channels", lookback_days=LOOKBACK_DAYS),
        ),
    ),
    Node("metrics.videos", "3", (Input("raw.videos"), Input("raw.api_videos"))),
    Node("metrics.video_versions", "3", (Input("raw.videos"), Input("raw.api_videos"))),
    Node(
        "metrics.channels",
        "2",
        (Input("raw.channels"), Input("raw.videos"), Input("raw.api_channels"), Input("raw.api_videos")),
    ),
    Node("metrics.comments", "2", (Input("raw.api_comments"),)),
    Node("metrics.video_daily", "1", (Input("metrics.video_snapshots", lookback_days=1),)),
    Node("metrics.video_hourly", "1", (Input("metrics.video_snapshots", lookback_days=1),)),
    *(Node(table.name, "1", (Input(f"raw.{table.short_name}"),)) for table in REPORTS),
    Node(
        "metrics.channel_daily",
        "3",
        (
            Input("metrics.video_hourly", lookback_days=REACH_DAYS, lookahead_days=REACH_DAYS),
            Input("metrics.channel_snapshots", lookback_days=REACH_DAYS, lookahead_days=REACH_DAYS),
            Input("metrics.report_basic"),
        ),
    ),
    Node("metrics.video_retention", "1", (Input("raw.analytics_video_retention"),)),
    Node("metrics.channel_revenue", "1", (Input("raw.analytics_channel_revenue"),)),
    Node("metrics.video_windows", "2", (Input("metrics.video_snapshots", lookback_days=1, lookahead_days=1),)),
    Node(
        "features.video_day",
        "4",
        (
            Input("metrics.video_daily", lookback_days=LOOKBACK_DAYS),
            Input("metrics.video_versions", lookback_days=LOOKBACK_DAYS),
        ),
    ),
    Node("features.video_hour", "2", (Input("metrics.video_hourly", lookback_days=HOURS_DAYS),)),
    Node(
        "ops.anomalies",
        "1",
        (
            Input("metrics.video_daily", lookback_days=DAILY.loaded_days),
            Input("metrics.video_hourly", lookback_days=HOURLY.loaded_days),
        ),
    ),
    Node(
        "ops.quality_scores",
        "2",
        (
            Input("metrics.video_snapshots", lookback_days=GAP_DAYS),
            Input("metrics.channel_snapshots", lookback_days=GAP_DAYS),
            Input("metrics.video_versions"),
            Input("metrics.comments"),
            Input("metrics.video_daily", lookback_days=GAP_DAYS),
            Input("metrics.channel_daily", lookback_days=GAP_DAYS),
        ),
    ),
    Node("features.channel_day", "2", (Input("metrics.channel_snapshots", lookback_days=LOOKBACK_DAYS),)),
)
"""Every table below raw that is partitioned by day, inputs first."""

NODE = {node.table: node for node in NODES}

FROM_OWNERS = frozenset(
    node.table for node in NODES if node.inputs[0].name.startswith(("raw.report_", "raw.analytics_"))
)
"""Tables of what owners alone are told, made on days that have some of it and on no other: a dozen tables more on every
day of a history that has none would cost seconds."""


def input_version(node: Node, day: date, inputs: Versions) -> str:
    """The version of `node`'s rows of `day`, given the versions of its inputs."""
    digest = hashlib.sha256(f"{node.table}@{node.code_version}".encode())
    for upstream in node.inputs:
        versions = inputs.get(upstream.name, {})
        for back in range(-upstream.lookahead_days, upstream.lookback_days + 1):
            version = versions.get(day - timedelta(days=back), "")
            digest.update(f"|{upstream.name}-{back}={version}".encode())
    return digest.hexdigest()[:32]


def stale_versions(
    raw: Versions, loaded: Versions, days: Iterable[date], purged: Purged = _NOTHING
) -> dict[date, dict[str, str]]:
    """For each of `days`, the tables whose rows are missing or were made from other inputs,
    each with the version its rows should have.

    `raw` holds the versions of the raw endpoints, `loaded` those the tables were last made from. A table that reads an
    endpoint on a day whose answers were `purged` stays as it is.
    """
    days = sorted(days)
    expected: dict[str, dict[date, str]] = {name: dict(versions) for name, versions in raw.items()}
    stale: dict[date, dict[str, str]] = {day: {} for day in days}
    for node in NODES:
        made = loaded.get(node.table, {})
        own = _days_of_its_own(node, days, raw, made)
        gone = set().union(*(purged.get(source.name, frozenset()) for source in node.inputs))
        expected[node.table] = {
            day: made.get(day, "") if day in gone else input_version(node, day, expected) for day in own
        }
        for day in expected[node.table].keys() - gone:
            if made.get(day) != expected[node.table][day]:
                stale[day][node.table] = expected[node.table][day]
    return {day: tables for day, tables in stale.items() if tables}


def _days_of_its_own(node: Node, days: list[date], raw: Versions, made: Mapping[date, str]) -> list[date]:
    if node.table not in FROM_OWNERS:
        return days
    return [day for day in days if day in made or day in raw.get(node.inputs[0].name, {})]


def with_short_gaps(days: Iterable[date]) -> set[date]:
    """`days`, and those between two of them that lie at most `REACH_DAYS` apart: reports have rows on such days, of the
    readings on either side. A history read every second day is then one range and not one for each reading."""
    days = sorted(days)
    between = {
        before + timedelta(days=n)
        for before, after in pairwise(days)
        if (after - before).days <= REACH_DAYS
        for n in range(1, (after - before).days)
    }
    return between.union(days)


def days_ahead(table: str) -> int:
    """How many days after its own a table's rows depend on, through all of its inputs."""
    if table not in NODE:
        return 0
    return max(source.lookahead_days + days_ahead(source.name) for source in NODE[table].inputs)


LOOKING_AHEAD = frozenset(node.table for node in NODES if days_ahead(node.table))
"""Tables made after the others, as they depend on days after their own."""


def settled(stale: Mapping[date, frozenset[str]], open_days: Set[date]) -> dict[date, frozenset[str]]:
    """What is stale apart from tables of `open_days`, whose batches still come, and tables that look ahead to one."""
    kept = {
        day: frozenset(
            table
            for table in tables
            if not any(day + timedelta(days=ahead) in open_days for ahead in range(days_ahead(table) + 1))
        )
        for day, tables in stale.items()
    }
    return {day: tables for day, tables in kept.items() if tables}


def contiguous(days: Mapping[date, frozenset[str]]) -> list[tuple[date, date, frozenset[str]]]:
    """Ranges (first day, last day, tables) of neighbouring days that need the same tables, oldest first.

    Tables that look backwards only find every input made when the ranges are made in this order.
    """
    ranges: list[tuple[date, date, frozenset[str]]] = []
    for day in sorted(days):
        if ranges and ranges[-1][1] == day - timedelta(days=1) and ranges[-1][2] == days[day]:
            ranges[-1] = (ranges[-1][0], day, days[day])
        else:
            ranges.append((day, day, days[day]))
    return ranges


def pack_days(rows: Mapping[date, int], limit: int) -> list[tuple[date, date]]:
    """Split days into consecutive chunks of at most `limit` rows, at least one day each, oldest first."""
    chunks: list[tuple[date, date]] = []
    size = 0
    for day in sorted(rows):
        if chunks and size + rows[day] <= limit:
            chunks[-1] = (chunks[-1][0], day)
            size += rows[day]
        else:
            chunks.append((day, day))
            size = rows[day]
    return chunks
