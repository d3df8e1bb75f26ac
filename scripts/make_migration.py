"""Writes the next file of `sql/migrations` from what the tables declare: `make migration NAME=...`.

The declarations are compared with a database that has all migrations so far: one of the embedded server, or an empty
one that --database names. The file is a draft: a person reads it, and decides what it leaves open.
"""

import argparse
import re
import tempfile
from pathlib import Path

from yt_platform.warehouse.embedded.server import EmbeddedPostgres
from yt_platform.warehouse.migrations import SQL_FOLDER, migrate_to
from yt_platform.warehouse.structure import missing

FOLDER = SQL_FOLDER / "migrations"


def named(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a file: use small letters, digits and underscores")
    return text


def draft(url: str, name: str) -> str | None:
    """Migrate the empty database, and write what it lacks; returns the file's name, None where it lacks nothing."""
    files = sorted(path.stem for path in FOLDER.glob("*.sql"))
    migrate_to(url, set(files))
    if not (sql := missing(url)):
        return None
    path = FOLDER / f"{int(files[-1].split('_')[0]) + 1:04}_{name}.sql"
    path.write_text(f"-- Say here what this is for, and correct what follows.\n\n{sql}")
    return path.name


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the next file of sql/migrations from what the tables declare.")
    parser.add_argument("name", type=named, help="what the migration does, like video_records")
    parser.add_argument("--database", metavar="URL", help="an empty database (default: one of the embedded server)")
    asked = parser.parse_args()
    if asked.database:
        written = draft(asked.database, asked.name)
    else:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # root's server runs under an account of its own
            with EmbeddedPostgres(Path(folder) / "home") as server:
                written = draft(server.url("postgres"), asked.name)
    if written:
        print(f"wrote sql/migrations/{written}: read it, correct it, then run make docs and the tests")
    else:
        print("nothing to write: the migrations make what the tables declare")


if __name__ == "__main__":
    main()
