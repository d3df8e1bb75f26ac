"""Report types and the reading of a stored report are pure: files are bytes here, and no database is needed."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from yt_platform.storage.report_lines import ReportError
from yt_platform.tables.validation import Verdict, judge
from yt_platform.youtube.reporting_api import reports
from yt_platform.youtube.reporting_api.reports import (
    FAMILIES,
    ReportHead,
    family_of,
    header_of,
    newest_types,
    pieces,
    report_day,
    rows,
    unknown_columns,
)

NOW = datetime(2026, 3, 5, tzinfo=UTC)
CHANNEL = "UC2vW_-qeIhF1ESszzuH2pyw"


def head(report_type: str, day: str = "2026-03-01", account: str = "studio") -> ReportHead:
    start = datetime.fromisoformat(f"{day}T08:00:00Z")
    return ReportHead(account, report_type, "job", "report", start, NOW, NOW, "api")


def read(head: ReportHead, text: bytes) -> Verdict:
    frames = [rows(piece) for piece in pieces(io.BufferedReader(io.BytesIO(head.line() + text)))]  # type: ignore[arg-type]
    return judge(head.family.table, pd.concat(frames, ignore_index=True))


def basic(*lines: str) -> bytes:
    """A report of `channel_basic_a3` without its columns of cards and annotations, in an order of its own."""
    columns = (
        "video_id,channel_id,date,live_or_on_demand,subscribed_status,country_code,engaged_views,views,comments,likes,"
        "dislikes,shares,watch_time_minutes,average_view_duration_seconds,average_view_duration_percentage,"
        "subscribers_gained,subscribers_lost,red_views,red_watch_time_minutes,new_metric"
    )
    return "\n".join([columns, *lines, ""]).encode()


ROW = f"TSTbp5LSBdw,{CHANNEL},20260301,on_demand,subscribed,CA,3,4,0,-1,0,1,2.5,37.5,12.25,1,0,1,0.5,9"
OF_CHANNEL = f",{CHANNEL},2026-03-01,on_demand,not_subscribed,ZZ,,0,0,0,0,0,0,,,2,1,0,0,9"


def test_columns_are_read_by_header_and_empty_ids_are_normal() -> None:
    verdict = read(head("channel_basic_a3"), basic(ROW, OF_CHANNEL))
    assert verdict.rejected.empty
    video, channel = verdict.accepted.to_dict("records")
    assert (video["video_id"], video["views"], video["likes"], video["watch_time_minutes"]) == (
        "TSTbp5LSBdw",
        4,
        -1,
        2.5,
    )
    assert (video["day"], video["account"], video["claimed_status"]) == (pd.Timestamp("2026-03-01"), "studio", "")
    assert (video["reported_at"], video["access"]) == (pd.Timestamp(NOW), "owner")
    assert (channel["video_id"], channel["subscribers_gained"]) == ("", 2)
    assert pd.isna(channel["engaged_views"])
    assert pd.isna(channel["average_view_duration_seconds"])


def test_columns_that_no_table_has_are_told_and_those_of_cards_are_known() -> None:
    family = head("channel_basic_a3").family
    assert unknown_columns(family, [*header_of(basic().splitlines()[0]), "card_clicks"]) == ["new_metric"]


def test_a_report_that_divides_by_kind_of_content_keeps_a_row_for_each_kind() -> None:
    """By hand: shorts and others of one video and country are two rows; a type without the column has one, unnamed."""
    shorts, others = (ROW.replace(",9", f",{kind}") for kind in ("shorts", "videoOnDemand"))
    text = basic(shorts, others).replace(b"new_metric", b"creator_content_type")
    found = read(head("channel_basic_a4"), text).accepted
    assert found["creator_content_type"].tolist() == ["shorts", "videoOnDemand"]
    assert "creator_content_type" in head("channel_basic_a4").family.table.key
    assert read(head("channel_basic_a3"), basic(ROW)).accepted["creator_content_type"].tolist() == [""]


def test_age_groups_under_18_are_viewers_like_others() -> None:
    columns = "date,channel_id,video_id,live_or_on_demand,subscribed_status,country_code,age_group,gender,"
    ages = ("AGE_13_17", "AGE_18_24", "AGE_65_")
    rows = [f"20260301,{CHANNEL},TSTbp5LSBdw,on_demand,subscribed,CA,{age},FEMALE,33.3" for age in ages]
    verdict = read(head("channel_demographics_a1"), "\n".join([f"{columns}views_percentage", *rows, ""]).encode())
    assert verdict.rejected.empty
    assert verdict.accepted["age_group"].tolist() == [*ages]


HEADERS = {
    "channel_device_os_a3": "date,channel_id,video_id,live_or_on_demand,subscribed_status,country_code,device_type,"
    "operating_system,views,engaged_views,watch_time_minutes,average_view_duration_seconds,"
    "average_view_duration_percentage,red_views,red_watch_time_minutes",
    "channel_device_os_a1": "date,channel_id,video_id,live_or_on_demand,subscribed_status,country_code,device_type,"
    "operating_system,views,watch_time_minutes,average_view_duration_seconds,average_view_duration_percentage",
    "content_owner_playback_location_a3": "date,channel_id,video_id,claimed_status,uploader_type,live_or_on_demand,"
    "subscribed_status,country_code,playback_location_type,playback_location_detail,engaged_views,views,"
    "watch_time_minutes,average_view_duration_seconds,average_view_duration_percentage,red_views,red_watch_time_minutes",
    "channel_cards_a2": "date,channel_id,video_id,live_or_on_demand,subscribed_status,country_code,card_type,card_id,"
    "card_click_rate,card_teaser_click_rate,card_impressions,card_teaser_impressions,card_clicks,card_teaser_clicks",
    "channel_end_screens_a1": "date,channel_id,video_id,live_or_on_demand,subscribed_status,country_code,"
    "end_screen_element_type,end_screen_element_id,end_screen_element_clicks,end_screen_element_impressions,"
    "end_screen_element_click_rate",
    "channel_subtitles_a3": "date,channel_id,video_id,live_or_on_demand,subscribed_status,country_code,"
    "subtitle_language,subtitle_language_autotranslated,engaged_views,views,watch_time_minutes,"
    "average_view_duration_seconds,average_view_duration_percentage,red_views,red_watch_time_minutes",
    "channel_province_a3": "date,channel_id,video_id,live_or_on_demand,subscribed_status,country_code,province_code,"
    "engaged_views,views,watch_time_minutes,average_view_duration_seconds,average_view_duration_percentage,"
    "annotation_click_through_rate,annotation_close_rate,annotation_impressions,annotation_clickable_impressions,"
    "annotation_closable_impressions,annotation_clicks,annotation_closes,card_click_rate,card_teaser_click_rate,"
    "card_impressions,card_teaser_impressions,card_clicks,card_teaser_clicks,red_views,red_watch_time_minutes",
    "content_owner_playlist_basic_a2": "date,channel_id,playlist_id,video_id,live_or_on_demand,subscribed_status,"
    "country_code,engaged_views,views,watch_time_minutes,average_view_duration_seconds,playlist_starts,"
    "playlist_saves_added,playlist_saves_removed",
}
"""Of Google's documentation, and of a report that another project shows; a1 is of 2015."""


