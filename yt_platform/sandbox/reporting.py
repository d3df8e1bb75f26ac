"""The used parts of the YouTube Reporting API v1: report types, jobs, their reports, and the files.

Here: which files there are at an instant, and what is in them; both follow from the world, the job and the clock
alone. Not here: who may ask (`oauth.py`), keys and faults (`sandbox.py`).

A file comes 48 hours after its Pacific day, on one day in ten a day later; a job has 30 days of history when it is
made. One day in eight is restated four days on: the first file of it lacks every fifth row and counts too little. One
day in twelve has nobody who is signed in, so that demographics are a header alone. Files go after 60 days, those of
history after 30. Views of a video on a day are what the Data API's count gained from midnight to midnight.
"""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from yt_platform.sandbox.clock import SandboxClock
from yt_platform.sandbox.draws import draw, share
from yt_platform.sandbox.errors import ApiError
from yt_platform.sandbox.oauth import ANALYTICS, MONETARY, Grant
from yt_platform.sandbox.world import World
from yt_platform.youtube.reporting_api.reports import PACIFIC, instant_of, report_day

PREFIX = "/v1/"
READY_AFTER = timedelta(hours=48)
LATE_BY = timedelta(hours=24)
RESTATED_AFTER = timedelta(days=4)
HISTORY_DAYS = 30
HISTORY_AFTER = timedelta(hours=6)
KEPT, HISTORY_KEPT = timedelta(days=60), timedelta(days=30)
PAGE = 50

REPORTING_METHODS = ("reportTypes.list", "jobs.list", "jobs.create", "jobs.reports.list", "media.download")

_DIMENSIONS = "date channel_id video_id live_or_on_demand subscribed_status country_code"
_OF_PARTNERS = "date channel_id video_id claimed_status uploader_type live_or_on_demand subscribed_status country_code"
_CARDS = (
    "annotation_click_through_rate annotation_close_rate annotation_impressions annotation_clickable_impressions "
    "annotation_closable_impressions annotation_clicks annotation_closes card_click_rate card_teaser_click_rate "
    "card_impressions card_teaser_impressions card_clicks card_teaser_clicks"
)
_BASIC = (
    "views comments likes dislikes videos_added_to_playlists videos_removed_from_playlists shares watch_time_minutes "
    f"average_view_duration_seconds average_view_duration_percentage {_CARDS} subscribers_gained subscribers_lost "
    "red_views red_watch_time_minutes"
)
_WATCHED = (
    "engaged_views views watch_time_minutes average_view_duration_seconds average_view_duration_percentage red_views "
    "red_watch_time_minutes"
)
_TRAFFIC = f"traffic_source_type traffic_source_detail {_WATCHED}"
_DEVICES = f"device_type operating_system {_WATCHED}"
_LOCATIONS = f"playback_location_type playback_location_detail {_WATCHED}"
_SUBTITLES = f"subtitle_language subtitle_language_autotranslated {_WATCHED}"
_PROVINCES = (
    "province_code engaged_views views watch_time_minutes average_view_duration_seconds "
    f"average_view_duration_percentage {_CARDS} red_views red_watch_time_minutes"
)
_OF_CARDS = (
    "card_type card_id card_click_rate card_teaser_click_rate card_impressions card_teaser_impressions card_clicks "
    "card_teaser_clicks"
)
_END_SCREENS = (
    "end_screen_element_type end_screen_element_id end_screen_element_clicks end_screen_element_impressions "
    "end_screen_element_click_rate"
)
_PLAYLISTS = (
    "date channel_id playlist_id video_id live_or_on_demand subscribed_status country_code engaged_views views "
    "watch_time_minutes average_view_duration_seconds playlist_starts playlist_saves_added playlist_saves_removed"
)
_REACH = "date channel_id video_id video_thumbnail_impressions video_thumbnail_impressions_ctr"
_REVENUE = (
    "date channel_id video_id claimed_status uploader_type country_code estimated_partner_revenue "
    "estimated_partner_ad_revenue estimated_partner_ad_auction_revenue estimated_partner_ad_reserved_revenue "
    "estimated_youtube_ad_revenue estimated_monetized_playbacks estimated_playback_based_cpm ad_impressions "
    "estimated_cpm estimated_partner_red_revenue estimated_partner_transaction_revenue"
)

