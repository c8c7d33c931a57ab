from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.model.markets import FeedState, PriceLevel
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType, RiskCode
from domain.model.trading import Balance, Position, RiskLimits
from domain.model.trading_state import TradingState
from domain.risk.checks import check_order
from domain.risk.context import LimitScope, LossRecord, RiskContext
from tests.support.orders import BTC, NOW, D, a_book, a_market, an_order

R = RiskCode
SESSION = an_order().id


def context(**changes: object) -> RiskContext:
    """Return a context in which everything is allowed: 100,000 USDT and 10 BTC are free."""
    ready = RiskContext(
        now=NOW,
        state=TradingState.ACTIVE,
        reconciled=True,
        market=a_market(),
        depth=a_book(),
        feed=FeedState.LIVE,
        base="BTC",
        quote="USDT",
        balances={"USDT": Balance("USDT", D(100_000), D(100_000)), "BTC": Balance("BTC", D(10), D(10))},
    )
    return replace(ready, **changes)  # type: ignore[arg-type]


def limited(order: Order | None = None, scope: LimitScope | None = None, **limits: object) -> RiskContext:
    chosen = replace(scope or LimitScope("the account", RiskLimits()), limits=RiskLimits(**limits))  # type: ignore[arg-type]
    return context(scopes=(chosen,))


def market_order(**changes: object) -> Order:
    return an_order(type=OrderType.MARKET, price=None, **changes)


def position(quantity: object) -> Position:
    order = an_order()
    return Position(order.id, order.user_id, order.account_id, BTC, None, NOW, D(str(quantity)), average_price=D(100))


def codes(order: Order, context: RiskContext) -> list[RiskCode]:
    return [denial.code for denial in check_order(order, context)]


@pytest.mark.parametrize(
    "order",
    [
        an_order(),
        an_order(side=OrderSide.SELL),
        market_order(),
        market_order(side=OrderSide.SELL),
        an_order(type=OrderType.STOP, price=None, stop_price=D(120)),
        an_order(type=OrderType.STOP_LIMIT, stop_price=D(120), price=D(121)),
    ],
)
def test_an_order_within_all_bounds_is_not_denied(order: Order) -> None:
    assert check_order(order, context()) == ()


def test_all_failures_are_reported_at_once_with_limit_and_actual() -> None:
    order = an_order(quantity=D("9000.000001"), price=D("100.001"))
    denials = {
        denial.code: denial for denial in check_order(order, context(reconciled=False, state=TradingState.HALTED))
    }
    assert set(denials) == {
        R.TRADING_HALTED, R.NOT_RECONCILED, R.PRICE_PRECISION, R.QUANTITY_PRECISION, R.QUANTITY_TOO_LARGE,
        R.INSUFFICIENT_BALANCE,
    }  # fmt: skip
    assert (denials[R.QUANTITY_TOO_LARGE].limit, denials[R.QUANTITY_TOO_LARGE].actual) == (9000, order.quantity)
    assert denials[R.INSUFFICIENT_BALANCE].limit == 100_000


def test_a_market_order_has_a_greatest_quantity_of_its_own() -> None:
    market = a_market(maximum_market_quantity=D(2))
    assert codes(market_order(quantity=D("2.00001")), context(market=market)) == [R.QUANTITY_TOO_LARGE]
    assert codes(market_order(quantity=D(2)), context(market=market)) == []
    assert codes(an_order(quantity=D("2.00001")), context(market=market)) == []


def test_a_market_order_has_a_least_quantity_of_its_own() -> None:
    market = a_market(minimum_market_quantity=D(2))
    assert codes(market_order(quantity=D("1.99999")), context(market=market)) == [R.QUANTITY_TOO_SMALL]
    assert codes(market_order(quantity=D(2)), context(market=market)) == []
    assert codes(an_order(quantity=D("1.99999")), context(market=market)) == []


