"""Declarations of the catalogue of raw files, and of the imports that brought them."""

from yt_platform.tables.columns import Column, Personal
from yt_platform.tables.declaration import Holds, InternalTable

BATCHES = InternalTable(
    name="raw.batches",
    description="One row per immutable raw file: what it holds, where it lies and what it came from.",
    key=("batch_id",),
    holds=Holds.STORED,
    columns=(
        Column("batch_id", "bigint", "Number of the batch, in the order they were stored"),
        Column(
            "endpoint",
            "text",
            "What the file holds: a kind of import, an endpoint of the API or a kind of report",
            personal=Personal.NONE,
        ),
        Column("partition_day", "date", "UTC day of the rows or answers; of a report its Pacific day"),
        Column("collected_at", "timestamp with time zone", "When the rows or answers were collected"),
        Column("path", "text", "Path of the file in the raw store", personal=Personal.NONE),
        Column("sha256", "text", "SHA-256 of the file", personal=Personal.NONE),
        Column("bytes", "bigint", "Size of the file"),
        Column("row_count", "bigint", "Rows of an import, answers of a pull"),
        Column("quota_units", "integer", "Units of quota that the answers cost"),
        Column("synthetic", "boolean", "Whether the data is generated"),
        Column("original_name", "text", "Name of the file that was imported", nullable=True),
        Column(
            "original_sha256", "text", "SHA-256 of the file that was imported", personal=Personal.NONE, nullable=True
        ),
        Column("run_id", "uuid", "Dagster run that stored the file"),
        Column("stored_at", "timestamp with time zone", "When the file was stored"),
        Column(
            "source",
            "text",
            "import; api: pulled from YouTube with a key; report: told to an owner alone (original_name is NULL "
            "for both)",
            personal=Personal.NONE,
        ),
        Column(
            "supersedes",
            "text",
            "Hash of the file this one replaced when something in it was forgotten",
            personal=Personal.NONE,
            nullable=True,
        ),
        Column(
            "purged_at",
            "timestamp with time zone",
            "When the file was to be deleted under the 30-day rule; the hash stays, so that what was made from "
            "it is not made anew from less",
            nullable=True,
        ),
        Column("file_deleted_at", "timestamp with time zone", "When it was, of a batch that was purged", nullable=True),
    ),
)

IMPORTS = InternalTable(
    name="raw.imports",
    description="One row per imported file or folder, by the hash of its contents.",
    key=("import_id",),
    holds=Holds.NOTHING,
    columns=(
        Column("import_id", "text", "Hash of the contents", personal=Personal.NONE),
        Column("name", "text", "Name of the file or folder"),
        Column("formats", "text[]", "Layouts that were recognised", personal=Personal.NONE),
        Column(
            "row_count",
            "bigint",
            "Rows of the batches: a line of a file may become a row of counts and one of metadata",
        ),
        Column("reject_count", "bigint", "Lines or rows of the files that were refused"),
        Column("run_id", "uuid", "Dagster run that imported it"),
        Column("imported_at", "timestamp with time zone", "When it was imported"),
        Column(
            "record_count",
            "bigint",
            "Lines or rows of the files that were taken; NULL where an earlier version imported them",
            nullable=True,
        ),
        Column(
            "accepted_at",
            "timestamp with time zone",
            "When a person accepted that so many rows were refused",
            nullable=True,
        ),
        Column(
            "undoing",
            "text[]",
            "Files still to be deleted while the import is being taken back; NULL for every other import",
            personal=Personal.NONE,
            nullable=True,
        ),
        Column(
            "contents",
            "text[]",
            "Hash of each of its files; of an import by an earlier version those that its batches tell",
            nullable=True,
            personal=Personal.NONE,
        ),
        Column(
            "reading",
            "text",
            "Version of the importer, and what was said about names and dates; NULL where an earlier version imported "
            "it",
            nullable=True,
        ),
    ),
)

IMPORT_BATCHES = InternalTable(
    name="raw.import_batches",
    description="One row per import and raw batch that it brought.",
    key=("import_id", "batch_id"),
    holds=Holds.NOTHING,
    columns=(
        Column("import_id", "text", "The import", personal=Personal.NONE),
        Column("batch_id", "bigint", "The raw batch; two imports may have brought the same"),
    ),
)
