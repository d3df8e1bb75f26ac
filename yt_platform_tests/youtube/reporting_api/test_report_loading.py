"""Stored reports against a real Postgres and real files: what the tables and their views hold after each load."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from yt_platform.metrics.channel_days import reported_gains
from yt_platform.privacy.retention import retire, retirement_is_due
from yt_platform.progress import silent
from yt_platform.storage.raw import CorruptBatchError, RawStore
from yt_platform.warehouse.loading import Loaded, accept_rejects, load_from_raw
from yt_platform.warehouse.staleness import stale_ranges
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform.youtube.pulls import Origin
from yt_platform.youtube.reporting_api import reports
from yt_platform.youtube.reporting_api.files import TruncatedError, keep, spool
from yt_platform.youtube.reporting_api.reports import FAMILIES, Family, ReportHead, family_of
from yt_platform_tests.frames import CHANNEL, RUN_ID, VERIFIED, VIDEO

DAY = date(2026, 3, 1)
MADE = datetime(2026, 3, 3, 12, tzinfo=UTC)
Row = dict[str, object]


@dataclass
class Rig:
    """A warehouse and a raw store; reports are stored as a download brings them."""

    url: str
    folder: Path

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.url)

    @property
    def store(self) -> RawStore:
        return RawStore(str(self.folder / "raw"))

    def receive(
        self,
        report_type: str,
        text: str,
        *,
        account: str = "studio",
        made: datetime = MADE,
        pack: Callable[[bytes], bytes] = gzip.compress,
    ) -> bool:
        """Whether the report was new."""
        start = datetime(DAY.year, DAY.month, DAY.day, 8, tzinfo=UTC)
        name = f"{report_type}-{made:%d%H}"
        head = ReportHead(account, report_type, "job", name, start, made, made, "api")
        sent = pack(text.encode())
        blocks = [sent[begin : begin + 7] for begin in range(0, len(sent), 7)]
        spooled = spool(head, blocks, pack is gzip.compress, self.folder / "spooled")
        return keep(self.url, self.store, spooled, Origin(RUN_ID, synthetic=False))

    def load(self, family: Family) -> Loaded:
        parsers, days = {family.endpoint: reports.rows}, Window(DAY, DAY)
        return load_from_raw(self.warehouse, self.store, family.table, parsers, days, RUN_ID, silent)

    def stale(self) -> set[str]:
        """Tables of reports that have days to be made."""
        return {name for _, names in stale_ranges(self.warehouse, DAY) for name in names if "report_" in name}

    def rows(self, table: str) -> list[Row]:
        return self.warehouse.records(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9")


@pytest.fixture
def rig(warehouse_url: str, tmp_path: Path) -> Rig:
    return Rig(warehouse_url, tmp_path)


def report(family: Family, *rows: Row) -> str:
    """A file with every column the family has in its own table; what a row does not say is 1."""
    given = {"date": DAY.strftime("%Y%m%d"), "channel_id": CHANNEL, "video_id": VIDEO}
    lines = [",".join(str((given | row).get(name, 1)) for name in family.columns) for row in rows]
    return "\n".join([",".join(family.columns), *lines, ""])


BASIC = FAMILIES[0]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_report_of_every_family_is_in_its_table_and_its_view(family: Family, rig: Rig) -> None:
    rig.receive(f"{family.stems[-1]}_a1", report(family, {}, {"country_code": "DE"}))
    assert (rig.load(family).row_count, rig.load(family).row_count) == (2, 2)
    [first, second] = rig.rows(family.table.name)
    assert (first["account"], first["day"], first["country_code"], second["country_code"]) == ("studio", DAY, "1", "DE")
    shown = rig.rows(f"bi.{family.table.short_name}")
    assert [row["country_code"] for row in shown] == ["1", "DE"]
    assert not any(row["is_synthetic"] for row in shown)
    hidden = {"source", "access", "refreshed_at"}
    assert set(family.table.column_names) - hidden <= set(shown[0])


def test_a_restated_day_is_what_the_newest_report_says_and_nothing_of_the_one_before(rig: Rig) -> None:
    rig.receive("channel_basic_a3", report(BASIC, {"views": 10}, {"country_code": "DE", "views": 5}))
    rig.receive("channel_basic_a3", report(BASIC, {"views": 70}), account="other")
    rig.load(BASIC)
    later = MADE.replace(day=5)
    rig.receive("channel_basic_a3", report(BASIC, {"views": 9}), made=later)
    [(window, _)] = [found for found in stale_ranges(rig.warehouse, DAY) if BASIC.table.name in found[1]]
    assert window == Window(DAY, DAY)
    rig.load(BASIC)
    assert [(row["account"], row["views"]) for row in rig.rows(BASIC.table.name)] == [("other", 70), ("studio", 9)]
    # one that comes late, though made before, changes nothing; nor does an older type of the day
    rig.receive("channel_basic_a3", report(BASIC, {"views": 1}), made=MADE.replace(day=4))
    rig.receive("channel_basic_a2", report(BASIC, {"views": 2}), made=MADE.replace(day=6))
    rig.load(BASIC)
    assert [row["views"] for row in rig.rows(BASIC.table.name)] == [70, 9]


def test_a_restatement_without_rows_leaves_the_day_empty(rig: Rig) -> None:
    rig.receive("channel_basic_a3", report(BASIC, {}))
    rig.load(BASIC)
    rig.receive("channel_basic_a3", report(BASIC), made=MADE.replace(day=5))
    assert rig.load(BASIC).row_count == 0
    assert rig.rows(BASIC.table.name) == []


def test_reports_without_rows_of_two_accounts_are_two_batches_though_their_text_is_one(rig: Rig) -> None:
    assert rig.receive("channel_basic_a3", report(BASIC))
    assert rig.receive("channel_basic_a3", report(BASIC), account="other")
    assert not rig.receive("channel_basic_a3", report(BASIC))
    assert rig.warehouse.records("SELECT count(*) AS n, sum(row_count)::bigint AS rows FROM raw.batches") == [
        {"n": 2, "rows": 0}
    ]


def test_tables_of_reports_are_made_on_days_that_have_reports_and_on_no_other(rig: Rig) -> None:
    """Five tables more on every day of an imported history would cost seconds."""
    rig.receive(
        "channel_demographics_a1", report(family_of("channel_demographics_a1") or BASIC, {"views_percentage": 9})
    )
    assert rig.stale() == {"metrics.report_demographics"}


def test_the_file_is_what_was_sent_behind_a_line_that_says_what_it_is(rig: Rig) -> None:
    text = report(BASIC, {}, {"country_code": "DE"}) + "no end of line"
    for account, pack in {"packed": gzip.compress, "plain": bytes}.items():
        rig.receive("channel_basic_a3", text, account=account, pack=pack)
    for row in rig.warehouse.records(
        "SELECT path, row_count, account FROM raw.batches JOIN raw.reports USING (batch_id)"
    ):
        stored = (rig.folder / "raw" / row["path"]).read_bytes()
        head, _, rest = gzip.decompress(stored).partition(b"\n")
        assert ReportHead.parse(head).account == row["account"]
        assert rest == text.encode()
        assert row["row_count"] == 3
        if row["account"] == "packed":
            assert stored.endswith(gzip.compress(text.encode())[10:])


def test_a_download_that_is_cut_short_is_not_stored(rig: Rig) -> None:
    with pytest.raises(TruncatedError):
        spool(HEAD, [gzip.compress(b"x" * 10_000)[:-9]], True, rig.folder / "spooled")
    with pytest.raises(TruncatedError):
        spool(HEAD, [b"not gzip"], True, rig.folder / "spooled")


HEAD = ReportHead("a", "channel_basic_a3", "job", "r", MADE, MADE, MADE, "api")


def test_a_damaged_file_is_never_read_as_rows(rig: Rig) -> None:
    rig.receive("channel_basic_a3", report(BASIC, {}))
    [file] = (rig.folder / "raw").rglob("*.csv.gz")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CorruptBatchError):
        rig.load(BASIC)
    file.unlink()
    with pytest.raises(CorruptBatchError):
        rig.load(BASIC)


def test_a_large_report_is_loaded_in_pieces(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "BLOCK_BYTES", 300)
    rows = [{"country_code": f"{number:04}", "views": number} for number in range(500)]
    rows[499]["views"] = "x"
    rig.receive("channel_basic_a3", report(BASIC, *rows))
    loaded = rig.load(BASIC)
    assert (loaded.row_count, loaded.reject_count) == (499, 1)
    [sums] = rig.warehouse.records("SELECT sum(views)::bigint AS views FROM metrics.report_basic")
    assert sums["views"] == sum(range(499))


def test_a_key_that_is_there_twice_is_there_once_and_the_last_row_counts(rig: Rig) -> None:
    """Google says that rows have dimensions of their own; rows go straight into the table on that word."""
    rig.receive("channel_basic_a3", report(BASIC, {"views": 1}, {"views": 2}, {"country_code": "DE"}))
    rig.load(BASIC)
    assert [(row["country_code"], row["views"]) for row in rig.rows(BASIC.table.name)] == [("1", 2), ("DE", 1)]


def test_a_row_of_another_day_is_refused_though_the_same_row_is_there_for_this_one(rig: Rig) -> None:
    """It vanished: taken for one of the report's day, the other had repaired it."""
    rig.receive("channel_basic_a3", report(BASIC, {"date": "20260302", "views": 3}, {"views": 4}))
    assert rig.load(BASIC).rejects == {DAY: 1}
    (refused,) = rig.warehouse.records("SELECT reason, record FROM ops.quarantine")
    assert refused["reason"] == f"day = {refused['record']['day']} is malformed"


