"""`r3edge account`: what a user's accounts were worth, earned, bought and sold, as CSV."""

import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from domain.model.equity import EquityInterval
from domain.model.profit import ProfitGrouping, ProfitPeriod
from domain.model.tax import DepositCost
from infra.cli.arguments import BadArgument, parse_time
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.cli.transfers import transfer_app

account_app = typer.Typer(
    help="What accounts were worth, earned, bought and sold, as CSV. The engine may be running.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
account_app.add_typer(transfer_app, name="transfers")

User = Annotated[
    str | None, typer.Option("--user", help="The email of the user; not needed if the engine has one user alone.")
]
Account = Annotated[str, typer.Argument(help="The account's name, or its id from the API.")]
AnyAccount = Annotated[str | None, typer.Argument(help="The account's name or id; without it, all accounts.")]
Start = Annotated[str | None, typer.Option("--from", help="The start, as 2026-01-31 or 2026-01-31T12:00Z (UTC).")]
End = Annotated[str | None, typer.Option("--to", help="The end, which doesn't belong to the time.")]
Currency = Annotated[str | None, typer.Option(help="The currency of the amounts, such as EUR.")]


@account_app.command("equity")
def equity(
    account: Account,
    interval: Annotated[EquityInterval, typer.Option(case_sensitive=False)] = EquityInterval.DAY,
    start: Start = None,
    end: End = None,
    user: User = None,
    data_dir: DataDirectory = None,
) -> None:
    """Print an account's equity over time; a time of which it isn't known has a line without amounts."""
    settings = command_settings(data_dir)
    from infra.cli.account_reads import AccountReads  # noqa: PLC0415  # other commands start without

    async def run() -> str:
        return await AccountReads(settings, user).equity(account, interval, *_period(start, end))

    print(run_command(run()), end="")


@account_app.command("profit")
def profit(
    account: AnyAccount = None,
    period: Annotated[ProfitPeriod | None, typer.Option(case_sensitive=False)] = None,
    by: Annotated[ProfitGrouping | None, typer.Option(case_sensitive=False)] = None,
    start: Start = None,
    end: End = None,
    currency: Currency = None,
    user: User = None,
    data_dir: DataDirectory = None,
) -> None:
    """Print what closed positions have earned after fees, by period in the user's time zone and by group."""
    settings = command_settings(data_dir)
    from infra.cli.account_reads import AccountReads  # noqa: PLC0415  # as above

    async def run() -> str:
        return await AccountReads(settings, user).profit(account, currency, period, by, *_period(start, end))

    print(run_command(run()), end="")


@account_app.command("portfolio")
def portfolio(currency: Currency = None, user: User = None, data_dir: DataDirectory = None) -> None:
    """Print what all open accounts hold and are worth together, by the last prices that are stored."""
    settings = command_settings(data_dir)
    from infra.cli.account_reads import AccountReads  # noqa: PLC0415  # as above

    print(run_command(AccountReads(settings, user).portfolio(currency)), end="")


@account_app.command("taxes")
def taxes(
    account: AnyAccount = None,
    currency: Currency = None,
    start: Start = None,
    end: End = None,
    deposit_cost: Annotated[
        DepositCost, typer.Option(case_sensitive=False, help="What coins that were paid in have cost.")
    ] = DepositCost.UNKNOWN,
    output: Annotated[Path | None, typer.Option(help="The file to write; without it, the output.")] = None,
    user: User = None,
    data_dir: DataDirectory = None,
) -> None:
    """Write all purchases and sales with their gains, by first in, first out and by average cost."""
    settings = command_settings(data_dir)
    from infra.cli.account_reads import AccountReads  # noqa: PLC0415  # as above

    async def run() -> None:
        pieces = AccountReads(settings, user).taxes(account, currency, *_period(start, end), deposit_cost)
        await _write(pieces, output)

    run_command(run())


async def _write(pieces: AsyncIterator[bytes], output: Path | None) -> None:
    """Write a file in the place of an earlier one once it is complete, or write to the output."""
    if output is None:
        async for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    unfinished = output.with_name(f"{output.name}.part")
    try:
        with unfinished.open("wb") as file:
            async for piece in pieces:
                file.write(piece)
        unfinished.replace(output)
    except OSError as error:
        raise BadArgument(f"--output {output}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _period(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    begins = None if start is None else parse_time(start, "--from")
    ends = None if end is None else parse_time(end, "--to")
    if begins is not None and ends is not None and begins >= ends:
        raise BadArgument(f"--from is {start}, which must be before --to, {end}")
    return begins, ends
