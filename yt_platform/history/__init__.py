"""Imported history: files of snapshots and metadata that others collected, recognised by content, as raw batches.

`open_history(path)` recognises the files, `History.scan` says which days they touch, `History.batches` stores them and
`History.rejects` holds what could not be read. Nothing here knows of Postgres or Dagster: the caller writes catalogue
and quarantine rows from what it is given.
"""

from yt_platform.history.files import HistoryFile, Ignored
from yt_platform.history.handles import plain_handle
from yt_platform.history.imports import History, ImportedBatch, Scan, open_history
from yt_platform.history.names import NamingError, Options, mapped_columns
from yt_platform.history.problems import HistoryError, Reject

__all__ = [
    "History",
    "HistoryError",
    "HistoryFile",
    "Ignored",
    "ImportedBatch",
    "NamingError",
    "Options",
    "Reject",
    "Scan",
    "mapped_columns",
    "open_history",
    "plain_handle",
]
