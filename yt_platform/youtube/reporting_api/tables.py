"""Contracts of the `metrics.report_*` tables: what YouTube's bulk reports tell the owners of channels.

Columns of a report keep the names of Google's documentation (Reporting API, "Channel reports" and "Content owner
reports"), but for `date`, which is `day` here. Not here: report types and their files
(`youtube/reporting_api/reports.py`).
"""

from datetime import timedelta

import pandera.pandas as pa

from yt_platform.metrics.tables import ACCESS
from yt_platform.tables.columns import (
    count,
    day,
    instant,
    key_text,
    label,
    number,
    owner_id,
    table_schema,
)
from yt_platform.tables.declaration import Holds, Input, Table, Write
from yt_platform.tables.times import REPORTED

_HEAD = {
    "day": day("Day of the activity", unit="Pacific day"),
    "account": label("Account whose report it is, as it was named at its authorisation"),
    "channel_id": owner_id("Channel of the activity; '' where YouTube names none", pattern=r"^(UC[A-Za-z0-9_-]{22})?$"),
    "video_id": owner_id(
        "Video of the activity; '' for activity on the channel's own page", pattern=r"^([A-Za-z0-9_-]{11})?$"
    ),
}
_OF_PARTNERS = {
    "claimed_status": label("claimed or unclaimed, in reports of content owners; '' in others"),
    "uploader_type": label("self or thirdParty, in reports of content owners; '' in others"),
}
_AUDIENCE = {
    "live_or_on_demand": label("live or on_demand"),
    "subscribed_status": label("Whether the viewers were subscribed: subscribed or not_subscribed"),
    "country_code": label("Country of the viewers, ISO 3166-1; ZZ where YouTube does not know it"),
}
_VIEWS = {
    "engaged_views": count("Views past the first frame; NULL in report types before a3", "views", nullable=True),
    "views": count("Views", "views"),
}
_WATCH_TIME = {
    "watch_time_minutes": number("Time watched", "minutes", minimum=0),
    "average_view_duration_seconds": number("Length of a view, on average", "seconds", minimum=0),
}
_WATCHING = {
    **_WATCH_TIME,
    "average_view_duration_percentage": number("Share of the video that a view saw, on average", "percent", minimum=0),
}
_PREMIUM = {
    "red_views": count("Views by members of YouTube Premium", "views", nullable=True),
    "red_watch_time_minutes": number("Time watched by members of YouTube Premium", "minutes", minimum=0),
}
_TAIL = {
    "reported_at": instant("When YouTube made the report; a later one of the day replaces it"),
    "source": label("Where the row came from: api; 'synthetic' for generated data"),
    "access": label("Terms under which the row was obtained: by its owner's authorisation", among=ACCESS),
    "refreshed_at": instant("When the report was downloaded"),
}


_ACTIVITY = "channel, video, kind of broadcast, subscription, country"


def _report(
    name: str,
    grain: str,
    dimensions: dict[str, pa.Column],
    metrics: dict[str, pa.Column],
    later_dimensions: dict[str, pa.Column] | None = None,
    *,
    max_age: timedelta | None = REPORTED,
) -> Table:
    """A day is replaced whole, as a restated report may lack rows of the one before it.

    `max_age` is None for a report that has no row for weeks where a channel has no cards, say: those that come daily
    tell of a standstill.

    `later_dimensions` came to Google's report type after the table was made: a migration adds columns at the end.
    """
    later = later_dimensions or {}
    return Table(
        name=f"metrics.report_{name}",
        description=f"One row per account, Pacific day, {grain}: figures of the owner's bulk reports.",
        key=(*_HEAD, *dimensions, *later),
        write=Write.REPLACE,
        window="day",
        holds=Holds.AUTHORIZED,
        max_age=max_age,
        code_version="1",
        inputs=(Input(f"raw.report_{name}"),),
        schema=table_schema({**_HEAD, **dimensions, **metrics, **_TAIL, **later}),
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
    {"creator_content_type": label("Kind of content, such as shorts; '' in report types that do not divide by it")},
)

