"""Collection where YouTube refuses, cuts short or fails single items: whose fault it is, and when they are asked again.

Against a real Postgres and, over HTTP, the sandbox, as only the order of calls shows that nobody else is in the way.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from yt_platform.sandbox import KEY, Fault
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.client import ConfigurationError
from yt_platform.youtube.data_api.quota import Bucket
from yt_platform.youtube.data_api.skipped import CHANNELS, COMMENTS, REPLIES, UPLOADS, skipped_items
from yt_platform.youtube.watchlist import add_channels, listed, pause_channel, remove_channel
from yt_platform_tests.youtube.data_api.test_collecting import Rig, rigged

PER_DAY = "Quota exceeded for quota metric 'Queries' and limit 'Queries per day' of service 'youtube.googleapis.com'."


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path) -> Iterator[Rig]:
    """Four channels with a few videos each."""
    with rigged(warehouse_url, str(tmp_path), channels=4, videos=40) as rig:
        yield rig


def playlist(channel: str) -> str:
    return f"UU{channel[2:]}"


def tracked(rig: Rig) -> set[str]:
    return {str(row["video_id"]) for row in rig.rows("SELECT video_id FROM ops.tracked_videos")}


def calls(rig: Rig, method: str) -> int:
    return int(rig.sandbox.usage()["calls"].get(method, 0))


def skipped(rig: Rig) -> list[tuple[object, ...]]:
    rows = rig.rows("SELECT method, item, setback, reason, times FROM ops.skipped_items ORDER BY method, item")
    return [tuple(row.values()) for row in rows]


def watch(rig: Rig, count: int) -> list[str]:
    """The first so many channels alone."""
    for channel in rig.channel_ids()[count:]:
        remove_channel(rig.warehouse_url, channel)
    return rig.channel_ids()


@contextmanager
def faulty(rig: Rig, *faults: Fault) -> Iterator[None]:
    rig.sandbox.faults.replace(faults)
    yield
    rig.sandbox.faults.replace([])


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "channelClosed"),
        (403, "channelSuspended"),
        (403, "playlistForbidden"),
        (403, "forbidden"),
        (403, "neverHeardOf"),
        (401, "authorizationRequired"),
    ],
)
def test_a_channel_that_is_refused_is_skipped_and_the_others_are_listed(rig: Rig, status: int, reason: str) -> None:
    """One closed channel once ended every run before the channels after it, and the key was blamed."""
    rig.collect("channels")
    first, *others = rig.channel_ids()
    with faulty(rig, Fault(method=UPLOADS, item=playlist(first), status=status, reason=reason)):
        found = rig.collect("uploads")["uploads"]
    assert (found.missing, found.skipped) == (None, {first: reason})
    at = rig.now().timestamp()
    assert tracked(rig) == {video for channel in others for video in rig.sandbox.world.uploads(channel, at) or ()}
    state = {channel.reference: channel for channel in listed(rig.warehouse_url)}
    assert state[first].failure == reason
    assert state[first].uploads_polled_at == rig.now()
    assert (state[first].retry_at, state[others[0]].retry_at) == (rig.now().replace(day=3), None)


def test_a_refused_channel_is_polled_later_and_later_and_found_when_it_opens(rig: Rig) -> None:
    rig.collect("channels")
    [channel] = watch(rig, 1)
    days = []
    with faulty(rig, Fault(method=UPLOADS, item=playlist(channel), status=403, reason="channelSuspended")):
        for day in range(17):
            rig.execute("UPDATE ops.watched_channels SET channel_polled_at = %s", rig.now())
            before = calls(rig, UPLOADS)
            rig.collect("uploads")
            days += [day] * (calls(rig, UPLOADS) - before)
            rig.advance(days=1)
    assert days == [0, 1, 3, 7, 15]
    # the channel's own record says nothing of it
    rig.execute("UPDATE ops.watched_channels SET failure = NULL")
    assert [one.failure for one in listed(rig.warehouse_url)] == ["channelSuspended"]
    rig.advance(days=14)
    rig.collect("uploads")
    assert tracked(rig) == rig.public_videos()
    assert skipped(rig) == []
    assert [channel.failure for channel in listed(rig.warehouse_url)] == [None]


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize(("status", "reason"), [(403, "forbidden"), (403, "neverHeardOf"), (401, "authError")])
def test_a_key_that_is_refused_for_every_channel_is_an_error_however_few_are_watched(
    rig: Rig, status: int, reason: str, count: int
) -> None:
    rig.collect("channels")
    watch(rig, count)
    with faulty(rig, Fault(method=UPLOADS, status=status, reason=reason)):
        with pytest.raises(ConfigurationError, match=f"refuses playlistItems.list: {reason}; .*check YT_API_KEY"):
            rig.collect("uploads")
        assert calls(rig, UPLOADS) == 2
    assert skipped(rig) == []
    assert tracked(rig) == set()
    rig.collect("uploads")
    assert tracked(rig) == rig.public_videos()


@pytest.mark.parametrize(("status", "reason"), [(403, "forbidden"), (401, "authError")])
def test_a_key_that_is_refused_from_the_middle_on_is_an_error_and_no_channel_waits(
    warehouse_url: str, tmp_path: Path, status: int, reason: str
) -> None:
    """Those that were refused before the key was in doubt waited for a day."""
    with rigged(warehouse_url, str(tmp_path), channels=6, videos=12) as rig:
        rig.collect("channels")
        fault = Fault(method=UPLOADS, status=status, reason=reason, after=1)
        with faulty(rig, fault), pytest.raises(ConfigurationError):
            rig.collect("uploads")
        assert tracked(rig)  # what was answered before is kept
        rig.advance(hours=3)
        rig.collect("uploads")
        assert (tracked(rig), skipped(rig)) == (rig.public_videos(), [])


def test_channels_that_are_all_closed_do_not_make_the_key_refused(rig: Rig) -> None:
    """A members-only channel has many videos that are refused alike, one after the other."""
    rig.collect("channels")
    closed = [Fault(method=UPLOADS, item=playlist(one), status=403, reason="forbidden") for one in rig.channel_ids()]
    with faulty(rig, *closed):
        found = rig.collect("uploads")["uploads"]
    assert (found.missing, set(found.skipped.values()), len(found.skipped)) == (None, {"forbidden"}, 4)


@pytest.mark.parametrize(("code", "reason"), [(403, "forbidden"), (400, "processingRefused")])
def test_a_video_whose_comments_are_refused_is_skipped_and_the_others_are_read(
    rig: Rig, code: int, reason: str
) -> None:
    rig.collect("channels")
    watch(rig, 1)
    rig.collect("uploads", "videos", "comments")
    [video, *_] = [
        str(row["video_id"])
        for row in rig.rows("SELECT video_id FROM ops.tracked_videos WHERE comments_failure IS NULL "
                            "AND comments_polled_at IS NOT NULL ORDER BY published_at DESC")
    ]  # fmt: skip
    rig.execute("UPDATE ops.tracked_videos SET comments_polled_at = NULL, comments_failure = NULL")
    rig.execute("DELETE FROM ops.skipped_items")
    before = "SELECT count(*) AS n FROM ops.tracked_videos WHERE comments_polled_at IS NOT NULL"
    with faulty(rig, Fault(method=COMMENTS, item=video, status=code, reason=reason)):
        found = rig.collect("comments")["comments"]
    assert found.missing is None
    assert found.skipped.pop(video) == reason
    assert set(found.skipped.values()) <= {"commentsDisabled"}
    assert rig.rows(before)[0]["n"]
    assert rig.rows(f"SELECT comments_failure FROM ops.tracked_videos WHERE video_id = '{video}'") == [
        {"comments_failure": reason}
    ]
    [row] = [row for row in skipped(rig) if row[1] == video]
    assert row == (COMMENTS, video, "refused", reason, 1)
    rig.advance(hours=2)
    rig.collect("comments")
    assert row in skipped(rig)
    rig.advance(days=1)
    rig.collect("comments")
    assert video not in {row[1] for row in skipped(rig)}


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "invalidPageToken"), (404, "playlistNotFound"), (403, "forbidden"), (503, "backendError")],
)
def test_uploads_cut_short_are_listed_to_the_end_the_next_time(
    warehouse_url: str, tmp_path: Path, status: int, reason: str
) -> None:
    """A listing that an item's error cut short counted as finished: 20 of 130 uploads were never found."""
    with rigged(warehouse_url, str(tmp_path), channels=1, videos=130) as rig:
        rig.collect("channels", "uploads")
        everything = tracked(rig)
        # 70 that are new, so that the first page reaches none that is known
        rig.execute(
            "DELETE FROM ops.tracked_videos WHERE video_id IN "
            "(SELECT video_id FROM ops.tracked_videos ORDER BY published_at DESC LIMIT 70)"
        )
        rig.advance(hours=3)
        with faulty(rig, Fault(method=UPLOADS, later_pages=True, status=status, reason=reason)):
            found = rig.collect("uploads")["uploads"]
        assert found.skipped or found.missing
        assert not everything <= tracked(rig)
        [row] = rig.rows("SELECT list_fully, failure FROM ops.watched_channels")
        assert row["list_fully"]
        [(method, _, setback, *_)] = skipped(rig)
        assert (method, setback) == (UPLOADS, "failed" if status == 503 else "cut short")
        rig.advance(hours=3)
        rig.collect("uploads")
        assert everything <= tracked(rig)
        assert skipped(rig) == []


