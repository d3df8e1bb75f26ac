"""Ticks of what keeps tables whole, on a warehouse and an instance that hold a small sample, without training.

No daemon runs: a tick is evaluated as the daemon would, and what it asks for is executed here.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dagster import AssetRecordsFilter, DagsterRun, DagsterRunStatus, build_schedule_context, build_sensor_context

from yt_platform.local import Platform, RunFailedError, Runs, dagster_environment
from yt_platform.orchestration.jobs import COLLECT, REFRESH, REFRESH_VIEWS, build_schedules
from yt_platform.orchestration.partitions import RANGE_END, RANGE_START, asset_key
from yt_platform.orchestration.unfinished import Unfinished, unfinished
from yt_platform.orchestration.upkeep import daily_standing_check, missing_data
from yt_platform.policy import first_kept
from yt_platform.privacy.defs import RETIRE, daily_retention
from yt_platform.privacy.retention import oldest
from yt_platform.progress import silent
from yt_platform.status import platform_status
from yt_platform.tables.times import LOOKBACK_DAYS
from yt_platform.warehouse.defs import outdated_views
from yt_platform.warehouse.staleness import overdue_ranges, stale_ranges
from yt_platform.warehouse.warehouse import Window

pytestmark = pytest.mark.stage("imported")

LAST_DAY = date(2026, 3, 1)
DAY = date(2026, 1, 29)
REACHED = DAY + timedelta(days=LOOKBACK_DAYS)
"""The last day whose readings those of DAY can show to be none: zeros after larger counts."""


@pytest.fixture(autouse=True)
def _instance_of_the_tick(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick opens Dagster's instance anew, which finds its database through the environment."""
    for name, value in dagster_environment(platform.settings, platform.urls).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def refreshed(platform: Platform, runs: Runs) -> Platform:
    for window, tables in stale_ranges(platform.warehouse, LAST_DAY):
        runs.launch(REFRESH, window, tables)
    return platform


@pytest.fixture
def late(refreshed: Platform) -> Iterator[Platform]:
    """A batch of a past day that no run can load, as its file is not there."""
    batch(refreshed, DAY, "late")
    yield refreshed
    with refreshed.warehouse.transaction() as transaction:
        transaction.execute("DELETE FROM raw.batches WHERE original_name LIKE 'late%'")


def batch(platform: Platform, day: date, name: str) -> None:
    with platform.warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO raw.batches (source, endpoint, partition_day, collected_at, path, sha256, bytes, row_count, "
            "synthetic, original_name, original_sha256, run_id) "
            "SELECT source, endpoint, $1, now(), $2, md5($2) || md5($2), bytes, row_count, true, $2, '', run_id "
            "FROM raw.batches WHERE endpoint = 'video_snapshots' LIMIT 1",
            (day, name),
        )


def tick(platform: Platform, runs: Runs, cursor: str = "") -> Any:
    """What the sensor's evaluation came to: `run_requests`, `skip_message` and `cursor`."""
    held = {"warehouse": platform.warehouse, "settings": platform.settings, "clock": platform.clock}
    with build_sensor_context(
        instance=runs.instance, cursor=cursor, resources=held, definitions=runs.definitions
    ) as context:
        return missing_data.evaluate_tick(context)


def scheduled(name: str, platform: Platform, runs: Runs) -> Any:
    """What a schedule's evaluation came to: `run_requests` and `skip_message`."""
    schedules = {found.name: found for found in build_schedules()}
    held = {"warehouse": platform.warehouse, "settings": platform.settings, "clock": platform.clock}
    with build_schedule_context(
        resources=held,
        repository_def=runs.definitions.get_repository_def(),
        scheduled_execution_time=datetime.now(UTC),
    ) as context:
        return schedules[name].evaluate_tick(context)


def asked(evaluated: Any) -> list[tuple[Window, frozenset[str]]]:
    return [
        (
            Window(*(date.fromisoformat(request.tags[tag]) for tag in (RANGE_START, RANGE_END))),
            frozenset(".".join(key.path) for key in request.asset_selection),
        )
        for request in evaluated.run_requests
    ]


