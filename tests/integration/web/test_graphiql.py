"""The page at /graphiql: what it stores, and that the served bundle is built from its sources."""

import json
from pathlib import Path

import pytest

from infra.web.graphiql.page import STATIC
from tests.support.node import installed, run

SOURCES = STATIC.parent / "source"
SCRIPT = Path(__file__).parent / "clients" / "graphiql_storage.mjs"


@pytest.mark.timeout(180)
async def test_the_served_files_are_built_from_the_sources(tmp_path: Path) -> None:
    files = [path for path in SOURCES.iterdir() if path.suffix in {".mjs", ".js", ".jsx", ".css", ".html"}]
    folder = await installed(SOURCES, files)
    code, output = await run("node", "build.mjs", str(tmp_path / "built"), cwd=folder)
    assert code == 0, output
    built = {path.name: path.read_bytes() for path in (tmp_path / "built").iterdir()}
    assert built == {path.name: path.read_bytes() for path in STATIC.iterdir()}


async def test_graphiql_keeps_nothing_beyond_the_tab_and_no_secret_beyond_the_page() -> None:
    folder = await installed(SOURCES, [SOURCES / "storage.js", SCRIPT])
    code, output = await run("node", SCRIPT.name, cwd=folder)
    assert code == 0, output
    document = 'mutation { userLogin(input: {email: "a", password: "p"}) { token } }'
    assert json.loads(output) == {
        "harmless": ["graphiql:tabState", "r3edge:token"],
        "secret": ["r3edge:token"],
        "read": document,
        "again": [["graphiql:tabState", "r3edge:token"], "{ viewer { id } }", 1],
        "cleared": ["r3edge:token"],
        "outlives": ["another page"],
        "none": None,
    }