@pytest.mark.parametrize(("status", "reason"), [(400, "invalidPageToken"), (404, "videoNotFound")])
def test_comments_cut_short_are_read_from_the_newest_to_the_end(rig: Rig, status: int, reason: str) -> None:
    rig.collect("channels", "uploads", "videos")
    with faulty(rig, Fault(method=COMMENTS, later_pages=True, status=status, reason=reason)):
        rig.collect("comments")
    cut = [row for row in skipped(rig) if row[2] == "cut short"]
    assert cut
    video = str(cut[0][1])
    rig.advance(hours=3)
    rig.collect("comments")
    assert video not in {row[1] for row in skipped(rig)}
    assert pages_of(rig, video) >= 1 + 2


def pages_of(rig: Rig, video: str) -> int:
    store = RawStore(rig.raw_url)
    batches = rig.rows("SELECT path, sha256 FROM raw.batches WHERE endpoint = 'api_comments'")
    answers = [store.read_table(str(one["path"]), str(one["sha256"])).to_pylist() for one in batches]
    return sum(f'"{video}"' in answer["parameters"] for found in answers for answer in found)


@pytest.mark.parametrize(("status", "reason"), [(500, "internalError"), (403, "forbidden")])
def test_replies_that_fail_for_good_cost_less_and_less_and_keep_no_video(rig: Rig, status: int, reason: str) -> None:
    """A thread that failed cost 5 units at every run, and its video was never read."""
    rig.collect("channels", "uploads", "videos")
    with faulty(rig, Fault(method=REPLIES, status=status, reason=reason, times=5 if status == 500 else 1)):
        rig.collect("comments")
    [row] = [row for row in skipped(rig) if row[0] == REPLIES]
    thread = str(row[1])
    [state] = rig.rows(
        "SELECT comments_polled_at, comments_failure FROM ops.tracked_videos "
        f"WHERE video_id = (SELECT video_id FROM ops.skipped_items WHERE item = '{thread}')"
    )
    assert state == {"comments_polled_at": rig.now(), "comments_failure": None}
    rig.execute("UPDATE ops.tracked_videos SET comments_polled_at = now() WHERE comments_failure IS NULL")
    before = calls(rig, REPLIES)
    with faulty(rig, Fault(method=REPLIES, item=thread, status=status, reason=reason)):
        for _ in range(8):
            rig.advance(hours=1)
            rig.collect("comments")
    assert calls(rig, REPLIES) - before == (3 * 5 if status == 500 else 0)
    rig.advance(days=2)
    rig.collect("comments")
    assert REPLIES not in {row[0] for row in skipped(rig)}


