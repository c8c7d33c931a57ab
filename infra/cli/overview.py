"""`r3edge overview`: how the engine is doing, over all users and nodes."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.nodes import node_table
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from domain.model.overview import Overview


def overview(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Show nodes, accounts, trading sessions, feeds, errors, jobs and mails, also while the API is down."""
    settings = command_settings(data_dir)
    found = run_command(_read(settings))
    if as_json:
        print(json.dumps(as_plain(found), indent=2))
        return
    from infra.cli.backtest_tables import result_console  # noqa: PLC0415  # other commands start without

    console = result_console()
    for table in (_figures(found), node_table(found.nodes), _troubles(found)):
        if table.row_count:
            console.print(table)


def as_plain(found: "Overview") -> dict[str, object]:
    """Return the overview as JSON knows it."""
    import msgspec  # noqa: PLC0415  # other commands start without

    situation = found.situation
    plain: dict[str, object] = msgspec.to_builtins(
        {
            "at": found.at,
            "figures": found.figures,
            "accounts": found.accounts_by_kind,
            "trading_sessions": situation.trading_sessions,
            "active_orders": sum(waiting.count for waiting in situation.orders.values()),
            "open_positions": sum(situation.positions.values()),
            "halts": situation.halts,
            "mails_waiting": situation.mails.count,
            "nodes": found.nodes,
            "failed_trading_sessions": found.failed,
        }
    )
    return plain


async def _read(settings: Settings) -> "Overview":
    from domain.administration.overview import read_overview  # noqa: PLC0415  # other commands start without
    from infra.clock import SystemClock  # noqa: PLC0415  # as above
    from infra.embedded.bus import EmbeddedBus  # noqa: PLC0415  # as above
    from infra.postgres.database import PostgresDatabase  # noqa: PLC0415  # as above
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above

    async with open_command_resources(settings, "r3edge overview") as resources:
        database = PostgresDatabase(await resources.pool(), EmbeddedBus(), SystemClock())
        async with database.snapshot() as reading:
            found = await read_overview(reading, SystemClock())
        await database.close()
        return found


def _figures(found: "Overview") -> "Table":
    from rich.table import Table  # noqa: PLC0415  # other commands start without

    figures, situation = found.figures, found.situation
    table = Table("", "", show_header=False)
    kinds, sessions = found.accounts_by_kind, situation.trading_sessions
    orders = sum(waiting.count for waiting in situation.orders.values())
    rows = [
        ("users", f"{figures.users}, {figures.operators} operators, {figures.disabled_users} disabled"),
        ("accounts", f"{kinds.get('LIVE', 0)} live, {kinds.get('PAPER', 0)} paper"),
        ("never reconciled", f"{figures.unreconciled_accounts} accounts"),
        ("unattended", f"{figures.unattended_accounts} accounts"),
        ("with alerts of 24 h", f"{figures.alerting_accounts} accounts"),
        ("trading sessions", ", ".join(f"{count} {name}" for name, count in sorted(sessions.items())) or "none"),
        ("failed in 24 h", f"{figures.failed_trading_sessions} trading sessions, {figures.failed_jobs} jobs"),
        ("open", f"{orders} orders, {sum(situation.positions.values())} positions"),
        ("halts", ", ".join(f"{count} {level}" for level, count in sorted(situation.halts.items())) or "none"),
        ("jobs", f"{figures.queued_jobs} wait, {figures.running_jobs} run, oldest {figures.oldest_job_seconds:.0f} s"),
        ("mails", f"{situation.mails.count} wait, {figures.retried_mails} retried"),
        ("given up in 24 h", f"{figures.given_up_mails} mails"),
        *([("mail server", figures.mail_error)] if figures.mail_error else []),
    ]
    for name, text in rows:
        table.add_row(name, text)
    return table


def _troubles(found: "Overview") -> "Table":
    from rich.table import Table  # noqa: PLC0415  # other commands start without

    from domain.model.markets import FeedState  # noqa: PLC0415  # as above

    table = Table("at", "node", "trouble")
    for node in found.nodes:
        for feed in node.feeds:
            if feed.state is not FeedState.LIVE:
                table.add_row(f"{feed.since:%Y-%m-%d %H:%M:%S}", node.report.name, f"{feed.market} is {feed.state}")
        for error in node.report.errors:
            table.add_row(f"{error.at:%Y-%m-%d %H:%M:%S}", node.report.name, f"{error.logger}: {error.message}")
    for failed in found.failed:
        what = f"trading session {failed.id} of user {failed.user_id} failed: {failed.code or 'no code'}"
        table.add_row(f"{failed.at:%Y-%m-%d %H:%M:%S}", "", what)
    return table