COLUMNS = {
    "channel_basic_a2": f"{_DIMENSIONS} {_BASIC}",
    "channel_basic_a3": f"{_DIMENSIONS} engaged_views {_BASIC}",
    "channel_demographics_a1": f"{_DIMENSIONS} age_group gender views_percentage",
    "channel_traffic_source_a3": f"{_DIMENSIONS} {_TRAFFIC}",
    "channel_reach_basic_a1": _REACH,
    "channel_device_os_a3": f"{_DIMENSIONS} {_DEVICES}",
    "channel_playback_location_a3": f"{_DIMENSIONS} {_LOCATIONS}",
    "channel_cards_a2": f"{_DIMENSIONS} {_OF_CARDS}",
    "channel_end_screens_a2": f"{_DIMENSIONS} {_END_SCREENS}",
    "channel_subtitles_a3": f"{_DIMENSIONS} {_SUBTITLES}",
    "channel_province_a3": f"{_DIMENSIONS} {_PROVINCES}",
    "channel_sharing_service_a2": f"{_DIMENSIONS} sharing_service shares",
    "playlist_basic_a2": _PLAYLISTS,
    "content_owner_basic_a4": f"{_OF_PARTNERS} engaged_views {_BASIC}",
    "content_owner_demographics_a1": f"{_OF_PARTNERS} age_group gender views_percentage",
    "content_owner_traffic_source_a3": f"{_OF_PARTNERS} {_TRAFFIC}",
    "content_owner_reach_basic_a1": _REACH,
    "content_owner_device_os_a3": f"{_OF_PARTNERS} {_DEVICES}",
    "content_owner_playback_location_a3": f"{_OF_PARTNERS} {_LOCATIONS}",
    "content_owner_cards_a1": f"{_OF_PARTNERS} {_OF_CARDS}",
    "content_owner_end_screens_a1": f"{_OF_PARTNERS} {_END_SCREENS}",
    "content_owner_subtitles_a3": f"{_OF_PARTNERS} {_SUBTITLES}",
    "content_owner_province_a3": f"{_OF_PARTNERS} {_PROVINCES}",
    "content_owner_playlist_basic_a2": _PLAYLISTS,
    "content_owner_estimated_revenue_a1": _REVENUE,
}
"""Columns of every type that is offered, in Google's order."""

_DEPRECATED = {"channel_basic_a2": datetime(2027, 1, 1, tzinfo=UTC)}
_MONETARY = frozenset({"content_owner_estimated_revenue_a1"})

_AUDIENCES = (("subscribed", "US", 0.4), ("not_subscribed", "US", 0.3), ("not_subscribed", "DE", 0.2))
_REST = ("not_subscribed", "ZZ")
_SOURCES = (("5", 'how to "begin", first steps'), ("3", ""), ("9", "www.example.org"))
_AGES = {"AGE_13_17": 5.0, "AGE_18_24": 45.25, "AGE_25_34": 30.0, "AGE_65_": 19.75}
_BY_DEVICE = tuple(
    {"device_type": device, "operating_system": system} for device, system in (("104", "7"), ("101", "4"))
)
_BY_LOCATION = (
    {"playback_location_type": "0"},
    {"playback_location_type": "1", "playback_location_detail": "www.example.org"},
)
_NO_DETAIL = {"playback_location_detail": "", "subtitle_language_autotranslated": ""}
_BY_SUBTITLES = (
    {"subtitle_language": ""},
    {"subtitle_language": "en"},
    {"subtitle_language": "en", "subtitle_language_autotranslated": "de"},
)


def method_of(verb: str, path: str) -> str:
    """The method that a request calls. Raises ApiError 404 for none of `REPORTING_METHODS`."""
    match [verb, *path.removeprefix(PREFIX).split("/")]:
        case ["GET", "reportTypes"]:
            return "reportTypes.list"
        case ["GET" | "POST", "jobs"]:
            return "jobs.list" if verb == "GET" else "jobs.create"
        case ["GET", "jobs", _, "reports"]:
            return "jobs.reports.list"
        case ["GET", "media", _, "jobs", _, "reports", _]:
            return "media.download"
    raise ApiError("notFound")