REPORT_DEMOGRAPHICS = _report(
    "demographics",
    "channel, video, kind of broadcast, subscription, country, age group and gender",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "age_group": label("Age of the viewers, such as AGE_25_34; since 2026-03-09 also under 18, such as AGE_13_17"),
        "gender": label("MALE, FEMALE, GENDER_OTHER or USER_SPECIFIED"),
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
        "traffic_source_type": label("Number of the kind of source, such as 5 for YouTube's search"),
        "traffic_source_detail": key_text("Which source: search terms, a video, a page; '' where the kind has none"),
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

REPORT_DEVICES = _report(
    "devices",
    f"{_ACTIVITY}, kind of device and operating system",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "device_type": label("Number of the kind of device, such as 101 for a computer"),
        "operating_system": label("Number of the operating system"),
    },
    {**_VIEWS, **_WATCHING, **_PREMIUM},
)

REPORT_PLAYBACK_LOCATIONS = _report(
    "playback_locations",
    f"{_ACTIVITY} and playback location",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "playback_location_type": label("Number of the kind of page or player the video was played on"),
        "playback_location_detail": key_text(
            "Which page or app, of players embedded elsewhere; '' where there is none"
        ),
    },
    {**_VIEWS, **_WATCHING, **_PREMIUM},
)

REPORT_CARDS = _report(
    "cards",
    f"{_ACTIVITY} and card",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "card_type": label("Number of the kind of card"),
        "card_id": key_text("The card, by YouTube's id"),
    },
    {
        "card_impressions": count("Times the card was shown", "impressions", nullable=True),
        "card_clicks": count("Clicks on the card", "clicks", nullable=True),
        "card_click_rate": number("Clicks on the card for each time it was shown", "ratio", minimum=0),
        "card_teaser_impressions": count("Times the card's teaser was shown", "impressions", nullable=True),
        "card_teaser_clicks": count("Clicks on the teaser", "clicks", nullable=True),
        "card_teaser_click_rate": number("Clicks on the teaser for each time it was shown", "ratio", minimum=0),
    },
    max_age=None,
)

REPORT_END_SCREENS = _report(
    "end_screens",
    f"{_ACTIVITY} and element of the end screen",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "end_screen_element_type": label("Number of the kind of element"),
        "end_screen_element_id": key_text("The element, by YouTube's id"),
    },
    {
        "end_screen_element_impressions": count("Times the element was shown", "impressions", nullable=True),
        "end_screen_element_clicks": count("Clicks on the element", "clicks", nullable=True),
        "end_screen_element_click_rate": number("Clicks for each time it was shown", "ratio", minimum=0),
    },
    max_age=None,
)

REPORT_SUBTITLES = _report(
    "subtitles",
    f"{_ACTIVITY} and language of the subtitles",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "subtitle_language": label("Language of the subtitles that were shown the longest; '' for none"),
        "subtitle_language_autotranslated": label("Language they were translated to by machine; '' for none"),
    },
    {**_VIEWS, **_WATCHING, **_PREMIUM},
    max_age=None,
)

REPORT_PROVINCES = _report(
    "provinces",
    f"{_ACTIVITY} and province",
    {
        **_OF_PARTNERS,
        **_AUDIENCE,
        "province_code": label("State of the USA or District of Columbia, ISO 3166-2, such as US-CA"),
    },
    {**_VIEWS, **_WATCHING, **_PREMIUM},
    max_age=None,
)

REPORT_PLAYLISTS = _report(
    "playlists",
    "channel, video, playlist, kind of broadcast, subscription and country, for views inside playlists",
    {"playlist_id": key_text("Playlist the video was played in"), **_AUDIENCE},
    {
        **_VIEWS,
        **_WATCH_TIME,
        "playlist_starts": count("Times the playlist was started, on the web alone", "times", nullable=True),
        "playlist_saves_added": count("Times the playlist was saved", "times", nullable=True),
        "playlist_saves_removed": count("Times it was taken from saved ones", "times", nullable=True),
    },
    max_age=None,
)

REPORTS = (
    REPORT_BASIC,
    REPORT_DEMOGRAPHICS,
    REPORT_TRAFFIC_SOURCES,
    REPORT_REACH,
    REPORT_REVENUE,
    REPORT_DEVICES,
    REPORT_PLAYBACK_LOCATIONS,
    REPORT_CARDS,
    REPORT_END_SCREENS,
    REPORT_SUBTITLES,
    REPORT_PROVINCES,
    REPORT_PLAYLISTS,
)

FROM_FILE = frozenset({*_TAIL, "account"})
"""Columns that a report's file has no column for: they are known of the file as a whole."""
