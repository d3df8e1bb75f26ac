"""Contracts of the `features` layer: what is known about a video or a channel at the end of a UTC day or hour.

A feature is described here, computed in `features/videos.py`, and read by the models in the order given here. Targets
(what happened afterwards) do not belong here.

Conventions: lag k is the origin day minus k days. A rate is an increment between adjacent days, divided by the hours
between the two readings, times 24, because the hour of collection varies. An acceleration is the natural logarithm of
the ratio of two rates (each plus one view, so that 0 stays finite): 0 is steady, -0.69 is halving. Unknown is NULL,
never 0.
"""

from yt_platform.metrics.view_definition import REGIMES
from yt_platform.tables.columns import (
    CHANNEL_ID,
    VIDEO_ID,
    day,
    instant,
    label,
    number,
    owner_id,
    table_schema,
)
from yt_platform.tables.declaration import Holds, Input, Table, Write
from yt_platform.tables.times import HOURS_DAYS, LOOKBACK_DAYS, MADE_DAILY

VIEW_RATE_LAGS = 7
RESPONSE_RATE_LAGS = 3
ACCELERATION_LAGS = 6

_KEYS = {
    "video_id": owner_id("YouTube video id", pattern=VIDEO_ID),
    "day": day("Origin: the last day whose readings the features know"),
    "channel_id": owner_id("Channel of the video", pattern=CHANNEL_ID, nullable=True),
}

_LEVELS = {
    "view_count": number("Views since publication", "views", minimum=0),
    "like_count": number("Likes since publication", "likes", minimum=0),
    "comment_count": number("Comments since publication", "comments", minimum=0),
}

_INCREMENTS = {
    "view_increment": number("Views gained since the day before, as counted; the naive forecast's basis", "views"),
    **{
        f"view_rate_lag_{k}": number(f"Views gained per 24 hours, {k} days before the origin", "views/day")
        for k in range(VIEW_RATE_LAGS)
    },
    **{
        f"{name}_rate_lag_{k}": number(
            f"{name.capitalize()}s gained per 24 hours, {k} days before the origin", f"{name}s/day"
        )
        for name in ("like", "comment")
        for k in range(RESPONSE_RATE_LAGS)
    },
    "view_rate_mean_3d": number("Mean of the known view rates of lags 0 to 2", "views/day"),
    "view_rate_mean_7d": number("Mean of the known view rates of lags 0 to 6", "views/day"),
    "view_rate_peak": number("Highest known view rate of lags 0 to 27", "views/day"),
    "view_rate_since_published": number(
        "Views over age, per 24 hours; an age under one hour counts as one hour", "views/day", minimum=0
    ),
}

_ACCELERATIONS = {
    **{
        f"view_acceleration_lag_{k}": number(f"View rate of lag {k} against lag {k + 1}", "log ratio")
        for k in range(ACCELERATION_LAGS)
    },
    "view_acceleration_3d": number("View rate of lag 0 against lag 3", "log ratio"),
    "view_acceleration_6d": number("View rate of lag 0 against lag 6", "log ratio"),
    "view_acceleration_from_peak": number("View rate of lag 0 against the peak", "log ratio", maximum=0),
    "view_acceleration_since_published": number("View rate of lag 0 against the rate since publication", "log ratio"),
    "view_acceleration_spread": number(
        "Standard deviation of the known accelerations of lags 0 to 5", "log ratio", minimum=0
    ),
    "like_acceleration": number("Like rate of lag 0 against lag 1", "log ratio"),
    "comment_acceleration": number("Comment rate of lag 0 against lag 1", "log ratio"),
    "days_since_peak": number("Days since the highest known view rate of lags 0 to 27", "days", minimum=0),
}

_RATES = {
    "view_growth": number("View rate of lag 0 over views", "1/day"),
    "like_ratio": number("Likes over views", "likes/view", minimum=0),
    "comment_ratio": number("Comments over views", "comments/view", minimum=0),
    "recent_like_ratio": number("Like rate over view rate, both of lag 0", "likes/view"),
    "recent_comment_ratio": number("Comment rate over view rate, both of lag 0", "comments/view"),
    "like_ratio_change": number("Recent like ratio over like ratio: above 1 when likes run ahead of views", "ratio"),
}

