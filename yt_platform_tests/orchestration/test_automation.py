"""Ticks of what trains and forecasts by itself, on a warehouse and an instance that hold a small sample.

No daemon runs: a tick is evaluated as the daemon would, and what it asks for is looked at or executed here.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dagster import (
    DagsterEventType,
    build_run_status_sensor_context,
    build_schedule_context,
    build_sensor_context,
)

from yt_platform.clock import Clock
from yt_platform.forecasting.registered import VIDEO_FORECASTER
from yt_platform.local import Platform, RunFailedError, Runs, bring_up_to_date, dagster_environment
from yt_platform.monitoring import alerts
from yt_platform.monitoring.alerts import Alert, open_alerts, raise_alert, resolve_alert
from yt_platform.orchestration.automation import (
    build_forecasting_schedules,
    build_sensors,
    cron_every,
    training_failures,
    training_under_way,
)
from yt_platform.orchestration.jobs import FORECAST, SCORE, TRAIN
from yt_platform.orchestration.partitions import RANGE_START, asset_key
from yt_platform.settings import FORECAST_EVERY
from yt_platform.status import platform_status
from yt_platform.warehouse.warehouse import Window
from yt_platform_tests.frames import RUN_ID

pytestmark = pytest.mark.stage("made")

LAST_DAY = date(2026, 3, 1)
SENSORS = {sensor.name: sensor for sensor in build_sensors()}
DRIFTED = Alert(alerts.DRIFT, "features.video_day", alerts.WARNING, "it drifted")


@pytest.fixture(autouse=True)
def _instance_of_the_tick(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick opens Dagster's instance anew, which finds its database through the environment."""
    for name, value in dagster_environment(platform.settings, platform.urls).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def real_clock(made: Platform) -> Iterator[Clock]:
    """What is there came from an import, whose clock stands still: let it run for the test."""
    made.clock.run()
    yield made.clock
    made.clock.follow_imports()
    resolve_alert(made.warehouse, DRIFTED.kind, DRIFTED.subject, made.clock.now())


def held(platform: Platform, cooldown_hours: float = 0) -> dict[str, Any]:
    settings = platform.settings.model_copy(update={"retrain_cooldown_hours": cooldown_hours})
    return {
        "warehouse": platform.warehouse,
        "registry": platform.registry,
        "settings": settings,
        "clock": platform.clock,
    }


def tick(name: str, platform: Platform, runs: Runs, cursor: str = "", cooldown_hours: float = 0) -> Any:
    """What a sensor's evaluation came to: `run_requests`, `skip_message` and `cursor`."""
    with build_sensor_context(
        instance=runs.instance, cursor=cursor, resources=held(platform, cooldown_hours), definitions=runs.definitions
    ) as context:
        return SENSORS[name].evaluate_tick(context)


def scheduled(name: str, platform: Platform, runs: Runs, cooldown_hours: float = 0) -> Any:
    """What a schedule's evaluation came to: `run_requests` and `skip_message`."""
    schedules = {found.name: found for found in build_forecasting_schedules(platform.settings)}
    with build_schedule_context(
        instance=runs.instance,
        resources=held(platform, cooldown_hours),
        repository_def=runs.definitions.get_repository_def(),
        scheduled_execution_time=datetime.now(UTC),
    ) as context:
        return schedules[name].evaluate_tick(context)


def test_a_training_is_asked_for_once_for_every_episode(made: Platform, runs: Runs, real_clock: Clock) -> None:
    assert tick("retrain_on_drift", made, runs).skip_message
    raise_alert(made.warehouse, DRIFTED, real_clock.now(), RUN_ID)
    asked = tick("retrain_on_drift", made, runs)
    assert len(asked.run_requests) == 1
    raise_alert(made.warehouse, DRIFTED, real_clock.now(), RUN_ID)  # still so a day later
    again = tick("retrain_on_drift", made, runs, asked.cursor)
    assert "asked for already" in again.skip_message
    assert tick("retrain_on_accuracy", made, runs).skip_message

    resolve_alert(made.warehouse, DRIFTED.kind, DRIFTED.subject, real_clock.now())
    calm = tick("retrain_on_drift", made, runs, asked.cursor)
    raise_alert(made.warehouse, DRIFTED, real_clock.now(), RUN_ID)
    anew = tick("retrain_on_drift", made, runs, calm.cursor)
    assert anew.run_requests[0].run_key != asked.run_requests[0].run_key


