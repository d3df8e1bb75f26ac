"""Collection against a real Postgres and, over HTTP, the sandbox: what is called, kept, charged and known then."""

import json
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import LiteralString, cast
from urllib.parse import urlencode
from urllib.request import urlopen

import pandas as pd
import psycopg
import pytest

from yt_platform.policy import PolicyMode
from yt_platform.progress import Progress, silent
from yt_platform.sandbox import KEY, Fault, GeneratedWorld, Paging, Sandbox, serve
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.client import ConfigurationError, YouTubeClient
from yt_platform.youtube.data_api.collecting import Collector
from yt_platform.youtube.data_api.ledger import QuotaExhaustedError, QuotaLedger, Spent
from yt_platform.youtube.data_api.planning import quota_plan
from yt_platform.youtube.data_api.quota import Bucket
from yt_platform.youtube.pulls import Collected, Origin
from yt_platform.youtube.watchlist import add_channels, listed
from yt_platform_tests.frames import RUN_ID

STARTS_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
ALLOWED = {Bucket.DEFAULT: 9_000, Bucket.STATS: 9_000}
EVERYTHING = ("channels", "uploads", "videos", "video_stats", "comments")


@dataclass
class Rig:
    """A warehouse, a raw store, and a sandbox that listens at `url`; `waits` are the pauses a client asked for."""

    warehouse_url: str
    raw_url: str
    sandbox: Sandbox
    url: str
    allowed: dict[Bucket, int] = field(default_factory=lambda: dict(ALLOWED))
    key: str = KEY
    waits: list[float] = field(default_factory=list)
    mode: PolicyMode | None = None

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def advance(self, **time: float) -> None:
        self.sandbox.clock.advance(timedelta(**time))

    @contextmanager
    def collector(self, progress: Progress = silent) -> Iterator[Collector]:
        warehouse = Warehouse(self.warehouse_url)
        with (
            self.ledger_of_key() as ledger,
            YouTubeClient(self.key, self.url, "synthetic", ledger, self.now, self.waits.append) as client,
        ):
            yield Collector(
                self.warehouse_url,
                RawStore(self.raw_url),
                client,
                ledger,
                quota_plan(warehouse, self.now(), self.allowed),
                Origin(RUN_ID, synthetic=True),
                pd.Timestamp(self.now()),
                progress,
                self.mode,
            )

    def ledger_of_key(self) -> QuotaLedger:
        return QuotaLedger(self.warehouse_url, self.allowed, self.now, self.key)

    def collect(self, *assets: str) -> dict[str, Collected]:
        found = {}
        for asset in assets or EVERYTHING:
            with self.collector() as collector:
                found[asset] = getattr(collector, asset)()
        return found

    def execute(self, statement: LiteralString, *parameters: object) -> None:
        with psycopg.connect(self.warehouse_url) as connection:
            connection.execute(statement, parameters)

    def channel_ids(self) -> list[str]:
        return [str(row["channel_id"]) for row in self.rows("SELECT channel_id FROM ops.watched_channels ORDER BY 1")]

    def public_videos(self, before: datetime | None = None) -> set[str]:
        """What the world shows of all watched channels."""
        at = (before or self.now()).timestamp()
        return {video for channel in self.channel_ids() for video in self.sandbox.world.uploads(channel, at) or ()}

    def units(self) -> dict[str, int]:
        """What the server counted on all days, by bucket."""
        total = Counter[str]()
        for spent in self.sandbox.usage()["history"]:
            total[spent["bucket"]] += spent["units"]
        return dict(total)

    def rows(self, query: str) -> list[dict[str, object]]:
        return Warehouse(self.warehouse_url).records(query)

    def ledger(self) -> dict[str, int]:
        rows = self.rows("SELECT bucket, sum(units)::bigint AS units FROM ops.quota_ledger GROUP BY bucket")
        return {str(row["bucket"]): int(str(row["units"])) for row in rows}


@contextmanager
def rigged(warehouse_url: str, raw_url: str, channels: int = 5, videos: int = 300) -> Iterator[Rig]:
    """A rig that watches every channel of a small world, ten days after its start."""
    world = GeneratedWorld(7, channels, videos, new_per_day=10, starts_at=STARTS_AT - timedelta(days=10))
    sandbox = Sandbox(world, STARTS_AT, paging=Paging(short_share=0.1, empty_share=0.05))
    with serve(sandbox) as url:
        add_channels(warehouse_url, world.channel_ids, list_fully=True)
        yield Rig(warehouse_url, raw_url, sandbox, url)


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path) -> Iterator[Rig]:
    with rigged(warehouse_url, str(tmp_path)) as rig:
        yield rig