_AGE_AND_CALENDAR = {
    "age_hours": number("From publication to the origin's reading", "hours", minimum=0),
    "published_hour": number("Hour of publication, with fraction", "hour of the UTC day", minimum=0, maximum=24),
    "published_weekday": number("Weekday of publication, Monday is 0", "weekday", minimum=0, maximum=6),
    "weekday": number("Weekday of the origin, Monday is 0", "weekday", minimum=0, maximum=6),
}

_PRESENCE = {
    "region_count": number("Regional charts the video was read from", "regions", minimum=0),
    "region_count_lag_1": number("The same one day earlier", "regions", minimum=0),
    "region_count_lag_2": number("The same two days earlier", "regions", minimum=0),
    "region_count_change": number("Regions gained since the day before", "regions"),
    "days_observed": number("Days with a reading among lags 0 to 28", "days", minimum=1),
    "days_observed_in_a_row": number("Days with a reading without a gap up to the origin", "days", minimum=1),
}

_CHANNEL = {
    "channel_videos": number("Videos of the channel with a reading on the origin day", "videos", minimum=1),
    "channel_video_days": number("Daily readings of the channel's videos over lags 0 to 26", "video-days", minimum=1),
    "channel_views_mean": number("Mean views of those readings", "views", minimum=0),
    "channel_view_rate_mean": number(
        "Mean view rate of those readings, a negative rate counted as 0", "views/day", minimum=0
    ),
    "channel_acceleration_mean": number("Mean acceleration of those readings", "log ratio"),
    "channel_other_view_rate": number(
        "Sum of the view rates of the channel's other videos on the origin day", "views/day", minimum=0
    ),
    "channel_view_rate_share": number(
        "The video's share of its channel's view rate on the origin day", "ratio", minimum=0, maximum=1
    ),
}

_METADATA = {
    "duration_seconds": number("Length; 0 for live and upcoming broadcasts", "seconds", minimum=0),
    "category": number("YouTube category id as a number", "category id", minimum=0),
    "is_short": number("1 when the video is guessed to be a Short, else 0", "0 or 1", minimum=0, maximum=1),
    "is_broadcast": number("1 when live or upcoming, else 0", "0 or 1", minimum=0, maximum=1),
    "tag_count": number("Tags", "tags", minimum=0),
}

_TEXT = {
    "title_length": number("Characters of the title", "characters", minimum=0),
    "title_words": number("Words of the title", "words", minimum=0),
    "title_digits": number("Digits in the title", "characters", minimum=0),
    "title_uppercase_share": number("Upper-case letters over letters of the title", "ratio", minimum=0, maximum=1),
    "title_questions": number("Question marks in the title", "characters", minimum=0),
    "title_exclamations": number("Exclamation marks in the title", "characters", minimum=0),
    "title_emojis": number("Pictographs in the title", "characters", minimum=0),
    "title_hashtags": number("Hashtags in the title", "hashtags", minimum=0),
    "description_length": number("Characters of the description", "characters", minimum=0),
    "description_words": number("Words of the description", "words", minimum=0),
    "description_lines": number("Lines of the description", "lines", minimum=0),
    "description_urls": number("Links in the description", "links", minimum=0),
    "description_hashtags": number("Hashtags in the description", "hashtags", minimum=0),
}

_RESPONSE_INCREMENTS = {
    f"{name}_increment": number(
        f"{name.capitalize()}s gained since the day before, as counted; the naive forecast's basis", f"{name}s"
    )
    for name in ("like", "comment")
}

_OF_DAY = {
    "view_acceleration_of_day": number(
        "Median acceleration of lag 0 over all videos read on the origin day: how late YouTube counted that day",
        "log ratio",
    ),
}

_SINCE_READING = {
    "days_since_reading": number(
        "Days since the newest earlier reading, NULL without one among lags 1 to 28", "days", minimum=1
    ),
    **{
        f"{name}_rate_since_reading": number(f"{name.capitalize()}s gained per 24 hours since then", f"{name}s/day")
        for name in ("view", "like", "comment")
    },
}

_FEATURES = {
    **_LEVELS,
    **_INCREMENTS,
    **_ACCELERATIONS,
    **_RATES,
    **_AGE_AND_CALENDAR,
    **_PRESENCE,
    **_CHANNEL,
    **_METADATA,
    **_TEXT,
    **_RESPONSE_INCREMENTS,
    **_OF_DAY,
    **_SINCE_READING,
}

