"""Assets of the `models` layer: training, scoring on held-out days, and the gate that moves the champion."""

from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult, asset

from yt_platform.core.models.protocol import NotEnoughRowsError
from yt_platform.core.registered import VIDEO_FORECASTER
from yt_platform.defs.daily import OWNERS, permanent
from yt_platform.defs.partitions import whole
from yt_platform.io.training import TooLittleHistoryError, train


def build_models() -> list[AssetsDefinition]:
    @asset(
        key=["models", "video_forecaster"],
        deps=[whole("features.video_day"), whole("metrics.video_daily")],
        group_name="models",
        kinds={"python", "lightgbm", "mlflow"},
        owners=OWNERS,
        code_version="1",
        required_resource_keys={"warehouse", "registry", "mlflow", "settings", "clock", "progress"},
    )
    def video_forecaster(context: AssetExecutionContext) -> MaterializeResult:
        """LightGBM forecaster of gained views, likes and comments at 1, 3 and 7 days with p10, p50 and p90.

        Scored on the last days of the data by a model that has not seen them, then fitted on everything up to the
        day before the last; becomes champion when it beats naive for every count at every horizon.
        """
        held = context.resources
        try:
            trained = train(
                VIDEO_FORECASTER,
                held.warehouse,
                held.registry,
                held.mlflow,
                held.settings.threads,
                held.clock.now(),
                context.run.run_id,
                held.progress,
            )
        except (TooLittleHistoryError, NotEnoughRowsError) as error:
            raise permanent(error) from error
        errors = {
            f"{figure} of {score['target']} at {score['horizon']} days": round(float(score[figure]), 4)
            for score in trained.scores.to_dict("records")
            for figure in ("wape", "naive_wape", "coverage80")
        }
        return MaterializeResult(metadata={"model": trained.model.name, "champion": trained.promoted, **errors})

    return [video_forecaster]
