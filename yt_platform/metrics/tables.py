"""Contracts of the `metrics` layer: validated facts, parsed from raw batches. No derived features here."""

from datetime import timedelta

from yt_platform.metrics.view_definition import REGIMES
from yt_platform.tables.columns import (
    CHANNEL_ID,
    COMMENT_ID,
    VIDEO_ID,
    count,
    day,
    flag,
    instant,
    label,
    number,
    owner_id,
    table_schema,
    text,
)
from yt_platform.tables.declaration import Holds, Input, Table, Write
from yt_platform.tables.times import DAY_AND_GRACE, LOOKBACK_DAYS, MADE_DAILY, REACH_DAYS, REFRESHED_MONTHLY, REPORTED

API_KEY = "api_key"
OWNER = "owner"
IMPORT = "import"
ACCESS = (API_KEY, OWNER, IMPORT)
"""Terms under which rows are obtained: figures read with an API key alone may be kept 30 days (YouTube's policy)."""

BY_DURATION, BY_SHAPE = "duration", "duration_and_shape"
SHORT_GUESS_RULES = (BY_DURATION, BY_SHAPE)
"""A Short lasts at most so long; and it is square or vertical, where the shape of its player is known."""

_SOURCE = label("Where the row came from: api, or the name of the import; 'synthetic' for generated data")
_VIDEO = owner_id("YouTube video id", pattern=VIDEO_ID)
_OBTAINED = {
    "access": label(
        "Terms under which the row was obtained: with an API key, by its owner's authorisation, or from an import",
        among=ACCESS,
    ),
    "refreshed_at": instant("When the row was last obtained or confirmed"),
}

VIDEO_SNAPSHOTS = Table(
    name="metrics.video_snapshots",
    description="One row per source, video, region and instant: cumulative counts as YouTube showed them.",
    key=("source", "video_id", "region", "collected_at"),
    write=Write.REPLACE,
    window="collected_at",
    holds=Holds.STATISTICS,
    max_age=DAY_AND_GRACE,
    code_version="4",
    inputs=(
        Input("raw.video_snapshots", lookback_days=LOOKBACK_DAYS),
        Input("raw.api_videos", lookback_days=LOOKBACK_DAYS),
        Input("raw.api_video_stats", lookback_days=LOOKBACK_DAYS),
    ),
    by_month=True,
    schema=table_schema(
        {
            "source": _SOURCE,
            "video_id": _VIDEO,
            "region": label("Country of the chart the video was read from, '' when it was read by id"),
            "collected_at": instant("When the counts were read"),
            "channel_id": owner_id(
                "Channel of the video, from the same answer or as it was tracked", pattern=CHANNEL_ID, nullable=True
            ),
            "published_at": instant("Publication, from the same answer; NULL before a premiere", nullable=True),
            "view_count": count("Views since publication", "views"),
            "like_count": count("Likes since publication; NULL when hidden or unknown", "likes", nullable=True),
            "comment_count": count(
                "Comments since publication; NULL when disabled or unknown", "comments", nullable=True
            ),
            "likes_known": flag("False when the source hides likes or 0 stands for missing"),
            "comments_known": flag("False when comments are disabled or 0 stands for missing"),
            "view_definition": label("What counted as a view at that time", among=REGIMES),
            **_OBTAINED,
        }
    ),
)

CHANNEL_SNAPSHOTS = Table(
    name="metrics.channel_snapshots",
    description="One row per source, channel and instant: cumulative counts as YouTube showed them.",
    key=("source", "channel_id", "collected_at"),
    write=Write.REPLACE,
    window="collected_at",
    holds=Holds.STATISTICS,
    max_age=MADE_DAILY,
    code_version="3",
    inputs=(
        Input("raw.channel_snapshots", lookback_days=LOOKBACK_DAYS),
        Input("raw.api_channels", lookback_days=LOOKBACK_DAYS),
    ),
    by_month=True,
    schema=table_schema(
        {
            "source": _SOURCE,
            "channel_id": owner_id("YouTube channel id", pattern=CHANNEL_ID),
            "collected_at": instant("When the counts were read"),
            "subscriber_count": count(
                "Subscribers, rounded down to 3 significant figures; NULL when hidden or unknown",
                "subscribers",
                nullable=True,
            ),
            "view_count": count(
                "Views of all videos since the channel began; NULL when unknown", "views", nullable=True
            ),
            "video_count": count("Public videos", "videos", nullable=True),
            "view_definition": label("What counted as a view at that time", among=REGIMES),
            **_OBTAINED,
        }
    ),
)

