"""Dagster resources: they only build io objects from settings, when a run needs them and not before."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from dagster import BetaWarning, InitResourceContext, ResourceDefinition, get_dagster_logger

from yt_platform.clock import Clock
from yt_platform.core.progress import Progress
from yt_platform.io.accounts import Account, Accounts, AuthorizationError
from yt_platform.io.analytics import AnalyticsClient
from yt_platform.io.analytics_pulls import AnalyticsPull
from yt_platform.io.authorization import enter_dead
from yt_platform.io.channel_revenue import RevenuePull
from yt_platform.io.collecting import Collector
from yt_platform.io.databases import sqlalchemy_url
from yt_platform.io.embedded import EmbeddedPostgresError
from yt_platform.io.importing import SYNTHETIC, refuse_mixture
from yt_platform.io.ledger import QuotaLedger
from yt_platform.io.notify import Channel, Mail, Webhook
from yt_platform.io.planning import quota_plan
from yt_platform.io.pulls import Collected, Origin
from yt_platform.io.raw import RawStore
from yt_platform.io.registry import ModelRegistry
from yt_platform.io.reporting import Reported, ReportingClient, ReportPull
from yt_platform.io.run_logs import RunLogs
from yt_platform.io.scratch import scratch
from yt_platform.io.video_retention import RetentionPull
from yt_platform.io.warehouse import Warehouse
from yt_platform.io.youtube import ConfigurationError, YouTubeClient
from yt_platform.outage import databases as databases
from yt_platform.settings import Settings

EXPERIMENT = "forecasters"
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


def build_resources(settings: Settings) -> dict[str, ResourceDefinition]:
    """Every resource of the location. An embedded server is held for as long as a run uses it."""

    def warehouse(_: InitResourceContext) -> Iterator[Warehouse]:
        with databases(settings).open() as urls:
            yield Warehouse(urls.warehouse)

    def raw_store(_: InitResourceContext) -> RawStore:
        return RawStore(settings.raw_location)

    def run_logs(_: InitResourceContext) -> Iterator[RunLogs]:
        with databases(settings).open() as urls:
            yield RunLogs(urls.dagster)

    def clock(context: InitResourceContext) -> Clock:
        return Clock(context.resources.warehouse)

    def collecting(context: InitResourceContext) -> Iterator[Callable[..., AbstractContextManager[Collector]]]:
        held = context.resources
        with databases(settings).open() as urls:
            yield partial(open_collector, settings, urls.warehouse, held.raw_store, held.clock)

    def accounts(_: InitResourceContext) -> Accounts:
        return Accounts(settings.home)

    def quota_ledger(context: InitResourceContext) -> Iterator[QuotaLedger]:
        ticking = context.resources.clock.ticking()
        with databases(settings).open() as urls, QuotaLedger(urls.warehouse, settings.allowed_units, ticking) as ledger:
            yield ledger

    def reporting(context: InitResourceContext) -> Iterator[Reporting]:
        with databases(settings).open() as urls:
            yield Reporting(settings, urls.warehouse, context.resources.raw_store, context.resources.clock)

    def registry(_: InitResourceContext) -> Iterator[ModelRegistry]:
        with databases(settings).open() as urls:
            yield ModelRegistry(sqlalchemy_url(urls.mlflow), artifact_folder(settings))

    def mlflow(context: InitResourceContext) -> Iterator[object]:
        # dagster_mlflow takes 1 to 2 s to import, which only training should pay; its tracking URL can hold a
        # password, so it is handed over here and never becomes run config
        with warnings.catch_warnings():
            # the whole of dagster-mlflow is beta, and it asks its context for names that Dagster deprecates
            warnings.simplefilter("ignore", BetaWarning)
            warnings.filterwarnings("ignore", "InitResourceContext", DeprecationWarning)
            from dagster_mlflow import mlflow_tracking

            registry = context.resources.registry
            registry.ensure_experiment(EXPERIMENT)
            uri = registry.tracking_uri
            config = {"experiment_name": EXPERIMENT, "mlflow_tracking_uri": uri, "env": {}, "extra_tags": {}}
            # it takes the context; Dagster's type of it is a union with functions that take none
            start_tracking: Any = mlflow_tracking.resource_fn
            tracking = start_tracking(context.replace_config(config))
            opened = next(tracking)
        yield opened
        tracking.close()
        # a training that succeeds ends its MLflow run itself; left open, it would be ended at the process's exit,
        # when the database may be gone
        import mlflow as api

        if api.active_run():
            api.end_run("FAILED")

    def progress(context: InitResourceContext) -> Progress:
        log = context.log or get_dagster_logger()
        return lambda done, total, what: log.info(f"{what}: {done:,} of {'?' if total is None else f'{total:,}'}")

    return {
        "settings": ResourceDefinition.hardcoded_resource(settings),
        "warehouse": ResourceDefinition(warehouse, description="The warehouse in PostgreSQL"),
        "raw_store": ResourceDefinition(raw_store, description="Immutable raw files"),
        "run_logs": ResourceDefinition(run_logs, description="Events of runs in Dagster's storage"),
        "clock": ResourceDefinition(clock, required_resource_keys={"warehouse"}, description="The platform's time"),
        "collecting": ResourceDefinition(
            collecting, required_resource_keys={"raw_store", "clock"}, description="The YouTube Data API, and its quota"
        ),
        "accounts": ResourceDefinition(accounts, description="Accounts of owners, in files"),
        "quota_ledger": ResourceDefinition(
            quota_ledger, required_resource_keys={"clock"}, description="Units of the YouTube Data API"
        ),
        "reporting": ResourceDefinition(
            reporting,
            required_resource_keys={"raw_store", "clock"},
            description="Reports and curves of owners' accounts",
        ),
        "registry": ResourceDefinition(registry, description="Model registry in MLflow"),
        "mlflow": ResourceDefinition(
            mlflow, required_resource_keys={"registry"}, description="MLflow run of a training"
        ),
        "progress": ResourceDefinition(progress, description="Where long work reports"),
    }


def artifact_folder(settings: Settings) -> str:
    return str(settings.home / "mlflow" / "artifacts")
