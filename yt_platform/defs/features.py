"""Assets of the `features` layer."""

from dagster import AssetExecutionContext, AssetsDefinition, PartitionsDefinition

from yt_platform.core.features import build_video_day
from yt_platform.core.schemas.features import VIDEO_DAY
from yt_platform.defs.daily import daily_table
from yt_platform.io.loading import Loaded, load_from_tables
from yt_platform.io.warehouse import Window


def build_features(partitions: PartitionsDefinition) -> list[AssetsDefinition]:
    return [daily_table(VIDEO_DAY, partitions, _video_day, {"warehouse", "progress"})]


def _video_day(context: AssetExecutionContext, window: Window) -> Loaded:
    return load_from_tables(
        context.resources.warehouse,
        VIDEO_DAY,
        lambda frames, first, last: build_video_day(
            frames["metrics.video_daily"], frames["metrics.video_versions"], first, last
        ),
        window,
        context.run.run_id,
        context.resources.progress,
    )