def test_failing_accuracy_trains_the_model_it_is_of(made: Platform, runs: Runs, real_clock: Clock) -> None:
    failing = Alert(alerts.ACCURACY, "predictions.channel_forecast_accuracy", alerts.ERROR, "far off")
    raise_alert(made.warehouse, failing, real_clock.now(), RUN_ID)
    try:
        asked = {name: tick(name, made, runs).run_requests for name in SENSORS if name.endswith("_on_accuracy")}
    finally:
        resolve_alert(made.warehouse, failing.kind, failing.subject, real_clock.now())
    assert len(asked) == 3
    assert [name for name, requests in asked.items() if requests] == ["retrain_channel_day_on_accuracy"]
    assert SENSORS["retrain_channel_day_on_accuracy"].job_name == "train_channel_day"


def test_an_edge_waits_for_the_end_of_the_cool_down(made: Platform, runs: Runs, real_clock: Clock) -> None:
    raise_alert(made.warehouse, DRIFTED, real_clock.now(), RUN_ID)
    waits = tick("retrain_on_drift", made, runs, cooldown_hours=24)
    assert "too recent" in waits.skip_message
    assert tick("retrain_on_drift", made, runs, waits.cursor or "").run_requests


def test_nothing_trains_by_itself_on_a_simulated_clock(made: Platform, runs: Runs) -> None:
    raise_alert(made.warehouse, DRIFTED, made.clock.now(), RUN_ID)
    try:
        for name in ("retrain_on_drift", "retrain_on_accuracy", "retrain_when_stale", "retrain_channel_day_when_stale"):
            assert not tick(name, made, runs).run_requests, name
        assert "simulated" in scheduled("weekly_train", made, runs).skip_message
    finally:
        resolve_alert(made.warehouse, DRIFTED.kind, DRIFTED.subject, made.clock.now())


def test_a_champion_that_has_not_seen_ten_days_is_stale(made: Platform, runs: Runs, real_clock: Clock) -> None:
    assert tick("retrain_when_stale", made, runs).skip_message
    ahead = LAST_DAY + timedelta(days=10)
    with made.warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.loads (table_name, partition_day, input_version, code_version, row_count, run_id) "
            "VALUES ('features.video_day', $1, 'test', '1', 1, $2::uuid)",
            (ahead, RUN_ID),
        )
    try:
        asked = tick("retrain_when_stale", made, runs)
        assert len(asked.run_requests) == 1
        assert tick("retrain_when_stale", made, runs, asked.cursor).skip_message
    finally:
        with made.warehouse.transaction() as transaction:
            transaction.execute(
                "DELETE FROM ops.loads WHERE table_name = 'features.video_day' AND partition_day = $1", (ahead,)
            )


def test_the_week_asks_for_a_training_unless_one_is_recent(made: Platform, runs: Runs, real_clock: Clock) -> None:
    assert len(scheduled("weekly_train", made, runs).run_requests) == 1
    assert "history" in scheduled("weekly_train_video_hour", made, runs).skip_message
    assert "too recent" in scheduled("weekly_train", made, runs, cooldown_hours=24).skip_message


def test_forecasts_are_asked_for_when_they_are_due(made: Platform, runs: Runs) -> None:
    assert scheduled("forecasts", made, runs).skip_message
    with made.warehouse.transaction() as transaction:
        transaction.execute("DELETE FROM ops.loads WHERE table_name = 'predictions.video_forecast'")
    [asked] = scheduled("forecasts", made, runs).run_requests
    assert asked.asset_selection == [asset_key("predictions.video_forecast")]
    assert asked.tags[RANGE_START] == LAST_DAY.isoformat()
    runs.launch(FORECAST, Window(LAST_DAY, LAST_DAY))


def test_without_a_champion_a_training_comes_first(made: Platform, runs: Runs) -> None:
    champion = made.registry.champion(VIDEO_FORECASTER.name)
    assert champion is not None
    made.registry.dethrone()
    cards = "UPDATE models.scorecards SET task = $2 WHERE task = $1"
    with made.warehouse.transaction() as transaction:  # as if never trained: the same data is not tried twice
        transaction.execute(cards, ("video_day", "hidden"))
    try:
        assert "too recent" in scheduled("forecasts", made, runs, cooldown_hours=24).skip_message
        [asked] = scheduled("forecasts", made, runs).run_requests
    finally:
        made.registry.promote(champion)
        with made.warehouse.transaction() as transaction:
            transaction.execute(cards, ("hidden", "video_day"))
    tables = {".".join(key.path) for key in asked.asset_selection}
    assert tables >= {"models.video_forecaster", "models.video_lightgbm", "predictions.video_forecast"}
    assert asked.tags[RANGE_START] == LAST_DAY.isoformat()


