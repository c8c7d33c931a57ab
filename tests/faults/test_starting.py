"""What the operator reads if the engine can't start: one line that says why, an exit code, and no traceback."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.engine import Engine, run_program, running_engine
from tests.support.graphql_client import Client
from tests.support.postgres import copy_migrated_cluster
from tests.support.trader_client import new_trader


def _error_line(result: "subprocess.CompletedProcess[str]") -> str:
    assert "Traceback" not in result.stderr, result.stderr
    return result.stderr


async def test_a_second_engine_on_the_same_data_is_refused_and_harms_nothing(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", first_start=True) as engine:
        result = run_program("serve", "--port", "0", "--data-dir", str(engine.folder))
        assert result.returncode == 1
        assert f"another engine is running on {engine.folder}" in _error_line(result)
        trader = await new_trader(engine.client())
        assert (await trader.place())["status"] == "FILLED"


async def test_an_engine_whose_output_nobody_reads_starts_and_stops_as_others_do(data_folder: Path) -> None:
    copy_migrated_cluster(data_folder / "data" / "postgres")
    engine = Engine(data_folder / "data")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        engine.spawn(output=writer)
        os.close(writer)
        await engine.ready()
        await engine.terminate()
        engine.assert_quiet()
    finally:
        engine.clean_up()


async def test_a_port_in_use_is_reported_and_leaves_nothing_behind(data_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_program("serve", "--port", str(port), "--data-dir", str(data_folder / "data"))
    assert result.returncode == 1
    assert f"127.0.0.1:{port}" in _error_line(result)
    assert "something listens there already" in result.stderr
    assert not Engine(data_folder / "data").children()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"R3EDGE_PORT": "banana"}, "R3EDGE_PORT"),
        ({"R3EDGE_PORT": "70000"}, "R3EDGE_PORT"),
        ({"R3EDGE_NO_SUCH": "1"}, "R3EDGE_NO_SUCH"),
        ({"R3EDGE_ROLES": "web,cook"}, "R3EDGE_ROLES"),
        ({"R3EDGE_ROLES": "web"}, "R3EDGE_HAZELCAST_MEMBERS"),
        ({"R3EDGE_SECRET_KEY": "short"}, "R3EDGE_SECRET_KEY"),
        ({"R3EDGE_HAZELCAST_MEMBERS": "nowhere"}, "R3EDGE_HAZELCAST_MEMBERS"),
        ({"R3EDGE_SANDBOX_URL": "ftp://x"}, "R3EDGE_SANDBOX_URL"),
        ({"R3EDGE_LOG_LEVEL": "loud"}, "R3EDGE_LOG_LEVEL"),
        ({"R3EDGE_CONFIG": "/no/such/file"}, "R3EDGE_CONFIG"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(data_folder: Path, settings: dict[str, str], name: str) -> None:
    result = run_program("serve", "--data-dir", str(data_folder / "data"), **settings)
    assert result.returncode == 2
    assert name in _error_line(result)
    assert not (data_folder / "data").exists()


def test_a_data_directory_that_cannot_be_made_is_reported(data_folder: Path) -> None:
    (data_folder / "file").write_text("")
    result = run_program("serve", "--port", "0", "--data-dir", str(data_folder / "file" / "data"))
    assert result.returncode == 1
    assert "can't be used as data directory" in _error_line(result)


def test_a_data_directory_in_a_place_that_takes_none_is_reported() -> None:
    # Not even root can make a folder there.
    result = run_program("serve", "--port", "0", "--data-dir", "/proc/r3edge-data")
    assert result.returncode == 1
    assert "can't be used as data directory" in _error_line(result)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"R3EDGE_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:9/none"}, "database"),
        ({"R3EDGE_SANDBOX_URL": "http://127.0.0.1:9", "R3EDGE_SANDBOX_TOKEN": "x"}, None),
    ],
)
async def test_a_shared_part_that_is_away_is_reported_or_waited_for(
    data_folder: Path, settings: dict[str, str], words: str | None
) -> None:
    if words is not None:
        result = run_program("serve", "--port", "0", "--data-dir", str(data_folder / "data"), **settings)
        assert result.returncode == 1
        assert words in _error_line(result)
        assert "secret" not in result.stderr
        return
    engine = Engine(data_folder / "data", settings=settings)
    try:
        engine.spawn()
        port = await engine.listening()
        assert (await Client(f"http://127.0.0.1:{port}/graphql").run("{ __typename }")) == {"__typename": "Query"}
        await engine.terminate()
        engine.assert_quiet()
    finally:
        engine.clean_up()


def test_recordings_that_are_not_there_are_reported(data_folder: Path) -> None:
    result = run_program("serve", "--port", "0", "--data-dir", str(data_folder / "data"), "--replay", "/no/such.gz")
    assert result.returncode in {1, 2}
    assert "/no/such.gz" in _error_line(result)
    assert not Engine(data_folder / "data").children()
