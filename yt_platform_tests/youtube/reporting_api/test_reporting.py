"""Pulls of bulk reports against a real Postgres, real files and, over HTTP, the sandbox."""

import gzip
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials

from yt_platform.progress import silent
from yt_platform.sandbox import GeneratedWorld, Sandbox, reporting, serve
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.loading import load_from_raw
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.accounts.credentials import ANALYTICS, MONETARY, YOUTUBE
from yt_platform.youtube.data_api.client import ATTEMPTS, ConfigurationError, UnavailableError
from yt_platform.youtube.pulls import Origin
from yt_platform.youtube.reporting_api import reports
from yt_platform.youtube.reporting_api.client import Reported, ReportingClient, ReportPull
from yt_platform.youtube.reporting_api.reports import FAMILIES, ReportHead, report_day
from yt_platform_tests.frames import RUN_ID
from yt_platform_tests.sandbox.client import control
from yt_platform_tests.sandbox.consent import granted

STARTS_AT = datetime(2026, 3, 20, 12, tzinfo=UTC)


@dataclass
class Rig:
    """A warehouse, a raw store, and a sandbox at `url`; `waits` are the pauses a client asked for."""

    warehouse_url: str
    folder: Path
    sandbox: Sandbox
    url: str
    waits: list[float] = field(default_factory=list)

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.warehouse_url)

    @property
    def store(self) -> RawStore:
        return RawStore(str(self.folder / "raw"))

    def channel(self, number: int = 1) -> str:
        return str(self.sandbox.world.channel_ids[number])  # type: ignore[attr-defined]

    def credentials(self, *scopes: str, channel: int = 1) -> Credentials:
        return granted(self.url, self.channel(channel), " ".join(scopes or (YOUTUBE, ANALYTICS)))

    def pull(
        self,
        credentials: Any,
        account: str = "studio",
        content_owner: str | None = None,
        spool: Path | None = None,
    ) -> Reported:
        with ReportingClient(credentials, content_owner, self.url, self.waits.append) as client:
            return ReportPull(
                self.warehouse_url,
                self.store,
                client,
                account,
                Origin(RUN_ID, synthetic=True),
                "synthetic",
                self.sandbox.clock.now,
                spool or self.folder,
                silent,
            ).pull()

    def load(self) -> None:
        days = self.warehouse.records("SELECT min(partition_day) AS first, max(partition_day) AS last FROM raw.batches")
        window = Window(days[0]["first"], days[0]["last"])
        for family in FAMILIES:
            parsers = {family.endpoint: reports.rows}
            loaded = load_from_raw(self.warehouse, self.store, family.table, parsers, window, RUN_ID, silent)
            assert loaded.reject_count == 0

    def tables(self) -> dict[str, list[tuple[object, ...]]]:
        """The rows of every table as the reports have them, without when they were obtained."""
        unlike = {"refreshed_at", "reported_at"}
        found = {}
        for family in FAMILIES:
            columns = ", ".join(name for name in family.table.column_names if name not in unlike)
            rows = self.warehouse.records(f"SELECT {columns} FROM {family.table.name} ORDER BY {columns}")
            found[family.name] = [tuple(row.values()) for row in rows]
        return found

    def stored(self, report_type: str = "channel_basic_a3") -> list[dict[str, Any]]:
        return self.warehouse.records(
            "SELECT partition_day AS day, create_time, report_id FROM raw.reports JOIN raw.batches USING (batch_id) "
            "WHERE report_type = $1 ORDER BY create_time, report_id",
            (report_type,),
        )


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(3, channels=2, videos=12, new_per_day=0, starts_at=STARTS_AT - timedelta(days=60), days=1)


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path, world: GeneratedWorld) -> Iterator[Rig]:
    sandbox = Sandbox(world, STARTS_AT)
    with serve(sandbox) as url:
        yield Rig(warehouse_url, tmp_path, sandbox, url)


