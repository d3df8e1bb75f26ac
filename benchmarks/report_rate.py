"""Megabytes of bulk reports a second, from stored raw files to committed tables, beside a hand-written load.

    .venv/bin/python benchmarks/report_rate.py [--megabytes 1000] [--repetitions 3]

The reports are generated in the columns of channel_basic_a3, channel_traffic_source_a3, channel_demographics_a1 and
channel_reach_basic_a1, of one account, and have no sandbox behind them, whose world is not large enough. A quarter of
the bytes is one day's user activity in a single file; the rest are days of some 12 MB. Megabytes are those of the
CSV, uncompressed. Dagster, which adds no work per row, is left out.

The hand-written load reads every file once, trusts it (no hash, contract or quarantine), lets Arrow type the columns
and ingests them straight into the tables. Both must leave the same rows.
"""

import argparse
import gzip
import io
import itertools
import statistics
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from collection_rate import Measured, apart, contents, memory_mb

from yt_platform.progress import silent
from yt_platform.sandbox.reporting import COLUMNS
from yt_platform.storage.raw import RawStore
from yt_platform.tables.declaration import Table
from yt_platform.warehouse.databases import Databases
from yt_platform.warehouse.loading import batches_of, load_from_raw
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.pulls import Origin
from yt_platform.youtube.reporting_api import reports
from yt_platform.youtube.reporting_api.files import keep, spool
from yt_platform.youtube.reporting_api.reports import FAMILIES, PACIFIC, Family, ReportHead, family_of

FIRST = date(2026, 3, 2)
RUN_ID = str(uuid.UUID(int=0))
CHANNEL = "UC" + "c" * 22
LARGE_SHARE, DAY_MB = 0.25, 12
SHARES = {
    "channel_basic_a3": 0.5,
    "channel_traffic_source_a3": 0.35,
    "channel_demographics_a1": 0.13,
    "channel_reach_basic_a1": 0.02,
}
"""Of a day's bytes, by type."""
TABLES = [family.table for family in FAMILIES]
COUNTRIES = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "ABCDE"]
VALUES = {
    "subscribed_status": ["subscribed", "not_subscribed"],
    "country_code": COUNTRIES,
    "traffic_source_type": ["5", "3", "9"],
    "age_group": ["AGE_18_24", "AGE_25_34", "AGE_35_44"],
    "gender": ["MALE", "FEMALE"],
}
"""Of the dimensions that divide a video's day; others have one."""
FIXED = {"live_or_on_demand": "on_demand", "traffic_source_detail": "how to begin"}
MB = 1e6


# The reports.


