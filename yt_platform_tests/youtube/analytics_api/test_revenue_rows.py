"""Which days are asked for, and what an answer says, are pure."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from yt_platform.metrics.tables import CHANNEL_REVENUE
from yt_platform.storage.endpoints import API_RESPONSE
from yt_platform.tables.validation import Verdict, judge
from yt_platform.youtube.analytics_api.queries import MONETARY_METRICS, revenue_query
from yt_platform.youtube.analytics_api.revenue_rows import AMOUNTS, COUNTS, channel_revenue, days_to_ask
from yt_platform_tests.frames import CHANNEL

ASKED_AT = datetime(2026, 3, 12, 9, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "newest", "first", "last"),
    [
        # a year at first; three Pacific days are too young
        (ASKED_AT, None, date(2025, 3, 9), date(2026, 3, 9)),
        # 45 days again, and those missed while nobody asked
        (ASKED_AT, date(2026, 3, 8), date(2026, 1, 22), date(2026, 3, 9)),
        (ASKED_AT, date(2025, 12, 31), date(2025, 11, 16), date(2026, 3, 9)),
        # a clock that was set back
        (ASKED_AT, date(2026, 6, 1), date(2026, 1, 23), date(2026, 3, 9)),
        # still the day before in Los Angeles
        (datetime(2026, 3, 12, 6, tzinfo=UTC), date(2026, 3, 8), date(2026, 1, 22), date(2026, 3, 8)),
    ],
)
def test_days_are_asked_for_until_they_are_no_longer_corrected(
    now: datetime, newest: date | None, first: date, last: date
) -> None:
    assert days_to_ask(now, newest) == (first, last)


def read(*bodies: dict[str, Any]) -> Verdict:
    asked = revenue_query(date(2026, 3, 1), date(2026, 3, 8)).parameters()
    rows = [
        {
            "source": "api",
            "access": "owner",
            "collected_at": ASKED_AT,
            "method": "reports.query",
            "parameters": json.dumps({**asked, "account": "mine", "channel_id": CHANNEL}),
            "body": json.dumps(body),
        }
        for body in bodies
    ]
    return judge(CHANNEL_REVENUE, channel_revenue(pa.Table.from_pylist(rows, API_RESPONSE)))


def body(*rows: Any, names: tuple[str, ...] = ("day", *MONETARY_METRICS)) -> dict[str, Any]:
    return {"columnHeaders": [{"name": name} for name in names], "rows": list(rows)}


FIGURES = [12.5, 11.0, 1.5, 22.75, 1200, 18.9583, 1500.0, 15.1667]


def test_every_metric_that_is_asked_for_has_its_column() -> None:
    assert sorted([*AMOUNTS.values(), *COUNTS.values()]) == sorted(MONETARY_METRICS)


def test_an_answer_becomes_a_row_for_each_day_by_its_headers() -> None:
    [row] = read(body(["2026-03-01", *FIGURES])).accepted.to_dict("records")
    assert (row["account"], row["channel_id"], row["day"]) == ("mine", CHANNEL, pd.Timestamp("2026-03-01"))
    assert (row["currency"], row["access"], row["collected_at"]) == ("USD", "owner", ASKED_AT)
    found = {name: row[column] for column, name in {**AMOUNTS, **COUNTS}.items()}
    assert found == dict(zip(MONETARY_METRICS, FIGURES, strict=True))
    [turned] = read(body([0.002, "2026-03-02"], names=("estimatedRevenue", "day"))).accepted.to_dict("records")
    assert (turned["day"], turned["estimated_revenue"]) == (pd.Timestamp("2026-03-02"), 0.002)
    assert pd.isna(turned["gross_revenue"])
    assert pd.isna(turned["ad_impressions"])


def test_an_answer_of_headers_alone_is_no_revenue_and_no_fault() -> None:
    for empty in ({"kind": "youtubeAnalytics#resultTable"}, body()):
        verdict = read(empty)
        assert (len(verdict.accepted), len(verdict.rejected)) == (0, 0)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["yesterday", *FIGURES], "day = yesterday is malformed"),
        ([20260301, *FIGURES], "day = 20260301 is malformed"),
        (["2026-03-03", "much", *FIGURES[1:]], "estimated_revenue = much is malformed"),
        (["2026-03-03", *FIGURES[:4], 1.5, *FIGURES[5:]], "monetized_playbacks = 1.5 is malformed"),
        (["2026-03-03", *FIGURES[:-1], -1], "cpm = -1.0 fails"),
        (["2026-03-03"], r"day = \['2026-03-03'\] is malformed"),
    ],
)
def test_a_day_that_cannot_be_is_refused_and_no_other(row: Any, said: str) -> None:
    verdict = read(body(["2026-03-01", *FIGURES], row, ["2026-03-02", *[None] * 8]))
    assert verdict.accepted["day"].dt.day.tolist() == [1, 2]
    assert verdict.rejected["reason"].str.match(said).all(), verdict.rejected["reason"].tolist()