_VIDEO_METADATA = {
    "source": _SOURCE,
    "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
    "channel_title": text("Title of the channel when collected", nullable=True),
    "title": text("Title of the video", nullable=True),
    "description": text("Description of the video", nullable=True),
    "published_at": instant("Publication; in the future for a scheduled premiere", nullable=True),
    "duration_seconds": count("Length; 0 for live and upcoming broadcasts", "seconds", nullable=True),
    "category_id": label("YouTube category id", nullable=True),
    "tags": text("Tags, separated by commas", nullable=True),
    "default_language": label("Language of title and description", nullable=True),
    "default_audio_language": label("Language spoken", nullable=True),
    "live_broadcast_content": label("none, upcoming or live", nullable=True),
    "definition": label("hd or sd", nullable=True),
    "caption": flag("Whether captions exist", nullable=True),
    "licensed_content": flag("Whether the content is licensed", nullable=True),
    "embeddable": flag("Whether the video may be embedded", nullable=True),
    "made_for_kids": flag("Whether the video is made for children", nullable=True),
    "is_short_guess": flag(
        "Guess, as YouTube has no flag: up to 180 s since 2024-10-15, up to 60 s before, and not wider than high where "
        "the shape is known; short_guess_rule says by which of these",
        nullable=True,
    ),
    **_OBTAINED,
    "embed_width": count("Width of the player, fit into a square; NULL where not told", "pixels", nullable=True),
    "embed_height": count("Height of the player, fit into the same square", "pixels", nullable=True),
    "short_guess_rule": label("What is_short_guess was made from", among=SHORT_GUESS_RULES),
    "thumbnail_url": text("Address of the largest picture that is not higher than wide", nullable=True),
    "brand_partner_channel_id": text("Channel of the brand that the video is linked to", nullable=True),
}

VIDEOS = Table(
    name="metrics.videos",
    description="One row per video: its newest metadata.",
    key=("video_id",),
    write=Write.NEWEST,
    newest=("collected_at",),
    window="collected_at",
    holds=Holds.METADATA,
    max_age=REFRESHED_MONTHLY,
    code_version="3",
    inputs=(
        Input("raw.videos"),
        Input("raw.api_videos"),
    ),
    schema=table_schema(
        {"video_id": _VIDEO, "collected_at": instant("When this state was collected"), **_VIDEO_METADATA}
    ),
)

VIDEO_VERSIONS = Table(
    name="metrics.video_versions",
    description="One row per video and instant of collection: metadata as it was then.",
    key=("video_id", "collected_at"),
    write=Write.REPLACE,
    window="collected_at",
    holds=Holds.METADATA,
    max_age=REFRESHED_MONTHLY,
    code_version="3",
    inputs=(
        Input("raw.videos"),
        Input("raw.api_videos"),
    ),
    schema=table_schema(
        {"video_id": _VIDEO, "collected_at": instant("When this version was collected"), **_VIDEO_METADATA}
    ),
)

