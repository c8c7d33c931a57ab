"""Apollo's link for automatic persisted queries, unchanged."""

import json
from pathlib import Path

import pytest

from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.node import installed, run
from tests.support.serving import serving

RECIPES = Path(__file__).parents[3] / "docs" / "clients"
SCRIPT = Path(__file__).parent / "clients" / "persisted_query.mjs"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("method", ["post", "get"])
async def test_the_link_falls_back_to_the_whole_document(backend: DemoBackend, method: str) -> None:
    folder = await installed(RECIPES, [SCRIPT])
    async with serving(demo_app(backend)) as served:
        code, output = await run("node", SCRIPT.name, f"{served.url}/graphql", method, cwd=folder)
    assert code == 0, output
    assert json.loads(output) == [{"hello": "hello Ada"}, {"hello": "hello Bob"}]