def test_outcomes_that_are_known_are_scored_and_judged(made: Platform, runs: Runs) -> None:
    """The newest forecasts moved a week back, so that the sample holds their outcomes."""
    moved = LAST_DAY - timedelta(days=7)
    with made.warehouse.transaction() as transaction:
        transaction.execute("UPDATE predictions.video_forecast SET origin_day = $1", (moved,))
        transaction.execute(
            "UPDATE ops.loads SET partition_day = $1 WHERE table_name = 'predictions.video_forecast'", (moved,)
        )
    bring_up_to_date(made, runs)
    scored = made.warehouse.records("SELECT DISTINCT target_day FROM predictions.forecast_accuracy ORDER BY 1")
    assert [row["target_day"] for row in scored] == [moved + timedelta(days=n) for n in (1, 3, 7)]
    assert open_alerts(made.warehouse) == []  # three days are too few to judge
    found = platform_status(made, runs.instance, runs.definitions)
    assert found["checks"]["predictions/forecast_accuracy:accuracy_within_validation"] == "passed"
    with made.warehouse.transaction() as transaction:  # six more days of outcomes, ten times what was forecast
        transaction.execute(
            "INSERT INTO predictions.forecast_accuracy SELECT video_id, origin_day - n, horizon_days, target, "
            "model_version, target_day - n, channel_id, p10, p50, p90, actual * 10, naive, p50 - actual * 10, false, "
            "basis, run_id, loaded_at FROM predictions.forecast_accuracy, generate_series(1, 6) AS n "
            "WHERE target_day = $1",
            (LAST_DAY,),
        )
    runs.launch(SCORE, Window(LAST_DAY, LAST_DAY))
    [alert] = open_alerts(made.warehouse)
    assert (alert["kind"], alert["subject"]) == ("accuracy", "predictions.forecast_accuracy")
    assert "models rollback --model video_forecaster" in alert["remedy"]
    assert alert["link"].startswith("/assets/predictions/forecast_accuracy?")
    assert platform_status(made, runs.instance, runs.definitions)["alerts"][0]["message"] == alert["message"]
    resolve_alert(made.warehouse, alert["kind"], alert["subject"], made.clock.now())


def test_a_training_that_fails_leaves_the_champion_and_writes_an_alert(made: Platform, runs: Runs) -> None:
    """By the command's path, and then by the sensor that watches runs of the daemon."""
    champion = made.registry.champion(VIDEO_FORECASTER.name)
    forecasts = made.warehouse.records("SELECT count(*) AS n, sum(p50) AS p50 FROM predictions.video_forecast")
    with made.warehouse.transaction() as transaction:
        transaction.execute("ALTER TABLE features.video_day RENAME TO video_day_hidden")
    try:
        with pytest.raises(RunFailedError, match="video_day"):
            runs.launch(TRAIN)
    finally:
        with made.warehouse.transaction() as transaction:
            transaction.execute("ALTER TABLE features.video_day_hidden RENAME TO video_day")
    assert made.registry.champion(VIDEO_FORECASTER.name) == champion
    assert made.warehouse.records("SELECT count(*) AS n, sum(p50) AS p50 FROM predictions.video_forecast") == forecasts
    [alert] = open_alerts(made.warehouse)
    assert (alert["kind"], alert["severity"]) == ("training", "error")
    assert "launch the job train " in alert["remedy"]
    assert training_under_way(runs.instance, VIDEO_FORECASTER) is None

    run = next(run for run in runs.instance.get_runs(limit=5) if run.job_name == TRAIN)
    events = runs.instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_FAILURE)
    context = build_run_status_sensor_context(
        sensor_name="training_failures",
        dagster_event=events[0].dagster_event,
        dagster_instance=runs.instance,
        dagster_run=run,
        resources={"warehouse": made.warehouse, "clock": made.clock},
    ).for_run_failure()
    training_failures(context)
    [again] = open_alerts(made.warehouse)
    assert (again["alert_id"], again["occurrence_count"]) == (alert["alert_id"], 2)
    assert "video_day" in again["message"]

    runs.launch(TRAIN)
    assert open_alerts(made.warehouse) == []


@pytest.mark.parametrize("minutes", FORECAST_EVERY)
def test_schedules_are_even(minutes: int) -> None:
    """Cron's */7 would run at 0, 7, ..., 56 and then at 0 again."""
    minute, hour = cron_every(minutes).split()[:2]
    if minutes < 60:
        assert 60 % int(minute.removeprefix("*/")) == 0
    else:
        assert 24 % int(hour.removeprefix("*/")) == 0
