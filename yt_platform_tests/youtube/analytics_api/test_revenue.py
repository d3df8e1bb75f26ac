"""Revenue of a channel against a real Postgres, real files and, over HTTP, the sandbox."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from yt_platform.metrics.tables import CHANNEL_REVENUE
from yt_platform.privacy.backup import Place
from yt_platform.privacy.forgetting import CHANNEL, forget, search
from yt_platform.privacy.retention import retire
from yt_platform.progress import silent
from yt_platform.sandbox import GeneratedWorld, Sandbox, analytics, serve
from yt_platform.storage.endpoints import ANALYTICS_REVENUE
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.databases import DatabaseUrls
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.loading import Loaded, load_from_raw
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.accounts.credentials import (
    ANALYTICS,
    MONETARY,
    OWNER,
    YOUTUBE,
    Accounts,
    AuthorizationError,
    Stored,
    owner_secret,
)
from yt_platform.youtube.analytics_api.client import AnalyticsClient
from yt_platform.youtube.analytics_api.revenue import RevenuePull
from yt_platform.youtube.analytics_api.revenue_rows import channel_revenue
from yt_platform.youtube.data_api.client import UnavailableError
from yt_platform.youtube.pulls import Collected, Origin
from yt_platform_tests.frames import RUN_ID, VERIFIED
from yt_platform_tests.sandbox.client import control
from yt_platform_tests.sandbox.consent import granted

STARTS_AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
NEWEST = date(2026, 3, 17)
"""Day that is just old enough then."""


@dataclass
class Rig:
    """A warehouse, and channel 1 of the sandbox at `url`."""

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

    def account(self, *scopes: str) -> Any:
        scopes = scopes or (YOUTUBE, ANALYTICS, MONETARY)
        secret = owner_secret(granted(self.url, self.channel, " ".join(scopes)))
        return Accounts(self.folder).opened("mine", Stored(OWNER, scopes, STARTS_AT, secret, channel_id=self.channel))

    def pull(self, account: Any = None) -> Collected:
        opened = account or self.account()
        origin, now = Origin(RUN_ID, synthetic=True), self.sandbox.clock.now
        with AnalyticsClient(opened, self.url) as client:
            return RevenuePull(self.warehouse_url, self.store, client, opened, origin, "synthetic", now, silent).pull()

    def load(self) -> Loaded:
        window = Window(STARTS_AT.date(), self.sandbox.clock.now().date())
        parsers = {ANALYTICS_REVENUE: channel_revenue}
        return load_from_raw(self.warehouse, self.store, CHANNEL_REVENUE, parsers, window, RUN_ID, silent)

    def revenue(self) -> dict[date, float]:
        rows = self.warehouse.records("SELECT day, estimated_revenue FROM bi.channel_revenue ORDER BY day")
        return {row["day"]: row["estimated_revenue"] for row in rows}

    def views(self, day: date) -> int:
        """Views of the channel's videos on a day, by the world itself."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        videos = self.sandbox.world.uploads(self.channel, STARTS_AT.timestamp()) or ()
        before, after = (
            sum(state.view_count for state in self.sandbox.world.videos(videos, at.timestamp()))
            for at in (begin, begin + timedelta(days=1))
        )
        return after - before


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(3, channels=2, videos=12, new_per_day=0, starts_at=STARTS_AT - timedelta(days=90), days=1)


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path, world: GeneratedWorld) -> Iterator[Rig]:
    sandbox = Sandbox(world, STARTS_AT)
    with serve(sandbox) as url:
        yield Rig(warehouse_url, tmp_path, sandbox, url)


