"""Positions are protected and closed whatever becomes of their trading session, and never for a wrong reason."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.core.money import plain, round_down
from domain.execution import in_doubt
from domain.market_data import codec
from domain.market_data.topics import trades_topic
from domain.model.definitions import ExitDistance, OrderStyle
from domain.model.markets import Candle, Market, MarketSymbol, Trade
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType, TimeInForce
from domain.model.protection import ExitLevel, PositionIntent, PositionProtection, ProtectionRules
from domain.model.trading import Account, TradingSession, TradingSessionStatusCode
from domain.ports.execution_client import OrderReport, SendGuard
from domain.ports.market_data import VenueUnreachable
from domain.rules.direction import Direction
from domain.rules.order_request import OrderRequest
from domain.rules.protected_position import new_protection, protection_state
from domain.rules.protection import ProtectionState
from domain.trading.signal_processor import SignalProcessor
from infra.clock import TimeOrderedIds
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from tests.integration.trading.conftest import SandboxAddress
from tests.support.sandbox import session_sandbox
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, cents, strategy
from tests.support.waiting import PATIENCE_SECONDS, read_until

ETH_BTC = MarketSymbol("sandbox", "ETH/BTC")
STOP_2 = ExitDistance(percent=Decimal(2))
MINUTES_AHEAD = 10


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[SandboxAddress]:
    """An exchange without orders of other tests: those of this module move its price, and mute its events."""
    with session_sandbox(seed=17) as sandbox:
        yield SandboxAddress(sandbox.url, sandbox.admin_token)


async def in_a_position(node: TradingNode, account: Account | None = None, **changes: object) -> TradingSession:
    """Return a trading session that has bought, and whose position is protected."""
    session = await node.session(account or await node.account(), strategy(**changes))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    if any(name in changes for name in ("stop_loss", "take_profit", "trailing_stop")):
        await node.until_protected(session)
    return session


async def whole_lots(node: TradingNode, session: TradingSession) -> Decimal:
    """Return how much of the position can be sold, whatever was bought at the price of the moment."""
    return round_down((await node.position(session)).quantity, Decimal("0.00001"))


async def ask_sandbox(sandbox: SandboxAddress, action: str, **body: object) -> None:
    """POST to the exchange's administrative side."""
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    request = urllib.request.Request(f"{sandbox.url}/admin/{action}", json.dumps(body).encode(), headers)
    await asyncio.to_thread(lambda: urllib.request.urlopen(request).read())


async def move(sandbox: SandboxAddress, price: Decimal) -> None:
    """Move the market, which trades there before this returns."""
    await ask_sandbox(sandbox, "price", market=BTC.symbol, price=str(cents(price)))


@asynccontextmanager
async def muted(sandbox: SandboxAddress) -> AsyncIterator[None]:
    """Keep all that happens inside the block from the accounts' streams: one order may have several fills."""
    await ask_sandbox(sandbox, "misbehave", muteUserEvents=1_000_000)
    try:
        yield
    finally:
        await ask_sandbox(sandbox, "misbehave", clear=True)


async def until_alert(node: TradingNode, part: str) -> str:
    """Return the alert that has those words, once there is one."""
    deadline = node.clock.monotonic() + PATIENCE_SECONDS
    while not (found := [alert for alert in await node.alerts() if part in alert]):
        assert node.clock.monotonic() < deadline, f"no alert of {part!r}; there is {await node.alerts()}"
        await asyncio.sleep(0.02)
    return found[0]


async def place_by_hand(node: TradingNode, account: Account, key: str, **changes: object) -> Order:
    request = OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, Decimal("0.001"))
    return await node.orders.place(node.user.id, replace(request, **changes), key)


async def sell_at_the_venue(node: TradingNode, account: Account, like: Order, quantity: Decimal) -> None:
    """Sell coins with the account's key and without the engine, as a user does at the venue's own site."""
    async with node.database.read_only() as reading:
        sealed = await reading.accounts.credentials(account.id)
    client = node.venues.account(account, node.vault.unseal(sealed, account.id))
    order = replace(
        like, id=node.ids.next_id(), client_order_id=f"web_{node.ids.next_id().hex[:20]}", side=OrderSide.SELL,
        quantity=quantity,
    )  # fmt: skip
    try:
        await client.place(order, lambda: None)
    finally:
        await client.close()


