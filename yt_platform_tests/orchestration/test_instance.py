"""Dagster's own commands in the repository's root, as a new contributor runs them: real processes, a real server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.instance.ref import InstanceRef

from yt_platform_tests.conftest import REPOSITORY, reachable_folder


def test_dg_lists_the_location_without_any_setting() -> None:
    """The database comes and goes with the command."""
    with reachable_folder() as folder:
        environment = {**os.environ, "YT_HOME": str(folder / "home")}
        command = [str(Path(sys.executable).parent / "dg"), "list", "defs", "--json"]
        found = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        assets = {asset["asset_key"]: asset for asset in json.loads(found.stdout)["assets"]}
        assert {"raw/videos", "metrics/video_daily", "predictions/video_forecast"} <= assets.keys()
        assert not list((folder / "home").rglob("postmaster.pid"))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_any_url_of_the_instance_works_as_typed(
    scheme: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy 2.1 reads postgresql:// as psycopg 3, with which runs stayed NOT_STARTED."""
    monkeypatch.setenv("YT_DAGSTER_DATABASE_URL", database_url.replace("postgresql", scheme, 1))
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path), config_dir=str(REPOSITORY))) as instance:
        run = instance.add_run(DagsterRun(job_name="refresh"))
        instance.report_run_canceling(run)
        assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.CANCELING