VIDEO_DAY = Table(
    name="features.video_day",
    description="One row per video and UTC day with a reading: what is known at the end of that day.",
    key=("video_id", "day"),
    write=Write.REPLACE,
    window="day",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="4",
    inputs=(
        Input("metrics.video_daily", lookback_days=LOOKBACK_DAYS),
        Input("metrics.video_versions", lookback_days=LOOKBACK_DAYS),
    ),
    sources={
        "view_rate_since_published": ("view_count", "collected_at", "published_at"),
        "view_acceleration_since_published": ("view_count", "collected_at", "published_at"),
        "view_*_of_day": ("view_count", "collected_at"),
        "view_rate_*": ("view_count", "collected_at"),
        "view_acceleration_*": ("view_count", "collected_at"),
        "view_growth": ("view_count", "collected_at"),
        "like_rate_*": ("like_count", "collected_at"),
        "comment_rate_*": ("comment_count", "collected_at"),
        "like_acceleration": ("like_count", "collected_at"),
        "comment_acceleration": ("comment_count", "collected_at"),
        "days_since_peak": ("view_count", "collected_at"),
        "like_ratio": ("like_count", "view_count"),
        "comment_ratio": ("comment_count", "view_count"),
        "recent_like_ratio": ("like_count", "view_count"),
        "recent_comment_ratio": ("comment_count", "view_count"),
        "like_ratio_change": ("like_count", "view_count"),
        "age_hours": ("published_at", "metrics.video_daily.collected_at"),
        "published_*": ("published_at",),
        "weekday": ("day",),
        "region_count_*": ("region_count",),
        "days_observed*": ("day",),
        "days_since_reading": ("day",),
        "channel_videos": ("metrics.video_daily.channel_id", "metrics.video_daily.video_id"),
        "channel_video_days": ("metrics.video_daily.channel_id", "metrics.video_daily.video_id"),
        "channel_*_*": ("metrics.video_daily.channel_id", "view_count", "collected_at"),
        "category": ("category_id",),
        "is_short": ("is_short_guess",),
        "is_broadcast": ("live_broadcast_content",),
        "tag_count": ("tags",),
        "title_*": ("title",),
        "description_*": ("description",),
    },
    made_by="yt_platform.features.videos:build_video_day",
    schema=table_schema({**_KEYS, **_FEATURES}),
)

VIDEO_DAY_FEATURES = tuple(_FEATURES)
"""What a model may read, in the order models read it; all float64."""

METADATA = (*_METADATA, *_TEXT)
"""What is known of a video that was never read."""

CHANNEL_RECORD = ("channel_video_days", "channel_views_mean", "channel_view_rate_mean", "channel_acceleration_mean")
"""What is known of a channel whichever of its videos is asked for."""

SINCE_READING = tuple(_SINCE_READING)
"""What is new only where the day before has no reading; else it says what lag 0 says."""
_VIEW_DEFINITION = {"view_definition": label("What counted as a view at the last reading", among=REGIMES)}

HOUR_RATE_LAGS = 25
HOUR_RESPONSE_LAGS = 3
HOUR_ACCELERATION_LAGS = 4
HOUR_SPANS = (2, 3, 6, 12, 24)

