"""Collection: what is due is called, and the state of channels and videos moved on to what was answered.

Which polls are due is `core/polling.py`, one call is `io/youtube.py`, keeping answers is `io/pulls.py`. Nothing here
looks at figures beyond what the next poll needs; rows are made from the stored answers (`core/parse_api.py`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import pandas as pd

from yt_platform.core.parse_api import next_page_token, polled_videos, threads, uploads, uploads_playlists
from yt_platform.core.policy import PolicyMode, may_derive
from yt_platform.core.polling import (
    CHANNELS_EVERY,
    IDS_PER_CALL,
    METHODS,
    Plan,
    Purpose,
    due,
    due_comments,
    due_metadata,
    due_stats,
)
from yt_platform.core.progress import Progress
from yt_platform.core.quota import resets_at
from yt_platform.core.schemas.base import VIDEO_ID
from yt_platform.io.ledger import QuotaExhaustedError, QuotaLedger
from yt_platform.io.pulls import Collected, Origin, Pull, Update
from yt_platform.io.raw import Answer, RawStore
from yt_platform.io.tombstones import tombstones
from yt_platform.io.warehouse import Warehouse
from yt_platform.io.watchlist import FORGOTTEN, known_videos, tracked_videos, watched_channels
from yt_platform.io.youtube import ConfigurationError, ItemError, PageError, UnavailableError, YouTubeClient

CHANNEL_PARTS = "id,snippet,contentDetails,statistics,status"
VIDEO_PARTS = "id,snippet,contentDetails,statistics,status,liveStreamingDetails"
STATS_PARTS = "id,snippet,contentDetails,statistics"

LISTINGS = 3
"""Times a listing is begun when its page tokens turn invalid."""

THREAD_PAGES = 20
"""Pages of threads read of one video at a time, 100 each: a video with a million comments must not eat the day."""


class Collector:
    """The collectors of all raw assets, at the instant `now` of the platform's clock."""

    def __init__(
        self,
        url: str,
        store: RawStore,
        client: YouTubeClient,
        ledger: QuotaLedger,
        plan: Plan,
        origin: Origin,
        now: pd.Timestamp,
        progress: Progress,
        mode: PolicyMode | None = None,
    ) -> None:
        self._mode = mode
        self._url, self._store, self._client, self._ledger = url, store, client, ledger
        self._plan, self._origin, self._now, self._progress = plan, origin, now, progress
        self._warehouse = Warehouse(url)

    def channels(self) -> Collected:
        """Records and totals of every watched channel, once a day; a handle is resolved once, by a call of its own."""
        watched = watched_channels(self._warehouse)
        watched = watched[due(watched["channel_polled_at"], CHANNELS_EVERY, self._now)]
        handles = list(watched.loc[watched["channel_id"].isna(), "reference"])
        chunks = _chunks(watched["channel_id"].dropna())
        with self._pull("api_channels", len(handles) + len(chunks), "calls") as pull:
            for handle in handles:
                answers = self._ask(pull, [handle], "channels.list", part=CHANNEL_PARTS, forHandle=handle)
                pull.keep(answers, [self._resolved(handle, answer) for answer in answers])
            for ids in chunks:
                answers = self._ask(pull, ids, "channels.list", part=CHANNEL_PARTS, id=",".join(ids))
                pull.keep(answers, [self._channels_polled(ids, answer) for answer in answers])
        return pull.collected

    def uploads(self) -> Collected:
        """Uploads playlists, newest first down to a video that is known, or to the end where that is asked for."""
        watched = watched_channels(self._warehouse)
        watched = watched[watched["uploads_playlist_id"].notna()]
        watched = watched[due(watched["uploads_polled_at"], self._plan.uploads_every, self._now)]
        known = known_videos(self._warehouse) if len(watched) else {}
        with self._pull("api_uploads", len(watched), "channels") as pull:
            for channel in watched.itertuples():
                channel_id = str(channel.channel_id)
                try:
                    self._list_uploads(
                        pull,
                        channel_id,
                        str(channel.uploads_playlist_id),
                        known.get(channel_id, frozenset()),
                        bool(channel.list_fully),
                    )
                except UnavailableError as error:
                    pull.fail([channel_id], error)
        return pull.collected

    def videos(self) -> Collected:
        """Metadata and counts of new videos, and of those whose metadata nears 30 days."""
        chosen = due_metadata(tracked_videos(self._warehouse), self._now)
        return self._read_videos("api_videos", list(chosen["video_id"]), "videos.list", VIDEO_PARTS)

    def video_stats(self) -> Collected:
        """Counts of the videos that are due, from the bucket of their own; by `videos.list` where that is refused."""
        tracked = tracked_videos(self._warehouse)
        tracked = tracked[tracked["metadata_polled_at"].notna() & tracked["unreturned_at"].isna()]
        ids = list(due_stats(tracked, self._now, self._plan.units(Purpose.STATS))["video_id"])
        method = METHODS[Purpose.STATS][0]
        try:
            return self._read_videos("api_video_stats", ids, method, STATS_PARTS)
        except ConfigurationError as refusal:
            # that an API key suffices for it is unverified; a key that is wrong altogether fails below as well
            collected = self._read_videos("api_video_stats", ids, "videos.list", STATS_PARTS)
            collected.skipped[method] = f"{refusal}. videos.list was called instead"
            return collected

    def comments(self) -> Collected:
        """Threads and replies of videos that have come of age, down to what was read before."""
        tracked = tracked_videos(self._warehouse)
        chosen = due_comments(tracked[tracked["unreturned_at"].isna()], self._now)
        with self._pull("api_comments", len(chosen), "videos") as pull:
            for video in chosen.itertuples():
                self._require_share(Purpose.COMMENTS)
                try:
                    self._read_comments(pull, str(video.video_id), cast("pd.Timestamp", video.comments_polled_at))
                except UnavailableError as error:
                    pull.fail([str(video.video_id)], error)
        return pull.collected

    def _pull(self, endpoint: str, steps: int, of: str) -> Pull:
        return Pull(self._url, self._store, endpoint, self._origin, steps, of, self._progress)

    def _ask(self, pull: Pull, items: Sequence[str], method: str, **parameters: str) -> list[Answer]:
        """The answer to a call about these items, or none where it is not to be had: they are skipped then."""
        try:
            return [self._client.call(method, **parameters)]
        except ItemError as error:
            for item in items:
                pull.skip(item, error.reason)
        except UnavailableError as error:
            pull.fail(items, error)
        return []

    def _pages(self, method: str, page_size: int, **parameters: str) -> Iterator[Answer]:
        """Every page of a listing, begun anew where a page token turns invalid. Raises ItemError."""
        for _ in range(LISTINGS):
            token: dict[str, str] = {}
            try:
                while True:
                    answer = self._client.call(method, maxResults=page_size, **parameters, **token)
                    yield answer
                    following = next_page_token(answer.body)
                    if not following:
                        return
                    token = {"pageToken": following}
            except PageError:
                continue
        raise ItemError(f"page tokens turned invalid {LISTINGS} times")

    def _require_share(self, purpose: Purpose) -> None:
        """Raises QuotaExhaustedError where the purpose has spent its share of the day."""
        calls, share = self._ledger.calls(), self._plan.share(purpose)
        if sum(calls.get(method, 0) for method in METHODS[purpose]) >= share.units:
            why = f"the share of {share.units:,} units planned for {purpose} is spent"
            raise QuotaExhaustedError(share.bucket, why, resets_at(self._now.to_pydatetime()))

    # channels

    def _resolved(self, handle: str, answer: Answer) -> Update:
        channel, playlist = next(iter(uploads_playlists(answer.body).items()), (None, None))
        if channel in tombstones(self._warehouse):
            return (
                "UPDATE ops.watched_channels SET channel_polled_at = %(now)s, failure = %(failure)s "
                "WHERE reference = %(handle)s",
                {"now": self._now, "failure": FORGOTTEN, "handle": handle},
            )
        return (
            "UPDATE ops.watched_channels AS channel SET channel_polled_at = %(now)s, "
            "channel_id = CASE WHEN NOT found.taken THEN %(id)s END, "
            "uploads_playlist_id = CASE WHEN NOT found.taken THEN %(playlist)s END, "
            "failure = CASE WHEN %(id)s::text IS NULL THEN 'no channel has this handle' "
            "WHEN found.taken THEN 'watched already, as ' || %(id)s END "
            "FROM (SELECT EXISTS (SELECT FROM ops.watched_channels WHERE channel_id = %(id)s) AS taken) AS found "
            "WHERE channel.reference = %(handle)s",
            {"now": self._now, "handle": handle, "id": channel, "playlist": playlist},
        )

    def _channels_polled(self, ids: list[str], answer: Answer) -> Update:
        playlists = uploads_playlists(answer.body)
        return (
            "UPDATE ops.watched_channels AS channel SET channel_polled_at = %(now)s, "
            "uploads_playlist_id = coalesce(found.playlist, channel.uploads_playlist_id), "
            "failure = CASE WHEN NOT found.returned THEN 'YouTube does not return it: deleted or closed' END "
            "FROM unnest(%(ids)s::text[], %(playlists)s::text[], %(returned)s::boolean[]) "
            "AS found (id, playlist, returned) WHERE channel.channel_id = found.id",
            {
                "now": self._now,
                "ids": ids,
                "playlists": [playlists.get(channel) for channel in ids],
                "returned": [channel in playlists for channel in ids],
            },
        )

    # uploads

    def _list_uploads(self, pull: Pull, channel: str, playlist: str, known: frozenset[str], fully: bool) -> None:
        """One playlist. A listing that is cut short keeps what it found, and is made to the end the next time: it
        would stop at its own videos otherwise, and never find those between."""
        pages: list[Answer] = []
        new: dict[str, datetime | None] = {}
        failure: str | None = None
        try:
            for page in self._pages(
                "playlistItems.list", 50, part="id,snippet,contentDetails,status", playlistId=playlist
            ):
                pages.append(page)
                listed = {video: at for video, at in uploads(page.body) if re.fullmatch(VIDEO_ID, video)}
                new |= {video: at for video, at in listed.items() if video not in known}
                if not fully and listed and (known & set(listed) or not known):
                    break
        except ItemError as error:
            failure = error.reason
            pull.skip(channel, failure)
        except (UnavailableError, QuotaExhaustedError, ConfigurationError):
            cut = "UPDATE ops.watched_channels SET list_fully = true WHERE channel_id = %(channel)s"
            pull.keep_part(pages, [self._tracked(channel, new), (cut, {"channel": channel})] if pages else [])
            raise
        pull.keep(
            pages,
            [
                self._tracked(channel, new),
                (
                    "UPDATE ops.watched_channels SET uploads_polled_at = %(now)s, failure = %(failure)s, "
                    "list_fully = list_fully AND %(failure)s::text IS NOT NULL WHERE channel_id = %(channel)s",
                    {"channel": channel, "now": self._now, "failure": failure},
                ),
            ],
        )

    def _tracked(self, channel: str, new: Mapping[str, datetime | None]) -> Update:
        return (
            "INSERT INTO ops.tracked_videos (video_id, channel_id, published_at, discovered_at) "
            "SELECT id, %(channel)s, published_at, %(now)s "
            "FROM unnest(%(ids)s::text[], %(times)s::timestamptz[]) AS new (id, published_at) "
            "ON CONFLICT (video_id) DO UPDATE SET pushed_at = NULL",
            {"channel": channel, "now": self._now, "ids": list(new), "times": list(new.values())},
        )

    # videos

    def _read_videos(self, endpoint: str, videos: list[str], method: str, parts: str) -> Collected:
        chunks = _chunks(videos)
        with self._pull(endpoint, len(chunks), "calls") as pull:
            for ids in chunks:
                answers = self._ask(pull, ids, method, part=parts, id=",".join(ids))
                pull.keep(answers, [self._videos_polled(endpoint, ids, answer) for answer in answers])
        return pull.collected

    def _videos_polled(self, endpoint: str, ids: list[str], answer: Answer) -> Update:
        polled = polled_videos(answer.body)
        told = [polled.get(video) for video in ids]
        return (
            "UPDATE ops.tracked_videos AS video SET stats_polled_at = %(now)s, "
            "metadata_polled_at = CASE WHEN %(metadata)s THEN %(now)s ELSE video.metadata_polled_at END, "
            "unreturned_at = CASE WHEN NOT found.returned THEN coalesce(video.unreturned_at, %(now)s) END, "
            # retention takes the publication of a video that is gone for long
            "published_at = CASE WHEN video.unreturned_at IS NULL THEN video.published_at "
            "ELSE coalesce(video.published_at, found.published_at) END, "
            "views_per_day = CASE WHEN %(derives)s THEN coalesce((found.view_count - video.view_count) * 86400.0 "
            "/ nullif(extract(epoch FROM %(now)s - video.stats_polled_at), 0), video.views_per_day) END, "
            "view_count = coalesce(found.view_count, video.view_count) "
            "FROM unnest(%(ids)s::text[], %(views)s::bigint[], %(published)s::timestamptz[], %(returned)s::boolean[]) "
            "AS found (id, view_count, published_at, returned) WHERE video.video_id = found.id",
            {
                "now": self._now,
                "metadata": endpoint == "api_videos",
                "ids": ids,
                "derives": may_derive(self._mode),
                "views": [video.view_count if video else None for video in told],
                "published": [video.published_at if video else None for video in told],
                "returned": [video is not None for video in told],
            },
        )

    # comments

    def _read_comments(self, pull: Pull, video: str, polled_at: pd.Timestamp) -> None:
        answers: list[Answer] = []
        failure: str | None = None
        try:
            pages = self._pages(
                "commentThreads.list",
                100,
                part="id,snippet,replies",
                videoId=video,
                order="time",
                textFormat="plainText",
            )
            for number, page in enumerate(pages, start=1):
                answers.append(page)
                found = threads(page.body)
                for thread in found:
                    if thread.has_more_replies:
                        answers += self._pages(
                            "comments.list", 100, part="id,snippet", parentId=thread.comment_id, textFormat="plainText"
                        )
                # never true for NaT, of a video that is read for the first time
                if any(thread.published_at and thread.published_at <= polled_at for thread in found):
                    break
                if number == THREAD_PAGES:
                    failure = f"its newest {THREAD_PAGES * 100:,} threads were read"
                    break
        except ItemError as error:
            failure = error.reason
        except (UnavailableError, QuotaExhaustedError, ConfigurationError):
            pull.keep_part(answers, [])  # the video stays due: the next reading must not stop at this one
            raise
        if failure:
            pull.skip(video, failure)
        pull.keep(
            answers,
            [
                (
                    "UPDATE ops.tracked_videos SET comments_polled_at = %(now)s, comments_failure = %(failure)s "
                    "WHERE video_id = %(video)s",
                    {"now": self._now, "failure": failure, "video": video},
                )
            ],
        )


def _chunks(ids: Any) -> list[list[str]]:
    """Lists of at most as many ids as a call takes."""
    every = [str(name) for name in ids]
    return [every[start : start + IDS_PER_CALL] for start in range(0, len(every), IDS_PER_CALL)]