def test_a_first_collection_knows_every_video_and_charges_what_the_server_counts(rig: Rig) -> None:
    found = rig.collect()
    assert {row["video_id"] for row in rig.rows("SELECT video_id FROM ops.tracked_videos")} == rig.public_videos()
    states = rig.rows("SELECT metadata_polled_at, stats_polled_at, view_count, unreturned_at FROM ops.tracked_videos")
    assert all(row["metadata_polled_at"] == row["stats_polled_at"] == rig.now() for row in states)
    assert all(row["view_count"] is not None and row["unreturned_at"] is None for row in states)
    assert rig.ledger() == rig.units()
    answered = rig.sandbox.usage()["requests"] - len(found["comments"].skipped)  # closed ones answer with an error
    assert sum(one.answers for one in found.values()) == answered
    batches = rig.rows("SELECT sum(row_count)::bigint AS n, bool_and(synthetic) AS s FROM raw.batches")
    assert batches == [{"n": answered, "s": True}]
    assert [one.missing for one in found.values()] == [None] * 5


def test_answers_are_kept_as_received_without_the_key(rig: Rig) -> None:
    rig.collect("channels")
    (batch,) = rig.rows("SELECT path, sha256 FROM raw.batches")
    (answer,) = RawStore(rig.raw_url).read_table(str(batch["path"]), str(batch["sha256"])).to_pylist()
    assert (answer["method"], answer["source"], answer["access"]) == ("channels.list", "synthetic", "api_key")
    parameters = json.loads(answer["parameters"])
    query = urlencode({**parameters, "key": KEY, "alt": "json"})
    with urlopen(f"{rig.url}/youtube/v3/channels?{query}") as received:
        assert answer["body"].encode() == received.read()
    assert KEY not in json.dumps(answer, default=str)


def test_nothing_is_called_twice_at_one_instant(rig: Rig) -> None:
    rig.collect()
    before = rig.sandbox.usage()["requests"]
    assert [one.answers for one in rig.collect().values()] == [0] * 5
    assert rig.sandbox.usage()["requests"] == before


def test_a_day_of_hourly_collections_finds_new_videos_and_reads_the_young_by_the_hour(rig: Rig) -> None:
    rig.collect()
    readings = Counter[str]()
    for _ in range(24):
        rig.advance(hours=1)
        rig.collect()
        polled = rig.rows("SELECT video_id, stats_polled_at FROM ops.tracked_videos WHERE unreturned_at IS NULL")
        readings.update(str(row["video_id"]) for row in polled if row["stats_polled_at"] == rig.now())
    known = rig.rows("SELECT video_id, published_at, unreturned_at FROM ops.tracked_videos")
    # uploads are listed every two hours
    assert rig.public_videos(before=rig.now() - timedelta(hours=2)) <= {row["video_id"] for row in known}
    for row in known:
        if row["unreturned_at"] is None:
            age_at_start = STARTS_AT - cast("datetime", row["published_at"])
            assert readings[str(row["video_id"])] >= (22 if timedelta() <= age_at_start < timedelta(hours=1) else 1)
    assert rig.ledger() == rig.units()


def test_a_pushed_video_does_not_end_the_listing_of_uploads(rig: Rig) -> None:
    """Those published before it, and not pushed, were never found; once listed it is like any other."""
    rig.collect("channels", "uploads")
    rig.advance(days=60)
    for channel in rig.channel_ids():
        uploaded = rig.sandbox.world.uploads(channel, rig.now().timestamp())
        rig.execute(
            "INSERT INTO ops.tracked_videos (video_id, channel_id, discovered_at, pushed_at) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            uploaded[0],
            channel,
            rig.now(),
            rig.now(),
        )
    rig.collect("uploads")
    found = {str(row["video_id"]) for row in rig.rows("SELECT video_id FROM ops.tracked_videos")}
    assert found >= rig.public_videos()
    assert rig.rows("SELECT count(*) AS n FROM ops.tracked_videos WHERE pushed_at IS NOT NULL") == [{"n": 0}]