@pytest.mark.usefixtures("few_report_types")
def test_a_new_account_has_jobs_of_the_newest_types_and_thirty_days_of_history(rig: Rig) -> None:
    credentials = rig.credentials()
    assert rig.pull(credentials).reports == 0  # of a job just made there is nothing yet
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    done = rig.pull(rig.credentials())
    assert done.skipped == {}
    assert done.unknown_columns == {}
    types = Counter(row["report_type"] for row in rig.warehouse.records("SELECT report_type FROM raw.reports"))
    assert set(types) == {
        "channel_basic_a3",
        "channel_demographics_a1",
        "channel_traffic_source_a3",
        "channel_reach_basic_a1",
        "channel_cards_a2",
    }
    history = {STARTS_AT.date() - timedelta(days=n) for n in range(4, 31)}
    assert history <= {row["day"] for row in rig.stored()}
    assert done.reports == sum(types.values())
    assert rig.pull(rig.credentials()).reports == 0
    empty = rig.warehouse.records("SELECT path FROM raw.batches WHERE row_count = 0")
    assert {row["path"].split("/")[0] for row in empty} == {"report_demographics"}
    text = gzip.decompress((rig.folder / "raw" / empty[0]["path"]).read_bytes()).splitlines()
    assert ReportHead.parse(text[0]).account == "studio"
    assert (text[1].startswith(b"date,channel_id"), len(text)) == (True, 2)
    rig.load()
    rows = rig.tables()
    assert all(rows[name] for name in ("basic", "demographics", "traffic_sources", "reach"))
    day, video = report_day(STARTS_AT) - timedelta(days=9), rig.sandbox.world.uploads(rig.channel(), 2e9)[0]  # type: ignore[index]
    [seen] = rig.warehouse.records(
        "SELECT sum(views)::bigint AS views FROM metrics.report_basic WHERE day = $1 AND video_id = $2", (day, video)
    )
    ends = [datetime(day.year, day.month, day.day + n, 7, tzinfo=UTC).timestamp() for n in (0, 1)]
    counts = [rig.sandbox.world.videos([video], end)[0].view_count for end in ends]
    assert seen["views"] == counts[1] - counts[0]


@pytest.mark.slow
@pytest.mark.usefixtures("few_report_types")
def test_thirty_days_of_trouble_end_in_the_tables_of_one_download_at_the_end(rig: Rig) -> None:
    """Restated and late days, failing calls and lost ones, a download that is cut: nothing of it is in the tables."""
    credentials = rig.credentials()
    rig.pull(credentials)
    faults = [
        {"method": "media.download", "every": 9, "cut": True},
        {"method": "jobs.reports.list", "every": 7, "status": 503},
        {"method": "media.download", "every": 11, "status": 429, "retry_after": 3},
    ]
    control(rig.url, "faults", faults)
    for day in range(30):
        control(rig.url, "clock", {"advance_seconds": 86_400})
        if day % 7 != 3:  # days on which nobody asked
            rig.pull(rig.credentials())
        if day % 6 == 0:  # some days before they are restated
            rig.load()
    rig.load()
    assert rig.sandbox.faults.strikes > 20
    assert max(rig.waits) >= 3
    stored = rig.stored()
    restated = [day for day, times in Counter(row["day"] for row in stored).items() if times == 2]
    assert len(restated) > 2
    troubled = rig.tables()
    with rig.warehouse.transaction() as transaction:
        for table in ("raw.reports", "ops.loads", *(family.table.name for family in FAMILIES)):
            transaction.execute(f"DELETE FROM {table}")
        transaction.execute("DELETE FROM raw.batches")
    control(rig.url, "faults", [])
    rig.pull(rig.credentials())
    rig.load()
    assert rig.tables() == troubled


