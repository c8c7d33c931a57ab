from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType, RejectCode, TimeInForce
from domain.model.trading import Account, AccountKind, Balance, VenueCredentials
from domain.ports.execution_client import NotSent, OutcomeUnknown, VenueRefused
from domain.ports.market_data import VenueUnreachable
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC, Trader, allow, best_bid, new_order, open_trader


async def far_below(venues: Venues) -> Decimal:
    """A price that rests: 3 % under the best bid."""
    return (await best_bid(venues) * Decimal("0.97")).quantize(Decimal("0.01"))


async def test_a_market_order_comes_back_filled_with_its_fills(trader: Trader) -> None:
    order = new_order()
    placed = await trader.venue.place(order, allow)
    assert (placed.status, placed.client_order_id) == (OrderStatus.FILLED, order.client_order_id)
    assert placed.filled_quantity == order.quantity == sum(fill.quantity for fill in placed.fills)
    for fill in placed.fills:
        assert fill.fee == fill.quantity * Decimal("0.001")
        assert (fill.fee_currency, fill.maker, fill.client_order_id) == ("BTC", False, order.client_order_id)


async def test_what_is_found_is_what_was_placed(trader: Trader) -> None:
    order = new_order()
    placed = await trader.venue.place(order, allow)
    found = await trader.venue.query_order(order)
    assert found is not None
    assert (found.venue_order_id, found.status, found.filled_quantity) == (
        placed.venue_order_id,
        OrderStatus.FILLED,
        order.quantity,
    )
    assert {fill.venue_trade_id: fill.fee for fill in found.fills} == {f.venue_trade_id: f.fee for f in placed.fills}


async def test_an_account_takes_quantities_by_the_lot_of_now(
    trader: Trader, venues: Venues, sandbox: SandboxProcess
) -> None:
    async def change_lot(lot: str) -> None:
        lot_size = {"filterType": "LOT_SIZE", "minQty": lot, "stepSize": lot}
        await sandbox.admin("filters", {"market": "BTC/USDT", "filters": [lot_size]})
        await venues.public("sandbox").load_markets()

    await change_lot("0.01")
    await trader.venue.place(new_order(quantity=Decimal("0.02")), allow)
    await change_lot("0.00001")
    for quantity in (Decimal("0.00097"), Decimal("0.01234")):  # less than the old lot, and between two of it
        placed = await trader.venue.place(new_order(quantity=quantity), allow)
        assert (placed.quantity, placed.filled_quantity) == (quantity, quantity)


async def test_fills_since_a_moment_are_those_of_the_orders(trader: Trader) -> None:
    since = trader.venue.venue_now() - timedelta(seconds=5)
    placed = [await trader.venue.place(new_order(), allow) for _ in range(3)]
    fills = await trader.venue.fills(BTC, since)
    assert [fill.venue_trade_id for fill in fills] == [f.venue_trade_id for order in placed for f in order.fills]


async def test_a_limit_order_rests_is_listed_and_is_cancelled_by_its_client_id(trader: Trader, venues: Venues) -> None:
    order = new_order(type=OrderType.LIMIT, price=await far_below(venues), time_in_force=TimeInForce.GTD)
    placed = await trader.venue.place(order, allow)
    assert (placed.status, placed.price, placed.fills) == (OrderStatus.OPEN, order.price, ())
    (resting,) = await trader.venue.open_orders()
    assert (resting.client_order_id, resting.quantity) == (order.client_order_id, order.quantity)
    cancelled = await trader.venue.cancel(order, allow)
    assert cancelled is not None
    assert (cancelled.status, cancelled.client_order_id) == (OrderStatus.CANCELED, order.client_order_id)
    assert await trader.venue.open_orders() == []


