"""Counts as text: what a spelling is worth, and what only its whole column tells.

Belongs here: separators of thousands and decimals, shortened numbers, words for missing. Not here: arrays
(`convert.py`).

A count is a whole number, so that `1,234` and `1 234` can be nothing but 1234, and `2500,0` nothing but 2500. A mark
with three digits after it and at most three before is open all the same: `1.000` is 1 to pandas and 1000 in Germany,
and `1.234` is 1234 unless the column holds decimals. The other values of the column decide; where they do not, the
value is refused.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

Role = Literal["thousands", "decimals"]
Roles = Mapping[str, Role]
Evidence = Literal["thousands", "decimals", "long numbers without separators"]
"""What a comma and a point stand for in a column, as far as it tells."""

MISSING_WORDS = frozenset(
    ["", "na", "n/a", "#n/a", "n.a.", "<na>", "#nv", "nan", "nat", "none", "null", "(null)", "nil", "\\n", "?", "."]
).union(
    ["-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "hidden", "disabled", "private", "unknown", "missing"],
    ["#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!", "#error!", "#calc!", "n/d", "n.d.", "s/d", "k.a."],
    ["undefined", "unavailable", "not available", "not_available", "comments disabled", "turned off", "off"],
)
"""What stands for a value that is not known, in lower case."""
MISSING = MISSING_WORDS | {"-1", "-1.0"}
"""The same of counts, which are never negative."""

MAX_INT64 = 2**63 - 1

_SHOWN = 40
_PLAIN = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)", re.ASCII)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,](?P<decimals>\d*))?[eE](?P<exponent>[+-]?\d{1,3})", re.ASCII)
_PADDED_EXPONENT = re.compile(r".*[eE][+-]\d\d+", re.ASCII)
_ONE_GROUP = re.compile(r"[+-]?\d{1,3}(?P<mark>[.,])(?P<group>\d{3})", re.ASCII)
_GROUPS = re.compile(r"[+-]?\d{1,3}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3})+(?P<rest>(?!(?P=mark))[.,]\d*)?", re.ASCII)
_ONE_GROUP_AND_DECIMALS = re.compile(r"[+-]?\d{1,3}(?P<mark>[.,])\d{3}(?P<rest>(?!(?P=mark))[.,]\d*)", re.ASCII)
_SPACED = re.compile(
    r"[+-]?\d{1,3}(?P<mark>[ \u00a0\u2009\u202f'\u2019])\d{3}(?:(?P=mark)\d{3})*(?:[.,]\d*)?", re.ASCII
)
_LAKHS = re.compile(r"[+-]?\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?", re.ASCII)
_SHORTENED = re.compile(
    r"[+-]?[\d.,\s]*\d\s*(k|m|b|t|bn|mn|thousand|million|billion|tsd|mio|mrd|mln|mld|md|mil|mi|rb|jt|tr|lakh|lac|crore|cr|"
    r"тыс|млн|млрд|[千万萬億亿천만억])\s*\.?\s*\+?",
    re.IGNORECASE,
)


def is_open(text: str) -> bool:
    """Whether only the column tells what this is."""
    return bool(_ONE_GROUP.fullmatch(text.strip()))


def roles(texts: Iterable[str]) -> Roles:
    """What comma and point stand for in a column of these values; a mark that is open or contradictory is left out."""
    seen: dict[str, set[Evidence]] = {",": set(), ".": set()}
    for text in texts:
        for mark, evidence in _evidence(text.strip()):
            seen[mark].add(evidence)
    found: dict[str, Role] = {}
    for mark, all_of_it in seen.items():
        if "decimals" in all_of_it and "thousands" not in all_of_it:
            found[mark] = "decimals"
        elif all_of_it == {"thousands"}:
            found[mark] = "thousands"
    return found


def _evidence(text: str) -> list[tuple[str, Evidence]]:
    if _PLAIN.fullmatch(text):
        # a comma is no decimal point beside such numbers, a point may be one
        return [(".", "long numbers without separators")] if len(text) > 4 else []
    if one := _ONE_GROUP.fullmatch(text):
        return [] if one["group"] == "000" else [(one["mark"], "thousands")]
    if groups := _GROUPS.fullmatch(text) or _ONE_GROUP_AND_DECIMALS.fullmatch(text):
        rest: list[tuple[str, Evidence]] = [(groups["rest"][0], "decimals")] if groups["rest"] else []
        return [(groups["mark"], "thousands"), *rest]
    if _LAKHS.fullmatch(text):
        return [(",", "thousands")]
    if _DECIMAL.fullmatch(text):
        return [("," if "," in text else ".", "decimals")]
    return []


def parse_count(text: str, known: Roles) -> int | None:
    """The count that a text is, None where it stands for missing. Raises ValueError with what is wrong."""
    text = text.strip()
    if text.lower() in MISSING:
        return None
    number = Decimal(_plain(text, known))
    if number != number.to_integral_value():
        raise ValueError(f"{text[:_SHOWN]!r} is not a whole number")
    if not -MAX_INT64 - 1 <= number <= MAX_INT64:
        raise ValueError(f"{text[:_SHOWN]!r} is beyond 64-bit integers")
    return int(number)


def _plain(text: str, known: Roles) -> str:
    """The number as Decimal takes it."""
    if _SCIENTIFIC.fullmatch(text):
        return _scientific(text)
    if one := _ONE_GROUP.fullmatch(text):
        return _settled(text, one["mark"], known)
    if _DECIMAL.fullmatch(text):
        return text.replace(",", ".")
    if grouped := _GROUPS.fullmatch(text) or _ONE_GROUP_AND_DECIMALS.fullmatch(text) or _SPACED.fullmatch(text):
        return text.replace(grouped["mark"], "").replace(",", ".")
    if _LAKHS.fullmatch(text):
        return text.replace(",", "")
    if _SHORTENED.fullmatch(text):
        raise ValueError(f"{text[:_SHOWN]!r} is shortened, its other digits are lost: export the number in full")
    raise ValueError(f"{text[:_SHOWN]!r} is not a whole number written in digits")


def _settled(text: str, mark: str, known: Roles) -> str:
    name = {",": "comma", ".": "point"}[mark]
    role = known.get(mark)
    if role is None:
        raise ValueError(
            f"{text!r} may be {text.replace(mark, '')} or {text.replace(mark, '.')}, and the column does not tell what "
            f"its {name} means: write counts without separators"
        )
    return text.replace(mark, "" if role == "thousands" else ".")


def _scientific(text: str) -> str:
    """Spreadsheets and printf round to a few digits, and write an exponent of two digits or more; where fewer digits
    than the number has are written so, the others are lost."""
    found = _SCIENTIFIC.fullmatch(text)
    assert found
    if _PADDED_EXPONENT.fullmatch(text) and int(found["exponent"]) > len(found["decimals"] or ""):
        raise ValueError(
            f"{text[:_SHOWN]!r} is rounded, its last digits are lost: format the column as a number without decimals "
            "and export it again"
        )
    return text.replace(",", ".")
