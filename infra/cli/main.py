"""The command line `r3edge`."""

import importlib.metadata
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from infra.cli.accounts import account_app
from infra.cli.alerts import alert_app
from infra.cli.archive import archive_app
from infra.cli.backfill import backfill
from infra.cli.backtest import backtest
from infra.cli.backup import backup_app
from infra.cli.channels import channel_app
from infra.cli.doctor import doctor
from infra.cli.documents import documents_app
from infra.cli.exit_codes import INTERRUPTED, USAGE_ERROR
from infra.cli.halts import halt, resume
from infra.cli.import_candles import import_app
from infra.cli.migrate import migrate
from infra.cli.nodes import node_app
from infra.cli.optimize import optimize
from infra.cli.overview import overview
from infra.cli.plans import plan_app
from infra.cli.reports import report_app
from infra.cli.sandbox import sandbox
from infra.cli.serve import serve
from infra.cli.strategies import strategy_app
from infra.cli.users import user_app
from infra.settings_loading import BadSettings


class _Commands(TyperGroup):
    """All commands; Ctrl-C before one has begun its work ends it as later: Typer would say "Aborted!" and fail."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # Typer's own context
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # its boxes show <bool> behind a flag, which takes no value
    pretty_exceptions_enable=False,  # they can show local variables, and with them secrets
)
schema_app = typer.Typer(help="The public schema.", no_args_is_help=True, rich_markup_mode=None)
for command in (serve, migrate, doctor, sandbox, backfill, backtest, optimize, halt, resume, overview):
    app.command()(command)
for name, commands in {
    "schema": schema_app,
    "user": user_app,
    "account": account_app,
    "alert": alert_app,
    "channel": channel_app,
    "documents": documents_app,
    "node": node_app,
    "plan": plan_app,
    "report": report_app,
    "import": import_app,
    "archive": archive_app,
    "backup": backup_app,
    "strategy": strategy_app,
}.items():
    app.add_typer(commands, name=name)


def main() -> None:
    """Run the command line; a setting that can't be used ends it with exit code 2."""
    try:
        app()
    except BadSettings as error:
        print(*error.errors, sep="\n", file=sys.stderr)
        raise SystemExit(USAGE_ERROR) from None


def _print_version(is_given: bool) -> None:
    if is_given:
        print(f"r3edge-engine {importlib.metadata.version('r3edge-engine')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """r3edge-engine: a self-hosted trading engine behind one GraphQL API."""


@schema_app.command("print")
def print_schema() -> None:
    """Print the public schema in GraphQL's definition language."""
    from schema import build_schema  # noqa: PLC0415  # the other commands start without it

    print(build_schema().as_str())