CHANNELS = Table(
    name="metrics.channels",
    description="One row per channel: its newest record.",
    key=("channel_id",),
    write=Write.NEWEST,
    newest=("is_complete", "collected_at"),
    window="collected_at",
    holds=Holds.METADATA,
    max_age=REFRESHED_MONTHLY,
    code_version="2",
    inputs=(
        Input("raw.channels"),
        Input("raw.videos"),
        Input("raw.api_channels"),
        Input("raw.api_videos"),
    ),
    schema=table_schema(
        {
            "channel_id": owner_id("YouTube channel id", pattern=CHANNEL_ID),
            "collected_at": instant("When this state was collected"),
            "source": _SOURCE,
            "title": text("Title of the channel", nullable=True),
            "handle": text("Handle, with @", nullable=True),
            "description": text("Description of the channel", nullable=True),
            "country": label("Country code", nullable=True),
            "published_at": instant("When the channel began", nullable=True),
            "uploads_playlist_id": text("Playlist that holds the uploads", nullable=True),
            "is_complete": flag("True for a channel's own record; False when only a video named its channel"),
            **_OBTAINED,
        }
    ),
)

COMMENTS = Table(
    name="metrics.comments",
    description="One row per comment or reply: its newest state.",
    key=("comment_id",),
    write=Write.NEWEST,
    newest=("updated_at", "collected_at"),
    window="collected_at",
    holds=Holds.METADATA,
    max_age=timedelta(days=8),
    code_version="2",
    inputs=(Input("raw.api_comments"),),
    schema=table_schema(
        {
            "comment_id": label("YouTube comment id", pattern=COMMENT_ID),
            "video_id": owner_id(
                "Video commented on; NULL where the answer that brought a reply did not say",
                pattern=VIDEO_ID,
                nullable=True,
            ),
            "parent_id": label(
                "Comment that is replied to; NULL for a top-level comment", pattern=COMMENT_ID, nullable=True
            ),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            "author_channel_id": owner_id("Channel of the author", pattern=CHANNEL_ID, nullable=True),
            "author_name": text("Name of the author as shown", nullable=True),
            "text": text("Text of the comment as last edited; NULL where it is a picture alone", nullable=True),
            "like_count": count("Likes of the comment", "likes", nullable=True),
            "reply_count": count("Replies to a top-level comment; NULL for replies", "replies", nullable=True),
            "published_at": instant("When the comment was written"),
            "updated_at": instant("When the comment was last edited; as published_at when it never was"),
            "collected_at": instant("When this state was collected"),
            "source": _SOURCE,
            **_OBTAINED,
            "image_url": text(
                "Address of the comment's picture or animation, which YouTube serves for six hours after collected_at",
                nullable=True,
            ),
        }
    ),
)

VIDEO_DAILY = Table(
    name="metrics.video_daily",
    description="One row per video and UTC day: the last known reading of each count over all sources and regions.",
    key=("video_id", "day"),
    write=Write.REPLACE,
    window="day",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="1",
    inputs=(Input("metrics.video_snapshots", lookback_days=1),),
    sources={
        "day": ("collected_at",),
        "view_increment": ("view_count",),
        "like_increment": ("like_count", "likes_known"),
        "comment_increment": ("comment_count", "comments_known"),
        "view_count_fell": ("view_count",),
        "like_count_fell": ("like_count",),
        "comment_count_fell": ("comment_count",),
        "reading_count": ("collected_at",),
        "region_count": ("region",),
        "source_count": ("source",),
    },
    made_by="yt_platform.metrics.readings:video_daily",
    schema=table_schema(
        {
            "video_id": _VIDEO,
            "day": day("Day of collection"),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            "published_at": instant("Publication; NULL before a premiere", nullable=True),
            "collected_at": instant("When the day's last reading was taken"),
            "view_count": count("Views since publication", "views"),
            "like_count": count("Likes since publication", "likes", nullable=True),
            "comment_count": count("Comments since publication", "comments", nullable=True),
            "view_increment": count(
                "Views since the day before; may be negative", "views", nullable=True, minimum=None
            ),
            "like_increment": count(
                "Likes since the day before; may be negative", "likes", nullable=True, minimum=None
            ),
            "comment_increment": count(
                "Comments since the day before; may be negative", "comments", nullable=True, minimum=None
            ),
            "view_count_fell": flag("The count is below the day before's: spam purge or correction"),
            "like_count_fell": flag("The count is below the day before's"),
            "comment_count_fell": flag("The count is below the day before's"),
            "reading_count": count("Snapshots that day", "snapshots", minimum=1),
            "region_count": count("Regional charts the video was read from that day", "regions"),
            "source_count": count("Sources that read the video that day", "sources", minimum=1),
            "view_definition": label("What counted as a view at the last reading", among=REGIMES),
        }
    ),
)

