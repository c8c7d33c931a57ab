"""The 61 audits of npm's graphql-http, the reference suite of the GraphQL over HTTP specification."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.node import CACHE as NPM_CACHE
from tests.support.node import run
from tests.support.require import require_or_skip
from tests.support.serving import serving

VERSION = "1.23.1"
CACHE = NPM_CACHE / f"graphql-http-{VERSION}"
SCRIPT = """
import { auditServer } from 'graphql-http';
const results = await auditServer({ url: process.argv[2] });
console.log(JSON.stringify(results.map(({ status, name, reason }) => ({ status, name, reason: String(reason) }))));
"""


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
async def test_all_audits_of_graphql_over_http_pass(backend: DemoBackend) -> None:
    folder = await installed()
    async with serving(demo_app(backend)) as served:
        code, output = await run("node", "audit.mjs", f"{served.url}/graphql", cwd=folder)
    assert code == 0, output
    results = json.loads(output)
    assert len(results) == 61
    assert [result for result in results if result["status"] != "ok"] == []
