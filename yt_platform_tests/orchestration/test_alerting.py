"""Ticks of the sensors that open, close and deliver alerts, on an ephemeral instance and a real warehouse.

Jobs and checks are small ones that fail when they are told to: what the platform's do is tested elsewhere.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    DagsterInstance,
    Definitions,
    OpExecutionContext,
    asset,
    asset_check,
    build_schedule_context,
    build_sensor_context,
    job,
    materialize,
    op,
)

from yt_platform.clock import Clock
from yt_platform.monitoring import alerts
from yt_platform.monitoring.alerts import Alert, open_alerts, raise_alert
from yt_platform.monitoring.defs.alerting import OWN_ALERTS, build_alert_sensors, daily, report
from yt_platform.monitoring.notify import NotDeliveredError
from yt_platform.orchestration.jobs import COLLECT, TRAIN
from yt_platform.settings import Settings
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.receivers import Box, Hook

SENSORS = {sensor.name: sensor for sensor in build_alert_sensors()}
UNSET = Settings(_env_file=None)
BROKEN: set[str] = set()
"""Names of the jobs and checks below that are to fail."""


@op
def work(context: OpExecutionContext) -> None:
    if context.run.job_name in BROKEN:
        raise ValueError("no network")


@job(name=COLLECT)
def collect() -> None:
    work()


@job(name=TRAIN)
def train() -> None:
    work()


@asset(key_prefix="metrics")
def videos() -> None:
    """Nothing."""


def judged(name: str, severity: AssetCheckSeverity) -> Any:
    @asset_check(name=name, asset=videos)
    def judge() -> AssetCheckResult:
        return AssetCheckResult(passed=name not in BROKEN, severity=severity, metadata={"offending_rows": 7})

    return judge


OWN = min(OWN_ALERTS)
CHECKS = [
    judged("ids", AssetCheckSeverity.ERROR),
    judged("titles", AssetCheckSeverity.WARN),
    judged(OWN, AssetCheckSeverity.WARN),
]
DEFINITIONS = Definitions(assets=[videos], asset_checks=CHECKS, jobs=[collect, train])


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    BROKEN.clear()
    with DagsterInstance.ephemeral() as instance:
        yield instance


def held(warehouse: Warehouse, settings: Settings) -> dict[str, Any]:
    return {"warehouse": warehouse, "clock": Clock(warehouse), "settings": settings}


def tick(
    name: str, instance: DagsterInstance, warehouse: Warehouse, settings: Settings = UNSET
) -> list[tuple[str, str]]:
    """What is open after an evaluation: subject and severity."""
    with build_sensor_context(
        instance=instance, resources=held(warehouse, settings), definitions=DEFINITIONS
    ) as context:
        assert SENSORS[name].evaluate_tick(context).skip_message
    return [(alert["subject"], alert["severity"]) for alert in open_alerts(warehouse)]


def test_a_job_that_fails_is_an_alert_until_it_succeeds(instance: DagsterInstance, warehouse: Warehouse) -> None:
    assert tick("run_alerts", instance, warehouse) == []
    BROKEN.update({COLLECT, TRAIN})
    train.execute_in_process(instance=instance, raise_on_error=False)  # has an alert of its own
    failed = collect.execute_in_process(instance=instance, raise_on_error=False)
    for _ in range(2):  # the same run is seen once
        assert tick("run_alerts", instance, warehouse) == [(COLLECT, "error")]
    [alert] = open_alerts(warehouse)
    assert alert["message"] == f"run {failed.run_id}: work: ValueError: no network"
    assert alert["link"] == f"/runs/{failed.run_id}"
    assert alert["occurrence_count"] == 1

    collect.execute_in_process(instance=instance, raise_on_error=False)
    tick("run_alerts", instance, warehouse)
    assert [alert["occurrence_count"] for alert in open_alerts(warehouse)] == [2]
    BROKEN.clear()
    collect.execute_in_process(instance=instance)
    assert tick("run_alerts", instance, warehouse) == []


def test_a_check_that_fails_is_an_alert_until_it_passes(instance: DagsterInstance, warehouse: Warehouse) -> None:
    assert tick("check_alerts", instance, warehouse) == []
    BROKEN.update({"ids", "titles", OWN})
    materialize([videos, *CHECKS], instance=instance)
    for _ in range(2):
        found = tick("check_alerts", instance, warehouse)
        assert sorted(found) == [("metrics/videos:ids", "error"), ("metrics/videos:titles", "warning")]
    alert = open_alerts(warehouse)[0]
    assert (alert["message"], alert["occurrence_count"]) == ("7 rows offend", 1)
    assert alert["link"].startswith("/assets/metrics/videos?view=checks&checkDetail=")
    BROKEN.remove("ids")
    materialize([videos, *CHECKS], instance=instance)
    assert tick("check_alerts", instance, warehouse) == [("metrics/videos:titles", "warning")]
    gone = Alert(alerts.CHECK, "metrics/videos:renamed", alerts.ERROR, "7 rows offend")
    raise_alert(warehouse, gone, Clock(warehouse).now(), None)
    assert tick("check_alerts", instance, warehouse) == [("metrics/videos:titles", "warning")]


def test_what_books_and_data_say_is_an_alert(instance: DagsterInstance, warehouse: Warehouse) -> None:
    assert tick("data_alerts", instance, warehouse) == []
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.quota_ledger (pacific_day, bucket, units) "
            "SELECT (now() AT TIME ZONE 'America/Los_Angeles')::date, 'default', 9000"
        )
    assert tick("data_alerts", instance, warehouse) == [("default", "warning")]
    roomier = Settings(quota_units=20_000, _env_file=None)
    assert tick("data_alerts", instance, warehouse, roomier) == []


def test_a_tick_delivers_and_fails_where_a_channel_takes_nothing(
    instance: DagsterInstance, warehouse: Warehouse, hook: Hook, box: tuple[Box, int]
) -> None:
    kept, port = box
    BROKEN.add(COLLECT)
    collect.execute_in_process(instance=instance, raise_on_error=False)
    tick("run_alerts", instance, warehouse)
    settings = told_to(hook, port)
    hook.status = 500
    with pytest.raises(NotDeliveredError, match="it answered 500"):
        tick("deliver_alerts", instance, warehouse, settings)
    assert len(kept.received) == 1
    hook.status = 200
    for _ in range(2):
        tick("deliver_alerts", instance, warehouse, settings)
    assert len(kept.received) == 1
    assert [message["text"].splitlines()[0] for message in hook.received] == ["*error: run collect*"] * 2


def told_to(hook: Hook, port: int) -> Settings:
    return Settings(
        alert_webhook_url=hook.url,
        alert_smtp_url=f"smtp://127.0.0.1:{port}",
        alert_mail_from="platform@example.org",
        alert_mail_to="a@example.org,b@example.org",
        _env_file=None,
    )


def test_the_report_goes_to_every_channel_and_a_failure_is_none_that_looks_green(
    instance: DagsterInstance, warehouse: Warehouse, hook: Hook, box: tuple[Box, int]
) -> None:
    kept, port = box
    resources = held(warehouse, told_to(hook, port))
    assert report.execute_in_process(instance=instance, resources=resources).success
    assert hook.received[0]["text"].startswith("*YouTube data of ")
    assert b"text/html" in kept.received[0].content
    hook.status = 500
    assert not report.execute_in_process(instance=instance, resources=resources, raise_on_error=False).success
    assert len(kept.received) == 2


def test_the_report_is_made_where_somebody_reads_it(warehouse: Warehouse) -> None:
    assert daily.cron_schedule == "0 6 * * *"
    assert "nobody to tell" in scheduled(warehouse, UNSET).skip_message
    read = Settings(alert_webhook_url="https://hooks.example.org/x", _env_file=None)
    assert len(scheduled(warehouse, read).run_requests) == 1
    clock = Clock(warehouse)
    clock.simulate(clock.now())
    assert "simulated" in scheduled(warehouse, read).skip_message


def scheduled(warehouse: Warehouse, settings: Settings) -> Any:
    resources = {"clock": Clock(warehouse), "settings": settings}
    with build_schedule_context(resources=resources) as context:
        return daily.evaluate_tick(context)
