"""How a person may name a channel, and what a file of channels may look like."""

from pathlib import Path

import pytest

from yt_platform.youtube.watchlist import WatchListError, read_channels, reference

ID = "UC_x5XG1OV2P6uZZ5FSM9Ttw"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ID, ID),
        (f" {ID} ", ID),
        ("@Handle", "@handle"),
        (f"https://www.youtube.com/channel/{ID}", ID),
        (f"youtube.com/channel/{ID}/videos?view=0", ID),
        ("https://m.youtube.com/@Handle/", "@handle"),
        ("https://www.youtube.com/@%E6%97%A5%E6%9C%AC", "@日本"),
    ],
)
def test_ids_handles_and_urls_name_a_channel(text: str, found: str) -> None:
    assert reference(text) == found


@pytest.mark.parametrize(
    "text", ["", "handle", "UCshort", "https://www.youtube.com/c/name", "https://example.com/@x", "a" * 300]
)
def test_anything_else_is_refused_and_what_can_be_given_is_said(text: str) -> None:
    with pytest.raises(WatchListError, match="names no channel: give its id"):
        reference(text)


@pytest.mark.parametrize(
    "text",
    [
        f"@first\n{ID}\n",
        f"\ufeffchannel\r\n@first\r\n\r\n{ID}\r\n",
        f"name,channel\n,@first\nx,{ID}\n",
        f"title,channel_id,x\na,@first,1\nb,{ID},2\n",
    ],
)
def test_a_file_of_channels_is_read_with_and_without_a_header(tmp_path: Path, text: str) -> None:
    (tmp_path / "channels.csv").write_bytes(text.encode())
    assert read_channels(tmp_path / "channels.csv") == ["@first", ID]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"channel\n@good\nbad\n", "channels.csv, line 3: 'bad' names no channel"),
        (b"name,channel\nx,@good\ny,\n", "channels.csv, line 3: '' names no channel"),
        ("@\u00fc\u00fc".encode("latin-1"), "is not a text in UTF-8"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "channels.csv").write_bytes(content)
    with pytest.raises(WatchListError, match=said):
        read_channels(tmp_path / "channels.csv")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(WatchListError, match="there is no such file"):
        read_channels(tmp_path / "channels.csv")
