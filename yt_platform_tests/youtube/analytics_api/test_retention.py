"""Retention curves against a real Postgres, real files and, over HTTP, the sandbox."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.oauth2 import service_account

from yt_platform.metrics.tables import VIDEO_RETENTION
from yt_platform.policy import PolicyMode
from yt_platform.privacy.backup import Place
from yt_platform.privacy.forgetting import CHANNEL, forget, search
from yt_platform.privacy.retention import retire
from yt_platform.progress import silent
from yt_platform.sandbox import GeneratedWorld, Sandbox, serve
from yt_platform.storage.endpoints import ANALYTICS_RETENTION
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.databases import DatabaseUrls
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.loading import Loaded, load_from_raw
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.accounts.credentials import (
    ANALYTICS,
    OWNER,
    YOUTUBE,
    Accounts,
    AuthorizationError,
    Stored,
    owner_secret,
)
from yt_platform.youtube.analytics_api.client import AnalyticsClient
from yt_platform.youtube.analytics_api.retention import RetentionPull
from yt_platform.youtube.analytics_api.retention_rows import video_retention
from yt_platform.youtube.data_api.client import UnavailableError
from yt_platform.youtube.pulls import Collected, Origin
from yt_platform_tests.frames import RUN_ID, VERIFIED
from yt_platform_tests.sandbox.client import control
from yt_platform_tests.sandbox.consent import granted

STARTS_AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY = 86_400
VIDEOS = 6


@dataclass
class Rig:
    """A warehouse that knows the videos of channel 1 of the sandbox at `url`, all published at once."""

    warehouse_url: str
    folder: Path
    sandbox: Sandbox
    url: str

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.warehouse_url)

    @property
    def store(self) -> RawStore:
        return RawStore(str(self.folder / "raw"))

    @property
    def channel(self) -> str:
        return str(self.sandbox.world.channel_ids[1])  # type: ignore[attr-defined]

    @property
    def videos(self) -> list[str]:
        return sorted(self.sandbox.world.uploads(self.channel, STARTS_AT.timestamp()) or ())

    def know(self, *videos: str, published_at: datetime = STARTS_AT) -> None:
        with self.warehouse.transaction() as transaction:
            for video in videos:
                transaction.execute(
                    "INSERT INTO metrics.videos (video_id, collected_at, source, channel_id, title, published_at, "
                    "access, refreshed_at, run_id, loaded_at) VALUES ($1, $2::timestamptz, 'synthetic', $3, 'a title', "
                    "$2::timestamptz, 'api_key', $2::timestamptz, $4::uuid, now())",
                    (video, published_at, self.channel, RUN_ID),
                )

    def account(self, name: str = "mine") -> Any:
        secret = owner_secret(granted(self.url, self.channel, f"{YOUTUBE} {ANALYTICS}"))
        given = Stored(OWNER, (YOUTUBE, ANALYTICS), STARTS_AT, secret, channel_id=self.channel)
        return Accounts(self.folder).opened(name, given)

    def pull(self, account: Any = None) -> Collected:
        opened = account or self.account()
        with AnalyticsClient(opened, self.url) as client:
            return RetentionPull(
                self.warehouse_url,
                self.store,
                client,
                opened,
                Origin(RUN_ID, synthetic=True),
                "synthetic",
                self.sandbox.clock.now,
                silent,
            ).pull()

    def load(self) -> Loaded:
        days = self.warehouse.records("SELECT min(partition_day) AS first, max(partition_day) AS last FROM raw.batches")
        window = Window(days[0]["first"], days[0]["last"])
        parsers = {ANALYTICS_RETENTION: video_retention}
        return load_from_raw(self.warehouse, self.store, VIDEO_RETENTION, parsers, window, RUN_ID, silent)

    def calls(self) -> int:
        found: int = control(self.url, "usage")["calls"].get("reports.query", 0)
        return found

    def curves(self) -> dict[tuple[str, int], int]:
        rows = self.warehouse.records(
            "SELECT video_id, age_days, count(*) AS points FROM bi.video_retention GROUP BY 1, 2 ORDER BY 1, 2"
        )
        return {(row["video_id"], row["age_days"]): row["points"] for row in rows}

    def batches(self) -> list[dict[str, Any]]:
        return self.warehouse.records(
            "SELECT source, path, sha256, row_count, quota_units, synthetic FROM raw.batches ORDER BY batch_id"
        )

    def days_pass(self, days: float) -> None:
        control(self.url, "clock", {"advance_seconds": days * DAY})


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(3, channels=2, videos=2 * VIDEOS, new_per_day=0, starts_at=STARTS_AT, days=1)


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path, world: GeneratedWorld) -> Iterator[Rig]:
    sandbox = Sandbox(world, STARTS_AT)
    with serve(sandbox) as url:
        rig = Rig(warehouse_url, tmp_path, sandbox, url)
        rig.know(*rig.videos)
        yield rig


def test_a_curve_is_asked_for_once_at_each_age_kept_as_received_and_becomes_rows(rig: Rig) -> None:
    rig.days_pass(10)
    assert rig.pull() == Collected()
    rig.days_pass(1)
    assert rig.pull() == Collected(answers=len(rig.videos))
    assert rig.pull() == Collected()
    assert rig.calls() == len(rig.videos)
    [batch] = rig.batches()
    assert (batch["source"], batch["quota_units"], batch["synthetic"]) == ("report", 0, True)
    [answer, *_] = rig.store.read_table(batch["path"], batch["sha256"]).to_pylist()
    asked = json.loads(answer["parameters"])
    assert asked["filters"] == f"video=={rig.videos[0]}"
    assert (asked["ids"], asked["startDate"], asked["endDate"]) == ("channel==MINE", "2026-03-20", "2026-03-27")
    assert (asked["account"], asked["channel_id"], answer["access"]) == ("mine", rig.channel, "owner")
    assert answer["body"].startswith('{"kind": "youtubeAnalytics#resultTable", "columnHeaders": [{')

    assert rig.load().reject_count == 0
    assert rig.curves() == {(video, 7): 100 for video in rig.videos}
    before = rig.warehouse.records("SELECT * FROM metrics.video_retention ORDER BY 1, 2, 3, 4")
    rig.load()
    assert rig.warehouse.records("SELECT * FROM metrics.video_retention ORDER BY 1, 2, 3, 4") == before

    rig.days_pass(21)
    assert rig.pull() == Collected(answers=len(rig.videos))
    rig.load()
    assert rig.curves() == {(video, age): 100 for video in rig.videos for age in (7, 28)}


def test_a_video_without_a_curve_is_asked_for_again_until_its_next_age(rig: Rig) -> None:
    """The sandbox answers without rows for a video it has not."""
    rig.know("notyetthere")
    rig.days_pass(11)
    assert rig.pull() == Collected(answers=len(rig.videos) + 1)
    assert rig.pull() == Collected()
    rig.days_pass(1)
    assert rig.pull() == Collected(answers=1)
    rig.days_pass(20)  # of age 28 now
    assert rig.pull() == Collected(answers=len(rig.videos) + 1)
    assert rig.load().reject_count == 0
    assert ("notyetthere", 7) not in rig.curves()
    asked = rig.warehouse.records("SELECT age_days, point_count FROM ops.asked_curves WHERE video_id = 'notyetthere'")
    assert sorted((row["age_days"], row["point_count"]) for row in asked) == [(7, 0), (28, 0)]


@pytest.mark.parametrize(
    "refusal", [{"reason": "badRequest", "status": 400}, {"status": 403}, {"reason": "videoNotFound"}]
)
def test_a_video_that_is_refused_keeps_no_other_from_its_curve(rig: Rig, refusal: dict[str, Any]) -> None:
    rig.days_pass(11)
    first = rig.videos[0]
    control(rig.url, "faults", [{"method": "reports.query", "item": first, **refusal}])
    done = rig.pull()
    assert (done.answers, list(done.skipped)) == (len(rig.videos) - 1, [f"video {first} at 7 days"])
    control(rig.url, "faults", [])
    assert rig.pull() == Collected()
    rig.days_pass(1)
    assert rig.pull() == Collected(answers=1)
    rig.load()
    assert rig.curves() == {(video, 7): 100 for video in rig.videos}


def test_an_account_that_may_see_none_is_told_from_a_video(rig: Rig) -> None:
    rig.days_pass(11)
    control(rig.url, "faults", [{"method": "reports.query", "status": 403}])
    with pytest.raises(AuthorizationError, match="account mine: YouTube Analytics refuses it"):
        rig.pull()
    assert rig.calls() == 3


def test_a_revoked_account_is_a_person_s_to_mend_and_asks_for_nothing(rig: Rig) -> None:
    rig.days_pass(11)
    account = rig.account()
    control(rig.url, "revoke", {"channel_id": rig.channel})
    with pytest.raises(AuthorizationError, match="Google takes its token no longer"):
        rig.pull(account)
    assert rig.warehouse.records("SELECT * FROM ops.asked_curves") == rig.batches() == []


@pytest.mark.parametrize("effect", [{"garbage": True}, {"cut": True}])
def test_a_call_that_fails_leaves_its_curve_due_and_keeps_the_others(rig: Rig, effect: dict[str, Any]) -> None:
    rig.days_pass(11)
    control(rig.url, "faults", [{"method": "reports.query", "item": rig.videos[2], **effect}])
    with pytest.raises(UnavailableError, match="1 items stay due"):
        rig.pull()
    control(rig.url, "faults", [])
    assert rig.pull() == Collected(answers=1)
    rig.load()
    assert rig.curves() == {(video, 7): 100 for video in rig.videos}


def test_a_pull_that_finds_nobody_there_ends_and_goes_on_where_it_was(rig: Rig) -> None:
    rig.days_pass(11)
    others = [{"method": "reports.query", "item": video, "garbage": True} for video in rig.videos[2:]]
    control(rig.url, "faults", others)
    with pytest.raises(UnavailableError, match="4 of 6 curves of mine: YouTube is out of reach"):
        rig.pull()
    assert rig.calls() == 5
    control(rig.url, "faults", [])
    assert rig.pull() == Collected(answers=4)


def test_two_accounts_have_their_own_curves_and_a_content_owner_those_of_its_reports(rig: Rig) -> None:
    key = control(rig.url, "partner", {"content_owner": "CMS1", "channels": [rig.channel]})
    given = Stored("content_owner", (ANALYTICS,), STARTS_AT, key, content_owner="CMS1")
    network = Accounts(rig.folder).opened("network", given)
    assert isinstance(network.credentials._inner, service_account.Credentials)
    rig.days_pass(11)
    assert rig.pull(network) == Collected()  # no report has named a channel yet
    row = {"account": "network", "channel_id": rig.channel, "video_id": "", "claimed_status": "", "uploader_type": ""}
    row |= {"live_or_on_demand": "on_demand", "subscribed_status": "subscribed", "country_code": "DE"}
    row |= {"source": "synthetic", "access": "owner", "run_id": RUN_ID}
    counts = ["views", "likes", "dislikes", "shares", "comments", "subscribers_gained", "subscribers_lost"]
    with rig.warehouse.transaction() as transaction:
        names = ", ".join([*row, *counts])
        values = ", ".join(f"'{value}'" for value in row.values())
        transaction.execute(
            f"INSERT INTO metrics.report_basic (day, reported_at, refreshed_at, loaded_at, {names}) "
            f"VALUES ('2026-03-28', now(), now(), now(), {values}, {', '.join('0' for _ in counts)})"
        )
    assert rig.pull(network) == Collected(answers=len(rig.videos))
    assert rig.pull() == Collected(answers=len(rig.videos))
    rig.load()
    rows = rig.warehouse.records("SELECT account, count(*) AS n FROM bi.video_retention GROUP BY 1 ORDER BY 1")
    assert [(row["account"], row["n"]) for row in rows] == [("mine", 600), ("network", 600)]


def test_what_is_malformed_is_refused_with_its_reason(rig: Rig) -> None:
    """As stored: no sandbox gives such figures."""
    rig.days_pass(11)
    rig.pull()
    [batch] = rig.batches()
    stored = rig.store.read_table(batch["path"], batch["sha256"])
    answers = stored.to_pylist()
    body = json.loads(answers[0]["body"])
    body["rows"][4][1] = "much"
    texts = [json.dumps(body), *(answer["body"] for answer in answers[1:])]
    changed = rig.store.write_again(
        ANALYTICS_RETENTION,
        STARTS_AT.date() + timedelta(days=11),
        stored.set_column(5, stored.schema.field(5), [texts]),
    )
    with rig.warehouse.transaction() as transaction:
        transaction.execute("UPDATE raw.batches SET path = $1, sha256 = $2", (changed.path, changed.sha256))
    loaded = rig.load()
    assert (loaded.row_count, loaded.reject_count) == (599, 1)
    [refused] = rig.warehouse.records("SELECT reason, record FROM ops.quarantine")
    assert refused["reason"] == "audience_watch_ratio = much is malformed"


@pytest.mark.parametrize("mode", ["strict", "owned"])
def test_a_curve_outlives_what_was_read_with_a_key(rig: Rig, mode: PolicyMode) -> None:
    """It is the owner's, who lets it be kept; titles and counts go after 30 days. It goes 30 days after the owner."""
    rig.days_pass(11)
    rig.pull()
    rig.load()
    later = STARTS_AT + timedelta(days=90)
    with rig.warehouse.transaction() as transaction:
        transaction.execute("UPDATE metrics.videos SET source = 'api'")
        transaction.execute(VERIFIED, ("mine", later - timedelta(days=29)))
    assert retire(rig.warehouse, rig.store, mode, later, RUN_ID) == {"metrics.videos": len(rig.videos)}
    assert rig.curves() == {(video, 7): 100 for video in rig.videos}
    [batch] = rig.batches()
    rig.store.verify(batch["path"], batch["sha256"])
    removed = retire(rig.warehouse, rig.store, mode, later + timedelta(days=2), RUN_ID)
    assert removed == {"metrics.video_retention": 100 * len(rig.videos), "raw.batches": 1}
    assert (rig.curves(), rig.store.names()) == ({}, [])


def test_a_forgotten_channel_has_no_curve_in_tables_or_files_and_is_not_asked_for(
    rig: Rig, server: EmbeddedPostgres
) -> None:
    rig.know("othersvideo")
    with rig.warehouse.transaction() as transaction:  # which another channel's account may see
        transaction.execute(f"UPDATE metrics.videos SET channel_id = 'UC{'o' * 22}' WHERE video_id = 'othersvideo'")
    rig.days_pass(11)
    rig.pull()
    rig.load()
    (rig.folder / "artifacts").mkdir()
    place = Place(
        DatabaseUrls(*[rig.warehouse_url] * 4), rig.store, rig.folder / "artifacts", server.bin_dir, rig.folder
    )
    found = forget(place, [], CHANNEL, rig.channel, silent)
    assert search(place, [], found.ids, silent) == []
    assert (rig.curves(), rig.warehouse.records("SELECT * FROM ops.asked_curves")) == ({}, [])
    [batch] = rig.batches()
    assert batch["row_count"] == 0
    assert rig.pull() == Collected()
