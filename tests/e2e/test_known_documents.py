"""An engine that runs known documents only, which learns them while it runs."""

import asyncio
from pathlib import Path

from tests.support.engine import run_program, running_engine
from tests.support.waiting import read_until

VENUES = "query Venues { venues { name } }"


async def test_what_the_command_line_adds_and_removes_runs_or_not_without_a_restart(
    data_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "venues.graphql"
    file.write_text(VENUES)
    data = data_folder / "data"

    async def documents(*arguments: str) -> str:
        ended = await asyncio.to_thread(run_program, "documents", *arguments, "--data-dir", str(data))
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    async with running_engine(data, "--seed", "7", settings={"R3EDGE_KNOWN_DOCUMENTS_ONLY": "true"}) as engine:
        client = engine.client()
        refused = await client.raw(VENUES)
        assert refused["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_IN_LIST"
        added = await documents("add", str(file))
        assert added.endswith("1 added, 0 known already\n")
        answer = await read_until(lambda: client.raw(VENUES), lambda found: "data" in found, "the document runs")
        assert answer["data"]["venues"]
        identifier = (await documents("list")).split()[0]
        assert await documents("remove", identifier) == "1 removed\n"
        await read_until(lambda: client.raw(VENUES), lambda found: "errors" in found, "the document is refused")
