"""Importing history files, from files on disk to stored batches and rejects.

At `open_history`: what the catalogue and the quarantine get is decided by all its parts together.
"""

import csv
import json
import re
import subprocess
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from yt_platform.history import (
    History,
    HistoryError,
    ImportedBatch,
    NamingError,
    Options,
    Reject,
    Scan,
    csv_file,
    mapped_columns,
    open_history,
    parquet_file,
)
from yt_platform.history.names import SYNONYMS, snake_case
from yt_platform.history.preview import preview
from yt_platform.storage.endpoints import ENDPOINTS
from yt_platform.storage.raw import RawStore

HEADER = "timestamp,video_id,view_count,like_count,comment_count\n"
COUNTS = ["view_count", "like_count", "comment_count"]
QUOTE = '"'


_INTEGERS = {pa.int64(): pd.Int64Dtype()}.get


@dataclass
class Imported:
    history: History
    scan: Scan
    batches: list[ImportedBatch] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rows: dict[str, pd.DataFrame] = field(default_factory=dict)


def imported(path: Path) -> Imported:
    """Imports a path into a store of its own and reads everything back from there."""
    history = open_history(path)
    result = Imported(history, history.scan())
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        store = RawStore(f"{folder}/raw")
        result.batches = list(history.batches(store, scratch))
        result.rejects = list(history.rejects)
        assert len(history.rejects) == len(result.rejects)
        assert [file.name for file in scratch.iterdir()] == ["rejects.jsonl"]
        for endpoint in ENDPOINTS:
            tables = [_read(store, batch) for batch in result.batches if batch.endpoint == endpoint]
            if tables:
                result.rows[endpoint] = pa.concat_tables(tables).to_pandas(types_mapper=_INTEGERS)
    return result


def _read(store: RawStore, batch: ImportedBatch) -> pa.Table:
    table = store.read_table(batch.file.path, batch.file.sha256)
    assert table.schema == ENDPOINTS[batch.endpoint].schema
    assert table.num_rows == batch.file.rows
    times = pd.DatetimeIndex(table["collected_at"].to_pandas())
    assert (batch.first_collected_at, batch.last_collected_at) == (times.min(), times.max())
    assert set(times.normalize()) == {pd.Timestamp(batch.day, tz="UTC")}
    return table


def hashes(result: Imported) -> list[tuple[str, str]]:
    return [(batch.file.path, batch.file.sha256) for batch in result.batches]


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def counts(frame: pd.DataFrame) -> list[list[Any]]:
    frame = frame.sort_values(["collected_at", "video_id"])
    columns = ["video_id", *COUNTS]
    return frame[columns].astype(object).where(frame[columns].notna(), None).to_numpy().tolist()


# Tracker CSV


def test_tracker_rows_are_split_by_utc_day(tmp_path: Path) -> None:
    path = written(
        tmp_path / "data",
        "timestamp,videoId,viewCount,likeCount,commentCount\n"
        "2026-01-02T00:30:00+01:00,a,10,1,\n"
        "2026-01-02T00:30:00,a,11,,0\n"
        "2026-01-01T23:59:59.999999Z,b,5,0,0\n",
    )
    result = imported(path)
    assert counts(result.rows["video_snapshots"]) == [["a", 10, 1, None], ["b", 5, 0, 0], ["a", 11, None, 0]]
    assert result.scan == Scan(3, [date(2026, 1, 1), date(2026, 1, 2)])
    assert [(batch.day.day, batch.file.rows, batch.sources) for batch in result.batches] == [
        (1, 2, ("tracker",)),
        (2, 1, ("tracker",)),
    ]
    snapshots = result.rows["video_snapshots"]
    assert set(snapshots["region"]) == {""}
    assert not snapshots[["like_zero_is_missing", "comment_zero_is_missing"]].to_numpy().any()
    assert snapshots[["channel_id", "published_at"]].isna().to_numpy().all()


@pytest.mark.parametrize(
    "content",
    [
        HEADER.encode() + b"2026-01-02,a,1,2,3",
        b"\xef\xbb\xbf" + HEADER.encode() + b"2026-01-02,a,1,2,3\n",
        HEADER.replace("\n", "\r\n").encode() + b"2026-01-02,a,1,2,3\r\n\r\n\r\n",
        b'"timestamp","video_id","view_count","like_count","comment_count"\n"2026-01-02","a","1","2","3"\n',
        b"extra,Timestamp, video_id ,viewCount,LikeCount,comment_count\n,2026-01-02,a,1.0,2,3e0\n",
    ],
    ids=["no newline at the end", "BOM", "CRLF and blank lines", "quoted", "other columns and spellings"],
)
def test_one_row_however_it_is_written(tmp_path: Path, content: bytes) -> None:
    result = imported(written(tmp_path / "one.csv", content))
    assert counts(result.rows["video_snapshots"]) == [["a", 1, 2, 3]]
    assert result.rejects == []


_ROWS = HEADER + '2026-01-02,a,1,2,3\n2026-01-02,"b;,\t|b",4,5,6\n2026-01-03,é,7,8,9\n'
_EXCEL = _ROWS.replace('"b;,\t|b"', "b").replace(",", ";")


@pytest.mark.parametrize(
    ("content", "second"),
    [
        (_ROWS.replace("\n", "\r").encode(), "b;,\t|b"),
        (_ROWS.replace("\n", "\r", 2).encode(), "b;,\t|b"),
        (_ROWS.replace("\n", "\r\n", 2).replace("9\n", "9\r").encode(), "b;,\t|b"),
        (_EXCEL.encode(), "b"),
        (_EXCEL.replace(";", "\t").encode(), "b"),
        (_EXCEL.replace(";", "|").encode(), "b"),
        (b"sep=;\r\n" + _EXCEL.replace("\n", "\r\n").encode("utf-8"), "b"),
        (b'\xef\xbb\xbf"sep=\t"\n' + _EXCEL.replace(";", "\t").encode(), "b"),
        (_ROWS.encode("utf-16"), "b;,\t|b"),
        (b"\xfe\xff" + _EXCEL.replace(";", "\t").replace("\n", "\r\n").encode("utf-16-be"), "b"),
        (_EXCEL.encode("utf-16-le"), "b"),
        (_EXCEL.replace("\n", "\r").encode("utf-16-be"), "b"),
    ],
    ids=[
        "CR alone",
        "CR, then LF",
        "CRLF, LF and CR",
        "semicolons",
        "tabs",
        "bars",
        "semicolons named for Excel",
        "tabs named for Excel",
        "UTF-16",
        "UTF-16 of tabs and CRLF",
        "UTF-16 without a mark",
        "UTF-16 without a mark of CR",
    ],
)
def test_every_dialect_gives_the_same_rows(tmp_path: Path, content: bytes, second: str) -> None:
    """A file of CR alone was one header to the end; one of semicolons or in UTF-16 was refused."""
    result = imported(written(tmp_path / "t.csv", content))
    assert result.rejects == []
    assert counts(result.rows["video_snapshots"]) == [["a", 1, 2, 3], [second, 4, 5, 6], ["é", 7, 8, 9]]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("delimiter", csv_file.DELIMITERS)
def test_rejects_name_their_line_in_every_dialect(tmp_path: Path, end: str, delimiter: str) -> None:
    lines = [HEADER.strip(), "2026-01-02,a,1,2,3", '2026-01-02,"b,1,2,3', "2026-01-02,c,x,2,3", "2026-01-02,d,1,2,3"]
    path = written(tmp_path / "t.csv", (end.join(lines) + end).replace(",", delimiter))
    result = imported(path)
    assert [(reject.line, reject.column) for reject in result.rejects] == [(3, None), (4, "view_count")]
    assert ids(result) == ["a", "d"]


def test_a_line_of_any_length_is_passed_over_and_named(tmp_path: Path) -> None:
    """A line of 300 MB was held in memory whole."""
    long = "x" * (2 * csv_file.LINE_CHARS + 7)
    content = HEADER + f'2026-01-02,a,1,2,3\n2026-01-02,{long},1,2,3\r\n2026-01-02,"b\n{long}\n2026-01-02,c,1,2,3\n'
    result = imported(written(tmp_path / "t.csv", content))
    assert [(reject.line, len(reject.record)) for reject in result.rejects] == [(3, 2_000), (4, 2_000), (5, 2_000)]
    assert "a line longer than 1,048,576 characters" in result.rejects[0].reason
    assert ids(result) == ["a", "c"]


