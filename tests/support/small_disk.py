"""A disk of a few megabytes that a test fills: a file system in memory, which only root may mount."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.support.require import require_or_skip

_CHUNK = bytes(2**16)


class SmallDisk:
    """A file system of so many megabytes, mounted at `folder`; skips where it can't be mounted."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        self._megabytes = megabytes

    def mount(self) -> None:
        """Mount it, empty."""
        require_or_skip(sys.platform == "linux" and os.geteuid() == 0, "only root may mount a small disk, on Linux")
        self.folder.mkdir(parents=True)
        options = f"size={self._megabytes}m,mode=755"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], capture_output=True, text=True, check=False
        )
        require_or_skip(done.returncode == 0, f"a small disk can't be mounted: {done.stderr}")

    def unmount(self) -> None:
        """Throw it away, with all that is on it."""
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def fill(self) -> None:
        """Leave not a byte free."""
        with self._filler.open("ab", buffering=0) as file:
            for chunk in (_CHUNK, b"\0"):
                with suppress(OSError):
                    while file.write(chunk):
                        pass

    def free(self) -> None:
        """Give back what `fill` has taken."""
        self._filler.unlink(missing_ok=True)
