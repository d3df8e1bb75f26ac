"""Assets of the `predictions` layer: the champion's forecasts, and how they did."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    Definitions,
    MetadataValue,
    PartitionMapping,
    PartitionsDefinition,
    ResourceParam,
    TimeWindowPartitionMapping,
    asset,
)

from yt_platform.clock import Clock
from yt_platform.forecasting.accuracy import MIN_DAYS, MIN_FORECASTS, OUTSIDE, WITHIN, beside_validation
from yt_platform.forecasting.accuracy_store import recent_accuracy, score_forecasts
from yt_platform.forecasting.predictions import ForecastRefusedError, forecast
from yt_platform.forecasting.registered import MODELS, ModelSpec
from yt_platform.models.registry import ModelRegistry
from yt_platform.monitoring.alerts import ACCURACY, ERROR, Alert, raise_alert, resolve_alert
from yt_platform.monitoring.defs.checks import as_markdown, check_page
from yt_platform.orchestration.daily import Result, described, materialised, permanent, rejects_check, report
from yt_platform.orchestration.jobs import training_answers
from yt_platform.orchestration.partitions import SINGLE_RUN, asset_key, daily_partitions, upstream, window_of
from yt_platform.progress import Progress
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse

WITHIN_VALIDATION = "accuracy_within_validation"


def build(settings: Settings) -> Definitions:
    partitions = daily_partitions(settings.partitions_start)
    return Definitions(assets=[made(spec, partitions) for spec in MODELS.values() for made in (_forecasts, _accuracy)])


def _forecasts(spec: ModelSpec, partitions: PartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=asset_key(spec.forecasts.name),
        deps=[upstream(spec.features.name, 0), asset_key(f"models.{spec.name}")],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[rejects_check(spec.forecasts)],
        **described(spec.forecasts),
    )
    def forecasts(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        registry: ResourceParam[ModelRegistry],
        settings: ResourceParam[Settings],
        progress: ResourceParam[Progress],
    ) -> Result:
        window, run_id = window_of(context), context.run.run_id
        try:
            made = forecast(spec, warehouse, registry, window, settings.threads, run_id, progress)
        except ForecastRefusedError as error:
            raise permanent(error) from error
        yield from report(context, spec.forecasts, made)

    return forecasts


def _accuracy(spec: ModelSpec, partitions: PartitionsDefinition) -> AssetsDefinition:
    table, days_ahead = spec.accuracy, spec.task.days_ahead
    readings = dict.fromkeys((spec.counts.name, spec.features.name))

    @asset(
        key=asset_key(table.name),
        deps=[
            AssetDep(asset_key(spec.forecasts.name), partition_mapping=_origins_of_a_target_day(days_ahead)),
            *(upstream(name, max(days_ahead)) for name in readings),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[
            AssetCheckSpec(
                WITHIN_VALIDATION,
                asset=asset_key(table.name),
                description="Error and coverage of the last 7 days are as in validation, or too few are known",
            )
        ],
        **described(table),
    )
    def accuracy(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        clock: ResourceParam[Clock],
        progress: ResourceParam[Progress],
    ) -> Result:
        scored = score_forecasts(spec, warehouse, window_of(context), context.run.run_id, progress)
        yield materialised(context, table, scored)
        found = beside_validation(recent_accuracy(spec, warehouse))
        at, run_id = clock.now(), context.run.run_id
        outside = found[found["verdict"] == OUTSIDE]
        if not outside.empty:
            failing = "; ".join(_told(spec, row) for row in outside.to_dict("records"))
            message = f"the last 7 days left the range of validation: {failing}"
            raise_alert(warehouse, _failing(spec, message), at, run_id)
        elif (found["verdict"] == WITHIN).any():
            message = "the last 7 days are within the range of validation"
            resolve_alert(warehouse, ACCURACY, table.name, at)
        else:
            message = (
                f"not judged: {MIN_FORECASTS} forecasts with known outcome on {MIN_DAYS} of the last 7 days are needed"
            )
        yield AssetCheckResult(
            asset_key=asset_key(table.name),
            check_name=WITHIN_VALIDATION,
            passed=outside.empty,
            severity=AssetCheckSeverity.ERROR,
            description=message,
            metadata={"last_7_days": MetadataValue.md(as_markdown(found.to_dict("records")))},
        )

    return accuracy


def _failing(spec: ModelSpec, message: str) -> Alert:
    table = spec.accuracy
    remedy = (
        f"look at bi.{table.short_name} by day and model_version: single days far off point at their readings; "
        f"all days since a new version, at that version: `yt-platform models rollback --model {spec.name}`. "
        f"Otherwise {training_answers(spec)}"
    )
    return Alert(ACCURACY, table.name, ERROR, message, remedy, check_page(asset_key(table.name), WITHIN_VALIDATION))


def _told(spec: ModelSpec, row: Mapping[Any, Any]) -> str:
    return (
        f"{row['target']} at {row['horizon']} {spec.task.unit}{'' if row['horizon'] == 1 else 's'}, "
        f"WAPE {row['wape']:.3f} of at most {row['wape_7d_max']:.3f}, "
        f"{row['coverage80']:.0%} covered of {row['coverage80_7d_min']:.0%} to {row['coverage80_7d_max']:.0%}"
    )


def _origins_of_a_target_day(days_ahead: Sequence[int]) -> PartitionMapping:
    return TimeWindowPartitionMapping(
        start_offset=-max(days_ahead),
        end_offset=-min(days_ahead),
        allow_nonexistent_upstream_partitions=True,
    )
