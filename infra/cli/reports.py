"""`r3edge report`: writes the files of a report, and manages schedules of reports."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.arguments import BadArgument
from infra.cli.options import DataDirectory, log_warnings_alone, run_command
from infra.cli.report_schedules import schedule_app
from infra.cli.strategies import UserEmail
from infra.settings_loading import load_settings

if TYPE_CHECKING:
    from infra.cli.report_files import WrittenReport


report_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
report_app.add_typer(schedule_app, name="schedule")


@report_app.callback()
def report(
    context: typer.Context,
    account: Annotated[str | None, typer.Option(help="Report on the account with this name or id.")] = None,
    session: Annotated[str | None, typer.Option(help="Report on the trading session with this id.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Report on the strategy with this name or id.")] = None,
    backtest: Annotated[str | None, typer.Option(help="Report on the backtest with this id.")] = None,
    user: UserEmail = None,
    start: Annotated[
        datetime | None, typer.Option("--from", help="The start of the period (UTC); without it, the beginning.")
    ] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="The end of the period (UTC); without it, now.")] = None,
    benchmark: Annotated[str | None, typer.Option(help="A market to compare with, such as sandbox:BTC/USDT.")] = None,
    *,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="For operators: the numbers of all users together.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The folder for the files.")] = Path("report"),
    data_dir: DataDirectory = None,
) -> None:
    """Write a report as a page and as tables in CSV and Parquet. The engine may be running.

    Without --account, --session, --strategy or --backtest it is about all accounts of the user.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(data_dir=data_dir)
    from infra.cli.report_files import Subject, write_report  # noqa: PLC0415  # other commands start without

    log_warnings_alone(settings)
    if all_users:
        from infra.cli.operator_reports import write_operator_report  # noqa: PLC0415  # as above

        of_a_user = (account, session, strategy, backtest, user, benchmark)

        async def run() -> tuple[Path, ...]:
            if any(option is not None for option in of_a_user):
                raise BadArgument("--all-users: it is about no account, user or benchmark of its own; leave those out")
            return await write_operator_report(settings, start, end, out)

        for path in run_command(run()):
            print(path)
        return
    subject = Subject(user, account, session, strategy, backtest, start, end, benchmark)
    written: WrittenReport = run_command(write_report(settings, subject, out))
    for path in written.paths:
        print(path)
    for note in written.notes:
        print(note, file=sys.stderr)
