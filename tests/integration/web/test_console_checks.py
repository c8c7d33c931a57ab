"""The console's own checks, by Node.js: types from the schema, the compiler, the linter, component tests, the build."""

from pathlib import Path

import pytest

from infra.web.console.page import STATIC
from tests.support.browser import CONSOLE
from tests.support.node import install_in_place, run


@pytest.mark.timeout(900)
async def test_its_own_checks_pass_and_the_served_files_are_what_its_sources_build_to(tmp_path: Path) -> None:
    install_in_place(CONSOLE)
    code, output = await run("npm", "run", "--silent", "check", cwd=CONSOLE)
    assert code == 0, output
    code, output = await run("node", "build.mjs", str(tmp_path / "built"), cwd=CONSOLE)
    assert code == 0, output
    assert _files(tmp_path / "built") == _files(STATIC)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
