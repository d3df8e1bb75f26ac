"""Assembles the code location: every capability's definitions, with this location's resources."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from dagster import (
    AssetsDefinition,
    AssetSpec,
    BetaWarning,
    Definitions,
    in_process_executor,
    with_source_code_references,
)

from yt_platform.forecasting.defs.models import build as models
from yt_platform.forecasting.defs.predictions import build as predictions
from yt_platform.metrics.defs import build as metrics
from yt_platform.models.defs import build as ops
from yt_platform.monitoring.defs.alerting import build as alerting
from yt_platform.monitoring.defs.checks import build as checks
from yt_platform.monitoring.defs.quality import build as quality
from yt_platform.orchestration.automation import build as automation
from yt_platform.orchestration.derived import build as derived
from yt_platform.orchestration.environments import running
from yt_platform.orchestration.jobs import build as jobs
from yt_platform.orchestration.upkeep import build as upkeep
from yt_platform.policy import PolicyMode, may_hold
from yt_platform.privacy.defs import build as retention
from yt_platform.resources import build_resources
from yt_platform.settings import Settings
from yt_platform.warehouse.defs import build as views
from yt_platform.youtube.accounts.defs import build as authorizations
from yt_platform.youtube.defs import build as raw
from yt_platform.youtube.websub.defs import build as websub

CAPABILITIES: tuple[Callable[[Settings], Definitions], ...] = (
    raw,
    metrics,
    derived,
    models,
    predictions,
    ops,
    quality,
    views,
    retention,
    authorizations,
    websub,
    checks,
    upkeep,
    jobs,
    automation,
    alerting,
)
"""A capability joins the location by a line here."""


def build_defs(settings: Settings, resource_overrides: Mapping[str, Any] | None = None) -> Definitions:
    """The whole location. Tests and commands put other resources in by `resource_overrides`."""
    with warnings.catch_warnings():
        # single-run backfills and partition mappings are API that Dagster may still change; its minor is pinned
        warnings.simplefilter("ignore", BetaWarning)
        parts = [_allowed(settings, build(settings)) for build in CAPABILITIES]
    resources = build_resources(settings, resource_overrides or {})
    # a process per step would cost seconds of imports and start-up each
    return Definitions.merge(*parts, Definitions(resources=resources, executor=in_process_executor))


def _allowed(settings: Settings, part: Definitions) -> Definitions:
    """Without assets that the policy mode lets have no rows, and without what does not run in this environment."""
    return Definitions(
        assets=with_source_code_references(
            [asset for asset in part.assets or () if _may_exist(settings.policy_mode, asset)]
        ),
        asset_checks=part.asset_checks,
        jobs=part.jobs,
        schedules=running(settings, list(part.schedules or ())),
        sensors=running(settings, list(part.sensors or ())),
    )


def _may_exist(mode: PolicyMode | None, asset: object) -> bool:
    if isinstance(asset, AssetsDefinition):
        return all(may_hold(mode, ".".join(key.path)) for key in asset.keys)
    return not isinstance(asset, AssetSpec) or may_hold(mode, ".".join(asset.key.path))