def test_one_of_fifty_ids_that_is_refused_is_skipped_alone(rig: Rig) -> None:
    """Of channels it kept all others from being read."""
    refused = rig.channel_ids()[2]
    with faulty(rig, Fault(method=CHANNELS, item=refused, status=403, reason="forbidden")):
        found = rig.collect("channels")["channels"]
    assert found.skipped == {refused: "forbidden"}
    polled = rig.rows("SELECT channel_id FROM ops.watched_channels WHERE uploads_playlist_id IS NOT NULL ORDER BY 1")
    assert [row["channel_id"] for row in polled] == [one for one in rig.channel_ids() if one != refused]
    rig.collect("uploads")
    video = max(tracked(rig))
    with faulty(rig, Fault(method="videos.list", item=video, status=403, reason="neverHeardOf")):
        assert rig.collect("videos")["videos"].skipped == {video: "neverHeardOf"}
    states = rig.rows(
        "SELECT video_id, unreturned_at IS NULL AS told FROM ops.tracked_videos WHERE metadata_polled_at IS NOT NULL"
    )
    assert {str(row["video_id"]): row["told"] for row in states} == {one: one != video for one in tracked(rig)}


def test_a_handle_that_is_refused_is_skipped_with_the_reason(rig: Rig) -> None:
    watch(rig, 1)
    add_channels(rig.warehouse_url, ["@closed"], list_fully=False)
    with faulty(rig, Fault(method=CHANNELS, item="@closed", status=403, reason="forbidden")):
        assert rig.collect("channels")["channels"].skipped == {"@closed": "forbidden"}
    assert {one.reference: one.failure for one in listed(rig.warehouse_url)}["@closed"] == "forbidden"
    add_channels(rig.warehouse_url, ["@closed"], list_fully=True)  # asks for it anew
    assert skipped(rig) == []