VIDEO_HOURLY = Table(
    name="metrics.video_hourly",
    description="One row per video and UTC hour with a reading: the hour's last, over all sources and regions.",
    key=("video_id", "hour"),
    write=Write.REPLACE,
    window="hour",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="1",
    inputs=(Input("metrics.video_snapshots", lookback_days=1),),
    sources={
        "hour": ("collected_at",),
        "view_increment": ("view_count",),
        "like_increment": ("like_count", "likes_known"),
        "comment_increment": ("comment_count", "comments_known"),
        "reading_count": ("collected_at",),
        "engagement_rate": ("view_count", "like_count", "comment_count"),
        "growth_rate": ("view_count",),
        "views_per_hour": ("view_count", "collected_at"),
    },
    made_by="yt_platform.metrics.readings:video_hourly",
    schema=table_schema(
        {
            "video_id": _VIDEO,
            "hour": instant("Hour of the reading"),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
            "published_at": instant("Publication; NULL before a premiere", nullable=True),
            "collected_at": instant("When the hour's last reading was taken"),
            "view_count": count("Views since publication", "views"),
            "like_count": count("Likes since publication", "likes", nullable=True),
            "comment_count": count("Comments since publication", "comments", nullable=True),
            "view_increment": count(
                "Views since the hour before, as counted; NULL where that has no reading",
                "views",
                nullable=True,
                minimum=None,
            ),
            "like_increment": count("Likes since the hour before", "likes", nullable=True, minimum=None),
            "comment_increment": count("Comments since the hour before", "comments", nullable=True, minimum=None),
            "reading_count": count("Snapshots in the hour", "snapshots", minimum=1),
            "engagement_rate": number("Likes and comments, as far as known, over views", "ratio", minimum=0),
            "growth_rate": number("View increment over the views of the hour before", "1/hour"),
            "views_per_hour": number(
                "Velocity: views since the last reading of the 24 hours before, over the hours between", "views/hour"
            ),
            "view_definition": label("What counted as a view at the reading", among=REGIMES),
        }
    ),
)

READINGS, REPORT = "readings", "report"
_BASIS = "readings, or the owner's report of the same Pacific day, where that day had no reading"

