"""The 61 audits of npm's graphql-http, the reference suite of the GraphQL over HTTP specification."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.support.require import require_or_skip
from tests.support.serving import serving
from tests.support.shop import Shop, shop_app

VERSION = "1.23.1"
CACHE = Path(__file__).parents[3] / ".cache" / "npm" / f"graphql-http-{VERSION}"
SCRIPT = """
import { auditServer } from 'graphql-http';
const results = await auditServer({ url: process.argv[2] });
console.log(JSON.stringify(results.map(({ status, name, reason }) => ({ status, name, reason: String(reason) }))));
"""


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode() if process.returncode == 0 else error.decode()[-400:]


async def installed() -> Path:
    """Return a folder with the audits installed; skip where Node.js or the registry is missing."""
    require_or_skip(shutil.which("node") and shutil.which("npm"), "Node.js and npm are not installed")
    if not (CACHE / "node_modules" / "graphql-http").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"private": true, "type": "module"}')
        packages = (f"graphql-http@{VERSION}", "graphql@16.11.0")
        code, output = await run("npm", "install", "--no-audit", "--no-fund", *packages, cwd=CACHE)
        require_or_skip(code == 0, f"npm could not install graphql-http: {output}")
    (CACHE / "audit.mjs").write_text(SCRIPT)
    return CACHE


@pytest.mark.timeout(180)
async def test_all_audits_of_graphql_over_http_pass(shop: Shop) -> None:
    folder = await installed()
    async with serving(shop_app(shop)) as served:
        code, output = await run("node", "audit.mjs", f"{served.url}/graphql", cwd=folder)
    assert code == 0, output
    results = json.loads(output)
    assert len(results) == 61
    assert [result for result in results if result["status"] != "ok"] == []