@dataclass(frozen=True)
class _Job:
    job_id: str
    report_type: str
    name: str
    created_at: datetime
    channels: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    """A report: `final` unless it is restated later."""

    report_id: str
    day: date
    created_at: datetime
    expires_at: datetime
    final: bool


class Reporting:
    """The jobs of every account; safe to call from several threads."""

    def __init__(self, world: World, clock: SandboxClock) -> None:
        self._world, self._clock = world, clock
        self._lock = Lock()
        self._jobs: dict[str, dict[str, _Job]] = {}  # by account and id

    def answer(
        self, verb: str, path: str, query: str, headers: Mapping[str, str], body: bytes, grant: Grant
    ) -> tuple[bytes, tuple[tuple[str, str], ...]]:
        """Body and headers. Raises ApiError."""
        grant.require(ANALYTICS, MONETARY)
        asked = dict(parse_qsl(query))
        grant.act_for(asked.get("onBehalfOfContentOwner"))
        account = asked.get("onBehalfOfContentOwner") or grant.channel_id or ""
        parts = path.split("/")
        match method_of(verb, path):
            case "reportTypes.list":
                return _json(_page("reportTypes", self._types(grant), asked))
            case "jobs.list":
                return _json(_page("jobs", [_job(job) for job in self._of(account).values()], asked))
            case "jobs.create":
                return _json(_job(self._create(account, grant, json.loads(body or b"{}"))))
            case "jobs.reports.list":
                job = self._find(account, parts[3])
                return _json(_page("reports", self._reports(account, job, asked, headers["host"]), asked))
        owner, job_id, report_id = parts[3], parts[5], parts[7]
        if owner not in {grant.channel_id, grant.content_owner}:
            raise ApiError("forbidden")
        return self._file(self._find(owner, job_id), report_id, headers)

    def _types(self, grant: Grant) -> list[dict[str, Any]]:
        return [
            {"id": name, "name": name.replace("_", " ")}
            | ({"deprecateTime": _stamp(_DEPRECATED[name])} if name in _DEPRECATED else {})
            for name in COLUMNS
            if name.startswith("content_owner_") is bool(grant.content_owner)
        ]

    def _of(self, account: str) -> dict[str, _Job]:
        with self._lock:
            return self._jobs.setdefault(account, {})

    def _find(self, account: str, job_id: str) -> _Job:
        found = self._of(account).get(job_id)
        if found is None:
            raise ApiError("notFound", "Requested entity was not found.")
        return found

    def _create(self, account: str, grant: Grant, asked: Mapping[str, Any]) -> _Job:
        name = str(asked.get("reportTypeId", ""))
        if name not in {offered["id"] for offered in self._types(grant)} or not asked.get("name"):
            raise ApiError("badRequest", "Request contains an invalid argument.")
        if name in _MONETARY:
            grant.require(MONETARY)
        job_id = f"{draw(f'{account} {name}'):x}"
        if job_id in self._of(account):
            raise ApiError("alreadyExists", "Requested entity already exists.", status=409)
        channels = grant.channels or ((grant.channel_id,) if grant.channel_id else ())
        job = _Job(job_id, name, str(asked["name"]), self._clock.now(), channels)
        self._of(account)[job_id] = job
        return job

    def _reports(self, account: str, job: _Job, asked: Mapping[str, str], host: str) -> list[dict[str, Any]]:
        after = instant_of(asked["createdAfter"]) if "createdAfter" in asked else datetime.min.replace(tzinfo=UTC)
        found = [file for file in self._files(job) if file.created_at > after]
        return [
            {
                "id": file.report_id,
                "jobId": job.job_id,
                "startTime": _stamp(_midnight(file.day)),
                "endTime": _stamp(_midnight(file.day + timedelta(days=1))),
                "createTime": _stamp(file.created_at),
                "downloadUrl": f"http://{host}{PREFIX}media/{account}/jobs/{job.job_id}/reports/{file.report_id}"
                "?alt=media",
            }
            for file in sorted(found, key=lambda file: file.created_at, reverse=True)
        ]

    def _files(self, job: _Job) -> Iterator[_File]:
        """The job's files that can be had now."""
        now = self._clock.now()
        first = report_day(job.created_at) - timedelta(days=HISTORY_DAYS)
        for day in (first + timedelta(days=n) for n in range((report_day(now) - first).days)):
            yield from (file for file in _files_of(job, day) if file.created_at <= now < file.expires_at)

    def _file(self, job: _Job, report_id: str, headers: Mapping[str, str]) -> tuple[bytes, tuple[tuple[str, str], ...]]:
        found = next((file for file in self._files(job) if file.report_id == report_id), None)
        if found is None:
            raise ApiError("notFound", "Requested entity was not found.")
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS[job.report_type].split(), "0", "ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows(job, found))
        data = text.getvalue().encode()
        if "gzip" not in headers.get("accept-encoding", ""):
            return data, ()
        return gzip.compress(data, mtime=0), (("content-encoding", "gzip"),)

    def _rows(self, job: _Job, file: _File) -> Iterator[dict[str, Any]]:
        begin, end = _midnight(file.day).timestamp(), _midnight(file.day + timedelta(days=1)).timestamp()
        stem = re.sub(r"^(?:channel|content_owner)_|_a\d+$", "", job.report_type)
        number = 0
        for channel in job.channels:
            videos = self._world.uploads(channel, end) or ()
            before = {video.video_id: video.view_count for video in self._world.videos(videos, begin)}
            gained = {
                video.video_id: max(0, video.view_count - before.get(video.video_id, 0))
                for video in self._world.videos(videos, end)
            }
            head = {"date": f"{file.day:%Y%m%d}", "channel_id": channel}
            for row in _ROWS[stem](head, gained, file.day):
                number += 1
                if file.final or number % 5:
                    yield row if file.final else _too_little(row)