def test_what_an_import_leaves_to_make_is_asked_for_exactly(platform: Platform, runs: Runs) -> None:
    evaluated = tick(platform, runs)
    assert asked(evaluated) == stale_ranges(platform.warehouse, LAST_DAY) != []
    for window, tables in asked(evaluated):
        runs.launch(REFRESH, window, tables)
    done = tick(platform, runs, evaluated.cursor)
    assert f"up to date with its inputs until {LAST_DAY}" in done.skip_message
    assert not done.run_requests
    assert not done.cursor


def test_the_daily_run_makes_what_is_missing_and_rests_when_nothing_is(refreshed: Platform, runs: Runs) -> None:
    assert f"up to date with its inputs on {LAST_DAY}" in scheduled("daily_refresh", refreshed, runs).skip_message
    with refreshed.warehouse.transaction() as transaction:
        transaction.execute(
            "DELETE FROM ops.loads WHERE table_name = 'metrics.video_hourly' AND partition_day = $1", (DAY,)
        )
    evaluated = scheduled("daily_refresh", refreshed, runs)
    assert asked(evaluated) == [(Window(DAY, DAY), frozenset({"metrics.video_hourly"}))]
    for window, tables in asked(evaluated):
        runs.launch(REFRESH, window, tables)
    assert not scheduled("daily_refresh", refreshed, runs).run_requests


def test_every_hour_collects_the_day_of_the_clock_unless_that_is_simulated(refreshed: Platform, runs: Runs) -> None:
    assert "the clock is simulated" in scheduled("hourly_collection", refreshed, runs).skip_message
    refreshed.clock.run()
    try:
        [request] = scheduled("hourly_collection", refreshed, runs).run_requests
        assert request.partition_key == refreshed.clock.now().date().isoformat()
    finally:
        refreshed.clock.follow_imports()
    [hourly] = [found for found in build_schedules() if found.name == "hourly_collection"]
    assert (hourly.job_name, hourly.cron_schedule) == (COLLECT, "7 * * * *")


def test_the_newest_scores_of_quality_carry_a_plot_over_time(refreshed: Platform, runs: Runs) -> None:
    """One picture, not one for each of the days of a run."""
    plotted = []
    for day in (LAST_DAY, LAST_DAY - timedelta(days=1)):
        of_day = AssetRecordsFilter(asset_key("ops.quality_scores"), asset_partitions=[str(day)])
        [record] = runs.instance.fetch_materializations(of_day, limit=1).records
        assert record.asset_materialization
        metadata = record.asset_materialization.metadata
        assert "dagster/partition_row_count" in metadata
        plotted.append("scores_over_time" in metadata)
    assert plotted == [True, False]


def test_a_row_lost_from_the_books_is_missing_again(refreshed: Platform, runs: Runs) -> None:
    with refreshed.warehouse.transaction() as transaction:
        transaction.execute(
            "DELETE FROM ops.loads WHERE table_name = 'metrics.video_hourly' AND partition_day = $1", (DAY,)
        )
    evaluated = tick(refreshed, runs)
    assert asked(evaluated) == [(Window(DAY, DAY), frozenset({"metrics.video_hourly"}))]
    [request] = evaluated.run_requests
    assert request.asset_selection == [asset_key("metrics.video_hourly")]


def test_late_data_that_cannot_be_loaded_is_asked_for_once(late: Platform, runs: Runs) -> None:
    evaluated = tick(late, runs)
    (window, tables), *after = asked(evaluated)
    assert window == Window(DAY, REACHED)
    assert "metrics.video_snapshots" in tables
    assert not any("metrics.video_snapshots" in others for _, others in after)
    with pytest.raises(RunFailedError, match="is damaged: expected sha256"):
        runs.launch(REFRESH, window, tables)
    again = tick(late, runs, evaluated.cursor)
    assert "asked for already" in again.skip_message
    assert "metrics.video_snapshots" in again.skip_message
    assert not again.run_requests

    batch(late, DAY, "late too")  # its input changed: that may be the repair
    assert asked(tick(late, runs, evaluated.cursor))[0][0] == Window(DAY, REACHED)