def test_memory_does_not_grow_with_the_length_of_a_line(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", HEADER + "2026-01-02,a,1,2,3\n")
    with path.open("a") as file:
        for _ in range(64):
            file.write("x" * (1 << 20))
        file.write("\n2026-01-02,b,1,2,3\n")
    history = open_history(path)
    tracemalloc.start()
    try:
        assert history.scan().rows == 3
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20


def test_long_rows_are_converted_in_small_chunks(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", HEADER + f"2026-01-02,{'x' * 100_000},1,2,3\n" * 700)
    names = {name: name for name in HEADER.strip().split(",")}
    sizes = [len(chunk.lines) for chunk in csv_file.chunks(path, path.name, names, names)]
    assert sum(sizes) == 700
    assert max(sizes) * 100_000 < csv_file.CHUNK_CHARS + 200_000


@pytest.mark.parametrize("word", ["NA", "None", "null", "NaN", "\\N", "-", "Hidden", "-1", ""])
def test_a_word_for_missing_costs_a_nullable_count_alone(tmp_path: Path, word: str) -> None:
    """Rows lost their views, as their likes were hidden; one without its views is nothing."""
    path = written(tmp_path / "t.csv", HEADER + f"2026-01-02,a,10,{word},3\n2026-01-02,b,{word},2,3\n")
    result = imported(path)
    assert counts(result.rows["video_snapshots"]) == [["a", 10, None, 3]]
    (reject,) = result.rejects
    assert (reject.line, reject.column) == (3, "view_count")
    assert reject.reason == ("is empty" if not word else f"is {word!r}, which stands for missing")


def test_a_row_without_views_still_brings_its_metadata(tmp_path: Path) -> None:
    row = _kaggle("v1", "Plain", 0).replace(",0,5,1,7,", ",NA,5,1,7,")
    result = imported(written(tmp_path / "k.csv", KAGGLE_HEADER + row))
    assert result.rejects == []
    assert result.rows["videos"]["title"].tolist() == ["Plain"]
    assert counts(result.rows["video_snapshots"]) == [["v1", None, 5, 7]]


def test_a_count_of_one_chunk_is_explained_by_another(tmp_path: Path) -> None:
    """Files are converted in chunks, and only the last one tells that points part thousands."""
    rows = ["2026-01-02;a0;1.000;2;3\n", *(f"2026-01-02;a{number};7;2;3\n" for number in range(1, 12_000))]
    content = HEADER.replace(",", ";") + "".join(rows) + "2026-01-02;b;1.234.567;2;3\n"
    result = imported(written(tmp_path / "t.csv", content))
    assert result.rejects == []
    views = result.rows["video_snapshots"].set_index("video_id")["view_count"]
    assert (views["a0"], views["a1"], views["b"]) == (1000, 7, 1_234_567)


def _kaggle_2017(days: list[str], published: list[str]) -> str:
    header = (
        "video_id,trending_date,title,channel_title,category_id,publish_time,tags,views,likes,dislikes,comment_count,"
        "thumbnail_link,comments_disabled,ratings_disabled,video_error_or_removed,description\n"
    )
    rows = [
        f"v{number},{day},T,C,22,{published[number % len(published)]},a|b,1000,5,1,7,http://x,False,False,False,d\n"
        for number, day in enumerate(days)
    ]
    return header + "".join(rows)


@pytest.mark.parametrize(
    ("days", "published"),
    [
        (["24.11.04", "24.11.06"], ["2024-11-01T10:00:00.000Z", "2024-11-02T10:00:00.000Z"]),
        (["2024/11/04", "2024/11/06"], ["2024-11-01T10:00:00.000Z"]),
        (["24.04.11", "24.06.11"], ["2024-11-01T10:00:00.000Z"]),
        (["04/11/2024", "06/11/2024"], ["2024-11-01T10:00:00.000Z"]),
        (["11/04/2024", "11/06/2024"], ["2024/11/01"]),
        (["24.11.04", "24.11.05", "24.11.06"], [""]),
        (["24.11.04", "24.11.30"], [""]),
    ],
)
def test_dates_are_read_in_the_order_the_file_proves(tmp_path: Path, days: list[str], published: list[str]) -> None:
    """Rows of 4 to 9 November were stored under 11 April to 11 September, before their videos were published."""
    result = imported(written(tmp_path / "k.csv", _kaggle_2017(days * 5, published)))
    assert result.rejects == []
    assert result.scan.days[0] == date(2024, 11, 4)
    assert result.scan.days[-1].month == 11
    assert [batch.day for batch in result.batches if batch.endpoint == "videos"] == result.scan.days
    if published != [""]:
        assert result.rows["video_snapshots"]["published_at"].notna().all()


def test_dates_that_stay_open_are_refused_with_both_readings_and_the_remedy(tmp_path: Path) -> None:
    path = written(tmp_path / "k.csv", _kaggle_2017(["24.11.04", "24.11.06"], ["2020-11-01T10:00:00.000Z"]))
    with pytest.raises(HistoryError) as error:
        open_history(path).scan()
    told = str(error.value)
    assert told.startswith("k.csv, column trending_date: holds dates that may be year, ")
    assert "year, day, month (24.11.04 is 2024-04-11)" in told
    assert "year, month, day (24.11.04 is 2024-11-04)" in told
    assert "--dates ydm" in told
    assert "--dates ymd" in told
    named = {order: open_history(path, Options(dates=order)) for order in ("ydm", "ymd")}
    assert [history.scan().days[0] for history in named.values()] == [date(2024, 4, 11), date(2024, 11, 4)]
    assert len({history.import_id for history in (*named.values(), open_history(path))}) == 3


def test_a_parquet_text_that_repeats_is_read_in_pieces(tmp_path: Path) -> None:
    """143 kB on disk became 1.7 GB in memory."""
    rows, long = 30_000, "x" * 50_000
    table = _hourly(rows, title=pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([long])))
    path = tmp_path / "h.parquet"
    pq.write_table(table, path)
    assert path.stat().st_size < 1 << 20
    _, *chunks = parquet_file.chunks(path, path.name, {"title": "title", "video_id": "video_id"})
    sizes = [len(chunk.lines) for chunk in chunks]
    assert max(sizes) * len(long) <= parquet_file.CHUNK_BYTES
    assert [chunk.lines[0] for chunk in chunks] == np.cumsum([1 + sizes[0], *sizes[:-1]]).tolist()


def test_a_parquet_text_that_repeats_undictionaried_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "h.parquet"
    pq.write_table(_hourly(4_000, title=["x" * 50_000] * 4_000), path, use_dictionary=False, compression="zstd")
    sizes = [chunk.columns["title"].nbytes for chunk in parquet_file.chunks(path, path.name, {"title": "title"})]
    assert max(sizes) <= parquet_file.CHUNK_BYTES + (1 << 20)


def test_a_parquet_row_beyond_all_bounds_is_refused_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "CHUNK_BYTES", 100)
    pq.write_table(_hourly(3, title=["a", "b" * 200, "c"]), tmp_path / "h.parquet")
    history = open_history(tmp_path / "h.parquet")
    with pytest.raises(HistoryError, match=r"row 2 holds 2\d\d bytes of text, more than 100"):
        list(history.files[0].read())


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    outside = written(tmp_path / "outside" / "secret.csv", HEADER + "2026-01-02,secret,1,2,3\n")
    folder = tmp_path / "in"
    within = written(folder / "a.csv", HEADER + "2026-01-02,a,1,2,3\n")
    (folder / "b.csv").symlink_to(outside)
    (folder / "c").symlink_to(outside.parent)
    (folder / "d.csv").symlink_to(within)
    (folder / "e.csv").symlink_to(folder / "b.csv")
    (folder / "f.csv").symlink_to(tmp_path / "absent.csv")
    history = open_history(folder)
    assert [file.name for file in history.files] == ["a.csv", "d.csv"]
    assert [(one.name, one.reason) for one in history.ignored] == [
        (name, "is a link to a file outside the folder") for name in ("b.csv", "e.csv")
    ]
    assert [file.name for file in open_history(folder / "b.csv").files] == ["b.csv"]  # named by the caller


def test_a_header_alone_is_no_row(tmp_path: Path) -> None:
    result = imported(written(tmp_path / "h.csv", HEADER))
    assert (result.scan, result.batches, result.rejects) == (Scan(0, []), [], [])


