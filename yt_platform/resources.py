"""Dagster resources: each makes one object of io from the settings, when a run needs it and not before.

Assets, sensors and checks ask for the object, as `warehouse: ResourceParam[Warehouse]`. Not here: what the objects do.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import pandas as pd
from dagster import BetaWarning, ConfigurableResource, InitResourceContext, ResourceDependency, get_dagster_logger

from yt_platform.clock import Clock
from yt_platform.history.importing import SYNTHETIC, refuse_mixture
from yt_platform.models.registry import ModelRegistry
from yt_platform.monitoring.notify import Channel, Mail, Webhook
from yt_platform.outage import databases as databases
from yt_platform.progress import Progress
from yt_platform.settings import Settings
from yt_platform.storage.raw import RawStore
from yt_platform.storage.run_logs import RunLogs
from yt_platform.storage.scratch import scratch
from yt_platform.warehouse.databases import DatabaseUrls, sqlalchemy_url
from yt_platform.warehouse.embedded.server import EmbeddedPostgresError
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.accounts.authorization import enter_dead
from yt_platform.youtube.accounts.credentials import Account, Accounts, AuthorizationError
from yt_platform.youtube.analytics_api.client import AnalyticsClient
from yt_platform.youtube.analytics_api.pulls import AnalyticsPull
from yt_platform.youtube.analytics_api.retention import RetentionPull
from yt_platform.youtube.analytics_api.revenue import RevenuePull
from yt_platform.youtube.data_api.client import ConfigurationError, YouTubeClient
from yt_platform.youtube.data_api.collecting import Collector
from yt_platform.youtube.data_api.ledger import QuotaLedger
from yt_platform.youtube.data_api.planning import quota_plan
from yt_platform.youtube.pulls import Collected, Origin
from yt_platform.youtube.reporting_api.client import Reported, ReportingClient, ReportPull

EXPERIMENT = "forecasters"
Collecting = Callable[[str, Progress], AbstractContextManager[Collector]]
"""Opens the collectors of a run, whose id it is given."""
Asking = TypeVar("Asking", bound=AnalyticsPull)


def written_folders(settings: Settings) -> list[Path]:
    """Folders of this machine that the platform fills."""
    folders = [settings.home, Path(settings.raw_location)]
    server = databases(settings).server
    with suppress(EmbeddedPostgresError):  # which may be what is to be explained
        folders += [server.data] if server and server.data else []
    return folders


def channels(settings: Settings) -> list[Channel]:
    """Where people are told of alerts besides the log, as far as it is set."""
    found: list[Channel] = []
    if settings.alert_webhook_url:
        found.append(Webhook(settings.alert_webhook_url.get_secret_value()))
    if settings.alert_smtp_url and settings.alert_mail_from:
        url = settings.alert_smtp_url.get_secret_value()
        found.append(
            Mail(url, settings.alert_mail_from, settings.mail_recipients, cleartext=settings.alert_smtp_cleartext)
        )
    return found


def required_key(settings: Settings) -> str:
    """The API key. Raises ConfigurationError where none is set."""
    if settings.api_key is None:
        raise ConfigurationError(
            "YT_API_KEY is not set: create a key of the YouTube Data API v3 in the Google Cloud console, "
            "and set it with YT_POLICY_MODE"
        )
    return settings.api_key.get_secret_value()


@contextmanager
def open_collector(
    settings: Settings, url: str, store: RawStore, clock: Clock, run_id: str, progress: Progress
) -> Iterator[Collector]:
    """The collectors of one run. Raises ConfigurationError without a key, ImportRefusedError where data would mix."""
    key = required_key(settings)
    synthetic, warehouse, ticking = settings.policy_mode == "synthetic", Warehouse(url), clock.ticking()
    refuse_mixture(warehouse, synthetic)
    source = SYNTHETIC if synthetic else "api"
    with (
        QuotaLedger(url, settings.allowed_units, ticking, key) as ledger,
        YouTubeClient(key, settings.api_endpoint, source, ledger, ticking, time.sleep) as client,
    ):
        plan = quota_plan(warehouse, ticking(), settings.allowed_units)
        origin, now = Origin(run_id, synthetic), pd.Timestamp(ticking())
        yield Collector(url, store, client, ledger, plan, origin, now, progress, settings.policy_mode)


class Reporting:
    """The Reporting and Analytics APIs for the accounts of this platform; `url` is the warehouse's."""

    def __init__(self, settings: Settings, url: str, store: RawStore, clock: Clock) -> None:
        self._settings, self._url, self._store, self._clock = settings, url, store, clock
        self._accounts = Accounts(settings.home)
        self._synthetic = settings.policy_mode == "synthetic"
        self._source = SYNTHETIC if self._synthetic else "api"

    def names(self) -> list[str]:
        return self._accounts.names()

    def pull_reports(self, name: str, run_id: str, progress: Progress) -> Reported:
        """Stores what is new of an account's reports. Raises what `ReportPull.pull` and `_opened` do."""
        with (
            self._opened(name) as account,
            scratch(self._settings.home) as spool,
            ReportingClient(account.credentials, account.content_owner, self._settings.api_endpoint) as client,
        ):
            return ReportPull(
                self._url,
                self._store,
                client,
                name,
                Origin(run_id, self._synthetic),
                self._source,
                self._clock.ticking(),
                spool,
                progress,
            ).pull()

    def pull_video_retention(self, name: str, run_id: str, progress: Progress) -> Collected:
        """Stores retention curves that are due of an account's videos. Raises what `RetentionPull.pull` and `_opened`
        do."""
        with self._asking(RetentionPull, name, run_id, progress) as due:
            return due.pull()

    def pull_channel_revenue(self, name: str, run_id: str, progress: Progress) -> Collected:
        """Stores what an account's channel earned. Raises what `RevenuePull.pull` and `_opened` do."""
        with self._asking(RevenuePull, name, run_id, progress) as due:
            return due.pull()

    @contextmanager
    def _asking(self, kind: type[Asking], name: str, run_id: str, progress: Progress) -> Iterator[Asking]:
        with (
            self._opened(name) as account,
            AnalyticsClient(account, self._settings.api_endpoint) as client,
        ):
            origin, now = Origin(run_id, self._synthetic), self._clock.ticking()
            yield kind(self._url, self._store, client, account, origin, self._source, now, progress)

    @contextmanager
    def _opened(self, name: str) -> Iterator[Account]:
        """An account; one whose authorisation is found dead is entered as such.

        Raises what `Accounts.open` does, and ImportRefusedError where synthetic data and real would mix.
        """
        warehouse = Warehouse(self._url)
        refuse_mixture(warehouse, self._synthetic)
        try:
            yield self._accounts.open(name)
        except AuthorizationError as error:
            enter_dead(warehouse, error, self._clock.now())
            raise