@pytest.mark.parametrize(
    ("type", "factor", "side"),
    [
        (OrderType.STOP, "1.05", OrderSide.BUY),
        (OrderType.STOP_LIMIT, "0.95", OrderSide.SELL),
        (OrderType.TAKE_PROFIT, "0.95", OrderSide.BUY),
        (OrderType.TAKE_PROFIT_LIMIT, "1.05", OrderSide.SELL),
    ],
)
async def test_orders_that_wait_for_a_price_rest_at_the_venue(
    trader: Trader, venues: Venues, type: OrderType, factor: str, side: OrderSide
) -> None:
    stop = (await far_below(venues) / Decimal("0.97") * Decimal(factor)).quantize(Decimal("0.01"))
    price = stop if type.has_price else None
    order = new_order(type=type, side=side, stop_price=stop, price=price)
    placed = await trader.venue.place(order, allow)
    found = await trader.venue.query_order(order)
    assert found is not None
    for report in (placed, found):
        assert (report.status, report.type, report.side) == (OrderStatus.OPEN, type, side)
    assert (found.stop_price, found.price) == (stop, price)


async def test_an_order_that_can_only_take_is_refused_where_it_must_make(trader: Trader, venues: Venues) -> None:
    above = (await far_below(venues) / Decimal("0.97") * Decimal("1.01")).quantize(Decimal("0.01"))
    with pytest.raises(VenueRefused, match="immediately"):
        await trader.venue.place(new_order(type=OrderType.LIMIT, price=above, post_only=True), allow)


async def test_an_order_that_must_fill_at_once_expires_where_it_cannot(trader: Trader, venues: Venues) -> None:
    order = new_order(type=OrderType.LIMIT, price=await far_below(venues), time_in_force=TimeInForce.IOC)
    assert (await trader.venue.place(order, allow)).status is OrderStatus.EXPIRED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": Decimal(10)}, "insufficient"),
        ({"quantity": Decimal("0.00001")}, "NOTIONAL"),
        ({"market": MarketSymbol("sandbox", "NO/SUCH")}, "NO/SUCH"),
        ({"client_order_id": "x" * 37}, "newClientOrderId"),
    ],
)
async def test_what_the_venue_refuses_is_refused_in_its_words(trader: Trader, change: dict, words: str) -> None:
    with pytest.raises(VenueRefused, match=words) as refused:
        await trader.venue.place(new_order(**change), allow)
    assert "signature" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None or refused.value.__suppress_context__


async def test_a_cancel_of_nothing_is_refused(trader: Trader) -> None:
    with pytest.raises(VenueRefused):
        await trader.venue.cancel(new_order(), allow)


async def test_an_order_that_never_was_is_not_found(trader: Trader) -> None:
    assert await trader.venue.query_order(new_order()) is None


async def test_balances_are_exact_and_leave_out_what_is_nothing(trader: Trader) -> None:
    balances = await trader.venue.balances()
    assert tuple(replace(balance, at=None) for balance in balances) == (
        Balance("BTC", Decimal(2), Decimal(2)),
        Balance("USDT", Decimal(100_000), Decimal(100_000)),
    )
    assert all(balance.at is not None for balance in balances)
    placed = await trader.venue.place(new_order(), allow)
    cost = sum(fill.price * fill.quantity for fill in placed.fills)
    held = {balance.currency: balance.total for balance in await trader.venue.balances()}
    assert held == {"USDT": 100_000 - cost, "BTC": Decimal(2) + Decimal("0.01") * Decimal("0.999")}


async def test_a_paper_account_that_is_requested_twice_is_paid_once(venues: Venues) -> None:
    paper = venues.paper("sandbox")
    balances = [Balance("USDT", Decimal("0.5"), Decimal("0.5"))]
    name = f"bob-{uuid4()}"
    first = await paper.open_account(name, balances)
    assert await paper.open_account(name, balances) == first
    assert "secret" not in repr(first)
    for _ in range(2):
        await paper.deposit(name, "USDT", Decimal("1.25"), f"key-{name}")
    trader = await open_trader(venues, name, {"USDT": Decimal("0.5")})
    assert (await trader.venue.balances())[0].total == Decimal("1.75")
    await trader.venue.close()


