"""Copies of archived files: fetched once, never believed if they are damaged, and bounded."""

import asyncio
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.model.archive import ArchivedFile
from domain.ports.archive import ArchiveUnreadable
from infra.archive_storage.activity import ArchiveActivity, CountedStorage
from infra.archive_storage.folder import FolderStorage
from infra.archive_storage.local_copies import LocalCopies, read_listed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _file(name: str, content: bytes) -> ArchivedFile:
    return ArchivedFile("sandbox:A/B", name, 1, len(content), hashlib.sha256(content).hexdigest(), NOW, NOW, ())


class _Archive:
    """A folder whose readings are counted, with copies before it."""

    def __init__(self, folder: Path, most_bytes: int = 1_000) -> None:
        self.activity = ArchiveActivity()
        self.far = CountedStorage(FolderStorage(folder / "far"), self.activity)
        self.copies_folder = folder / "copies"
        self.copies = LocalCopies(self.far, self.copies_folder, most_bytes, self.activity)

    @property
    def fetched(self) -> int:
        return sum(self.activity.reads.counts)

    async def add(self, name: str, content: bytes) -> ArchivedFile:
        await self.copies.write(name, content)
        return _file(name, content)


async def test_a_file_is_fetched_once_even_by_two_processes_one_after_the_other(tmp_path: Path) -> None:
    archive = _Archive(tmp_path)
    file = await archive.add("candles/2024-01/1/a.parquet", b"content")
    for _ in range(3):
        assert await read_listed(archive.copies, file) == b"content"
    assert (archive.fetched, archive.activity.local_reads) == (1, 2)
    later = _Archive(tmp_path)
    assert await read_listed(later.copies, file) == b"content"
    assert (later.fetched, later.activity.local_reads) == (0, 1)


@pytest.mark.parametrize("damage", [b"", b"konkont", b"content and more"])
async def test_a_damaged_copy_is_fetched_again(tmp_path: Path, damage: bytes) -> None:
    archive = _Archive(tmp_path)
    file = await archive.add("candles/2024-01/1/a.parquet", b"content")
    await read_listed(archive.copies, file)
    (copy,) = await asyncio.to_thread(lambda: list(archive.copies_folder.iterdir()))
    await asyncio.to_thread(copy.write_bytes, damage)
    assert await read_listed(archive.copies, file) == b"content"
    assert archive.fetched == 2
    assert await read_listed(archive.copies, file) == b"content"
    assert archive.fetched == 2


async def test_a_damaged_file_of_the_archive_is_not_copied(tmp_path: Path) -> None:
    archive = _Archive(tmp_path)
    file = await archive.add("candles/2024-01/1/a.parquet", b"content")
    await archive.far.write(file.name, b"damaged")
    for _ in range(2):
        assert await read_listed(archive.copies, file) == b"damaged"  # its reader compares the hash
    assert archive.fetched == 2
    await archive.far.write(file.name, b"content")
    assert await read_listed(archive.copies, file) == b"content"


async def test_the_copies_read_longest_ago_go_first(tmp_path: Path) -> None:
    archive = _Archive(tmp_path, most_bytes=250)
    one, two, three = [await archive.add(f"candles/2024-01/1/{n}.parquet", bytes([n]) * 100) for n in range(3)]
    for file in (one, two, one, three):
        await read_listed(archive.copies, file)
    assert archive.fetched == 3
    await read_listed(archive.copies, one)
    assert archive.fetched == 3
    await read_listed(archive.copies, two)
    assert archive.fetched == 4
    left = await asyncio.to_thread(lambda: sum(path.stat().st_size for path in archive.copies_folder.iterdir()))
    assert left <= 250


async def test_copies_of_an_earlier_process_count_for_the_bound(tmp_path: Path) -> None:
    for n in range(6):
        archive = _Archive(tmp_path, most_bytes=250)
        await read_listed(archive.copies, await archive.add(f"candles/2024-01/1/{n}.parquet", bytes([n]) * 100))
    left = await asyncio.to_thread(lambda: sum(path.stat().st_size for path in archive.copies_folder.iterdir()))
    assert left == 200


async def test_a_file_that_is_larger_than_all_copies_may_be_is_not_copied(tmp_path: Path) -> None:
    archive = _Archive(tmp_path, most_bytes=5)
    file = await archive.add("candles/2024-01/1/a.parquet", b"content")
    for _ in range(2):
        assert await read_listed(archive.copies, file) == b"content"
    assert archive.fetched == 2


async def test_files_of_users_are_never_copied(tmp_path: Path) -> None:
    archive = _Archive(tmp_path)
    file = await archive.add("user_events/2024-01/1/user.parquet", b"content")
    assert await read_listed(archive.copies, file) == b"content"
    assert not await asyncio.to_thread(archive.copies_folder.exists)


async def test_where_no_copy_can_be_written_files_are_fetched(tmp_path: Path) -> None:
    archive = _Archive(tmp_path)
    await asyncio.to_thread(archive.copies_folder.write_text, "no folder")
    file = await archive.add("candles/2024-01/1/a.parquet", b"content")
    for _ in range(2):
        assert await read_listed(archive.copies, file) == b"content"
    assert archive.fetched == 2


async def test_failures_are_counted_by_what_failed(tmp_path: Path) -> None:
    archive = _Archive(tmp_path)
    with pytest.raises(ArchiveUnreadable):
        await archive.copies.read("candles/absent.parquet")
    await archive.copies.delete_folder("candles")
    assert archive.activity.failures == {"read": 1, "write": 0, "delete": 0}
    assert archive.fetched == 0
