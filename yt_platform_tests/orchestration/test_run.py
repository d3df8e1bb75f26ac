"""The main path with real Dagster runs, database and MLflow: what is there afterwards, and after a rerun."""

import contextlib
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import typer
from dagster import AssetKey, DagsterRunStatus, RunsFilter

from yt_platform.catalog import TABLES
from yt_platform.catalog.lineage import DAILY_TABLES, FROM_OWNERS
from yt_platform.cli import _explained, out
from yt_platform.forecasting.predictions import forecasts_due
from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.local import Platform, RunFailedError, Runs, bring_up_to_date, import_path
from yt_platform.orchestration.jobs import COLLECT, FORECAST, IMPORT, REFRESH
from yt_platform.progress import silent
from yt_platform.report import print_top_forecasts
from yt_platform.status import platform_status, table_rows
from yt_platform.warehouse.databases import MLFLOW
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.staleness import batch_days, stale_ranges
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.defs import PULLS
from yt_platform_tests.orchestration.conftest import SAMPLE_DAYS

pytestmark = pytest.mark.stage("made")

LAST_DAY = date(2026, 3, 1)


def fingerprints(warehouse: Warehouse) -> dict[str, str]:
    """A hash of every table's rows, whatever their order; run id and load time apart."""
    return {
        name: warehouse.records(
            f"SELECT md5(coalesce(string_agg(row_text, '' ORDER BY row_text), '')) AS hash "
            f"FROM (SELECT ({', '.join(table.column_names)})::text AS row_text FROM {name}) AS rows"
        )[0]["hash"]
        for name, table in TABLES.items()
    }


def physical_rows(warehouse: Warehouse) -> dict[str, str]:
    """Which transaction wrote each row: equal means that no row was written again."""
    return {
        name: warehouse.records(f"SELECT md5(string_agg(xmin::text, ',' ORDER BY xmin::text)) AS hash FROM {name}")[0][
            "hash"
        ]
        for name in TABLES
    }


def run_count(runs: Runs) -> int:
    return runs.instance.get_runs_count()


def test_every_table_is_filled(made: Platform) -> None:
    rows = table_rows(made.warehouse)
    assert {name for name, count in rows.items() if not count} == {
        "metrics.comments",  # which are only collected
        "metrics.video_windows",  # the imported days are not read hour by hour
        *FROM_OWNERS,  # which owners alone have
        "features.video_hour",
        "models.tuned_recipes",  # nobody has tuned
        "predictions.video_hour_forecast",
        "predictions.channel_forecast",
        "predictions.forecast_accuracy",  # nothing is known yet of the days forecast
        "predictions.video_hour_forecast_accuracy",
        "predictions.channel_forecast_accuracy",
        "ops.alerts",
        "ops.accounts",
    }
    assert rows["metrics.channels"] == 4
    assert rows["predictions.video_forecast"] % 3 == 0
    bases = made.warehouse.records("SELECT DISTINCT basis FROM predictions.video_forecast ORDER BY basis")
    assert [row["basis"] for row in bases][:2] == ["first_reading", "gap"]


def test_bad_rows_are_in_quarantine_with_reason_and_origin(made: Platform) -> None:
    rows = made.warehouse.records(
        "SELECT table_name, reason, origin, record, run_id::text FROM ops.quarantine ORDER BY quarantine_id"
    )
    refused_by = {row["table_name"] for row in rows}
    assert {"metrics.video_snapshots", "raw.history"} <= refused_by
    assert all(row["reason"] and row["origin"] and row["record"] for row in rows)
    assert any("view_count" in row["origin"] + row["reason"] for row in rows)


def test_the_clock_stands_at_the_end_of_the_sample(made: Platform) -> None:
    assert made.clock.now() == datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)


def test_every_partition_with_batches_is_materialised_in_dagster_and_no_other(made: Platform, runs: Runs) -> None:
    days = {day.isoformat() for day in batch_days(made.warehouse)}
    assert len(days) == SAMPLE_DAYS
    made_daily = [AssetKey(table.name.split(".")) for table in DAILY_TABLES if table.name not in FROM_OWNERS]
    for key in (AssetKey(["raw", "history"]), *made_daily):
        assert runs.instance.get_materialized_partitions(key) == days, key


