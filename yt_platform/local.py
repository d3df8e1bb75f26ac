"""The platform on this machine: its databases brought up, its Dagster instance, and runs made in this process.

What the commands print is `cli.py`; what a run does is the assets'.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from yt_platform.catalog.lineage import contiguous
from yt_platform.clock import Clock
from yt_platform.errors import PlatformError
from yt_platform.forecasting.accuracy_store import accuracy_due
from yt_platform.forecasting.predictions import forecasts_due
from yt_platform.forecasting.registered import MODELS, VIDEO_FORECASTER
from yt_platform.forecasting.training import TooLittleHistoryError, training_is_due
from yt_platform.history import History, Options, open_history
from yt_platform.history.import_log import take_back
from yt_platform.history.import_removal import end_undo
from yt_platform.history.importing import (
    Replaced,
    holds_synthetic,
    is_imported,
    known_handles,
    read_otherwise,
    refuse_forgotten,
    refuse_import,
)
from yt_platform.models.drift_store import drift_due
from yt_platform.models.registry import ModelRegistry
from yt_platform.monitoring.alerts import raise_alert
from yt_platform.policy import may_hold
from yt_platform.privacy.retention import retirement_is_due
from yt_platform.progress import Progress
from yt_platform.resources import artifact_folder, databases
from yt_platform.settings import PROJECT_ROOT, Settings
from yt_platform.storage.raw import RawStore
from yt_platform.warehouse.databases import DAGSTER, MLFLOW, DatabaseUrls, sqlalchemy_url
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.staleness import outdated_ranges, stale_ranges
from yt_platform.warehouse.views import refresh, refresh_due
from yt_platform.warehouse.warehouse import Warehouse, Window

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterEvent, ExecuteInProcessResult

HOST_TAG = "yt_platform/host"
"""Machine that executes a run made here; pids recorded in its events mean something there alone."""


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""The terminal shows progress and the cause of a failure; events and logs are in Dagster's storage."""


class RunFailedError(PlatformError):
    """A Dagster run did not succeed; the message names the steps and their errors."""


@dataclass
class Platform:
    """What commands work with while the databases are open."""

    settings: Settings
    urls: DatabaseUrls
    warehouse: Warehouse
    raw_store: RawStore
    registry: ModelRegistry
    clock: Clock


@contextlib.contextmanager
def open_platform(settings: Settings) -> Iterator[Platform]:
    """Databases started, created and migrated; closed again at the end."""
    found = databases(settings)
    with found.open() as urls:
        found.create()
        migrate(urls.warehouse)
        warehouse = Warehouse(urls.warehouse)
        registry = ModelRegistry(sqlalchemy_url(urls.mlflow), artifact_folder(settings))
        yield Platform(settings, urls, warehouse, RawStore(settings.raw_location), registry, Clock(warehouse))


def table_makers(settings: Settings, urls: DatabaseUrls) -> Mapping[str, Callable[[], None]]:
    """What makes the tables of Dagster's and MLflow's databases, which they do by themselves when they are first used:
    see `restored`."""

    def dagster() -> None:
        from dagster_postgres import DagsterPostgresStorage

        DagsterPostgresStorage(sqlalchemy_url(urls.dagster))

    def mlflow() -> None:
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # read when it is imported
        ModelRegistry(sqlalchemy_url(urls.mlflow), artifact_folder(settings)).client().search_experiments()

    return {DAGSTER: dagster, MLFLOW: mlflow}


@contextlib.contextmanager
def one_at_a_time(platform: Platform, waiting: Callable[[], None]) -> Iterator[None]:
    """Import and bring up to date while no other process does; `waiting` is called when one has to end first.

    Table by table they would not disturb each other, but two would train two models of the same data.
    """
    # a table's lock, as an advisory one could be held by anyone who may connect
    with psycopg.connect(platform.urls.warehouse) as connection:
        try:
            connection.execute("LOCK TABLE ops.turn IN EXCLUSIVE MODE NOWAIT")
        except psycopg.errors.LockNotAvailable:
            connection.rollback()
            waiting()
            connection.execute("LOCK TABLE ops.turn IN EXCLUSIVE MODE")
        yield


