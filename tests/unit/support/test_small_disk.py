"""A small disk takes no byte more once it is full, and all of them again once it is freed."""

import errno
from pathlib import Path

import pytest

from tests.support.small_disk import SmallDisk


def test_a_full_disk_takes_nothing_until_it_is_freed(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk", 1)
    disk.mount()
    try:
        written = disk.folder / "file"
        written.write_bytes(bytes(2**18))
        disk.fill()
        with pytest.raises(OSError, match="No space left") as failed:
            written.write_bytes(bytes(2**19))
        assert failed.value.errno == errno.ENOSPC
        disk.free()
        written.write_bytes(bytes(2**19))
    finally:
        disk.unmount()
