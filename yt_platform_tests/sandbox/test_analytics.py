"""The Analytics API over HTTP: the platform's client, and Google's own where the platform would not even ask."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from yt_platform.sandbox import GeneratedWorld
from yt_platform.youtube.accounts import credentials as files
from yt_platform.youtube.accounts.authorization import partner, scopes
from yt_platform.youtube.accounts.credentials import Account, Accounts, AuthorizationError, Stored, owner_secret
from yt_platform.youtube.analytics_api.client import NotAllowedError, query
from yt_platform.youtube.analytics_api.queries import Query, retention_curve, retention_query, rows
from yt_platform.youtube.data_api.client import UnavailableError
from yt_platform_tests.sandbox.client import STARTS_AT, control
from yt_platform_tests.sandbox.consent import granted

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 10)
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def channel_id(world: GeneratedWorld) -> str:
    found = world.channel_with_handle("@synthetic-01")
    assert found
    return found


@pytest.fixture
def account(url: str, channel_id: str, tmp_path: Path) -> Account:
    return opened(url, channel_id, tmp_path, monetary=False)


def opened(url: str, channel_id: str, folder: Path, monetary: bool) -> Account:
    asked = scopes(monetary)
    secret = owner_secret(granted(url, channel_id, " ".join(asked)))
    return Accounts(folder).opened("mine", Stored(files.OWNER, asked, AT, secret))


def google(url: str, account: Account, **asked: str) -> Any:
    """Google's client, unchecked."""
    options = {"api_endpoint": url}
    period = {"ids": "channel==MINE", "startDate": "2026-03-01", "endDate": "2026-03-10"}
    with build(
        "youtubeAnalytics", "v2", credentials=account.credentials, client_options=options, static_discovery=True
    ) as api:
        return api.reports().query(**(period | asked)).execute()


def test_the_curve_of_a_video_falls_from_its_begin_to_its_end(
    url: str, account: Account, world: GeneratedWorld, channel_id: str
) -> None:
    video = world.uploads(channel_id, STARTS_AT.timestamp())[0]
    control(url, "clock", {"now": "2026-03-10T00:00:00Z"})
    curve = retention_curve(query(account, retention_query(video, FIRST, LAST), url))
    assert [round(point.elapsed_video_time_ratio * 100) for point in curve] == list(range(1, 101))
    watched = [point.audience_watch_ratio for point in curve]
    assert watched == sorted(watched, reverse=True)
    assert all(0 <= point.relative_retention_performance <= 1 for point in curve)
    other = world.uploads(str(world.channel_with_handle("@synthetic-02")), STARTS_AT.timestamp())[0]
    assert retention_curve(query(account, retention_query(other, FIRST, LAST), url)) == []


def test_daily_views_are_what_the_counts_gained_and_young_days_are_not_there(
    url: str, account: Account, world: GeneratedWorld, channel_id: str
) -> None:
    """Against the world: views of the API's days, of which the last two have not come."""
    control(url, "clock", {"now": "2026-03-10T12:00:00Z"})
    found = rows(query(account, Query(("views", "likes"), ("day",), FIRST, LAST), url))
    assert [row["day"] for row in found] == [f"2026-03-0{day}" for day in range(1, 8)]
    ids = world.uploads(channel_id, datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())

    def total(day: int) -> int:
        at = datetime(2026, 3, day, tzinfo=UTC).timestamp()
        return sum(state.view_count for state in world.videos(ids, at))

    assert [row["views"] for row in found] == [total(day + 1) - total(day) for day in range(1, 8)]
    [whole] = rows(query(account, Query(("views",), (), FIRST, LAST), url))
    assert whole["views"] == sum(row["views"] for row in found)