def test_strict_makes_no_rates_of_what_it_counts(rig: Rig) -> None:
    for mode, made in (("strict", 0), ("owned", 1)):
        rig.mode = mode  # type: ignore[assignment]
        rig.collect("channels", "uploads", "videos")
        rig.advance(days=1)
        rig.collect("video_stats")
        [found] = rig.rows("SELECT count(view_count) AS counts, count(views_per_day) AS rates FROM ops.tracked_videos")
        assert found["counts"]
        assert bool(found["rates"]) == made


def test_a_video_that_comes_back_is_as_old_as_it_was(rig: Rig) -> None:
    """Retention takes the publication of one that is gone for long, and one of unknown age is read by the hour."""
    rig.collect("channels", "uploads", "videos")
    before = rig.rows("SELECT video_id, published_at FROM ops.tracked_videos ORDER BY 1")
    rig.execute("UPDATE ops.tracked_videos SET unreturned_at = %s, published_at = NULL", rig.now())
    rig.advance(days=8)
    rig.collect("videos")
    assert rig.rows("SELECT video_id, published_at FROM ops.tracked_videos ORDER BY 1") == before
    assert rig.rows("SELECT FROM ops.tracked_videos WHERE unreturned_at IS NOT NULL") == []


def test_a_video_that_is_no_longer_returned_is_noted_and_asked_for_weekly(rig: Rig) -> None:
    rig.collect()
    lost = str(rig.rows("SELECT min(video_id) AS id FROM ops.tracked_videos")[0]["id"])
    rig.execute("UPDATE ops.tracked_videos SET video_id = 'gone-000000' WHERE video_id = %s", lost)
    asked = []
    for _ in range(16):
        rig.advance(days=1)
        rig.collect("videos", "video_stats")
        (row,) = rig.rows("SELECT * FROM ops.tracked_videos WHERE video_id = 'gone-000000'")
        asked.append(row["stats_polled_at"] == rig.now())
        assert row["unreturned_at"] == STARTS_AT + timedelta(days=1)
        assert row["view_count"] is not None
    assert [day for day, was in enumerate(asked, start=1) if was] == [1, 7, 14]

    (told,) = rig.rows("SELECT * FROM bi.lost_videos")
    assert (told["video_id"], told["last_view_count"]) == ("gone-000000", row["view_count"])
    assert (told["lost_at"], told["asked_at"]) == (STARTS_AT + timedelta(days=1), STARTS_AT + timedelta(days=14))
    assert told["is_asked_for"]
    rig.execute("UPDATE ops.watched_channels SET paused = true WHERE channel_id = %s", str(told["channel_id"]))
    assert not rig.rows("SELECT is_asked_for FROM bi.lost_videos")[0]["is_asked_for"]
    rig.execute("UPDATE ops.tracked_videos SET video_id = %s WHERE video_id = 'gone-000000'", lost)
    rig.execute("UPDATE ops.watched_channels SET paused = false")
    rig.advance(days=7)
    rig.collect("videos")
    assert rig.rows("SELECT * FROM bi.lost_videos") == []  # it is back


def test_handles_are_resolved_once_and_what_cannot_be_is_said(rig: Rig) -> None:
    known = rig.sandbox.world.channels(rig.channel_ids()[:1], rig.now().timestamp())[0]
    rig.execute("DELETE FROM ops.watched_channels")
    add_channels(rig.warehouse_url, [str(known.handle), "@nobody-at-all", "UC" + "x" * 22], list_fully=False)
    rig.collect("channels")
    failures = {channel.reference: (channel.channel_id, channel.failure) for channel in listed(rig.warehouse_url)}
    assert failures[str(known.handle)] == (known.channel_id, None)
    assert failures["@nobody-at-all"] == (None, "no channel has this handle")
    assert failures["UC" + "x" * 22][1] == "YouTube does not return it: deleted or closed"
    add_channels(rig.warehouse_url, [known.channel_id], list_fully=False)
    rig.advance(days=1)
    rig.collect("channels")
    assert rig.sandbox.usage()["calls"] == {"channels.list": 2 + 1 + 1 + 1}  # handles; ids; the next day the same


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, times=3),
        Fault(status=503, reason="backendError", times=3),
        Fault(status=403, reason="rateLimitExceeded", times=3),
        Fault(status=403, reason="userRateLimitExceeded", times=3, reason_in="details"),
        Fault(status=429, reason="rateLimitExceeded", times=3, retry_after=7),
        Fault(cut=True, times=3),
        Fault(garbage=True, times=3),
    ],
    ids=str,
)
def test_what_passes_is_tried_again_and_every_try_is_charged(rig: Rig, fault: Fault) -> None:
    rig.sandbox.faults.replace([fault])
    found = rig.collect("channels")
    assert found["channels"] == Collected(answers=1)
    assert rig.ledger() == rig.units() == {"default": 4}
    assert len(rig.waits) == 3
    assert all(wait > (fault.retry_after or 0) * 0.99 for wait in rig.waits)


