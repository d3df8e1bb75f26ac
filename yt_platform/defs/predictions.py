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

from yt_platform.core.schemas.predictions import FORECAST_ACCURACY, VIDEO_FORECAST
from yt_platform.core.tasks import VIDEO_DAY
from yt_platform.defs.daily import Result, described, materialised, permanent, rejects_check, report
from yt_platform.defs.partitions import SINGLE_RUN, asset_key, upstream, window_of
from yt_platform.io.accuracy import score_forecasts
from yt_platform.io.forecasting import ForecastRefusedError, forecast_videos


def build_predictions(partitions: PartitionsDefinition) -> list[AssetsDefinition]:
    @asset(
        key=asset_key(VIDEO_FORECAST.name),
        deps=[upstream("features.video_day", 0), asset_key("models.video_forecaster")],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[rejects_check(VIDEO_FORECAST)],
        required_resource_keys={"warehouse", "registry", "settings", "progress"},
        **described(VIDEO_FORECAST),
    )
    def video_forecast(context: AssetExecutionContext) -> Result:
        held = context.resources
        try:
            forecasts = forecast_videos(
                held.warehouse,
                held.registry,
                window_of(context),
                held.settings.threads,
                context.run.run_id,
                held.progress,
            )
        except ForecastRefusedError as error:
            raise permanent(error) from error
        yield from report(context, VIDEO_FORECAST, forecasts)

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

    return [video_forecast, forecast_accuracy]


_forecast_for = TimeWindowPartitionMapping(
    start_offset=-max(VIDEO_DAY.horizons),
    end_offset=-min(VIDEO_DAY.horizons),
    allow_nonexistent_upstream_partitions=True,
)
"""The origins of forecasts for a target day."""