CHANNEL_DAILY = Table(
    name="metrics.channel_daily",
    description=(
        "One row per channel and UTC day: what it gained between the midnights, interpolated between readings, or on a "
        "day without any what its owner's report says. For reporting: not YouTube's figures, and no feature reads them."
    ),
    key=("channel_id", "day"),
    write=Write.REPLACE,
    window="day",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="3",
    inputs=(
        Input("metrics.video_hourly", lookback_days=REACH_DAYS, lookahead_days=REACH_DAYS),
        Input("metrics.channel_snapshots", lookback_days=REACH_DAYS, lookahead_days=REACH_DAYS),
        Input("metrics.report_basic"),
    ),
    sources={
        "day": (
            "metrics.channel_snapshots.collected_at",
            "metrics.video_hourly.collected_at",
            "metrics.report_basic.day",
        ),
        "view_count": ("metrics.channel_snapshots.view_count",),
        "subscriber_count": ("metrics.channel_snapshots.subscriber_count",),
        "view_increment": ("metrics.channel_snapshots.view_count", "metrics.report_basic.views"),
        "subscriber_increment": (
            "metrics.channel_snapshots.subscriber_count",
            "metrics.report_basic.subscribers_gained",
            "metrics.report_basic.subscribers_lost",
        ),
        "tracked_video_count": ("metrics.video_hourly.video_id", "metrics.report_basic.video_id"),
        "tracked_view_increment": ("metrics.video_hourly.view_count", "metrics.report_basic.views"),
        "tracked_like_increment": ("metrics.video_hourly.like_count", "metrics.report_basic.likes"),
        "tracked_comment_increment": ("metrics.video_hourly.comment_count", "metrics.report_basic.comments"),
        "engagement_rate": (
            "metrics.video_hourly.view_count",
            "metrics.video_hourly.like_count",
            "metrics.video_hourly.comment_count",
            "metrics.report_basic.views",
            "metrics.report_basic.likes",
            "metrics.report_basic.comments",
        ),
        "growth_rate": ("metrics.channel_snapshots.view_count", "metrics.report_basic.views"),
        "views_per_hour": ("metrics.channel_snapshots.view_count", "metrics.report_basic.views"),
        "ad_revenue_estimate": ("metrics.channel_snapshots.view_count", "metrics.report_basic.views"),
        "sponsorship_revenue_estimate": ("metrics.channel_snapshots.view_count", "metrics.report_basic.views"),
        "affiliate_revenue_estimate": ("metrics.channel_snapshots.view_count", "metrics.report_basic.views"),
        "is_final": (
            "metrics.channel_snapshots.collected_at",
            "metrics.video_hourly.collected_at",
            "metrics.report_basic.reported_at",
        ),
        "basis": ("metrics.channel_snapshots.collected_at", "metrics.report_basic.day"),
        "tracked_basis": ("metrics.video_hourly.collected_at", "metrics.report_basic.day"),
    },
    schema=table_schema(
        {
            "channel_id": owner_id("YouTube channel id", pattern=CHANNEL_ID),
            "day": day("UTC day"),
            "view_count": number("Views of the channel at the day's end, interpolated", "views", minimum=0),
            "subscriber_count": number(
                "Subscribers at the day's end, interpolated; YouTube rounds them to 3 figures", "subscribers", minimum=0
            ),
            "view_increment": number("Views the channel gained that day", "views"),
            "subscriber_increment": number("Subscribers the channel gained that day", "subscribers"),
            "tracked_video_count": count("Tracked videos whose day is known", "videos"),
            "tracked_view_increment": number("Views these videos gained that day", "views"),
            "tracked_like_increment": number("Likes these videos gained that day", "likes"),
            "tracked_comment_increment": number("Comments these videos gained that day", "comments"),
            "engagement_rate": number(
                "Likes and comments gained by tracked videos, as far as known, over the views they gained", "ratio"
            ),
            "growth_rate": number("Views the channel gained over its views at the day's begin", "1/day"),
            "views_per_hour": number("Velocity: views the channel gained per hour of the day", "views/hour"),
            "ad_revenue_estimate": number("Estimate: see revenue_assumptions", "currency"),
            "affiliate_revenue_estimate": number("Estimate: see revenue_assumptions", "currency"),
            "sponsorship_revenue_estimate": number("Estimate: see revenue_assumptions", "currency"),
            "revenue_assumptions": label("The rates the estimates were made with; none is known of the channel itself"),
            "is_final": flag(
                "Every value lies between two readings; else it may change with the next one, or a restated report"
            ),
            "basis": label(f"What the channel's gains were taken from: {_BASIS}", among=(READINGS, REPORT)),
            "tracked_basis": label(f"What the gains of its videos were taken from: {_BASIS}", among=(READINGS, REPORT)),
        }
    ),
)

VIDEO_WINDOWS = Table(
    name="metrics.video_windows",
    description=(
        "One row per channel and window with a reading, for series read many times a day: what its videos gained."
    ),
    key=("channel_id", "window_minutes", "window_start"),
    write=Write.REPLACE,
    window="window_start",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="2",
    inputs=(Input("metrics.video_snapshots", lookback_days=1, lookahead_days=1),),
    sources={
        "window_start": ("collected_at",),
        "reading_count": ("collected_at",),
        "video_count": ("video_id",),
        "view_increment": ("view_count",),
        "like_increment": ("like_count", "likes_known"),
        "comment_increment": ("comment_count", "comments_known"),
        "is_final": ("collected_at",),
    },
    made_by="yt_platform.metrics.windows:video_windows",
    schema=table_schema(
        {
            "channel_id": owner_id("YouTube channel id", pattern=CHANNEL_ID),
            "window_minutes": count("Length: 5 begins every minute, 60 every hour", "minutes", minimum=1),
            "window_start": instant("Begin of the window"),
            "reading_count": count("Readings inside the window", "snapshots", minimum=1),
            "video_count": count("Videos read inside the window", "videos", minimum=1),
            "view_increment": count(
                "Views gained up to these readings since the ones before", "views", nullable=True, minimum=None
            ),
            "like_increment": count("Likes gained likewise", "likes", nullable=True, minimum=None),
            "comment_increment": count("Comments gained likewise", "comments", nullable=True, minimum=None),
            "is_final": flag("The watermark has passed the window: no collection adds to it"),
        }
    ),
)

