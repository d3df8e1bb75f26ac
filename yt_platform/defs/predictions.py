"""Assets of the `predictions` layer: the champion's forecasts."""

from dagster import AssetExecutionContext, AssetsDefinition, PartitionsDefinition, asset

from yt_platform.core.schemas.predictions import VIDEO_FORECAST
from yt_platform.defs.daily import Result, described, permanent, rejects_check, report
from yt_platform.defs.partitions import SINGLE_RUN, asset_key, upstream, window_of
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

    return [video_forecast]
