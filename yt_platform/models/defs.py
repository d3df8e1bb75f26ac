"""Assets of the `ops` layer: whether what models are given has moved from what they were trained on."""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    Definitions,
    MaterializeResult,
    MetadataValue,
    PartitionsDefinition,
    ResourceParam,
    asset,
)

from yt_platform.clock import Clock
from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.models.drift import DRIFT as DRIFTED
from yt_platform.models.drift_store import REFERENCE_DAYS, WINDOW_DAYS, NoChampionError, drift_on, newest_drift
from yt_platform.models.registry import ModelRegistry
from yt_platform.monitoring import alerts
from yt_platform.monitoring.alerts import Alert, raise_alert, resolve_alert
from yt_platform.monitoring.defs.checks import as_markdown, check_page
from yt_platform.monitoring.tables import DRIFT
from yt_platform.orchestration.daily import described, permanent
from yt_platform.orchestration.jobs import training_answers
from yt_platform.orchestration.partitions import SINGLE_RUN, asset_key, daily_partitions, upstream, window_of
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse

NO_DRIFT = "no_drift"
SUBJECT = "features.video_day"
SHOWN = ["kind", "name", "psi", "psi_limit", "jensen_shannon", "kolmogorov_smirnov", "window_unknown"]
"""Columns of drifted rows in the check's metadata."""


def build(settings: Settings) -> Definitions:
    return Definitions(assets=[_drift(daily_partitions(settings.partitions_start))])


def _drift(partitions: PartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=asset_key(DRIFT.name),
        deps=[upstream("features.video_day", WINDOW_DAYS + REFERENCE_DAYS - 1), asset_key("models.video_forecaster")],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[
            AssetCheckSpec(
                NO_DRIFT,
                asset=asset_key(DRIFT.name),
                description="No feature or prediction of the last 7 days has moved from the champion's training",
            )
        ],
        **described(DRIFT),
    )
    def drift(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        registry: ResourceParam[ModelRegistry],
        settings: ResourceParam[Settings],
        clock: ResourceParam[Clock],
    ) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
        for day in window_of(context).days:
            try:
                rows = drift_on(warehouse, registry, day, settings.threads, context.run.run_id)
            except NoChampionError as error:
                raise permanent(error) from error
            context.add_asset_metadata(
                {"dagster/partition_row_count": rows}, asset_key=asset_key(DRIFT.name), partition_key=str(day)
            )
        yield MaterializeResult(asset_key=asset_key(DRIFT.name))
        found = newest_drift(warehouse)
        drifted = found[found["status"] == DRIFTED]
        at, run_id = clock.now(), context.run.run_id
        if drifted.empty:
            message = f"nothing drifted on {found['day'].iloc[0]:%Y-%m-%d}"
            resolve_alert(warehouse, alerts.DRIFT, SUBJECT, at)
        else:
            first = drifted.iloc[0]
            names = ", ".join(drifted["name"])
            message = f"drifted on {first['day']:%Y-%m-%d} from the training of {first['model_version']}: {names}"
            raise_alert(warehouse, _drifted(message), at, run_id)
        yield AssetCheckResult(
            asset_key=asset_key(DRIFT.name),
            check_name=NO_DRIFT,
            passed=drifted.empty,
            severity=AssetCheckSeverity.WARN,
            description=message,
            metadata={
                **{str(status): count for status, count in found["status"].value_counts().items()},
                "drifted": MetadataValue.md(as_markdown(drifted[SHOWN].to_dict("records"))),
            },
        )

    return drift


def _drifted(message: str) -> Alert:
    remedy = (
        "the check's table says how far each has moved, ops.drift since when: look whether collection changed then "
        f"(channels added, hours of reading, gaps). Otherwise {training_answers(VIDEO_FORECASTER)}"
    )
    return Alert(alerts.DRIFT, SUBJECT, alerts.WARNING, message, remedy, check_page(asset_key(DRIFT.name), NO_DRIFT))