VIDEO_RETENTION = Table(
    name="metrics.video_retention",
    description=(
        "One row per account, video, age and hundredth of the video's length: how it held its viewers up to that age, "
        "as YouTube Analytics told its owner."
    ),
    key=("account", "video_id", "age_days", "elapsed_video_time_ratio"),
    write=Write.NEWEST,
    newest=("collected_at",),
    window="collected_at",
    holds=Holds.AUTHORIZED,
    max_age=None,
    code_version="1",
    inputs=(Input("raw.analytics_video_retention"),),
    schema=table_schema(
        {
            "account": label("Account that asked, as it was named at its authorisation"),
            "video_id": _VIDEO,
            "age_days": count("Age of the video the curve was asked for", "days", minimum=1),
            "elapsed_video_time_ratio": number(
                "Share of the video's length, the end of a hundredth of it",
                "ratio",
                minimum=0,
                maximum=1,
                nullable=False,
            ),
            "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID),
            "first_day": day("First day of the views counted: that of the publication", unit="Pacific day"),
            "last_day": day("Last day of the views counted", unit="Pacific day"),
            "audience_watch_ratio": number(
                "Times this part was watched for each view of the video; over 1 where it is watched again",
                "ratio",
                minimum=0,
            ),
            "relative_retention_performance": number(
                "How it holds viewers here among videos of its length, from 0, the worst, to 1",
                "ratio",
                minimum=0,
                maximum=1,
            ),
            "collected_at": instant("When YouTube was asked"),
            "source": _SOURCE,
            **_OBTAINED,
        }
    ),
)

CHANNEL_REVENUE = Table(
    name="metrics.channel_revenue",
    description=(
        "One row per account, channel and Pacific day: what the channel earned, by YouTube's estimate, as YouTube "
        "Analytics told its owner. Of content owners metrics.report_revenue has it."
    ),
    key=("account", "channel_id", "day"),
    write=Write.NEWEST,
    newest=("collected_at",),
    window="collected_at",
    holds=Holds.AUTHORIZED,
    max_age=REPORTED,
    code_version="1",
    inputs=(Input("raw.analytics_channel_revenue"),),
    schema=table_schema(
        {
            "account": label("Account that asked, as it was named at its authorisation"),
            "channel_id": owner_id("The account's channel", pattern=CHANNEL_ID),
            "day": day("Day of the revenue", unit="Pacific day"),
            "currency": label("Currency of the amounts, ISO 4217", pattern="^[A-Z]{3}$"),
            "estimated_revenue": number("Net revenue of all sources; corrected until mid-next-month", "currency"),
            "estimated_ad_revenue": number("Of that, by advertising", "currency"),
            "estimated_red_partner_revenue": number("Of that, by YouTube Premium", "currency"),
            "gross_revenue": number("Revenue of advertising before YouTube's share", "currency"),
            "monetized_playbacks": count("Views with at least one ad", "views", nullable=True),
            "playback_based_cpm": number("Gross revenue of 1,000 views with ads", "currency", minimum=0),
            "ad_impressions": count("Ads shown", "impressions", nullable=True),
            "cpm": number("Gross revenue of 1,000 ads shown", "currency", minimum=0),
            "collected_at": instant("When YouTube was asked"),
            "source": _SOURCE,
            **_OBTAINED,
        }
    ),
)