def _files_of(job: _Job, day: date) -> Iterator[_File]:
    about = f"{job.report_type} {day}"
    ready = _midnight(day + timedelta(days=1)) + READY_AFTER
    if share(f"late {about}") < 0.1:
        ready += LATE_BY
    kept = KEPT
    if ready < job.created_at:
        ready, kept = job.created_at + HISTORY_AFTER + timedelta(seconds=draw(about) % 3600), HISTORY_KEPT
    restated = kept is KEPT and share(f"restated {about}") < 1 / 8
    yield _File(f"{draw(f'{job.job_id} {day} first'):x}", day, ready, ready + kept, not restated)
    if restated:
        again = ready + RESTATED_AFTER
        yield _File(f"{draw(f'{job.job_id} {day} again'):x}", day, again, again + kept, True)


Row = dict[str, Any]
Gained = Mapping[str, int]


def _audiences(head: Row, gained: Gained) -> Iterator[tuple[Row, int]]:
    """Each video's views by subscription and country; they add up to what it gained."""
    for video, views in gained.items():
        left = views
        for subscribed, country, part in _AUDIENCES:
            some = int(views * part)
            left -= some
            if some:
                yield _of_audience(head, video, subscribed, country), some
        if left:
            yield _of_audience(head, video, *_REST), left


def _of_audience(head: Row, video: str, subscribed: str, country: str) -> Row:
    partner = {"claimed_status": "claimed", "uploader_type": "self"}
    audience = {"live_or_on_demand": "on_demand", "subscribed_status": subscribed, "country_code": country}
    return {**head, "video_id": video, **partner, **audience}


def _watched(views: int) -> Row:
    return {
        "engaged_views": views * 9 // 10,
        "views": views,
        "watch_time_minutes": f"{views * 1.75:.4f}",
        "average_view_duration_seconds": "105.0",
        "average_view_duration_percentage": "42.5",
        "red_views": views // 20,
        "red_watch_time_minutes": f"{views // 20 * 1.75:.4f}",
    }


