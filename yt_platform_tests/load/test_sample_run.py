"""`yt-platform run` on the built-in sample, as a new user starts it: the whole graph, collection over HTTP included."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from yt_platform.catalog.lineage import FROM_OWNERS
from yt_platform.warehouse.databases import WAREHOUSE
from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.conftest import REPOSITORY, reachable_folder

pytestmark = pytest.mark.slow


UNMADE = {
    *FROM_OWNERS,  # which owners alone have
    # of videos that are read hour by hour: the sample's are read daily
    "metrics.video_windows",
    "features.video_hour",
    "predictions.video_hour_forecast",
    # a gate may say no to a model of 25 channels, and nothing has been tuned or has come true on the first day
    "predictions.channel_forecast",
    "predictions.forecast_accuracy",
    "predictions.video_hour_forecast_accuracy",
    "predictions.channel_forecast_accuracy",
    "models.tuned_recipes",
    "ops.alerts",
    "ops.accounts",  # nobody owns the sample
}


def call(home: Path, *arguments: str) -> str:
    environment = {**os.environ, "YT_HOME": str(home), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "yt_platform.cli", *arguments]
    found = subprocess.run(command, cwd=home.parent, env=environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def state(home: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    with EmbeddedPostgres(home) as server:
        warehouse = Warehouse(server.url(WAREHOUSE))
        calls = warehouse.records("SELECT method, calls FROM ops.quota_calls ORDER BY method")
        days = warehouse.records(
            "SELECT source, max(partition_day)::text AS last, bool_and(synthetic) AS synthetic "
            "FROM raw.batches GROUP BY source ORDER BY source"
        )
        return calls, days


def test_the_sample_and_a_collected_day_become_forecasts_and_a_second_run_calls_nothing() -> None:
    with reachable_folder() as folder:
        home = folder / "home"
        first = call(home, "run")
        assert "Expected to gain most views in the 7 days after 2026-03-02 (synthetic data)" in first
        assert "failed" not in first
        before = json.loads(call(home, "status", "--json"))
        assert before["broken"] == []
        assert {name for name, rows in before["tables"].items() if not rows} <= UNMADE
        made = state(home)
        assert made[1] == [
            {"source": "api", "last": "2026-03-02", "synthetic": True},
            {"source": "import", "last": "2026-03-01", "synthetic": True},
        ]
        call(home, "run")
        assert state(home) == made
        assert json.loads(call(home, "status", "--json"))["tables"] == before["tables"]