def test_rows_that_cannot_be_read_are_set_aside_with_line_column_and_reason(tmp_path: Path) -> None:
    path = written(
        tmp_path / "t.csv",
        HEADER + "2026-01-02,a,1,2,3\n"
        "2026-01-02,b,1\n"
        '2026-01-02,"c\nc",1.2K,2,3\n'
        "then,d,1,2,3\n"
        "2026-01-02,e,1,2,3,4\n"
        "2026-01-02,,1,2,3\n"
        ",g,1,2,3\n"
        "2026-01-02,h\0,1,2,3\n"
        "2026-01-02,i,1,2,99999999999999999999\n"
        "2026-01-02,j,-4,2,3\n",
    )
    result = imported(path)
    assert [(reject.line, reject.column) for reject in result.rejects] == [
        (3, None),
        (4, "view_count"),
        (6, "timestamp"),
        (7, None),
        (8, "video_id"),
        (9, "timestamp"),
        (10, "video_id"),
        (11, "comment_count"),
    ]
    assert result.rejects[0].reason == "has 3 fields where the header has 5"
    assert "'1.2K' is shortened" in result.rejects[1].reason
    assert result.rejects[1].record == '2026-01-02,"c\nc",1.2K,2,3'
    assert {reject.file for reject in result.rejects} == {"t.csv"}
    assert counts(result.rows["video_snapshots"]) == [["a", 1, 2, 3], ["j", -4, 2, 3]]  # -4: the contract's to judge
    assert result.scan.rows == 10


def test_a_record_is_quoted_in_bounded_length(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", HEADER + f"2026-01-02,{'x' * 50_000},many,2,3\n")
    (reject,) = imported(path).rejects
    assert len(reject.record) == 2_000


def test_an_open_quote_costs_its_own_record_only(tmp_path: Path) -> None:
    """A quote that is never closed swallows the rest of the file for any plain reader."""
    path = written(
        tmp_path / "t.csv",
        HEADER + "2026-01-02,a,1,2,3\n" + '2026-01-02,"b,1,2,3\nleft of it\n' + "2026-01-02,c,1,2,3\n" * 2,
    )
    result = imported(path)
    assert [(reject.line, reject.record.splitlines()[:2]) for reject in result.rejects] == [
        (3, ['2026-01-02,"b,1,2,3', "left of it"])
    ]
    assert "the file ends inside a quoted field" in result.rejects[0].reason
    assert len(result.rows["video_snapshots"]) == 3


def ids(result: Imported) -> list[str]:
    return result.rows["video_snapshots"]["video_id"].sort_values().tolist()


KAGGLE_HEADER = (
    "video_id,title,publishedAt,channelId,channelTitle,categoryId,trending_date,tags,view_count,likes,dislikes,"
    "comment_count,thumbnail_link,comments_disabled,ratings_disabled,description\n"
)


def _kaggle(video: str, title: str, views: int) -> str:
    times = "2020-08-11T18:00:03Z,UCx,Ch,10,2020-08-12T00:00:00Z"
    return f"{video},{title},{times},a|b,{views},5,1,7,http://x,False,False,d\n"


def test_a_quote_left_open_does_not_take_the_counts_of_a_later_row(tmp_path: Path) -> None:
    """The video of row 2 got the 400 views of row 4, two rows vanished, and nothing was rejected."""
    titles = ['"Plain"', '"Torn title', "Fine three", '"Quoted four"', "five"]
    rows = [_kaggle(f"v{number}", title, 100 * number) for number, title in enumerate(titles, 1)]
    result = imported(written(tmp_path / "k.csv", KAGGLE_HEADER + "".join(rows)))
    views = result.rows["video_snapshots"].set_index("video_id")["view_count"].to_dict()
    assert views == {"v1": 100, "v3": 300, "v4": 400, "v5": 500}
    (reject,) = result.rejects
    assert reject.line == 3
    assert reject.record.startswith(rows[1])
    assert reject.reason.startswith("cannot be read as CSV: text after a closing quote at line 5, character 5; ")
    assert reject.reason.endswith("the record runs from line 3 to line 5")


def test_quotes_left_open_in_many_rows_cost_these_rows_only(tmp_path: Path) -> None:
    """A file lost half of its rows without a reject: each open quote was closed by the next one, 7 rows on.

    20,000 such rows: reading again may neither nest nor start over.
    """
    lines = [f"2026-01-02,{'' if number % 7 else QUOTE}v{number},1,2,3\n" for number in range(140_000)]
    result = imported(written(tmp_path / "t.csv", HEADER + "".join(lines)))
    assert [reject.line for reject in result.rejects] == list(range(2, 140_002, 7))
    assert ids(result) == sorted(f"v{number}" for number in range(140_000) if number % 7)


def test_a_line_cut_inside_quotes_does_not_take_the_next_one_with_it(tmp_path: Path) -> None:
    rows = [f'"2026-01-02","v{number}","1","2","3"\n' for number in range(4)]
    rows[1] = rows[1][:17] + "\n"
    result = imported(written(tmp_path / "t.csv", HEADER + "".join(rows)))
    assert [reject.line for reject in result.rejects] == [3]
    assert ids(result) == ["v0", "v2", "v3"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("position", range(len("2026-01-02,vid,1,2,3") + 1))
def test_a_stray_quote_at_any_place_costs_its_row_only(tmp_path: Path, position: int, end: str) -> None:
    rows = [f"2026-01-02,{video},1,2,3" for video in ("a", "vid", '"c,c"', '"d""d"', "e")]
    rows[1] = rows[1][:position] + QUOTE + rows[1][position:]
    result = imported(written(tmp_path / "t.csv", end.join([HEADER.strip(), *rows]) + end))
    assert [(reject.line, reject.column) for reject in result.rejects] == [(3, None)]
    assert result.rejects[0].record.startswith(rows[1])
    assert ids(result) == ["a", "c,c", 'd"d', "e"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('2026-01-02,v"x,1,2,3', "a quote inside an unquoted field at line 3, character 13"),
        ('2026-01-02, "v",1,2,3', "a quote inside an unquoted field at line 3, character 13"),
        ('2026-01-02,"v"x,1,2,3', "text after a closing quote at line 3, character 15"),
        ('2026-01-02,"v\nw"x,1,2,3', "text after a closing quote at line 4, character 3; the record runs from line 3"),
        ('2026-01-02,"v\nw",1,2', "has 4 fields where the header has 5; the record runs from line 3 to line 4"),
        ('2026-01-02,"v,1,2,3', "the file ends inside a quoted field"),
    ],
)
def test_broken_quotes_are_refused_with_what_is_wrong_and_where(tmp_path: Path, row: str, reason: str) -> None:
    """Readers differ in what such a field holds: quotes as text, or none."""
    content = HEADER + f"2026-01-02,a,1,2,3\n{row}\n"
    reject = imported(written(tmp_path / "t.csv", content)).rejects[0]
    assert (reject.line, reject.record.rstrip()) == (3, row)
    assert reason in reject.reason


def test_fields_over_several_lines_and_doubled_quotes_are_legal(tmp_path: Path) -> None:
    videos = ["a\n\nb,c\n", '"', '""', '\n"\n', '"x"\r\n,"y"', ",", "\n", 'a","b', "x" * 100_000 + "\n" * 10_000]
    rows = "".join(f"2026-01-02,{QUOTE}{video.replace(QUOTE, QUOTE * 2)}{QUOTE},1,2,3\n" for video in videos)
    result = imported(written(tmp_path / "t.csv", HEADER + rows))
    assert ids(result) == sorted(videos)
    assert result.rejects == []


def test_quotes_that_pair_up_without_end_do_not_make_the_file_one_record(tmp_path: Path) -> None:
    """Each line closes one quoted field and opens another: legal, and no field is long."""
    content = HEADER + '2026-01-02,"a,1,2,3\n' + '","\n' * 100_000 + "2026-01-02,b,1,2,3\n"
    result = imported(written(tmp_path / "t.csv", content))
    assert "record longer than 262,144 characters" in result.rejects[0].reason
    assert result.rejects[0].line == 2
    assert ids(result) == ["b"]


_texts = st.text(st.sampled_from(["a", QUOTE, ",", "\n", " ", "é", "1"]), max_size=6)
_rest = st.tuples(_texts, st.integers(0, 99).map(str), _texts)
_QUOTED_OR_PLAIN = r'(?:"(?:[^"]|"")*"|[^",\r\n]*)'
_WHOLE_ROW = re.compile(rf"{_QUOTED_OR_PLAIN}(?:,{_QUOTED_OR_PLAIN}){{4}}(?:\r?\n|$)")
_DAMAGES: list[Callable[[str, int], str]] = [
    lambda row, at: row[:at] + QUOTE + row[at:],
    lambda row, at: row[:at] + QUOTE + row[at + 1 :],
    lambda row, at: row[:at] + row[at + 1 :],
    lambda row, at: row[:at],
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_rest, min_size=2, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.data(),
)
def test_a_damaged_record_costs_no_other_record(
    rests: list[tuple[str, str, str]], end: str, quoting: Any, data: st.DataObject
) -> None:
    """At the records of the file: which of them become rows is up to their columns."""
    records = [["2026-01-02", f"v{number}", *rest] for number, rest in enumerate(rests)]
    parts = [_csv_row(record, end, quoting) for record in records]
    victim = data.draw(st.integers(0, len(parts) - 1))
    row = parts[victim].removesuffix(end)
    damaged = data.draw(st.sampled_from(_DAMAGES))(row, data.draw(st.integers(0, len(row)))) + end
    parts[victim] = damaged
    text = "".join(parts)
    start = len("".join(parts[:victim]))
    lines_of_it = [start + at for at in range(len(damaged)) if at == 0 or damaged[at - 1] == "\n"]
    rows_from_it = [_WHOLE_ROW.match(text, at) for at in lines_of_it]
    assume(not any(match and match.end() > start + len(damaged) for match in rows_from_it))  # legal CSV, by accident
    first = 2 + text.count("\n", 0, start)
    lines = range(first, first + damaged.count("\n"))
    found, rejects = _records_of(HEADER + text)
    expected, line = [], 2
    for number, part in enumerate(parts):
        if number != victim:
            expected.append((line, records[number]))
        line += part.count("\n")
    assert [(line, record) for line, record in found if line not in lines] == expected
    assert {reject.line for reject in rejects} <= set(lines)


def _csv_row(record: list[str], end: str, quoting: Any) -> str:
    buffer = StringIO(newline="")
    csv.writer(buffer, lineterminator=end, quoting=quoting).writerow(record)
    return buffer.getvalue()


def _records_of(content: str) -> tuple[list[tuple[int, list[str]]], list[Reject]]:
    names = HEADER.strip().split(",")
    found: list[tuple[int, list[str]]] = []
    rejects: list[Reject] = []
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder, "t.csv"), content)
        for chunk in csv_file.chunks(path, path.name, {name: name for name in names}, names):
            fields = [chunk.columns[name].to_pylist() for name in names]
            found += zip(chunk.lines, map(list, zip(*fields, strict=True)), strict=True)
            rejects += chunk.rejects
    return found, rejects


