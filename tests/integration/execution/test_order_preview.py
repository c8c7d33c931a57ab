"""The preview of an order says what placing it then does, and leaves no trace."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

import pytest

from domain.core.errors import InputErrors
from domain.execution.order_preview import CHECKED, OrderPreview
from domain.model.markets import Depth, FeedState, PriceLevel
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType, RiskCode, TimeInForce
from domain.model.protection import ExitLevel
from domain.model.trading import RiskLimits
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from domain.rules.bracket_request import BracketRequest
from domain.rules.order_amendment import AmendmentRequest
from domain.rules.order_request import OrderRequest
from tests.support.order_harness import OrderHarness
from tests.support.orders import a_book
from tests.support.plans import set_limits
from tests.support.scripted_venue import ScriptedVenue

D = Decimal
_STORED = ("orders", "fills", "positions", "position_protections", "idempotency", "user_events", "balances")
_QUANTITIES = (*("0.1", "0.5", "1", "1.5") * 5, "0.00001", "0.123456789", "2.5", "40", "150", "2000", "0", "-1")
_PRICES = (*("90", "99.99", "100", "101") * 3, "99.999", "130", "0.01", "0")


def levels(*pairs: tuple[str, str]) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(D(price), D(quantity)) for price, quantity in pairs)


@pytest.fixture
def book(harness: OrderHarness) -> Depth:
    """Give the market a book of several levels."""
    book = replace(
        a_book(),
        bids=levels(("99.9", "1"), ("99", "5"), ("95", "200")),
        asks=levels(("100.1", "1"), ("101", "5"), ("105", "200")),
    )
    harness.markets.book = book
    return book


async def limit_account(harness: OrderHarness, limits: RiskLimits) -> None:
    async with harness.database.transaction() as transaction:
        account = await transaction.accounts.get_for_update(harness.account.id)
        assert account is not None
        await transaction.accounts.update(replace(account, risk=limits))


async def set_halt(harness: OrderHarness, state: TradingState) -> None:
    async with harness.database.transaction() as transaction:
        if state is TradingState.ACTIVE:
            await transaction.halts.remove(HaltLevel.ACCOUNT, harness.account.id, HaltAuthor.OPERATOR)
        else:
            halt = Halt(HaltLevel.ACCOUNT, harness.account.id, state, harness.clock.now(), HaltAuthor.OPERATOR, None)
            await transaction.halts.put(halt)


async def stored_rows(harness: OrderHarness) -> dict[str, int]:
    return {table: await harness.pool.fetchval(f"SELECT count(*) FROM {table}") for table in _STORED}


def random_request(harness: OrderHarness, random: Random) -> OrderRequest:
    """Return an order of any kind: about half of them could be placed."""
    type_ = random.choice([each for each in OrderType if each is not OrderType.TRAILING_STOP])
    keeps = random.random() < 0.85
    price = D(random.choice(_PRICES)) if type_.has_price is keeps else None
    stop_price = D(random.choice(_PRICES)) if type_.has_stop_price is keeps else None
    time_in_force = random.choice([None, None, None, *TimeInForce])
    expires = time_in_force is TimeInForce.GTD and keeps
    return harness.request(
        side=random.choice(list(OrderSide)),
        type=type_,
        quantity=D(random.choice(_QUANTITIES)),
        price=price,
        stop_price=stop_price,
        time_in_force=time_in_force if type_.has_price or not keeps else None,
        expires_at=harness.clock.now() + timedelta(hours=1) if expires else None,
        post_only=random.random() < 0.1,
        reduce_only=random.random() < 0.2,
    )


def random_limits(random: Random) -> RiskLimits:
    """Return limits of which some deny what `random_request` asks for."""

    def maybe(*values: str) -> Decimal | None:
        return D(random.choice(values)) if random.random() < 0.3 else None

    return RiskLimits(
        price_collar_percent=maybe("0.5", "3", "20"),
        max_order_notional=maybe("50", "500", "100000"),
        max_position_notional=maybe("50", "500", "100000"),
        max_open_orders=random.choice([None, None, 1, 5]),
        max_orders_per_minute=random.choice([None, None, 3, 100]),
        max_daily_loss=maybe("1", "1000"),
        max_drawdown_percent=maybe("1", "50"),
    )


def verdict_of(preview: OrderPreview) -> tuple[list[object], list[object]]:
    """Return the errors and the denials of a preview."""
    errors: list[object] = [(error.code, error.path, error.message) for error in preview.errors]
    return errors, list(preview.denials)


async def done(harness: OrderHarness, request: OrderRequest, key: str) -> tuple[list[object], list[object]]:
    """Place the order, and return the errors and denials that it has."""
    try:
        order = await harness.service.place(harness.user.id, request, key)
    except InputErrors as invalid:
        return [(error.code, error.path, error.message) for error in invalid.errors], []
    assert (order.status is OrderStatus.DENIED) == bool(order.denials)
    return [], list(order.denials)


async def amend(
    harness: OrderHarness, request: AmendmentRequest, key: str
) -> tuple[tuple[list[object], list[object]], Order | None]:
    """Amend the order, and return the errors and denials, and the new order."""
    try:
        order = await harness.service.amend(harness.user.id, request, key)
    except InputErrors as invalid:
        return ([(error.code, error.path, error.message) for error in invalid.errors], []), None
    return ([], list(order.denials)), order


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("book")
async def test_an_order_gets_the_verdict_of_its_preview(harness: OrderHarness, seed: int) -> None:
    random = Random(seed)
    executor = await harness.start()
    if seed % 3 == 2:
        await set_limits(harness.pool, max_active_orders=4)
    kinds = set()
    for number in range(40):
        if number and number % 8 == 0:  # the first orders meet no limits
            await limit_account(harness, random_limits(random))
            states = [TradingState.ACTIVE, TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED]
            await set_halt(harness, random.choice(states))
        request = random_request(harness, random)
        await executor.refresh_balances()  # as the executor does before it denies an order for its balances
        preview = await harness.service.preview(harness.user.id, request, f"{number}")
        assert verdict_of(preview) == await done(harness, request, f"{number}"), request
        kinds.add("accepted" if preview.accepted else "invalid" if preview.errors else "denied")
    assert kinds == {"accepted", "invalid", "denied"}


@pytest.mark.usefixtures("book")
async def test_nothing_is_stored_or_sent_by_a_preview(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    before = await stored_rows(harness)
    random = Random(5)
    for number in range(30):
        await harness.service.preview(harness.user.id, random_request(harness, random), f"{number}")
    bracket = BracketRequest(stop_loss=ExitLevel(percent=D(2)))
    assert (await harness.service.preview(harness.user.id, harness.request(), "b", bracket)).accepted
    assert await stored_rows(harness) == before
    assert (venue.sent, venue.received) == (0, [])


async def test_every_check_has_a_verdict_with_words_where_it_fails(harness: OrderHarness) -> None:
    await harness.start()
    preview = await harness.service.preview(harness.user.id, harness.request(quantity=D("0.000001")), "k")
    assert [check.code for check in preview.checks] == list(CHECKED)
    assert {*CHECKED, RiskCode.INTERNAL} == {*RiskCode}
    failed = {check.code: check.message for check in preview.checks if not check.passed}
    assert {RiskCode.QUANTITY_PRECISION, RiskCode.QUANTITY_TOO_SMALL} <= failed.keys()
    assert failed == {denial.code: denial.message for denial in preview.denials}


@pytest.mark.usefixtures("book")
async def test_a_market_order_is_estimated_by_the_levels_that_it_would_reach(harness: OrderHarness) -> None:
    await harness.start()
    preview = await harness.service.preview(harness.user.id, harness.request(quantity=D(2)), "k")
    estimate = preview.estimate
    assert estimate is not None
    assert (estimate.average_price, estimate.worst_price) == (D("100.55"), D(101))
    assert estimate.worth == D("201.1")
    assert estimate.fee == estimate.worth * D("0.001")
    assert (estimate.required, estimate.available, estimate.currency) == (D("202.202"), D(100_000), "USDT")


@pytest.mark.usefixtures("book")
async def test_no_price_is_promised_for_more_than_the_book_shows(harness: OrderHarness) -> None:
    await harness.start()
    preview = await harness.service.preview(harness.user.id, harness.request(quantity=D(500)), "k")
    assert preview.estimate is not None
    assert (preview.estimate.average_price, preview.estimate.worth) == (None, None)


@pytest.mark.parametrize(("price", "percent"), [("100", "0.08"), ("100.1", "0.1")])
@pytest.mark.usefixtures("book")
async def test_an_order_that_rests_pays_the_fee_of_a_maker(harness: OrderHarness, price: str, percent: str) -> None:
    listed = harness.markets.listed
    assert listed is not None
    harness.markets.listed = replace(listed, maker_fee=D("0.0008"), taker_fee=D("0.001"))
    await harness.start()
    request = harness.request(type=OrderType.LIMIT, price=D(price))
    preview = await harness.service.preview(harness.user.id, request, "k")
    assert preview.estimate is not None
    assert preview.estimate.fee_percent == D(percent)


async def test_what_the_market_would_take_is_rounded_down(harness: OrderHarness) -> None:
    await harness.start()
    request = harness.request(type=OrderType.LIMIT, price=D("90.12999"), quantity=D("1.000019"))
    preview = await harness.service.preview(harness.user.id, request, "k")
    assert preview.estimate is not None
    listed = harness.markets.listed
    assert listed is not None
    assert preview.estimate.price == D("90.12999") // listed.price_increment * listed.price_increment
    assert preview.estimate.quantity == D("1.000019") // listed.quantity_increment * listed.quantity_increment
    assert {denial.code for denial in preview.denials} == {RiskCode.PRICE_PRECISION, RiskCode.QUANTITY_PRECISION}


async def test_the_account_of_another_user_is_answered_as_one_that_there_is_not(harness: OrderHarness) -> None:
    await harness.start()
    foreign = await harness.service.preview(UUID(int=9), harness.request(), "k")
    nowhere = await harness.service.preview(harness.user.id, harness.request(account_id=UUID(int=9)), "k")
    assert verdict_of(foreign) == verdict_of(nowhere)
    assert [error.path for error in foreign.errors] == [("input", "account")]
    assert (foreign.denials, foreign.checks, foreign.estimate) == ((), (), None)


async def test_a_stale_book_fails_its_check(harness: OrderHarness) -> None:
    await harness.start()
    harness.markets.state, harness.markets.since = FeedState.STALE, harness.clock.now() - timedelta(minutes=1)
    preview = await harness.service.preview(harness.user.id, harness.request(), "k")
    assert [denial.code for denial in preview.denials] == [RiskCode.STALE_MARKET_DATA]


async def test_without_an_executor_here_it_is_not_known_whether_the_account_is_reconciled(
    harness: OrderHarness,
) -> None:
    preview = await harness.service.preview(harness.user.id, harness.request(), "k")
    verdict = {check.code: check.passed for check in preview.checks}
    assert verdict[RiskCode.NOT_RECONCILED] is None
    assert sum(passed is None for passed in verdict.values()) == 1


async def test_an_account_that_is_not_reconciled_fails_the_check_with_the_reason_of_its_venue(
    harness: OrderHarness,
) -> None:
    await harness.start()
    harness.context.reconciled, harness.context.refusal = False, "The venue refuses the key"
    preview = await harness.service.preview(harness.user.id, harness.request(), "k")
    messages = [denial.message for denial in preview.denials if denial.code is RiskCode.NOT_RECONCILED]
    assert messages == ["The venue refuses the key."]


async def test_an_amendment_gets_the_verdict_of_its_preview_and_may_use_what_the_order_holds(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    await limit_account(harness, RiskLimits(max_open_orders=1, max_order_notional=D(200)))
    order = await harness.limit("resting", "90")
    for number, (price, quantity) in enumerate([("91", "1"), ("91.123456", "1"), ("91", "100"), ("91", "0")]):
        request = AmendmentRequest(order.id, price=D(price), quantity=D(quantity))
        before = venue.sent, venue.cancel_attempts
        preview = await harness.service.preview_amendment(harness.user.id, request)
        assert (venue.sent, venue.cancel_attempts) == before
        denials, amended = await amend(harness, request, f"amend-{number}")
        assert verdict_of(preview) == denials
        order = amended if preview.accepted and amended is not None else order
    stranger = await harness.service.preview_amendment(UUID(int=9), AmendmentRequest(order.id, price=D(92)))
    assert [error.path for error in stranger.errors] == [("id",)]
