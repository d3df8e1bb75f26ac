"""Assembles the code location explicitly; the seam where tests put other settings and resources."""

import warnings
from collections.abc import Mapping
from typing import Any

from dagster import BetaWarning, Definitions, in_process_executor

from yt_platform.core.policy import may_hold
from yt_platform.defs.alerting import build_alert_sensors, daily, report
from yt_platform.defs.authorizations import build_authorizations, daily_authorizations, verify_job
from yt_platform.defs.automation import build_forecasting_schedules, build_sensors
from yt_platform.defs.checks import build_checks
from yt_platform.defs.environments import running
from yt_platform.defs.features import build_features
from yt_platform.defs.jobs import build_jobs, build_schedules
from yt_platform.defs.metrics import build_metrics
from yt_platform.defs.models import build_models
from yt_platform.defs.ops import build_ops
from yt_platform.defs.partitions import daily_partitions
from yt_platform.defs.predictions import build_predictions
from yt_platform.defs.quality import build_quality
from yt_platform.defs.raw import build_raw
from yt_platform.defs.retention import build_retention, daily_retention, retire_job
from yt_platform.defs.upkeep import (
    BOOKS,
    daily_standing_check,
    missing_data,
    nothing_left_behind,
    prune_run_logs,
    standing_check,
    weekly_prune,
)
from yt_platform.defs.views import build_views, outdated_views, refresh_views
from yt_platform.defs.websub import build_websub, hourly_subscription, subscribe_job
from yt_platform.io.views import CHANNEL_OVERVIEW_CACHED
from yt_platform.resources import build_resources
from yt_platform.settings import Settings


def build_defs(settings: Settings, resource_overrides: Mapping[str, Any] | None = None) -> Definitions:
    """The whole location: assets by layer, their checks, jobs, schedules and resources."""
    with warnings.catch_warnings():
        # single-run backfills and partition mappings are API that Dagster may still change; its minor is pinned
        warnings.simplefilter("ignore", BetaWarning)
        return _assemble(settings, resource_overrides or {})


def _assemble(settings: Settings, resource_overrides: Mapping[str, Any]) -> Definitions:
    days, mode = daily_partitions(settings.partitions_start), settings.policy_mode
    assets = [
        *build_raw(days),
        *build_metrics(days),
        *build_features(days),
        *build_models(settings),
        *build_predictions(days),
        *build_ops(days),
        *build_quality(days),
        *build_views(),
    ]
    return Definitions(
        assets=[
            *(asset for asset in assets if all(may_hold(mode, ".".join(key.path)) for key in asset.keys)),
            *(build_retention() if mode else []),
            *build_authorizations(),
            *(build_websub() if settings.push_url else []),
            BOOKS,
        ],
        asset_checks=[*build_checks(mode), nothing_left_behind],
        jobs=[
            *build_jobs(mode),
            *([retire_job] if mode else []),
            *([subscribe_job] if settings.push_url else []),
            *([refresh_views] if may_hold(mode, CHANNEL_OVERVIEW_CACHED) else []),
            prune_run_logs,
            report,
            verify_job,
            standing_check,
        ],
        schedules=running(
            settings,
            [
                *build_schedules(),
                *build_forecasting_schedules(settings),
                daily,
                weekly_prune,
                daily_standing_check,
                daily_retention,
                daily_authorizations,
                *([hourly_subscription] if settings.push_url else []),
            ],
        ),
        sensors=running(settings, [*build_sensors(), *build_alert_sensors(), missing_data, outdated_views]),
        resources={**build_resources(settings), **resource_overrides},
        executor=in_process_executor,  # a process per step would cost seconds of imports and start-up each
    )
