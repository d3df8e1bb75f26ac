"""What becomes of answers that were stored by a collection that fails later: without a platform, as nothing runs."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, build_sensor_context

from yt_platform.build import build_defs
from yt_platform.local import Platform, RunFailedError, Runs, collect
from yt_platform.orchestration.automation import failed_collections
from yt_platform.orchestration.jobs import COLLECT, REFRESH
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.youtube.data_api.test_collecting import Rig, rigged

LOADED = frozenset(
    f"metrics.{name}"
    for name in ("channels", "channel_snapshots", "comments", "videos", "video_snapshots", "video_versions")
)
"""A day's tables are made together, those without rows as well."""


@pytest.fixture
def held(warehouse_url: str, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """What a run has open: the answers about channels are stored, and nothing is loaded."""
    with rigged(warehouse_url, str(tmp_path), channels=1, videos=1) as rig:
        rig.collect("channels")
        yield SimpleNamespace(
            warehouse=Warehouse(warehouse_url),
            clock=SimpleNamespace(now=rig.now),
            settings=SimpleNamespace(policy_mode="synthetic"),
            rig=cast("Rig", rig),
        )


class FailingRuns:
    """Runs of which a collection fails; the others are noted."""

    def __init__(self) -> None:
        self.launched: list[tuple[str, Window, frozenset[str]]] = []

    def launch(self, job: str, window: Window, tables: frozenset[str] = frozenset()) -> None:
        if job == COLLECT:
            raise RunFailedError("YouTube refuses the key")
        self.launched.append((job, window, tables))


def test_a_command_loads_what_was_stored_before_it_fails(held: SimpleNamespace) -> None:
    runs = FailingRuns()
    with pytest.raises(RunFailedError, match="refuses the key"):
        collect(cast("Platform", held), cast("Runs", runs))
    today = held.rig.now().date()
    assert runs.launched == [(REFRESH, Window(today, today), LOADED)]


@pytest.mark.parametrize(
    ("status", "asks"), [(DagsterRunStatus.FAILURE, True), (DagsterRunStatus.SUCCESS, False), (None, False)]
)
def test_under_up_a_sensor_loads_it(held: SimpleNamespace, status: DagsterRunStatus | None, asks: bool) -> None:
    definitions = build_defs(Settings(_env_file=None))
    resources: dict[str, Any] = {name: getattr(held, name) for name in ("warehouse", "clock", "settings")}
    with DagsterInstance.ephemeral() as instance:
        if status:
            instance.add_run(DagsterRun(job_name=COLLECT, status=status))
        with build_sensor_context(instance, resources=resources, definitions=definitions) as context:
            found = failed_collections.evaluate_tick(context)
    if not asks:
        assert not found.run_requests
        assert found.skip_message
        return
    [request] = found.run_requests or ()
    assert {".".join(key.path) for key in request.asset_selection or ()} == LOADED
