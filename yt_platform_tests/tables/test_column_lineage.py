"""What columns are made from, on the declarations alone: a pure function."""

from dataclasses import replace

import pytest
from dagster import TableColumnLineage

from yt_platform.build import build_defs
from yt_platform.catalog import TABLES
from yt_platform.settings import Settings
from yt_platform.tables.declaration import Table
from yt_platform.tables.lineage import column_sources

DAILY = TABLES["metrics.video_daily"]
FROM_TABLES = [table for table in TABLES.values() if any(source.name in TABLES for source in table.inputs)]


def test_there_are_tables_that_are_made_from_tables() -> None:
    assert len(FROM_TABLES) > 8


@pytest.mark.parametrize("table", FROM_TABLES, ids=lambda table: table.name)
def test_every_input_is_the_source_of_a_column(table: Table) -> None:
    """`column_sources` itself raises for a source that does not exist."""
    used = {source for sources in column_sources(table, TABLES).values() for source, _ in sources}
    assert used == {source.name for source in table.inputs if source.name in TABLES}


def test_a_column_is_made_from_what_is_declared_or_from_its_own_name() -> None:
    sources = column_sources(DAILY, TABLES)
    snapshots = "metrics.video_snapshots"
    assert sources["view_count"] == [(snapshots, "view_count")]
    assert sources["like_increment"] == [(snapshots, "like_count"), (snapshots, "likes_known")]


def test_the_first_pattern_that_matches_counts() -> None:
    table = TABLES["features.video_day"]
    assert ("metrics.video_daily", "published_at") in column_sources(table, TABLES)["view_rate_since_published"]
    assert ("metrics.video_daily", "published_at") not in column_sources(table, TABLES)["view_rate_lag_0"]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"day": ("colected_at",)}, "day: its source colected_at"),
        ({"dya": ("collected_at",)}, "sources are given for dya"),
    ],
)
def test_a_name_that_does_not_exist_is_said(sources: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        column_sources(replace(DAILY, sources=sources), TABLES)


def test_dagster_shows_it() -> None:
    graph = build_defs(Settings(_env_file=None)).resolve_asset_graph()
    node = next(node for node in graph.asset_nodes if node.key.path == ["metrics", "video_daily"])
    lineage = node.metadata["dagster/column_lineage"]
    assert isinstance(lineage, TableColumnLineage)
    [source] = lineage.deps_by_column["view_count"]
    assert (source.asset_key.to_user_string(), source.column_name) == ("metrics/video_snapshots", "view_count")