# -- which prices count ----------------------------------------------------------------------------------------------


async def test_a_trade_that_is_older_than_the_position_closes_nothing(node: TradingNode) -> None:
    session = await in_a_position(node, stop_loss=STOP_2, take_profit=ExitDistance(percent=Decimal(5)))
    protection, position = await node.until_protected(session), await node.position(session)
    prices = (protection.take_profit_price + 1, protection.stop_loss_price - 1)
    for age in (timedelta(minutes=7), timedelta(0)):
        old = [
            Trade(BTC, f"old-{age}-{price}", position.opened_at - age, price, Decimal(1), OrderSide.BUY)
            for price in prices
        ]
        await node.bus.publish(trades_topic(BTC), codec.encode_trades(old))
    await node.until_processed(session, await node.feed.close_candle())
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED"]
    await node.feed.trade(protection.stop_loss_price)
    await node.until_position(session, lambda now: now.closed_at, "a trade after it does")


async def test_a_trailing_stop_follows_the_price_and_sells_where_it_turns(node: TradingNode) -> None:
    session = await in_a_position(node, trailing_stop=ExitDistance(percent=Decimal(5)))
    entry = (await node.until_protected(session)).reference_price
    for factor in ("1.1", "1.2", "1.15"):
        await node.feed.trade(cents(entry * Decimal(factor)))
    await node.feed.trade(cents(entry * Decimal("1.13")))
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert (await node.summary(session))[-1] == "TRAILING_STOP FILLED"
    (intent,) = await node.intents(session)
    assert intent.reason.startswith("The trailing stop of")


async def test_a_trailing_stop_goes_on_from_where_it_was_after_a_restart(node: TradingNode) -> None:
    session = await in_a_position(node, trailing_stop=ExitDistance(percent=Decimal(5)))
    entry = (await node.until_protected(session)).reference_price
    await node.feed.close_candle(high=entry * 2, close=entry * 2)

    async def high_water() -> Decimal:
        return (await node.until_protected(session)).high_water

    deadline = node.clock.monotonic() + PATIENCE_SECONDS
    while await high_water() < entry * Decimal("1.9"):
        assert node.clock.monotonic() < deadline, f"it stays at {await high_water()}"
        await asyncio.sleep(0.02)
    await node.trader.close()
    await node.restart()
    await node.until_protected(session)
    await node.feed.trade(entry)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert (await node.summary(session))[-1] == "TRAILING_STOP FILLED"


# -- whatever becomes of the session ---------------------------------------------------------------------------------


