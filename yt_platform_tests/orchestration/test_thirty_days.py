"""Thirty-one days of a platform under `strict`, once with trouble and once without: the same rows in every table.

At this level because what trouble leaves behind shows where pulls, reports, restatements, purges and the plan of what
to make meet; each is tested by itself elsewhere. Real runs, a real Postgres, and a sandbox that answers by HTTP.

Reports keep, so theirs may be lost for days. The Data API tells only of now: a reading made later is another reading,
so its failures here are of the kind that is made up for within the hour, on a clock that stands meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dagster import SensorDefinition, build_sensor_context

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import FROM_OWNERS
from yt_platform.local import Platform, RunFailedError, Runs, bring_up_to_date, collect, open_platform
from yt_platform.monitoring.alerts import AUTHORIZATION, RUN, open_of_kind
from yt_platform.monitoring.defs.alerting import data_alerts, run_alerts
from yt_platform.orchestration.jobs import COLLECT, COLLECT_REPORTS, REFRESH
from yt_platform.policy import HOLDS, first_kept
from yt_platform.privacy.retention import oldest
from yt_platform.progress import silent
from yt_platform.sandbox import KEY, GeneratedWorld, Sandbox, reporting, serve
from yt_platform.settings import Settings
from yt_platform.tables.declaration import Holds
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Window
from yt_platform.youtube.accounts.authorization import add, due
from yt_platform.youtube.accounts.credentials import ANALYTICS, OWNER, YOUTUBE, Accounts, Stored, owner_secret
from yt_platform.youtube.accounts.defs import VERIFY
from yt_platform.youtube.data_api import client as youtube
from yt_platform.youtube.defs import PULLS
from yt_platform.youtube.reporting_api.reports import family_of
from yt_platform.youtube.reporting_api.tables import REPORTS
from yt_platform.youtube.watchlist import add_channels
from yt_platform_tests.conftest import reachable_folder
from yt_platform_tests.orchestration.conftest import environment_put_back
from yt_platform_tests.sandbox.client import control
from yt_platform_tests.sandbox.consent import granted

pytestmark = pytest.mark.slow

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 31
PURGED_FROM = 29
"""Number of the first day on which something is older than strict keeps."""

BEGINS, VERIFIES = timedelta(minutes=10), timedelta(minutes=40)
REPORTED, READ, ENDS = timedelta(hours=9, minutes=40), timedelta(hours=12, minutes=7), timedelta(hours=23)
"""When a day is purged and its tables are made, accounts are verified, its reports asked for, its counts read, and all
is compared."""

METRICS = [name for name in TABLES if name.startswith("metrics.")]
PULLED = frozenset(f"raw.{name}" for name in PULLS)

# Faults of the sandbox, in its own words.
DOWN = [{"status": 503}]
UPLOADS_DOWN = [{"method": "playlistItems.list", "status": 503}]
CUT = [
    {"method": "media.download", "every": 3, "cut": True},
    {"method": "jobs.reports.list", "every": 2, "status": 503},
    {"method": "media.download", "every": 5, "status": 429, "retry_after": 3},
]
REFUSED_AT_THE_THIRD = [{"method": "media.download", "nth": 3, "status": 403}]
NOW_AND_THEN = [
    {"every": 3, "times": 2, "cut": True},
    {"every": 4, "times": 2, "garbage": True},
    {"every": 5, "times": 2, "status": 500},
]

Row = tuple[object, ...]


@dataclass(frozen=True)
class Life:
    """A platform that lives in a world, at the hours that the test says."""

    platform: Platform
    runs: Runs
    sandbox: Sandbox
    url: str
    owner: str

    def at(self, number: int, hour: timedelta) -> None:
        at = FIRST + timedelta(days=number) + hour
        control(self.url, "clock", {"now": at.isoformat()})
        self.platform.clock.simulate(at)

    @property
    def today(self) -> date:
        return self.platform.clock.now().date()

    @contextmanager
    def trouble(self, faults: list[dict[str, Any]]) -> Iterator[None]:
        before = self.sandbox.faults.strikes
        control(self.url, "faults", faults)
        yield
        control(self.url, "faults", [])
        assert self.sandbox.faults.strikes > before

    def authorise(self) -> None:
        secret = owner_secret(granted(self.url, self.owner, f"{YOUTUBE} {ANALYTICS}"))
        given = Stored(OWNER, (YOUTUBE, ANALYTICS), self.platform.clock.now(), secret)
        accounts = Accounts(self.platform.settings.home)
        add(self.platform.warehouse, accounts, "mine", given, self.url, lambda _: None)

    def verify(self, number: int) -> None:
        """Where it is due; what an account brought goes when nobody has verified it for 30 days."""
        self.at(number, VERIFIES)
        if due(self.platform.warehouse, Accounts(self.platform.settings.home), self.platform.clock.now()):
            self.runs.launch(VERIFY)

    def get_reports(self, number: int) -> None:
        self.at(number, REPORTED)
        self.runs.launch(COLLECT_REPORTS, Window(self.today, self.today))

    def fail_to_get_reports(self, number: int, saying: str) -> None:
        with pytest.raises(RunFailedError) as failed:
            self.get_reports(number)
        assert saying in str(failed.value)

    def make_tables(self) -> None:
        for window, tables in stale_ranges(self.platform.warehouse, self.today, "strict"):
            self.runs.launch(REFRESH, window, tables)

    def open_alerts(self, kind: str, sensor: SensorDefinition) -> dict[str, dict[str, Any]]:
        """Those of a kind, after a tick of the sensor that raises and resolves them."""
        held = {name: getattr(self.platform, name) for name in ("warehouse", "settings", "clock")}
        repository = self.runs.definitions.get_repository_def()
        with build_sensor_context(self.runs.instance, repository_def=repository, resources=held) as context:
            sensor.evaluate_tick(context)
        return open_of_kind(self.platform.warehouse, kind)

    def rows(self, table: str, since: date = date.min) -> list[Row]:
        """Rows of a table as they are compared: without when an owner's report was downloaded or a curve asked for,
        which is what lost days and dead tokens change. When YouTube made a report is compared, and so is when each
        reading of the Data API was taken."""
        unlike = {"collected_at", "refreshed_at"} if table in FROM_OWNERS else set[str]()
        columns = ", ".join(name for name in TABLES[table].column_names if name not in unlike)
        return self.of(f"SELECT {columns} FROM {table} WHERE {TABLES[table].window} >= $1 ORDER BY {columns}", since)

    def of(self, query: str, *parameters: object) -> list[Row]:
        return [tuple(row.values()) for row in self.platform.warehouse.records(query, parameters)]


@contextmanager
def living(world: GeneratedWorld) -> Iterator[Life]:
    sandbox = Sandbox(world, FIRST)
    with environment_put_back(), serve(sandbox) as url, reachable_folder() as folder:
        settings = Settings(
            home=folder / "home",
            api_endpoint=url,
            api_key=KEY,
            policy_mode="strict",
            partitions_start=date(2026, 2, 1),  # days of years before cost every run some time
            _env_file=None,
        )
        with open_platform(settings) as platform:
            runs = Runs(platform, silent)
            with runs.instance:
                life = Life(platform, runs, sandbox, url, world.channel_ids[1])
                life.at(0, BEGINS)
                add_channels(platform.urls.warehouse, world.channel_ids, list_fully=True)
                life.authorise()
                yield life


def without_trouble(life: Life) -> None:
    """Counts every day; reports at the end, but for those of the time before, which YouTube does not keep until then.
    No table is made before, so that nothing is ever restated in one, and nothing is purged."""
    for number in range(DAYS):
        if number == DAYS - 1:
            life.at(number, BEGINS)
            life.make_tables()  # curves are asked for of videos that are known
        life.verify(number)
        if number in (0, 1, DAYS - 1):  # the first makes the jobs
            life.get_reports(number)
        life.at(number, READ)
        life.runs.launch(COLLECT, Window(life.today, life.today), PULLED)


def with_trouble(life: Life) -> None:
    """The same counts, with much going wrong between them, and tables made and purged as the days go by."""
    for number in range(DAYS):
        if number % 6 == 0 or number >= PURGED_FROM:
            life.at(number, BEGINS)
            bring_up_to_date(life.platform, life.runs)
        if number >= PURGED_FROM:
            nothing_is_too_old_and_no_video_is_gone(life)
        life.verify(number)
        get_reports_in_spite(life, number)
        read_counts_in_spite(life, number)


def nothing_is_too_old_and_no_video_is_gone(life: Life) -> None:
    """Metadata was once purged a day before it was due again."""
    kept = oldest(life.platform.warehouse)
    of_api = {name: day for name, day in kept.items() if name != "raw.batches"}  # of which some hold owners' reports
    assert min(of_api.values()) == first_kept(life.today)
    tracked = life.of("SELECT video_id FROM ops.tracked_videos WHERE unreturned_at IS NULL ORDER BY 1")
    assert life.of("SELECT video_id FROM metrics.videos ORDER BY 1") == tracked


def get_reports_in_spite(life: Life, number: int) -> None:
    match number:
        case 6 | 7:
            with life.trouble(DOWN):
                life.fail_to_get_reports(number, "mine: reportTypes.list failed 5 times")
        case 8:
            with life.trouble(REFUSED_AT_THE_THIRD):
                life.fail_to_get_reports(number, "YouTube refuses media.download: forbidden")
        case 9:
            with life.trouble(CUT):
                life.get_reports(number)
        case 11 | 12 | 13 | 14 | 15:
            the_token_is_dead(life, number)
        case 16:
            the_token_is_another(life, number)
        case _ if number < 20 or number % 3 == 0:  # days on which nobody asks
            life.get_reports(number)


def the_token_is_dead(life: Life, number: int) -> None:
    if number == 11:
        assert control(life.url, "revoke", {"channel_id": life.owner}) == {"revoked": 1}
    life.fail_to_get_reports(number, "1 accounts failed: mine: account mine: Google takes its token no longer")
    alert = life.open_alerts(AUTHORIZATION, data_alerts)["mine"]
    assert "authorise again with `yt-platform accounts add`" in alert["remedy"]
    assert alert["remedy"] in life.open_alerts(RUN, run_alerts)[COLLECT_REPORTS]["message"]


def the_token_is_another(life: Life, number: int) -> None:
    [(before,)] = life.of("SELECT max(batch_id) FROM raw.reports")
    life.at(number, REPORTED)
    life.authorise()
    life.get_reports(number)
    found = "SELECT DISTINCT partition_day FROM raw.reports JOIN raw.batches USING (batch_id) WHERE batch_id > $1"
    assert len(life.of(found, before)) > 5
    assert life.open_alerts(AUTHORIZATION, data_alerts) == life.open_alerts(RUN, run_alerts) == {}


def read_counts_in_spite(life: Life, number: int) -> None:
    life.at(number, READ)
    if number in (3, 21):
        with life.trouble(DOWN if number == 21 else UPLOADS_DOWN):
            assert "raw.uploads" in collect(life.platform, life.runs)
    if number in (12, 29):
        with life.trouble(NOW_AND_THEN):
            assert collect(life.platform, life.runs) == {}
    else:
        assert collect(life.platform, life.runs) == {}


def ends(life: Life) -> dict[str, list[Row]]:
    """The tables at the end of the last day. What strict does not let be made is made then, as by an operator whose
    mode is another from then on: tables without rows would compare equal whatever happened."""
    life.at(DAYS - 1, ENDS)
    bring_up_to_date(life.platform, life.runs)
    assert not [name for name in METRICS if HOLDS[name] is Holds.DERIVED and life.rows(name)]
    settings = life.platform.settings.model_copy(update={"policy_mode": "amended"})
    runs = Runs(replace(life.platform, settings=settings), silent)
    with runs.instance:
        for window, tables in stale_ranges(life.platform.warehouse, life.today, "amended"):
            if of_metrics := tables.intersection(METRICS):
                runs.launch(REFRESH, window, of_metrics)
    return {name: life.rows(name) for name in METRICS}


STORED = (
    "SELECT report_type, partition_day, report_id, create_time, row_count FROM raw.reports "
    "JOIN raw.batches USING (batch_id) ORDER BY 1, 2, 3"
)


@pytest.mark.usefixtures("few_report_types")
def test_thirty_one_days_of_trouble_end_in_the_tables_of_days_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "HISTORY_DAYS", 6)  # less to download
    monkeypatch.setattr(youtube, "LONGEST_WAIT_SECONDS", 0.01)  # of the machine's time, between tries
    # nothing new is published after the twentieth day, so that no call for new videos has room for old ones
    world = GeneratedWorld(3, channels=2, videos=60, new_per_day=2, starts_at=FIRST - timedelta(days=5), days=25)
    with living(world) as life:
        without_trouble(life)
        life.make_tables()
        expiring = [name for name in METRICS if HOLDS[name] in (Holds.STATISTICS, Holds.METADATA)]
        kept = {name: life.rows(name, first_kept(life.today)) for name in expiring}
        assert any(len(life.rows(name)) > len(kept[name]) for name in expiring)
        expected, stored = ends(life), life.of(STORED)
        assert {name: expected[name] for name in expiring} == kept
        # of series that are read many times a day, of content partners, and of accounts that may see revenue
        offered = {family.table.name for name in reporting.COLUMNS if (family := family_of(name))}
        unoffered = {table.name for table in REPORTS} - offered
        of_others = {"metrics.video_windows", "metrics.report_revenue", "metrics.channel_revenue"} | unoffered
        assert {name for name in METRICS if not expected[name]} == of_others
    with living(world) as life:
        with_trouble(life)
        found = ends(life)
        assert life.of(STORED) == stored
        assert len(life.of("SELECT FROM raw.superseded_reports")) > 3
    assert {name for name in METRICS if found[name] != expected[name]} == set()
