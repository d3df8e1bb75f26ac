"""What a raw batch holds: the Arrow schema and the key of every endpoint.

Belongs here: names, types, nullability and keys of raw rows, the shape API pulls and imported history share.
Not here: units, ranges and other judgement of values (the contracts in `catalog`), reading and storing.
"""

from dataclasses import dataclass

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Endpoint:
    """One kind of raw row; a row is known by `key`, though raw batches may hold a key twice."""

    name: str
    key: tuple[str, ...]
    schema: pa.Schema


def _endpoint(name: str, key: tuple[str, ...], **columns: pa.DataType) -> Endpoint:
    required = {*key, "like_zero_is_missing", "comment_zero_is_missing"}
    fields = [pa.field(column, kind, nullable=column not in required) for column, kind in columns.items()]
    return Endpoint(name, key, pa.schema(fields))


VIDEO_SNAPSHOTS = _endpoint(
    "video_snapshots",
    ("source", "video_id", "region", "collected_at"),
    source=pa.string(),
    video_id=pa.string(),
    region=pa.string(),  # '' where the reading belongs to no region
    collected_at=TIMESTAMP,
    channel_id=pa.string(),
    published_at=TIMESTAMP,
    view_count=pa.int64(),
    like_count=pa.int64(),
    comment_count=pa.int64(),
    like_zero_is_missing=pa.bool_(),
    comment_zero_is_missing=pa.bool_(),
)

VIDEOS = _endpoint(
    "videos",
    ("source", "video_id", "collected_at"),
    source=pa.string(),
    video_id=pa.string(),
    collected_at=TIMESTAMP,
    channel_id=pa.string(),
    channel_title=pa.string(),
    title=pa.string(),
    description=pa.string(),
    published_at=TIMESTAMP,
    duration=pa.string(),  # ISO 8601, as YouTube writes it
    category_id=pa.string(),
    tags=pa.string(),  # separated by commas
    default_language=pa.string(),
    default_audio_language=pa.string(),
    live_broadcast_content=pa.string(),
    definition=pa.string(),
    caption=pa.bool_(),
    licensed_content=pa.bool_(),
    embeddable=pa.bool_(),
    made_for_kids=pa.bool_(),
)

CHANNEL_SNAPSHOTS = _endpoint(
    "channel_snapshots",
    ("source", "channel_id", "collected_at"),
    source=pa.string(),
    channel_id=pa.string(),
    collected_at=TIMESTAMP,
    subscriber_count=pa.int64(),
    view_count=pa.int64(),
    video_count=pa.int64(),
)

CHANNELS = _endpoint(
    "channels",
    ("source", "channel_id", "collected_at"),
    source=pa.string(),
    channel_id=pa.string(),
    collected_at=TIMESTAMP,
    title=pa.string(),
    handle=pa.string(),
    description=pa.string(),
    country=pa.string(),
    published_at=TIMESTAMP,
    uploads_playlist_id=pa.string(),
)

ENDPOINTS = {endpoint.name: endpoint for endpoint in (VIDEO_SNAPSHOTS, VIDEOS, CHANNEL_SNAPSHOTS, CHANNELS)}

IDS_PER_CALL = 50
"""Most ids that one call of the API takes, hence most items that one answer tells of."""

API_RESPONSE = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),  # api, or synthetic where a sandbox answered
        pa.field("access", pa.string(), nullable=False),  # api_key or owner
        pa.field("collected_at", TIMESTAMP, nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("parameters", pa.string(), nullable=False),  # JSON, without the key
        pa.field("body", pa.string(), nullable=False),  # JSON exactly as received
    ]
)
"""One row per answer of the API; the rows of metrics tables get their `source` and `access` from it."""

ANALYTICS_RETENTION = "analytics_video_retention"
ANALYTICS_REVENUE = "analytics_channel_revenue"
ANALYTICS_ENDPOINTS = (ANALYTICS_RETENTION, ANALYTICS_REVENUE)
"""Raw endpoints that hold what YouTube Analytics answered to an account, named in the parameters."""

API_ENDPOINTS = (
    *("api_channels", "api_uploads", "api_videos", "api_video_stats", "api_comments"),
    *ANALYTICS_ENDPOINTS,
)
"""Raw endpoints that hold answers of the API."""
