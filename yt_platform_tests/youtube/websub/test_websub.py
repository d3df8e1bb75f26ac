"""Push from a hub to the collector's list: real HTTP on both sides, and Postgres, as either may lie or be late."""

import json
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from dagster import build_schedule_context

from yt_platform.clock import Clock
from yt_platform.monitoring.alerts import PUSH, open_of_kind, settle_alerts
from yt_platform.monitoring.conditions import push_alerts
from yt_platform.sandbox import GeneratedWorld, Sandbox, serve
from yt_platform.settings import Settings
from yt_platform.up import services
from yt_platform.warehouse.databases import DatabaseUrls
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.watchlist import add_channels, known_videos, tracked_videos
from yt_platform.youtube.websub.defs import hourly_subscription
from yt_platform.youtube.websub.protocol import callback_path, topic_of
from yt_platform.youtube.websub.store import Hub, ask_hub, push_secret, subscriptions_due, subscriptions_unwanted
from yt_platform_tests.conftest import free_port
from yt_platform_tests.receivers import eventually, receiving

STARTS_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(GeneratedWorld(seed=1, channels=2, videos=60, new_per_day=4, starts_at=STARTS_AT, days=9), STARTS_AT)


@pytest.fixture
def channels(warehouse: Warehouse, warehouse_url: str) -> list[str]:
    """Two watched channels of the world, by the platform's clock at the world's start."""
    ids = [f"@synthetic-{number:02}" for number in (1, 2)]
    world = GeneratedWorld(seed=1, channels=2, videos=60, new_per_day=4, starts_at=STARTS_AT, days=9)
    found = [str(world.channel_with_handle(handle)) for handle in ids]
    add_channels(warehouse_url, found, list_fully=False)
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE ops.clock SET simulated_at = $1", (STARTS_AT,))
    return found


@pytest.fixture
def receiver(warehouse: Warehouse, tmp_path: Path) -> Iterator[str]:
    """Its public address."""
    port = free_port()
    settings = Settings(home=tmp_path, push_url=f"http://127.0.0.1:{port}/youtube/", push_port=port, _env_file=None)
    with receiving(warehouse, settings):
        yield str(settings.push_url)


@pytest.fixture
def hub(sandbox: Sandbox, receiver: str, tmp_path: Path) -> Iterator[Hub]:
    with serve(sandbox) as url:
        yield Hub(f"{url}/subscribe", receiver, push_secret(tmp_path))


@pytest.fixture
def callback(receiver: str, tmp_path: Path) -> Callable[[str], str]:
    """The address that the hub calls about a channel."""
    return lambda channel: receiver + callback_path(push_secret(tmp_path), channel)


def subscribed(warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str]) -> None:
    asked = ask_hub(warehouse, hub, STARTS_AT)
    assert (asked.subscribed, asked.unsubscribed, asked.failures) == (len(channels), 0, {})
    eventually(lambda: set(sandbox.hub.subscriptions) == {topic_of(channel) for channel in channels})


def newest(sandbox: Sandbox, channel: str) -> str:
    uploads = sandbox.world.uploads(channel, sandbox.clock.now().timestamp())
    assert uploads
    return uploads[0]


def status_of(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_an_upload_is_read_next_and_the_listing_still_finds_what_lies_before_it(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str]
) -> None:
    subscribed(warehouse, hub, sandbox, channels)
    video = newest(sandbox, channels[0])
    assert sandbox.hub.publish(channels[0], video) == 204
    tracked = tracked_videos(warehouse)
    assert tracked["video_id"].tolist() == [video]
    assert tracked["metadata_polled_at"].isna().all()
    assert known_videos(warehouse) == {}


def test_the_same_notice_twice_is_one_and_an_edit_is_read_again(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str]
) -> None:
    subscribed(warehouse, hub, sandbox, channels)
    video = newest(sandbox, channels[0])

    def polled_after(notice_at: datetime) -> bool:
        sandbox.clock.set(notice_at)
        sandbox.hub.publish(channels[0], video)
        return bool(tracked_videos(warehouse)["metadata_polled_at"].notna().item())

    polled_after(STARTS_AT)
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE ops.tracked_videos SET metadata_polled_at = $1", (STARTS_AT + timedelta(hours=1),))
    assert polled_after(STARTS_AT)
    assert not polled_after(STARTS_AT + timedelta(hours=2))
    assert warehouse.records("SELECT count(*) AS n FROM ops.push_notices") == [{"n": 2}]