def test_a_least_value_that_is_not_for_market_orders_is_for_the_others() -> None:
    market = a_market(notional_at_market=False)
    assert codes(market_order(quantity=D("0.04999")), context(market=market)) == []
    assert codes(an_order(quantity=D("0.04999")), context(market=market)) == [R.NOTIONAL_TOO_SMALL]


class TestMarket:
    @pytest.mark.parametrize("market", [None, a_market(active=False)])
    def test_a_market_that_is_not_traded(self, market: object) -> None:
        assert codes(an_order(), context(market=market)) == [R.MARKET_INACTIVE]

    @pytest.mark.parametrize(
        "stale", [{"feed": FeedState.STALE}, {"feed": FeedState.RECONNECTING}, {"feed": None}, {"depth": None}]
    )
    def test_a_book_that_cannot_be_trusted(self, stale: dict[str, object]) -> None:
        assert codes(an_order(), context(**stale)) == [R.STALE_MARKET_DATA]

    def test_a_book_with_one_side_is_no_book(self) -> None:
        assert codes(an_order(), context(depth=replace(a_book(), bids=()))) == [R.STALE_MARKET_DATA]


class TestFilters:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"price": D("99.995")}, [R.PRICE_PRECISION]),
            ({"type": OrderType.STOP_LIMIT, "stop_price": D("99.999")}, [R.PRICE_PRECISION]),
            ({"quantity": D("0.100001")}, [R.QUANTITY_PRECISION]),
            ({"quantity": D("0.000001")}, [R.QUANTITY_PRECISION, R.QUANTITY_TOO_SMALL, R.NOTIONAL_TOO_SMALL]),
            ({"quantity": D("0.04999")}, [R.NOTIONAL_TOO_SMALL]),
            ({"quantity": D("0.05")}, []),
        ],
    )
    def test_the_markets_filters_hold(self, changes: dict[str, object], expected: list[RiskCode]) -> None:
        assert codes(an_order(**changes), context()) == expected

    def test_a_market_order_is_valued_at_the_best_price(self) -> None:
        assert codes(market_order(quantity=D("0.04999")), context()) == [R.NOTIONAL_TOO_SMALL]


