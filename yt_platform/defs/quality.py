"""Assets of the `ops` layer on the data itself: what is unusual in it."""

from dagster import AssetExecutionContext, AssetsDefinition, PartitionsDefinition

from yt_platform.core.schemas.ops import ANOMALIES
from yt_platform.defs.daily import daily_table
from yt_platform.io.anomalies import find_anomalies
from yt_platform.io.loading import Loaded
from yt_platform.io.warehouse import Window


def build_quality(partitions: PartitionsDefinition) -> list[AssetsDefinition]:
    return [daily_table(ANOMALIES, partitions, _anomalies, {"warehouse", "progress"})]


def _anomalies(context: AssetExecutionContext, window: Window) -> Loaded:
    return find_anomalies(context.resources.warehouse, window, context.run.run_id, context.resources.progress)
