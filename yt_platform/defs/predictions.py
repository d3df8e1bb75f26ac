"""Assets of the `predictions` layer: the champion's forecasts, and how they did."""

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    PartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
)

from yt_platform.core.registered import MODELS, ModelSpec
from yt_platform.core.schemas.predictions import FORECAST_ACCURACY, VIDEO_FORECAST
from yt_platform.core.tasks import VIDEO_DAY
from yt_platform.defs.daily import Result, described, materialised, permanent, rejects_check, report
from yt_platform.defs.partitions import SINGLE_RUN, asset_key, upstream, window_of
from yt_platform.io.accuracy import score_forecasts
from yt_platform.io.forecasting import ForecastRefusedError, forecast


def build_predictions(partitions: PartitionsDefinition) -> list[AssetsDefinition]:
    forecasts = [_forecasts(spec, partitions) for spec in MODELS.values()]

    @asset(
        key=asset_key(FORECAST_ACCURACY.name),
        deps=[
            AssetDep(asset_key(VIDEO_FORECAST.name), partition_mapping=_forecast_for),
            upstream("metrics.video_daily", max(VIDEO_DAY.horizons)),
            upstream("features.video_day", max(VIDEO_DAY.horizons)),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        required_resource_keys={"warehouse", "progress"},
        **described(FORECAST_ACCURACY),
    )
    def forecast_accuracy(context: AssetExecutionContext) -> MaterializeResult:
        held = context.resources
        scored = score_forecasts(held.warehouse, window_of(context), context.run.run_id, held.progress)
        return materialised(context, FORECAST_ACCURACY, scored)

    return [*forecasts, forecast_accuracy]


def _forecasts(spec: ModelSpec, partitions: PartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=asset_key(spec.forecasts.name),
        deps=[upstream(spec.features.name, 0), asset_key(f"models.{spec.name}")],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[rejects_check(spec.forecasts)],
        required_resource_keys={"warehouse", "registry", "settings", "progress"},
        **described(spec.forecasts),
    )
    def forecasts(context: AssetExecutionContext) -> Result:
        held = context.resources
        try:
            made = forecast(
                spec,
                held.warehouse,
                held.registry,
                window_of(context),
                held.settings.threads,
                context.run.run_id,
                held.progress,
            )
        except ForecastRefusedError as error:
            raise permanent(error) from error
        yield from report(context, spec.forecasts, made)

    return forecasts


_forecast_for = TimeWindowPartitionMapping(
    start_offset=-max(VIDEO_DAY.horizons),
    end_offset=-min(VIDEO_DAY.horizons),
    allow_nonexistent_upstream_partitions=True,
)
"""The origins of forecasts for a target day."""