class TestBalance:
    def test_a_market_buy_needs_the_worst_price_it_reaches_and_the_takers_fee(self) -> None:
        order = market_order(quantity=D(2))  # one level at 100.01, one at 101.01
        needed = 2 * D("101.01") * D("1.001")
        enough = {"USDT": Balance("USDT", needed, needed)}
        short = {"USDT": Balance("USDT", needed, needed - D("0.00001"))}
        assert codes(order, context(balances=enough)) == []
        (denial,) = check_order(order, context(balances=short))
        assert (denial.code, denial.actual) == (R.INSUFFICIENT_BALANCE, needed)

    def test_a_limit_order_needs_its_own_price(self) -> None:
        exactly = {"USDT": Balance("USDT", D(100), D(100))}
        assert codes(an_order(), context(balances=exactly)) == []

    def test_a_sale_needs_the_base(self) -> None:
        order = an_order(side=OrderSide.SELL, quantity=D("10.00001"))
        assert codes(order, context()) == [R.INSUFFICIENT_BALANCE]

    def test_only_what_is_free_counts(self) -> None:
        locked = {"USDT": Balance("USDT", D(1000), D(99))}
        assert codes(an_order(), context(balances=locked)) == [R.INSUFFICIENT_BALANCE]

    @pytest.mark.parametrize(
        ("status", "accepted_at", "denied"),
        [
            (OrderStatus.SUBMITTED, None, True),
            (OrderStatus.IN_DOUBT, None, True),
            (OrderStatus.OPEN, NOW + timedelta(milliseconds=1), True),
            (OrderStatus.OPEN, NOW, False),
            (OrderStatus.PENDING_CANCEL, NOW - timedelta(days=1), False),
        ],
    )
    def test_an_order_is_reserved_for_until_a_balance_shows_it(
        self, status: OrderStatus, accepted_at: datetime | None, *, denied: bool
    ) -> None:
        balances = {"USDT": Balance("USDT", D(150), D(150), NOW)}
        other = an_order(status=status, accepted_at=accepted_at)
        answer = codes(an_order(), context(balances=balances, active=(other,)))
        assert answer == ([R.INSUFFICIENT_BALANCE] if denied else [])

    def test_of_orders_accepted_in_the_millisecond_of_a_balance_it_shows_one(self) -> None:
        balances = {"USDT": Balance("USDT", D(400), D(300), NOW)}
        resting = [an_order(id=UUID(int=n), status=OrderStatus.OPEN, accepted_at=NOW) for n in (11, 12)]
        bought = market_order(
            id=UUID(int=13), status=OrderStatus.FILLED, filled_quantity=D(1), filled_cost=D(100), accepted_at=NOW
        )
        for active, settling in ([resting, []], [resting[:1], [bought]]):
            known = context(balances=balances, active=tuple(active), settling=tuple(settling))
            assert codes(an_order(quantity=D(2)), known) == []
            assert codes(an_order(quantity=D("2.01")), known) == [R.INSUFFICIENT_BALANCE]

    def test_what_an_order_has_spent_is_gone_before_a_balance_shows_it(self) -> None:
        balances = {"USDT": Balance("USDT", D(150), D(150), NOW), "BTC": Balance("BTC", D(1), D(1), NOW)}
        later = NOW + timedelta(milliseconds=1)
        bought = market_order(status=OrderStatus.FILLED, filled_quantity=D(1), filled_cost=D(60), accepted_at=later)
        assert codes(an_order(), context(balances=balances, settling=(bought,))) == [R.INSUFFICIENT_BALANCE]
        cheaper = an_order(price=D(90))
        assert codes(cheaper, context(balances=balances, settling=(bought,))) == []
        sold = replace(bought, side=OrderSide.SELL)
        assert codes(an_order(), context(balances=balances, settling=(sold,))) == []
        selling = an_order(side=OrderSide.SELL, quantity=D("0.5"))
        assert codes(selling, context(balances=balances, settling=(sold,))) == [R.INSUFFICIENT_BALANCE]

    def test_a_trading_session_spends_nothing_that_a_position_of_one_holds(self) -> None:
        balances = {"USDT": Balance("USDT", D(150), D(150), NOW)}
        known = context(balances=balances, held={"USDT": D(60), "BTC": D(10)})
        by_session = an_order(trading_session_id=SESSION)
        (denial,) = check_order(by_session, known)
        assert (denial.code, denial.limit) == (R.INSUFFICIENT_BALANCE, D(90))
        assert denial.message.endswith("90 are free; 60 are held by positions of trading sessions.")
        assert codes(replace(by_session, price=D(90)), known) == []
        assert codes(an_order(), known) == []  # by hand

    def test_of_a_balance_that_only_has_a_total_what_active_orders_need_is_not_free(self) -> None:
        balances = {"USDT": Balance("USDT", D(150), None, NOW)}
        resting = an_order(status=OrderStatus.OPEN, accepted_at=NOW, price=D(60))
        assert codes(an_order(price=D(90)), context(balances=balances, active=(resting,))) == []
        assert codes(an_order(price=D(91)), context(balances=balances, active=(resting,))) == [R.INSUFFICIENT_BALANCE]


