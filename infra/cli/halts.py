"""`r3edge halt` and `r3edge resume`: stop trading from the machine itself, whether or not the API answers."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from infra.cli.options import DataDirectory, command_settings, log_warnings_alone, run_command
from infra.settings import Settings
from infra.settings_loading import load_settings

if TYPE_CHECKING:
    from domain.ports.unit_of_work import UnitOfWork
    from domain.trading.halts import HaltRequest, HaltSubject


class Scope(StrEnum):
    """What is halted."""

    ENGINE = "engine"
    USER = "user"
    ACCOUNT = "account"
    SESSION = "session"


Halted = Annotated[Scope, typer.Argument(help="What to halt or resume.", show_default=False)]
Which = Annotated[
    str | None,
    typer.Argument(help="The user's email, or the id of the account or the trading session.", show_default=False),
]


def halt(
    scope: Halted,
    which: Which = None,
    reason: Annotated[str | None, typer.Option(help="Shown to everybody whose trading is halted.")] = None,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Let positions still be reduced.")] = False,
    keep_orders: Annotated[bool, typer.Option("--keep-orders", help="Leave open orders open.")] = False,
    close_positions: Annotated[bool, typer.Option("--close-positions", help="Close all positions.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Halt trading, as an operator, until it is resumed. The API needn't run; nodes that trade obey within a second."""
    settings = load_settings(data_dir=data_dir)
    from domain.trading.halts import HaltRequest  # noqa: PLC0415  # other commands start without it

    request = HaltRequest(not keep_orders, reduce_only, close_positions, reason)
    log_warnings_alone(settings)
    run_command(set_halt(settings, scope, which, request))
    print(f"{_name(scope, which)}: halted{', but for orders that reduce positions' if reduce_only else ''}")


def resume(scope: Halted, which: Which = None, data_dir: DataDirectory = None) -> None:
    """End all halts of the engine, user, account or trading session itself; those of higher levels still apply."""
    settings = command_settings(data_dir)
    run_command(set_halt(settings, scope, which, None))
    print(f"{_name(scope, which)}: resumed")


async def set_halt(settings: Settings, scope: Scope, which: str | None, request: "HaltRequest | None") -> None:
    """Halt or resume in the database of the running engine, or in its own for as long as this takes.

    Raises `BadArgument` if there is nothing by that name.
    """
    from domain.trading.halts import HaltService  # noqa: PLC0415  # other commands start without it
    from infra.clock import SystemClock, TimeOrderedIds  # noqa: PLC0415  # as above
    from infra.embedded.bus import EmbeddedBus  # noqa: PLC0415  # as above
    from infra.postgres.database import PostgresDatabase  # noqa: PLC0415  # as above
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above

    async with open_command_resources(settings, "r3edge halt") as resources:
        bus, clock = EmbeddedBus(), SystemClock()  # nodes find the halt by polling
        database = PostgresDatabase(await resources.pool(), bus, clock)
        async with database.read_only() as reading:
            subject = await _subject(reading, scope, which)
        await HaltService(database, bus, clock, TimeOrderedIds()).set_halt_by_machine(subject, request)
        await database.close()


async def _subject(reading: "UnitOfWork", scope: Scope, which: str | None) -> "HaltSubject":
    from domain.core.validation import normalise_email  # noqa: PLC0415  # as above
    from domain.model.trading_state import HaltLevel  # noqa: PLC0415  # as above
    from domain.trading.halts import ENGINE, HaltSubject  # noqa: PLC0415  # as above
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above

    if scope is Scope.ENGINE:
        if which is not None:
            raise BadArgument(f"the engine has no name; to halt {which!r} write user, account or session before it")
        return ENGINE
    if which is None:
        name = "an email" if scope is Scope.USER else "an id"
        raise BadArgument(f"which {scope}? Write {name} after it")
    if scope is Scope.USER:
        user = await reading.users.get_by_email(normalise_email(which))
        if user is not None:
            return HaltSubject(HaltLevel.USER, user[0].id, user[0].id)
    elif scope is Scope.ACCOUNT:
        account = await reading.accounts.by_id(_id(which, "Account"))
        if account is not None:
            return HaltSubject(HaltLevel.ACCOUNT, account.id, account.user_id, account.id)
    else:
        for session in await reading.trading_sessions.get_many([_id(which, "TradingSession")]):
            return HaltSubject(HaltLevel.TRADING_SESSION, session.id, session.user_id, session.account_id)
    raise BadArgument(f"there is no {scope} {which}")


def _id(text: str, type_name: str) -> UUID:
    """Return the id that the API or the log writes in this way."""
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above
    from resolvers.ids import uuid_in  # noqa: PLC0415  # as above

    found = uuid_in(text, type_name)
    if found is not None:
        return found
    try:
        return UUID(text)
    except ValueError:
        raise BadArgument(f"{text!r} is not the id of one; take it from the API or the log") from None


def _name(scope: Scope, which: str | None) -> str:
    return str(scope) if which is None else f"{scope} {which}"
