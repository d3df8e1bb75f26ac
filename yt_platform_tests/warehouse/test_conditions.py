"""What the books and the data say is wrong, on a real Postgres."""

from datetime import UTC, datetime, timedelta

from yt_platform.core.quota import Bucket
from yt_platform.io.alerts import ANOMALY, QUOTA, open_of_kind, settle_alerts
from yt_platform.io.conditions import anomaly_alerts, quota_alerts
from yt_platform.io.warehouse import Warehouse
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