def test_the_model_is_champion_and_its_forecasts_start_after_its_training(made: Platform) -> None:
    champion = made.registry.champion(VIDEO_FORECASTER.name)
    assert champion is not None
    origins = made.warehouse.records("SELECT DISTINCT origin_day, model_version FROM predictions.video_forecast")
    assert origins == [{"origin_day": LAST_DAY, "model_version": champion.name}]
    assert champion.trained_until < LAST_DAY
    cards = made.warehouse.records("SELECT * FROM models.scorecards WHERE task = 'video_day' ORDER BY horizon")
    shipped = [card for card in cards if card["model_version"] == champion.name]
    assert [card["horizon"] for card in shipped if card["target"] == "likes"] == [1, 3, 7]
    assert {card["kind"] for card in cards} == {"lightgbm", "lstm", "ensemble"}
    assert all(card["wape"] < card["naive_wape"] for card in cards if card["promoted"])
    assert {card["model_version"] for card in cards if card["promoted"]} == {champion.name}
    assert all(card["p_naive"] < 0.5 for card in cards if card["promoted"])
    told = made.warehouse.records(
        "SELECT model_version, replaced, reason FROM models.champions WHERE model = $1", (VIDEO_FORECASTER.name,)
    )
    assert [(change["model_version"], change["replaced"]) for change in told] == [(champion.name, None)]


def test_a_second_run_makes_nothing_and_changes_no_row(made: Platform, runs: Runs) -> None:
    before, count = physical_rows(made.warehouse), run_count(runs)
    bring_up_to_date(made, runs)
    assert run_count(runs) == count
    assert physical_rows(made.warehouse) == before


def test_importing_the_same_files_again_changes_nothing(made: Platform, runs: Runs, sample_folder: Path) -> None:
    before, rows = physical_rows(made.warehouse), table_rows(made.warehouse)
    import_path(made, runs, sample_folder, silent)
    bring_up_to_date(made, runs)
    assert physical_rows(made.warehouse) == before
    assert table_rows(made.warehouse) == rows


def test_making_partitions_again_gives_the_same_rows(made: Platform, runs: Runs) -> None:
    before, rows = fingerprints(made.warehouse), table_rows(made.warehouse)
    middle = LAST_DAY - timedelta(days=3)
    runs.launch(REFRESH, Window(middle, middle))
    runs.launch(REFRESH, Window(middle - timedelta(days=2), LAST_DAY))
    runs.launch(FORECAST, Window(LAST_DAY, LAST_DAY))
    assert fingerprints(made.warehouse) == before
    assert table_rows(made.warehouse) == rows
    assert stale_ranges(made.warehouse, LAST_DAY) == []


@pytest.mark.parametrize(
    "window", [Window(date(2016, 12, 1), date(2016, 12, 1)), Window(LAST_DAY, LAST_DAY - timedelta(days=1))]
)
def test_days_that_are_no_partitions_are_refused_before_anything_is_written(
    made: Platform, runs: Runs, window: Window
) -> None:
    """A day before the first partition was booked, and every later run failed on it."""
    before = physical_rows(made.warehouse)
    with pytest.raises(RunFailedError, match="are no partitions"):
        runs.launch(REFRESH, window)
    assert stale_ranges(made.warehouse, LAST_DAY) == []
    assert physical_rows(made.warehouse) == before


def test_a_raw_partition_without_batches_fails_and_says_why(made: Platform, runs: Runs) -> None:
    empty = LAST_DAY + timedelta(days=3)
    with pytest.raises(RunFailedError, match="cannot be asked about a past day"):
        runs.launch(IMPORT, Window(empty, empty))


def test_a_range_up_to_today_collects_no_past_day(made: Platform, runs: Runs) -> None:
    """Its past days were once marked as collected, without a batch."""
    with pytest.raises(RunFailedError, match="cannot be asked about a past day"):
        runs.launch(COLLECT, Window(LAST_DAY - timedelta(days=1), LAST_DAY))


def test_a_forecast_from_a_day_of_the_training_is_refused(made: Platform, runs: Runs) -> None:
    before = fingerprints(made.warehouse)
    with pytest.raises(RunFailedError, match="hindsight"):
        runs.launch(FORECAST, Window(LAST_DAY - timedelta(days=5), LAST_DAY))
    assert fingerprints(made.warehouse) == before