async def test_the_position_of_a_session_that_failed_is_sold_at_its_stop(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await in_a_position(node, stop_loss=STOP_2)
    protection = await node.until_protected(session)

    async def broken(_self: SignalProcessor, _candle: Candle, *, is_newest: bool) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(SignalProcessor, "on_candle", broken)
        await node.feed.close_candle()
        await node.until(session, lambda now: now.status.value == "FAILED", "it fails")
    assert "Its position, if any, stays protected." in await until_alert(node, "has failed")
    await node.feed.trade(protection.stop_loss_price - 1)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert (await node.summary(session))[-1] == "STOP_LOSS FILLED"


@pytest.mark.parametrize("what", ["paused", "stopped", "stopped and restarted"])
async def test_a_position_that_is_kept_stays_protected(node: TradingNode, what: str) -> None:
    session = await in_a_position(node, stop_loss=STOP_2)
    protection = await node.until_protected(session)
    if what == "paused":
        await node.trading_sessions.pause(node.user.id, session.id)
    else:
        await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
        await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    if what == "stopped and restarted":
        await node.trader.close()
        await node.restart()
        await node.until_protected(session)
    assert (await node.position(session)).closed_at is None
    await node.feed.trade(protection.stop_loss_price - 1)
    await node.until_position(session, lambda now: now.closed_at, "it sells")


async def test_a_node_whose_clock_was_ahead_makes_the_next_one_close_nothing(node: TradingNode) -> None:
    class Ahead(TimeOrderedIds):
        def next_id(self) -> UUID:
            return UUID(int=super().next_id().int + (MINUTES_AHEAD * 60_000 << 80))

    price, right = node.feed.price, node.ids
    await node.trader.close()
    node.ids = Ahead()
    await node.restart("node-ahead")
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    await node.feed.close_candle(close=price / 4)
    first = await node.until_position(session, lambda now: now.closed_at, "it sells")
    await read_until(
        lambda: node.intents(session), lambda intents: all(intent.ended_at for intent in intents), "its intent ends"
    )
    await node.trader.close()
    node.ids = right
    await node.restart("node-right")
    await node.until_reconciled(await _account(node, session))
    await node.feed.close_candle()
    async with node.database.read_only() as reading:
        account_id = session.account_id
        opened = await _until_open(node, account_id)
        assert opened.id != first.id
        assert await reading.protection.list_open_intents(account_id) == []
    await node.until_processed(session, await node.feed.close_candle())
    assert (await _until_open(node, session.account_id)).quantity == opened.quantity


async def _account(node: TradingNode, session: TradingSession) -> Account:
    async with node.database.read_only() as reading:
        return await reading.accounts.by_id(session.account_id)


async def _until_open(node: TradingNode, account_id: UUID) -> object:
    deadline = node.clock.monotonic() + PATIENCE_SECONDS
    while True:
        async with node.database.read_only() as reading:
            positions = await reading.positions.list_open(account_id)
        if positions:
            return positions[0]
        assert node.clock.monotonic() < deadline, "there is no open position"
        await asyncio.sleep(0.02)


# -- an exit signal is never used up ---------------------------------------------------------------------------------


async def resting_entry(node: TradingNode) -> tuple[TradingSession, Order]:
    """Return a session whose limit entry rests, and which exits when a close crosses below half the price."""
    price = node.feed.price
    session = await node.session(
        await node.account(),
        strategy(
            enter_long=f"crosses_above(close, {price * 2})",
            exit_long=f"crosses_below(close, {price / 2})",
            order=OrderStyle(OrderType.LIMIT, offset_bps=Decimal(50)),
        ),
    )
    await node.feed.close_candle()
    await node.feed.close_candle(close=price * 3)
    return session, await node.until_order(session, lambda order: order.status is OrderStatus.OPEN)


async def test_no_candle_is_acted_on_before_the_account_has_reconciled(
    node: TradingNode, shared_sandbox: SandboxAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = node.feed.price
    session, entry = await resting_entry(node)
    await node.trader.close()
    await move(shared_sandbox, entry.price * Decimal("0.99"))

    async def unreachable(_self: CcxtExecutionClient) -> None:
        raise VenueUnreachable("slow venue")

    await node.feed.close_candle(published=False)
    exit_candle = await node.feed.close_candle(published=False, close=price / 4)
    with monkeypatch.context() as patched:
        patched.setattr(CcxtExecutionClient, "open_orders", unreachable)
        await node.restart()
        waiting = await node.until(session, lambda now: now.status_code, "its row has what it waits for")
        assert waiting.status_code is TradingSessionStatusCode.WAITING_FOR_ACCOUNT
        assert (await node.summary(session))[1:] == ["ENTRY OPEN"]
    await node.until_processed(session, exit_candle)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert (await node.summary(session))[-2:] == ["ENTRY FILLED", "EXIT FILLED"]
    await move(shared_sandbox, price)


async def test_an_exit_also_closes_what_the_cancelled_entry_still_brings(
    node: TradingNode, shared_sandbox: SandboxAddress
) -> None:
    price = node.feed.price
    session, entry = await resting_entry(node)
    async with muted(shared_sandbox):
        await move(shared_sandbox, entry.price * Decimal("0.99"))
    await node.feed.close_candle(close=price / 4)
    await node.until_position(session, lambda now: now.closed_at, "what the entry brought is sold")
    assert (await node.summary(session))[-2:] == ["ENTRY FILLED", "EXIT FILLED"]
    (intent,) = await node.intents(session)
    assert intent.signal_id == (await node.signals(session))[-1].id
    await move(shared_sandbox, price)


# -- trades that the venue tells late --------------------------------------------------------------------------------


class LateTrades:
    """The venue ends orders and reports their trades once the test has it do so; it counts them before, or doesn't."""

    def __init__(self, patched: pytest.MonkeyPatch, side: OrderSide, *, counts_them: bool = True) -> None:
        self.are_known = False
        plain_place, plain_query = CcxtExecutionClient.place, CcxtExecutionClient.query_order

        def without(report: OrderReport, order: Order) -> OrderReport:
            if self.are_known or order.side is not side or not report.filled_quantity:
                return report
            filled = report.filled_quantity if counts_them else Decimal(0)
            return replace(report, status=OrderStatus.CANCELED, fills=(), filled_quantity=filled)

        async def place(client: CcxtExecutionClient, order: Order, guard: SendGuard) -> OrderReport:
            return without(await plain_place(client, order, guard), order)

        async def query(client: CcxtExecutionClient, order: Order) -> OrderReport | None:
            report = await plain_query(client, order)
            return report and without(report, order)

        patched.setattr(CcxtExecutionClient, "place", place)
        patched.setattr(CcxtExecutionClient, "query_order", query)


async def test_an_intent_stays_until_the_trades_of_an_entry_that_has_ended_are_known(
    node: TradingNode, shared_sandbox: SandboxAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = node.feed.price
    session, entry = await resting_entry(node)
    with monkeypatch.context() as patched:
        late = LateTrades(patched, OrderSide.BUY)
        async with muted(shared_sandbox):
            await move(shared_sandbox, entry.price * Decimal("0.99"))
        exit_candle = await node.feed.close_candle(close=price / 4)
        ended = await node.until_order(session, lambda order: order.status is OrderStatus.CANCELED)
        assert (ended.filled_quantity, ended.missing_quantity, ended.awaits_fills) == (0, entry.quantity, True)
        await node.until_processed(session, exit_candle)
        await node.feed.close_candle(close=price * 3)
        await node.until_processed(session, await node.feed.close_candle(close=price * 3))
        async with node.database.read_only() as reading:
            assert len(await reading.protection.list_open_intents(session.account_id)) == 1
        assert [line for line in await node.summary(session) if "ENTRY " in line] == ["ENTRY CANCELED"]
        late.are_known = True
        await node.until_position(session, lambda now: now.closed_at, "what the entry brought is sold")
    assert [line for line in await node.summary(session) if "EXIT " in line] == ["EXIT FILLED"]
    await move(shared_sandbox, price)


@pytest.mark.parametrize("ends_protection", [False, True])
async def test_what_an_entry_brings_after_its_exit_was_done_is_closed_too_and_the_user_is_alerted(
    node: TradingNode, shared_sandbox: SandboxAddress, monkeypatch: pytest.MonkeyPatch, *, ends_protection: bool
) -> None:
    price = node.feed.price
    session, entry = await resting_entry(node)
    with monkeypatch.context() as patched:
        late = LateTrades(patched, OrderSide.BUY, counts_them=False)
        async with muted(shared_sandbox):
            await move(shared_sandbox, entry.price * Decimal("0.99"))
        await node.feed.close_candle(close=price / 4)
        await node.until_order(session, lambda order: order.status is OrderStatus.CANCELED)

        async def open_intents() -> list[PositionIntent]:
            async with node.database.read_only() as reading:
                return await reading.protection.list_open_intents(session.account_id)

        await read_until(open_intents, lambda now: now == [], "the exit is done")
        await node.trader.close()
        if ends_protection:  # as it does after ten minutes
            async with node.database.transaction() as transaction:
                (protection,) = await transaction.protection.list_open(session.account_id)
                await transaction.protection.save(protection.changed(ended_at=node.clock.now()))
        late.are_known = True
        await node.restart()
        await node.until_position(session, lambda now: now.closed_at, "what came late is sold")
    assert [line for line in await node.summary(session) if "EXIT " in line] == ["EXIT FILLED"]
    assert "It is being closed, as the position before it was." in await until_alert(node, "came after the order had")
    (intent,) = await node.intents(session)
    assert (intent.role, intent.reason.partition("(")[0]) == (OrderRole.EXIT, "crosses_below")
    await move(shared_sandbox, price)


async def test_an_exit_whose_trades_are_missing_is_followed_by_no_second_one(
    node: TradingNode, shared_sandbox: SandboxAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = node.feed.price
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    with monkeypatch.context() as patched:
        late = LateTrades(patched, OrderSide.SELL)
        async with muted(shared_sandbox):
            await node.feed.close_candle(close=price / 4)
            order = await node.until_order(session, lambda order: order.awaits_fills)
        assert (order.role, order.status, order.missing_quantity) == (
            OrderRole.EXIT, OrderStatus.CANCELED, order.quantity,
        )  # fmt: skip
        assert (await node.position(session)).quantity > 0
        late.are_known = True
        await node.until_position(session, lambda now: now.closed_at, "its trades are told")
    assert [line for line in await node.summary(session) if "EXIT " in line] == ["EXIT FILLED"]


async def test_a_position_whose_exit_trades_are_never_reported_is_closed_without_them_and_nothing_is_sold_twice(
    node: TradingNode, shared_sandbox: SandboxAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = node.feed.price
    monkeypatch.setattr(in_doubt, "_MAXIMUM_QUICK_ATTEMPTS", 5)
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    LateTrades(monkeypatch, OrderSide.SELL)
    async with muted(shared_sandbox):
        await node.feed.close_candle(close=price / 4)
        closed = await node.until_position(session, lambda now: now.closed_at, "it is closed without them")
    assert [line for line in await node.summary(session) if "EXIT " in line] == ["EXIT CANCELED"]
    *_, sold = await node.orders_of(session)
    assert (closed.missing, closed.quantity) == (sold.quantity, 0)
    assert "never reported all fills" in await until_alert(node, "never reported")
    assert "has never told the trades" in await until_alert(node, "never told")


# -- what can't be sold ----------------------------------------------------------------------------------------------


async def test_coins_that_were_sold_elsewhere_are_missing_and_the_rest_is_sold(node: TradingNode) -> None:
    price, account = node.feed.price, await node.account()
    session = await in_a_position(node, account, exit_long=f"close < {price / 2}")
    (entry,), before = await node.orders_of(session), await node.position(session)
    await sell_at_the_venue(node, account, entry, Decimal("0.003"))
    await node.feed.close_candle(close=price / 4)
    closed = await node.until_position(session, lambda now: now.closed_at, "it is closed without them")
    *_, sold = await node.orders_of(session)
    assert (sold.status, sold.role) == (OrderStatus.FILLED, OrderRole.EXIT)
    assert closed.quantity == 0
    assert closed.missing + closed.dust + sold.quantity == before.quantity
    assert abs(closed.missing - Decimal("0.003")) < Decimal("0.00002")
    assert "no longer in the account" in await until_alert(node, "no longer")
    assert len([alert for alert in await node.alerts() if "no longer" in alert]) == 1
    (intent,) = await node.intents(session)
    assert intent.ended_at is not None


async def test_stopping_ends_although_all_that_was_to_be_sold_is_gone(node: TradingNode) -> None:
    account = await node.account()
    session = await in_a_position(node, account)
    (entry,) = await node.orders_of(session)
    sold = await whole_lots(node, session)
    await sell_at_the_venue(node, account, entry, sold)
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    stopped = await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert "no longer in the account" in stopped.status_reason
    assert (await node.position(session)).missing >= sold


async def test_an_order_by_hand_that_locks_what_a_stop_has_to_sell_is_cancelled(node: TradingNode) -> None:
    account = await node.account()
    session = await in_a_position(node, account, stop_loss=STOP_2)
    protection = await node.until_protected(session)
    price = cents(node.feed.price * Decimal("1.03"))
    by_hand = await place_by_hand(
        node, account, "rests", type=OrderType.LIMIT, price=price, quantity=await whole_lots(node, session),
        time_in_force=TimeInForce.GTC,
    )  # fmt: skip
    assert by_hand.status is OrderStatus.OPEN
    await node.feed.trade(protection.stop_loss_price - 1)
    closed = await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert closed.missing == 0
    assert (await node.order(by_hand.id)).status is OrderStatus.CANCELED
    assert by_hand.client_order_id in await until_alert(node, "is being cancelled")


async def test_an_order_by_hand_that_spends_what_a_stop_has_to_sell_is_cancelled(node: TradingNode) -> None:
    account = await node.account()
    session = await in_a_position(node, account, stop_loss=STOP_2)
    protection = await node.until_protected(session)
    await node.feed.add_market(ETH_BTC)
    by_hand = await place_by_hand(
        node, account, "spends", market=ETH_BTC, side=OrderSide.BUY, type=OrderType.LIMIT, price=Decimal("0.01"),
        quantity=Decimal("0.7"), time_in_force=TimeInForce.GTC,
    )  # fmt: skip
    assert by_hand.status is OrderStatus.OPEN
    await node.feed.trade(protection.stop_loss_price - 1)
    closed = await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert closed.missing == 0
    assert (await node.order(by_hand.id)).status is OrderStatus.CANCELED
    assert "to buy 0.7 ETH on sandbox:ETH/BTC is being cancelled" in await until_alert(node, by_hand.client_order_id)


async def test_a_position_whose_whole_lots_are_worth_too_little_is_closed_as_dust_with_an_alert(
    node: TradingNode,
) -> None:
    session = await in_a_position(node, stop_loss=STOP_2)
    protection = await node.until_protected(session)
    held = (await node.position(session)).quantity
    lot = Decimal("0.003")
    assert 2 * lot < Decimal("0.007") < held
    await node.list_market(
        quantity_increment=lot, minimum_quantity=lot, minimum_notional=node.feed.price * Decimal("0.007")
    )
    await node.feed.trade(protection.stop_loss_price - 1)
    closed = await node.until_position(session, lambda now: now.closed_at, "it is closed")
    assert (closed.quantity, closed.dust) == (0, held)
    assert "closed without them" in await until_alert(node, f"{plain(held)} BTC")
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")


async def test_an_exit_is_rounded_to_the_lot_of_the_market_as_it_is_now(node: TradingNode) -> None:
    price = node.feed.price
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    lot, held = Decimal("0.001"), (await node.position(session)).quantity
    await node.list_market(quantity_increment=lot, minimum_quantity=lot)
    await node.feed.close_candle(close=price / 4)
    closed = await node.until_position(session, lambda now: now.closed_at, "it sells")
    *_, sold = await node.orders_of(session)
    assert (sold.status, sold.quantity) == (OrderStatus.FILLED, round_down(held, lot))
    assert closed.dust == held - sold.quantity > 0


async def test_an_exit_above_the_most_of_one_market_order_is_split(node: TradingNode) -> None:
    price = node.feed.price
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    held, most = (await node.position(session)).quantity, Decimal("0.003")
    await node.list_market(maximum_market_quantity=most)
    await node.feed.close_candle(close=price / 4)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    _, *sold = await node.orders_of(session)
    rest = round_down(held - 2 * most, Decimal("0.00001"))
    assert [order.quantity for order in sold] == [most, most, rest]
    (intent,) = await node.intents(session)
    assert (intent.tries, intent.failures) == (3, 0)


async def test_an_exit_that_is_refused_is_one_intent_with_one_alert(node: TradingNode) -> None:
    session = await in_a_position(node, stop_loss=STOP_2)
    protection = await node.until_protected(session)
    await node.list_market(active=False)
    await node.feed.trade(protection.stop_loss_price - 1)
    alert = await until_alert(node, "can't be closed")
    assert "STOP_LOSS: The stop-loss of" in alert
    await node.list_market(active=True)
    await node.until_position(session, lambda now: now.closed_at, "it sells at last")
    assert [one for one in await node.alerts() if "can't be closed" in one] == [alert]
    (intent,) = await node.intents(session)
    assert intent.tries >= 2
    assert "not traded" in intent.last_refusal


# -- stopping --------------------------------------------------------------------------------------------------------


async def test_a_stop_that_cant_close_says_what_it_waits_for_and_can_be_taken_back(node: TradingNode) -> None:
    session = await in_a_position(node, stop_loss=STOP_2)
    protection = await node.until_protected(session)
    await node.list_market(active=False)
    stopping = await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    assert stopping.status_reason == "It waits for the node that trades its account."
    waiting = await node.until(session, lambda now: "not traded" in (now.status_reason or ""), "it says why")
    assert waiting.status_reason.startswith("It waits until its position is closed.")
    await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    stopped = await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert stopped.status_reason is None
    await node.list_market(active=True)
    assert (await node.position(session)).closed_at is None
    await node.feed.trade(protection.stop_loss_price - 1)
    await node.until_position(session, lambda now: now.closed_at, "its stop-loss stays")


# -- brackets by hand ------------------------------------------------------------------------------------------------


async def place_bracket(node: TradingNode, account: Account, key: str, rules: ProtectionRules) -> PositionProtection:
    """Buy by hand with protection, as an order that brings its stop-loss along does."""
    bought = await place_by_hand(node, account, key, side=OrderSide.BUY, quantity=Decimal("0.01"))
    protection = new_protection(bought, rules, node.ids.next_id())
    async with node.database.transaction() as transaction:
        await transaction.protection.add(protection)
    await node.feed.trade(node.feed.price)
    return protection


async def test_a_bracket_by_hand_ends_with_what_it_bought(node: TradingNode) -> None:
    account = await node.account()
    await node.session(account, strategy(enter_long="close < 0"))
    await place_bracket(node, account, "first", ProtectionRules(ExitLevel(price=cents(node.feed.price / 2))))
    first = await _until_open(node, account.id)
    await place_by_hand(node, account, "sold", quantity=Decimal("0.00999"))
    await place_by_hand(node, account, "again", side=OrderSide.BUY, quantity=Decimal("0.02"))
    second = await _until_open(node, account.id)
    assert second.id != first.id
    deadline = node.clock.monotonic() + PATIENCE_SECONDS
    while True:
        async with node.database.read_only() as reading:
            left = await reading.protection.list_open(account.id)
        if not left:
            break
        assert node.clock.monotonic() < deadline, left
        await asyncio.sleep(0.02)
    await node.feed.trade(cents(node.feed.price / 3))
    async with node.database.read_only() as reading:
        assert [row.position_id for row in await reading.protection.list_of_positions([second.id])] == []
        assert await reading.protection.list_open_intents(account.id) == []


async def test_a_bracket_by_hand_sells_what_its_own_order_bought(node: TradingNode) -> None:
    account = await node.account()
    await node.session(account, strategy(enter_long="close < 0"))
    await place_by_hand(node, account, "without", side=OrderSide.BUY, quantity=Decimal("0.05"))
    low, lower = (ProtectionRules(ExitLevel(price=cents(node.feed.price * Decimal(f)))) for f in ("0.98", "0.9"))
    first = await place_bracket(node, account, "first", low)
    second = await place_bracket(node, account, "second", lower)
    deadline = node.clock.monotonic() + PATIENCE_SECONDS
    while True:
        async with node.database.read_only() as reading:
            rows = await reading.protection.list_of_positions([(await _until_open(node, account.id)).id])
        if [row.id for row in rows if row.quantity] == [first.id, second.id] and node.hub.followed.get(
            BTC
        ).trade_queues:
            break
        assert node.clock.monotonic() < deadline, rows
        await asyncio.sleep(0.02)
    assert {row.quantity for row in rows} == {Decimal("0.00999")}
    await node.feed.trade(cents(node.feed.price * Decimal("0.97")))
    while True:
        async with node.database.read_only() as reading:
            position = (await reading.positions.list_open(account.id))[0]
            left = [row.id for row in await reading.protection.list_open(account.id)]
        if left == [second.id]:
            break
        assert node.clock.monotonic() < deadline, (position, left)
        await asyncio.sleep(0.02)
    assert position.quantity == Decimal("0.04995") + Decimal("0.00999")


async def test_a_protection_that_cant_be_watched_is_alerted_of_and_the_others_stay_watched(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[UUID] = []

    def failing(protection: PositionProtection, market: Market, direction: Direction) -> ProtectionState:
        if protection.id in broken:
            raise ArithmeticError("a fault of the engine")
        return protection_state(protection, market, direction)

    monkeypatch.setattr("domain.trading.market_watch.protection_state", failing)
    account = await node.account()
    await node.session(account, strategy(enter_long="close < 0"))
    rules = ProtectionRules(ExitLevel(price=cents(node.feed.price * Decimal("0.9"))))
    first = await place_by_hand(node, account, "first", side=OrderSide.BUY, quantity=Decimal("0.01"))
    protection = new_protection(first, rules, node.ids.next_id())
    broken.append(protection.id)
    async with node.database.transaction() as transaction:
        await transaction.protection.add(protection)
    await place_bracket(node, account, "second", rules)
    await until_alert(node, "while it protected a position")

    async def remaining() -> list[UUID]:
        await node.feed.trade(cents(node.feed.price * Decimal("0.8")))
        async with node.database.read_only() as reading:
            return [row.id for row in await reading.protection.list_open(account.id)]

    await read_until(remaining, lambda left: left == broken, "the other one has sold")
