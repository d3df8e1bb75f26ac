"""Collection: what is due is called, and the state of channels and videos moved on to what was answered.

Which polls are due is `youtube/data_api/polling.py`, one call is `youtube/data_api/client.py`, keeping answers is
`youtube/pulls.py`. Nothing here looks at figures beyond what the next poll needs; rows are made from the stored answers
(`metrics/parse_api.py`).

An item that YouTube refuses is skipped, and asked for later and later (`youtube/data_api/skipped.py`). Whether a
refusal for an unknown reason is the item's or the key's, a call about an item that nobody has tells: it costs a unit,
and only a refused key is refused there as well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

import pandas as pd

from yt_platform.metrics.parse_api import (
    PolledVideo,
    item_ids,
    next_page_token,
    polled_videos,
    threads,
    uploads,
    uploads_playlists,
)
from yt_platform.policy import PolicyMode, may_derive
from yt_platform.progress import Progress
from yt_platform.storage.endpoints import IDS_PER_CALL
from yt_platform.storage.raw import Answer, RawStore
from yt_platform.tables.columns import VIDEO_ID
from yt_platform.tombstones.store import tombstones
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.client import (
    ConfigurationError,
    ItemError,
    PageError,
    RefusedError,
    ThrottledError,
    UnavailableError,
    YouTubeClient,
)
from yt_platform.youtube.data_api.ledger import QuotaExhaustedError, QuotaLedger
from yt_platform.youtube.data_api.polling import (
    CHANNELS_EVERY,
    METHODS,
    Plan,
    Purpose,
    Setback,
    due,
    due_comments,
    due_metadata,
    due_stats,
)
from yt_platform.youtube.data_api.quota import resets_at
from yt_platform.youtube.data_api.skipped import CHANNELS, COMMENTS, REPLIES, UPLOADS, Item, SkippedItems
from yt_platform.youtube.pulls import Collected, Origin, OutOfReachError, Pull, Update
from yt_platform.youtube.watchlist import FORGOTTEN, known_videos, tracked_videos, watched_channels

CHANNEL_PARTS = "id,snippet,contentDetails,statistics,status"
VIDEO_PARTS = "id,snippet,contentDetails,statistics,status,liveStreamingDetails,player,brandPartner"
STATS_PARTS = "id,snippet,contentDetails,statistics"

PLAYER = {"maxWidth": 720, "maxHeight": 720}
"""The square that players are fit into. Their size, which has the shape of the video, is told only where one is asked
for."""

ENDINGS = (
    ItemError,
    UnavailableError,
    ThrottledError,
    OutOfReachError,
    QuotaExhaustedError,
    ConfigurationError,
)
"""What ends a listing before its end."""

LISTINGS = 3
"""Times a listing is begun when its page tokens turn invalid."""

IDLE_PAGES = 10
"""Pages in a row without an item that is new in their listing, after which it is given up: each costs a unit."""

REFUSED_IN_A_ROW = 3
"""Refusals in a row after which the key is in doubt again, though it was accepted before."""

NOBODYS_CHANNEL, NOBODYS_VIDEO = "UC" + "9" * 22, "9" * 11
"""Ids of the right form that no channel and no video can have: an id is the base64 of whole bytes, which never ends
in 9."""

_OF_NOBODY: Mapping[str, tuple[str, Mapping[str, str]]] = {
    CHANNELS: (CHANNELS, {"id": NOBODYS_CHANNEL}),
    UPLOADS: (UPLOADS, {"playlistId": f"UU{NOBODYS_CHANNEL[2:]}"}),
    "videos.list": ("videos.list", {"id": NOBODYS_VIDEO}),
    "videos.batchGetStats": ("videos.batchGetStats", {"id": NOBODYS_VIDEO}),
    COMMENTS: (COMMENTS, {"videoId": NOBODYS_VIDEO}),
    REPLIES: (COMMENTS, {"videoId": NOBODYS_VIDEO}),  # the form of a comment's id is not known
}
"""By method, a call that only a refused key is refused: YouTube answers nothing, or that there is no such item."""

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
        self._skipped = SkippedItems(self._warehouse, now)
        self._trusted: dict[str, int] = {}
        self._failed = False

    def channels(self) -> Collected:
        """Records and totals of every watched channel, once a day; a handle is resolved once, by a call of its own."""
        watched = watched_channels(self._warehouse)
        watched = watched[due(watched["channel_polled_at"], CHANNELS_EVERY, self._now)]
        watched = self._asked_now(watched, CHANNELS, watched["channel_id"].fillna(watched["reference"]))
        handles = list(watched.loc[watched["channel_id"].isna(), "reference"])
        chunks = _chunks(watched["channel_id"].dropna())
        with self._pull("api_channels", len(handles) + len(chunks), "calls") as pull:
            for handle in handles:
                self._resolve(pull, handle)
            for ids in chunks:
                for asked, found in self._list(pull, ids, CHANNELS, CHANNEL_PARTS):
                    if isinstance(found, Answer):
                        read = [self._skipped.read(Item(CHANNELS, name, name, None)) for name in asked]
                        pull.keep_part([found], [self._channels_polled(asked, found), *read])
                    else:
                        self._skip_channel(pull, asked[0], asked[0], found)
                pull.keep([], [])
        return pull.collected

    def uploads(self) -> Collected:
        """Uploads playlists, newest first down to a video that is known, or to the end where that is asked for."""
        watched = watched_channels(self._warehouse)
        watched = watched[watched["uploads_playlist_id"].notna()]
        watched = watched[due(watched["uploads_polled_at"], self._plan.uploads_every, self._now)]
        watched = self._asked_now(watched, UPLOADS, watched["channel_id"])
        known = known_videos(self._warehouse) if len(watched) else {}
        with self._pull("api_uploads", len(watched), "channels") as pull:
            for channel in watched.itertuples():
                channel_id = str(channel.channel_id)
                self._list_uploads(
                    pull,
                    channel_id,
                    str(channel.uploads_playlist_id),
                    known.get(channel_id, frozenset()),
                    bool(channel.list_fully),
                )
        return pull.collected

    def videos(self) -> Collected:
        """Metadata and counts of new videos, and of those whose metadata nears 30 days."""
        chosen = due_metadata(tracked_videos(self._warehouse), self._now)
        return self._read_videos("api_videos", list(chosen["video_id"]), "videos.list", VIDEO_PARTS, **PLAYER)

    def video_stats(self) -> Collected:
        """Counts of the videos that are due, from the bucket of their own; by `videos.list` where that is refused."""
        tracked = tracked_videos(self._warehouse)
        tracked = tracked[tracked["metadata_polled_at"].notna() & tracked["unreturned_at"].isna()]
        ids = list(due_stats(tracked, self._now, self._plan.units(Purpose.STATS))["video_id"])
        [method] = METHODS[Purpose.STATS]
        try:
            return self._read_videos("api_video_stats", ids, method, STATS_PARTS)
        except ConfigurationError as refusal:
            # that an API key suffices for it is unverified; a key that is wrong altogether fails below as well
            collected = self._read_videos("api_video_stats", ids, "videos.list", STATS_PARTS)
            collected.skipped[method] = f"{refusal}. videos.list was called instead"
            return collected

    def comments(self) -> Collected:
        """Threads and replies of videos that have come of age, down to what was read before; and replies that were
        not to be had with their thread."""
        tracked = tracked_videos(self._warehouse)
        tracked = tracked[tracked["unreturned_at"].isna()]
        again = tracked["video_id"].isin({row.item for row in self._skipped.due(COMMENTS)})
        chosen = pd.concat([due_comments(tracked[~again], self._now), tracked[again]])
        chosen = self._asked_now(chosen, COMMENTS, chosen["video_id"])
        replies = [row for row in self._skipped.due(REPLIES) if row.video_id in set(tracked["video_id"])]
        with self._pull("api_comments", len(chosen) + len(replies), "videos") as pull:
            known = self._skipped.known(COMMENTS)
            for video in chosen.itertuples():
                self._require_share(Purpose.COMMENTS)
                name = str(video.video_id)
                item = Item(COMMENTS, name, str(video.channel_id), name)
                # what was refused or cut short since the last reading is older than that
                read_at = cast("pd.Timestamp", pd.NaT if name in known else video.comments_polled_at)
                self._read_comments(pull, item, read_at)
            for row in replies:
                self._require_share(Purpose.COMMENTS)
                pull.keep(self._read_replies(pull, Item(REPLIES, row.item, row.channel_id, row.video_id)), [])
        return pull.collected

    @contextmanager
    def _pull(self, endpoint: str, steps: int, of: str) -> Iterator[Pull]:
        with Pull(self._url, self._store, endpoint, self._origin, steps, of, self._progress) as pull:
            self._failed = False
            try:
                yield pull
            except ConfigurationError:
                # some may have been refused before the key was in doubt
                pull.keep_part([], [self._skipped.not_theirs(Setback.REFUSED)])
                raise
            finally:
                # as nothing was answered, it was no item that failed
                if self._failed and not pull.is_answered and not self._is_anything_answered():
                    pull.keep_part([], [self._skipped.not_theirs(Setback.FAILED)])

    def _is_anything_answered(self) -> bool:
        """Whether YouTube answers at all, by a call about nobody's channel."""
        called, parameters = _OF_NOBODY[CHANNELS]
        try:
            self._client.call(called, part="id", **parameters)
        except (UnavailableError, ThrottledError, QuotaExhaustedError, ConfigurationError, RefusedError):
            return False
        except ItemError:
            pass
        return True

    def _asked_now(self, polls: pd.DataFrame, method: str, items: pd.Series) -> pd.DataFrame:
        """Those of `polls` whose item does not wait; what was skipped the last time comes last, so that it is in
        nobody's way."""
        asked = items[~items.isin(self._skipped.waiting(method))]
        skipped = asked.isin(self._skipped.known(method))
        return polls.loc[skipped.sort_values(kind="stable").index]

    def _skip(self, pull: Pull, item: Item, error: Exception, pages: Sequence[Answer]) -> None:
        """Note what kept an item from being read to its end, after these pages. Raises the error where other items
        would meet it too."""
        if isinstance(error, ItemError):
            pull.skip(item.item, error.reason)
            setback = Setback.CUT_SHORT if pages else Setback.REFUSED
            pull.keep_part([], [self._skipped.skip(item, setback, error.reason)])
            return
        if pages or isinstance(error, UnavailableError):
            self._failed = True
            pull.keep_part([], [self._skipped.skip(item, Setback.FAILED, str(error))])
        if not isinstance(error, UnavailableError):
            raise error
        pull.fail([item.item], error)

    def _call(self, method: str, **parameters: Any) -> Answer:
        """One call. Raises what the client does, ItemError where the key is accepted and ConfigurationError where it is
        not."""
        try:
            answer = self._client.call(method, **parameters)
        except RefusedError as error:
            self._require_key(method, error)
            raise
        except ItemError:
            self._trusted[method] = REFUSED_IN_A_ROW - 1
            raise
        self._trusted[method] = REFUSED_IN_A_ROW - 1
        return answer

    def _require_key(self, method: str, refusal: RefusedError) -> None:
        """Raises ConfigurationError where a call about nobody's item is refused as well. That is asked at the first
        refusal, and at every third in a row after an answer."""
        if self._trusted.get(method):
            self._trusted[method] -= 1
            return
        called, parameters = _OF_NOBODY[method]
        try:
            self._client.call(called, part="id", **parameters)
        except RefusedError:
            raise ConfigurationError(refusal.said) from None
        except ItemError:
            pass  # there is no such item: the key may ask
        self._trusted[method] = REFUSED_IN_A_ROW - 1

    def _list(
        self, pull: Pull, ids: list[str], method: str, parts: str, **more: int
    ) -> Iterator[tuple[list[str], Answer | ItemError]]:
        """The answer about these ids; where the call is refused, the answers about its halves, down to the ids that
        are refused alone."""
        try:
            yield ids, self._call(method, part=parts, id=",".join(ids), **more)
        except UnavailableError as error:
            pull.fail(ids, error)
        except ItemError as error:
            if len(ids) == 1:
                yield ids, error
                return
            for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
                yield from self._list(pull, half, method, parts, **more)

    def _pages(self, method: str, page_size: int, **parameters: str) -> Iterator[Answer]:
        """Every page of a listing, begun anew where a page token turns invalid. Raises ItemError, also where its
        pages go on and tell nothing new: such a listing may have no end."""
        for _ in range(LISTINGS):
            token: dict[str, str] = {}
            told: set[str] = set()
            idle = 0
            try:
                while idle < IDLE_PAGES:
                    answer = self._call(method, maxResults=page_size, **parameters, **token)
                    yield answer
                    ids = item_ids(answer.body)
                    idle = idle + 1 if ids <= told else 0
                    told |= ids
                    following = next_page_token(answer.body)
                    if not following:
                        return
                    token = {"pageToken": following}
            except PageError:
                continue
            raise ItemError(f"{IDLE_PAGES} pages in a row told nothing new")
        raise ItemError(f"page tokens turned invalid {LISTINGS} times")

    def _require_share(self, purpose: Purpose) -> None:
        """Raises QuotaExhaustedError where the purpose has spent its share of the day."""
        calls, share = self._ledger.calls(), self._plan.share(purpose)
        if sum(calls.get(method, 0) for method in METHODS[purpose]) >= share.units:
            why = f"the share of {share.units:,} units planned for {purpose} is spent"
            raise QuotaExhaustedError(share.bucket, why, resets_at(self._now.to_pydatetime()))

    # channels

    def _resolve(self, pull: Pull, handle: str) -> None:
        try:
            answer = self._call(CHANNELS, part=CHANNEL_PARTS, forHandle=handle)
        except UnavailableError as error:
            pull.fail([handle], error)
        except ItemError as error:
            self._skip_channel(pull, handle, None, error)
        else:
            pull.keep(
                [answer], [self._resolved(handle, answer), self._skipped.read(Item(CHANNELS, handle, None, None))]
            )

    def _skip_channel(self, pull: Pull, name: str, channel: str | None, error: ItemError) -> None:
        pull.skip(name, error.reason)
        polled = (
            "UPDATE ops.watched_channels SET channel_polled_at = %(now)s, failure = %(failure)s "
            "WHERE reference = %(name)s OR channel_id = %(name)s"
        )
        skipped = self._skipped.skip(Item(CHANNELS, name, channel, None), Setback.REFUSED, error.reason)
        pull.keep([], [(polled, {"now": self._now, "failure": error.reason, "name": name}), skipped])

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
        item = Item(UPLOADS, channel, channel, None)
        pages: list[Answer] = []
        new: dict[str, datetime | None] = {}
        try:
            for page in self._pages(UPLOADS, 50, part="id,snippet,contentDetails,status", playlistId=playlist):
                pages.append(page)
                listed = {video: at for video, at in uploads(page.body) if re.fullmatch(VIDEO_ID, video)}
                new |= {video: at for video, at in listed.items() if video not in known}
                if not fully and listed and (known & set(listed) or not known):
                    break
        except ENDINGS as error:
            cut = "UPDATE ops.watched_channels SET list_fully = true WHERE channel_id = %(channel)s"
            pull.keep_part(pages, [self._tracked(channel, new), (cut, {"channel": channel})] if pages else [])
            self._skip(pull, item, error, pages)
            if isinstance(error, ItemError):
                self._uploads_polled(pull, channel, error.reason)
            return
        pull.keep_part(pages, [self._tracked(channel, new), self._skipped.read(item)])
        self._uploads_polled(pull, channel, None)

    def _uploads_polled(self, pull: Pull, channel: str, failure: str | None) -> None:
        polled = (
            "UPDATE ops.watched_channels SET uploads_polled_at = %(now)s, failure = %(failure)s, "
            "list_fully = list_fully AND %(failure)s::text IS NOT NULL WHERE channel_id = %(channel)s"
        )
        pull.keep([], [(polled, {"channel": channel, "now": self._now, "failure": failure})])

    def _tracked(self, channel: str, new: Mapping[str, datetime | None]) -> Update:
        return (
            "INSERT INTO ops.tracked_videos (video_id, channel_id, published_at, discovered_at) "
            "SELECT id, %(channel)s, published_at, %(now)s "
            "FROM unnest(%(ids)s::text[], %(times)s::timestamptz[]) AS new (id, published_at) "
            "ON CONFLICT (video_id) DO UPDATE SET pushed_at = NULL",
            {"channel": channel, "now": self._now, "ids": list(new), "times": list(new.values())},
        )

    # videos

    def _read_videos(self, endpoint: str, videos: list[str], method: str, parts: str, **more: int) -> Collected:
        chunks = _chunks(videos)
        with self._pull(endpoint, len(chunks), "calls") as pull:
            for ids in chunks:
                for asked, found in self._list(pull, ids, method, parts, **more):
                    if isinstance(found, Answer):
                        pull.keep_part([found], [self._videos_polled(endpoint, asked, polled_videos(found.body))])
                    else:  # asked for weekly from now on, like one that is not returned
                        pull.skip(asked[0], found.reason)
                        pull.keep_part([], [self._videos_polled(endpoint, asked, {})])
                pull.keep([], [])
        return pull.collected

    def _videos_polled(self, endpoint: str, ids: list[str], polled: Mapping[str, PolledVideo]) -> Update:
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

    def _read_comments(self, pull: Pull, item: Item, read_at: pd.Timestamp) -> None:
        """Threads of one video, newest first, with their replies. Where they are cut short, they are read again from
        the newest: the next reading would stop at this one otherwise."""
        answers: list[Answer] = []
        note: str | None = None
        try:
            pages = self._pages(
                COMMENTS, 100, part="id,snippet,replies", videoId=item.item, order="time", textFormat="plainText"
            )
            for number, page in enumerate(pages, start=1):
                answers.append(page)
                pull.answered()
                found = threads(page.body)
                for thread in found:
                    reply = Item(REPLIES, thread.comment_id, item.channel_id, item.video_id)
                    if thread.has_more_replies and reply.item not in self._skipped.known(REPLIES):
                        answers += self._read_replies(pull, reply)
                # never true for NaT, of a video that is read for the first time
                if any(thread.published_at and thread.published_at <= read_at for thread in found):
                    break
                if number == THREAD_PAGES:
                    note = f"its newest {THREAD_PAGES * 100:,} threads were read"
                    pull.skip(item.item, note)
                    break
        except ENDINGS as error:
            pull.keep_part(answers, [])
            self._skip(pull, item, error, answers)
            if isinstance(error, ItemError):
                self._comments_polled(pull, item.item, error.reason)
            return
        pull.keep_part(answers, [self._skipped.read(item)])
        self._comments_polled(pull, item.item, note)

    def _comments_polled(self, pull: Pull, video: str, failure: str | None) -> None:
        polled = (
            "UPDATE ops.tracked_videos SET comments_polled_at = %(now)s, comments_failure = %(failure)s "
            "WHERE video_id = %(video)s"
        )
        pull.keep([], [(polled, {"now": self._now, "failure": failure, "video": video})])

    def _read_replies(self, pull: Pull, item: Item) -> list[Answer]:
        """Pages of the replies to a comment, as far as they are to be had; what is not is asked for again alone, as
        the rest of its video is read."""
        pages: list[Answer] = []
        try:
            for page in self._pages(REPLIES, 100, part="id,snippet", parentId=item.item, textFormat="plainText"):
                pages.append(page)
                pull.answered()
        except (ItemError, UnavailableError) as error:
            self._skip(pull, item, error, pages)
        else:
            pull.keep_part([], [self._skipped.read(item)])
        return pages


def _chunks(ids: Any) -> list[list[str]]:
    """Lists of at most as many ids as a call takes."""
    every = [str(name) for name in ids]
    return [every[start : start + IDS_PER_CALL] for start in range(0, len(every), IDS_PER_CALL)]
