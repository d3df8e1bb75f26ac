"""The known layouts of history files: which columns they have and what each becomes in raw.

Belongs here: one `Layout` per shape of file met in the wild, and finding the one that fits a file's columns.
Not here: opening files (`files.py`), converting values (`convert.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from yt_platform.history import studio
from yt_platform.history.convert import (
    CHANNEL_ID,
    COUNT,
    FLAG,
    KAGGLE_DAY,
    KAGGLE_TAGS,
    TEXT,
    TIME,
    VIDEO_ID,
    Kind,
)
from yt_platform.history.handles import handles
from yt_platform.history.names import SYNONYMS, Options, snake_case
from yt_platform.history.takeout import MILLISECONDS
from yt_platform.storage.endpoints import CHANNEL_SNAPSHOTS, CHANNELS, VIDEO_SNAPSHOTS, VIDEOS

Container = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Field:
    """One column of a file: the raw column it fills, its name in the file (in snake case) and what it holds;
    `synonyms` are further names it may have."""

    column: str
    name: str
    kind: Kind
    required: bool = True
    synonyms: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.synonyms)


@dataclass(frozen=True)
class Layout:
    """One shape of file.

    `container` is None where any will do. `source` names the source of its rows (None: the file has a column for it),
    `endpoints` what every row becomes, `constants` the raw columns that hold one value throughout. Rows of a layout
    with `title_changes` also become metadata of the video wherever its title is new; rows of one with `joins_identity`
    get channel_id and published_at from the TRENDING_VIDEOS files of the same import. `region_in_name` finds the region
    in a file's name. At least one of the raw columns `any_of` is in the file. `counts` says what its counts are, before
    they become totals.
    """

    name: str
    container: Container | None
    source: str | None
    endpoints: tuple[str, ...]
    fields: tuple[Field, ...]
    constants: dict[str, Any] = field(default_factory=dict)
    title_changes: bool = False
    joins_identity: bool = False
    region_in_name: re.Pattern[str] | None = None
    any_of: tuple[str, ...] = ()
    counts: Literal["totals", "gains of days", "sums of a period"] = "totals"

    def of_file(self, name: str) -> "Layout":
        """This layout with what the name of a file says of all of its rows: the region."""
        match = self.region_in_name and self.region_in_name.match(name.rsplit("/", 1)[-1])
        return replace(self, constants=self.constants | {"region": match["region"]}) if match else self

    def with_handles(self, known: Mapping[str, str]) -> "Layout":
        """This layout with the ids of channels that its files name by handle."""
        fields = tuple(replace(one, kind=handles(known)) if one.name == "handle" else one for one in self.fields)
        return replace(self, fields=fields) if self.name == HANDLE_READINGS.name else self

    @property
    def required(self) -> list[str]:
        return [column.name for column in self.fields if column.required]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.required)})"


def _optional(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, kind, required=False) for name in names)


def _same(kind: Kind, *names: str) -> tuple[Field, ...]:
    return tuple(Field(name, name, kind) for name in names)


def _named(kind: Kind, *columns: str, required: bool = True) -> tuple[Field, ...]:
    """Fields by any name that the table of synonyms has for them."""
    return tuple(Field(one, one, kind, required, tuple(SYNONYMS[one])) for one in columns)


_COUNTS = _same(COUNT, "view_count", "like_count", "comment_count")
_REGION = _named(TEXT, "region", required=False)
_METADATA = (
    *_named(CHANNEL_ID, "channel_id", required=False),
    *_named(TEXT, "channel_title", "category_id", "duration", required=False),
    *_named(TIME, "published_at", required=False),
)
"""What trackers write beside counts: it is taken wherever a file has it."""

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
    (
        *_same(TEXT, "source", "title"),
        *_same(VIDEO_ID, "video_id"),
        *_same(TIME, "collected_at"),
        *_COUNTS,
        *_REGION,
        *_METADATA,
    ),
    title_changes=True,
)

TRACKER = Layout(
    "tracker CSV",
    "csv",
    "tracker",
    (VIDEO_SNAPSHOTS.name,),
    (
        Field("collected_at", "timestamp", TIME),
        *_same(VIDEO_ID, "video_id"),
        *_COUNTS,
        *_REGION,
        *_named(TEXT, "title", required=False),
        *_METADATA,
    ),
    title_changes=True,
)

_KAGGLE_REGION = re.compile(
    r"(?:\d\d\.\d\d\.\d\d_)?(?P<region>[A-Z]{2})(?:videos|_videos|_youtube_trending_data)(?![a-z])"
)
"""USvideos.csv of 2017, DE_youtube_trending_data.csv of 2020, and 20.12.08_FR_videos.csv of the scraper behind both."""

_KAGGLE = (
    Field("collected_at", "trending_date", KAGGLE_DAY),
    *_same(VIDEO_ID, "video_id"),
    *_same(TEXT, "title", "channel_title", "category_id"),
    Field("like_count", "likes", COUNT),
    *_same(COUNT, "comment_count"),
    Field("like_zero_is_missing", "ratings_disabled", FLAG),
    Field("comment_zero_is_missing", "comments_disabled", FLAG),
    Field("tags", "tags", KAGGLE_TAGS, required=False),
    *_optional(TEXT, "description"),
    *_REGION,
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


VIDEO_READINGS = Layout(
    "readings of videos",
    None,
    "tracker",
    (VIDEO_SNAPSHOTS.name,),
    (
        *_named(TIME, "collected_at"),
        *_named(VIDEO_ID, "video_id"),
        *_named(COUNT, "view_count"),
        *_named(COUNT, "like_count", "comment_count", required=False),
        *_REGION,
        *_named(TEXT, "title", required=False),
        *_METADATA,
    ),
    title_changes=True,
)

_STUDIO = (
    Field("video_id", "content", TEXT, synonyms=studio.CONTENT),
    Field("title", "video_title", TEXT, synonyms=studio.TITLE),
    Field("published_at", "video_publish_time", studio.PUBLISHED_DAY, synonyms=studio.PUBLISHED),
    Field("view_count", "views", COUNT, synonyms=studio.VIEWS),
)

STUDIO_CHART = Layout(
    "YouTube Studio chart",
    "csv",
    "studio",
    (VIDEO_SNAPSHOTS.name,),
    (Field("collected_at", "date", studio.COUNTED_DAY, synonyms=studio.DAY), *_STUDIO),
    counts="gains of days",
)

STUDIO_TABLE = Layout(
    "YouTube Studio table",
    "csv",
    "studio",
    (VIDEO_SNAPSHOTS.name, VIDEOS.name),
    (*_STUDIO, Field("duration", "duration", studio.SECONDS, required=False, synonyms=studio.DURATION)),
    counts="sums of a period",
)

TAKEOUT_VIDEOS = Layout(
    "Google Takeout videos",
    "csv",
    "takeout",
    (VIDEOS.name,),
    (
        *_same(TIME, "collected_at"),
        *_same(TEXT, "video_id", "channel_id"),
        Field("title", "video_title_original", TEXT),
        Field("description", "video_description_original", TEXT, required=False),
        Field("default_audio_language", "video_audio_language", TEXT, required=False),
        Field("published_at", "video_publish_timestamp", TIME, required=False),
        Field("duration", "approx_duration_ms", MILLISECONDS, required=False),
    ),
)

TAKEOUT_CHANNELS = Layout(
    "Google Takeout channels",
    "csv",
    "takeout",
    (CHANNELS.name,),
    (
        *_same(TIME, "collected_at"),
        *_same(TEXT, "channel_id"),
        Field("title", "channel_title_original", TEXT),
        Field("description", "channel_description_original", TEXT, required=False),
        Field("country", "channel_country", TEXT, required=False),
    ),
)

_TOTALS = ("subscriber_count", "view_count", "video_count")

CHANNEL_READINGS = Layout(
    "readings of channels",
    None,
    "channels-tracker",
    (CHANNEL_SNAPSHOTS.name,),
    (*_named(TIME, "collected_at"), *_named(CHANNEL_ID, "channel_id"), *_named(COUNT, *_TOTALS, required=False)),
    any_of=_TOTALS,
)

HANDLE_READINGS = Layout(
    "readings of channels by handle",
    None,
    "channels-tracker",
    (CHANNEL_SNAPSHOTS.name,),
    (
        *_named(TIME, "collected_at"),
        Field("channel_id", "handle", handles({}), synonyms=SYNONYMS["handle"]),
        *_named(COUNT, *_TOTALS, required=False),
    ),
    any_of=_TOTALS,
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
    STUDIO_CHART,
    STUDIO_TABLE,
    TAKEOUT_VIDEOS,
    TAKEOUT_CHANNELS,
    VIDEO_READINGS,
    CHANNEL_READINGS,
    HANDLE_READINGS,
)
"""In the order in which they are tried: those known by synonyms last."""


@dataclass(frozen=True)
class Fit:
    """How the columns of a file fit a layout: raw column to own name, what is missing, columns of one meaning, and
    columns that it has no place for."""

    layout: Layout
    own_names: Mapping[str, str]
    missing: Sequence[str]
    doubled: Mapping[str, Sequence[str]]
    unused: Sequence[str] = ()

    @property
    def share_missing(self) -> float:
        return len(self.missing) / len(self.layout.required)


def fit(layout: Layout, names: Sequence[str], options: Options) -> Fit:
    """Where a layout's columns are among `names`, with what a person said of them."""
    said = {column: name for column, name in options.columns.items() if name in names}
    own = {one.column: _candidates(one, names, said) for one in layout.fields}
    told = {"collected_at"} if options.as_of else set()
    missing = [one.name for one in layout.fields if one.required and not own[one.column] and one.column not in told]
    if layout.any_of and not any(own[column] for column in layout.any_of):
        missing.append(" or ".join(layout.any_of))
    fields = {name for one in layout.fields for name in (one.column, one.name)}
    missing += [f"a place for {column}" for column in said if column not in fields]
    own_names = {column: found[0] for column, found in own.items() if found}
    doubled = {column: found for column, found in own.items() if len(found) > 1}
    unused = [name for name in names if name and name not in own_names.values()]
    return Fit(layout, own_names, missing, doubled, unused)


def _candidates(one: Field, names: Sequence[str], said: Mapping[str, str]) -> list[str]:
    for column in (one.column, one.name):
        if column in said:
            return [said[column]]
    return [name for name in names if snake_case(name) in one.names and name not in said.values()]


def matching(container: Container, names: Sequence[str], options: Options) -> Fit | None:
    """The first layout all of whose required columns are among these, None if there is no such."""
    return next((one for one in _fits(container, names, options) if not one.missing), None)


def nearest(container: Container, names: Sequence[str], options: Options) -> Fit | None:
    """The layout of which at least half the columns are among these; None if none is near."""
    best = min(_fits(container, names, options), key=lambda one: one.share_missing)
    return best if best.share_missing <= 1 / 2 else None


def _fits(container: Container, names: Sequence[str], options: Options) -> list[Fit]:
    return [fit(layout, names, options) for layout in LAYOUTS if layout.container in (container, None)]
