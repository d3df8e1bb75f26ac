"""Which queries may be asked is pure: each refusal names what is allowed, so that no call is spent on finding out."""

from datetime import date

import pytest

from yt_platform.youtube.analytics_api.queries import (
    COMBINATIONS,
    Query,
    QueryError,
    RetentionPoint,
    check,
    retention_curve,
    retention_query,
    revenue_query,
    rows,
)

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (Query(("views",), ("hour",), FIRST, LAST), "has the dimensions hour; there are: elapsedV.*, none, day"),
        (Query(("views",), ("elapsedVideoTimeRatio",), FIRST, LAST), "no metric views; it has: audience"),
        (Query((), ("day",), FIRST, LAST), "activity has no metric none; it has: views"),
        (Query(("audienceWatchRatio",), ("elapsedVideoTimeRatio",), FIRST, LAST), "be by video, .* needs video"),
        (Query(("views",), ("day",), FIRST, LAST, {"gender": "x"}), "not filtered by gender; it may be by video"),
        (Query(("viewerPercentage",), ("ageGroup", "creatorContentType"), FIRST, LAST), "dimensions ageGroup, creator"),
        (Query(("engagedViews",), ("ageGroup",), FIRST, LAST), "demographics has no metric engagedViews"),
        (Query(("views",), ("day",), FIRST, LAST, {"creatorContentType": "shorts"}), "filtered by creatorContentType"),
        (retention_query("a,b", FIRST, LAST), "one video"),
        (retention_query("a;country==DE", FIRST, LAST), "one value for each filter"),
        (retention_query("", FIRST, LAST), "needs video"),
        (retention_query("a", LAST, FIRST), "name the first day first"),
    ],
)  # fmt: skip
def test_what_is_no_documented_report_is_refused_with_what_is(query: Query, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        query.parameters()


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda combination: combination.name)
def test_every_combination_may_be_asked_in_any_order_and_whole(combination: object) -> None:
    """Over the table itself, so that an entry that contradicts itself is found."""
    for dimensions in combination.dimensions:
        filters = dict.fromkeys((*combination.required_filters, *combination.filters), "x")
        check(Query(combination.metrics, tuple(reversed(dimensions)), FIRST, LAST, filters))


def test_parameters_are_as_the_api_writes_them() -> None:
    query = Query(("views", "likes"), ("day",), FIRST, LAST, {"video": "a,b", "country": "DE"})
    assert query.parameters() == {
        "startDate": "2026-01-01",
        "endDate": "2026-01-31",
        "metrics": "views,likes",
        "dimensions": "day",
        "filters": "video==a,b;country==DE",
    }
    both = Query(("views", "engagedViews"), ("creatorContentType", "day"), FIRST, LAST).parameters()
    assert (both["metrics"], both["dimensions"]) == ("views,engagedViews", "creatorContentType,day")
    assert revenue_query(FIRST, LAST).parameters()["currency"] == "USD"
    assert Query(("views",), (), FIRST, LAST).parameters().keys() == {"startDate", "endDate", "metrics"}


def test_an_answer_is_read_by_its_headers() -> None:
    """Columns in another order, a value that YouTube does not give, points out of order, and an answer without rows."""
    headers = ("relativeRetentionPerformance", "elapsedVideoTimeRatio", "audienceWatchRatio")
    answer = {"columnHeaders": [{"name": name} for name in headers], "rows": [[0.4, 0.02, 0.9], [None, 0.01, 1.2]]}
    assert retention_curve(answer) == [RetentionPoint(0.01, 1.2, None), RetentionPoint(0.02, 0.9, 0.4)]
    assert rows({"columnHeaders": answer["columnHeaders"]}) == []
