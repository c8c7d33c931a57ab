"""What archived files are kept in, a folder or S3: whole or absent, replaced, deleted by folders."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.core.errors import Unavailable
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.archive_storage.folder import FolderStorage
from tests.support.s3_server import BUCKET, S3Server, storage_at

NAME = "candles/2024-01/7/binance/BTC_USDT.parquet"
STRANGE = "candles/2024-01/7/kraken/%5F%C3%A4 +~(1)!.parquet"


@pytest.fixture(params=["folder", "s3", "s3 without a prefix"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ArchiveStorage:
    if request.param == "folder":
        return FolderStorage(tmp_path / "archive")
    server: S3Server = request.getfixturevalue("s3_server")
    return storage_at(server.port, f"s3://{BUCKET}" + ("" if "without" in request.param else f"/{uuid.uuid4()}"))


@pytest.mark.parametrize("name", [NAME, STRANGE])
async def test_a_file_comes_back_and_is_replaced(storage: ArchiveStorage, name: str) -> None:
    for content in (b"first", b"", bytes(range(256)) * 400):
        await storage.write(name, content)
        assert await storage.read(name) == content


async def test_a_large_file_comes_back(storage: ArchiveStorage) -> None:
    content = bytes(range(256)) * 70_000
    await storage.write(NAME, content)
    assert await storage.read(NAME) == content


async def test_what_was_never_written_is_unreadable(storage: ArchiveStorage) -> None:
    with pytest.raises(ArchiveUnreadable, match=r"no file candles/never\.parquet"):
        await storage.read("candles/never.parquet")


async def test_folders_are_deleted_with_all_in_them_and_may_be_absent(storage: ArchiveStorage) -> None:
    other, file = "candles/2024-01/70/binance/BTC_USDT.parquet", "candles/2024-01/7"
    await storage.write(other, b"other")
    for _ in range(2):
        await storage.write(NAME, b"one")
        await storage.write(STRANGE, b"two")
        for _ in range(2):
            await storage.delete_folder(file)
            assert await storage.read(other) == b"other"
            for name in (NAME, STRANGE):
                with pytest.raises(ArchiveUnreadable):
                    await storage.read(name)


async def test_files_are_listed_with_their_names_sizes_and_times_and_deleted_one_by_one(
    storage: ArchiveStorage,
) -> None:
    folder = f"candles/{uuid.uuid4()}"
    usual, strange = NAME.replace("candles", folder), STRANGE.replace("candles", folder)
    assert await storage.list_files(folder) == []
    for name, content in ((usual, b"one"), (strange, b"three"), (f"{folder}-another/x.parquet", b"other")):
        await storage.write(name, content)
    listed = await storage.list_files(folder)
    assert {file.name: file.size_bytes for file in listed} == {usual: 3, strange: 5}
    assert all(abs(datetime.now(UTC) - file.written_at) < timedelta(hours=1) for file in listed)
    for _ in range(2):
        await storage.delete(strange)
        assert [file.name for file in await storage.list_files(folder)] == [usual]


def test_its_text_says_where_it_is_and_no_secret(storage: ArchiveStorage, tmp_path: Path) -> None:
    assert repr(storage).startswith((f"FolderStorage('{tmp_path}", f"S3Storage('s3://{BUCKET}"))


def test_an_error_of_it_is_one_that_clients_see(storage: ArchiveStorage) -> None:
    assert issubclass(ArchiveUnreadable, Unavailable)
    assert storage is not None
