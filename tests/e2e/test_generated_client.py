"""A typed Python client that ariadne-codegen generates of the schema, with a running engine."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import ROOT, Engine
from tests.support.require import require_or_skip
from tests.support.trader_client import TraderClient

ARIADNE = "ariadne-codegen[subscriptions]==0.19.0"
"""Run by uvx: it needs a graphql-core that is older than ours."""

ASKED = ROOT / "tests" / "integration" / "schema" / "tools"


@pytest.fixture
def generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The generated package; skips where uvx or the package index is missing."""
    uvx = shutil.which("uvx")
    require_or_skip(uvx, "uvx is not installed")
    for path in (ASKED / "python_client.graphql", ASKED / "ariadne.toml", ROOT / "schema" / "schema.graphql"):
        shutil.copy(path, tmp_path)
    command = [str(uvx), "--from", ARIADNE, "ariadne-codegen", "--config", "ariadne.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    require_or_skip(done.returncode != 2, f"uvx could not install ariadne-codegen: {done.stderr[-400:]}")
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("generated_client")
    for name in [name for name in sys.modules if name.startswith("generated_client")]:
        del sys.modules[name]


@pytest.mark.timeout(600)
async def test_a_client_by_ariadne_codegen_queries_changes_and_follows(
    engine: Engine, nobody: TraderClient, generated: Any
) -> None:
    headers = {"Authorization": f"Bearer {nobody.client.token}"}
    async with generated.Client(
        url=engine.graphql_url, ws_url=engine.graphql_url.replace("http", "ws"), headers=headers
    ) as client:
        me = await client.me()
        assert [account.id for account in me.viewer.accounts.nodes] == [nobody.account]
        answer = await client.create_account(
            generated.AccountCreateInput(name="generated", venue="sandbox", kind="PAPER")
        )
        assert [error.code for error in answer.account_create.errors] == [], answer
        assert answer.account_create.account.name == "generated"
        async for event in client.last_price(market="sandbox:BTC/USDT"):
            assert event.ticker.last > 0
            break
    async with generated.Client(url=engine.graphql_url) as stranger:
        assert (await stranger.me()).viewer is None
