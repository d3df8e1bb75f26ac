"""The known layouts of history files: which columns they have and what each becomes in raw.

Belongs here: one `Layout` per shape of file met in the wild, and finding the one that fits a file's columns.
Not here: opening files (`files.py`), converting values (`convert.py`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from yt_platform.core.endpoints import CHANNEL_SNAPSHOTS, CHANNELS, VIDEO_SNAPSHOTS, VIDEOS
from yt_platform.io.history.convert import (
    COUNT,
    FLAG,
    KAGGLE_DAY,
    KAGGLE_TAGS,
    TEXT,
    TIME,
    Kind,
)

Container = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Field:
    """One column of a file: the raw column it fills, its name in the file (in snake case) and what it holds."""

    column: str
    name: str
    kind: Kind
    required: bool = True


@dataclass(frozen=True)
class Layout:
    """One shape of file.

    `source` names the source of its rows (None: the file has a column for it), `endpoints` what every row becomes,
    `constants` the raw columns that hold one value throughout. Rows of a layout with `title_changes` also become
    metadata of the video wherever its title is new; rows of one with `joins_identity` get channel_id and
    published_at from the TRENDING_VIDEOS files of the same import. `region_in_name` finds the region in a file's name.
    """

    name: str
    container: Container
    source: str | None
    endpoints: tuple[str, ...]
    fields: tuple[Field, ...]
    constants: dict[str, Any] = field(default_factory=dict)
    title_changes: bool = False
    joins_identity: bool = False
    region_in_name: re.Pattern[str] | None = None

    def of_file(self, name: str) -> "Layout":
        """This layout with what the name of a file says of all of its rows: the region."""
        match = self.region_in_name and self.region_in_name.match(name.rsplit("/", 1)[-1])
        return replace(self, constants=self.constants | {"region": match["region"]}) if match else self

    @property
    def required(self) -> list[str]:
        return [column.name for column in self.fields if column.required]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.required)})"


def _optional(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, kind, required=False) for name in names)


def _same(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, kind) for name in names)


_COUNTS = _same(COUNT, "view_count", "like_count", "comment_count")

TRENDING_SNAPSHOTS = Layout(
    "trending snapshots",
    "parquet",
    "trending",
    (VIDEO_SNAPSHOTS.name,),
    (
        *_same(TEXT, "video_id", "region"),
        *_same(TIME, "collected_at"),
        *_COUNTS,
        *_optional(TEXT, "source"),
        *_optional(FLAG, "like_zero_is_missing", "comment_zero_is_missing"),
    ),
    constants={"like_zero_is_missing": True, "comment_zero_is_missing": True},  # its collector wrote 0 for missing
    joins_identity=True,
)

TRENDING_VIDEOS = Layout(
    "trending videos",
    "parquet",
    "trending",
    (VIDEOS.name,),
    (
        Field("collected_at", "refreshed_at", TIME),
        *_same(TEXT, "video_id", "channel_id", "channel_title", "title", "duration", "category_id"),
        *_same(TIME, "published_at"),
        *_optional(TEXT, "description", "tags", "default_language", "default_audio_language"),
        *_optional(TEXT, "live_broadcast_content", "definition", "source"),
        *_optional(FLAG, "caption", "licensed_content", "embeddable", "made_for_kids"),
    ),
)

TRENDING_CHANNEL_TOTALS = Layout(
    "trending channel totals",
    "parquet",
    "trending",
    (CHANNEL_SNAPSHOTS.name,),
    (
        *_same(TIME, "collected_at"),
        *_same(TEXT, "channel_id"),
        *_same(COUNT, "subscriber_count", "view_count", "video_count"),
        *_optional(TEXT, "source"),
    ),
)

TRENDING_CHANNELS = Layout(
    "trending channels",
    "parquet",
    "trending",
    (CHANNELS.name,),
    (
        *_same(TIME, "collected_at", "published_at"),
        *_same(TEXT, "channel_id", "title", "country", "uploads_playlist_id"),
        *_optional(TEXT, "handle", "description", "source"),
    ),
)

HOURLY = Layout(
    "hourly snapshots",
    "parquet",
    None,
    (VIDEO_SNAPSHOTS.name,),
    (*_same(TEXT, "source", "video_id", "title"), *_same(TIME, "collected_at"), *_COUNTS),
    title_changes=True,
)

TRACKER = Layout(
    "tracker CSV",
    "csv",
    "tracker",
    (VIDEO_SNAPSHOTS.name,),
    (Field("collected_at", "timestamp", TIME), *_same(TEXT, "video_id"), *_COUNTS),
)

_KAGGLE_REGION = re.compile(
    r"(?:\d\d\.\d\d\.\d\d_)?(?P<region>[A-Z]{2})(?:videos|_videos|_youtube_trending_data)(?![a-z])"
)
"""USvideos.csv of 2017, DE_youtube_trending_data.csv of 2020, and 20.12.08_FR_videos.csv of the scraper behind both."""

_KAGGLE = (
    Field("collected_at", "trending_date", KAGGLE_DAY),
    *_same(TEXT, "video_id", "title", "channel_title", "category_id"),
    Field("like_count", "likes", COUNT),
    *_same(COUNT, "comment_count"),
    Field("like_zero_is_missing", "ratings_disabled", FLAG),
    Field("comment_zero_is_missing", "comments_disabled", FLAG),
    Field("tags", "tags", KAGGLE_TAGS, required=False),
    *_optional(TEXT, "description"),
)

KAGGLE_2017 = Layout(
    "Kaggle trending 2017",
    "csv",
    "kaggle",
    (VIDEO_SNAPSHOTS.name, VIDEOS.name),
    (*_KAGGLE, Field("published_at", "publish_time", TIME), Field("view_count", "views", COUNT)),
    region_in_name=_KAGGLE_REGION,
)

KAGGLE_2020 = Layout(
    "Kaggle trending 2020",
    "csv",
    "kaggle",
    (VIDEO_SNAPSHOTS.name, VIDEOS.name),
    (*_KAGGLE, *_same(TEXT, "channel_id"), *_same(TIME, "published_at"), *_same(COUNT, "view_count")),
    region_in_name=_KAGGLE_REGION,
)

CHANNEL_TOTALS = Layout(
    "channel totals",
    "csv",
    "channels-tracker",
    (CHANNEL_SNAPSHOTS.name,),
    (
        Field("collected_at", "date_utc", TIME),
        *_same(TEXT, "channel_id"),
        Field("subscriber_count", "subscribers", COUNT),
        Field("view_count", "views", COUNT),
        Field("video_count", "videos", COUNT),
    ),
)

CHANNEL_RECORDS = Layout(
    "channel records",
    "csv",
    "channels-tracker",
    (CHANNELS.name,),
    (
        Field("collected_at", "last_seen_utc", TIME),
        *_same(TEXT, "channel_id", "country", "uploads_playlist_id"),
        Field("title", "channel_title", TEXT),
        Field("handle", "custom_url", TEXT),
        Field("published_at", "channel_published_at", TIME),
    ),
)

CHANNEL_VIDEOS = Layout(
    "videos of channels",
    "csv",
    "channels-tracker",
    (VIDEO_SNAPSHOTS.name, VIDEOS.name),
    (
        Field("collected_at", "snapshot_utc", TIME),
        *_same(TEXT, "video_id", "channel_id", "channel_title", "title", "category_id"),
        *_same(TIME, "published_at"),
        Field("duration", "duration_iso8601", TEXT),
        *_COUNTS,
    ),
)

LAYOUTS = (
    TRENDING_SNAPSHOTS,
    TRENDING_VIDEOS,
    TRENDING_CHANNEL_TOTALS,
    TRENDING_CHANNELS,
    HOURLY,
    TRACKER,
    KAGGLE_2017,
    KAGGLE_2020,
    CHANNEL_TOTALS,
    CHANNEL_RECORDS,
    CHANNEL_VIDEOS,
)


def snake_case(name: str) -> str:
    """`viewCount`, `View_Count` and ` view_count ` are one column: `view_count`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).lower()


def matching(container: Container, names: Sequence[str]) -> Layout | None:
    """The layout all of whose required columns are among these, None if there is no such."""
    return next((layout for layout, missing in _missing(container, names) if not missing), None)


def nearest(container: Container, names: Sequence[str]) -> tuple[Layout, list[str]] | None:
    """The layout of which at least half the columns are among these, and those that are not; None if none is near."""
    layout, missing = min(_missing(container, names), key=lambda one: len(one[1]) / len(one[0].required))
    return (layout, missing) if 2 * len(missing) <= len(layout.required) else None


def _missing(container: Container, names: Sequence[str]) -> list[tuple[Layout, list[str]]]:
    known = {snake_case(name) for name in names}
    return [
        (layout, [name for name in layout.required if name not in known])
        for layout in LAYOUTS
        if layout.container == container
    ]
