"""Archived files in a folder: what its own errors leave; the rest is in `integration/archive_storage`."""

import asyncio
import os
from pathlib import Path

import pytest

from domain.core.errors import Unavailable
from infra.archive_storage.folder import FolderStorage

NAME = "candles/2024-01/7/binance/BTC_USDT.parquet"


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "archive")


async def test_a_write_that_fails_leaves_the_file_as_it_was(
    storage: FolderStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.write(NAME, b"before")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(Unavailable, match=r"can't be written.*No space left"):
            await storage.write(NAME, b"after")
    assert await storage.read(NAME) == b"before"
    left = await asyncio.to_thread(lambda: [path.name for path in tmp_path.rglob("*") if path.is_file()])
    assert left == ["BTC_USDT.parquet"]


async def test_what_is_no_folder_can_not_be_used(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file")
    storage = FolderStorage(tmp_path / "archive")
    with pytest.raises(Unavailable, match="can't be written"):
        await storage.write(NAME, b"")
    with pytest.raises(Unavailable, match="can't be read"):
        await storage.read(NAME)
    with pytest.raises(Unavailable, match="can't be deleted"):
        await storage.delete_folder("candles/2024-01/7")