def test_a_call_that_keeps_failing_is_skipped_stays_due_and_the_rest_is_collected(rig: Rig) -> None:
    rig.collect("channels", "uploads")
    rig.sandbox.faults.replace([Fault(method="videos.list", status=500, times=5)])
    found = rig.collect("videos")["videos"]
    assert len(found.skipped) == 50
    assert all("failed 5 times" in reason for reason in found.skipped.values())
    assert found.missing
    assert found.missing.startswith("50 items stay due: videos.list failed 5 times")
    due = "SELECT count(*) AS n FROM ops.tracked_videos WHERE metadata_polled_at IS NULL"
    assert rig.rows(due) == [{"n": 50}]
    assert rig.collect("videos")["videos"] == Collected(answers=1)
    assert rig.rows(due) == [{"n": 0}]


def test_a_server_that_keeps_failing_ends_the_pull_and_is_said(rig: Rig) -> None:
    """An outage once cost five units and half a minute for every channel, and ended green."""
    rig.collect("channels")
    rig.sandbox.faults.replace([Fault(method="playlistItems.list", status=503)])
    found = rig.collect("uploads")["uploads"]
    assert found.missing
    assert "5 of 5 channels: YouTube is out of reach: playlistItems.list failed 5 times" in found.missing
    assert rig.sandbox.usage()["calls"]["playlistItems.list"] == 15
    rig.sandbox.faults.replace([])
    rig.collect("uploads")
    assert {row["video_id"] for row in rig.rows("SELECT video_id FROM ops.tracked_videos")} == rig.public_videos()


def test_what_was_not_sent_is_not_charged(rig: Rig) -> None:
    rig.url = "http://127.0.0.1:9"
    found = rig.collect("channels")["channels"]
    assert found.missing  # fewer calls than make an outage once ended green
    assert "5 items stay due" in found.missing
    assert "check YT_API_ENDPOINT" in found.missing
    assert rig.ledger() == {}


@contextmanager
def strange_server(answer: bytes) -> Iterator[tuple[str, list[str]]]:
    """A server that answers every request with these bytes and closes the connection; its URL, and what was asked."""
    asked: list[str] = []

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode())
            self.wfile.write(answer)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


