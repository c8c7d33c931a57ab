"""Programs of Node.js with real packages from npm, kept between runs in `.cache/npm`."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.support.require import require_or_skip

CACHE = Path(__file__).parents[2] / ".cache" / "npm"


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    """Run a program to its end; return its exit code, and its output or the end of what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode() if process.returncode == 0 else error.decode()[-400:]


async def installed(package: Path, scripts: Iterable[Path]) -> Path:
    """Return a folder with what the lock file of `package` names, and copies of `scripts`.

    Skips where Node.js or the registry is missing.
    """
    require_or_skip(shutil.which("node") and shutil.which("npm"), "Node.js and npm are not installed")
    lock = (package / "package-lock.json").read_bytes()
    folder = CACHE / f"{package.name}-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.exists():
        await asyncio.to_thread(_install, package, folder)
    for script in scripts:
        _copy(script, folder)
    return folder


def install_in_place(package: Path) -> None:
    """Install what the lock file of `package` names in its own folder, once; skips as `installed` does.

    May be called by several processes: the first installs, the others wait for it.
    """
    require_or_skip(shutil.which("node") and shutil.which("npm"), "Node.js and npm are not installed")
    lock = hashlib.sha256((package / "package-lock.json").read_bytes()).hexdigest()
    mark = package / "node_modules" / ".lock.sha256"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{package.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if mark.exists() and mark.read_text() == lock:
            return
        _npm_ci(package, package.name)
        mark.write_text(lock)


def _copy(script: Path, folder: Path) -> None:
    """Copy beside the folder's own and rename, since a program of another test may be reading that."""
    handle, aside = tempfile.mkstemp(dir=folder)
    os.close(handle)
    shutil.copy(script, aside)
    Path(aside).replace(folder / script.name)


def _install(package: Path, folder: Path) -> None:
    """Install beside the folder and rename, so that it is complete if it exists, even if others install it too."""
    CACHE.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(package / name, aside)
        _npm_ci(aside, package.name)
        with suppress(OSError):  # the other one was there first
            aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _npm_ci(folder: Path, name: str) -> None:
    npm = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False
    )
    require_or_skip(npm.returncode == 0, f"npm could not install {name}: {npm.stderr[-400:]}")