_HOUR_FEATURES = {
    **_LEVELS,
    "view_increment": number("Views gained since the hour before, as counted; the naive forecast's basis", "views"),
    **{
        f"view_rate_lag_{k}": number(f"Views gained per hour, {k} hours before the origin", "views/hour")
        for k in range(HOUR_RATE_LAGS)
    },
    **{
        f"{name}_rate_lag_{k}": number(
            f"{name.capitalize()}s gained per hour, {k} hours before the origin", f"{name}s/hour"
        )
        for name in ("like", "comment")
        for k in range(HOUR_RESPONSE_LAGS)
    },
    "view_rate_mean_3h": number("Mean of the known view rates of lags 0 to 2", "views/hour"),
    "view_rate_mean_24h": number("Mean of the known view rates of lags 0 to 23", "views/hour"),
    "view_rate_next_hour_of_other_days": number("Mean of the known view rates of lags 23 and 47", "views/hour"),
    "view_rate_same_hour_of_other_days": number("Mean of the known view rates of lags 24 and 48", "views/hour"),
    **{
        f"view_rate_span_{k}h": number(f"Views gained per hour since the reading {k} hours earlier", "views/hour")
        for k in HOUR_SPANS
    },
    **{
        f"view_acceleration_lag_{k}": number(f"View rate of lag {k} against lag {k + 1}", "log ratio")
        for k in range(HOUR_ACCELERATION_LAGS)
    },
    **{
        f"view_acceleration_span_{k}h": number(f"View rate of lag 0 against that of the last {k} hours", "log ratio")
        for k in HOUR_SPANS
    },
    "view_acceleration_24h": number("View rate of lag 0 against lag 24", "log ratio"),
    "view_acceleration_spread": number(
        f"Standard deviation of the known accelerations of lags 0 to {HOUR_ACCELERATION_LAGS - 1}",
        "log ratio",
        minimum=0,
    ),
    "view_rhythm": number("View rate of the next hour on other days against that of the same hour", "log ratio"),
    "age_hours": number("From publication to the origin's reading", "hours", minimum=0),
    "hour_of_day": number("Hour of the origin", "hour of the UTC day", minimum=0, maximum=23),
    "weekday": number("Weekday of the origin, Monday is 0", "weekday", minimum=0, maximum=6),
    "reading_minute": number("From the full hour to the reading", "minutes", minimum=0, maximum=60),
    "reading_count": number("Snapshots in the hour", "snapshots", minimum=1),
    "elapsed_hours": number("From the reading of the hour before to the origin's", "hours", minimum=0, maximum=2),
    "elapsed_hours_lag_1": number("The same one hour earlier", "hours", minimum=0, maximum=2),
    "hours_observed": number("Hours with a reading among lags 0 to 23", "hours", minimum=1, maximum=24),
    "hours_observed_in_a_row": number(
        "Hours with a reading without a gap up to the origin, at most 24", "hours", minimum=1, maximum=24
    ),
    "view_rate_since_published": number(
        "Views over age, per hour; an age under one hour counts as one hour", "views/hour", minimum=0
    ),
    "view_growth": number("View rate of lag 0 over views", "1/hour"),
    "recent_like_ratio": number("Like rate over view rate, both of lag 0", "likes/view"),
    "like_ratio": number("Likes over views", "likes/view", minimum=0),
}

VIDEO_HOUR = Table(
    name="features.video_hour",
    description="One row per video and hour with a reading in it and in the hour before: what is known at its end.",
    key=("video_id", "hour"),
    write=Write.REPLACE,
    window="hour",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="2",
    inputs=(Input("metrics.video_hourly", lookback_days=HOURS_DAYS),),
    sources={
        "view_rate_since_published": ("view_count", "collected_at", "published_at"),
        "view_rate_*": ("view_count", "collected_at"),
        "view_acceleration_*": ("view_count", "collected_at"),
        "view_growth": ("view_count", "collected_at"),
        "view_rhythm": ("view_count", "collected_at"),
        "like_rate_*": ("like_count", "collected_at"),
        "comment_rate_*": ("comment_count", "collected_at"),
        "like_ratio": ("like_count", "view_count"),
        "recent_like_ratio": ("like_count", "view_count"),
        "age_hours": ("published_at", "collected_at"),
        "hour_of_day": ("hour",),
        "weekday": ("hour",),
        "reading_minute": ("collected_at",),
        "elapsed_hours*": ("collected_at",),
        "hours_observed*": ("hour",),
    },
    made_by="yt_platform.features.hours:build_video_hour",
    schema=table_schema(
        {
            "video_id": _KEYS["video_id"],
            "hour": instant("Origin: beginning of the last hour whose readings the features know"),
            "channel_id": _KEYS["channel_id"],
            **_VIEW_DEFINITION,
            **_HOUR_FEATURES,
        }
    ),
)

VIDEO_HOUR_FEATURES = tuple(_HOUR_FEATURES)
"""What a model may read, in the order models read it; all float64."""

CHANNEL_RATE_LAGS = 7
CHANNEL_ACCELERATION_LAGS = 5
CHANNEL_SPANS = (7, 28)

