"""The prune on Dagster's real storage, after real runs: what is told of the data is the same, the logs are gone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from dagster import DagsterEventType, DagsterRun, DagsterRunStatus, build_schedule_context

from yt_platform.local import Platform, RunFailedError, Runs
from yt_platform.orchestration.jobs import REFRESH
from yt_platform.orchestration.upkeep import weekly_prune
from yt_platform.status import check_outcomes
from yt_platform.storage.run_logs import LOGS, RunLogs
from yt_platform.warehouse.warehouse import Window

pytestmark = pytest.mark.stage("refreshed")

LAST_DAY = date(2026, 3, 1)
MONTHS = 100 * 86400
PRUNE = "prune_run_logs"


@pytest.fixture(scope="module")
def used(platform: Platform, runs: Runs) -> Platform:
    """Days imported and made, and one that failed."""
    with psycopg.connect(platform.urls.warehouse) as connection:
        connection.execute("ALTER TABLE metrics.video_daily RENAME TO hidden")
    with pytest.raises(RunFailedError, match="video_daily"):
        runs.launch(REFRESH, Window(LAST_DAY, LAST_DAY), frozenset({"metrics.video_daily"}))
    with psycopg.connect(platform.urls.warehouse) as connection:
        connection.execute("ALTER TABLE metrics.hidden RENAME TO video_daily")
    return platform


@pytest.fixture
def storage(used: Platform) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(used.urls.dagster, autocommit=True) as connection:
        yield connection


def told(runs: Runs) -> dict[str, Any]:
    """What Dagster tells of partitions and checks."""
    events = runs.instance.event_log_storage
    return {
        "checks": check_outcomes(runs.instance, runs.definitions),
        "materialised": {key: runs.instance.get_materialized_partitions(key) for key in runs.asset_keys},
        "unmade": {
            key: events.get_latest_asset_partition_materialization_attempts_without_materializations(key)
            for key in runs.asset_keys
        },
        "latest": {
            key: events.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
            for key in runs.asset_keys
        },
        "planned": {key: runs.instance.get_latest_planned_materialization_info(key) for key in runs.asset_keys},
    }


def logs(storage: psycopg.Connection[Any]) -> dict[str, int]:
    """Rows that are mere logs, by run."""
    rows = storage.execute(
        "SELECT run_id, count(*) FROM event_logs WHERE dagster_event_type IS NULL OR dagster_event_type = ANY(%s) "
        "GROUP BY run_id",
        (list(LOGS),),
    )
    return dict(rows.fetchall())


def test_logs_of_old_runs_go_and_what_is_told_of_the_data_stays(
    used: Platform, runs: Runs, storage: psycopg.Connection[Any]
) -> None:
    before, kept = told(runs), logs(storage)
    assert before["unmade"][next(key for key in runs.asset_keys if key.path[-1] == "video_daily")]
    assert RunLogs(used.urls.dagster).prune(datetime.fromtimestamp(datetime.now(UTC).timestamp() - MONTHS, UTC)) == 0
    assert logs(storage) == kept

    [(young,)] = storage.execute("SELECT run_id FROM runs WHERE status = 'SUCCESS' ORDER BY id DESC LIMIT 1")
    storage.execute("UPDATE runs SET end_time = end_time - %s WHERE run_id <> %s", (MONTHS, young))
    storage.execute("UPDATE runs SET update_timestamp = update_timestamp - interval '100 days'")
    result = runs.definitions.resolve_job_def(PRUNE).execute_in_process(instance=runs.instance)
    assert result.success
    left = logs(storage)
    assert left.keys() == {young, result.run_id}
    assert left[young] == kept[young]
    assert told(runs) == before
    failed = [run for run in runs.instance.get_runs() if run.status is DagsterRunStatus.FAILURE]
    entries = runs.instance.all_logs(failed[0].run_id)
    assert {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE} <= {
        entry.dagster_event.event_type for entry in entries if entry.dagster_event
    }


def test_a_run_under_way_keeps_its_logs_however_old(
    used: Platform, runs: Runs, storage: psycopg.Connection[Any]
) -> None:
    run = runs.instance.add_run(DagsterRun(job_name=REFRESH, status=DagsterRunStatus.STARTED))
    try:
        runs.instance.report_engine_event("still at it", run)
        storage.execute("UPDATE runs SET update_timestamp = update_timestamp - interval '1000 days'")
        storage.execute("UPDATE runs SET start_time = 0 WHERE run_id = %s", (run.run_id,))
        RunLogs(used.urls.dagster).prune(datetime.now(UTC))
        assert logs(storage) == {run.run_id: 1}
    finally:
        runs.instance.delete_run(run.run_id)


def test_it_is_asked_for_once_a_week() -> None:
    with build_schedule_context(scheduled_execution_time=datetime(2026, 3, 1, 5, 30, tzinfo=UTC)) as context:
        [request] = weekly_prune.evaluate_tick(context).run_requests or []
    assert weekly_prune.job_name == PRUNE
    assert request.partition_key is None
    assert weekly_prune.cron_schedule == "30 5 * * 0"
