"""Raw files on S3, by moto's server over HTTP: collection and import keep and read them as on a disk."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from yt_platform.history.importing import import_history
from yt_platform.metrics import parse, parse_api
from yt_platform.metrics.tables import VIDEO_SNAPSHOTS
from yt_platform.progress import silent
from yt_platform.storage.raw import Answer, CorruptBatchError, RawStore
from yt_platform.warehouse.loading import load_from_raw
from yt_platform.warehouse.warehouse import Warehouse, Window
from yt_platform_tests.frames import RUN_ID
from yt_platform_tests.youtube.data_api.test_collecting import rigged

DAY = date(2026, 1, 2)
PARSERS = {"video_snapshots": parse.video_snapshots, "api_video_stats": parse_api.video_snapshots}


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """YT_RAW_URL of an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")):  # it keeps state for the process
        boto3.client("s3").create_bucket(Bucket="raw")
    S3FileSystem.clear_instance_cache()  # fsspec keeps file systems, and this one has another endpoint each time
    yield "s3://raw/youtube"
    server.stop()


def keys() -> list[str]:
    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="raw").get("Contents", [])]


def test_an_import_is_stored_loaded_and_stored_once(url: str, warehouse: Warehouse, tmp_path: Path) -> None:
    header = "timestamp,video_id,view_count,like_count,comment_count\n"
    (tmp_path / "history.csv").write_text(header + "2026-01-02T03:00:00Z,abcdefghijk,5,1,1\n")
    (tmp_path / "spool").mkdir()
    store, window = RawStore(url), Window(DAY, DAY)
    for _ in range(2):
        import_history(warehouse, store, tmp_path / "history.csv", tmp_path / "spool", window, RUN_ID, silent)
    assert [key.split("/")[:3] for key in keys()] == [["youtube", "video_snapshots", "2026-01-02"]]
    assert load_from_raw(warehouse, store, VIDEO_SNAPSHOTS, PARSERS, window, RUN_ID, silent).row_count == 1


def test_a_collection_keeps_and_finds_its_answers(url: str, warehouse_url: str) -> None:
    with rigged(warehouse_url, url) as rig:
        found = rig.collect()
        rows = rig.rows("SELECT path, sha256 FROM raw.batches")
        answers = [RawStore(url).read_table(str(row["path"]), str(row["sha256"])).num_rows for row in rows]
        assert sum(answers) == sum(one.answers for one in found.values()) > 40


def test_answers_come_back_as_received_and_damage_is_noticed(url: str) -> None:
    store = RawStore(url)
    body = '{"items": [{"id": "abcdefghijk"}]}\n'
    answer = Answer("api", "api_key", datetime(2026, 1, 2, tzinfo=UTC), "videos.list", {"id": "abcdefghijk"}, body)
    file = store.write_answers("api_videos", DAY, [answer])
    assert store.write_answers("api_videos", DAY, [answer]) == file
    assert store.read_table(file.path, file.sha256)["body"].to_pylist() == [body]
    boto3.client("s3").put_object(Bucket="raw", Key=keys()[0], Body=b"damaged")
    with pytest.raises(CorruptBatchError, match="is damaged"):
        RawStore(url).read_table(file.path, file.sha256)
    assert store.write_answers("api_videos", DAY, [answer]) == file
    assert RawStore(url).read_table(file.path, file.sha256).num_rows == 1
    store.delete(file.path)
    store.delete(file.path)
    assert keys() == []
