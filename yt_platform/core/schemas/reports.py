"""Contracts of the `metrics.report_*` tables: what YouTube's bulk reports tell the owners of channels.

Columns of a report keep the names of Google's documentation (Reporting API, "Channel reports" and "Content owner
reports"), but for `date`, which is `day` here. Not here: report types and their files (`core/reports.py`).
"""

import pandera.pandas as pa

from yt_platform.core.schemas.base import Table, Write, count, day, instant, number, table_schema, text
from yt_platform.core.schemas.metrics import ACCESS

_HEAD = {
    "day": day("Day of the activity", unit="Pacific day"),
    "account": text("Account whose report it is, as it was named at its authorisation"),
    "channel_id": text("Channel of the activity; '' where YouTube names none", pattern=r"^(UC[A-Za-z0-9_-]{22})?$"),
    "video_id": text(
        "Video of the activity; '' for activity on the channel's own page", pattern=r"^([A-Za-z0-9_-]{11})?$"
    ),
}
_OF_PARTNERS = {
    "claimed_status": text("claimed or unclaimed, in reports of content owners; '' in others"),
    "uploader_type": text("self or thirdParty, in reports of content owners; '' in others"),
}
_AUDIENCE = {
    "live_or_on_demand": text("live or on_demand"),
    "subscribed_status": text("Whether the viewers were subscribed: subscribed or not_subscribed"),
    "country_code": text("Country of the viewers, ISO 3166-1; ZZ where YouTube does not know it"),
}
_VIEWS = {
    "engaged_views": count("Views past the first frame; NULL in report types before a3", "views", nullable=True),
    "views": count("Views", "views"),
}
_WATCHING = {
    "watch_time_minutes": number("Time watched", "minutes", minimum=0),
    "average_view_duration_seconds": number("Length of a view, on average", "seconds", minimum=0),
    "average_view_duration_percentage": number("Share of the video that a view saw, on average", "percent", minimum=0),
}
_PREMIUM = {
    "red_views": count("Views by members of YouTube Premium", "views", nullable=True),
    "red_watch_time_minutes": number("Time watched by members of YouTube Premium", "minutes", minimum=0),
}
_TAIL = {
    "reported_at": instant("When YouTube made the report; a later one of the day replaces it"),
    "source": text("Where the row came from: api; 'synthetic' for generated data"),
    "access": text("Terms under which the row was obtained: by its owner's authorisation", among=ACCESS),
    "refreshed_at": instant("When the report was downloaded"),
}


def _report(name: str, grain: str, dimensions: dict[str, pa.Column], metrics: dict[str, pa.Column]) -> Table:
    """A day is replaced whole, as a restated report may lack rows of the one before it."""
    return Table(
        name=f"metrics.report_{name}",
        description=f"One row per account, Pacific day, {grain}: figures of the owner's bulk reports.",
        key=(*_HEAD, *dimensions),
        write=Write.REPLACE,
        window="day",
        schema=table_schema({**_HEAD, **dimensions, **metrics, **_TAIL}),
    )


REPORT_BASIC = _report(
    "basic",
    "channel, video, kind of broadcast, subscription and country",
    {**_OF_PARTNERS, **_AUDIENCE},
    {
        **_VIEWS,
        "likes": count("Likes given; below 0 where more were taken back", "likes", minimum=None),
        "dislikes": count("Dislikes given; below 0 where more were taken back", "dislikes", minimum=None),
        "shares": count("Times shared", "shares"),
        "comments": count("Comments written", "comments", minimum=None),
        "videos_added_to_playlists": count("Times added to a playlist", "times", nullable=True),
        "videos_removed_from_playlists": count("Times removed from a playlist", "times", nullable=True),
        **_WATCHING,
        "subscribers_gained": count("Subscribers gained", "subscribers"),
        "subscribers_lost": count("Subscribers lost", "subscribers"),
        **_PREMIUM,
    },
)

REPORT_DEMOGRAPHICS = _report(
    "demographics",
    "channel, video, kind of broadcast, subscription, country, age group and gender",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "age_group": text("Age of the viewers, such as AGE_25_34"),
        "gender": text("MALE, FEMALE, GENDER_OTHER or USER_SPECIFIED"),
    },
    {
        "views_percentage": number(
            "Share of the views by signed-in viewers of the video, kind of broadcast, subscription and country",
            "percent",
            minimum=0,
            maximum=100.1,  # roundings
        )
    },
)

REPORT_TRAFFIC_SOURCES = _report(
    "traffic_sources",
    "channel, video, kind of broadcast, subscription, country and traffic source",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "traffic_source_type": text("Number of the kind of source, such as 5 for YouTube's search"),
        "traffic_source_detail": text("Which source: search terms, a video, a page; '' where the kind has none"),
    },
    {**_VIEWS, **_WATCHING, **_PREMIUM},
)

REPORT_REACH = _report(
    "reach",
    "channel and video",
    {**_OF_PARTNERS, **_AUDIENCE},
    {
        "video_thumbnail_impressions": count("Times the thumbnail was shown on YouTube", "impressions"),
        "video_thumbnail_impressions_ctr": number("Share of these that led to a view", "ratio", minimum=0),
    },
)

_CURRENCY = "US dollars"
REPORT_REVENUE = _report(
    "revenue",
    "channel, video, claim, uploader and country",
    {**_OF_PARTNERS, "country_code": _AUDIENCE["country_code"]},
    {
        "estimated_partner_revenue": number("Net revenue of all sources, by YouTube's estimate", _CURRENCY),
        "estimated_partner_ad_revenue": number("Of that, by advertising", _CURRENCY),
        "estimated_partner_ad_auction_revenue": number("Of that, by advertising sold at auction", _CURRENCY),
        "estimated_partner_ad_reserved_revenue": number("Of that, by advertising sold as reserved", _CURRENCY),
        "estimated_youtube_ad_revenue": number("Gross revenue of advertising sold by YouTube", _CURRENCY),
        "estimated_monetized_playbacks": count("Views with at least one ad", "views", nullable=True),
        "estimated_playback_based_cpm": number("Gross revenue of 1,000 views with ads", _CURRENCY, minimum=0),
        "ad_impressions": count("Ads shown", "impressions", nullable=True),
        "estimated_cpm": number("Gross revenue of 1,000 ads shown", _CURRENCY, minimum=0),
        "estimated_partner_red_revenue": number("Net revenue of YouTube Premium", _CURRENCY),
        "estimated_partner_transaction_revenue": number("Net revenue of rentals, purchases and fan funding", _CURRENCY),
    },
)

FROM_FILE = frozenset({*_TAIL, "account"})
"""Columns that a report's file has no column for: they are known of the file as a whole."""