def dagster_environment(settings: Settings, urls: DatabaseUrls) -> dict[str, str]:
    """Variables that Dagster's processes need to find this platform."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    link = home / "dagster.yaml"
    if link.is_symlink() and link.readlink() != PROJECT_ROOT / "dagster.yaml":
        link.unlink()
    if not link.exists():
        with contextlib.suppress(FileExistsError):  # another process made it meanwhile
            link.symlink_to(PROJECT_ROOT / "dagster.yaml")
    return {
        "DAGSTER_HOME": str(home),
        "YT_HOME": str(settings.home),
        "YT_DAGSTER_DATABASE_URL": sqlalchemy_url(urls.dagster),
        # one event per partition and asset: batches of 100 take a third of the time of single writes
        "DAGSTER_EVENT_BATCH_SIZE": "100",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }


class Runs:
    """Dagster runs executed in this process, on the same instance that `yt-platform up` shows."""

    def __init__(self, platform: Platform, progress: Progress) -> None:
        # imported here: Dagster takes over a second, which `db` commands and `--help` need not pay
        from dagster import DagsterInstance, ResourceDefinition

        from yt_platform.build import build_defs

        self._platform = platform
        os.environ.update(dagster_environment(platform.settings, platform.urls))
        self.instance = DagsterInstance.get()
        # keeps its connections: Dagster opens one per statement otherwise, a sixth of a run's time
        self.instance.optimize_for_webserver(statement_timeout=600_000, pool_recycle=3600, max_overflow=8)
        overrides = {"progress": ResourceDefinition.hardcoded_resource(progress)}
        self.definitions = build_defs(platform.settings, overrides)

    @property
    def asset_keys(self) -> list["AssetKey"]:
        return list(self.definitions.resolve_asset_graph().get_all_asset_keys())

    def launch(
        self,
        job: str,
        window: Window | None = None,
        tables: frozenset[str] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> "ExecuteInProcessResult":
        """Execute `job` for the days of `window`, on `tables` alone where given.

        Raises RunFailedError, without a run where the window is none of partitions: Dagster would find out only after
        the assets have written.
        """
        from yt_platform.orchestration.automation import training_failed
        from yt_platform.orchestration.jobs import TRAINING
        from yt_platform.orchestration.partitions import asset_key, range_tags

        start = self._platform.settings.partitions_start
        if window and not start <= window.first <= window.last:
            raise RunFailedError(
                f"{window.first} to {window.last} are no partitions: name a first and a last day from {start} "
                "(YT_PARTITIONS_START) on"
            )
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={**QUIET, **(config or {})},
            tags={HOST_TAG: socket.gethostname(), **(range_tags(window) if window else {})},
            asset_selection=[asset_key(table) for table in sorted(tables)] if tables else None,
            raise_on_error=False,
        )
        if not result.success:
            faults = _faults(result.all_events)
            for model in (name for name, training in TRAINING.items() if training == job):
                # Dagster's sensor of failures sees only what its daemon has launched
                at = self._platform.clock.now()
                raise_alert(self._platform.warehouse, training_failed(model, faults), at, result.run_id)
            raise RunFailedError(f"run {result.run_id} of {job} failed: {faults}")
        return result


def _faults(events: "Sequence[DagsterEvent]") -> str:
    """What went wrong in a run: the root causes of its failed steps, or of the run where no step began."""
    from yt_platform.orchestration.failures import root_cause, step_cause

    told: list[str] = []
    checks = [
        event.asset_check_evaluation_data for event in events if event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    blocking = [check for check in checks if not check.passed and check.blocking and check.description]
    if blocking:
        told += [f"{'.'.join(check.asset_key.path)}: {check.description}" for check in blocking]
    refused = {"__".join(check.asset_key.path) for check in blocking}
    steps = [event for event in events if event.is_step_failure and event.step_key not in refused]
    told += [f"{event.step_key}: {step_cause(event.step_failure_data)}" for event in steps]
    if told:
        return "; ".join(told)
    return "; ".join(root_cause(event.job_failure_data.error) for event in events if event.is_job_failure)


def bring_up_to_date(platform: Platform, runs: Runs) -> dict[str, str]:
    """Everything that follows from the catalogue: stale tables, models where one is due, the newest forecasts,
    how earlier ones did, drift, and the materialised view.

    Returns, by model, why it was not trained where the history is too short or too thin for it.
    """
    from yt_platform.orchestration.automation import training_under_way
    from yt_platform.orchestration.jobs import FORECASTING, MEASURE_DRIFT, REFRESH, REFRESH_VIEWS, SCORE, TRAINING
    from yt_platform.privacy.defs import RETIRE

    platform.clock.follow_imports()
    mode = platform.settings.policy_mode
    if mode and retirement_is_due(platform.warehouse, mode, platform.clock.now()):
        runs.launch(RETIRE)
    for window, tables in stale_ranges(platform.warehouse, platform.clock.now().date(), mode):
        runs.launch(REFRESH, window, tables)
    if not may_hold(mode, VIDEO_FORECASTER.forecasts.name):
        return {}
    untrained: dict[str, str] = {}
    for spec in MODELS.values():
        try:
            if training_is_due(spec, platform.warehouse):
                if training := training_under_way(runs.instance, spec):
                    untrained[spec.name] = f"run {training} trains it already; run this again after its end"
                else:
                    runs.launch(TRAINING[spec.name])
        except TooLittleHistoryError as error:
            untrained[spec.name] = str(error)
        due = forecasts_due(spec, platform.warehouse, platform.registry)
        if due:
            runs.launch(FORECASTING[spec.name], due)
    over = platform.clock.last_day_over()
    for spec in MODELS.values():
        for window in accuracy_due(spec, platform.warehouse, over):
            runs.launch(SCORE, window, frozenset({spec.accuracy.name}))
    day = drift_due(platform.warehouse, platform.registry, over)
    if day:
        runs.launch(MEASURE_DRIFT, Window(day, day))
    if refresh_due(platform.warehouse):
        runs.launch(REFRESH_VIEWS)
    return untrained


def collect(platform: Platform, runs: Runs) -> dict[str, str]:
    """One collection, by a run of the platform's day. Returns what is missing from it, by raw asset. Where it fails,
    what it stored before is loaded all the same."""
    from yt_platform.orchestration.automation import stored_and_not_loaded
    from yt_platform.orchestration.jobs import COLLECT, REFRESH
    from yt_platform.youtube.defs import COMPLETE

    today = platform.clock.now().date()
    try:
        result = runs.launch(COLLECT, Window(today, today))
    except RunFailedError:
        for window, tables in stored_and_not_loaded(platform.warehouse, today, platform.settings.policy_mode):
            runs.launch(REFRESH, window, tables)
        raise
    return {
        ".".join(found.asset_key.path): str(found.metadata["missing"].value)
        for found in result.get_asset_check_evaluations()
        if found.check_name == COMPLETE and not found.passed
    }


def undo_import(platform: Platform, runs: Runs, import_id: str) -> None:
    """Take an import back with everything that was made from it, as if it had never been. Goes on where an earlier call
    was interrupted."""
    from yt_platform.orchestration.jobs import REFRESH

    take_back(platform.warehouse, platform.raw_store, import_id)
    platform.clock.follow_undo()
    today, mode = datetime.now(UTC).date(), platform.settings.policy_mode  # later than a clock that went back
    for window, tables in outdated_ranges(platform.warehouse, today, mode):
        runs.launch(REFRESH, window, tables)
    if holds_synthetic(platform.warehouse) is None:
        platform.registry.dethrone()
    end_undo(platform.warehouse, import_id)
    refresh(platform.warehouse, str(uuid4()))


@dataclass(frozen=True)
class Imported:
    """What was recognised at a path, and the imports whose place it took."""

    history: History
    replaced: Sequence[Replaced] = ()


def import_path(
    platform: Platform, runs: Runs, path: Path, progress: Progress, options: Options | None = None
) -> Imported:
    """Import a file or folder by runs of `raw.history`, and let the clock stand at the end of what was imported.

    The first run imports everything, as an import is whole; runs of the further ranges of days verify their batches.
    What was imported before is not looked at again, unless a file of it is damaged.
    """
    from yt_platform.orchestration.jobs import IMPORT

    refuse_import(platform.settings.policy_mode)
    path = path.resolve()
    options = options or Options()
    history = open_history(path, options, known_handles(platform.warehouse))
    if is_imported(platform.warehouse, platform.raw_store, history):
        platform.clock.follow_imports()
        return Imported(history)
    refuse_forgotten(platform.warehouse, path, history)
    scan = history.scan(progress)
    known = [day for day in scan.days if day >= platform.settings.partitions_start and day <= datetime.now(UTC).date()]
    if not known:
        raise RunFailedError(
            f"{path}: no row was collected between {platform.settings.partitions_start} (YT_PARTITIONS_START) "
            "and today; rows without a readable time do not count"
        )
    at = options.as_of.isoformat() if options.as_of else None
    told = {"path": str(path), "columns": dict(options.columns), "as_of": at, "dates": options.dates}
    replaced = read_otherwise(platform.warehouse, history)
    config: Mapping[str, Any] | None = {"ops": {"raw__history": {"config": told}}}
    everything = frozenset({"raw.history"})
    for first, last, _ in contiguous(dict.fromkeys(known, everything)):
        runs.launch(IMPORT, Window(first, last), config=config)
        config = None
    return Imported(history, replaced)
