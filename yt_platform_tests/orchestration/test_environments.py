"""Which automations a location holds is a matter of settings alone: definitions are built, and nothing is run."""

import pytest
from dagster import in_process_executor
from pydantic import SecretStr

from yt_platform.build import build_defs
from yt_platform.orchestration.environments import RUNS_IN, Environment, environment
from yt_platform.settings import Settings

PUSH = {"push_url": "https://example.org/youtube"}
SETTINGS = {
    Environment.DEVELOPMENT: {"environment": "development", "api_key": SecretStr("key"), "policy_mode": "strict"},
    Environment.IMPORTS: {},
    Environment.COLLECTING: {"api_key": SecretStr("key"), "policy_mode": "amended", **PUSH},
    Environment.STRICT: {"api_key": SecretStr("key"), "policy_mode": "strict", **PUSH},
}


@pytest.mark.parametrize("here", Environment)
def test_a_location_holds_the_automations_of_its_environment_and_no_other(here: Environment) -> None:
    settings = Settings(_env_file=None, **SETTINGS[here])
    assert environment(settings) is here
    found = build_defs(settings)
    held = {automation.name for automation in [*found.schedules, *found.sensors]}
    assert held == {name for name, environments in RUNS_IN.items() if here in environments}


def test_without_a_key_nothing_collects_and_in_development_nothing_begins() -> None:
    """The table itself, said a second time for the two rows that would cost quota or surprise."""
    assert RUNS_IN["hourly_collection"] == {Environment.COLLECTING, Environment.STRICT}
    beginning = {name for name, environments in RUNS_IN.items() if Environment.DEVELOPMENT in environments}
    # which only write down what failed and tell of it, and keep the logs small
    alerting = {"training_failures", "run_alerts", "check_alerts", "data_alerts", "deliver_alerts"}
    assert beginning == alerting | {"weekly_prune"}


def test_a_run_is_one_process() -> None:
    """Dagster's default, a process per step, made a daily run of 15 steps minutes longer than the commands' own."""
    jobs = list(build_defs(Settings(_env_file=None)).resolve_all_job_defs())
    assert {"refresh", "prune_run_logs", "__ASSET_JOB"} <= {job.name for job in jobs}
    assert {job.name for job in jobs if job.executor_def is not in_process_executor} == set()