_CHANNEL_FEATURES = {
    "view_count": number("Views of all videos since the channel began", "views", minimum=0),
    "subscriber_count": number("Subscribers, rounded down to 3 significant figures", "subscribers", minimum=0),
    "video_count": number("Public videos", "videos", minimum=0),
    "view_increment": number("Views gained since the day before, as counted; the naive forecast's basis", "views"),
    **{
        f"view_rate_lag_{k}": number(f"Views gained per 24 hours, {k} days before the origin", "views/day")
        for k in range(CHANNEL_RATE_LAGS)
    },
    "view_rate_mean_3d": number("Mean of the known view rates of lags 0 to 2", "views/day"),
    "view_rate_mean_7d": number("Mean of the known view rates of lags 0 to 6", "views/day"),
    "view_rate_mean_28d": number("Mean of the known view rates of lags 0 to 27", "views/day"),
    **{
        name: column
        for k in CHANNEL_SPANS
        for name, column in {
            f"view_rate_span_{k}d": number(f"Views gained per 24 hours since the reading {k} days before", "views/day"),
            f"subscribers_gained_{k}d": number(f"Subscribers gained since the reading {k} days before", "subscribers"),
            f"videos_gained_{k}d": number(f"Public videos gained since the reading {k} days before", "videos"),
        }.items()
    },
    **{
        f"view_acceleration_lag_{k}": number(f"View rate of lag {k} against lag {k + 1}", "log ratio")
        for k in range(CHANNEL_ACCELERATION_LAGS)
    },
    "view_acceleration_7d": number("View rate of lag 0 against the mean of lags 0 to 6", "log ratio"),
    "view_acceleration_28d": number("View rate of lag 0 against the mean of lags 0 to 27", "log ratio"),
    "view_acceleration_6d": number("View rate of lag 0 against lag 6", "log ratio"),
    "view_acceleration_spread": number(
        f"Standard deviation of the known accelerations of lags 0 to {CHANNEL_ACCELERATION_LAGS - 1}",
        "log ratio",
        minimum=0,
    ),
    "weekday": number("Weekday of the origin, Monday is 0", "weekday", minimum=0, maximum=6),
    "reading_hour": number("From midnight to the day's last reading", "hours", minimum=0, maximum=24),
    "elapsed_hours": number("From the last reading of the day before to the origin's", "hours", minimum=0, maximum=48),
    "days_observed": number("Days with a reading among lags 0 to 27", "days", minimum=1),
    "view_growth": number("View rate of lag 0 over views", "1/day"),
    "views_per_video": number("Views over public videos", "views/video", minimum=0),
    "view_rate_per_subscriber": number("View rate of lag 0 over subscribers", "views/day/subscriber"),
}

CHANNEL_DAY = Table(
    name="features.channel_day",
    description="One row per channel and UTC day on which its views were read: what is known at the end of that day.",
    key=("channel_id", "day"),
    write=Write.REPLACE,
    window="day",
    holds=Holds.DERIVED,
    max_age=MADE_DAILY,
    code_version="2",
    inputs=(Input("metrics.channel_snapshots", lookback_days=LOOKBACK_DAYS),),
    sources={
        "day": ("collected_at",),
        "view_increment": ("view_count",),
        "view_rate_per_subscriber": ("view_count", "collected_at", "subscriber_count"),
        "view_rate_*": ("view_count", "collected_at"),
        "view_acceleration_*": ("view_count", "collected_at"),
        "view_growth": ("view_count", "collected_at"),
        "subscribers_gained_*": ("subscriber_count",),
        "videos_gained_*": ("video_count",),
        "weekday": ("collected_at",),
        "reading_hour": ("collected_at",),
        "elapsed_hours": ("collected_at",),
        "days_observed": ("collected_at",),
        "views_per_video": ("view_count", "video_count"),
    },
    made_by="yt_platform.features.channels:build_channel_day",
    schema=table_schema(
        {
            "channel_id": owner_id("YouTube channel id", pattern=CHANNEL_ID),
            "day": _KEYS["day"],
            **_VIEW_DEFINITION,
            **_CHANNEL_FEATURES,
        }
    ),
)

CHANNEL_DAY_FEATURES = tuple(_CHANNEL_FEATURES)
"""What a model may read, in the order models read it; all float64."""
