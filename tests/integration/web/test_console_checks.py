"""The console's own checks, by Node.js: types from the schema, the compiler, the linter, component tests, the build."""

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from infra.web.console.page import STATIC
from tests.support.node import run
from tests.support.require import require_or_skip

CONSOLE = Path(__file__).parents[3] / "console"


@pytest.fixture(scope="module")
def console() -> Path:
    """The console's folder with what its lock file names installed in it."""
    require_or_skip(shutil.which("node") and shutil.which("npm"), "Node.js and npm are not installed")
    lock = hashlib.sha256((CONSOLE / "package-lock.json").read_bytes()).hexdigest()
    mark = CONSOLE / "node_modules" / ".lock.sha256"
    if not mark.exists() or mark.read_text() != lock:
        code, output = asyncio.run(run("npm", "ci", "--no-audit", "--no-fund", cwd=CONSOLE))
        require_or_skip(code == 0, f"npm could not install the console: {output}")
        mark.write_text(lock)
    return CONSOLE


@pytest.mark.timeout(300)
async def test_the_types_the_linter_and_the_component_tests_pass(console: Path) -> None:
    code, output = await run("npm", "run", "--silent", "check", cwd=console)
    assert code == 0, output


@pytest.mark.timeout(300)
async def test_the_served_files_are_what_the_sources_build_to(console: Path, tmp_path: Path) -> None:
    code, output = await run("node", "build.mjs", str(tmp_path / "built"), cwd=console)
    assert code == 0, output
    assert _files(tmp_path / "built") == _files(STATIC)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