def test_a_deletion_is_read_again_and_nothing_is_tracked_for_it(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str]
) -> None:
    """Whether the video is gone, the next answer of the API says."""
    subscribed(warehouse, hub, sandbox, channels)
    assert sandbox.hub.publish(channels[0], "neverseen_1") == 204
    assert tracked_videos(warehouse).empty
    assert warehouse.records("SELECT deleted FROM ops.push_notices") == [{"deleted": True}]


def test_a_lease_is_renewed_before_it_ends_and_given_up_for_a_channel_no_longer_watched(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str]
) -> None:
    subscribed(warehouse, hub, sandbox, channels)
    lease = leases(warehouse)[0]["lease_expires_at"]
    assert lease == STARTS_AT + timedelta(days=10)  # Google's hub grants no longer one
    assert subscriptions_due(warehouse, STARTS_AT + timedelta(days=6, hours=23)) == []
    near_the_end = STARTS_AT + timedelta(days=7, hours=1)
    assert set(subscriptions_due(warehouse, near_the_end)) == set(channels)
    assert subscriptions_unwanted(warehouse, near_the_end) == []
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE ops.watched_channels SET paused = true WHERE channel_id = $1", (channels[0],))
        transaction.execute("UPDATE ops.clock SET simulated_at = $1", (near_the_end,))
    sandbox.clock.set(near_the_end)
    asked = ask_hub(warehouse, hub, near_the_end)
    assert (asked.subscribed, asked.unsubscribed) == (1, 1)
    eventually(lambda: list(sandbox.hub.subscriptions) == [topic_of(channels[1])])
    eventually(lambda: not subscriptions_unwanted(warehouse, near_the_end + timedelta(hours=2)))
    until = "SELECT lease_expires_at > $1 AS renewed FROM ops.push_subscriptions WHERE channel_id = $2"
    eventually(lambda: warehouse.records(until, (near_the_end + timedelta(days=9), channels[1]))[0]["renewed"])


def test_an_outage_of_the_hub_is_told_after_a_day_and_over_with_the_first_confirmation(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str]
) -> None:
    """The public hub answered 503 for days in September 2026. Leases that it had granted went on."""

    def told(at: datetime) -> list[str]:
        settle_alerts(warehouse, PUSH, push_alerts(warehouse, at), at)
        return [alert["message"] for alert in open_of_kind(warehouse, PUSH).values()]

    def at(when: datetime) -> None:
        sandbox.clock.set(when)
        with warehouse.transaction() as transaction:
            transaction.execute("UPDATE ops.clock SET simulated_at = $1", (when,))

    subscribed(warehouse, hub, sandbox, channels)
    eventually(lambda: None not in {row["lease_expires_at"] for row in leases(warehouse)})
    assert told(STARTS_AT + timedelta(days=6)) == []
    fails_from = STARTS_AT + timedelta(days=7, hours=1)
    control = hub.url.replace("/subscribe", "/sandbox/hub")
    closed = json.dumps({"closed_until": (fails_from + timedelta(days=2)).isoformat()}).encode()
    urllib.request.urlopen(urllib.request.Request(control, closed, method="PUT"), timeout=5).close()
    for hours in range(26):
        at(fails_from + timedelta(hours=hours, minutes=hours))
        assert set(ask_hub(warehouse, hub, sandbox.clock.now()).failures.values()) == {"the hub answered 503"}
        assert sandbox.hub.publish(channels[0], newest(sandbox, channels[0])) == 204  # its lease goes on
        if hours < 24:
            assert told(sandbox.clock.now()) == []
    [message] = told(sandbox.clock.now())
    assert message.startswith("the hub confirms no subscription of 2 channels since 2026-03-09 13:00 UTC: the hub")
    assert "503. The last lease ends on 2026-03-12 12:00 UTC" in message
    assert told(sandbox.clock.now() + timedelta(hours=1)) == [message]
    at(fails_from + timedelta(days=2, hours=2))
    assert ask_hub(warehouse, hub, sandbox.clock.now()).failures == {}
    eventually(lambda: told(sandbox.clock.now()) == [])


