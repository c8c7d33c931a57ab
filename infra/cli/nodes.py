"""`r3edge node`: the nodes of the engine, for the operator of the machine."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from domain.model.node_reports import NodeState
    from domain.ports.bus import MessageBus
    from infra.postgres.database import PostgresDatabase

_POLL_SECONDS = 0.2

Name = Annotated[str, typer.Argument(help="The name of the node, or what it begins with.", show_default=False)]

node_app = typer.Typer(help="The nodes of the engine.", no_args_is_help=True, rich_markup_mode=None)


@node_app.command("list")
def list_nodes(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Print all nodes with what they hold and how busy they are, also while the API is down."""
    found = run_command(read_nodes(command_settings(data_dir)))
    if as_json:
        import msgspec  # noqa: PLC0415  # other commands start without

        plain = [{"status": node.status, **msgspec.to_builtins(node)} for node in found]
        print(json.dumps(plain, indent=2))
        return
    from infra.cli.backtest_tables import result_console  # noqa: PLC0415  # as above

    result_console().print(node_table(found))


@node_app.command()
def drain(
    name: Name,
    *,
    force: Annotated[bool, typer.Option("--force", help="Even if no other node can take all of its work.")] = False,
    wait: Annotated[float, typer.Option(help="For how many seconds to wait until it holds nothing any more.")] = 0,
    data_dir: DataDirectory = None,
) -> None:
    """Have a node give its work to the others, for example before it is stopped. It runs on until then, or `resume`."""
    settings = command_settings(data_dir)
    node = run_command(request_drain(settings, name, force=force, wait_seconds=wait))
    print(f"{node.report.name} {'is drained' if is_drained(node) else 'drains'}")


@node_app.command()
def resume(name: Name, data_dir: DataDirectory = None) -> None:
    """Have a node that was drained work again."""
    node = run_command(request_drain(command_settings(data_dir), name, is_draining=False))
    print(f"{node.report.name} works again")


async def request_drain(
    settings: Settings, name: str, *, is_draining: bool = True, force: bool = False, wait_seconds: float = 0
) -> "NodeState":
    """Have the node drain, or work again; it finds that within a report's interval, since no bus reaches it from here.

    Return it once it has nothing left, or after the seconds to wait. Raises `BadArgument` for a name that names no
    node, or several, and `InputError` if no other node can take its work.
    """
    from domain.administration.nodes import NodeService  # noqa: PLC0415  # other commands start without
    from domain.users.operators import Administrator  # noqa: PLC0415  # as above
    from infra.clock import SystemClock, TimeOrderedIds  # noqa: PLC0415  # as above

    async with _open_database(settings) as database:
        service = NodeService(database, _bus(), SystemClock(), TimeOrderedIds())
        full_name = find_node(await _read(database), name).report.name
        if not is_draining:
            return await service.resume(Administrator(), full_name)
        node = await service.drain(Administrator(), full_name, force=force)
        deadline = time.monotonic() + wait_seconds
        while not is_drained(node) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            node = next((each for each in await _read(database) if each.report.name == full_name), node)
        return node


def is_drained(node: "NodeState") -> bool:
    """Return whether a node has learned that it is to drain, and has nothing left; before, it may take work again."""
    return node.report.is_draining and not node.leases and not node.running_jobs


def find_node(nodes: "Sequence[NodeState]", name: str) -> "NodeState":
    """Return the node with this name, or whose name alone begins with it; raises `BadArgument`."""
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # other commands start without

    exact = [node for node in nodes if node.report.name == name]
    found = exact or [node for node in nodes if node.report.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(node.report.name for node in nodes) or "none"
    raise BadArgument(f"{'no node is' if not found else f'{len(found)} nodes are'} named {name!r}; there are: {names}")


async def read_nodes(settings: Settings) -> "Sequence[NodeState]":
    """Return the nodes that the settings' database knows."""
    async with _open_database(settings) as database:
        return await _read(database)


async def _read(database: "PostgresDatabase") -> "Sequence[NodeState]":
    async with database.read_only() as reading:
        return await reading.overview.nodes()


def _bus() -> "MessageBus":
    from infra.embedded.bus import EmbeddedBus  # noqa: PLC0415  # other commands start without

    return EmbeddedBus()


@asynccontextmanager
async def _open_database(settings: Settings) -> "AsyncGenerator[PostgresDatabase]":
    from infra.clock import SystemClock  # noqa: PLC0415  # other commands start without
    from infra.postgres.database import PostgresDatabase  # noqa: PLC0415  # as above
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above

    async with open_command_resources(settings, "r3edge node") as resources:
        database = PostgresDatabase(await resources.pool(), _bus(), SystemClock())
        yield database
        await database.close()


def node_table(nodes: "Sequence[NodeState]") -> "Table":
    """Return nodes as a table, a row for each."""
    from rich.table import Table  # noqa: PLC0415  # other commands start without

    table = Table(
        "node", "version", "roles", "since", "state", "accounts", "feeds", "sessions", "jobs", "connections", "CPU",
        "lag", "errors", "warnings",
    )  # fmt: skip
    for node in nodes:
        report = node.report
        table.add_row(
            *(report.name, report.version, ",".join(report.roles), f"{report.started_at:%Y-%m-%d %H:%M}", _state(node)),
            *(str(node.leases.get("account", 0)), str(len(node.feeds)), str(node.trading_sessions)),
            *(str(node.running_jobs), str(report.connections), f"{report.cpu_share:.0%}"),
            *(f"{report.event_loop_lag_seconds:.3f} s", str(report.error_count), str(report.warning_count)),
        )
    return table


def _state(node: "NodeState") -> str:
    if node.is_lost:
        return "lost"
    waits_for = f": {', '.join(node.report.pending)}" if node.report.pending else ""
    return node.status.lower() + waits_for
