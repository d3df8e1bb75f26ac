"""Reports of owners' accounts through Dagster: real runs, a real Postgres, and a sandbox that answers by HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from dagster import build_schedule_context

from yt_platform.core.lineage import FROM_REPORTS
from yt_platform.defs.jobs import COLLECT_REPORTS, REFRESH, build_schedules
from yt_platform.io.accounts import ANALYTICS, OWNER, YOUTUBE, Accounts, Stored, owner_secret
from yt_platform.io.planning import stale_ranges
from yt_platform.io.warehouse import Window
from yt_platform.local import Platform, RunFailedError, Runs, open_platform
from yt_platform.sandbox import GeneratedWorld, Sandbox, reporting, serve
from yt_platform.settings import Settings
from yt_platform_tests.conftest import reachable_folder
from yt_platform_tests.sandbox.client import control
from yt_platform_tests.sandbox.consent import granted

STARTS_AT = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    world = GeneratedWorld(3, channels=2, videos=12, new_per_day=0, starts_at=STARTS_AT, days=1)
    with serve(Sandbox(world, STARTS_AT)) as url:
        yield url


@pytest.fixture(scope="module")
def platform(_environment: None, url: str) -> Iterator[Platform]:
    with reachable_folder() as folder:
        settings = Settings(home=folder / "home", api_endpoint=url, policy_mode="synthetic", _env_file=None)
        with open_platform(settings) as platform:
            yield platform


def authorise(platform: Platform, url: str, name: str) -> None:
    channel = "UCsynthetic-data-rhQe28T"  # the second of the world's
    given = granted(url, channel, f"{YOUTUBE} {ANALYTICS}")
    stored = Stored(OWNER, (YOUTUBE, ANALYTICS), STARTS_AT, owner_secret(given), channel_id=channel)
    Accounts(platform.settings.home).write(name, stored)


def tick(platform: Platform, runs: Runs) -> Any:
    [schedule] = [found for found in build_schedules() if found.name == "daily_owner_reports"]
    held = {"accounts": Accounts(platform.settings.home), "clock": platform.clock}
    with build_schedule_context(
        resources=held,
        repository_def=runs.definitions.get_repository_def(),
        scheduled_execution_time=datetime.now(UTC),
    ) as context:
        return schedule.evaluate_tick(context)


def test_reports_become_tables_and_an_account_that_is_dead_fails_the_run_and_no_other_account(
    platform: Platform, runs: Runs, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "HISTORY_DAYS", 6)
    assert "yt-platform accounts add" in tick(platform, runs).skip_message
    authorise(platform, url, "mine")
    [request] = tick(platform, runs).run_requests
    day = platform.clock.now().date()
    assert request.partition_key == day.isoformat()
    today = Window(day, day)
    runs.launch(COLLECT_REPORTS, today)  # makes the jobs

    control(url, "revoke", {"channel_id": "UCsynthetic-data-rhQe28T"})
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
        if of_reports := frozenset(tables & FROM_REPORTS):
            runs.launch(REFRESH, window, of_reports)
    assert not [tables for _, tables in stale_ranges(platform.warehouse, day, "synthetic") if tables & FROM_REPORTS]
    shown = platform.warehouse.records(
        "SELECT count(DISTINCT day) AS days, bool_and(is_synthetic) AS synthetic FROM bi.report_basic"
    )
    assert shown[0]["days"] >= 3
    assert shown[0]["synthetic"]


def test_a_past_day_is_held_against_its_hashes(platform: Platform, runs: Runs) -> None:
    [batch] = platform.warehouse.records("SELECT path, partition_day AS day FROM raw.batches ORDER BY batch_id LIMIT 1")
    day = Window(batch["day"], batch["day"])
    runs.launch(COLLECT_REPORTS, day)
    file = platform.settings.home / "raw" / batch["path"]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RunFailedError, match="is damaged"):
        runs.launch(COLLECT_REPORTS, day)