def test_only_the_ranges_that_changed_are_asked_for_again(late: Platform, runs: Runs) -> None:
    """A day that fails for good is not asked for again because a later day got late data."""
    evaluated = tick(late, runs)
    later = REACHED + timedelta(days=2)
    batch(late, later, "late elsewhere")
    news = asked(tick(late, runs, evaluated.cursor))
    assert any(window.first == later and "metrics.video_snapshots" in tables for window, tables in news)
    assert not any(window.first == DAY and "metrics.video_snapshots" in tables for window, tables in news)


def test_nothing_is_asked_for_while_a_run_makes_tables(late: Platform, runs: Runs) -> None:
    under_way = DagsterRun(job_name=REFRESH, status=DagsterRunStatus.STARTED)
    runs.instance.add_run(under_way)
    try:
        waits = tick(late, runs, json.dumps(["before"]))
        assert under_way.run_id in waits.skip_message
        assert not waits.run_requests
        assert waits.cursor == json.dumps(["before"])
    finally:
        runs.instance.delete_run(under_way.run_id)
    assert tick(late, runs, waits.cursor).run_requests


def test_days_that_are_still_collected_are_left_to_the_daily_run(refreshed: Platform) -> None:
    """The last day changes with every collection, and so would every report that looks ahead to it."""
    today, yesterday = LAST_DAY, LAST_DAY - timedelta(days=1)
    assert overdue_ranges(refreshed.warehouse, today, yesterday) == []
    batch(refreshed, today, "late today")
    try:
        tables = {table for _, tables in stale_ranges(refreshed.warehouse, today) for table in tables}
        assert {"metrics.video_daily", "metrics.channel_daily"} <= tables
        assert overdue_ranges(refreshed.warehouse, today, yesterday) == []
        over = overdue_ranges(refreshed.warehouse, today, today)
        assert [(found.window, found.tables) for found in over] == stale_ranges(refreshed.warehouse, today)
        batch(refreshed, DAY, "late")
        found = overdue_ranges(refreshed.warehouse, today, yesterday)
        assert found[0].window == Window(DAY, REACHED)
        assert all(item.window.last < today for item in found)
        reports = [item.window.last for item in found if "metrics.channel_daily" in item.tables]
        assert max(reports) <= today - timedelta(days=8)
    finally:
        with refreshed.warehouse.transaction() as transaction:
            transaction.execute("DELETE FROM raw.batches WHERE original_name LIKE 'late%'")


def standing(platform: Platform, runs: Runs) -> Any:
    result = runs.definitions.resolve_job_def("standing_check").execute_in_process(instance=runs.instance)
    [evaluation] = result.get_asset_check_evaluations()
    return evaluation


def test_the_standing_check_and_status_list_what_was_left_behind(late: Platform, runs: Runs) -> None:
    evaluation = standing(late, runs)
    assert not evaluation.passed
    days = f"on {LOOKBACK_DAYS + 1} days between {DAY} and {REACHED}"
    assert f"metrics.video_snapshots is missing or older than its inputs, {days}" in evaluation.description
    broken = [item["what"] for item in platform_status(late, runs.instance, runs.definitions)["broken"]]
    assert "metrics.video_snapshots is missing or older than its inputs" in broken
    with late.warehouse.transaction() as transaction:
        transaction.execute("DELETE FROM raw.batches WHERE original_name LIKE 'late%'")
    assert standing(late, runs).passed


def left_behind(platform: Platform) -> list[Unfinished]:
    return unfinished(platform.warehouse, overdue_ranges(platform.warehouse, LAST_DAY, LAST_DAY), LAST_DAY)