def test_kinds_of_content_divide_the_views_by_day_and_by_source(url: str, account: Account) -> None:
    """Against the undivided query: a core dimension beside the others, and engaged views beside views."""
    control(url, "clock", {"now": "2026-03-10T12:00:00Z"})
    [whole] = rows(query(account, Query(("views", "engagedViews"), (), FIRST, LAST), url))
    assert 0 < whole["engagedViews"] < whole["views"]
    for dimensions in ((), ("day",), ("country",), ("insightTrafficSourceType",), ("day", "insightTrafficSourceType")):
        asked = Query(("views", "engagedViews"), (*dimensions, "creatorContentType"), FIRST, LAST)
        parts = rows(query(account, asked, url))
        assert {row["creatorContentType"] for row in parts} == {"shorts", "videoOnDemand"}
        for metric in ("views", "engagedViews"):
            assert sum(row[metric] for row in parts) == pytest.approx(whole[metric], rel=1e-3)


@pytest.mark.parametrize(
    "asked",
    [
        {"metrics": "views", "dimensions": "elapsedVideoTimeRatio", "filters": "video==a"},
        {"metrics": "audienceWatchRatio", "dimensions": "elapsedVideoTimeRatio"},
        {"metrics": "views", "dimensions": "ageGroup"},
        {"metrics": "views", "startDate": "yesterday"},
    ],
)
def test_what_there_is_no_report_of_is_400(url: str, account: Account, asked: dict[str, str]) -> None:
    with pytest.raises(HttpError) as caught:
        google(url, account, **asked)
    assert caught.value.status_code == 400


def test_another_channel_is_403(url: str, account: Account) -> None:
    with pytest.raises(HttpError) as caught:
        google(url, account, metrics="views", ids="channel==UCsomebody-else")
    assert caught.value.status_code == 403


def test_revenue_needs_its_scope_and_is_skipped_with_a_reason_without(
    url: str, account: Account, channel_id: str, tmp_path: Path
) -> None:
    """Refused by the server where it is asked, and by the platform before; the same account's views are answered."""
    with pytest.raises(HttpError) as caught:
        google(url, account, metrics="estimatedRevenue")
    assert caught.value.status_code == 403
    asked = Query(("views", "estimatedRevenue"), (), FIRST, LAST)
    before = control(url, "usage")["calls"]["reports.query"]
    with pytest.raises(NotAllowedError, match=r"account mine: revenue was not granted to it; .*--monetary"):
        query(account, asked, url)
    assert control(url, "usage")["calls"]["reports.query"] == before
    control(url, "clock", {"now": "2026-03-10T12:00:00Z"})
    allowed = opened(url, channel_id, tmp_path, monetary=True)
    [row] = rows(query(allowed, asked, url))
    assert row["estimatedRevenue"] == pytest.approx(row["views"] * 0.002, abs=1e-4)
    control(url, "faults", [{"method": "reports.query", "status": 403, "reason": "accessNotConfigured"}])
    with pytest.raises(AuthorizationError, match="enable the YouTube Analytics API"):  # which is no channel's fault
        query(allowed, asked, url)


def test_a_partner_sees_what_its_content_owner_owns(url: str, channel_id: str, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(control(url, "partner", {"content_owner": "CMS1", "channels": [channel_id]})))
    network = Accounts(tmp_path).opened("network", partner(key, "CMS1", scopes(monetary=False), AT))
    control(url, "clock", {"now": "2026-03-10T12:00:00Z"})
    found = rows(query(network, Query(("viewerPercentage",), ("ageGroup", "gender"), FIRST, LAST), url))
    assert sum(row["viewerPercentage"] for row in found) == pytest.approx(100)
    assert "age13-17" in {row["ageGroup"] for row in found}
    sources = rows(query(network, Query(("views",), ("insightTrafficSourceType",), FIRST, LAST), url))
    assert {row["insightTrafficSourceType"] for row in sources} == {"YT_SEARCH", "SUBSCRIBER", "EXT_URL"}


def test_a_dead_token_and_a_dead_server_are_told_apart(url: str, account: Account, channel_id: str) -> None:
    """By the error's kind: one needs a person, the other patience."""
    asked = Query(("views",), (), FIRST, LAST)
    with pytest.raises(UnavailableError, match="account mine"):
        query(account, asked, "http://127.0.0.1:1")
    control(url, "revoke", {"channel_id": channel_id})
    with pytest.raises(AuthorizationError, match="account mine: Google takes its token no longer"):
        query(account, asked, url)
