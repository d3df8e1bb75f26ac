"""What owners alone are told, through Dagster: real runs, a real Postgres, and a sandbox that answers by HTTP."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dagster import build_schedule_context
from pydantic import SecretStr

from yt_platform.catalog.lineage import FROM_OWNERS
from yt_platform.local import Platform, RunFailedError, Runs, open_platform
from yt_platform.metrics.tables import CHANNEL_DAILY, VIDEO_HOURLY
from yt_platform.orchestration.jobs import COLLECT, COLLECT_REPORTS, REFRESH, build_schedules
from yt_platform.sandbox import KEY, GeneratedWorld, Sandbox, reporting, serve
from yt_platform.settings import Settings
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Window
from yt_platform.youtube.accounts.credentials import ANALYTICS, MONETARY, OWNER, YOUTUBE, Accounts, Stored, owner_secret
from yt_platform.youtube.watchlist import add_channels
from yt_platform_tests.conftest import reachable_folder
from yt_platform_tests.frames import RUN_ID
from yt_platform_tests.sandbox.client import control
from yt_platform_tests.sandbox.consent import granted

pytestmark = pytest.mark.usefixtures("few_report_types")

STARTS_AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
CHANNEL = "UCsynthetic-data-rhQe28T"
"""The second of the world's."""
INPUTS = [source.name for table in (CHANNEL_DAILY, VIDEO_HOURLY) for source in table.inputs]


@pytest.fixture(scope="module")
def world() -> GeneratedWorld:
    return GeneratedWorld(3, channels=2, videos=12, new_per_day=0, starts_at=STARTS_AT, days=1)


@pytest.fixture(scope="module")
def url(world: GeneratedWorld) -> Iterator[str]:
    with serve(Sandbox(world, STARTS_AT)) as url:
        yield url


@pytest.fixture(scope="module")
def platform(_environment: None, url: str) -> Iterator[Platform]:
    with reachable_folder() as folder:
        settings = Settings(
            home=folder / "home", api_endpoint=url, api_key=SecretStr(KEY), policy_mode="synthetic", _env_file=None
        )
        with open_platform(settings) as platform:
            yield platform


def authorise(platform: Platform, url: str, name: str) -> None:
    scopes = (YOUTUBE, ANALYTICS, MONETARY)
    given = granted(url, CHANNEL, " ".join(scopes))
    stored = Stored(OWNER, scopes, STARTS_AT, owner_secret(given), channel_id=CHANNEL)
    Accounts(platform.settings.home).write(name, stored)


def know_videos(platform: Platform, world: GeneratedWorld) -> int:
    """The channel's, as if collected: of an age at which both curves are due."""
    videos = world.uploads(CHANNEL, STARTS_AT.timestamp()) or ()
    with platform.warehouse.transaction() as transaction:
        for video in videos:
            transaction.execute(
                "INSERT INTO metrics.videos (video_id, collected_at, source, channel_id, published_at, access, "
                "refreshed_at, run_id, loaded_at) VALUES ($1, $2::timestamptz, 'synthetic', $3, $2::timestamptz, "
                "'api_key', $2::timestamptz, $4::uuid, now())",
                (video, STARTS_AT - timedelta(days=40), CHANNEL, RUN_ID),
            )
    return len(videos)


def tick(platform: Platform, runs: Runs) -> Any:
    [schedule] = [found for found in build_schedules() if found.name == "daily_owner_reports"]
    held = {"accounts": Accounts(platform.settings.home), "clock": platform.clock}
    with build_schedule_context(
        resources=held,
        repository_def=runs.definitions.get_repository_def(),
        scheduled_execution_time=datetime.now(UTC),
    ) as context:
        return schedule.evaluate_tick(context)