class Reports:
    """Stores reports and counts their bytes, by endpoint."""

    def __init__(self, url: str, store: RawStore, folder: Path) -> None:
        self.body_bytes: Counter[str] = Counter()
        self._url, self._store, self._folder = url, store, folder
        self._days = itertools.count()
        self._random = np.random.default_rng(1)

    @property
    def megabytes(self) -> float:
        return self.body_bytes.total() / MB

    def store(self, megabytes: float) -> None:
        """Store one large report and then days until there are so many megabytes."""
        self._report("channel_basic_a3", self._next_day(), (megabytes - self.megabytes) * LARGE_SHARE)
        while self.megabytes < megabytes:
            day, size = self._next_day(), min(DAY_MB, megabytes - self.megabytes)
            for report_type, share in SHARES.items():
                self._report(report_type, day, size * share)

    def _next_day(self) -> date:
        return FIRST + timedelta(days=next(self._days))

    def _report(self, report_type: str, day: date, megabytes: float) -> None:
        start = datetime(day.year, day.month, day.day, tzinfo=PACIFIC).astimezone(UTC)
        made = start + timedelta(days=3)
        head = ReportHead("studio", report_type, "job", f"{report_type}-{day}", start, made, made, "synthetic")
        endpoint, before = head.family.endpoint, self.body_bytes.total()

        def counted() -> Iterator[bytes]:
            for text in self._text(report_type, day, int(megabytes * MB)):
                self.body_bytes[endpoint] += len(text)
                yield text

        keep(self._url, self._store, spool(head, counted(), False, self._folder / "spooled"), Origin(RUN_ID, True))
        assert self.body_bytes.total() > before

    def _text(self, report_type: str, day: date, size: int) -> Iterator[bytes]:
        """CSV of at least so many bytes; every row has dimensions of its own."""
        columns = COLUMNS[report_type].split()
        combinations = list(itertools.product(*(VALUES[name] for name in columns if name in VALUES)))
        divided = dict(zip((name for name in columns if name in VALUES), zip(*combinations, strict=True), strict=True))
        videos, written = itertools.count(), 0
        at_once = max(1, 20_000 // len(combinations))
        while written < size:
            ids = [f"{next(videos):011}" for _ in range(at_once)]
            rows = len(ids) * len(combinations)
            table = pa.table({name: self._column(name, day, ids, divided, rows) for name in columns})
            sink = io.BytesIO()
            style = pa_csv.WriteOptions(include_header=not written, quoting_style="none")
            pa_csv.write_csv(table, sink, style)
            text = sink.getvalue().replace(b'"', b"")  # of the header, which is quoted whatever the style
            written += len(text)
            yield text

    def _column(self, name: str, day: date, ids: list[str], divided: dict[str, tuple[str, ...]], rows: int) -> pa.Array:
        if name == "date":
            return pa.repeat(f"{day:%Y%m%d}", rows)
        if name == "channel_id":
            return pa.repeat(CHANNEL, rows)
        if name == "video_id":
            return pa.array(np.repeat(ids, rows // len(ids)))
        if name in divided:
            return pa.array(np.tile(divided[name], len(ids)))
        if name in FIXED:
            return pa.repeat(FIXED[name], rows)
        if name.startswith(("annotation_", "card_")):
            return pa.repeat("0", rows)
        if name.endswith(("_minutes", "_seconds", "_percentage", "_ctr")):
            return pa.array(self._random.uniform(0, 100, rows).round(6))
        return pa.array(self._random.integers(0, 5_000, rows))


# The two loads.


def stored_days(url: str) -> Window:
    query = "SELECT min(partition_day) AS first, max(partition_day) AS last FROM raw.batches"
    return Window(**Warehouse(url).records(query)[0])


def platform_load(url: str, raw: str) -> Measured:
    measured = Measured(before_mb=memory_mb("VmRSS"))
    window = stored_days(url)
    for family in FAMILIES:
        begun = perf_counter()
        parsers = {family.endpoint: reports.rows}
        load_from_raw(Warehouse(url), RawStore(raw), family.table, parsers, window, RUN_ID, silent)
        measured.seconds[family.table.name] = perf_counter() - begun
    return measured.end()


def hand_load(url: str, raw: str) -> Measured:
    measured = Measured(before_mb=memory_mb("VmRSS"))
    window = stored_days(url)
    with adbc.connect(url) as connection:
        for family in FAMILIES:
            begun = perf_counter()
            for batch in batches_of(Warehouse(url), [family.endpoint], window):
                with gzip.open(Path(raw) / batch.path) as text, connection.cursor() as cursor:
                    cursor.adbc_ingest(
                        family.table.short_name, _typed(family, text), mode="append", db_schema_name="metrics"
                    )
            connection.commit()
            measured.seconds[family.table.name] = perf_counter() - begun
    return measured.end()


_TYPES = {"text": pa.string(), "bigint": pa.int64(), "double precision": pa.float64(), "date": pa.string()}


def _typed(family: Family, text: gzip.GzipFile) -> pa.RecordBatchReader:
    head = ReportHead.parse(text.readline())
    table, now = family.table, datetime.now(UTC)
    kinds = {("date" if c.name == "day" else c.name): _TYPES.get(c.postgres_type, pa.string()) for c in table.columns}
    names = text.readline().decode().strip().split(",")
    reader = pa_csv.open_csv(
        text,
        pa_csv.ReadOptions(column_names=names, block_size=6 << 20),
        convert_options=pa_csv.ConvertOptions(
            column_types=kinds, include_columns=[name for name in names if name in kinds]
        ),
    )
    fixed = {
        "day": pa.scalar(head.day, pa.date32()),
        "account": head.account,
        "reported_at": pa.scalar(head.create_time, pa.timestamp("us", "UTC")),
        "source": head.source,
        "access": "owner",
        "refreshed_at": pa.scalar(head.collected_at, pa.timestamp("us", "UTC")),
        "run_id": pa.scalar(uuid.UUID(RUN_ID).bytes, pa.binary()),
        "loaded_at": pa.scalar(now, pa.timestamp("us", "UTC")),
    }
    wanted = [*table.column_names, "run_id", "loaded_at"]

    def whole(batch: pa.RecordBatch) -> pa.RecordBatch:
        given = {name: batch.column(name) for name in batch.schema.names}
        columns = []
        for name in wanted:
            if name in given:
                columns.append(given[name])
            elif name in fixed:
                columns.append(pa.repeat(fixed[name], batch.num_rows))
            else:
                columns.append(_absent(table, name, batch.num_rows))
        return pa.RecordBatch.from_arrays(columns, names=wanted)

    first = whole(reader.read_next_batch())
    return pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], map(whole, reader)))