def test_gains_of_a_channel_are_its_own_reports_where_several_tell_them(rig: Rig) -> None:
    """A content owner's report has claimed videos alone, and what others uploaded: it would be half a day or double."""
    page = {"video_id": "", "likes": 0, "comments": 0, "views": 5, "claimed_status": "", "uploader_type": ""}
    own = {"claimed_status": "", "uploader_type": "", "views": 20, "subscribers_gained": 1, "subscribers_lost": 4}
    rig.receive("channel_basic_a3", report(BASIC, {**own, "country_code": "DE"}, own, page), account="studio")
    partner = {"claimed_status": "claimed", "uploader_type": "self", "views": 11}
    others = {**partner, "uploader_type": "thirdParty", "views": 1_000}
    elsewhere = {**partner, "channel_id": "UC" + "b" * 22}
    later = MADE.replace(day=9)
    partners = report(BASIC, partner, others, elsewhere)
    rig.receive("content_owner_basic_a4", partners, account="network", made=later)
    rig.load(BASIC)
    found = reported_gains(rig.warehouse, Window(DAY, DAY)).set_index("channel_id")
    assert found.loc[CHANNEL].drop("day").to_dict() == {
        "view_increment": 45,
        "subscriber_increment": -6,
        "tracked_video_count": 1,
        "tracked_view_increment": 45,
        "tracked_like_increment": 2,
        "tracked_comment_increment": 2,
    }
    assert found.loc["UC" + "b" * 22, "view_increment"] == 11
    assert len(found) == 2