def test_channels_that_fail_in_a_row_keep_no_other_waiting_for_ever(warehouse_url: str, tmp_path: Path) -> None:
    """Three at the head of the queue were taken for an outage at every run."""
    with rigged(warehouse_url, str(tmp_path), channels=5, videos=20) as rig:
        rig.collect("channels")
        failing = rig.channel_ids()[:3]
        with faulty(rig, *(Fault(method=UPLOADS, item=playlist(one), status=503) for one in failing)):
            assert "out of reach" in str(rig.collect("uploads")["uploads"].missing)
            rig.advance(hours=1)
            rig.collect("uploads")
        at = rig.now().timestamp()
        assert tracked(rig) >= {
            one for channel in rig.channel_ids()[3:] for one in rig.sandbox.world.uploads(channel, at) or ()
        }


def test_an_outage_delays_no_channel_after_its_end(rig: Rig) -> None:
    rig.collect("channels")
    watch(rig, 1)
    with faulty(rig, Fault(status=503)):
        for _ in range(4):
            rig.collect("uploads")
            rig.advance(hours=1)
    rig.collect("uploads")
    assert tracked(rig) == rig.public_videos()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, reason="rateLimitExceeded", message=PER_DAY),
        Fault(status=429, reason="RATE_LIMIT_EXCEEDED", quota_limit="defaultPerDayPerProject", reason_in="details"),
        Fault(status=403, reason="rateLimitExceeded", message=PER_DAY),
    ],
    ids=str,
)
def test_a_days_quota_in_the_words_of_a_rate_stops_the_bucket(rig: Rig, fault: Fault) -> None:
    """It was tried five times for every item, and said to have failed."""
    with faulty(rig, fault):
        found = rig.collect("channels", "uploads")
    assert "quota bucket default: YouTube answered" in str(found["channels"].missing)
    assert "it resets at" in str(found["channels"].missing)
    assert (rig.sandbox.usage()["requests"], rig.waits) == (1, [])


def test_a_stopped_bucket_is_tried_again_with_another_key_and_not_with_the_same(rig: Rig) -> None:
    with faulty(rig, Fault(status=403, reason="quotaExceeded")):
        rig.collect("channels")
    assert rig.collect("channels")["channels"].missing
    assert rig.sandbox.usage()["requests"] == 1
    [row] = rig.rows("SELECT * FROM ops.quota_ledger")
    assert row["stopped_key"]
    assert KEY not in str(row)
    rig.execute("UPDATE ops.quota_ledger SET stopped_key = 'another'")
    with rig.ledger_of_key() as ledger:
        assert ledger.spent()[Bucket.DEFAULT].stop_reason is None
    assert rig.collect("channels")["channels"].missing is None
    assert rig.rows("SELECT stopped_at, stopped_key FROM ops.quota_ledger") == [
        {"stopped_at": None, "stopped_key": None}
    ]


def test_a_bucket_stopped_before_keys_were_told_apart_stays_stopped(rig: Rig) -> None:
    with faulty(rig, Fault(status=403, reason="quotaExceeded")):
        rig.collect("channels")
    rig.execute("UPDATE ops.quota_ledger SET stopped_key = NULL")
    assert rig.collect("channels")["channels"].missing


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, reason="rateLimitExceeded", message=PER_DAY.replace("day", "minute")),
        Fault(status=429, reason="RATE_LIMIT_EXCEEDED", quota_limit="defaultPerMinutePerProject", reason_in="details"),
        Fault(status=403, reason="userRateLimitExceeded"),
        Fault(status=429, reason="rateLimitExceeded"),
    ],
    ids=str,
)
def test_a_limit_of_a_minute_backs_off_for_longer_than_that_and_then_ends_the_pull(rig: Rig, fault: Fault) -> None:
    rig.collect("channels")
    with faulty(rig, fault):
        found = rig.collect("uploads")["uploads"]
    assert "4 of 4 channels: YouTube still answers" in str(found.missing)
    assert "failed 5 times" not in str(found.missing)
    assert found.skipped == {}
    assert (calls(rig, UPLOADS), len(rig.waits)) == (5, 4)
    assert sum(rig.waits) > 60
    assert rig.collect("uploads")["uploads"].missing is None


