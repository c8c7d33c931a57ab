"""`r3edge node`: the nodes of the engine, for the operator of the machine."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from domain.model.node_reports import NodeState

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


async def read_nodes(settings: Settings) -> "Sequence[NodeState]":
    """Return the nodes that the settings' database knows."""
    from infra.clock import SystemClock  # noqa: PLC0415  # other commands start without
    from infra.embedded.bus import EmbeddedBus  # noqa: PLC0415  # as above
    from infra.postgres.database import PostgresDatabase  # noqa: PLC0415  # as above
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above

    async with open_command_resources(settings, "r3edge node") as resources:
        database = PostgresDatabase(await resources.pool(), EmbeddedBus(), SystemClock())
        async with database.read_only() as reading:
            found = await reading.overview.nodes()
        await database.close()
        return found


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