def test_days_of_the_week_that_were_not_collected_are_told(refreshed: Platform) -> None:
    days = {LAST_DAY - timedelta(days=back) for back in (0, 1, 4, 12)}
    by_import = "UPDATE raw.batches SET source = 'import' WHERE source = 'api'"
    assert left_behind(refreshed) == []
    with refreshed.warehouse.transaction() as transaction:
        transaction.execute(
            "UPDATE raw.batches SET source = 'api' WHERE partition_day = ANY($1::date[])", (list(days),)
        )
    try:
        [gap] = left_behind(refreshed)
    finally:
        with refreshed.warehouse.transaction() as transaction:
            transaction.execute(by_import)
    assert gap.what == "nothing was collected"
    assert (gap.first, gap.last, gap.days) == (LAST_DAY - timedelta(days=6), LAST_DAY - timedelta(days=2), 4)


def test_forecasts_whose_outcome_is_known_and_not_scored_are_told(refreshed: Platform) -> None:
    with refreshed.warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.loads (table_name, partition_day, input_version, code_version, row_count, run_id) "
            "SELECT 'predictions.video_forecast', $1, 'test', '1', 1, run_id FROM ops.loads LIMIT 1",
            (DAY,),
        )
    try:
        [unscored] = left_behind(refreshed)
    finally:
        with refreshed.warehouse.transaction() as transaction:
            transaction.execute("DELETE FROM ops.loads WHERE table_name = 'predictions.video_forecast'")
    assert unscored.what == "predictions.video_forecast is not scored"
    assert (unscored.first, unscored.last, unscored.days) == (DAY + timedelta(days=1), DAY + timedelta(days=7), 3)


def test_the_standing_check_is_asked_for_daily() -> None:
    with build_schedule_context(scheduled_execution_time=datetime(2026, 3, 1, 6, tzinfo=UTC)) as context:
        assert len(daily_standing_check.evaluate_tick(context).run_requests or []) == 1
    assert (daily_standing_check.job_name, daily_standing_check.cron_schedule) == ("standing_check", "0 6 * * *")


def test_the_materialised_view_is_refreshed_after_its_tables_were_loaded(refreshed: Platform, runs: Runs) -> None:
    def ticked() -> Any:
        with build_sensor_context(
            instance=runs.instance, resources={"warehouse": refreshed.warehouse}, definitions=runs.definitions
        ) as context:
            return outdated_views.evaluate_tick(context)

    rows = "SELECT count(*) AS n FROM bi.channel_overview_cached"
    assert refreshed.warehouse.records(rows) == [{"n": 0}]  # as it was made, before there was anything
    under_way = DagsterRun(job_name=REFRESH, status=DagsterRunStatus.STARTED)
    runs.instance.add_run(under_way)
    assert under_way.run_id in ticked().skip_message
    runs.instance.delete_run(under_way.run_id)
    for _ in range(2):  # nothing is lost with a tick
        [request] = ticked().run_requests
    runs.launch(REFRESH_VIEWS)
    differing = "SELECT * FROM bi.channel_overview EXCEPT SELECT * FROM bi.channel_overview_cached"
    assert refreshed.warehouse.records(differing) == []
    assert refreshed.warehouse.records(rows)[0]["n"] > 0
    assert "is as its tables are" in ticked().skip_message

    runs.launch(REFRESH, Window(DAY, DAY), frozenset({"metrics.video_daily"}))
    [again] = ticked().run_requests
    assert again.run_key != request.run_key


def test_retention_is_asked_for_when_something_is_too_old(refreshed: Platform, runs: Runs) -> None:
    """Tick by tick; a location under `strict` has the job, which deletes what the import of another mode left."""
    platform = replace(refreshed, settings=refreshed.settings.model_copy(update={"policy_mode": "strict"}))
    held = {"warehouse": platform.warehouse, "settings": platform.settings, "clock": platform.clock}

    def ask() -> Any:
        with build_schedule_context(resources=held, scheduled_execution_time=datetime.now(UTC)) as context:
            return daily_retention.evaluate_tick(context)

    assert len(ask().run_requests) == 1
    strict = Runs(platform, silent)
    with strict.instance:
        strict.launch(RETIRE)
    assert "nothing is older" in ask().skip_message
    assert min(oldest(platform.warehouse).values()) == first_kept(LAST_DAY)
    assert stale_ranges(platform.warehouse, LAST_DAY, "strict") == []