@pytest.mark.parametrize("report_type", HEADERS)
def test_reports_of_every_further_kind_are_read_by_their_own_header(report_type: str) -> None:
    """Every cell that a table has a column for is in it; a header alone is a day without activity."""
    header = HEADERS[report_type].split(",")
    given = {"date": "20260301", "channel_id": CHANNEL, "video_id": "TSTbp5LSBdw"}
    cells = [given.get(name, str(place)) for place, name in enumerate(header)]
    text = f"{HEADERS[report_type]}\n{','.join(cells)}\n".encode()
    [row] = read(head(report_type), text).accepted.to_dict("records")
    family = head(report_type).family
    assert unknown_columns(family, header) == []
    for place, name in enumerate(header):
        if name in family.table.column_names and name not in given:
            assert str(row[name]).removesuffix(".0") == str(place)
    lacking = set(family.table.column_names) - {*header, "day"}
    assert all(row[name] == "" or pd.isna(row[name]) for name in lacking - {"account", "source", "access"} - TIMES)
    assert read(head(report_type), f"{HEADERS[report_type]}\n".encode()).accepted.empty


TIMES = {"reported_at", "refreshed_at"}


def test_a_report_of_no_activity_has_a_header_and_no_rows() -> None:
    assert read(head("channel_basic_a3"), basic()).accepted.empty
    assert read(head("channel_basic_a3"), basic().rstrip(b"\n")).accepted.empty


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            basic().replace(b"video_id", b"vid").replace(b",views", b",seen"),
            "lacks video_id, views; its columns are vid",
        ),
        (basic().replace(b"new_metric", b"views"), "has views more than once"),
        (b"", "its columns are none"),
        (b"<html>\xff\n", "its columns are none"),
        (basic(ROW, "1,2,3"), "is no CSV"),
    ],
)
def test_a_file_that_is_no_such_report_is_a_clear_error(text: bytes, why: str) -> None:
    with pytest.raises(ReportError) as raised:
        read(head("channel_basic_a3"), text)
    assert "report channel_basic_a3 of account studio, day 2026-03-01" in str(raised.value)
    assert why in str(raised.value)


def test_cells_that_are_no_numbers_and_days_that_are_not_the_reports_are_refused_row_by_row() -> None:
    bad = [
        ROW.replace(",4,", ",four,"),
        ROW.replace("20260301", "20260302"),
        ROW.replace("TSTbp5LSBdw", "short"),
        ROW.replace(",4,", f",{10**30},"),
        ROW.replace("2.5", "n/a", 1),
    ]
    verdict = read(head("channel_basic_a3"), basic(*bad, ROW))
    assert len(verdict.accepted) == 1
    assert {reason.split(" fails ")[0] for reason in verdict.rejected["reason"]} == {
        "views = four is malformed",
        "day = 20260302 in the report of 2026-03-01 is malformed",
        "video_id = short",
        f"views = {10**30} is malformed",
        "watch_time_minutes = n/a is malformed",
    }