def test_what_an_account_brought_goes_when_nobody_verified_it_for_a_month(rig: Rig) -> None:
    """And what others brought of the same day stays, and can be made anew."""
    for account in ("studio", "other"):
        rig.receive("channel_basic_a3", report(BASIC, {}, {"views": "x", "country_code": "DE"}), account=account)
    assert rig.load(BASIC).reject_count == 2
    now = MADE + timedelta(days=60)
    with rig.warehouse.transaction() as transaction:
        for account, days in (("studio", 31), ("other", 29)):
            transaction.execute(VERIFIED, (account, now - timedelta(days=days)))
    assert not retirement_is_due(rig.warehouse, "synthetic", now)
    assert retirement_is_due(rig.warehouse, "owned", now)
    removed = retire(rig.warehouse, rig.store, "owned", now, RUN_ID)
    assert removed == {"metrics.report_basic": 1, "raw.batches": 1}
    assert not retirement_is_due(rig.warehouse, "owned", now)
    for _ in range(2):
        assert [row["account"] for row in rig.rows(BASIC.table.name)] == ["other"]
        assert rig.warehouse.records("SELECT count(*) AS n FROM ops.quarantine") == [{"n": 1}]
        assert len(rig.store.names()) == 1
        rig.load(BASIC)
    with rig.warehouse.transaction() as transaction:
        transaction.execute("DELETE FROM ops.accounts")  # yt-platform accounts remove
    retire(rig.warehouse, rig.store, "owned", now, RUN_ID)
    assert (rig.rows(BASIC.table.name), rig.store.names()) == ([], [])


@pytest.mark.parametrize("lines", [1, 60_000])
def test_a_report_that_cannot_be_read_is_refused_as_a_whole_and_no_other(rig: Rig, lines: int) -> None:
    """The days of all accounts that were loaded with it stayed empty. Nothing is made from its day, however few rows
    that one report is; at its end only is what has many rows found to be none."""
    many = report(BASIC, *({"country_code": f"{number:05}"} for number in range(lines)))
    rig.receive("channel_basic_a3", report(BASIC, *({"country_code": f"{number:05}"} for number in range(300))))
    rig.receive("channel_basic_a3", "<html>Service unavailable</html>\n", account="ill")
    rig.receive("channel_basic_a3", f"{many}1,2,3\n", account="worse")
    rig.receive("channel_basic_a3", report(BASIC, {"views": 7}), account="well")
    loaded = rig.load(BASIC)
    assert (loaded.row_count, loaded.rejects, loaded.unusable(1)) == (301, {DAY: 2}, [DAY])
    assert {row["account"] for row in rig.rows("metrics.report_basic")} == {"studio", "well"}
    refused = rig.warehouse.records("SELECT reason, origin, record FROM ops.quarantine ORDER BY reason DESC")
    assert ["account worse" in row["reason"] and "is no CSV" in row["reason"] for row in refused] == [True, False]
    assert all(row["record"] == {"batch": row["origin"]} for row in refused)
    assert rig.stale() == {"metrics.report_basic"}
    assert accept_rejects(rig.warehouse, BASIC.table, Window(DAY, DAY)) == 2
    assert rig.load(BASIC).unusable(0) == []
    assert rig.stale() == set()
