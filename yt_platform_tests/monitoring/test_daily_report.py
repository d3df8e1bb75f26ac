"""The report of a day from a real warehouse: what it says, and that nothing it shows is taken for markup."""

from datetime import UTC, date, datetime

from yt_platform.metrics.tables import VIDEO_SNAPSHOTS
from yt_platform.monitoring.daily_report import as_message, daily_report
from yt_platform.warehouse.warehouse import Warehouse
from yt_platform_tests.frames import RUN_ID

DAY = date(2026, 3, 2)
DAILY = (
    "INSERT INTO metrics.video_daily SELECT $1, $2::date, NULL, NULL, $2::date, 100, NULL, NULL, $3, NULL, NULL, "
    "false, false, false, 1, 0, 1, 'shorts_at_start', $4::uuid, now()"
)


def test_an_empty_day_is_a_report_too(warehouse: Warehouse) -> None:
    """A day on which nothing came is what a reader most needs to hear of."""
    message = as_message(daily_report(warehouse, DAY))
    assert message.subject == "YouTube data of 2026-03-02: no open alerts"
    assert "Collected: none" in message.text
    assert message.pictures == ()


def test_what_happened_is_told_and_shown(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute(DAILY, ("abcdefghijk", date(2026, 3, 1), 1_500, RUN_ID))
        transaction.execute(DAILY, ("abcdefghijk", DAY, 2_500, RUN_ID))
        transaction.execute(
            "INSERT INTO ops.quarantine (table_name, partition_day, origin, reason, record, run_id) "
            "VALUES ($1, $2, 'file', '<script>alert(1)</script>', '{}', $3::uuid)",
            (VIDEO_SNAPSHOTS.name, DAY, RUN_ID),
        )
        transaction.execute(
            "INSERT INTO ops.alerts "
            "(dedupe_key, severity, kind, subject, message, first_seen_at, last_seen_at, run_id) "
            "VALUES ('k', 'error', 'training', 'video_forecaster', 'no' || chr(10) || 'rows', $1, $1, $2::uuid)",
            (datetime(2026, 3, 2, 4, tzinfo=UTC), RUN_ID),
        )
        transaction.execute(
            "INSERT INTO ops.alerts "
            "(dedupe_key, severity, kind, subject, message, first_seen_at, last_seen_at, resolved_at, run_id) "
            "VALUES ('m', 'error', 'run', 'collect', 'no network', $1, $1, $1, $2::uuid)",
            (datetime(2026, 3, 2, 4, tzinfo=UTC), RUN_ID),
        )
        for at, severity in ((DAY, "low"), (DAY, "high"), (date(2026, 3, 3), "medium")):
            transaction.execute(
                "INSERT INTO ops.anomalies (video_id, at, series, kind, target, severity, detail, run_id, loaded_at) "
                "VALUES ('abcdefghijk', $1::date, 'daily', $2, 'views', $3, 'fell', $4::uuid, now())",
                (at, "fall" if severity == "high" else "spike", severity, RUN_ID),
            )
        for source, score in (("api", 99.9), ("import", 60.04)):
            transaction.execute(
                "INSERT INTO ops.quality_scores (day, table_name, source, score, status, row_count, reject_count, "
                "run_id, loaded_at) SELECT day, 'metrics.comments', $2, $3, 'ok', 5, 1, $4::uuid, now() "
                "FROM unnest(ARRAY[$1::date, $1::date - 100]) AS day",
                (DAY, source, score, RUN_ID),
            )
    message = as_message(daily_report(warehouse, DAY))
    assert message.subject == "YouTube data of 2026-03-02: 1 open alert"
    quality = "metrics.comments | import | 60.0 | ok | 5 | 1\n  metrics.comments | api | 99.9 | ok | 5 | 1"
    assert quality in message.text
    assert "error | run | collect | no network | 2026-03-02 04:00:00+00:00" in message.text
    assert "  high | fall | views | 1 | 1\n  low | spike | views | 1 | 1" in message.text
    assert "medium" not in message.text
    assert "error | training | video_forecaster | no rows" in message.text
    assert message.html is not None
    assert "&lt;script&gt;" in message.html
    assert "<script>" not in message.html
    assert "<td>2,500</td>" in message.html
    assert [picture.png[:4] for picture in message.pictures] == [b"\x89PNG"] * 2
    assert "cid:views" in message.html
    assert "cid:quality" in message.html
    before = as_message(daily_report(warehouse, date(2026, 3, 1)))
    assert "video_forecaster" not in before.text  # of what came later a report says nothing