@pytest.fixture
def of_six_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less history to download, for tests that look at something else."""
    monkeypatch.setattr(reporting, "HISTORY_DAYS", 6)


@pytest.mark.usefixtures("few_report_types", "of_six_days")
def test_a_pull_that_dies_goes_on_where_it_ended(rig: Rig) -> None:
    rig.pull(rig.credentials())
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    control(rig.url, "faults", [{"method": "media.download", "status": 503, "every": 1}])
    with pytest.raises(UnavailableError):
        rig.pull(rig.credentials())
    assert rig.stored() == []
    control(rig.url, "faults", [{"method": "media.download", "nth": 4, "status": 403}])
    with pytest.raises(ConfigurationError) as refused:
        rig.pull(rig.credentials())
    assert "authorise the account again" in str(refused.value)
    begun = rig.stored()
    assert len(begun) == 3
    control(rig.url, "faults", [])
    rig.pull(rig.credentials())
    everything = rig.stored()
    assert {row["report_id"] for row in begun} < {row["report_id"] for row in everything}
    assert len({row["report_id"] for row in everything}) == len(everything)


@pytest.mark.usefixtures("few_report_types", "of_six_days")
def test_a_report_that_is_gone_by_the_time_is_skipped_and_told(rig: Rig) -> None:
    rig.pull(rig.credentials())
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    control(rig.url, "faults", [{"method": "media.download", "nth": 1, "status": 404}])
    done = rig.pull(rig.credentials())
    assert [reason.split(":")[0] for reason in done.skipped.values()] == ["YouTube has it no longer"]
    again = rig.pull(rig.credentials())  # it is there after all
    assert (again.reports, again.skipped) == (1, {})


@pytest.mark.usefixtures("few_report_types", "of_six_days")
def test_a_report_that_always_fails_keeps_no_other_from_being_stored_and_is_asked_for_again(rig: Rig) -> None:
    """It kept the account's other families from theirs, day after day."""
    rig.pull(rig.credentials())
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    control(rig.url, "faults", [{"method": "media.download", "nth": n, "status": 503} for n in range(1, ATTEMPTS + 1)])
    with pytest.raises(UnavailableError, match=r"report channel_.* of account studio, day 2026-03-.* made .* failed 5"):
        rig.pull(rig.credentials())
    types = {row["report_type"] for row in rig.warehouse.records("SELECT report_type FROM raw.reports")}
    assert len(types) == 5
    control(rig.url, "faults", [])
    assert rig.pull(rig.credentials()).reports == 1


@pytest.mark.usefixtures("few_report_types", "of_six_days")
def test_a_report_whose_row_is_deleted_is_downloaded_again(rig: Rig) -> None:
    """The remedy that the error of an unreadable report prints."""
    rig.pull(rig.credentials())
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    rig.pull(rig.credentials())
    first = rig.stored()[0]
    found = (
        "DELETE FROM raw.batches WHERE batch_id IN (SELECT batch_id FROM raw.reports WHERE report_id = $1) RETURNING 1"
    )
    rig.warehouse.records(found, (first["report_id"],))
    assert rig.pull(rig.credentials()).reports == 1
    assert first["report_id"] in {row["report_id"] for row in rig.stored()}


@pytest.mark.usefixtures("few_report_types", "of_six_days")
def test_two_pulls_at_once_store_every_report_once(rig: Rig) -> None:
    """One of them failed, and left files that no catalogue knew."""
    rig.pull(rig.credentials())
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    folders = [rig.folder / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda spool: rig.pull(rig.credentials(), spool=spool), folders))
    booked = rig.warehouse.records("SELECT path, report_id FROM raw.batches JOIN raw.reports USING (batch_id)")
    assert sum(one.reports for one in done) == len(booked)
    assert rig.store.names() == sorted(row["path"] for row in booked)


def test_the_token_is_sent_to_the_api_and_to_nobody_else(rig: Rig) -> None:
    head = ReportHead("a", "channel_basic_a3", "j", "r", STARTS_AT, STARTS_AT, STARTS_AT, "api")
    with ReportingClient(rig.credentials(), None, rig.url) as client, pytest.raises(ConfigurationError):
        client.download(f"{rig.url}.example.org/v1/media/x", head, rig.folder / "x")