def test_a_damaged_raw_file_fails_the_run_and_keeps_the_rows(made: Platform, runs: Runs) -> None:
    batch = made.warehouse.records(
        "SELECT path FROM raw.batches WHERE endpoint = 'video_snapshots' AND partition_day = $1", (LAST_DAY,)
    )[0]
    file = made.settings.home / "raw" / batch["path"]
    content, before = file.read_bytes(), fingerprints(made.warehouse)
    file.write_bytes(content[:-1])
    try:
        with pytest.raises(RunFailedError, match="is damaged"):
            runs.launch(REFRESH, Window(LAST_DAY, LAST_DAY))
    finally:
        file.write_bytes(content)
    assert fingerprints(made.warehouse) == before


def test_a_database_that_goes_between_runs_is_said_and_not_a_traceback(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """MLflow asks it there, and wraps what drivers raise. In this process: no command stops for long between runs."""
    before = platform.registry.champion(VIDEO_FORECASTER.name)
    server = EmbeddedPostgres(platform.settings.home)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {MLFLOW} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (MLFLOW,))
        try:
            with pytest.raises(typer.Exit):
                _explained(ask_what_is_due)(platform)
        finally:
            connection.execute(f"ALTER DATABASE {MLFLOW} ALLOW_CONNECTIONS true")
    assert "error: the database stopped answering: " in capsys.readouterr().err
    assert platform.registry.champion(VIDEO_FORECASTER.name) == before


def ask_what_is_due(platform: Platform) -> None:
    forecasts_due(VIDEO_FORECASTER, platform.warehouse, platform.registry)


def test_no_password_is_stored_anywhere_but_in_its_file(made: Platform) -> None:
    """Dumps of all three databases and every file of the home, as a thief of a backup would search them."""
    home = made.settings.home
    kept_in = [home / "postgres" / "pgpass", home / "reader.pgpass"]
    passwords = [line.split(":")[4].encode() for path in kept_in for line in path.read_text().splitlines()]
    assert len(passwords) == 2
    assert not any(password in kept_in[1].read_bytes() for password in passwords[:1])
    pg_dump = EmbeddedPostgres(home).bin_dir / "pg_dump"
    for url in (made.urls.warehouse, made.urls.dagster, made.urls.mlflow):
        dump = subprocess.run([pg_dump, url], capture_output=True, check=True).stdout
        assert not any(password in dump for password in passwords)
    files = [path for path in home.rglob("*") if path.is_file() and path not in kept_in]
    assert any(path.suffix == ".parquet" for path in files)
    assert [path for path in files if any(password in contents(path) for password in passwords)] == []


def contents(path: Path) -> bytes:
    """Nothing of a file that its server has done with meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def test_a_title_that_looks_like_markup_is_shown_as_it_is(made: Platform) -> None:
    """It ended the command: whatever an author wrote is a title."""
    [top] = made.warehouse.records(
        "SELECT video_id, title FROM bi.video_forecast WHERE horizon_days = 7 AND target = 'views' "
        "AND origin_day = $1 ORDER BY increment_p50 DESC LIMIT 1",
        (LAST_DAY,),
    )

    def rename(title: str) -> None:
        with made.warehouse.transaction() as transaction:
            transaction.execute("UPDATE metrics.videos SET title = $2 WHERE video_id = $1", (top["video_id"], title))

    rename("[/b] [live]")
    with out.capture() as shown:
        print_top_forecasts(made, out)
    rename(top["title"])
    assert "[/b] [live]" in shown.get()


def test_status_tells_rows_partitions_checks_and_what_is_broken(made: Platform, runs: Runs) -> None:
    found = platform_status(made, runs.instance, runs.definitions)
    assert found["tables"]["metrics.videos"] == table_rows(made.warehouse)["metrics.videos"]
    assert found["partitions"]["features.video_day"]["stale"] == 0
    checks = {name: outcome for name, outcome in found["checks"].items() if outcome != "passed"}
    assert checks.pop("metrics/channels:fresh") == "warned"  # the sample holds records of its first day alone
    assert checks.pop("ops/loads:nothing_left_behind") == "not evaluated"  # by a schedule of its own
    # what is only evaluated where something is collected, or where a table has rows
    empty = {name.replace(".", "/") for name, rows in found["tables"].items() if not rows}
    assert {name for name in checks if name.split(":")[0] not in empty} <= {
        f"raw/{name}:collection_complete" for name in PULLS
    }
    assert set(checks.values()) <= {"not evaluated"}
    failed_jobs = [run.job_name for run in runs.instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.FAILURE]))]
    for item in found["broken"]:
        assert item["what"].removeprefix("job ") in failed_jobs