ERROR_INSIDE = json.dumps({"error": {"code": 500, "errors": [{"reason": "backendError"}]}})
NO_LISTS = [ERROR_INSIDE, '{"kind": "k", "items": null}', '{"items": "none"}', '{"items": [1]}', "{}"]


@pytest.mark.parametrize("body", NO_LISTS)
def test_an_answer_that_is_no_list_of_items_says_nothing_of_channels_and_videos(rig: Rig, body: str) -> None:
    """It said that channels were closed and videos were gone, and ended listings."""
    [first, *_] = rig.channel_ids()
    with faulty(rig, Fault(method=CHANNELS, body=body)):
        assert "failed 5 times" in str(rig.collect("channels")["channels"].missing)
    assert {(one.failure, one.uploads_polled_at) for one in listed(rig.warehouse_url)} == {(None, None)}
    rig.collect("channels")
    with faulty(rig, Fault(method=UPLOADS, item=playlist(first), body=body), Fault(method="videos.list", body=body)):
        rig.collect("uploads", "videos")
    assert [row[:3] for row in skipped(rig)] == [(UPLOADS, first, "failed")]
    assert rig.rows("SELECT count(*) AS n FROM ops.tracked_videos WHERE unreturned_at IS NOT NULL") == [{"n": 0}]
    rig.collect("uploads", "videos")
    assert (tracked(rig), skipped(rig)) == (rig.public_videos(), [])


def test_a_quota_error_inside_an_answer_of_status_200_stops_the_bucket(rig: Rig) -> None:
    body = json.dumps({"error": {"code": 403, "message": PER_DAY, "errors": [{"reason": "quotaExceeded"}]}})
    with faulty(rig, Fault(body=body)):
        assert "it resets at" in str(rig.collect("channels")["channels"].missing)
    assert rig.sandbox.usage()["requests"] == 1


def test_a_refusal_without_a_reason_is_the_items_where_the_key_may_ask_about_others(rig: Rig) -> None:
    """A gateway's page about one channel stopped all others in every run."""
    rig.collect("channels")
    [first, *_] = rig.channel_ids()
    page = "<html>Forbidden</html>"
    with faulty(rig, Fault(method=UPLOADS, item=playlist(first), status=403, body=page)):
        assert rig.collect("uploads")["uploads"].skipped == {first: "HTTP 403"}
    assert {row["channel_id"] for row in rig.rows("SELECT DISTINCT channel_id FROM ops.tracked_videos")} == {
        *rig.channel_ids()[1:]
    }
    rig.advance(hours=3)
    with faulty(rig, Fault(status=403, body=page)), pytest.raises(ConfigurationError, match="check YT_API_ENDPOINT"):
        rig.collect("uploads")


@pytest.mark.parametrize(
    "body",
    [
        '{"items": [], "nextPageToken": "again"}',
        '{"items": [{"id": "the same"}], "nextPageToken": "again"}',
    ],
)
def test_a_listing_whose_pages_never_end_is_cut_short_before_it_costs_a_day(rig: Rig, body: str) -> None:
    """It was followed until the day's quota was spent, and nothing else was collected."""
    rig.collect("channels")
    first, *others = rig.channel_ids()
    with faulty(rig, Fault(method=UPLOADS, item=playlist(first), body=body)):
        rig.collect("uploads")
        assert calls(rig, UPLOADS) <= len(others) * 10 + 11
    [row] = skipped(rig)
    assert row[:3] == (UPLOADS, first, "cut short")
    assert "told nothing new" in str(row[3])
    rig.advance(hours=3)
    rig.collect("uploads")
    assert (tracked(rig), skipped(rig)) == (rig.public_videos(), [])


def test_what_is_skipped_goes_with_its_channel(rig: Rig) -> None:
    rig.collect("channels")
    first = rig.channel_ids()[0]
    with faulty(rig, Fault(method=UPLOADS, item=playlist(first), status=403, reason="channelClosed")):
        rig.collect("uploads")
    assert len(skipped(rig)) == 1
    pause_channel(rig.warehouse_url, first, paused=True)
    assert skipped_items(Warehouse(rig.warehouse_url), rig.now()) == []
    remove_channel(rig.warehouse_url, first)
    assert Warehouse(rig.warehouse_url).records("SELECT FROM ops.skipped_items") == []
