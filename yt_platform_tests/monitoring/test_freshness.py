"""Ages by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from yt_platform.catalog import TABLES
from yt_platform.monitoring.freshness import data_age, outdated

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("newest", "age"),
    [
        (datetime(2026, 3, 2, 9, tzinfo=UTC), timedelta(hours=3)),
        (date(2026, 3, 2), timedelta(0)),  # a day that has not ended is not old
        (date(2026, 3, 1), timedelta(hours=12)),
        (date(2026, 2, 27), timedelta(days=2, hours=12)),
    ],
)
def test_a_day_ages_from_its_end(newest: datetime | date, age: timedelta) -> None:
    assert data_age(newest, NOW) == age


def test_a_table_is_told_of_unless_one_it_is_made_from_is_too_old_itself() -> None:
    """All follow from the readings: one that stops them is one alert and not ten."""
    fresh = dict.fromkeys(TABLES, timedelta(hours=1))
    assert outdated(fresh) == {}
    made = {**fresh, "metrics.video_daily": timedelta(hours=51), "features.video_day": timedelta(hours=51)}
    assert outdated(made) == {"metrics.video_daily": timedelta(hours=50)}
    assert outdated({**made, "metrics.video_snapshots": timedelta(hours=37)}).keys() == {"metrics.video_snapshots"}
    assert outdated({"features.video_day": timedelta(hours=51)}).keys() == {"features.video_day"}
    assert outdated({"metrics.comments": timedelta(days=8), "ops.alerts": timedelta(days=999)}) == {}