def test_a_year_is_asked_for_at_first_and_then_the_days_that_may_be_corrected(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the world's views; what YouTube corrects replaces what it said before, and no other day changes."""
    assert rig.pull() == Collected(answers=1)
    assert rig.load().reject_count == 0
    first = rig.revenue()
    assert (min(first), max(first)) == (NEWEST - timedelta(days=365), NEWEST)
    for day in (NEWEST, NEWEST - timedelta(days=20), NEWEST - timedelta(days=80)):
        assert first[day] == pytest.approx(rig.views(day) * 0.002, abs=1e-4)
        assert first[day] > 0
    [shown] = rig.warehouse.records("SELECT * FROM bi.channel_revenue WHERE day = $1", (NEWEST,))
    assert (shown["account"], shown["currency"], shown["is_synthetic"]) == ("mine", "USD", True)
    assert shown["ad_impressions"] == pytest.approx(1_000 * shown["gross_revenue"] / shown["cpm"], abs=1)

    monkeypatch.setitem(analytics._PER_VIEW, "estimatedRevenue", 0.003)
    control(rig.url, "clock", {"advance_seconds": 86_400})
    rig.pull()
    assert rig.load().reject_count == 0
    again, corrected = rig.revenue(), NEWEST - timedelta(days=45)
    assert {day for day, amount in first.items() if again[day] != amount} == {
        day for day, amount in first.items() if day >= corrected and amount
    }
    assert set(again) - set(first) == {NEWEST + timedelta(days=1)}
    assert again[NEWEST] == pytest.approx(rig.views(NEWEST) * 0.003, abs=1e-4)
    rig.load()
    assert rig.revenue() == again


def test_revenue_that_an_account_may_not_see_is_skipped_with_the_reason(rig: Rig) -> None:
    """It was never granted, or the channel is not in the partner programme; nothing else of the account fails."""
    done = rig.pull(rig.account(YOUTUBE, ANALYTICS))
    assert list(done.skipped) == ["revenue of mine"]
    assert "revenue was not granted to it; authorise again" in done.skipped["revenue of mine"]
    control(rig.url, "faults", [{"method": "reports.query", "status": 403}])
    done = rig.pull()
    assert "may not be in the partner programme" in done.skipped["revenue of mine"]
    assert done.answers == 0
    assert rig.warehouse.records("SELECT FROM raw.batches") == []
    control(rig.url, "faults", [])
    assert rig.pull() == Collected(answers=1)


def test_a_call_that_fails_is_no_skipped_one(rig: Rig) -> None:
    control(rig.url, "faults", [{"method": "reports.query", "cut": True}])
    with pytest.raises(UnavailableError, match="account mine"):
        rig.pull()
    control(rig.url, "faults", [{"method": "reports.query", "status": 403, "reason": "accessNotConfigured"}])
    with pytest.raises(AuthorizationError, match="enable the YouTube Analytics API"):
        rig.pull()


def test_a_content_owner_is_asked_for_nothing_as_its_reports_have_it(rig: Rig) -> None:
    key = control(rig.url, "partner", {"content_owner": "CMS1", "channels": [rig.channel]})
    given = Stored("content_owner", (ANALYTICS, MONETARY), STARTS_AT, key, content_owner="CMS1")
    assert rig.pull(Accounts(rig.folder).opened("network", given)) == Collected()
    assert control(rig.url, "usage")["calls"].get("reports.query", 0) == 0


def test_revenue_goes_with_the_account_and_with_the_channel(rig: Rig, server: EmbeddedPostgres) -> None:
    rig.pull()
    rig.load()
    later = STARTS_AT + timedelta(days=90)
    with rig.warehouse.transaction() as transaction:
        transaction.execute(VERIFIED, ("mine", later - timedelta(days=29)))
    assert retire(rig.warehouse, rig.store, "strict", later, RUN_ID) == {}
    (rig.folder / "artifacts").mkdir()
    urls = DatabaseUrls(*[rig.warehouse_url] * 4)
    place = Place(urls, rig.store, rig.folder / "artifacts", server.bin_dir, rig.folder)
    removed = retire(rig.warehouse, rig.store, "strict", later + timedelta(days=2), RUN_ID)
    assert removed == {"metrics.channel_revenue": 366, "raw.batches": 1}
    assert (rig.revenue(), rig.store.names()) == ({}, [])

    rig.pull()
    rig.load()
    found = forget(place, [], CHANNEL, rig.channel, silent)
    assert search(place, [], found.ids, silent) == []
    assert rig.revenue() == {}
    assert rig.pull().answers == 0