@pytest.mark.usefixtures("few_report_types", "of_six_days")
@pytest.mark.parametrize("monetary", [False, True])
def test_a_content_owners_reports_hold_every_channel_and_revenue_where_that_is_allowed(
    rig: Rig, monetary: bool
) -> None:
    channels = [rig.channel(0), rig.channel(1)]
    key = control(rig.url, "partner", {"content_owner": "CMS1", "channels": channels})
    scopes = [ANALYTICS, MONETARY] if monetary else [ANALYTICS]
    first = rig.pull(service_account.Credentials.from_service_account_info(key, scopes=scopes), content_owner="CMS1")
    refused = {name: why for name, why in first.skipped.items() if "monetary scope" in why}
    assert bool(refused) is not monetary
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    rig.pull(service_account.Credentials.from_service_account_info(key, scopes=scopes), content_owner="CMS1")
    rig.load()
    found = rig.warehouse.records(
        "SELECT DISTINCT channel_id, claimed_status, uploader_type FROM metrics.report_basic ORDER BY channel_id"
    )
    assert [tuple(row.values()) for row in found] == [(channel, "claimed", "self") for channel in sorted(channels)]
    assert bool(rig.tables()["revenue"]) is monetary


DIVIDED = ("report_devices", "report_playback_locations", "report_subtitles")
"""Kinds whose rows add up to the views of the basic report."""
SHARES = {
    "report_provinces": ("views > 0 AND country_code = 'US'", {"views": "views"}),
    "report_cards": ("views >= 10", {"card_teaser_impressions": "views", "card_impressions": "views / 10"}),
    "report_end_screens": ("views >= 2", {"end_screen_element_impressions": "views / 2"}),
    "report_playlists": ("views >= 4", {"views": "views / 4", "playlist_starts": "views / 4 / 2"}),
}
"""Kinds that count a share of them: the basic report's rows that have one, and what each metric is of their views."""
AUDIENCE = "day, account, channel_id, video_id, live_or_on_demand, subscribed_status, country_code"


@pytest.mark.parametrize("content_owner", [None, "CMS1"])
def test_further_kinds_of_reports_agree_with_the_basic_one_on_its_views(
    rig: Rig, content_owner: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the basic report of the same day, by the sandbox's rules; ages under 18 are there and add up to all."""
    monkeypatch.setattr(reporting, "HISTORY_DAYS", 3)
    monkeypatch.setattr(reporting, "share", lambda _: 0.5)  # nothing is late, restated or without viewers
    key = control(rig.url, "partner", {"content_owner": "CMS1", "channels": [rig.channel()]})

    def pull() -> Reported:
        partner = service_account.Credentials.from_service_account_info(key, scopes=[ANALYTICS])
        return rig.pull(partner if content_owner else rig.credentials(), content_owner=content_owner)

    pull()
    control(rig.url, "clock", {"advance_seconds": 8 * 3_600})
    done = pull()
    assert done.unknown_columns == {}
    rig.load()

    def rows(table: str, *metrics: str, where: str = "views > 0") -> list[tuple[Any, ...]]:
        sums = ", ".join(f"sum({metric})::bigint" for metric in metrics)
        wanted = f"SELECT {AUDIENCE}, {sums} FROM metrics.{table} WHERE {where} GROUP BY {AUDIENCE} ORDER BY {AUDIENCE}"
        return [tuple(row.values()) for row in rig.warehouse.records(wanted)]

    for table in DIVIDED:
        assert rows(table, "views") == rows("report_basic", "views") != [], table
    for table, (of, metrics) in SHARES.items():
        assert rows(table, *metrics, where="true") == rows("report_basic", *metrics.values(), where=of) != [], table
    ages = rig.warehouse.records(
        "SELECT sum(views_percentage) AS total, min(age_group) AS youngest FROM metrics.report_demographics "
        f"GROUP BY {AUDIENCE}"
    )
    assert {(row["total"], row["youngest"]) for row in ages} == {(100, "AGE_13_17")}


def test_what_the_owner_did_not_grant_is_a_clear_error(rig: Rig) -> None:
    with pytest.raises(ConfigurationError) as refused:
        rig.pull(rig.credentials(YOUTUBE))
    assert "enable the YouTube Reporting API" in str(refused.value)
