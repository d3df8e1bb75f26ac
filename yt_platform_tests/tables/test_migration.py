"""What SQL a difference needs is text, so no database is needed; that the SQL runs is seen in test_new_table.py."""

from dataclasses import replace

import pytest

from yt_platform.tables.columns import Column, day, instant, label, owner_id, table_schema
from yt_platform.tables.declaration import Holds, Input, InternalTable, Table, Write
from yt_platform.tables.migration import Existing, migration
from yt_platform.warehouse.migrations import migrate
from yt_platform.warehouse.structure import missing

NOTES = InternalTable(
    name="ops.notes",
    description="One row per note: what the platform's code noted.",
    key=("note_id",),
    holds=Holds.NOTHING,
    columns=(
        Column("note_id", "bigint", "Number of the note"),
        Column("text", "text", "The note", nullable=True),
    ),
)
HAS_NOTES = Existing({"note_id": ("bigint", False), "text": ("text", True)}, ("note_id",), False)

READINGS = Table(
    name="metrics.readings",
    description="One row per video and instant.",
    key=("video_id", "read_at"),
    write=Write.REPLACE,
    window="read_at",
    holds=Holds.STATISTICS,
    max_age=None,
    by_month=True,
    schema=table_schema(
        {"video_id": owner_id("The video"), "read_at": instant("When"), "kind": label("Which", nullable=True)}
    ),
)


def changes(table: InternalTable, existing: Existing = HAS_NOTES) -> str:
    return migration([table], {NOTES.name: existing}, ["ops"])


def test_nothing_is_written_where_nothing_differs() -> None:
    assert changes(NOTES) == ""


def test_the_migrations_make_what_the_tables_declare(database_url: str) -> None:
    """Whoever changes a declaration writes a migration: `make migration NAME=...`."""
    migrate(database_url)
    assert missing(database_url) == ""


def test_a_table_by_month_in_a_layer_that_is_not_there_yet() -> None:
    assert (
        migration([READINGS], {}, ["ops"])
        == """\
CREATE SCHEMA metrics;
REVOKE ALL ON SCHEMA metrics FROM PUBLIC;
-- Say what its tables have in common: COMMENT ON SCHEMA metrics IS '...';

-- Nobody but the platform may read it. People read it through a view in sql/views.
CREATE TABLE metrics.readings (
    video_id text NOT NULL,
    read_at timestamp with time zone NOT NULL,
    kind text,
    run_id uuid NOT NULL,
    loaded_at timestamp with time zone NOT NULL,
    PRIMARY KEY (video_id, read_at)
) PARTITION BY RANGE (read_at);
CREATE INDEX readings_read_at ON metrics.readings USING brin (read_at) WITH (pages_per_range = 32, autosummarize = on);
COMMENT ON TABLE metrics.readings IS 'One row per video and instant.';
COMMENT ON COLUMN metrics.readings.video_id IS 'The video';
COMMENT ON COLUMN metrics.readings.read_at IS 'When [UTC]';
COMMENT ON COLUMN metrics.readings.kind IS 'Which';
"""
    )


def test_a_new_column_and_an_apostrophe_in_what_it_means() -> None:
    grown = replace(NOTES, columns=(*NOTES.columns, Column("author", "text", "Who's it from", nullable=True)))
    assert changes(grown) == (
        "ALTER TABLE ops.notes ADD COLUMN author text;\nCOMMENT ON COLUMN ops.notes.author IS 'Who''s it from';\n"
    )


def test_a_new_column_that_rows_must_have_says_what_to_decide() -> None:
    grown = replace(NOTES, columns=(*NOTES.columns, Column("author", "text", "Its author")))
    first, second, _ = changes(grown).splitlines()
    assert first.startswith("-- Rows that are there need a value: add a DEFAULT")
    assert second == "ALTER TABLE ops.notes ADD COLUMN author text NOT NULL;"


@pytest.mark.parametrize(
    ("table", "decided_by_a_person"),
    [
        (replace(NOTES, columns=NOTES.columns[:1]), "-- ALTER TABLE ops.notes DROP COLUMN text;"),
        (
            replace(NOTES, columns=(Column("note_id", "uuid", "Id"), NOTES.columns[1])),
            "-- ALTER TABLE ops.notes ALTER COLUMN note_id TYPE uuid USING note_id::uuid;",
        ),
        (replace(NOTES, key=("note_id", "text")), "-- ALTER TABLE ops.notes ADD PRIMARY KEY (note_id, text);"),
        (replace(NOTES, name="ops.remarks"), "-- DROP TABLE ops.notes;"),
    ],
)
def test_what_could_lose_data_is_a_comment(table: InternalTable, decided_by_a_person: str) -> None:
    written = changes(table).splitlines()
    assert decided_by_a_person in written
    assert not [line for line in written if "ops.notes" in line and not line.startswith("--")]


def test_whether_a_column_may_be_unknown() -> None:
    known = replace(NOTES, columns=(NOTES.columns[0], replace(NOTES.columns[1], nullable=False)))
    assert changes(known).splitlines()[-1] == "ALTER TABLE ops.notes ALTER COLUMN text SET NOT NULL;"
    has_known = replace(HAS_NOTES, columns={**HAS_NOTES.columns, "text": ("text", False)})
    assert changes(NOTES, has_known) == "ALTER TABLE ops.notes ALTER COLUMN text DROP NOT NULL;\n"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"key": ("video", "read_at")}, "the schema has no column video; add it or name another"),
        ({"inputs": (Input("metrics.videos"),)}, "declare both inputs and code_version, or neither"),
        ({"made_by": "somewhere:something"}, "declare the inputs that somewhere:something makes it from"),
        (
            {"schema": table_schema({"video_id": owner_id("V"), "read_at": day("R")})},
            "only a table whose window is an instant can be partitioned by month",
        ),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(wrong: dict[str, object], message: str) -> None:
    """At import: its rows would be looked for by a column that is not there, or never be made."""
    with pytest.raises(ValueError, match=f"^metrics.readings: {message}$"):
        replace(READINGS, **wrong)  # type: ignore[arg-type]