def test_a_field_of_any_length_stops_no_import(tmp_path: Path) -> None:
    """Past csv.field_size_limit() the csv module gives up in mid-file."""
    lines = [f"2026-01-02,{number},1,2,3\n" for number in range(20_000)]
    lines[10] = f'2026-01-02,"{lines[10][11:]}'
    lines[15_000] = f"2026-01-02,{'x' * 200_000},1,2,3\n"
    result = imported(written(tmp_path / "t.csv", HEADER + "".join(lines)))
    assert [reject.line for reject in result.rejects] == [12, 15_002]
    assert all("field larger than field limit" in reject.reason for reject in result.rejects)
    assert len(result.rows["video_snapshots"]) == 19_998


def test_a_file_cut_inside_a_character_of_a_quoted_field_is_torn_not_undecodable(tmp_path: Path) -> None:
    content = (HEADER + "2026-01-02,a,1,2,3\n" + '2026-01-02,"é').encode()
    result = imported(written(tmp_path / "t.csv", content[:-1]))
    assert [reject.line for reject in result.rejects] == [3]
    assert len(result.rows["video_snapshots"]) == 1


def test_more_rejects_than_rows_are_all_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", HEADER + "2026-01-02,a,1,2\n" * 25_000 + "2026-01-02,a,1,2,3\n")
    result = imported(path)
    assert [reject.line for reject in result.rejects] == list(range(2, 25_002))
    assert len(result.rows["video_snapshots"]) == 1


_ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=8)
_views = st.integers(0, 2**63 - 1)
_count = st.one_of(st.none(), _views)
_time = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3), timezones=st.just(UTC))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(_time, _ids, _views, _count, _count), min_size=1, max_size=30),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_csv_writer_wrote_comes_back(rows: list[tuple[Any, ...]], end: str, quoting: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator=end, quoting=quoting)
            writer.writerow(HEADER.strip().split(","))
            writer.writerows([[row[0].isoformat(), *row[1:]] for row in rows])
        result = imported(path)
    frame = result.rows["video_snapshots"].astype(object)
    columns = ["collected_at", "video_id", *COUNTS]
    found = frame[columns].where(frame[columns].notna(), None).itertuples(index=False, name=None)
    assert sorted(map(repr, found)) == sorted(repr((pd.Timestamp(row[0]), *row[1:])) for row in rows)
    assert result.rejects == []


# Finding and recognising files


def test_a_folder_may_hold_several_layouts_under_any_names(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    first = written(folder / "b" / "one.csv", HEADER + "2026-01-02,a,1,2,3\n")
    written(folder / "a.txt", HEADER + "2026-01-02,b,1,2,3\n2026-01-03,b,1,2,3\n")
    written(folder / "totals", "date_utc,channel_id,subscribers,views,videos\n2026-01-05,UC1,3,2,1\n")
    written(folder / "notes.md", "# Title, with comma\n\ntext")
    written(folder / "PLAIN", "only a word\nand more\n")
    written(folder / "map.json", '{"a": 1,\n "b": 2}')
    written(folder / "empty.csv", "")
    written(folder / ".cache" / "x.csv", "a,b\n1,2\n")
    result = imported(folder)
    assert [file.name for file in result.history.files] == ["a.txt", "b/one.csv", "totals"]
    assert result.history.formats == ["channel totals", "tracker CSV"]
    assert {(one.name, one.reason) for one in result.history.ignored} == {
        (".cache/x.csv", "is hidden"),
        ("PLAIN", "is no table"),
        ("empty.csv", "is empty"),
        ("map.json", "is JSON, which is not imported"),
        ("notes.md", "is no table"),
    }
    originals = {(batch.day.day, batch.original_name, batch.original_sha256) for batch in result.batches}
    sha256 = {file.name: file.sha256 for file in result.history.files}
    assert originals == {
        (2, "mixed", result.history.manifest_sha256),  # rows of two files
        (3, "a.txt", sha256["a.txt"]),
        (5, "totals", sha256["totals"]),
    }
    assert sha256["b/one.csv"] == open_history(first).files[0].sha256


def test_the_import_is_known_by_names_and_contents(tmp_path: Path) -> None:
    for folder, views in (("x", 1), ("y", 1), ("z", 2)):
        written(tmp_path / folder / "t.csv", HEADER + f"2026-01-02,a,{views},2,3\n")
    x, y, z = (open_history(tmp_path / folder).import_id for folder in "xyz")
    assert x == y != z


Spoil = Callable[[Path], object]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda at: written(at, "when,who\n2026-01-02,x\n"), "its columns: when, who"),
        (lambda at: written(at, "2026-01-02,a,1,2,3\n2026-01-02,b,1,2,3\n"), "its columns: 2026-01-02, a, 1, 2, 3"),
        (lambda at: written(at, "timestamp,video_id,comment_count\n"), "lacks view_count for the layout readings of"),
        (
            lambda at: written(at, "timestamp,video_id,view_count,likeCount,like_count,comment_count\n"),
            "line 1, column like_count: has 2 columns of this name",
        ),
        (lambda at: written(at, HEADER.encode("utf-16") + b"2"), "is UTF-16 text that is cut off or damaged"),
        (lambda at: written(at, b"\x1f\x8b\x08\0"), "is packed with gzip"),
        (lambda at: written(at, b"PAR1" + b"\0" * 50), "is not a readable Parquet file"),
        (lambda at: written(at, HEADER.encode() + b"2026-01-02,a,1,2,3\n2026-01-02,\xe9,1,2,3\n"), "line 3, column v"),
        (lambda at: pq.write_table(_hourly(view_count=["7"]), at), "column view_count: is of type string where integ"),
        (lambda at: pq.write_table(_hourly(collected_at=[7]), at), "column collected_at: is of type int64 where times"),
        (lambda at: pq.write_table(pa.table({"a": [1]}), at), "is in no known layout; its columns: a"),
    ],
)
def test_a_bad_file_is_named_with_place_reason_and_remedy_and_stores_nothing(
    tmp_path: Path, spoil: Spoil, expected: str
) -> None:
    spoil(tmp_path / "bad")
    with pytest.raises(HistoryError, match="Remedy: ") as error:
        list(open_history(tmp_path / "bad").batches(RawStore(str(tmp_path / "raw")), tmp_path))
    assert error.value.file == "bad"
    assert expected in str(error.value)
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "there is no such file or folder. Remedy: check the path"),
        ("", "is empty. Remedy: give one of the known layouts: trending snapshots (video_id, region"),
        ('{"a": 1}', "is JSON, which is not imported. Remedy: write its readings as CSV or Parquet"),
    ],
)
def test_a_path_without_any_data_is_an_error(tmp_path: Path, content: str | None, expected: str) -> None:
    """Though a folder may hold such files beside history."""
    if content is not None:
        written(tmp_path / "in" / "x", content)
    with pytest.raises(HistoryError) as error:
        open_history(tmp_path / "in" / "x")
    assert expected in str(error.value)
    with pytest.raises(HistoryError, match=r"holds no history file|no such file"):
        open_history(tmp_path / "in")


