"""Declarations of what collecting from YouTube notes: what is watched, what was asked, and what it cost."""

from yt_platform.tables.columns import Column, Personal
from yt_platform.tables.declaration import Holds, InternalTable

REPORTS = InternalTable(
    name="raw.reports",
    description="One row per stored bulk report, beside its row in raw.batches.",
    key=("batch_id",),
    holds=Holds.NOTHING,
    columns=(
        Column("batch_id", "bigint", "The raw batch"),
        Column("account", "text", "Account whose report it is", personal=Personal.NONE),
        Column("report_type", "text", "Type of the report, without its version", personal=Personal.NONE),
        Column("type_version", "integer", "3 for channel_basic_a3"),
        Column("job_id", "text", "Job that made the report, by YouTube's id", personal=Personal.NONE),
        Column("report_id", "text", "The report, by YouTube's id", personal=Personal.NONE),
        Column("start_time", "timestamp with time zone", "Begin of the Pacific day reported on"),
        Column("create_time", "timestamp with time zone", "When YouTube made the report: the latest of a day counts"),
        Column("unknown_columns", "text[]", "Columns of the file that no table has", personal=Personal.NONE),
    ),
)

WATCHED_CHANNELS = InternalTable(
    name="ops.watched_channels",
    description="One row per channel to collect, as the user named it.",
    key=("reference",),
    holds=Holds.IDS,
    columns=(
        Column("reference", "text", "Channel id, or @handle, which is resolved once", personal=Personal.OWNER),
        Column("channel_id", "text", "NULL until a handle is resolved", personal=Personal.OWNER, nullable=True),
        Column("uploads_playlist_id", "text", "Playlist of the channel's uploads", nullable=True),
        Column("paused", "boolean", "Whether collecting is paused"),
        Column(
            "list_fully", "boolean", "The whole uploads playlist is to be listed at the next poll, not its newest part"
        ),
        Column("failure", "text", "Why the last poll of this channel was skipped", nullable=True),
        Column(
            "channel_polled_at",
            "timestamp with time zone",
            "When the channel's record was last asked for",
            nullable=True,
        ),
        Column("uploads_polled_at", "timestamp with time zone", "When its uploads were last listed", nullable=True),
        Column("added_at", "timestamp with time zone", "When the user named it"),
    ),
)

TRACKED_VIDEOS = InternalTable(
    name="ops.tracked_videos",
    description="One row per video of a watched channel: when it was last polled, and how it moves.",
    key=("video_id",),
    holds=Holds.IDS,
    columns=(
        Column("video_id", "text", "YouTube video id", personal=Personal.OWNER),
        Column("channel_id", "text", "Channel of the video", personal=Personal.OWNER),
        Column("published_at", "timestamp with time zone", "Publication", nullable=True),
        Column(
            "discovered_at",
            "timestamp with time zone",
            "When it was first seen in the uploads playlist, or a hub told of it",
        ),
        Column("metadata_polled_at", "timestamp with time zone", "When its metadata was last asked for", nullable=True),
        Column("stats_polled_at", "timestamp with time zone", "When its counts were last asked for", nullable=True),
        Column(
            "comments_polled_at", "timestamp with time zone", "When its comments were last asked for", nullable=True
        ),
        Column("view_count", "bigint", "Views at the last poll of its counts", nullable=True),
        Column("views_per_day", "double precision", "Between the last two polls of its counts", nullable=True),
        Column(
            "unreturned_at",
            "timestamp with time zone",
            "When YouTube first left it out of an answer: deleted, private or blocked; NULL while returned",
            nullable=True,
        ),
        Column("comments_failure", "text", "Why its comments were skipped at the last poll", nullable=True),
        Column(
            "pushed_at",
            "timestamp with time zone",
            "When a hub told of it; NULL once it was seen in the uploads playlist, which is listed down to what "
            "was seen there",
            nullable=True,
        ),
    ),
)