def test_a_hub_that_takes_requests_and_never_calls_back_is_told_as_well(
    warehouse: Warehouse, sandbox: Sandbox, channels: list[str], tmp_path: Path
) -> None:
    """Nobody listens at the public address: no request ever fails, and no lease is ever granted."""
    with serve(sandbox) as url:
        deaf = Hub(f"{url}/subscribe", f"http://127.0.0.1:{free_port()}", push_secret(tmp_path))
        for hours in range(0, 25, 2):
            assert ask_hub(warehouse, deaf, STARTS_AT + timedelta(hours=hours)).failures == {}
    assert push_alerts(warehouse, STARTS_AT + timedelta(hours=23)) == []
    [alert] = push_alerts(warehouse, STARTS_AT + timedelta(days=1))
    assert "did not call back. No lease" in alert.message
    with warehouse.transaction() as transaction:
        transaction.execute("UPDATE ops.watched_channels SET paused = true")
    assert push_alerts(warehouse, STARTS_AT + timedelta(days=1)) == []


def test_the_schedule_asks_when_something_is_due(warehouse: Warehouse, hub: Hub, channels: list[str]) -> None:
    def tick() -> Any:
        held = {"warehouse": warehouse, "clock": Clock(warehouse)}
        with build_schedule_context(resources=held, scheduled_execution_time=STARTS_AT) as context:
            return hourly_subscription.evaluate_tick(context)

    assert len(tick().run_requests) == 1
    ask_hub(warehouse, hub, STARTS_AT)
    assert "has a lease" in tick().skip_message


def test_up_serves_the_receiver_where_a_public_address_is_set(tmp_path: Path) -> None:
    """On the list of services: that one runs and ends with `up` is shown where all are."""
    urls = DatabaseUrls(*(f"postgresql://h/{name}" for name in ("youtube", "dagster", "mlflow", "youtube")))
    names = [
        [service.name for service in services(Settings(home=tmp_path, push_url=url, _env_file=None), urls)]
        for url in (None, "https://example.org/youtube")
    ]
    assert names == [["webserver", "daemon", "mlflow"], ["receiver", "webserver", "daemon", "mlflow"]]


def test_what_the_hub_did_not_sign_is_left_out(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str], callback: Callable[[str], str]
) -> None:
    """Accepted, as the specification asks: who forges learns nothing."""
    subscribed(warehouse, hub, sandbox, channels)
    for headers in ({}, {"X-Hub-Signature": "sha1=" + "0" * 40}, {"X-Hub-Signature": "rubbish"}):
        assert status_of(callback(channels[0]), b"<feed/>", headers) == 202
    other = sandbox.hub.subscriptions[topic_of(channels[1])]
    sandbox.hub.subscriptions[topic_of(channels[0])] = other  # signed with another channel's secret, at its address
    assert sandbox.hub.publish(channels[0], newest(sandbox, channels[0])) == 204
    assert tracked_videos(warehouse).empty


def test_a_signed_feed_that_cannot_be_read_is_left_out(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str]
) -> None:
    subscribed(warehouse, hub, sandbox, channels)
    assert sandbox.hub.deliver(channels[0], "<feed") == 202
    assert sandbox.hub.deliver(channels[0], "x" * (1 << 21)) == 413


@pytest.mark.parametrize(
    ("mode", "of", "topic"),
    [
        ("subscribe", "unwatched", "unwatched"),
        ("subscribe", "channel", "unwatched"),
        ("unsubscribe", "channel", "channel"),
        ("publish", "channel", "channel"),
    ],
)
def test_a_verification_of_what_is_not_wanted_is_refused(
    warehouse: Warehouse,
    hub: Hub,
    channels: list[str],
    callback: Callable[[str], str],
    mode: str,
    of: str,
    topic: str,
) -> None:
    ask_hub(warehouse, hub, STARTS_AT)
    names = {"channel": channels[0], "unwatched": "UC" + "z" * 22}
    assert status_of(f"{callback(names[of])}?{verification(mode, names[topic])}") == 404


def verification(mode: str, channel: str, **more: str) -> str:
    return urlencode(
        {"hub.mode": mode, "hub.topic": topic_of(channel), "hub.challenge": "c", "hub.lease_seconds": "432000", **more}
    )