class TestReducing:
    def test_reducing_lets_a_position_be_closed_and_not_grown(self) -> None:
        reducing = context(state=TradingState.REDUCING, position=position(1))
        assert codes(an_order(side=OrderSide.SELL), reducing) == []
        assert codes(an_order(), reducing) == [R.REDUCE_ONLY]
        assert codes(an_order(side=OrderSide.SELL, quantity=D("1.1")), reducing) == [R.REDUCE_ONLY]

    def test_a_reduce_only_order_needs_a_position(self) -> None:
        assert codes(an_order(side=OrderSide.SELL, reduce_only=True), context()) == [R.REDUCE_ONLY]

    def test_what_other_orders_close_already_is_not_closed_twice(self) -> None:
        other = an_order(side=OrderSide.SELL, quantity=D("0.6"), status=OrderStatus.OPEN)
        held = context(position=position(1), active=(other,))
        assert codes(an_order(side=OrderSide.SELL, quantity=D("0.4"), reduce_only=True), held) == []
        assert codes(an_order(side=OrderSide.SELL, quantity=D("0.5"), reduce_only=True), held) == [R.REDUCE_ONLY]

    def test_an_order_that_the_engine_still_holds_closes_nothing_yet(self) -> None:
        waiting = an_order(side=OrderSide.SELL, status=OrderStatus.OPEN, type=OrderType.TRAILING_STOP, price=None)
        held = context(position=position(1), active=(waiting,))
        assert codes(an_order(side=OrderSide.SELL, reduce_only=True), held) == []
        assert codes(an_order(side=OrderSide.SELL, quantity=D("0.9")), context(active=(waiting,))) == codes(
            an_order(side=OrderSide.SELL, quantity=D("0.9")), context()
        )
        assert context(active=(waiting,)).free("BTC") == context().free("BTC")
        sent = replace(waiting, venue_order_id="v-1")
        assert codes(an_order(side=OrderSide.SELL, reduce_only=True), replace(held, active=(sent,))) == [R.REDUCE_ONLY]

    def test_a_session_never_sells_what_it_did_not_buy(self) -> None:
        order = an_order(side=OrderSide.SELL, trading_session_id=SESSION)
        assert codes(order, context()) == [R.UNSUPPORTED_ORDER]
        held = replace(position(1), trading_session_id=SESSION)
        assert codes(order, context(position=held)) == []

    def test_a_trailing_stop_is_judged_as_the_market_order_that_it_becomes(self) -> None:
        trailing = an_order(type=OrderType.TRAILING_STOP, price=None, quantity=D(100_000))
        market = replace(trailing, type=OrderType.MARKET)
        assert codes(trailing, context()) == codes(market, context()) != []