async def test_the_guard_is_called_after_the_timestamp_and_before_the_bytes(trader: Trader) -> None:
    await trader.venue.balances()
    exchange = trader.venue.exchange
    steps: list[str] = []
    nonce, session = exchange.nonce, exchange.session

    class Watched:
        def __getattr__(self, name: str) -> object:
            return getattr(session, name)

        def post(self, *args: object, **more: object) -> object:
            steps.append("sent")
            return session.post(*args, **more)

    exchange.nonce = lambda: steps.append("timestamp") or nonce()
    exchange.session = Watched()
    try:
        await trader.venue.place(new_order(), lambda: steps.append("guard"))
    finally:
        exchange.session = session
    assert steps == ["timestamp", "guard", "sent"]


async def test_a_guard_that_forbids_keeps_the_order_at_home(trader: Trader) -> None:
    def forbid() -> None:
        raise NotSent("the lease is too old")

    order = new_order()
    with pytest.raises(NotSent, match="the lease is too old"):
        await trader.venue.place(order, forbid)
    assert await trader.venue.query_order(order) is None
    assert await trader.venue.place(new_order(), allow)


@pytest.mark.parametrize("fault", ["swallowOrders", "dropOrders"])
async def test_a_connection_that_breaks_leaves_the_outcome_unknown(
    trader: Trader, sandbox: SandboxProcess, fault: str
) -> None:
    order = new_order()
    await trader.venue.balances()
    await sandbox.inject_faults(**{fault: 1})
    with pytest.raises(OutcomeUnknown):
        await trader.venue.place(order, allow)
    found = await trader.venue.query_order(order)
    assert (found is not None) == (fault == "swallowOrders")
    assert len(await trader.venue.fills(BTC, datetime(2026, 1, 1, tzinfo=UTC))) == (len(found.fills) if found else 0)


@pytest.mark.parametrize("status", [429, 418])
async def test_an_order_that_meets_a_rate_limit_was_not_placed(
    trader: Trader, sandbox: SandboxProcess, status: int
) -> None:
    await trader.venue.balances()
    await sandbox.inject_faults(answerStatus=status, answerCount=1)
    with pytest.raises(VenueRefused) as refused:
        await trader.venue.place(new_order(), allow)
    assert refused.value.code is RejectCode.RATE_LIMITED


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_answer_without_the_venues_word_leaves_the_outcome_unknown(
    trader: Trader, sandbox: SandboxProcess, status: int
) -> None:
    await trader.venue.balances()
    await sandbox.inject_faults(answerStatus=status, answerCount=1)
    with pytest.raises(OutcomeUnknown):
        await trader.venue.place(new_order(), allow)


async def test_after_a_429_nobody_asks_until_the_venue_has_had_its_rest(
    trader: Trader, venues: Venues, sandbox: SandboxProcess
) -> None:
    await trader.venue.balances()
    await sandbox.inject_faults(answerStatus=429, answerCount=1, answerRetryAfterSeconds=60)
    with pytest.raises(VenueUnreachable):
        await trader.venue.balances()
    with pytest.raises(VenueUnreachable) as silent:
        await venues.public("sandbox").fetch_trades(BTC, 1)
    assert silent.value.retry_after_seconds is not None
    with pytest.raises(NotSent):
        await trader.venue.place(new_order(), allow)


async def test_a_question_that_breaks_is_no_answer(trader: Trader, sandbox: SandboxProcess) -> None:
    order = new_order()
    await trader.venue.place(order, allow)
    await sandbox.inject_faults(answerStatus=503, answerCount=1)
    with pytest.raises(VenueUnreachable):
        await trader.venue.query_order(order)
    assert await trader.venue.query_order(order) is not None


async def test_an_order_refused_for_its_time_is_sent_again_once_the_clock_is_measured(
    trader: Trader, venues: Venues, sandbox: SandboxProcess
) -> None:
    await trader.venue.balances()
    before = venues.connection("sandbox").clock.milliseconds()
    await sandbox.inject_faults(driftMs=60_000)
    order = new_order()
    placed = await trader.venue.place(order, allow)
    assert (placed.status, placed.client_order_id) == (OrderStatus.FILLED, order.client_order_id)
    assert venues.connection("sandbox").clock.milliseconds() - before > 50_000
    found = await trader.venue.fills(BTC, datetime(2026, 1, 1, tzinfo=UTC))
    assert sum(fill.quantity for fill in found) == order.quantity