def test_a_large_report_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "BLOCK_BYTES", 300)
    what = head("channel_basic_a3")
    stored = io.BufferedReader(io.BytesIO(what.line() + basic(*[ROW] * 500)))  # type: ignore[arg-type]
    sizes = [piece.num_rows for piece in pieces(stored)]
    assert sum(sizes) == 500
    assert max(sizes) < 30


def test_quoted_search_terms_of_several_lines_are_one_cell() -> None:
    columns = [
        name
        for name in family_of("channel_traffic_source_a3").columns
        if name not in ("claimed_status", "uploader_type")
    ]  # type: ignore[union-attr]
    given = {
        "date": "20260301",
        "channel_id": CHANNEL,
        "traffic_source_type": "5",
        "traffic_source_detail": 'a "b",\nc',
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="1", lineterminator="\n")
    writer.writeheader()
    writer.writerow({**given, "video_id": "TSTbp5LSBdw"})
    [row] = read(head("channel_traffic_source_a3"), text.getvalue().encode()).accepted.to_dict("records")
    assert row["traffic_source_detail"] == 'a "b",\nc'


def test_the_newest_type_that_has_not_ended_is_taken_of_each_kind() -> None:
    offered = [
        {"id": "channel_basic_a2"},
        {"id": "channel_basic_a10"},
        {"id": "channel_basic_a11", "deprecateTime": "2026-03-04T00:00:00Z"},
        {"id": "channel_basic_a3", "deprecateTime": "2026-12-01T00:00:00.123456789Z"},
        {"id": "channel_demographics_a1"},
        {"id": "channel_combined_a3"},
        {"id": "channel_cards_a1"},
        {"id": "channel_cards_a2"},
        {"id": "playlist_basic_a2"},
        {"id": "content_owner_ad_revenue_raw_a1", "systemManaged": True},
        {"id": "content_owner_estimated_revenue_a1", "systemManaged": True},
        {"name": "without an id"},
    ]
    assert newest_types(offered, NOW) == [
        "channel_basic_a10",
        "channel_cards_a2",
        "channel_demographics_a1",
        "playlist_basic_a2",
    ]
    assert family_of("playlist_combined_a2") is None
    assert [family.name for family in FAMILIES if family.monetary] == ["revenue"]


def test_a_reports_day_is_pacific_in_summer_and_winter() -> None:
    assert report_day(datetime(2026, 3, 1, 8, tzinfo=UTC)) == date(2026, 3, 1)
    assert report_day(datetime(2026, 7, 1, 7, tzinfo=UTC)) == date(2026, 7, 1)
    assert report_day(datetime(2026, 7, 1, 6, 59, tzinfo=UTC)) == date(2026, 6, 30)


def real_days(file: Path) -> Iterator[tuple[str, bytes, list[dict[str, str]]]]:
    """A real file, day by day: the day, its CSV, and its rows as Python's own reader has them."""
    with file.open(newline="") as stream:
        found = list(csv.DictReader(stream))
    for day in sorted({row["date"] for row in found}):
        kept = [row for row in found if row["date"] == day]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(found[0]))
        writer.writeheader()
        writer.writerows(kept)
        yield day, text.getvalue().encode(), kept


def test_real_reports_of_an_older_type_say_what_pythons_own_reader_finds(data_dir: Path) -> None:
    """Of a2, with two columns of the vendor that brought them; dates have hyphens."""
    days = list(real_days(data_dir / "reporting" / "youtube_channel_basic_data.csv"))
    verdicts = [read(head("channel_basic_a2", day), text) for day, text, _ in days]
    assert all(verdict.rejected.empty for verdict in verdicts)
    made: list[dict[str, Any]] = list(chain(*(verdict.accepted.to_dict("records") for verdict in verdicts)))
    given = list(chain(*(found for _, _, found in days)))
    assert len(made) == len(given) > 50
    for ours, theirs in zip(made, given, strict=True):
        assert ours["day"] == pd.Timestamp(theirs["date"])
        assert pd.isna(ours["engaged_views"])
        for name in ("video_id", "channel_id", "country_code", "subscribed_status"):
            assert ours[name] == theirs[name]
        for name in ("views", "likes", "subscribers_gained", "watch_time_minutes", "average_view_duration_percentage"):
            assert float(ours[name]) == float(theirs[name])
    family = head("channel_basic_a2").family
    assert unknown_columns(family, list(given[0])) == ["_fivetran_id", "_fivetran_synced"]


def test_real_demographics_are_refused_for_their_masked_channel_and_nothing_else(data_dir: Path) -> None:
    for day, text, found in real_days(data_dir / "reporting" / "youtube_channel_demographics_data.csv"):
        verdict = read(head("channel_demographics_a1", day), text.replace(b"ZZZZZZ", CHANNEL.encode()))
        assert verdict.rejected.empty
        assert verdict.accepted["views_percentage"].tolist() == [float(row["views_percentage"]) for row in found]
        assert set(read(head("channel_demographics_a1", day), text).rejected["channel_id"]) == {"ZZZZZZ"}