class TestLimits:
    def test_the_stricter_of_account_and_session_holds(self) -> None:
        scopes = (
            LimitScope("the account", RiskLimits(max_order_notional=D(100))),
            LimitScope("the trading session", RiskLimits(max_order_notional=D(99))),
        )
        (denial,) = check_order(an_order(), context(scopes=scopes))
        assert (denial.code, denial.limit, denial.actual) == (R.MAX_ORDER_NOTIONAL, 99, 100)
        assert "the trading session" in denial.message

    def test_notionals_are_counted_in_the_accounts_currency(self) -> None:
        scope = LimitScope("the account", RiskLimits(max_order_notional=D(150)))
        assert codes(an_order(), context(scopes=(scope,), quote_rate=D(2))) == [R.MAX_ORDER_NOTIONAL]
        assert codes(an_order(), context(scopes=(scope,), quote_rate=None)) == [R.MAX_ORDER_NOTIONAL]

    @pytest.mark.parametrize(
        ("order", "denied"),
        [
            (an_order(price=D("106.01")), True),
            (an_order(price=D(105)), False),
            (an_order(price=D(1), quantity=D(10)), False),
            (an_order(side=OrderSide.SELL, price=D(94)), True),
            (an_order(side=OrderSide.SELL, price=D(200)), False),
            (an_order(type=OrderType.STOP_LIMIT, stop_price=D(200), price=D(205)), False),
            (an_order(type=OrderType.STOP_LIMIT, stop_price=D(200), price=D(211)), True),
            (an_order(type=OrderType.STOP, stop_price=D(200), price=None), False),
        ],
    )
    def test_the_collar_holds_what_could_trade_far_from_the_market(self, order: Order, *, denied: bool) -> None:
        assert codes(order, limited(price_collar_percent=D(5))) == ([R.PRICE_COLLAR] if denied else [])

    def test_the_collar_holds_a_market_order_that_eats_through_the_book(self) -> None:
        thin = replace(a_book(), asks=(PriceLevel(D(100), D(1)), PriceLevel(D(120), D(5))))
        deep = replace(limited(price_collar_percent=D(5)), depth=thin)
        assert codes(market_order(), deep) == []
        assert codes(market_order(quantity=D(2)), deep) == [R.PRICE_COLLAR]

    @pytest.mark.parametrize("side", OrderSide)
    def test_the_collar_holds_a_market_order_that_the_visible_book_does_not_cover(self, side: OrderSide) -> None:
        thin = replace(a_book(), bids=(PriceLevel(D(100), D("0.3")),), asks=(PriceLevel(D(100), D("0.3")),))
        book = replace(limited(price_collar_percent=D(5)), depth=thin)
        assert codes(market_order(side=side, quantity=D("0.3")), book) == []
        (denial,) = check_order(market_order(side=side, quantity=D(1)), book)
        assert denial.code is R.PRICE_COLLAR
        assert "The book shows 0.3 BTC of the 1 of the order" in denial.message

    def test_the_balance_is_checked_at_the_last_visible_price_at_least(self) -> None:
        thin = replace(a_book(), asks=(PriceLevel(D(100), D(1)), PriceLevel(D(200), D(1))))
        balances = {"USDT": Balance("USDT", D(1000), D(1000))}
        order = market_order(quantity=D(6))
        assert codes(order, context(depth=thin, balances=balances)) == [R.INSUFFICIENT_BALANCE]

    def test_without_a_price_the_collar_cannot_be_measured_and_denies(self) -> None:
        blind = replace(limited(price_collar_percent=D(5)), depth=None)
        for order in (an_order(), market_order()):
            assert codes(order, blind) == [R.STALE_MARKET_DATA, R.PRICE_COLLAR]

    @pytest.mark.parametrize("side", OrderSide)
    def test_no_two_prices_are_so_far_apart_that_a_check_fails(self, side: OrderSide) -> None:
        order = an_order(side=side, type=OrderType.STOP_LIMIT, price=D("1E+37"), stop_price=D("1E-38"))
        everything = limited(price_collar_percent=D(5), max_order_notional=D(1), max_position_notional=D(1))
        assert R.MAX_ORDER_NOTIONAL in codes(order, everything)
        assert (R.PRICE_COLLAR in codes(order, everything)) is (side is OrderSide.BUY)

    def test_the_sale_of_what_one_holds_counts_as_no_position(self) -> None:
        order = an_order(side=OrderSide.SELL, quantity=D(5))
        assert codes(order, limited(max_position_notional=D(1))) == []

    def test_a_position_is_counted_with_the_orders_that_could_grow_it(self) -> None:
        working = an_order(status=OrderStatus.OPEN, quantity=D(3))
        scope = LimitScope("the account", RiskLimits(), positions=(position(5),), active=(working,))
        (denial,) = check_order(an_order(), limited(scope=scope, max_position_notional=D(899)))
        assert (denial.code, denial.actual) == (R.MAX_POSITION_NOTIONAL, 900)
        assert codes(an_order(), limited(scope=scope, max_position_notional=D(900))) == []

    def test_open_orders_are_counted_with_the_new_one(self) -> None:
        scope = LimitScope("the account", RiskLimits(), active=(an_order(), an_order()))
        assert codes(an_order(), limited(scope=scope, max_open_orders=2)) == [R.MAX_OPEN_ORDERS]
        assert codes(an_order(), limited(scope=scope, max_open_orders=3)) == []

    def test_orders_of_the_last_minute_are_counted_with_the_new_one(self) -> None:
        scope = LimitScope("the account", RiskLimits(), sent_last_minute=10)
        assert codes(an_order(), limited(scope=scope, max_orders_per_minute=10)) == [R.ORDER_RATE]
        assert codes(an_order(), limited(scope=scope, max_orders_per_minute=11)) == []

    def test_losses_stop_new_risk(self) -> None:
        record = LossRecord(D(100), D(20), losing_streak=3, last_loss_at=NOW - timedelta(minutes=9))
        scope = LimitScope("the account", RiskLimits(), losses=record)
        limits = {"max_daily_loss": D(100), "max_drawdown_percent": D(20)}
        pause = {"cool_down_losses": 3, "cool_down_minutes": 10}
        assert codes(an_order(), limited(scope=scope, **limits, **pause)) == [
            R.MAX_DAILY_LOSS, R.MAX_DRAWDOWN, R.COOL_DOWN,
        ]  # fmt: skip
        assert codes(an_order(), limited(scope=scope, cool_down_losses=3, cool_down_minutes=9)) == []

    def test_losses_do_not_keep_what_is_held_from_being_sold_for_the_accounts_own_currency(self) -> None:
        record = LossRecord(D(100), D(20), losing_streak=3, last_loss_at=NOW)
        scope = LimitScope("the account", RiskLimits(), losses=record)
        lost = limited(
            scope=scope, max_daily_loss=D(1), max_drawdown_percent=D(1), cool_down_losses=1, cool_down_minutes=60
        )
        own, other = replace(lost, currency="USDT"), replace(lost, currency="EUR")
        assert codes(an_order(side=OrderSide.SELL), own) == []
        assert len(codes(an_order(side=OrderSide.SELL), other)) == 3
        assert len(codes(an_order(), own)) == 3

    def test_a_loss_that_is_not_known_denies_and_says_what_is_missing(self) -> None:
        scope = LimitScope("the account", RiskLimits(), losses=LossRecord(unknown="there is no price now of SOL"))
        denials = check_order(an_order(), limited(scope=scope, max_daily_loss=D(100), max_drawdown_percent=D(20)))
        assert [(denial.code, denial.message) for denial in denials] == [
            (
                R.MAX_DAILY_LOSS,
                "The account limits the loss of the day, which can't be measured now: there is no price now of SOL.",
            ),
            (
                R.MAX_DRAWDOWN,
                "The account limits the drawdown, which can't be measured now: there is no price now of SOL.",
            ),
        ]

    def test_a_denial_shows_a_computed_amount_with_the_digits_that_mean_something(self) -> None:
        record = LossRecord(D("123.6659472999999999999874"), D("20.00000000000000000000012"))
        scope = LimitScope("the account", RiskLimits(), losses=record)
        denials = check_order(an_order(), limited(scope=scope, max_daily_loss=D(100), max_drawdown_percent=D(20)))
        assert [(denial.actual, denial.message) for denial in denials] == [
            (D("123.6659473"), "The loss of the day is 123.6659473; the account allows 100."),
            (D(20), "Equity is 20 % below its highest; the account allows 20 %."),
        ]

    def test_no_limit_but_the_collar_and_the_notional_keeps_a_position_from_being_closed(self) -> None:
        record = LossRecord(D(100), D(20), losing_streak=3, last_loss_at=NOW)
        scope = LimitScope("the account", RiskLimits(), active=(an_order(),), sent_last_minute=9, losses=record)
        strict = limited(
            scope=scope, max_daily_loss=D(1), max_drawdown_percent=D(1), cool_down_losses=1, cool_down_minutes=60,
            max_open_orders=1, max_orders_per_minute=1, max_position_notional=D(1),
        )  # fmt: skip
        assert len(codes(an_order(), strict)) == 6
        assert codes(an_order(side=OrderSide.SELL), replace(strict, position=position(1))) == []


