"""Other people's tools take the printed schema: linters, Relay's compiler, and a generator of types for TypeScript.

What each is asked is in `tools`; a rule that is turned off has its reason there.
"""

from pathlib import Path

import pytest

from tests.support.node import installed, run

TOOLS = Path(__file__).parent / "tools"
SCHEMA = Path(__file__).parents[3] / "schema" / "schema.graphql"

pytestmark = pytest.mark.timeout(600)  # the first time, npm installs 300 MB


@pytest.fixture
async def folder() -> Path:
    """A folder with the tools, what they are asked, and the schema."""
    asked = [path for path in TOOLS.iterdir() if not path.name.startswith("package")]
    return await installed(TOOLS, [*asked, SCHEMA])


async def test_the_schema_keeps_the_rules_of_graphql_eslint(folder: Path) -> None:
    await _succeeds("eslint", "--max-warnings=0", "schema.graphql", folder=folder)


async def test_the_schema_keeps_the_rules_of_graphql_schema_linter(folder: Path) -> None:
    await _succeeds("graphql-schema-linter", "schema.graphql", folder=folder)


async def test_relay_pages_refetches_and_inserts_objects_of_the_schema(folder: Path) -> None:
    (folder / "generated").mkdir(exist_ok=True)
    await _succeeds("relay-compiler", folder=folder)
    artifacts = {path.name for path in (folder / "generated").iterdir()}
    assert {f"{name}.graphql.js" for name in ("ordersListRefetchQuery", "ordersPlaceMutation")} <= artifacts


async def test_a_strict_typescript_client_is_generated_of_the_schema(folder: Path) -> None:
    await _succeeds("graphql-codegen", "--config", "codegen.yml", folder=folder)
    await _succeeds("tsc", "--project", "tsconfig.json", folder=folder)


@pytest.mark.parametrize("program", ["eslint", "graphql-schema-linter"])
async def test_a_linter_notices_a_missing_description(folder: Path, program: str) -> None:
    description = '"""An account with which a user trades at a venue."""\n'
    text = (folder / "schema.graphql").read_text()
    assert description in text
    broken = folder / "broken" / "schema.graphql"
    broken.parent.mkdir(exist_ok=True)
    broken.write_text(text.replace(description, ""))
    code, _ = await run(str(folder / "node_modules" / ".bin" / program), str(broken), cwd=folder)
    assert code == 1


async def _succeeds(program: str, *arguments: str, folder: Path) -> None:
    code, output = await run(str(folder / "node_modules" / ".bin" / program), *arguments, cwd=folder)
    assert code == 0, output
