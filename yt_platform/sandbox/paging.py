"""Pages of a listing: opaque tokens, and the short and empty pages that real listings give now and then.

Here: which items a page holds and how its neighbours are named. Not here: the listings themselves.
"""

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from yt_platform.sandbox.draws import share
from yt_platform.sandbox.errors import ApiError

_TOKEN = struct.Struct(">IBI")  # first item, tries of this page, checksum; 9 bytes are 12 characters without padding


class Page(NamedTuple):
    """Items `start` to `stop` (excluded) of a listing and the tokens of the pages around it."""

    start: int
    stop: int
    next_token: str | None
    previous_token: str | None


@dataclass(frozen=True)
class Paging:
    """How listings are cut. Of the pages with something to come, `empty_share` come empty first, `short_share` at
    half their size; which ones depends on the seed, the listing and the position alone."""

    seed: int = 0
    short_share: float = 0.02
    empty_share: float = 0.01

    def page(self, listing: str, token: str | None, size: int, total: int) -> Page:
        """One page of `listing` (method and filter, which a token belongs to) with `total` items now.

        Raises ApiError 400 invalidPageToken for a token of another listing or none at all.
        """
        start, tries = _read(listing, token) if token else (0, 0)
        start = min(start, total)
        drawn = share(f"{self.seed}|{listing}|{start}")
        if start < total and tries == 0 and drawn < self.empty_share:
            return Page(start, start, _write(listing, start, 1), _previous(listing, start, size))
        short = self.empty_share <= drawn < self.empty_share + self.short_share
        stop = min(total, start + (max(1, size // 2) if short else size))
        following = _write(listing, stop, 0) if stop < total else None
        return Page(start, stop, following, _previous(listing, start, size))


def _previous(listing: str, start: int, size: int) -> str | None:
    return _write(listing, max(0, start - size), 0) if start else None


def _write(listing: str, start: int, tries: int) -> str:
    packed = _TOKEN.pack(start, tries, _checksum(listing, start, tries))
    return base64.urlsafe_b64encode(packed).decode()


def _read(listing: str, token: str) -> tuple[int, int]:
    try:
        start, tries, checksum = _TOKEN.unpack(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, struct.error, ValueError):  # ValueError: characters outside ASCII
        raise ApiError("invalidPageToken", location="pageToken") from None
    if checksum != _checksum(listing, start, tries):
        raise ApiError("invalidPageToken", location="pageToken")
    return start, tries


def _checksum(listing: str, start: int, tries: int) -> int:
    return zlib.crc32(f"{listing}|{start}|{tries}".encode())
