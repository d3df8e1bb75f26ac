"""Chance that is a pure function of what it is about, in place of a generator with a state."""

from hashlib import blake2b


def draw(about: str) -> int:
    """A number below 2**64, evenly spread over texts. CRC-32 is not: over texts that end in a number it clusters."""
    return int.from_bytes(blake2b(about.encode(), digest_size=8).digest())


def share(about: str) -> float:
    """The same as a number from 0 to below 1."""
    return draw(about) / 2**64