class OpenDatabases:
    """The databases of this process, open as long as one resource uses them: a lease of the embedded server takes about
    30 ms, and a run has up to seven resources that need one."""

    def __init__(self, settings: Settings) -> None:
        self._databases = databases(settings)
        self._lock = Lock()
        self._open = ExitStack()
        self._users = 0

    @contextmanager
    def open(self) -> Iterator[DatabaseUrls]:
        with self._lock:
            if not self._users:
                self._urls = self._open.enter_context(self._databases.open())
            self._users += 1
        try:
            yield self._urls
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._open.close()


class DatabasesResource(ConfigurableResource[DatabaseUrls]):
    """The databases' addresses, while somebody uses them."""

    databases: ResourceDependency[OpenDatabases]

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[DatabaseUrls]:
        with self.databases.open() as urls:
            yield urls


class WarehouseResource(ConfigurableResource[Warehouse]):
    """The warehouse in PostgreSQL."""

    urls: ResourceDependency[DatabaseUrls]

    def create_resource(self, context: InitResourceContext) -> Warehouse:
        return Warehouse(self.urls.warehouse)


class ClockResource(ConfigurableResource[Clock]):
    """The platform's time."""

    warehouse: ResourceDependency[Warehouse]

    def create_resource(self, context: InitResourceContext) -> Clock:
        return Clock(self.warehouse)


class RawStoreResource(ConfigurableResource[RawStore]):
    """Immutable raw files."""

    settings: ResourceDependency[Settings]

    def create_resource(self, context: InitResourceContext) -> RawStore:
        return RawStore(self.settings.raw_location)


class RunLogsResource(ConfigurableResource[RunLogs]):
    """Events of runs in Dagster's storage."""

    urls: ResourceDependency[DatabaseUrls]

    def create_resource(self, context: InitResourceContext) -> RunLogs:
        return RunLogs(self.urls.dagster)


class AccountsResource(ConfigurableResource[Accounts]):
    """Accounts of owners, in files."""

    settings: ResourceDependency[Settings]

    def create_resource(self, context: InitResourceContext) -> Accounts:
        return Accounts(self.settings.home)