def test_reports_curves_and_revenue_become_tables_and_an_account_that_is_dead_fails_the_run_and_no_other_account(
    platform: Platform, runs: Runs, url: str, world: GeneratedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "HISTORY_DAYS", 6)
    assert "yt-platform accounts add" in tick(platform, runs).skip_message
    authorise(platform, url, "mine")
    [request] = tick(platform, runs).run_requests
    day = platform.clock.now().date()
    assert request.partition_key == day.isoformat()
    today = Window(day, day)
    runs.launch(COLLECT_REPORTS, today)  # makes the jobs
    videos = know_videos(platform, world)

    control(url, "revoke", {"channel_id": CHANNEL})
    accounts = Accounts(platform.settings.home)
    accounts.path("mine").rename(accounts.path("dead"))
    authorise(platform, url, "mine")
    control(url, "clock", {"advance_seconds": 8 * 3_600})
    authorise(platform, url, "mine")
    with pytest.raises(RunFailedError) as failed:
        runs.launch(COLLECT_REPORTS, today)
    assert "1 accounts failed: dead: account dead: Google takes its token no longer" in str(failed.value)
    assert "UCsynthetic" not in str(failed.value)
    stored = platform.warehouse.records("SELECT DISTINCT account FROM raw.reports")
    assert stored == [{"account": "mine"}]

    accounts.remove("dead")
    runs.launch(COLLECT_REPORTS, today)
    for window, tables in stale_ranges(platform.warehouse, day, "synthetic"):
        if of_owners := frozenset(tables & FROM_OWNERS):
            runs.launch(REFRESH, window, of_owners)
    assert not [tables for _, tables in stale_ranges(platform.warehouse, day, "synthetic") if tables & FROM_OWNERS]
    shown = platform.warehouse.records(
        "SELECT count(DISTINCT day) AS days, bool_and(is_synthetic) AS synthetic FROM bi.report_basic"
    )
    assert shown[0]["days"] >= 3
    assert shown[0]["synthetic"]
    curves = platform.warehouse.records(
        "SELECT account, age_days, count(*) AS points FROM bi.video_retention GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert [tuple(row.values()) for row in curves] == [("mine", 7, 100 * videos), ("mine", 28, 100 * videos)]
    [revenue] = platform.warehouse.records(
        "SELECT account, currency, max(day) AS newest, bool_and(is_synthetic) AS synthetic FROM bi.channel_revenue "
        "GROUP BY 1, 2"
    )
    newest = STARTS_AT.date() - timedelta(days=3)  # by the sandbox's clock
    assert revenue == {"account": "mine", "currency": "USD", "newest": newest, "synthetic": True}


def test_a_day_on_which_the_quota_was_spent_is_what_the_owner_was_reported(
    platform: Platform, runs: Runs, url: str
) -> None:
    add_channels(platform.urls.warehouse, [CHANNEL], list_fully=False)
    spent = {"status": 403, "reason": "quotaExceeded"}
    days = [date(2026, 3, 22 + n) for n in range(3)]
    for day, faults in zip(days, ([], [spent], []), strict=True):
        stand_at(platform, url, day)
        control(url, "faults", faults)
        runs.launch(COLLECT, Window(day, day))
    stand_at(platform, url, date(2026, 3, 28))
    authorise(platform, url, "mine")  # what was granted has ended
    runs.launch(COLLECT_REPORTS, Window(date(2026, 3, 28), date(2026, 3, 28)))
    for window, tables in stale_ranges(platform.warehouse, date(2026, 3, 28), "synthetic"):
        if window.last >= days[0] and (needed := frozenset(tables & {*INPUTS, "metrics.channel_daily"})):
            runs.launch(REFRESH, window, needed)
    rows = platform.warehouse.records(
        "SELECT day, basis, tracked_basis, view_increment, is_final FROM bi.channel_daily "
        "WHERE channel_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day",
        (CHANNEL, days[0], days[-1]),
    )
    assert [row["basis"] for row in rows] == ["readings", "report", "readings"]
    assert [row["tracked_basis"] for row in rows] == ["readings", "report", "readings"]
    nameless = "SELECT FROM metrics.video_snapshots WHERE channel_id IS NULL"
    assert platform.warehouse.records(nameless) == []  # as answers to batchGetStats are, of the third day
    [reported] = platform.warehouse.records(
        "SELECT sum(views)::bigint AS views FROM bi.report_basic WHERE channel_id = $1 AND day = $2", (CHANNEL, days[1])
    )
    assert rows[1]["view_increment"] == reported["views"] > 0
    assert not rows[1]["is_final"]


def stand_at(platform: Platform, url: str, day: date) -> None:
    """Noon of the day, for the platform and for YouTube."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    control(url, "clock", {"now": noon.isoformat()})
    platform.clock.simulate(noon)


def test_past_days_are_held_against_their_hashes(platform: Platform, runs: Runs) -> None:
    """A day without a report once failed the range it was in, as if counts of it were lost."""
    [batch] = platform.warehouse.records(
        "SELECT path, partition_day AS day FROM raw.batches WHERE source = 'report' ORDER BY partition_day LIMIT 1"
    )
    days = Window(batch["day"] - timedelta(days=3), batch["day"])
    runs.launch(COLLECT_REPORTS, days)
    file = platform.settings.home / "raw" / batch["path"]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RunFailedError, match="is damaged"):
        runs.launch(COLLECT_REPORTS, days)