SKIPPED_ITEMS = InternalTable(
    name="ops.skipped_items",
    description=(
        "One row per item that YouTube did not let be read, or not to its end; it goes once the item is read "
        "to its end."
    ),
    key=("method", "item"),
    holds=Holds.IDS,
    columns=(
        Column(
            "method",
            "text",
            "What is called of it: playlistItems.list for uploads, commentThreads.list for comments, "
            "comments.list for replies, channels.list",
            personal=Personal.NONE,
        ),
        Column(
            "item",
            "text",
            "Channel, by id or by handle until that is resolved; video; comment whose replies are asked for",
            personal=Personal.OWNER,
        ),
        Column("channel_id", "text", "Whose it is, where that is known", personal=Personal.OWNER, nullable=True),
        Column("video_id", "text", "Video of the comment", personal=Personal.OWNER, nullable=True),
        Column(
            "setback",
            "text",
            "refused: YouTube does not give it; cut short: it gave the beginning; failed: no try was answered, "
            "though others were",
            personal=Personal.NONE,
        ),
        Column("reason", "text", "In YouTube's word"),
        Column("times", "integer", "How often in a row; the time to the next try doubles with each"),
        Column("first_at", "timestamp with time zone", "When it was first skipped"),
        Column("last_at", "timestamp with time zone", "When it was last skipped"),
        Column("retry_at", "timestamp with time zone", "From when it is asked for again, from its beginning"),
    ),
)

ASKED_CURVES = InternalTable(
    name="ops.asked_curves",
    description="One row per account, video and age of which YouTube Analytics was asked for the retention curve.",
    key=("account", "video_id", "age_days"),
    holds=Holds.IDS,
    columns=(
        Column("account", "text", "Account that asked", personal=Personal.NONE),
        Column("video_id", "text", "YouTube video id", personal=Personal.OWNER),
        Column("age_days", "bigint", "Age of the video the curve was asked for"),
        Column("channel_id", "text", "Channel of the video", personal=Personal.OWNER),
        Column("asked_at", "timestamp with time zone", "When it was last asked"),
        Column(
            "point_count",
            "bigint",
            "Points the answer had; 0 where there was no curve yet or the video was refused, which is asked "
            "again for a while",
        ),
    ),
)

PUSH_SUBSCRIPTIONS = InternalTable(
    name="ops.push_subscriptions",
    description="One row per channel that a WebSub hub was asked about.",
    key=("channel_id",),
    holds=Holds.IDS,
    columns=(
        Column("channel_id", "text", "YouTube channel id", personal=Personal.OWNER),
        Column("requested_at", "timestamp with time zone", "When the hub was last asked"),
        Column("verified_at", "timestamp with time zone", "When the hub last confirmed", nullable=True),
        Column(
            "lease_expires_at",
            "timestamp with time zone",
            "Until when the hub tells of uploads; NULL before it has verified",
            nullable=True,
        ),
        Column("failure", "text", "Why the last request came to nothing", nullable=True),
        Column(
            "asked_since",
            "timestamp with time zone",
            "When the hub was first asked to subscribe since it last confirmed; NULL where no request is open",
            nullable=True,
        ),
    ),
)

PUSH_NOTICES = InternalTable(
    name="ops.push_notices",
    description="One row per upload, edit or deletion that a hub told of in the last 30 days: the same twice is one.",
    key=("video_id", "updated_at"),
    holds=Holds.IDS,
    columns=(
        Column("video_id", "text", "YouTube video id", personal=Personal.OWNER),
        Column(
            "updated_at", "timestamp with time zone", "When the video was uploaded, edited or deleted, by the notice"
        ),
        Column("channel_id", "text", "Channel of the video", personal=Personal.OWNER),
        Column("deleted", "boolean", "Whether the notice is of a deletion"),
        Column("received_at", "timestamp with time zone", "When the notice came"),
    ),
)

QUOTA_LEDGER = InternalTable(
    name="ops.quota_ledger",
    description="Units charged, by Pacific day and bucket; each is charged before its call is sent.",
    key=("pacific_day", "bucket"),
    holds=Holds.NOTHING,
    columns=(
        Column("pacific_day", "date", "Day of the quota"),
        Column("bucket", "text", "What the units are counted against", personal=Personal.NONE),
        Column("units", "integer", "Units charged"),
        Column(
            "stopped_at",
            "timestamp with time zone",
            "When YouTube said that the bucket is empty; nothing is sent until the reset",
            nullable=True,
        ),
        Column("stop_reason", "text", "In YouTube's word", nullable=True),
        Column(
            "stopped_key",
            "text",
            "Fingerprint of the key that YouTube answered so to, from which the key cannot be told; NULL where "
            "it is unknown",
            personal=Personal.NONE,
            nullable=True,
        ),
    ),
)

QUOTA_CALLS = InternalTable(
    name="ops.quota_calls",
    description="Calls charged, by Pacific day and method: what the units went to.",
    key=("pacific_day", "method"),
    holds=Holds.NOTHING,
    columns=(
        Column("pacific_day", "date", "Day of the quota"),
        Column("method", "text", "What was called", personal=Personal.NONE),
        Column("calls", "integer", "Calls charged"),
    ),
)