def _absent(table: Table, name: str, rows: int) -> pa.Array:
    kind = _TYPES[next(column.postgres_type for column in table.columns if column.name == name)]
    return pa.repeat("", rows) if kind == pa.string() else pa.nulls(rows, kind)


# Measuring.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1_000, help="of CSV")
    parser.add_argument("--repetitions", type=int, default=3, help="loads to measure, each into empty tables")
    arguments = parser.parse_args()
    assert all(family_of(name) for name in SHARES)
    with tempfile.TemporaryDirectory(prefix="yt-benchmark-") as folder:
        Path(folder).chmod(0o755)  # root's server runs under an account of its own
        databases, raw = Databases(Path(folder) / "home"), str(Path(folder) / "raw")
        with databases.open() as urls:
            databases.create()
            migrate(urls.warehouse)
            stored = Reports(urls.warehouse, RawStore(raw), Path(folder))
            stored.store(arguments.megabytes / 4)
            quarter_mb = stored.megabytes
            quarter = apart(platform_load, urls.warehouse, raw, TABLES)
            stored.store(arguments.megabytes)
            platform, hand = [], []
            for _ in range(arguments.repetitions):
                platform.append(apart(platform_load, urls.warehouse, raw, TABLES))
                expected = contents(urls.warehouse, TABLES)
                hand.append(apart(hand_load, urls.warehouse, raw, TABLES))
                if (found := contents(urls.warehouse, TABLES)) != expected:
                    raise SystemExit(f"the two loads differ: rows and digests\n{expected}\n{found}")
    rows = {name: count for name, (count, _) in expected.items()}
    print(f"\n{stored.megabytes:,.0f} MB of CSV, {sum(rows.values()):,} rows; medians of {arguments.repetitions}\n")
    print("| table | rows | MB | platform MB/s | hand-written MB/s |\n|---|---:|---:|---:|---:|")
    for family in FAMILIES:
        megabytes, name = stored.body_bytes[family.endpoint] / MB, family.table.name
        if megabytes:
            rates = [megabytes / statistics.median(run.seconds[name] for run in runs) for runs in (platform, hand)]
            print(f"| {name} | {rows[name]:,} | {megabytes:,.0f} | {rates[0]:,.1f} | {rates[1]:,.1f} |")
    rates = [stored.megabytes / statistics.median(run.total for run in runs) for runs in (platform, hand)]
    print(f"| all | {sum(rows.values()):,} | {stored.megabytes:,.0f} | {rates[0]:,.1f} | {rates[1]:,.1f} |")
    # of neighbours, as both are slowed alike by whatever else the machine does
    ratios = [other.total / ours.total for ours, other in zip(platform, hand, strict=True)]
    print(f"\nThe platform reaches {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of it")
    print("\n| load | MB of CSV | MB of memory before | at its peak |\n|---|---:|---:|---:|")
    for name, megabytes, run in (
        ("platform", quarter_mb, quarter),
        ("platform", stored.megabytes, max(platform, key=lambda run: run.peak_mb)),
        ("hand-written", stored.megabytes, max(hand, key=lambda run: run.peak_mb)),
    ):
        print(f"| {name} | {megabytes:,.0f} | {run.before_mb:,.0f} | {run.peak_mb:,.0f} |")


if __name__ == "__main__":
    main()
