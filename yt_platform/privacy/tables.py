"""Declarations of what was forgotten on request, and of the backups that still hold it."""

from yt_platform.tables.columns import Column, Personal
from yt_platform.tables.declaration import Holds, InternalTable

FORGOTTEN = InternalTable(
    name="ops.forgotten",
    description="One row per id that imports, collections and restores leave out, as HMAC-SHA256 of it.",
    key=("digest",),
    holds=Holds.NOTHING,
    columns=(
        Column("digest", "text", "HMAC-SHA256 of the id", personal=Personal.NONE),
        Column("kind", "text", "channel, author or video", personal=Personal.NONE),
        Column("forgotten_at", "timestamp with time zone", "When it was last asked to be forgotten"),
        Column(
            "pending",
            "text",
            "The id itself while its deletion is under way or interrupted; NULL after it",
            personal=Personal.NONE,
            nullable=True,
        ),
    ),
)

FORGOTTEN_SALT = InternalTable(
    name="ops.forgotten_salt",
    description="Key of the digests in ops.forgotten; without it they cannot be told from noise.",
    key=("only_row",),
    holds=Holds.NOTHING,
    columns=(
        Column("only_row", "boolean", "Always true: the table has one row"),
        Column("salt", "bytea", "The key", personal=Personal.NONE),
    ),
)

BACKUPS = InternalTable(
    name="ops.backups",
    description="Backups that were made, and until when each may be kept; a person deletes them.",
    key=("folder",),
    holds=Holds.NOTHING,
    columns=(
        Column("folder", "text", "Folder of the backup", personal=Personal.NONE),
        Column("created_at", "timestamp with time zone", "When the backup was made"),
        Column("keep_until", "timestamp with time zone", "Until when it may be kept"),
    ),
)