def test_a_pointer_of_git_lfs_and_a_workbook_are_told_from_tables(tmp_path: Path) -> None:
    for name, content, reason in (
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "is a pointer of Git LFS"),
        ("b.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "is a workbook of Excel"),
    ):
        with pytest.raises(HistoryError, match=reason):
            open_history(written(tmp_path / name, content))


def test_what_is_known_is_imported_and_the_rest_is_named(tmp_path: Path) -> None:
    """A clone of a repository stopped at a table of errors that lay beside its data, and nothing was imported."""
    written(tmp_path / "a.csv", HEADER + "2026-01-02,a,1,2,3\n")
    written(tmp_path / "data" / "errors.csv", "snapshot_month,channel_id,error_type,message\n")
    written(tmp_path / "data" / "old.zip", b"PK\x03\x04...")
    written(tmp_path / "data" / "torn.parquet", b"PAR1" + b"\0" * 50)
    result = imported(tmp_path)
    assert counts(result.rows["video_snapshots"]) == [["a", 1, 2, 3]]
    assert [(one.name, one.reason) for one in result.history.ignored] == [
        (
            "data/errors.csv",
            "is in no known layout; its columns: snapshot_month, channel_id, error_type, message",
        ),
        ("data/old.zip", "is packed with zip"),
    ]
    assert [error.file for error in result.history.unreadable] == ["data/torn.parquet"]


def test_a_folder_of_which_nothing_is_known_is_an_error_that_names_its_files(tmp_path: Path) -> None:
    written(tmp_path / "export", "Month,Money\n2026-01-02,3\n")
    with pytest.raises(HistoryError, match=r"holds no history file, but 1 other files: export is in no known layout"):
        open_history(tmp_path)


def test_an_unreadable_file_in_the_middle_of_a_folder_stores_nothing(tmp_path: Path) -> None:
    """It is found only as it is read, when half of the import could be stored."""
    written(tmp_path / "in" / "a.csv", HEADER + "2026-01-02,a,1,2,3\n")
    written(tmp_path / "in" / "bad.csv", HEADER.encode() + b"2026-01-02,a,1,2,3\n2026-01-02,\xe9,1,2,3\n")
    with pytest.raises(HistoryError, match=r"bad\.csv, line 3, column video_id"):
        list(open_history(tmp_path / "in").batches(RawStore(str(tmp_path / "raw")), tmp_path))
    assert not (tmp_path / "raw").exists()


WIDER = "timestamp,favorites,video_id,view_count,like_count,comment_count\n"


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        WIDER,
        HEADER.replace("\n", "\r\n"),
        "\ufeff" + HEADER,
        "comment_count,like_count,view_count,video_id,timestamp\n",
    ],
)
def test_a_header_inside_a_file_is_read_and_the_rows_after_it_by_it(tmp_path: Path, header: str) -> None:
    """A collector that got another column half way cost every row after it, and nobody was told."""
    names = header.strip("\ufeff\r\n").split(",")
    later = {"timestamp": "2026-01-03", "video_id": "b", "view_count": "4", "like_count": "5", "comment_count": "6"}
    row = ",".join(later.get(name, "99") for name in names) + "\n"
    result = imported(written(tmp_path / "t.csv", HEADER + "2026-01-02,a,1,2,3\n" + header + row * 2))
    assert counts(result.rows["video_snapshots"]) == [["a", 1, 2, 3], ["b", 4, 5, 6], ["b", 4, 5, 6]]
    assert (result.rejects, result.history.header_lines, result.scan.rows) == ([], 1, 3)


def test_a_header_without_a_column_that_may_be_missing_is_followed(tmp_path: Path) -> None:
    """Of as many fields as the first: rows after it were taken for rows of the first, likes for views."""
    content = "timestamp,video_id,title,view_count,like_count,comment_count\n2026-01-02,a,Title,1,2,3\n"
    content += "timestamp,video_id,view_count,like_count,comment_count,favorites\n2026-01-03,b,4,5,6,9\n"
    result = imported(written(tmp_path / "t.csv", content))
    assert counts(result.rows["video_snapshots"]) == [["a", 1, 2, 3], ["b", 4, 5, 6]]
    assert (result.rejects, result.history.header_lines) == ([], 1)


@pytest.mark.parametrize("time", ["timestamp", "datetime"])
def test_what_a_tracker_writes_beside_counts_is_taken(tmp_path: Path, time: str) -> None:
    """Rows of three countries at one time became three readings of no country, two of them refused later."""
    header = f"{time},video_id,country,channel_id,title,published_at,view_count,like_count,comment_count\n"
    rows = "".join(f"2026-01-02,a,{region},UC1,Title,2025-12-31,1,2,3\n" for region in ("US", "DE", "FR"))
    result = imported(written(tmp_path / "t.csv", header + rows))
    assert set(result.rows["video_snapshots"]["region"]) == {"US", "DE", "FR"}
    assert set(result.rows["video_snapshots"]["channel_id"]) == {"UC1"}
    assert list(result.rows["videos"]["title"]) == ["Title"]


def test_a_country_in_a_column_of_a_kaggle_file_is_its_region(tmp_path: Path) -> None:
    names = "video_id,trending_date,title,channel_title,category_id,publish_time,views,likes,comment_count"
    content = f"{names},comments_disabled,ratings_disabled,country\n"
    content += "a,17.14.11,T,C,1,2017-11-13T17:13:01.000Z,1,2,3,False,False,MX\n"
    assert list(imported(written(tmp_path / "all.csv", content)).rows["video_snapshots"]["region"]) == ["MX"]


def test_rows_refused_after_a_wider_header_are_measured_by_it(tmp_path: Path) -> None:
    content = HEADER + "2026-01-02,a,1,2,3\n" + WIDER + "2026-01-03,b,1,2,3\n"
    (reject,) = imported(written(tmp_path / "t.csv", content)).rejects
    assert (reject.line, reject.reason) == (4, "has 5 fields where the header has 6")


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("USvideos.csv", "US"),
        ("USvideos_largest.csv", "US"),
        ("DE_youtube_trending_data.csv", "DE"),
        ("20.12.08_FR_videos.csv", "FR"),
        ("a/GBvideos (1).csv", "GB"),
        ("videos.csv", ""),
        ("MYUSvideos.csv", ""),
        ("usvideosyncs.csv", ""),
    ],
)
def test_the_country_of_a_trending_file_is_read_from_its_name(tmp_path: Path, name: str, region: str) -> None:
    written(tmp_path / name, KAGGLE_HEADER + _kaggle("v", "t", 1))
    assert imported(tmp_path).rows["video_snapshots"]["region"].tolist() == [region]


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """A tracker may still be writing: the stored hash would be of another content."""
    path = written(tmp_path / "t.csv", HEADER + "2026-01-02,a,1,2,3\n")
    history = open_history(path)
    with path.open("a") as file:
        file.write("2026-01-03,a,1,2,3\n")
    with pytest.raises(HistoryError, match="changed while it was read"):
        list(history.batches(RawStore(str(tmp_path / "raw")), tmp_path))
    assert not (tmp_path / "raw").exists()


