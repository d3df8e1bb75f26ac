"""Which automations run in which environment: this table, and nothing else, decides what a location holds.

One that must not run is absent, so that nobody can start it from Dagster's pages. What each does is said where it is
built.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Protocol, TypeVar

from yt_platform.settings import Settings


class Environment(Enum):
    """What a location is for, as the settings tell."""

    DEVELOPMENT = auto()  # YT_ENVIRONMENT=development: a person asks for every run
    IMPORTS = auto()  # without YT_API_KEY: data comes by import alone
    COLLECTING = auto()
    STRICT = auto()  # YT_POLICY_MODE=strict: nothing is derived from what is collected


PRODUCTION = frozenset({Environment.IMPORTS, Environment.COLLECTING})
COLLECTING = frozenset({Environment.COLLECTING, Environment.STRICT})
DATA = PRODUCTION | COLLECTING
EVERYWHERE = frozenset(Environment)

RUNS_IN: Mapping[str, frozenset[Environment]] = {
    "hourly_collection": COLLECTING,
    "failed_collections": COLLECTING,
    "hourly_subscription": COLLECTING,
    "daily_owner_reports": DATA,
    "daily_refresh": DATA,
    "missing_data": DATA,
    "outdated_views": PRODUCTION,
    "daily_standing_check": DATA,
    "daily_retention": COLLECTING,
    "daily_authorizations": DATA,
    "weekly_prune": EVERYWHERE,
    "forecasts": PRODUCTION,
    "weekly_train": PRODUCTION,
    "weekly_train_video_hour": PRODUCTION,
    "weekly_train_channel_day": PRODUCTION,
    "retrain_on_drift": PRODUCTION,
    "retrain_on_accuracy": PRODUCTION,
    "retrain_video_hour_on_accuracy": PRODUCTION,
    "retrain_channel_day_on_accuracy": PRODUCTION,
    "retrain_when_stale": PRODUCTION,
    "retrain_video_hour_when_stale": PRODUCTION,
    "retrain_channel_day_when_stale": PRODUCTION,
    "daily_report": DATA,
    "training_failures": EVERYWHERE,
    "run_alerts": EVERYWHERE,
    "check_alerts": EVERYWHERE,
    "data_alerts": EVERYWHERE,
    "deliver_alerts": EVERYWHERE,
}


class Automation(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=Automation)


def environment(settings: Settings) -> Environment:
    if settings.environment == "development":
        return Environment.DEVELOPMENT
    if settings.policy_mode == "strict":
        return Environment.STRICT
    return Environment.COLLECTING if settings.api_key else Environment.IMPORTS


def running(settings: Settings, automations: Sequence[Named]) -> list[Named]:
    """Those of these schedules or sensors that run here. Raises KeyError for one that the table does not name."""
    here = environment(settings)
    return [automation for automation in automations if here in RUNS_IN[automation.name]]
