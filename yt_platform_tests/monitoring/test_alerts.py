"""Alerts on a real Postgres: what is one, what is one more, and what never gets into one."""

from datetime import UTC, datetime, timedelta

import pytest

from yt_platform.monitoring.alerts import (
    DRIFT,
    ERROR,
    TRAINING,
    WARNING,
    Alert,
    open_alerts,
    raise_alert,
    resolve_alert,
)
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.frames import RUN_ID

AT = datetime(2026, 9, 1, tzinfo=UTC)
FAILED = Alert(TRAINING, "video_forecaster", ERROR, "it failed")


def test_what_is_seen_again_is_the_same_alert_until_it_is_resolved(warehouse: Warehouse) -> None:
    raise_alert(warehouse, FAILED, AT, RUN_ID)
    raise_alert(warehouse, Alert(TRAINING, "video_forecaster", WARNING, "again"), AT + timedelta(hours=1), RUN_ID)
    raise_alert(warehouse, Alert(TRAINING, "another", ERROR, "other"), AT, RUN_ID)
    first, other = open_alerts(warehouse)
    assert (first["occurrence_count"], first["message"], first["severity"]) == (2, "again", "warning")
    assert (first["first_seen_at"], first["last_seen_at"]) == (AT, AT + timedelta(hours=1))
    assert other["subject"] == "another"

    resolve_alert(warehouse, TRAINING, "video_forecaster", AT)
    assert [alert["subject"] for alert in open_alerts(warehouse)] == ["another"]
    raise_alert(warehouse, FAILED, AT, RUN_ID)  # at the instant it was resolved, as a clock that stands has it
    assert [alert["alert_id"] for alert in open_alerts(warehouse)][1] > other["alert_id"]
    assert warehouse.records("SELECT count(*) AS n FROM ops.alerts WHERE resolved_at = $1", (AT,)) == [{"n": 1}]


def test_readers_see_what_is_open_and_what_was(warehouse: Warehouse) -> None:
    raise_alert(warehouse, FAILED, AT, RUN_ID)
    resolve_alert(warehouse, TRAINING, "video_forecaster", AT + timedelta(hours=1))
    raise_alert(warehouse, Alert(DRIFT, "features.video_day", WARNING, "it moved", "look at it"), AT, None)
    past, now = warehouse.records("SELECT * FROM bi.alerts ORDER BY alert_id")
    assert (past["is_open"], past["resolved_at"]) == (False, AT + timedelta(hours=1))
    assert (now["is_open"], now["resolved_at"]) == (True, None)
    told = ("kind", "subject", "severity", "message", "remedy", "first_seen_at", "last_seen_at")
    assert tuple(now[name] for name in told) == (DRIFT, "features.video_day", WARNING, "it moved", "look at it", AT, AT)


@pytest.mark.parametrize(
    "message",
    [
        "could not connect to postgresql://user:hun/ter2@host:5432/youtube",
        "could not connect to postgresql+psycopg2://user:hunter2@x@host/youtube",
        "connection failed: host=h password=hunter2 dbname=d",
        'options {"PASSWORD": "x"}, password: hunter2',
        "GET https://example.org/v3?id=1&key=hunter2&part=x",
        "refused AIzahunter2AAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ],
)
def test_secrets_never_get_into_an_alert(message: str, warehouse: Warehouse) -> None:
    raise_alert(warehouse, Alert(TRAINING, "x", ERROR, message), AT, RUN_ID)
    assert "hun" not in open_alerts(warehouse)[0]["message"]


def test_a_message_is_cut_and_a_resolution_of_nothing_does_nothing(warehouse: Warehouse) -> None:
    resolve_alert(warehouse, TRAINING, "x", AT)
    raise_alert(warehouse, Alert(TRAINING, "x", ERROR, "y" * 10_000), AT, RUN_ID)
    assert open_alerts(warehouse)[0]["message"] == "y" * 2_000