def _basic(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    for row, views in _audiences(head, gained):
        yield {**row, **_watched(views), "likes": views // 25, "comments": views // 200, "shares": views // 150}
    on_channel = _of_audience(head, "", "not_subscribed", "US")  # activity on the channel's own page
    yield {**on_channel, "subscribers_gained": sum(gained.values()) // 500, "subscribers_lost": 1}


def _demographics(head: Row, gained: Gained, day: date) -> Iterator[Row]:
    if share(f"signed in {day}") < 1 / 12:
        return
    for row, views in _audiences(head, gained):
        if views >= 10:  # YouTube leaves small groups out
            for age, percentage in _AGES.items():
                yield {**row, "age_group": age, "gender": "FEMALE", "views_percentage": percentage}


def _traffic_source(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    for row, views in _audiences(head, gained):
        for place, (kind, detail) in enumerate(_SOURCES):
            some = views // 3 + (place < views % 3)
            if some:
                yield {**row, "traffic_source_type": kind, "traffic_source_detail": detail, **_watched(some)}


def _divided(*parts: Row) -> Callable[[Row, Gained, date], Iterator[Row]]:
    """Each row's views once more by the parts of a dimension; what cannot be divided belongs to the first."""

    def rows(head: Row, gained: Gained, _: date) -> Iterator[Row]:
        for row, views in _audiences(head, gained):
            for part in parts:
                some = views // len(parts) + (views % len(parts) if part is parts[0] else 0)
                if some:
                    yield {**row, **_NO_DETAIL, **part, **_watched(some)}

    return rows


def _province(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    """Of the United States alone."""
    for row, views in _audiences(head, gained):
        if row["country_code"] == "US":
            yield {**row, "province_code": "US-CA", **_watched(views)}


def _cards(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    for row, views in _audiences(head, gained):
        if shown := views // 10:
            yield {
                **row,
                "card_type": "2",
                "card_id": f"card-{draw(row['video_id']) % 1000}",
                "card_impressions": shown,
                "card_clicks": shown // 5,
                "card_click_rate": f"{shown // 5 / shown:.4f}",
                "card_teaser_impressions": views,
                "card_teaser_clicks": shown,
                "card_teaser_click_rate": f"{shown / views:.4f}",
            }


def _end_screens(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    for row, views in _audiences(head, gained):
        if shown := views // 2:
            yield {
                **row,
                "end_screen_element_type": "1",
                "end_screen_element_id": f"element-{draw(row['video_id']) % 1000}",
                "end_screen_element_impressions": shown,
                "end_screen_element_clicks": shown // 10,
                "end_screen_element_click_rate": f"{shown // 10 / shown:.4f}",
            }


def _playlist_basic(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    """Every fourth view is one inside the channel's only playlist."""
    for row, views in _audiences(head, gained):
        if some := views // 4:
            playlist = {"playlist_id": f"PL{head['channel_id'][2:]}", "playlist_starts": some // 2}
            yield {**row, **_watched(some), **playlist, "playlist_saves_added": some // 50}


def _reach_basic(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    for video, views in gained.items():
        shown = {"video_thumbnail_impressions": views * 12, "video_thumbnail_impressions_ctr": "0.0425"}
        yield {**head, "video_id": video, **shown}


def _estimated_revenue(head: Row, gained: Gained, _: date) -> Iterator[Row]:
    for video, views in gained.items():
        revenue = {"estimated_partner_revenue": f"{views * 0.002:.6f}", "ad_impressions": views // 2}
        yield {**_of_audience(head, video, "", "US"), **revenue}


_ROWS = {
    "basic": _basic,
    "demographics": _demographics,
    "traffic_source": _traffic_source,
    "reach_basic": _reach_basic,
    "estimated_revenue": _estimated_revenue,
    "device_os": _divided(*_BY_DEVICE),
    "playback_location": _divided(*_BY_LOCATION),
    "subtitles": _divided(*_BY_SUBTITLES),
    "province": _province,
    "cards": _cards,
    "end_screens": _end_screens,
    "playlist_basic": _playlist_basic,
    "sharing_service": lambda *_: iter(()),
}


def _too_little(row: Row) -> Row:
    return {name: value * 9 // 10 if type(value) is int else value for name, value in row.items()}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _job(job: _Job) -> dict[str, Any]:
    return {
        "id": job.job_id,
        "reportTypeId": job.report_type,
        "name": job.name,
        "createTime": _stamp(job.created_at),
    }


def _page(name: str, found: Iterable[dict[str, Any]], asked: Mapping[str, str]) -> dict[str, Any]:
    """A page of a listing; an empty one has no list at all, as Google leaves empty fields out."""
    items = list(found)
    begin = int(asked.get("pageToken") or 0)
    size = min(int(asked.get("pageSize") or PAGE), PAGE)
    page: dict[str, Any] = {name: items[begin : begin + size]} if items[begin:] else {}
    return page | ({"nextPageToken": str(begin + size)} if begin + size < len(items) else {})


def _json(content: dict[str, Any]) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    return json.dumps(content).encode(), ()
