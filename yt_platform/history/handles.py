"""Channels that a file names by handle alone.

Belongs here: handles to channel ids, as far as they are known. Not here: where they are known from.
"""

from collections.abc import Mapping

import pyarrow as pa

from yt_platform.history.convert import Converted, Kind, is_text


def handles(known: Mapping[str, str]) -> Kind:
    """Text that names a channel, by the ids of the known handles as `plain_handle` spells them."""

    def convert(values: pa.Array) -> Converted:
        texts = values.cast(pa.string()).to_pylist()
        ids = [known.get(plain_handle(text)) if text else None for text in texts]
        unknown = {
            row: f"{text[:40]!r} is the handle of no channel known here; add the channel, or import a file with its "
            "channel_id and handle"
            for row, text in enumerate(texts)
            if text and ids[row] is None
        }
        return pa.array(ids, pa.string()), unknown

    return Kind("handles", is_text, convert)


def plain_handle(text: str) -> str:
    """`@Name`, `name` and `https://www.youtube.com/@Name` in one spelling: handles do not tell case apart."""
    return "@" + text.strip().rsplit("/", 1)[-1].lstrip("@").lower()
