"""`r3edge halt` and `r3edge resume`: trading is stopped in the database alone, and the users it stops are notified."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.core.clock import Clock
from domain.model.events import UserEventKind
from domain.model.trading_state import HaltAuthor, TradingState
from domain.trading.halts import HaltRequest
from infra.cli.halts import Scope, set_halt
from infra.cli.main import app
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.bulk_candles import acquired_connection
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.settings_loading import load_settings
from resolvers.ids import encode_id
from tests.support.postgres import patient_database
from tests.support.trading import World, stored_world

CLOCK: Clock = SystemClock()
NAMES: dict[Scope, Callable[[World], str | None]] = {
    Scope.ENGINE: lambda _: None,
    Scope.USER: lambda world: world.user.email.upper(),
    Scope.ACCOUNT: lambda world: encode_id("Account", world.account.id),
    Scope.SESSION: lambda world: str(world.session.id),
}


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_dsn: str) -> None:
    for name, value in {"DATA_DIR": str(tmp_path), "DATABASE_URL": database_dsn}.items():
        monkeypatch.setenv(f"R3EDGE_{name}", value)
    monkeypatch.setattr("infra.cli.halts.log_warnings_alone", lambda _: None)  # which is for the whole process


@pytest.mark.parametrize("scope", Scope)
async def test_anything_is_halted_and_resumed_as_by_an_operator(pool: Pool, scope: Scope) -> None:
    database = patient_database(pool, EmbeddedBus(), CLOCK)
    async with acquired_connection(pool) as driver:
        world = await stored_world(Connection(driver))
    request = HaltRequest(cancel_orders=False, reduce_only=True, reason="the venue is down")
    await set_halt(load_settings(), scope, NAMES[scope](world), request)
    order = world.order(trading_session_id=world.session.id)
    async with database.read_only() as reading:
        assert (await reading.orders.risk_snapshot(order, CLOCK.now())).halts == (TradingState.REDUCING,)
    await set_halt(load_settings(), scope, NAMES[scope](world), None)
    async with database.read_only() as reading:
        assert (await reading.orders.risk_snapshot(order, CLOCK.now())).halts == ()
        events = await reading.events.read_after(world.user.id, 0, None, 100)
    halts = [event.subject for event in events if event.kind is UserEventKind.HALT]
    assert [(halt.by, halt.reason, halt.ended_at is None) for halt in halts] == [  # type: ignore[union-attr]
        (HaltAuthor.OPERATOR, "the venue is down", True),
        (HaltAuthor.OPERATOR, "the venue is down", False),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("halt", "user"), "which user? Write an email after it"),
        (("halt", "session"), "which session? Write an id after it"),
        (("resume", "engine", "ada@example.com"), "the engine has no name; to halt 'ada@example.com' write user"),
        (("halt", "user", "nobody@example.com"), "there is no user nobody@example.com"),
        (("halt", "account", "lunch"), "'lunch' is not the id of one; take it from the API or the log"),
        (("halt", "account", encode_id("User", "x")), "is not the id of one"),
        (("halt", "account", "01a229f2-153f-737f-8958-cabe17fda452"), "there is no account 01a229f2"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_halts_nothing(arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.output
    assert message in done.stderr
