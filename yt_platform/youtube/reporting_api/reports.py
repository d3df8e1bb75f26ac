"""Bulk reports of the YouTube Reporting API: which types there are, and a report's CSV as frames of `metrics.report_*`.

Belongs here: families of report types, which of them is newest, the stored file's head line, and reading its rows by
header in pieces of bounded size. Not here: asking the API (`youtube/reporting_api/client.py`), storing and loading.

A stored report is text (compressed as gzip by the store): one line of JSON that says what it is (`ReportHead`), then
the CSV exactly as YouTube sent it. Types, columns and units: Google's documentation of the Reporting API, "Channel
reports" and "Content owner reports" as of November 2026.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from yt_platform.metrics.tables import OWNER
from yt_platform.storage.endpoints import TIMESTAMP
from yt_platform.storage.report_lines import BLOCK_BYTES, ReportError
from yt_platform.tables.arrow import to_pandas
from yt_platform.tables.columns import TEXT
from yt_platform.tables.declaration import Table
from yt_platform.tables.validation import Malformed
from yt_platform.youtube.reporting_api.tables import (
    FROM_FILE,
    REPORT_BASIC,
    REPORT_CARDS,
    REPORT_DEMOGRAPHICS,
    REPORT_DEVICES,
    REPORT_END_SCREENS,
    REPORT_PLAYBACK_LOCATIONS,
    REPORT_PLAYLISTS,
    REPORT_PROVINCES,
    REPORT_REACH,
    REPORT_REVENUE,
    REPORT_SUBTITLES,
    REPORT_TRAFFIC_SOURCES,
)

PACIFIC = ZoneInfo("America/Los_Angeles")
"""The days of reports begin and end at midnight there."""

LONGEST_HEADER = 1 << 16

BLOCKS_OF_A_PIECE = 6
"""Blocks that are parsed at a time. Arrow reads up to 32 ahead, whoever waits for them; in larger blocks that would be
memory that grows with the file."""

_ANNOTATIONS_AND_CARDS = frozenset(
    f"{subject}_{metric}"
    for subject, metrics in {
        "annotation": "click_through_rate close_rate impressions clickable_impressions closable_impressions clicks "
        "closes",
        "card": "click_rate impressions clicks teaser_click_rate teaser_impressions teaser_clicks",
    }.items()
    for metric in metrics.split()
)
"""Known columns of user activity that raw keeps alone: annotations ended in 2019, cards have reports of their own."""


@dataclass(frozen=True)
class Family:
    """Report types that tell the same, of channels and of content owners, and the table they are loaded into.

    `stems` are ids of report types without their version; columns in `optional` may be missing, as older types or
    those of channels lack them; those in `ignored` are known and not loaded. `monetary` ones need a scope of their own
    and membership of the partner programme.
    """

    name: str
    stems: tuple[str, ...]
    table: Table
    optional: frozenset[str]
    ignored: frozenset[str] = frozenset()
    monetary: bool = False

    @property
    def endpoint(self) -> str:
        """The raw endpoint its files are stored as."""
        return f"report_{self.name}"

    @property
    def columns(self) -> list[str]:
        """Columns that are read from the file, as it names them."""
        return ["date" if name == "day" else name for name in self.table.column_names if name not in FROM_FILE]


_PARTNERS = frozenset({"claimed_status", "uploader_type"})
_AUDIENCE = frozenset({"live_or_on_demand", "subscribed_status", "country_code"})
_SINCE_A3 = frozenset({"engaged_views"})
_PREMIUM = frozenset({"red_views", "red_watch_time_minutes"})
_PLAYLISTS = frozenset({"videos_added_to_playlists", "videos_removed_from_playlists"})

FAMILIES = (
    Family(
        "basic",
        ("channel_basic", "content_owner_basic"),
        REPORT_BASIC,
        _PARTNERS | _SINCE_A3 | _PREMIUM | _PLAYLISTS | {"creator_content_type"},
        _ANNOTATIONS_AND_CARDS,
    ),
    Family(
        "demographics", ("channel_demographics", "content_owner_demographics"), REPORT_DEMOGRAPHICS, optional=_PARTNERS
    ),
    Family(
        "traffic_sources",
        ("channel_traffic_source", "content_owner_traffic_source"),
        REPORT_TRAFFIC_SOURCES,
        _PARTNERS | _SINCE_A3 | _PREMIUM,
    ),
    Family(
        # not the combined ones, whose impressions are the same once more by source and device
        "reach",
        ("channel_reach_basic", "content_owner_reach_basic"),
        REPORT_REACH,
        optional=_PARTNERS | _AUDIENCE,
    ),
    Family(
        "revenue",
        ("content_owner_estimated_revenue",),
        REPORT_REVENUE,
        optional=frozenset(REPORT_REVENUE.column_names) - {*REPORT_REVENUE.key, "estimated_partner_revenue"},
        monetary=True,
    ),
    Family(
        "devices",
        ("channel_device_os", "content_owner_device_os"),
        REPORT_DEVICES,
        _PARTNERS | _SINCE_A3 | _PREMIUM,
    ),
    Family(
        "playback_locations",
        ("channel_playback_location", "content_owner_playback_location"),
        REPORT_PLAYBACK_LOCATIONS,
        _PARTNERS | _SINCE_A3 | _PREMIUM,
    ),
    Family("cards", ("channel_cards", "content_owner_cards"), REPORT_CARDS, _PARTNERS),
    Family("end_screens", ("channel_end_screens", "content_owner_end_screens"), REPORT_END_SCREENS, _PARTNERS),
    Family(
        "subtitles",
        ("channel_subtitles", "content_owner_subtitles"),
        REPORT_SUBTITLES,
        _PARTNERS | _SINCE_A3 | _PREMIUM,
    ),
    Family(
        "provinces",
        ("channel_province", "content_owner_province"),
        REPORT_PROVINCES,
        _PARTNERS | _SINCE_A3 | _PREMIUM,
        _ANNOTATIONS_AND_CARDS,
    ),
    Family(
        # of channels without their prefix, as Google names them
        "playlists",
        ("playlist_basic", "content_owner_playlist_basic"),
        REPORT_PLAYLISTS,
        _SINCE_A3,
    ),
)

_FAMILY = {stem: family for family in FAMILIES for stem in family.stems}
_TYPE = re.compile(r"(?P<stem>[a-z_]+)_a(?P<version>[0-9]+)")


def family_of(report_type: str) -> Family | None:
    """The family of `channel_basic_a3`, say; None for a type that no table is made from."""
    found = _TYPE.fullmatch(report_type)
    return _FAMILY.get(found["stem"]) if found else None


def version_of(report_type: str) -> int:
    """3 for `channel_basic_a3`. Raises ReportError for what is no id of a report type."""
    found = _TYPE.fullmatch(report_type)
    if found is None:
        raise ReportError(f"{report_type!r} is no id of a report type, such as channel_basic_a3")
    return int(found["version"])


def newest_types(offered: Iterable[Mapping[str, Any]], now: datetime) -> list[str]:
    """Of the report types that an account is offered, the newest of each stem that a table is made from.

    `offered` are `reportTypes` of the API. Types that YouTube makes by itself, and those whose end has come, are left
    out.
    """
    newest: dict[str, str] = {}
    for entry in offered:
        name, ends = str(entry.get("id", "")), entry.get("deprecateTime")
        if entry.get("systemManaged") or family_of(name) is None or (ends and instant_of(ends) <= now):
            continue
        stem = name.rpartition("_a")[0]
        if stem not in newest or version_of(newest[stem]) < version_of(name):
            newest[stem] = name
    return sorted(newest.values())


def instant_of(text: str) -> datetime:
    """A timestamp of the API, such as 2026-03-01T08:00:00.123456789Z; what is finer than microseconds is cut off."""
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text))


def report_day(start_time: datetime) -> date:
    """The Pacific day of a report that begins then."""
    return start_time.astimezone(PACIFIC).date()


@dataclass(frozen=True)
class ReportHead:
    """What a stored report is; `source` is api or synthetic, times are those of the API's `reports` and of the pull."""

    account: str
    report_type: str
    job_id: str
    report_id: str
    start_time: datetime
    create_time: datetime
    collected_at: datetime
    source: str

    @property
    def day(self) -> date:
        return report_day(self.start_time)

    @property
    def family(self) -> Family:
        """Raises ReportError for a type that no table is made from."""
        family = family_of(self.report_type)
        if family is None:
            raise ReportError(f"{self}: no table is made from {self.report_type}")
        return family

    def __str__(self) -> str:
        return f"report {self.report_type} of account {self.account}, day {self.day}, made {self.create_time:%F %T}"

    def line(self) -> bytes:
        """The first line of the stored file."""
        return json.dumps(asdict(self), default=datetime.isoformat, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "ReportHead":
        """Raises ReportError for what `line` did not write."""
        try:
            values = json.loads(line)
            times = {name: datetime.fromisoformat(values[name]) for name in ("start_time", "create_time")}
            return cls(**(values | times | {"collected_at": datetime.fromisoformat(values["collected_at"])}))
        except (ValueError, TypeError, KeyError):
            raise ReportError(
                f"a stored report begins with {line[:100]!r}, which does not say what it is: it was not stored by the "
                "platform. Remedy: restore the raw store from a backup"
            ) from None


def header_of(line: bytes) -> list[str]:
    """Names of the columns in the first line of a CSV."""
    try:
        names = next(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")]), [])
    except (UnicodeDecodeError, csv.Error):
        return []
    return [name.strip() for name in names]


def unknown_columns(family: Family, header: Sequence[str]) -> list[str]:
    """Columns of a report that neither a table has nor is known to be left out; they stay in raw."""
    return sorted({*header} - {*family.columns} - family.ignored)


def pieces(stored: io.BufferedReader) -> Iterator[pa.Table]:
    """The rows of a stored report, opened as uncompressed text, in pieces of some megabytes.

    Columns are text, as far as the family has them; the metadata of each table's schema holds the head, under `head`.
    One piece without rows for a report that has none. Raises ReportError for what is no report, or lacks columns.
    """
    head_line = stored.readline()
    head = ReportHead.parse(head_line)
    header = header_of(stored.readline(LONGEST_HEADER))
    wanted = _wanted(head, header)
    schema = pa.schema([pa.field(name, pa.string()) for name in wanted], metadata={"head": head_line})
    if not stored.peek(1):
        yield schema.empty_table()
        return
    try:
        reader = pa_csv.open_csv(
            pa.PythonFile(stored, mode="r"),
            pa_csv.ReadOptions(column_names=header, block_size=BLOCK_BYTES),
            pa_csv.ParseOptions(newlines_in_values="traffic_source_detail" in wanted),  # search terms are people's
            pa_csv.ConvertOptions(
                column_types=schema, include_columns=wanted, strings_can_be_null=False, null_values=[]
            ),
        )
        while batches := list(islice(reader, BLOCKS_OF_A_PIECE)):
            yield pa.Table.from_batches(batches).replace_schema_metadata(schema.metadata)
    except pa.ArrowInvalid as error:
        raise ReportError(f"{head} is no CSV: {error}. Remedy: {_AGAIN}") from None


_AGAIN = "where YouTube still has it (60 days), it is downloaded again once its row in raw.batches is deleted"


def _wanted(head: ReportHead, header: list[str]) -> list[str]:
    family = head.family
    missing = [name for name in family.columns if name not in header and name not in family.optional]
    twice = sorted({name for name in header if header.count(name) > 1})
    if missing or twice:
        what = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(twice)} more than once"
        raise ReportError(
            f"{head} {what}; its columns are {', '.join(header) or 'none'}. YouTube has changed the report type, or "
            f"the file is no report: {family.table.name} must follow (youtube/reporting_api/reports.py), or {_AGAIN}"
        )
    return [name for name in family.columns if name in header]


def rows(raw: pa.Table) -> pd.DataFrame:
    """A piece of a report to the frame of its family's table, a row each; cells that are not of their column's type,
    and days that are not the report's, are `Malformed`."""
    head = ReportHead.parse(raw.schema.metadata[b"head"])
    table = head.family.table
    of_file = {
        "account": pa.scalar(head.account),
        "source": pa.scalar(head.source),
        "access": pa.scalar(OWNER),
        "reported_at": pa.scalar(head.create_time, TIMESTAMP),
        "refreshed_at": pa.scalar(head.collected_at, TIMESTAMP),
    }
    columns = {name: pa.repeat(value, raw.num_rows) for name, value in of_file.items()}
    faults: dict[str, dict[int, Malformed]] = {}
    for name, column in table.schema.columns.items():
        if name in FROM_FILE:
            continue
        in_file = "date" if name == "day" else name
        given = raw.column(in_file).combine_chunks() if in_file in raw.column_names else None
        kind = _KINDS["text" if column.dtype.type == TEXT else str(column.dtype)]
        if given is None:
            columns[name] = pa.repeat("", raw.num_rows) if kind == pa.string() else pa.nulls(raw.num_rows, kind)
        elif name == "day":
            columns[name], faults[name] = _days(given, head.day)
        else:
            columns[name], faults[name] = _cast(given, kind)
    frame = to_pandas(pa.table(columns))
    for name, cells in faults.items():
        if cells:
            frame[name] = frame[name].astype(object)
            frame.loc[list(cells), name] = pd.Series(cells, dtype=object)
    return frame[table.column_names]


_KINDS = {"text": pa.string(), "Int64": pa.int64(), "float64": pa.float64(), "datetime64[ns]": pa.date32()}


def _cast(texts: pa.Array, kind: pa.DataType) -> tuple[pa.Array, dict[int, Malformed]]:
    """Texts as values, those that are none by row; an empty text is unknown."""
    if kind == pa.string():
        return texts, {}
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    try:
        return texts.cast(kind), {}
    except pa.ArrowInvalid:
        fits = pc.match_substring_regex(texts, _NUMBERS[kind])
        bad = pc.indices_nonzero(pc.invert(pc.fill_null(fits, True))).to_pylist()
        kept = pc.if_else(pc.fill_null(fits, False), texts, pa.scalar(None, pa.string()))
        return kept.cast(kind), {row: Malformed(texts[row].as_py()) for row in bad}


_NUMBERS = {pa.int64(): r"^-?[0-9]{1,18}$", pa.float64(): r"^-?[0-9]*\.?[0-9]+([eE][-+]?[0-9]{1,3})?$"}


def _days(texts: pa.Array, expected: date) -> tuple[pa.Array, dict[int, Malformed]]:
    """Dates, written as YouTube does (20260301) or with hyphens; every one must be the report's."""
    plain = pc.replace_substring(texts, "-", "")
    right = pc.equal(plain, expected.strftime("%Y%m%d"))
    days = pa.repeat(pa.scalar(expected, pa.date32()), len(texts))
    if pc.all(right).as_py() is not False:
        return days, {}
    wrong = pc.indices_nonzero(pc.invert(right)).to_pylist()
    return days, {row: Malformed(f"{texts[row].as_py()} in the report of {expected}") for row in wrong}
