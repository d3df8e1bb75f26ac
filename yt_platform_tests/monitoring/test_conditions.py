"""What the books and the data say is wrong, on a real Postgres."""

from datetime import UTC, datetime, timedelta

from yt_platform.monitoring.alerts import ANOMALY, FRESHNESS, QUOTA, open_of_kind, settle_alerts
from yt_platform.monitoring.conditions import anomaly_alerts, freshness_alerts, quota_alerts
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform.youtube.data_api.quota import Bucket
from yt_platform_tests.frames import RUN_ID

NOW = datetime(2026, 9, 4, 20, tzinfo=UTC)  # the same day in Los Angeles
ALLOWED = {Bucket.DEFAULT: 9_000, Bucket.STATS: 9_000}


def test_quota_that_is_spent_or_stopped_is_told_until_the_reset(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.quota_ledger (pacific_day, bucket, units, stopped_at, stop_reason) VALUES "
            "('2026-09-04', 'default', 9000, NULL, NULL), "
            "('2026-09-04', 'batchGetStats', 12, now(), 'YouTube answered quotaExceeded')"
        )
    found = {alert.subject: alert.message for alert in quota_alerts(warehouse, ALLOWED, NOW)}
    assert found["default"].startswith("the 9000 units of the day are spent")
    assert found["batchGetStats"].startswith("YouTube answered quotaExceeded after 12 units")
    assert "2026-09-05 07:00 UTC" in found["default"]
    assert [alert.subject for alert in quota_alerts(warehouse, {**ALLOWED, Bucket.DEFAULT: 9_001}, NOW)] == [
        "batchGetStats"
    ]
    assert quota_alerts(warehouse, ALLOWED, NOW + timedelta(days=1)) == []


def anomaly(warehouse: Warehouse, video: str, at: datetime, kind: str, severity: str, score: float) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.anomalies (video_id, at, series, kind, target, severity, score, detail, run_id, loaded_at)"
            " VALUES ($1, $2, 'daily', $3, 'views', $4, $5, 'fell', $6::uuid, now())",
            (video, at, kind, severity, score, RUN_ID),
        )


def test_high_anomalies_are_one_alert_a_day_and_kind(warehouse: Warehouse) -> None:
    for number in range(30):
        anomaly(warehouse, f"video{number:06d}", NOW, "fall", "high", number)
    anomaly(warehouse, "abcdefghijk", NOW - timedelta(days=1), "fall", "high", 1.0)
    anomaly(warehouse, "abcdefghijk", NOW, "spike", "medium", 1.0)
    found = {alert.subject: alert.message for alert in anomaly_alerts(warehouse, NOW)}
    assert list(found) == ["fall on 2026-09-03", "fall on 2026-09-04"]
    assert found["fall on 2026-09-04"] == "30 readings of 30 videos, like video000029 views: fell"
    assert anomaly_alerts(warehouse, NOW + timedelta(days=5)) == []


def test_what_stays_as_it_is_is_not_seen_again_and_what_is_gone_is_over(warehouse: Warehouse) -> None:
    anomaly(warehouse, "abcdefghijk", NOW, "fall", "high", 1.0)
    for _ in range(2):
        settle_alerts(warehouse, ANOMALY, anomaly_alerts(warehouse, NOW), NOW)
    [alert] = open_of_kind(warehouse, ANOMALY).values()
    assert (alert["occurrence_count"], alert["run_id"]) == (1, None)
    anomaly(warehouse, "bbcdefghijk", NOW, "fall", "high", 2.0)
    settle_alerts(warehouse, ANOMALY, anomaly_alerts(warehouse, NOW), NOW)
    [alert] = open_of_kind(warehouse, ANOMALY).values()
    assert alert["message"].startswith("2 readings")
    settle_alerts(warehouse, QUOTA, [], NOW)  # another kind closes nothing
    assert open_of_kind(warehouse, ANOMALY)
    settle_alerts(warehouse, ANOMALY, [], NOW)
    assert not open_of_kind(warehouse, ANOMALY)


def booked(warehouse: Warehouse, day: str, rows: int) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.loads (table_name, partition_day, input_version, code_version, row_count, run_id) "
            "VALUES ('ops.quality_scores', $1::text::date, 'v', '1', $3, $2::uuid)",
            (day, RUN_ID, rows),
        )


def scored(warehouse: Warehouse, day: str) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute(
            "INSERT INTO ops.quality_scores (day, table_name, source, status, row_count, reject_count, run_id, "
            "loaded_at) VALUES ($1::text::date, 'metrics.comments', '', 'ok', 1, 0, $2::uuid, now())",
            (day, RUN_ID),
        )


def test_old_data_is_an_alert_that_gets_worse_and_is_over_when_new_data_comes(warehouse: Warehouse) -> None:
    def open_at(now: datetime) -> dict[str, tuple[str, int]]:
        settle_alerts(warehouse, FRESHNESS, freshness_alerts(warehouse, now), now)
        found = open_of_kind(warehouse, FRESHNESS).items()
        return {table: (alert["severity"], alert["occurrence_count"]) for table, alert in found}

    assert open_at(NOW) == {}  # a table that holds nothing is not old
    scored(warehouse, "2026-09-01")  # it ended 68 hours before
    for _ in range(2):
        assert open_at(NOW) == {"ops.quality_scores": ("warning", 1)}
    [alert] = open_of_kind(warehouse, FRESHNESS).values()
    assert alert["message"] == "the newest data is of 2026-09-01; it may be 50 hours old"
    assert (alert["link"], "yt-platform status" in alert["remedy"]) == ("/assets/ops/quality_scores", True)
    assert open_at(NOW + timedelta(hours=33)) == {"ops.quality_scores": ("error", 2)}
    booked(warehouse, "2026-09-01", 1)
    booked(warehouse, "2026-09-04", 0)  # a day made, and nothing in it
    assert open_at(NOW) == {"ops.quality_scores": ("warning", 3)}
    booked(warehouse, "2026-09-05", 1)  # rows that the table did not take
    assert open_at(NOW) == {"ops.quality_scores": ("warning", 3)}
    scored(warehouse, "2026-09-03")
    assert open_at(NOW) == {}