class QuotaLedgerResource(ConfigurableResource[QuotaLedger]):
    """Units of the YouTube Data API that are spent and left."""

    settings: ResourceDependency[Settings]
    urls: ResourceDependency[DatabaseUrls]
    clock: ResourceDependency[Clock]

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[QuotaLedger]:
        with QuotaLedger(self.urls.warehouse, self.settings.allowed_units, self.clock.ticking()) as ledger:
            yield ledger


class CollectingResource(ConfigurableResource[Collecting]):
    """The YouTube Data API, and its quota."""

    settings: ResourceDependency[Settings]
    urls: ResourceDependency[DatabaseUrls]
    raw_store: ResourceDependency[RawStore]
    clock: ResourceDependency[Clock]

    def create_resource(self, context: InitResourceContext) -> Collecting:
        return partial(open_collector, self.settings, self.urls.warehouse, self.raw_store, self.clock)


class ReportingResource(ConfigurableResource[Reporting]):
    """Reports, curves and revenue of owners' accounts."""

    settings: ResourceDependency[Settings]
    urls: ResourceDependency[DatabaseUrls]
    raw_store: ResourceDependency[RawStore]
    clock: ResourceDependency[Clock]

    def create_resource(self, context: InitResourceContext) -> Reporting:
        return Reporting(self.settings, self.urls.warehouse, self.raw_store, self.clock)


class RegistryResource(ConfigurableResource[ModelRegistry]):
    """The model registry in MLflow."""

    settings: ResourceDependency[Settings]
    urls: ResourceDependency[DatabaseUrls]

    def create_resource(self, context: InitResourceContext) -> ModelRegistry:
        return ModelRegistry(sqlalchemy_url(self.urls.mlflow), artifact_folder(self.settings))


class TrackingResource(ConfigurableResource[Any]):
    """The MLflow run of a training."""

    registry: ResourceDependency[ModelRegistry]

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[Any]:
        # dagster_mlflow takes 1 to 2 s to import, which only training should pay; its tracking URL can hold a
        # password, so it is handed over here and never becomes run config
        with warnings.catch_warnings():
            # the whole of dagster-mlflow is beta, and it asks its context for names that Dagster deprecates
            warnings.simplefilter("ignore", BetaWarning)
            warnings.filterwarnings("ignore", "InitResourceContext", DeprecationWarning)
            from dagster_mlflow import mlflow_tracking

            self.registry.ensure_experiment(EXPERIMENT)
            uri = self.registry.tracking_uri
            config = {"experiment_name": EXPERIMENT, "mlflow_tracking_uri": uri, "env": {}, "extra_tags": {}}
            # it takes the context; Dagster's type of it is a union with functions that take none
            start_tracking: Any = mlflow_tracking.resource_fn
            tracking = start_tracking(context.replace_config(config))
            opened = next(tracking)
        import mlflow as api

        try:
            yield opened
        finally:
            tracking.close()
            # a training that succeeds ends its MLflow run itself; left open, it would be ended at the process's exit,
            # when the database may be gone
            if api.active_run():
                api.end_run("FAILED")


class ProgressResource(ConfigurableResource[Progress]):
    """Where long work reports: the log of the run."""

    def create_resource(self, context: InitResourceContext) -> Progress:
        log = context.log or get_dagster_logger()
        return lambda done, total, what: log.info(f"{what}: {done:,} of {'?' if total is None else f'{total:,}'}")


def build_resources(settings: Settings, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Every resource of the location, or the override of its name, which other resources then use as well.

    A resource is made when a run needs it. Dagster makes it anew for each resource that contains it, which costs little
    as the databases stay open.
    """
    found: dict[str, Any] = {"settings": settings, **overrides}
    urls = DatabasesResource(databases=OpenDatabases(found["settings"]))
    for name, resource in RESOURCES.items():
        within = {"urls": urls, **found}
        needed = {field: within[field] for field in resource.model_fields}
        found.setdefault(name, resource(**needed))
    return found


RESOURCES: Mapping[str, type[ConfigurableResource[Any]]] = {
    "warehouse": WarehouseResource,
    "raw_store": RawStoreResource,
    "run_logs": RunLogsResource,
    "clock": ClockResource,
    "collecting": CollectingResource,
    "accounts": AccountsResource,
    "quota_ledger": QuotaLedgerResource,
    "reporting": ReportingResource,
    "registry": RegistryResource,
    "mlflow": TrackingResource,
    "progress": ProgressResource,
}
"""By the name of the parameter that asks for it; one that contains others stands after them."""


def artifact_folder(settings: Settings) -> str:
    return str(settings.home / "mlflow" / "artifacts")
