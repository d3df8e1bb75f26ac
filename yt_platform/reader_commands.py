"""What `yt-platform readers` does; how it is printed is `report.py`."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from rich.console import Console

from yt_platform.local import open_platform
from yt_platform.resources import databases
from yt_platform.settings import Settings
from yt_platform.warehouse.databases import DatabaseUrls, database_name, for_old_client
from yt_platform.warehouse.readers import Reader, Readers
from yt_platform.warehouse.sessions import bounded


def add_reader(settings: Settings, name: str, out: Console) -> None:
    """Make a reader, and say where its password is."""
    with _readers(settings, f"adding the reader {name}") as readers:
        reader = readers.add(name)
        url = databases(settings).reader_url(reader)
    out.print(f"the reader {name} is the role {reader.role}; its password alone is in {reader.passfile} (mode 0600)")
    out.print(url, soft_wrap=True)
    out.print("psql 15 and older (Debian 12) refuse require_auth; the URL for them:")
    out.print(for_old_client(url), soft_wrap=True)


def listed_readers(settings: Settings) -> list[Reader]:
    with _readers(settings, "listing the readers") as readers:
        return readers.added()


def remove_reader(settings: Settings, name: str, out: Console) -> None:
    with _readers(settings, f"removing the reader {name}") as readers:
        readers.remove(name)
    out.print(f"the reader {name} is removed, with its sessions and its password")


def print_shortfalls(settings: Settings, urls: DatabaseUrls, out: Console) -> None:
    """What readers could do as the server's rights do not let the platform prevent it."""
    others = [database_name(urls.dagster), database_name(urls.mlflow)]
    with psycopg.connect(urls.warehouse, autocommit=True) as connection:
        found = Readers(connection, database_name(urls.warehouse), settings.home).shortfalls(others)
    for shortfall in found:
        out.print(f"readers can still {shortfall}", style="yellow", soft_wrap=True)


@contextmanager
def _readers(settings: Settings, what: str) -> Iterator[Readers]:
    with open_platform(settings) as platform:
        url = platform.urls.warehouse
        with psycopg.connect(url, autocommit=True) as connection, bounded(url, connection, what):
            yield Readers(connection, database_name(url), settings.home)