def test_who_does_not_know_the_callback_moves_no_lease_and_fills_no_log(
    warehouse: Warehouse,
    hub: Hub,
    sandbox: Sandbox,
    channels: list[str],
    receiver: str,
    callback: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Anybody could call what was a channel's id alone: a lease that seems longer than it is ends push silently, and
    200 requests wrote 12 MB of log."""
    subscribed(warehouse, hub, sandbox, channels)
    eventually(lambda: None not in {row["lease_expires_at"] for row in leases(warehouse)})
    before = leases(warehouse)
    guesses = [
        channels[0],
        f"{channels[0]}/",
        f"{channels[0]}/{'0' * 64}",
        callback(channels[1]).removeprefix(receiver).replace(channels[1], channels[0]),
        "%00",
        "x" * 10_000,
    ]
    with caplog.at_level("DEBUG"):
        for guess in guesses:
            for mode in ("subscribe", "denied"):
                assert status_of(f"{receiver}{guess}?{verification(mode, channels[0])}") == 404
            assert status_of(receiver + guess, b"<feed/>", {"X-Hub-Signature": "sha1=" + "0" * 40}) == 404
    assert leases(warehouse) == before
    assert not [record for record in caplog.records if record.name.startswith(("yt_platform", "uvicorn"))]


def leases(warehouse: Warehouse) -> list[dict[str, Any]]:
    return warehouse.records("SELECT channel_id, lease_expires_at, failure FROM ops.push_subscriptions ORDER BY 1")


def test_what_a_hub_says_is_never_too_odd_to_be_taken(
    warehouse: Warehouse, hub: Hub, sandbox: Sandbox, channels: list[str], callback: Callable[[str], str]
) -> None:
    """Postgres holds no NUL, and Python reads no number of 5,000 digits."""
    subscribed(warehouse, hub, sandbox, channels)
    odd = {"hub.reason": "no\0 more", "hub.lease_seconds": "9" * 5000}
    assert status_of(f"{callback(channels[0])}?{verification('denied', channels[0], **odd)}") == 200
    assert status_of(f"{callback(channels[1])}?{verification('subscribe', channels[1], **odd)}") == 200
    found = {row["channel_id"]: row for row in leases(warehouse)}
    assert found[channels[0]]["failure"] == "denied by the hub: no more"
    assert found[channels[1]]["lease_expires_at"] == STARTS_AT + timedelta(days=10)


def test_of_a_forgotten_channel_the_log_says_nothing_and_the_hub_is_told_that_it_is_gone(
    warehouse: Warehouse,
    hub: Hub,
    sandbox: Sandbox,
    channels: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The hub knows it for up to 10 days more: its next notice wrote the id into the log again."""
    subscribed(warehouse, hub, sandbox, channels)
    with caplog.at_level("DEBUG"):
        assert sandbox.hub.publish(channels[0], newest(sandbox, channels[0])) == 204
        with warehouse.transaction() as transaction:
            for table in ("push_subscriptions", "watched_channels"):
                transaction.execute(f"DELETE FROM ops.{table} WHERE channel_id = $1", (channels[0],))
        assert sandbox.hub.publish(channels[0], newest(sandbox, channels[0])) == 410
        assert hub.ask("unsubscribe", channels[0]) is None
        eventually(lambda: list(sandbox.hub.subscriptions) == [topic_of(channels[1])])
    assert channels[0] not in "".join(record.getMessage() for record in caplog.records if "urllib" not in record.name)


def test_other_paths_and_verbs_are_refused(channels: list[str], receiver: str, callback: Callable[[str], str]) -> None:
    base = receiver.removesuffix("youtube/")
    assert [status_of(base), status_of(f"{base}metrics"), status_of(receiver)] == [404, 404, 404]
    request = urllib.request.Request(callback(channels[0]), method="DELETE")
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(request, timeout=5)


def test_a_hub_that_is_not_there_or_refuses_is_said_and_asked_again(
    warehouse: Warehouse, sandbox: Sandbox, channels: list[str], tmp_path: Path
) -> None:
    nobody = Hub(f"http://127.0.0.1:{free_port()}/subscribe", "https://example.org", push_secret(tmp_path))
    asked = ask_hub(warehouse, nobody, STARTS_AT)
    assert all("not to be reached" in asked.failures[channel] for channel in channels)
    assert subscriptions_due(warehouse, STARTS_AT + timedelta(minutes=59)) == []
    later = STARTS_AT + timedelta(minutes=61)
    assert set(subscriptions_due(warehouse, later)) == set(channels)
    with serve(sandbox) as url:
        refusing = Hub(f"{url}/subscribe", "ftp://example.org", push_secret(tmp_path))
        assert set(ask_hub(warehouse, refusing, later).failures.values()) == {"the hub answered 400"}


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    secret = push_secret(tmp_path)
    assert len(secret) == 32
    assert push_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "push.secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["push.secret"]
