"""Exports of YouTube Studio's advanced mode: their words in several languages, their days, and what becomes a reading.

Belongs here: how these files are worded and dated. Not here: what their counts become (`totals.py`).

The words in English, German, French, Spanish (of Spain and America), Portuguese, Japanese and Korean were seen in
public code that reads such files (2026-11). Words of other languages are not known here.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from yt_platform.history.convert import Converted, Kind, is_text
from yt_platform.history.names import snake_case
from yt_platform.storage.endpoints import TIMESTAMP

CONTENT = ("content", "inhalte", "videos", "contenu", "contenido", "conteúdo", "コンテンツ", "콘텐츠")
TITLE = (
    "video_title", "videotitel", "titre_de_la_vidéo", "título_del_vídeo", "título_del_video", "título_do_vídeo",
    "動画のタイトル", "동영상_제목",
)  # fmt: skip
PUBLISHED = (
    "video_publish_time", "veröffentlichungszeitpunkt_des_videos", "heure_de_publication_de_la_vidéo",
    "hora_de_publicación_del_vídeo", "hora_de_publicación_del_video", "horário_de_publicação_do_vídeo",
    "動画公開時刻", "동영상_게시_시간",
)  # fmt: skip
DURATION = ("duration", "dauer", "durée", "duración", "duração", "長さ", "길이")
VIEWS = ("views", "aufrufe", "vues", "visualizaciones", "vistas", "visualizações", "視聴回数", "조회수")
DAY = ("date", "datum", "fecha", "data", "日付", "날짜")

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
_PERIOD = re.compile(r"(?<!\d)(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)(?!\d)")
_NUMERIC = re.compile(r"(\d{4})\D{1,2}(\d{1,2})\D{1,2}(\d{1,2})\D?|(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_WORDED = re.compile(r"(?:(\d{1,2})\.?\s+(?:de\s+)?)?([a-z]{3,9})\.?,?\s+(?:(\d{1,2}),\s+)?(?:de\s+)?(\d{4})", re.ASCII)
_MONTHS = (
    ("jan", "ene"), ("feb", "fev"), ("mar",), ("apr", "avr", "abr"), ("may", "mai"), ("jun", "juin"), ("jul", "juil"),
    ("aug", "aou", "ago"), ("sep", "set"), ("oct", "okt", "out"), ("nov",), ("dec", "dez", "dic"),
)  # fmt: skip
"""How the names of months begin in the languages above, without accents."""


def parse_day(text: str) -> date:
    """A day as Studio writes it: `2024-04-26`, `Apr 26, 2024`, `26 avr. 2024`, `26.04.2024`, `2024/04/26`."""
    text = text.strip()
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    try:
        if numeric := _NUMERIC.fullmatch(text):
            year, month, day = (
                (numeric[1], numeric[2], numeric[3]) if numeric[1] else (numeric[6], numeric[5], numeric[4])
            )
            return date(int(year), int(month), int(day))
        if (worded := _WORDED.fullmatch(plain)) and bool(worded[1]) != bool(worded[3]):
            return date(int(worded[4]), _month(worded[2]), int(worded[1] or worded[3]))
    except ValueError:
        pass
    raise ValueError(f"{text[:40]!r} is no day as YouTube Studio writes it")


def _month(name: str) -> int:
    found = [number for number, begins in enumerate(_MONTHS, start=1) if name.startswith(begins)]
    if len(found) != 1:
        raise ValueError(name)
    return found[0]


@cache
def end_of_day(day: date) -> datetime:
    """The instant at which a day of Los Angeles ends, in UTC."""
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=LOS_ANGELES).astimezone(UTC)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days(made: Callable[[date], datetime]) -> Kind:
    def convert(values: pa.Array) -> Converted:
        coded = values.cast(pa.string()).dictionary_encode()
        parsed: list[datetime | None] = []
        faults: dict[int, str] = {}
        for code, text in enumerate(coded.dictionary.to_pylist()):
            try:
                parsed.append(made(parse_day(text)) if text else None)
            except ValueError as error:
                parsed.append(None)
                faults[code] = str(error)
        codes = coded.indices.to_pylist()
        reasons = {row: faults[code] for row, code in enumerate(codes) if code in faults}
        return pa.array(parsed, TIMESTAMP).take(coded.indices), reasons

    return Kind("days as YouTube Studio writes them", is_text, convert)


def _seconds_to_iso(values: pa.Array) -> Converted:
    texts = values.cast(pa.string()).to_pylist()
    whole = [text if text and text.isdecimal() else None for text in texts]
    return pa.array([None if text is None else f"PT{text}S" for text in whole], pa.string()), {}


COUNTED_DAY = _days(end_of_day)
PUBLISHED_DAY = _days(_midnight)
SECONDS = Kind("seconds", is_text, _seconds_to_iso)


def period(path: Path) -> tuple[date, date] | None:
    """The period of an export, from the nearest name on its path that has one, like
    `Content 2024-01-01_2024-12-31 Channel`."""
    for part in reversed(path.resolve().parts):
        if found := _PERIOD.search(part):
            try:
                return date.fromisoformat(found[1]), date.fromisoformat(found[2])
            except ValueError:
                continue
    return None


def why_not(header: Sequence[str]) -> str | None:
    """Why a file of Studio becomes no reading, None where it is not known to be one of Studio's."""
    names = [snake_case(name) for name in header]
    has = {words: any(name in words for name in names) for words in (CONTENT, TITLE, VIEWS, DAY)}
    if has[CONTENT] and has[TITLE] and not has[VIEWS]:
        return (
            f"is an export of YouTube Studio without a column known as views (its last is {header[-1]}): only views "
            "become readings"
        )
    if has[DAY] and len(names) == 2 and (has[VIEWS] or names[0] in DAY):
        return "has what a whole channel gained on each day, without its id, as YouTube Studio's totals have"
    return None
