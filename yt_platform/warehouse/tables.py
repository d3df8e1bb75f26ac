"""Declarations of what the warehouse notes of its own: loads, refused rows, turns, views and the clock."""

from yt_platform.tables.columns import Column, Personal
from yt_platform.tables.declaration import Holds, InternalTable

LOADS = InternalTable(
    name="ops.loads",
    description="One row per table and partition day: from which version of its inputs the rows were made.",
    key=("table_name", "partition_day"),
    holds=Holds.NOTHING,
    columns=(
        Column("table_name", "text", "Table that was loaded", personal=Personal.NONE),
        Column("partition_day", "date", "UTC day of the rows"),
        Column(
            "input_version",
            "text",
            "Digest of the code version and of the inputs' versions; equal digests mean equal rows",
            personal=Personal.NONE,
        ),
        Column("code_version", "text", "Version of the code that made the rows", personal=Personal.NONE),
        Column("batch_ids", "bigint[]", "Raw batches the rows were parsed from; empty for tables made from tables"),
        Column("row_count", "bigint", "Rows of the day"),
        Column("run_id", "uuid", "Dagster run that loaded the day"),
        Column("loaded_at", "timestamp with time zone", "When the day was loaded"),
    ),
)

QUARANTINE = InternalTable(
    name="ops.quarantine",
    description="Rows that were refused, as they came, with the reason.",
    key=("quarantine_id",),
    holds=Holds.STORED,
    columns=(
        Column("quarantine_id", "bigint", "Number of the refused row"),
        Column(
            "table_name",
            "text",
            "Table that refused the row; raw.history when the importer could not read it",
            personal=Personal.NONE,
        ),
        Column("partition_day", "date", "UTC day of the row, where it has one", nullable=True),
        Column("origin", "text", "Batch of the row, or file and line where it could not be read"),
        Column("reason", "text", "Why the row was refused"),
        Column("record", "jsonb", "The row as it came", personal=Personal.KEY),
        Column("run_id", "uuid", "Dagster run that refused the row"),
        Column("quarantined_at", "timestamp with time zone", "When the row was refused"),
    ),
)

ACCEPTED_REJECTS = InternalTable(
    name="ops.accepted_rejects",
    description="Days whose refused rows a person has looked at: so many block nothing.",
    key=("table_name", "partition_day"),
    holds=Holds.NOTHING,
    columns=(
        Column("table_name", "text", "Table that refused the rows", personal=Personal.NONE),
        Column("partition_day", "date", "UTC day of the rows"),
        Column("reject_count", "bigint", "Refused rows that were accepted as refused"),
        Column("accepted_at", "timestamp with time zone", "When a person accepted them"),
    ),
)

WRITERS = InternalTable(
    name="ops.writers",
    description="Whose row a transaction changes before it writes the table: writers take turns by that.",
    key=("table_name",),
    holds=Holds.NOTHING,
    columns=(Column("table_name", "text", "Table that is written", personal=Personal.NONE),),
)

TURN = InternalTable(
    name="ops.turn",
    description="Locked while a command imports or brings tables up to date, so that one at a time does.",
    key=(),
    holds=Holds.NOTHING,
    columns=(),
)

VIEWS = InternalTable(
    name="ops.views",
    description="Views of bi as they were last made: the file in sql/views, and what PostgreSQL made of it.",
    key=("name",),
    holds=Holds.NOTHING,
    columns=(
        Column("name", "text", "The view, with its schema", personal=Personal.NONE),
        Column("file_sha256", "text", "SHA-256 of the file", personal=Personal.NONE),
        Column(
            "definition_md5",
            "text",
            "MD5 of the definition that PostgreSQL has since, so that a view somebody changed is made anew",
            personal=Personal.NONE,
            nullable=True,
        ),
    ),
)

CLOCK = InternalTable(
    name="ops.clock",
    description="The one clock: simulated at an instant, or real where simulated_at is NULL.",
    key=("only_row",),
    holds=Holds.NOTHING,
    columns=(
        Column("only_row", "boolean", "Always true: the table has one row"),
        Column(
            "simulated_at",
            "timestamp with time zone",
            "The instant that the clock shows; NULL where it is real",
            nullable=True,
        ),
    ),
)