def test_damage_in_the_middle_of_a_parquet_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "h.parquet"
    rows = 50_000
    pq.write_table(_hourly(rows, view_count=np.random.default_rng(0).integers(0, 10**9, rows)), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(data)
    with pytest.raises(HistoryError, match=r"^h.parquet: is not a readable Parquet file"):
        list(open_history(path).batches(RawStore(str(tmp_path / "raw")), tmp_path))


# Parquet layouts


def _hourly(rows: int = 1, **columns: Any) -> pa.Table:
    start = datetime(2026, 1, 2, tzinfo=UTC)
    return pa.table(
        {
            "source": ["s"] * rows,
            "video_id": ["v"] * rows,
            "title": ["t"] * rows,
            "collected_at": [start + timedelta(minutes=number) for number in range(rows)],
            "view_count": list(range(rows)),
            "like_count": [float("nan")] * rows,
            "comment_count": [1.0] * rows,
        }
        | columns
    )


def test_hourly_titles_become_metadata_when_they_change(tmp_path: Path) -> None:
    """Across files and against the order of time, as trackers of several months are stored."""
    start = datetime(2026, 1, 2, tzinfo=UTC)
    titles = ["A", "A", "B", None, "B", "A", "A"]
    times = [start + timedelta(hours=9 * number) for number in range(len(titles))]
    table = _hourly(len(titles), title=titles, collected_at=times)
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(table.slice(4).take(pa.array([2, 1, 0])), folder / "a.parquet")
    pq.write_table(table.slice(0, 4), folder / "b.parquet")
    result = imported(folder)
    versions = result.rows["videos"].sort_values("collected_at")
    assert list(zip(versions["title"], versions["collected_at"], strict=True)) == [
        ("A", times[0]),
        ("B", times[2]),
        ("A", times[5]),
    ]
    assert versions.drop(columns=["source", "video_id", "collected_at", "title"]).isna().to_numpy().all()
    snapshots = result.rows["video_snapshots"].sort_values("collected_at")
    assert snapshots["view_count"].tolist() == list(range(7))
    assert snapshots["like_count"].isna().all()
    assert snapshots["comment_count"].tolist() == [1] * 7


def test_parquet_rows_that_cannot_be_read_are_set_aside_with_their_number(tmp_path: Path) -> None:
    table = _hourly(4, like_count=[1.0, 2.5, 1e30, float("nan")], video_id=["a", "b", "c", None])
    pq.write_table(table, tmp_path / "h.parquet")
    result = imported(tmp_path / "h.parquet")
    assert [(reject.line, reject.column) for reject in result.rejects] == [
        (2, "like_count"),
        (3, "like_count"),
        (4, "video_id"),
    ]
    assert json.loads(result.rejects[0].record)["like_count"] == 2.5
    assert counts(result.rows["video_snapshots"]) == [["a", 0, 1, 1]]


def _trending(folder: Path, **columns: Any) -> Path:
    """A layout of two snapshots of video a (the second known to be a premiere still to come) and one of a stranger."""
    at = datetime(2026, 1, 2, 3, tzinfo=UTC)
    snapshots = {
        "video_id": ["a", "b", "stranger"],
        "region": ["FR", "US", None],
        "collected_at": [at] * 3,
        "view_count": [1, 2, 3],
        "like_count": [0, 0, 0],
        "comment_count": [0, 1, None],
    }
    videos = {
        "video_id": ["a", "b", "a"],
        "channel_id": ["UC1", "UC2", "UC-old"],
        "channel_title": ["One", "Two", "One"],
        "title": ["Ä", "B", "A"],
        "published_at": [at - timedelta(days=1), at + timedelta(days=1), at - timedelta(days=2)],
        "duration": ["PT3M", "P0D", "PT3M"],
        "category_id": ["10", None, "10"],
        "caption": ["False", "true", "False"],
        "refreshed_at": ["2026-01-05T00:00:00.5+00:00", "2026-01-05T00:00:00+00:00", "2026-01-04T00:00:00+00:00"],
    }
    (folder / "snapshots").mkdir(parents=True)
    pq.write_table(pa.table(snapshots | columns), folder / "snapshots" / "2026-01.parquet")
    pq.write_table(pa.table(videos), folder / "videos.parquet")
    return folder


def test_trending_snapshots_get_the_identity_the_answer_carried(tmp_path: Path) -> None:
    result = imported(_trending(tmp_path / "in"))
    snapshots = result.rows["video_snapshots"].set_index("video_id")
    assert snapshots["channel_id"].to_dict() == {"a": "UC1", "b": "UC2", "stranger": None}
    assert snapshots["published_at"].dropna().to_dict() == {"a": pd.Timestamp("2026-01-01 03:00", tz="UTC")}
    assert snapshots["region"].to_dict() == {"a": "FR", "b": "US", "stranger": ""}
    assert snapshots["like_count"].tolist() == [0, 0, 0]  # raw keeps the 0 and says what it means
    assert snapshots[["like_zero_is_missing", "comment_zero_is_missing"]].to_numpy().all()
    assert set(snapshots["source"]) == {"trending"}
    videos = result.rows["videos"].set_index(["video_id", "collected_at"]).sort_index()
    assert videos["duration"].tolist() == ["PT3M", "PT3M", "P0D"]
    assert videos["caption"].tolist() == [False, False, True]
    assert videos.loc["b", "published_at"].item() == pd.Timestamp("2026-01-03 03:00", tz="UTC")
    assert videos.index[1][1] == pd.Timestamp("2026-01-05 00:00:00.5", tz="UTC")


def test_a_source_column_names_the_source(tmp_path: Path) -> None:
    result = imported(_trending(tmp_path / "in", source=["synthetic", "trending", None]))
    assert result.rows["video_snapshots"].set_index("video_id")["source"].to_dict() == {
        "a": "synthetic",
        "b": "trending",
        "stranger": "trending",
    }
    assert {batch.sources for batch in result.batches if batch.endpoint == "video_snapshots"} == {
        ("synthetic", "trending")
    }


# Sameness, parts and memory


def test_the_same_content_gives_the_same_batches(tmp_path: Path) -> None:
    """Through the spool: neither the order of rows, nor names, nor the split into files may show in a batch."""
    lines = [
        f"{datetime(2026, 1, 1 + number % 5)},v{number % 97},{number},1,\n"
        for number in np.random.default_rng(1).permutation(30_000).tolist()
    ]
    once = imported(written(tmp_path / "t.csv", HEADER + "".join(lines)))
    again = imported(written(tmp_path / "t.csv", HEADER + "".join(lines)))
    assert hashes(once) == hashes(again)
    assert once.history.import_id == again.history.import_id
    written(tmp_path / "in" / "z.csv", HEADER + "".join(lines[:10_000]))
    written(tmp_path / "in" / "a.csv", HEADER + "".join(lines[10_000:]))
    assert hashes(imported(tmp_path / "in")) == hashes(once)


def test_a_day_of_many_rows_becomes_several_batches(tmp_path: Path) -> None:
    """At the size of real spools: a day is more than one buffer, and every row is in exactly one batch."""
    rows = 700_000
    table = _hourly(1, view_count=[0]).take(pa.array(np.zeros(rows, np.int64)))
    table = table.set_column(table.column_names.index("view_count"), "view_count", pa.array(range(rows)))
    pq.write_table(table, tmp_path / "h.parquet")
    result = imported(tmp_path / "h.parquet")
    sizes = [batch.file.rows for batch in result.batches if batch.endpoint == "video_snapshots"]
    assert len(sizes) == 2
    assert (np.sort(result.rows["video_snapshots"]["view_count"].to_numpy(np.int64)) == np.arange(rows)).all()
    assert len(result.rows["videos"]) == 1


def test_progress_counts_rows_of_known_and_unknown_total(tmp_path: Path) -> None:
    csv_file = written(tmp_path / "t.csv", HEADER + "2026-01-02,a,1,2,3\n" * 25_000)
    history = open_history(csv_file)
    seen: list[tuple[int, int | None, str]] = []
    list(history.batches(RawStore(str(tmp_path / "raw")), tmp_path, lambda *step: seen.append(step)))
    assert seen == [
        (10_000, None, "reading files, rows"),
        (20_000, None, "reading files, rows"),
        (25_000, None, "reading files, rows"),
        (25_000, 25_000, "storing batches, rows"),
    ]
    history.scan(lambda *step: seen.append(step))
    assert seen[-1] == (25_000, None, "scanning files, rows")
    list(history.batches(RawStore(str(tmp_path / "raw")), tmp_path, lambda *step: seen.append(step)))
    assert seen[-2] == (25_000, 25_000, "reading files, rows")


# VmHWM, not ru_maxrss: the latter starts from what the process that was forked held.
MEASURED_IMPORT = """
import re, sys
from pathlib import Path
from yt_platform.history import open_history
from yt_platform.storage.raw import RawStore
history = open_history(Path(sys.argv[1]))
history.scan()
rows = sum(batch.file.rows for batch in history.batches(RawStore(sys.argv[2]), Path(sys.argv[3])))
print(rows, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path, kind: str) -> None:
    """In processes of their own, rows in random order of days: 2 million and 4 million rows have equal peaks."""
    peaks = []
    for rows in (2_000_000, 4_000_000):
        folder = tmp_path / str(rows)
        (folder / "scratch").mkdir(parents=True)
        _many_rows(folder / "in", rows, kind)
        arguments = [str(folder / name) for name in ("in", "raw", "scratch")]
        command = [sys.executable, "-c", MEASURED_IMPORT, *arguments]
        process = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2]
        )
        stored, peak = map(int, process.stdout.split())
        assert stored == rows + (1_000 if kind == "parquet" else 0)  # and one title for each video
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0]


def _many_rows(path: Path, rows: int, kind: str) -> None:
    random = np.random.default_rng(rows)
    frame = pd.DataFrame({"collected_at": np.datetime64("2026-01-01", "s") + random.integers(0, 60 * 86_400, rows)})
    frame["video_id"] = [f"video{number:06}" for number in random.integers(0, 1_000, rows)]
    for count in COUNTS:
        frame[count] = random.integers(0, 10**7, rows)
    if kind == "csv":
        frame.rename(columns={"collected_at": "timestamp"}).to_csv(path, index=False)
    else:
        frame.assign(source="s", title="t").to_parquet(path, row_group_size=rows)


# Real files


@pytest.fixture(scope="module")
def trending(data_dir: Path) -> Imported:
    return imported(data_dir / "trending")


def test_real_trending_snapshots_with_pandas_as_oracle(trending: Imported, data_dir: Path) -> None:
    files = sorted((data_dir / "trending" / "snapshots").glob("*.parquet"))
    expected = pd.concat([pd.read_parquet(file) for file in files])
    identity = ["video_id", "channel_id", "published_at"]
    videos = pd.read_parquet(data_dir / "trending" / "videos.parquet", columns=identity)
    expected = expected.merge(videos, on="video_id", how="left")
    expected["published_at"] = expected["published_at"].where(expected["published_at"] <= expected["collected_at"])
    expected[["collected_at", "published_at"]] = expected[["collected_at", "published_at"]].astype(
        "datetime64[us, UTC]"
    )
    key = ["video_id", "region", "collected_at"]
    columns = [*key, "channel_id", "published_at", *COUNTS]
    assert len(trending.rows["video_snapshots"]) == 933_392
    assert trending.scan.rows == 933_392 + 150_253
    assert (len(trending.scan.days), trending.scan.days[0], trending.scan.days[-1]) == (
        173,
        date(2025, 12, 10),
        date(2026, 5, 31),
    )
    found = trending.rows["video_snapshots"][columns].sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected[columns].sort_values(key, ignore_index=True), check_dtype=False)
    assert trending.rejects == []
    assert [one.name for one in trending.history.ignored] == ["categories.json"]


def test_real_trending_videos_with_pandas_as_oracle(trending: Imported, data_dir: Path) -> None:
    expected = pd.read_parquet(data_dir / "trending" / "videos.parquet").sort_values("video_id", ignore_index=True)
    found = trending.rows["videos"].sort_values("video_id", ignore_index=True)
    assert len(found) == 150_253
    assert (found["collected_at"] == pd.to_datetime(expected["refreshed_at"], format="ISO8601")).all()
    for name in ("channel_id", "channel_title", "title", "duration", "category_id", "tags", "definition"):
        pd.testing.assert_series_equal(found[name], expected[name].replace("", None), check_dtype=False)
    for name in ("caption", "licensed_content", "embeddable", "made_for_kids"):
        assert (found[name] == (expected[name].str.lower() == "true")).all()


def test_real_hourly_snapshots(data_dir: Path) -> None:
    expected = pd.read_parquet(data_dir / "hourly" / "snapshots.parquet")
    result = imported(data_dir / "hourly")
    found = result.rows["video_snapshots"]
    assert len(found) == 48_967
    for count in COUNTS:
        assert found[count].sum() == expected[count].sum()
        assert found[count].isna().sum() == expected[count].isna().sum()
    assert set(found["source"]) == set(expected["source"])
    firsts = expected.dropna(subset="title").groupby("video_id").agg({"title": "first", "collected_at": "min"})
    versions = result.rows["videos"].set_index("video_id")[["title", "collected_at"]].sort_index()
    pd.testing.assert_frame_equal(versions, firsts, check_dtype=False)  # no title of these changes
    assert result.rejects == []


def test_real_kaggle_2017(data_dir: Path) -> None:
    expected = pd.read_csv(data_dir / "exports" / "FRvideos_2017-11.csv")
    result = imported(data_dir / "exports" / "FRvideos_2017-11.csv")
    snapshots, videos = result.rows["video_snapshots"], result.rows["videos"]
    assert len(snapshots) == len(videos) == len(expected) == 3_398
    assert result.scan.days == [date(2017, 11, day) for day in range(14, 31)]
    assert snapshots["view_count"].sum() == expected["views"].sum()
    assert snapshots["like_count"].sum() == expected["likes"].sum()
    assert snapshots["like_zero_is_missing"].sum() == expected["ratings_disabled"].sum() == 59
    assert snapshots["comment_zero_is_missing"].sum() == expected["comments_disabled"].sum() == 80
    assert set(snapshots["region"]) == {"FR"}
    assert snapshots["channel_id"].isna().all()
    assert videos["channel_id"].isna().all()
    first = videos[videos["video_id"] == "Ro6eob0LrCY"].iloc[0]
    assert first["collected_at"] == pd.Timestamp("2017-11-14", tz="UTC")
    assert first["published_at"] == pd.Timestamp("2017-11-13 17:32:55", tz="UTC")
    assert first["tags"] == "Raptor, Dissident, Expliquez, moi, cette, merde"
    assert first["description"].startswith("Dimanche.\\n18h30.\\nSoyez")
    assert videos["description"].isna().sum() == expected["description"].isna().sum()
    assert videos["tags"].isna().sum() == (expected["tags"] == "[none]").sum()
    assert result.rejects == []


def test_real_kaggle_2017_without_tags_and_descriptions(data_dir: Path) -> None:
    expected = pd.read_csv(data_dir / "exports" / "USvideos_largest.csv")
    result = imported(data_dir / "exports" / "USvideos_largest.csv")
    days = pd.to_datetime(expected["trending_date"], format="%Y/%d/%m", utc=True)
    assert len(expected) == 9_984
    for rows in result.rows.values():
        assert rows["collected_at"].value_counts().to_dict() == days.value_counts().to_dict()
    published = pd.to_datetime(expected["publish_time"], format="%Y/%m/%d", utc=True)
    assert sorted(result.rows["videos"]["published_at"]) == sorted(published)
    assert result.rows["video_snapshots"]["like_zero_is_missing"].sum() == 47
    assert result.rejects == []


@pytest.mark.parametrize(("country", "rows", "line"), [("DE", 782, 3_670), ("US", 872, 2_646)])
def test_real_kaggle_2020_files_are_cut_off_in_a_quoted_field(
    data_dir: Path, country: str, rows: int, line: int
) -> None:
    path = data_dir / "exports" / "kaggle_new_2020_samples" / f"{country}_youtube_trending_data.csv"
    result = imported(path)
    snapshots = result.rows["video_snapshots"]
    assert len(snapshots) == len(result.rows["videos"]) == rows
    (reject,) = result.rejects
    assert (reject.line, reject.column) == (line, None)
    assert reject.reason.startswith("the file ends inside a quoted field")
    assert (
        path.read_text(encoding="utf-8-sig")
        .replace("\r\n", "\n")
        .split("\n")[line - 1]
        .startswith(reject.record.replace("\r\n", "\n").split("\n")[0][:50])
    )
    expected = pd.read_csv(path, engine="python", on_bad_lines="skip", nrows=rows)
    assert snapshots["view_count"].sum() == expected["view_count"].sum()
    assert set(snapshots["channel_id"]) == set(expected["channelId"])
    assert set(result.rows["videos"]["description"].dropna()) == set(expected["description"].dropna())


def test_real_channel_totals_records_and_videos(data_dir: Path) -> None:
    folder = data_dir / "channels"
    totals = pd.read_csv(folder / "youtube_daily_snapshots.csv")
    records = pd.read_csv(folder / "channels_reference.csv", encoding="utf-8-sig").set_index("channel_id").sort_index()
    videos = pd.read_csv(folder / "videos_2026-01.csv", encoding="utf-8-sig")
    result = imported(folder)
    assert {name: len(rows) for name, rows in result.rows.items()} == {
        "video_snapshots": 4_401,
        "videos": 4_401,
        "channel_snapshots": 4_628,
        "channels": 225,
    }
    snapshots = result.rows["channel_snapshots"]
    assert snapshots["subscriber_count"].sum() == totals["subscribers"].sum()
    assert snapshots["view_count"].sum() == totals["views"].sum()
    assert snapshots["video_count"].sum() == totals["videos"].sum()
    channels = result.rows["channels"].set_index("channel_id").sort_index()
    assert channels["handle"].tolist() == records["custom_url"].tolist()
    assert channels["country"].isna().sum() == records["country"].isna().sum() == 19
    assert set(channels["collected_at"]) == {pd.Timestamp("2026-02-09", tz="UTC")}
    readings = result.rows["video_snapshots"]
    assert readings["like_count"].sum() == videos["like_count"].sum()
    assert readings["like_count"].isna().sum() == videos["like_count"].isna().sum() == 111
    assert set(result.rows["videos"]["title"]) == set(videos["title"])
    assert set(readings["source"]) == {"channels-tracker"}
    assert result.rejects == []


# Names of columns


@pytest.mark.parametrize(
    "header",
    [
        "View Count,run_datetime_utc,videoId",
        "views,snapshot_date,Video ID",
        "statistics.viewCount,scraped_at,video_id",
        "VIEWS,Timestamp,VIDEO_ID",
    ],
)
def test_columns_that_mean_the_same_are_read(tmp_path: Path, header: str) -> None:
    result = imported(written(tmp_path / "t.csv", f"{header}\n7,2026-01-02,abcdefghijk\n"))
    assert counts(result.rows["video_snapshots"]) == [["abcdefghijk", 7, None, None]]
    assert result.rejects == []


def test_readings_in_parquet_are_read_by_any_of_their_names(tmp_path: Path) -> None:
    table = pa.table({"snapshot_date": [date(2026, 1, 2)], "videoId": ["abcdefghijk"], "Views": [7], "Likes": [2]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert counts(imported(tmp_path).rows["video_snapshots"]) == [["abcdefghijk", 7, 2, None]]


def test_titles_in_readings_become_metadata_where_they_are_new(tmp_path: Path) -> None:
    rows = "2026-01-02,abcdefghijk,1,old\n2026-01-03,abcdefghijk,2,old\n2026-01-04,abcdefghijk,3,new\n"
    result = imported(written(tmp_path / "t.csv", "date,video_id,views,video_title\n" + rows))
    assert result.rows["videos"].sort_values("collected_at")["title"].tolist() == ["old", "new"]


def test_totals_of_channels_need_one_count_only(tmp_path: Path) -> None:
    result = imported(written(tmp_path / "t.csv", "date,channelId,Subscribers\n2026-01-02,UCa,5\n"))
    [row] = result.rows["channel_snapshots"].to_dict("records")
    assert (row["channel_id"], row["subscriber_count"], row["view_count"]) == ("UCa", 5, None)


def test_channels_named_by_handle_get_their_ids(tmp_path: Path) -> None:
    """From a file of channel records beside it, or from the warehouse; handles do not tell case apart."""
    header = "channel_id,channel_title,custom_url,country,channel_published_at,uploads_playlist_id,last_seen_utc\n"
    written(tmp_path / "records.csv", header + "UCa,A,@Ann,DE,2020-01-01,UUa,2026-01-01\n")
    written(tmp_path / "t.csv", "date,handle,subs\n2026-01-02,ann,5\n2026-01-02,@BOB,6\n2026-01-02,@eve,7\n")
    history = open_history(tmp_path, known={"@bob": "UCb"})
    (tmp_path / "scratch").mkdir()
    store = RawStore(str(tmp_path / "raw"))
    batches = history.batches(store, tmp_path / "scratch")
    tables = [_read(store, batch) for batch in batches if batch.endpoint == "channel_snapshots"]
    assert pa.concat_tables(tables).to_pandas()["channel_id"].tolist() == ["UCa", "UCb"]
    (reject,) = history.rejects
    assert (reject.line, reject.column) == (4, "handle")
    assert "'@eve' is the handle of no channel known here" in reject.reason


def test_two_columns_of_one_meaning_are_refused_by_both_names(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "date,video_id,views,Total Views\n2026-01-02,abcdefghijk,1,2\n")
    with pytest.raises(HistoryError, match="the columns views and Total Views both mean view_count"):
        open_history(path)
    history = open_history(path, Options({"view_count": "Total Views"}))
    assert history.files[0].own_names["view_count"] == "Total Views"
    assert history.import_id != open_history(path, Options({"view_count": "views"})).import_id


def test_a_named_column_wins_and_is_part_of_what_the_import_is_known_by(tmp_path: Path) -> None:
    content = "when,clip,plays\n2026-01-02,abcdefghijk,7\n"
    path = written(tmp_path / "t.csv", content)
    with pytest.raises(HistoryError, match="is in no known layout"):
        open_history(path)
    named = {"collected_at": "when", "video_id": "clip", "view_count": "plays"}
    [rows] = open_history(path, Options(named)).files[0].read()
    assert {name: values.to_pylist() for name, values in rows.columns.items()} == {
        "collected_at": [datetime(2026, 1, 2, tzinfo=UTC)],
        "video_id": ["abcdefghijk"],
        "view_count": [7],
    }


def test_a_named_column_that_no_file_has_is_an_error(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", HEADER)
    with pytest.raises(HistoryError, match="has no file with a column 'plays', which is to be view_count"):
        open_history(tmp_path, Options({"view_count": "plays"}))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (["view_count"], "write column=name"),
        (["view_count="], "write column=name"),
        (["plays=x"], "plays is no column; there are collected_at, video_id"),
        (["plays=view_count"], "did you mean --map view_count='plays'?"),
        (["view_count=a", "view_count=b"], "names view_count twice, as 'a' and 'b'"),
        (["view_count=a", "like_count=a"], "says twice what 'a' is"),
    ],
)
def test_names_that_cannot_be_followed_are_refused(pairs: list[str], expected: str) -> None:
    with pytest.raises(NamingError, match=re.escape(expected)):
        mapped_columns(pairs)


def test_files_without_a_time_are_read_as_of_the_time_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "video_id,views\nabcdefghijk,7\n")
    with pytest.raises(HistoryError, match="lacks collected_at"):
        open_history(path)
    history = open_history(path, Options(as_of=datetime(2026, 1, 2, 3, tzinfo=UTC)))
    assert history.scan() == Scan(1, [date(2026, 1, 2)])


def test_what_a_period_gained_is_not_taken_for_totals(tmp_path: Path) -> None:
    """Reports of YouTube Analytics have a date, a video and views, too."""
    path = written(tmp_path / "t.csv", "date,video_id,views,watch_time_minutes\n2026-01-02,abcdefghijk,7,3\n")
    with pytest.raises(HistoryError, match="holds what was gained in a period, as watch_time_minutes tell"):
        open_history(path)
    [file] = open_history(path, Options({"view_count": "views"})).files
    assert (file.own_names["view_count"], file.unused) == ("views", ["watch_time_minutes"])


def test_every_synonym_means_one_thing_in_each_layout_and_is_documented() -> None:
    """A name of two meanings would be read as the one that comes first."""
    page = (Path(__file__).parents[2] / "docs" / "history-formats.md").read_text()
    for column, names in SYNONYMS.items():
        assert f"| {column} | {', '.join(name for name in names if name != column)} |" in page
        assert [snake_case(name) for name in names] == list(names)
    meanings = Counter(name for names in SYNONYMS.values() for name in names)
    assert [name for name, count in meanings.items() if count > 1] == []


def test_a_preview_shows_how_a_file_would_be_read(tmp_path: Path) -> None:
    rows = "2026-01-03,abcdefghijk,2\n2026-01-02,abcdefghijk,x\n2026-01-01,abcdefghijk,1\n2027-01-01,abcdefghijk,9\n"
    rows += "1999-01-01,abcdefghijk,9\n"
    [file] = open_history(written(tmp_path / "t.csv", "date,video_id,views\n" + rows)).files
    shown = preview(file, datetime(2026, 6, 1, tzinfo=UTC))
    assert shown.columns["view_count"] == ("views", "integers or floats")
    assert (shown.layout, shown.rows, shown.refused, shown.order) == ("readings of videos", 2, 3, "in no order")
    assert [row["view_count"] for row in shown.shown] == [2, 1, 9, 9]
    [unreadable] = [line for reason, line in shown.lines.items() if reason.startswith("views: 'x' is not a ")]
    assert unreadable == 3


def test_real_exports_are_imported_but_for_studio_files(data_dir: Path) -> None:
    history = open_history(data_dir / "exports")
    assert [file.name for file in history.files] == [
        "FRvideos_2017-11.csv",
        "USvideos_largest.csv",
        "kaggle_new_2020_samples/DE_youtube_trending_data.csv",
        "kaggle_new_2020_samples/US_youtube_trending_data.csv",
    ]
    assert "prakashpathak111/Table data.csv" in {one.name for one in history.ignored}
