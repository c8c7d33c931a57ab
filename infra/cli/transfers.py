"""`r3edge account transfers`: what came into an account and left it, and what a change of its balance was."""

from enum import StrEnum
from typing import Annotated

import typer

from infra.cli.arguments import BadArgument, parse_time
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.cli.strategies import UserEmail

transfer_app = typer.Typer(
    help="Deposits, withdrawals and adjustments of an account.", no_args_is_help=True, rich_markup_mode=None
)

Account = Annotated[str, typer.Argument(help="The account's name, or its id from the API.")]


class EntryKind(StrEnum):
    """What a user can say that a change of a balance was."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


@transfer_app.command("list")
def list_transfers(account: Account, user: UserEmail = None, data_dir: DataDirectory = None) -> None:
    """Print all transfers of an account as CSV, the oldest first; amounts that left it are negative."""
    settings = command_settings(data_dir)
    from infra.cli.transfer_actions import TransferCommands  # noqa: PLC0415  # other commands start without

    print(run_command(TransferCommands(settings, user).list_all(account)), end="")


@transfer_app.command("record")
def record(
    account: Account,
    kind: Annotated[EntryKind, typer.Argument(case_sensitive=False, help="What it was.")],
    amount: Annotated[str, typer.Argument(help="How much, more than 0 for both.")],
    currency: Annotated[str, typer.Argument(help="The currency, such as BTC.")],
    at: Annotated[str, typer.Option("--at", help="When it was, as 2026-01-31 or 2026-01-31T12:00Z (UTC).")],
    note: Annotated[str | None, typer.Option(help="What it was for.")] = None,
    key: Annotated[
        str | None, typer.Option(help="Any text: the same entry with the same key is recorded only once.")
    ] = None,
    user: UserEmail = None,
    data_dir: DataDirectory = None,
) -> None:
    """Say that a change of the balance that nothing explains was a deposit or a withdrawal, or a part of it was."""
    settings = command_settings(data_dir)
    from domain.accounts.transfer_entries import TransferEntry  # noqa: PLC0415  # as above
    from domain.core.money import parse_decimal, plain  # noqa: PLC0415  # as above
    from domain.model.trading import AccountTransfer, TransferKind  # noqa: PLC0415  # as above
    from infra.cli.transfer_actions import TransferCommands  # noqa: PLC0415  # as above

    async def run() -> AccountTransfer:
        try:
            quantity = parse_decimal(amount)
        except ValueError as error:
            raise BadArgument(f"the amount {amount!r} {error}") from None
        entry = TransferEntry(TransferKind[kind.name], currency.strip(), quantity, parse_time(at, "--at"), note)
        return await TransferCommands(settings, user).record(account, entry, key)

    made = run_command(run())
    print(f"{made.kind.value} {plain(abs(made.amount))} {made.currency} at {made.at:%Y-%m-%dT%H:%M:%SZ}")
