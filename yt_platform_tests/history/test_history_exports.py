"""Exports of YouTube Studio and Google Takeout: what becomes a reading, and what is left out with its reason.

At `open_history`, as recognising, dating and adding up go together.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from yt_platform.history import HistoryError, Options, Reject, open_history
from yt_platform.history.studio import parse_day

VIDEO, OTHER = "abcdefghijk", "lmnopqrstuv"
CHART = "Date,Content,Video title,Video publish time,Duration,Views\n"
TABLE = "Content,Video title,Video publish time,Duration,Views,Watch time (hours)\n"


def written(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def read(path: Path, options: Options | None = None) -> tuple[list[dict[str, Any]], list[Reject], int]:
    """Rows, refused rows, and how many lines were left out as they are no rows."""
    [file] = open_history(path, options).files
    pieces = list(file.read())
    rows = [
        dict(zip(piece.columns, values, strict=True))
        for piece in pieces
        for values in zip(*(column.to_pylist() for column in piece.columns.values()), strict=True)
    ]
    return rows, [reject for piece in pieces for reject in piece.rejects], sum(piece.headers for piece in pieces)


def chart(*days: tuple[str, str, str], published: str = '"Jan 2, 2026"') -> str:
    """Lines of a chart: day, video, views."""
    return "".join(f"{day},{video},A title,{published},43,{views}\n" for day, video, views in days)


def test_a_chart_from_before_publication_adds_up_to_totals_at_the_end_of_each_day(tmp_path: Path) -> None:
    """A day of Studio ends at midnight in Los Angeles, in winter at 08:00 UTC of the next."""
    days = chart(*((f"2026-01-0{n}", VIDEO, views) for n, views in ((1, "0"), (2, "10"), (3, "5"), (4, "0"))))
    rows, rejects, left_out = read(written(tmp_path / "Chart data.csv", CHART + days))
    assert [(row["collected_at"], row["view_count"]) for row in rows] == [
        (datetime(2026, 1, 3, 8, tzinfo=UTC), 10),
        (datetime(2026, 1, 4, 8, tzinfo=UTC), 15),
        (datetime(2026, 1, 5, 8, tzinfo=UTC), 15),
    ]
    assert (rejects, left_out) == ([], 1)


def test_days_of_videos_that_alternate_add_up_for_each(tmp_path: Path) -> None:
    days = chart(*((f"2026-01-0{n}", video, f"{n}") for n in (2, 3) for video in (VIDEO, OTHER)))
    rows, _, _ = read(written(tmp_path / "Chart data.csv", CHART + days))
    assert [row["view_count"] for row in rows] == [2, 2, 5, 5]


@pytest.mark.parametrize(
    ("days", "reason", "refused"),
    [
        ([("2026-01-03", "1"), ("2026-01-04", "1")], "begins after the video was published", 2),
        ([("2026-01-02", "1"), ("2026-01-04", "1"), ("2026-01-05", "1")], "lacks the day before", 2),
        ([("2026-01-02", "1"), ("2026-01-03", ""), ("2026-01-04", "1")], "has no views of this day", 2),
    ],
)
def test_days_whose_total_is_not_known_are_refused(
    tmp_path: Path, days: list[tuple[str, str]], reason: str, refused: int
) -> None:
    lines = chart(*((day, VIDEO, views) for day, views in days))
    rows, rejects, _ = read(written(tmp_path / "Chart data.csv", CHART + lines))
    assert (len(rows), len(rejects)) == (len(days) - refused, refused)
    assert all(reason in reject.reason for reject in rejects)
    assert [reject.line for reject in rejects] == [*range(2 + len(rows), 2 + len(days))]


def test_a_table_gives_totals_of_videos_published_in_its_period(tmp_path: Path) -> None:
    lines = (
        "Total,,,,30,1.5\n"
        f'{VIDEO},New,"Jan 2, 2026",43,20,1\n'
        f'{OTHER},Old,"Dec 31, 2025",43,10,0.5\n'
        "Showing top 500 results,,,,,\n"
    )
    path = tmp_path / "Content 2026-01-01_2026-06-30 A channel" / "Table data.csv"
    [row], [reject], left_out = read(written(path, TABLE + lines))
    assert row["collected_at"] == datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert (row["video_id"], row["title"], row["view_count"], row["duration"]) == (VIDEO, "New", 20, "PT43S")
    assert (reject.line, left_out) == (4, 2)
    assert reject.reason == "was not published within the period, which begins on 2026-01-01: its sum is no total"


def test_a_table_of_an_unknown_period_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "Table data.csv", TABLE + f'{VIDEO},New,"Jan 2, 2026",43,20,1\n')
    with pytest.raises(HistoryError, match="has sums of a period that neither the file nor a folder's name tells"):
        open_history(path)


def test_the_same_table_of_another_period_is_another_import(tmp_path: Path) -> None:
    paths = [
        written(tmp_path / f"Content 2026-01-01_2026-06-{day} C" / "Table data.csv", TABLE) for day in ("29", "30")
    ]
    one, other = (open_history(path).import_id for path in paths)
    assert one != other


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Date,Content,Video title,Video publish time,Duration,Average view duration", "an export of YouTube Studio"),
        ("Date,Views", "a whole channel gained on each day, without its id"),
        ("Datum,Aufrufe", "a whole channel gained on each day, without its id"),
    ],
)
def test_exports_that_become_no_readings_are_left_out_with_their_reason(
    tmp_path: Path, header: str, reason: str
) -> None:
    written(tmp_path / "Other.csv", header + "\n")
    written(tmp_path / "Chart data.csv", CHART)
    [ignored] = open_history(tmp_path).ignored
    assert reason in ignored.reason


@pytest.mark.parametrize(
    "header",
    [
        "Datum,Videos,Videotitel,Veröffentlichungszeitpunkt des Videos,Dauer,Aufrufe",
        "Date,Contenu,Titre de la vidéo,Heure de publication de la vidéo,Durée,Vues",
        "Fecha,Contenido,Título del vídeo,Hora de publicación del vídeo,Duración,Visualizaciones",
        "Fecha,Contenido,Título del video,Hora de publicación del video,Duración,Vistas",
        "Data,Conteúdo,Título do vídeo,Horário de publicação do vídeo,Duração,Visualizações",
        "日付,コンテンツ,動画のタイトル,動画公開時刻,長さ,視聴回数",
        "날짜,콘텐츠,동영상 제목,동영상 게시 시간,길이,조회수",
    ],
)
def test_charts_in_other_languages_are_read(tmp_path: Path, header: str) -> None:
    rows, rejects, _ = read(written(tmp_path / "c.csv", f"{header}\n" + chart(("2026-01-02", VIDEO, "7"))))
    assert [(row["video_id"], row["view_count"]) for row in rows] == [(VIDEO, 7)]
    assert rejects == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Apr 26, 2024", date(2024, 4, 26)),
        ("2024-04-26", date(2024, 4, 26)),
        ("26.04.2024", date(2024, 4, 26)),
        ("26. Apr. 2024", date(2024, 4, 26)),
        ("1. März 2024", date(2024, 3, 1)),
        ("26 avr. 2024", date(2024, 4, 26)),
        ("1 août 2024", date(2024, 8, 1)),
        ("3 juin 2024", date(2024, 6, 3)),
        ("3 juil. 2024", date(2024, 7, 3)),
        ("28 sept. 2026", date(2026, 9, 28)),
        ("26 abr 2024", date(2024, 4, 26)),
        ("9 dic 2024", date(2024, 12, 9)),
        ("26 de abr. de 2024", date(2024, 4, 26)),
        ("2 de out. de 2024", date(2024, 10, 2)),
        ("2024/04/26", date(2024, 4, 26)),
        ("2024年4月26日", date(2024, 4, 26)),
        ("2024. 4. 26.", date(2024, 4, 26)),
    ],
)
def test_days_are_read_in_the_form_of_their_language(text: str, day: date) -> None:
    assert parse_day(text) == day


@pytest.mark.parametrize(
    "text", ["04/05/2024", "Foo 3, 2024", "Apr 31, 2024", "3 Apr 4, 2024", "", "Jan 2024", "20240426"]
)
def test_what_is_no_day_of_studio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no day as YouTube Studio writes it"):
        parse_day(text)


def test_takeouts_videos_and_channels_become_metadata_as_of_the_archive(tmp_path: Path) -> None:
    folder = tmp_path / "takeout-20260102T030405Z-001" / "Takeout" / "YouTube and YouTube Music"
    written(
        folder / "video metadata" / "videos.csv",
        "Video ID,Approx Duration (ms),Video Audio Language,Video Category,Video Description (Original),Channel ID,"
        "Video Title (Original),Privacy,Video State,Video Create Timestamp,Video Publish Timestamp\n"
        f"{VIDEO},90500,en,People,text,UCa,A title,Public,Processed,2021-01-30T05:26:03+00:00,"
        "2021-01-30T06:00:00+00:00\n",
    )
    written(
        folder / "channels" / "channel.csv",
        "Channel ID,Channel Country,Channel Description (Original),Channel Title (Original),Channel Visibility\n"
        "UCa,DE,about,A channel,Public\n",
    )
    written(
        folder / "comments" / "comments.csv",
        "Comment ID,Channel ID,Comment Create Timestamp,Price,Parent Comment ID,Video ID,Comment Text\n",
    )
    written(folder / "playlists" / "Later-videos.csv", "Video ID,Playlist Video Creation Timestamp\n")
    history = open_history(tmp_path)
    channels, videos = ([rows.columns for rows in file.read()] for file in history.files)
    assert {name: values.to_pylist() for name, values in videos[0].items()} == {
        "video_id": [VIDEO],
        "channel_id": ["UCa"],
        "title": ["A title"],
        "description": ["text"],
        "default_audio_language": ["en"],
        "published_at": [datetime(2021, 1, 30, 6, tzinfo=UTC)],
        "duration": ["PT90S"],
        "collected_at": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
    }
    assert channels[0]["country"].to_pylist() == ["DE"]
    assert [one.reason for one in history.ignored] == [
        "holds comments that the account wrote, as Google Takeout writes them, and no counts",
        "holds which videos a playlist has, as Google Takeout writes them, and no counts",
    ]


def test_takeouts_files_without_their_archives_name_need_a_time(tmp_path: Path) -> None:
    content = "Channel ID,Channel Title (Original),Channel Visibility\nUCa,A channel,Public\n"
    path = written(tmp_path / "channel.csv", content)
    with pytest.raises(HistoryError, match="lacks collected_at for the layout Google Takeout channels"):
        open_history(path)
    [row], _, _ = read(path, Options(as_of=datetime(2026, 1, 2, tzinfo=UTC)))
    assert row["collected_at"] == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_real_table_gives_totals_once_its_period_is_known(tmp_path: Path, data_dir: Path) -> None:
    """Checked against a plain sum of its rows by pandas-free reading: the file's own Total row."""
    content = (data_dir / "exports" / "prakashpathak111" / "Table data.csv").read_text()
    path = written(tmp_path / "Content 2023-06-24_2026-06-23 A" / "Table data.csv", content)
    rows, rejects, left_out = read(path)
    assert left_out == 1
    assert not rejects
    assert 0 < sum(row["view_count"] or 0 for row in rows) <= 34_838_847
