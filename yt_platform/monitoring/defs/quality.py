"""Assets of the `ops` layer on the data itself: what is unusual in it, and how far it can be relied on."""

from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    Definitions,
    MetadataValue,
    PartitionsDefinition,
    ResourceParam,
    asset,
)

from yt_platform.clock import Clock
from yt_platform.monitoring import plots
from yt_platform.monitoring.anomalies_store import find_anomalies
from yt_platform.monitoring.defs.checks import as_image, as_markdown
from yt_platform.monitoring.quality import ERROR_BELOW, WARN_BELOW
from yt_platform.monitoring.quality_store import alert_on_quality, newest_scores, recent_scores, said, score_quality
from yt_platform.monitoring.tables import ANOMALIES, QUALITY_SCORES
from yt_platform.orchestration.daily import Result, Sources, daily_table, dependencies, described, rejects_check, report
from yt_platform.orchestration.partitions import SINGLE_RUN, asset_key, daily_partitions, window_of
from yt_platform.progress import Progress
from yt_platform.settings import Settings
from yt_platform.warehouse.loading import Loaded
from yt_platform.warehouse.warehouse import Warehouse, Window

GOOD_QUALITY = "good_quality"


def build(settings: Settings) -> Definitions:
    partitions = daily_partitions(settings.partitions_start)
    return Definitions(assets=[daily_table(ANOMALIES, partitions, _anomalies), _quality_scores(partitions)])


def _quality_scores(partitions: PartitionsDefinition) -> AssetsDefinition:
    @asset(
        key=asset_key(QUALITY_SCORES.name),
        deps=dependencies(QUALITY_SCORES),
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[
            rejects_check(QUALITY_SCORES),
            AssetCheckSpec(
                GOOD_QUALITY,
                asset=asset_key(QUALITY_SCORES.name),
                description=(
                    f"The newest score of every table and source is {WARN_BELOW:.0f} or more of 100; "
                    f"below {ERROR_BELOW:.0f} is an error"
                ),
            ),
        ],
        **described(QUALITY_SCORES),
    )
    def quality_scores(
        context: AssetExecutionContext,
        warehouse: ResourceParam[Warehouse],
        clock: ResourceParam[Clock],
        progress: ResourceParam[Progress],
    ) -> Result:
        loaded = score_quality(warehouse, window_of(context), context.run.run_id, progress)
        _show_over_time(context, warehouse, loaded)
        yield from report(context, QUALITY_SCORES, loaded)
        yield _verdict(alert_on_quality(warehouse, clock.now()))

    return quality_scores


def _anomalies(sources: Sources, window: Window) -> Loaded:
    return find_anomalies(sources.warehouse, window, sources.run_id, sources.progress)


def _show_over_time(context: AssetExecutionContext, warehouse: Warehouse, loaded: Loaded) -> None:
    """A plot with the newest day that was scored, where there is none after it: every partition would keep another."""
    last = max(loaded.rows)
    newest = newest_scores(warehouse)
    if newest and max(row["day"] for row in newest) <= last:
        plot = plots.quality(recent_scores(warehouse, last))
        context.add_asset_metadata(
            {"scores_over_time": as_image(plot)}, asset_key=asset_key(QUALITY_SCORES.name), partition_key=str(last)
        )


def _verdict(newest: list[dict[str, Any]]) -> AssetCheckResult:
    """On the newest scores of each table and source, whatever days were made now."""
    low = [row for row in newest if row["status"] != "ok"]
    failed = any(row["status"] == "error" for row in low)
    scores = [row["score"] for row in newest]
    return AssetCheckResult(
        asset_key=asset_key(QUALITY_SCORES.name),
        check_name=GOOD_QUALITY,
        passed=not low,
        severity=AssetCheckSeverity.ERROR if failed else AssetCheckSeverity.WARN,
        description="; ".join(said(row) for row in low) or f"{len(newest)} scores are good",
        metadata={
            **({"lowest_score": MetadataValue.float(min(scores))} if scores else {}),
            "scores": MetadataValue.md(as_markdown([_shown(row) for row in newest])),
        },
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row to read: numbers with a decimal, nothing where a dimension does not apply."""
    as_text = {name: f"{value:.1f}" for name, value in row.items() if isinstance(value, float)}
    return {name: as_text.get(name, "" if value is None else value) for name, value in row.items()}