def test_a_redirect_is_not_followed_and_costs_a_unit(rig: Rig) -> None:
    """A loop of redirects sent six requests for each unit that the ledger charged."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
    refusal = pytest.raises(ConfigurationError, match=r"HTTP 302; .*check YT_API_ENDPOINT")
    with strange_server(answer) as (rig.url, asked), refusal:
        rig.collect("channels")
    assert len(asked) == 1
    assert rig.ledger() == {"default": 1}


def test_a_request_that_httplib2_repeats_by_itself_is_charged_again(rig: Rig) -> None:
    """Where a server closes the connection without an answer, httplib2 asks once more."""
    with strange_server(b"") as (rig.url, asked):
        assert "failed 5 times" in str(rig.collect("channels")["channels"].missing)
    assert len(asked) > 5
    assert rig.ledger() == {"default": len(asked)}


def test_a_server_of_another_kind_is_a_configuration_error(rig: Rig) -> None:
    rig.sandbox.faults.replace([Fault(status=404, reason_in="errors")])
    with pytest.raises(ConfigurationError):
        rig.collect("channels")


def test_a_listing_cut_short_keeps_its_pages_and_is_made_to_the_end_the_next_time(
    warehouse_url: str, tmp_path: Path
) -> None:
    """It once stopped at its own newest videos, and those between were never found."""
    with rigged(warehouse_url, str(tmp_path), channels=1, videos=300) as rig:
        rig.collect()
        rig.execute(
            "DELETE FROM ops.tracked_videos WHERE video_id IN "
            "(SELECT video_id FROM ops.tracked_videos ORDER BY published_at DESC LIMIT 200)"
        )
        rig.advance(hours=20, minutes=30)  # past midnight in Los Angeles
        rig.sandbox.faults.replace([Fault(method="playlistItems.list", nth=3, status=403, reason="quotaExceeded")])
        kept = "SELECT sum(row_count)::bigint AS n FROM raw.batches WHERE endpoint = 'api_uploads'"
        before = int(str(rig.rows(kept)[0]["n"]))
        assert rig.collect("uploads")["uploads"].missing
        assert int(str(rig.rows(kept)[0]["n"])) == before + 2
        rig.advance(days=1)
        rig.sandbox.faults.replace([])
        rig.collect("uploads")
        assert {row["video_id"] for row in rig.rows("SELECT video_id FROM ops.tracked_videos")} >= rig.public_videos()


def test_comments_cut_short_are_read_again(rig: Rig) -> None:
    """The next reading once stopped where the one that failed had begun."""
    rig.collect("channels", "uploads", "videos")
    rig.sandbox.faults.replace([Fault(method="commentThreads.list", status=503, times=5)])
    found = rig.collect("comments")["comments"]
    (video,) = found.skipped.keys() - {
        str(row["id"])
        for row in rig.rows("SELECT video_id AS id FROM ops.tracked_videos WHERE comments_failure IS NOT NULL")
    }
    polled = f"SELECT comments_polled_at AS at FROM ops.tracked_videos WHERE video_id = '{video}'"
    assert rig.rows(polled) == [{"at": None}]
    rig.collect("comments")
    assert rig.rows(polled) == [{"at": rig.now()}]


@pytest.mark.parametrize(
    ("asset", "method", "reason", "skipped"),
    [
        ("comments", "commentThreads.list", "videoNotFound", 1),
        ("comments", "comments.list", "parentCommentNotFound", 1),
    ],
)
def test_what_is_not_found_is_skipped_with_the_reason(
    rig: Rig, asset: str, method: str, reason: str, skipped: int
) -> None:
    for earlier in EVERYTHING[: EVERYTHING.index(asset)]:
        rig.collect(earlier)
    rig.sandbox.faults.replace([Fault(method=method, status=404, reason=reason, times=1)])
    found = rig.collect(asset)[asset].skipped
    assert list(found.values()).count(reason) == skipped


def test_a_full_listing_goes_past_500_and_a_new_channel_is_listed_to_its_newest_alone(
    warehouse_url: str, tmp_path: Path
) -> None:
    with rigged(warehouse_url, str(tmp_path), channels=1, videos=700) as rig:
        rig.execute("UPDATE ops.watched_channels SET list_fully = false")
        rig.collect("channels", "uploads")
        count = "SELECT count(*) AS n FROM ops.tracked_videos"
        assert 0 < int(str(rig.rows(count)[0]["n"])) <= 50
        add_channels(warehouse_url, rig.channel_ids(), list_fully=True)
        rig.collect("uploads")
        assert {row["video_id"] for row in rig.rows("SELECT video_id FROM ops.tracked_videos")} == rig.public_videos()
        assert len(rig.public_videos()) > 700


def test_closed_comments_and_lost_playlists_are_skipped_with_the_reason(rig: Rig) -> None:
    rig.collect("channels")
    rig.sandbox.faults.replace([Fault(method="playlistItems.list", status=404, reason="playlistNotFound", times=1)])
    skipped = rig.collect("uploads")["uploads"].skipped
    assert list(skipped.values()) == ["playlistNotFound"]
    assert {channel.failure for channel in listed(rig.warehouse_url)} == {None, "playlistNotFound"}
    rig.collect("videos")
    found = rig.collect("comments")["comments"]
    assert set(found.skipped.values()) == {"commentsDisabled"}
    rows = rig.rows("SELECT video_id FROM ops.tracked_videos WHERE comments_failure = 'commentsDisabled'")
    assert {row["video_id"] for row in rows} == set(found.skipped)


@pytest.mark.parametrize("reason", ["quotaExceeded", "dailyLimitExceeded"])
def test_an_exhausted_bucket_stops_alone_keeps_what_came_and_resumes_after_the_reset(rig: Rig, reason: str) -> None:
    rig.collect("channels")
    rig.sandbox.faults.replace(
        [Fault(method="playlistItems.list", nth=3, status=403, reason=reason, reason_in="errors", times=1)]
    )
    found = rig.collect("uploads")["uploads"]
    assert found.missing
    said = f"of 5 channels: quota bucket default: YouTube answered {reason}; it resets at 2026-03-03 08:00 UTC"
    assert said in found.missing
    requests = rig.sandbox.usage()["requests"]
    rig.advance(hours=1)
    assert rig.collect("uploads")["uploads"].answers == 0
    assert rig.sandbox.usage()["requests"] == requests
    assert rig.collect("video_stats")["video_stats"].missing is None
    rig.advance(hours=19)  # past midnight in Los Angeles
    rig.collect()
    assert {row["video_id"] for row in rig.rows("SELECT video_id FROM ops.tracked_videos")} >= rig.public_videos(
        before=STARTS_AT
    )


def test_no_more_is_spent_than_allowed(rig: Rig) -> None:
    rig.allowed[Bucket.DEFAULT] = 7
    found = rig.collect()
    assert rig.ledger() == rig.units() == {"default": 7}
    assert found["uploads"].missing or found["videos"].missing


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (Fault(status=403, reason="accessNotConfigured", after=2), "enable the YouTube Data API v3"),
        (Fault(status=403, reason="forbidden", after=2), "YT_API_KEY"),
        (Fault(status=401, reason="authError", after=2), "YT_API_KEY"),
    ],
    ids=str,
)
def test_a_configuration_error_fails_names_the_remedy_and_keeps_what_came_before(
    rig: Rig, fault: Fault, remedy: str
) -> None:
    rig.collect("channels", "uploads")
    rig.sandbox.faults.replace([replace(fault, method="videos.list")])
    with pytest.raises(ConfigurationError, match=remedy) as raised:
        rig.collect("videos")
    assert_without_key(raised.value)
    (row,) = rig.rows("SELECT count(*) AS n FROM ops.tracked_videos WHERE metadata_polled_at IS NOT NULL")
    assert row == {"n": 100}


def test_a_wrong_key_is_said_without_repeating_it(rig: Rig) -> None:
    rig.key = "AIza-not-a-key"
    with pytest.raises(ConfigurationError, match=r"channels\.list.*check YT_API_KEY") as raised:
        rig.collect("channels")
    assert_without_key(raised.value, rig.key)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="videos.batchGetStats", status=403, reason="forbidden"),
        Fault(method="videos.batchGetStats", status=404),
    ],
    ids=str,
)
def test_statistics_fall_back_to_videos_list_where_the_method_is_refused(rig: Rig, fault: Fault) -> None:
    rig.collect()
    rig.advance(days=1, hours=1)
    rig.sandbox.faults.replace([fault])
    found = rig.collect("video_stats")["video_stats"]
    assert "videos.list was called instead" in found.skipped["videos.batchGetStats"]
    states = rig.rows("SELECT stats_polled_at, metadata_polled_at FROM ops.tracked_videos WHERE unreturned_at IS NULL")
    assert {row["stats_polled_at"] for row in states} == {rig.now()}
    assert {row["metadata_polled_at"] for row in states} == {STARTS_AT}


def test_a_listing_whose_token_turns_invalid_is_begun_again(rig: Rig) -> None:
    rig.collect("channels")
    rig.sandbox.faults.replace(
        [Fault(method="playlistItems.list", nth=2, status=400, reason="invalidPageToken", times=1)]
    )
    assert rig.collect("uploads")["uploads"].skipped == {}
    assert {row["video_id"] for row in rig.rows("SELECT video_id FROM ops.tracked_videos")} == rig.public_videos()


def test_processes_that_share_a_ledger_never_spend_the_same_unit(warehouse_url: str) -> None:
    allowed = {Bucket.DEFAULT: 150, Bucket.STATS: 1}

    def spend(_: int) -> int:
        with QuotaLedger(warehouse_url, allowed, lambda: STARTS_AT) as ledger:
            for charged in range(1_000):
                try:
                    ledger.charge("videos.list")
                except QuotaExhaustedError:
                    return charged
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(8))) == 150
    with QuotaLedger(warehouse_url, allowed, lambda: STARTS_AT) as ledger:
        assert ledger.spent() == {Bucket.DEFAULT: Spent(150, 150, None), Bucket.STATS: Spent(0, 1, None)}
        assert ledger.calls() == {"videos.list": 150}


def assert_without_key(error: BaseException | None, key: str = KEY) -> None:
    """Nor in what led to it, which Dagster would store and show."""
    assert key not in "".join(traceback.format_exception(error))
    while error:
        assert key not in repr(error) + str(error)
        error = error.__cause__ or error.__context__