def strict_context(state: TradingState = TradingState.HALTED) -> RiskContext:
    """Return a context that denies every entry: halted, unreconciled, no book, all limits used up, nothing is free."""
    record = LossRecord(D(100), D(20), losing_streak=3, last_loss_at=NOW)
    limits = RiskLimits(
        max_order_notional=D(1), max_position_notional=D(1), max_open_orders=1, max_orders_per_minute=1,
        max_daily_loss=D(1), max_drawdown_percent=D(1), price_collar_percent=D(1), cool_down_losses=1,
        cool_down_minutes=60,
    )  # fmt: skip
    scope = LimitScope("the account", limits, active=(an_order(),), sent_last_minute=9, losses=record)
    return context(
        state=state, reconciled=False, feed=FeedState.STALE, depth=None, scopes=(scope,), balances={},
        position=position(1),
    )  # fmt: skip


CLOSING_ROLES = [OrderRole.EXIT, OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT, OrderRole.TRAILING_STOP, OrderRole.CLOSE]


class TestClosing:
    """What only reduces risk passes everything that the venue itself wouldn't refuse."""

    @pytest.mark.parametrize("role", CLOSING_ROLES)
    def test_an_order_that_closes_a_position_passes_halts_limits_a_stale_book_and_a_late_balance(
        self, role: OrderRole
    ) -> None:
        order = market_order(side=OrderSide.SELL, reduce_only=True, role=role)
        assert codes(order, strict_context()) == []

    @pytest.mark.parametrize("type_", [OrderType.STOP, OrderType.STOP_LIMIT, OrderType.LIMIT])
    def test_so_does_one_that_rests(self, type_: OrderType) -> None:
        price = None if type_ is OrderType.STOP else D(50)
        stop_price = None if type_ is OrderType.LIMIT else D(60)
        order = an_order(
            side=OrderSide.SELL, type=type_, price=price, stop_price=stop_price, reduce_only=True,
            role=OrderRole.STOP_LOSS,
        )  # fmt: skip
        assert codes(order, strict_context()) == []

    def test_it_closes_no_more_than_there_is(self) -> None:
        order = market_order(side=OrderSide.SELL, reduce_only=True, role=OrderRole.EXIT, quantity=D("1.1"))
        assert R.REDUCE_ONLY in codes(order, strict_context())
        selling = an_order(side=OrderSide.SELL, status=OrderStatus.IN_DOUBT, quantity=D("0.5"))
        order = replace(order, quantity=D("0.6"))
        assert R.REDUCE_ONLY in codes(order, replace(strict_context(), active=(selling,)))

    def test_what_the_venue_refuses_is_denied_all_the_same(self) -> None:
        order = market_order(side=OrderSide.SELL, reduce_only=True, role=OrderRole.EXIT, quantity=D("0.0000001"))
        inactive = replace(strict_context(), market=a_market(active=False))
        assert codes(order, inactive) == [R.MARKET_INACTIVE, R.QUANTITY_PRECISION, R.QUANTITY_TOO_SMALL]

    def test_an_order_of_such_a_role_that_is_not_reduce_only_passes_nothing(self) -> None:
        order = an_order(side=OrderSide.SELL, role=OrderRole.EXIT)
        assert set(codes(order, strict_context())) >= {R.TRADING_HALTED, R.NOT_RECONCILED, R.STALE_MARKET_DATA}

    def test_by_hand_a_halt_holds_and_a_limit_of_new_risk_does_not(self) -> None:
        order = an_order(side=OrderSide.SELL, reduce_only=True)
        against_slips = [R.PRICE_COLLAR, R.MAX_ORDER_NOTIONAL]
        assert codes(order, strict_context()) == [R.TRADING_HALTED, *against_slips]
        assert codes(order, strict_context(TradingState.REDUCING)) == against_slips

    def test_by_hand_the_collar_holds_where_there_is_a_book(self) -> None:
        order = an_order(side=OrderSide.SELL, reduce_only=True, price=D(90))
        strict = replace(limited(price_collar_percent=D(5)), position=position(1))
        assert codes(order, strict) == [R.PRICE_COLLAR]
