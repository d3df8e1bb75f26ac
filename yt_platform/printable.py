"""Text that a terminal, a log or a message may show: people choose titles, and control characters act on terminals.

An escape sequence in a title could recolour a screen, rename a window, write to the clipboard or hide what follows.
"""

import re

_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and line feed; 9b alone begins a sequence (ECMA-48, C1)
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # of direction: they show text in another order than it has
    "\u2028\u2029"  # ends of a line and of a paragraph
    "\ud800-\udfff]"  # halves of characters, which no output can encode
)


def printable(text: str) -> str:
    r"""The text with whatever acts on a terminal spelled out, like `\x1b`; line feeds and tabs stay."""
    return _ACTING.sub(lambda found: ascii(found[0])[1:-1], text.replace("\r\n", "\n"))