async def test_an_order_refused_for_its_time_is_kept_at_home_if_the_guard_forbids_it_meanwhile(
    trader: Trader, sandbox: SandboxProcess
) -> None:
    await trader.venue.balances()
    await sandbox.inject_faults(driftMs=60_000)
    calls = 0

    def allow_once() -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise NotSent("the lease is too old")

    order = new_order()
    with pytest.raises(NotSent, match="the lease is too old"):
        await trader.venue.place(order, allow_once)
    assert await trader.venue.query_order(order) is None


async def test_a_cancel_refused_for_its_time_is_sent_again_once_the_clock_is_measured(
    trader: Trader, venues: Venues, sandbox: SandboxProcess
) -> None:
    order = new_order(type=OrderType.LIMIT, price=await far_below(venues))
    await trader.venue.place(order, allow)
    await sandbox.inject_faults(driftMs=60_000)
    cancelled = await trader.venue.cancel(order, allow)
    assert cancelled is not None
    assert cancelled.status is OrderStatus.CANCELED


async def test_a_wrong_key_is_refused_without_showing_it(venues: Venues) -> None:
    account = Account(new_order().id, new_order().id, "x", AccountKind.PAPER, "sandbox", "USDT", datetime.now(UTC))
    stranger = venues.account(account, VenueCredentials("k" * 64, "s" * 64))
    with pytest.raises(VenueRefused) as refused:
        await stranger.place(new_order(), allow)
    assert "kkkk" not in str(refused.value)
    with pytest.raises(VenueUnreachable):
        await stranger.balances()
    assert "ssss" not in repr(stranger)
    await stranger.close()


async def test_accounts_share_one_table_of_markets(venues: Venues, trader: Trader) -> None:
    await trader.venue.balances()
    assert trader.venue.exchange.markets is venues.connection("sandbox").public.markets


async def test_a_closed_account_sends_nothing(trader: Trader) -> None:
    await trader.venue.close()
    with pytest.raises(NotSent):
        await trader.venue.place(new_order(), allow)


async def test_an_answer_that_never_comes_leaves_the_outcome_unknown(trader: Trader, sandbox: SandboxProcess) -> None:
    order = new_order()
    await trader.venue.balances()
    await sandbox.inject_faults(hangOrders=1)
    trader.venue.exchange.timeout, usual = 2_000, trader.venue.exchange.timeout  # long enough for the order to arrive
    with pytest.raises(OutcomeUnknown, match="RequestTimeout"):
        await trader.venue.place(order, allow)
    trader.venue.exchange.timeout = usual
    assert await trader.venue.query_order(order) is not None


async def test_a_cancel_whose_answer_is_lost_leaves_the_outcome_unknown(
    trader: Trader, venues: Venues, sandbox: SandboxProcess
) -> None:
    order = new_order(type=OrderType.LIMIT, price=await far_below(venues))
    await trader.venue.place(order, allow)
    await sandbox.inject_faults(swallowCancels=1)
    with pytest.raises((OutcomeUnknown, VenueRefused)):
        await trader.venue.cancel(order, allow)
    found = await trader.venue.query_order(order)
    assert found is not None
    assert found.status is OrderStatus.CANCELED


async def test_answers_that_can_not_be_read_are_no_answers(trader: Trader, venues: Venues) -> None:
    await trader.venue.balances()
    await trader.venue.place(new_order(), allow)
    await trader.venue.place(new_order(type=OrderType.LIMIT, price=await far_below(venues)), allow)
    for method in ("fetch_my_trades", "fetch_open_orders", "fetch_balance"):
        setattr(trader.venue.exchange, method, _nonsense)
    with pytest.raises(VenueUnreachable):
        await trader.venue.fills(BTC, trader.venue.venue_now() - timedelta(seconds=5))
    with pytest.raises(VenueUnreachable):
        await trader.venue.open_orders()
    with pytest.raises(VenueUnreachable):
        await trader.venue.balances()


async def _nonsense(*_: object) -> object:
    return {"USDT": {"total": "NaN", "free": "NaN"}, "rows": 1}
