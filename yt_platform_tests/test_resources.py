"""How resources are made: with a counting double of the databases, as a real server is not what is looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import Definitions, ResourceParam, asset

from yt_platform import resources
from yt_platform.build import build_defs
from yt_platform.clock import Clock
from yt_platform.resources import build_resources
from yt_platform.settings import Settings
from yt_platform.storage.run_logs import RunLogs
from yt_platform.warehouse.databases import DatabaseUrls
from yt_platform.warehouse.warehouse import Warehouse


class Counted:
    """Databases that count how often they were opened, and how many are open."""

    def __init__(self) -> None:
        self.opened = self.now_open = 0

    @contextmanager
    def open(self) -> Iterator[DatabaseUrls]:
        self.opened, self.now_open = self.opened + 1, self.now_open + 1
        yield DatabaseUrls("warehouse", "dagster", "mlflow", "reader")
        self.now_open -= 1


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted()
    monkeypatch.setattr(resources, "databases", lambda _: found)
    return found


def test_a_run_opens_the_databases_once_and_the_location_never(counted: Counted, tmp_path: Path) -> None:
    @asset
    def reader(
        warehouse: ResourceParam[Warehouse], clock: ResourceParam[Clock], run_logs: ResourceParam[RunLogs]
    ) -> None:
        assert counted.now_open == 1

    found = build_resources(Settings(_env_file=None, home=tmp_path), {})
    job = Definitions(assets=[reader], resources=found).resolve_implicit_global_asset_job_def()
    assert counted.opened == 0
    for runs in (1, 2):
        assert job.execute_in_process().success
        assert (counted.opened, counted.now_open) == (runs, 0)


def test_what_overrides_a_resource_is_what_others_are_made_of(counted: Counted, tmp_path: Path) -> None:
    class Standing(Warehouse):
        def records(self, query: str, parameters: object = ()) -> list[dict[str, object]]:
            return [{"simulated_at": "then"}]

    @asset
    def reader(clock: ResourceParam[Clock]) -> None:
        assert clock.simulated_at == "then"

    found = build_resources(Settings(_env_file=None, home=tmp_path), {"warehouse": Standing("nowhere")})
    job = Definitions(assets=[reader], resources=found).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process().success
    assert counted.opened == 0


def test_no_secret_of_the_settings_is_in_what_dagster_shows() -> None:
    """Resources contain the settings; the pages show what resources contain."""
    settings = Settings(
        _env_file=None, api_key="hush-hush", policy_mode="owned", database_url="postgresql://u:hush-hush@h/d"
    )
    repository = build_defs(settings).get_repository_def()
    shown = [repository.get_top_level_resources(), *(asset.metadata for asset in repository.asset_graph.asset_nodes)]
    assert "hush-hush" not in repr(shown)
