"""Gains by first in, first out and by average cost: by example, and by what must hold for any trades."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.core.money import ZERO
from domain.model.orders import Fill
from domain.model.tax import DepositCost, TaxEvent, TaxRow
from domain.model.trading import AccountTransfer, TransferKind
from domain.performance.tax_lots import AssetBook
from domain.performance.tax_rows import TaxLedger
from tests.support.fill_ledgers import BUY, ETH_BTC, SELL, ledger
from tests.support.orders import NOW, D

NOBODY = UUID(int=0)


def rate(**prices: object):  # noqa: ANN201  # a function of a currency and a time
    return lambda currency, _at: D(str(prices[currency])) if currency in prices else None


def tax_rows(*fills: Fill, ledger: TaxLedger | None = None) -> list[TaxRow]:
    taxes = ledger or TaxLedger("USDT", rate())
    return [row for fill in fills for row in taxes.apply_fill(fill)]


def paid(amount: object, currency: str = "BTC", kind: TransferKind = TransferKind.DEPOSIT) -> AccountTransfer:
    return AccountTransfer(NOBODY, NOBODY, NOBODY, kind, currency, D(str(amount)), NOW, "ref")


def gains(rows: list[TaxRow]) -> list[tuple[Decimal, Decimal]]:
    """Return the gains by both methods of all rows that are sales or fees."""
    found = []
    for row in rows:
        if row.disposal is not None and row.event is not TaxEvent.WITHDRAWAL:
            assert row.value is not None
            assert row.disposal.fifo_cost is not None
            assert row.disposal.average_cost is not None
            found.append((row.value - row.disposal.fifo_cost, row.value - row.disposal.average_cost))
    return found


def test_the_first_coins_that_came_go_first_and_the_average_is_of_all() -> None:
    rows = tax_rows(*ledger((0, BUY, 1, 100), (1, BUY, 1, 200), (2, SELL, "1.5", 300), (3, SELL, "0.5", 300)))
    assert gains(rows) == [(D(250), D(225)), (D(50), D(75))]
    disposal = rows[2].disposal
    assert disposal is not None
    assert (disposal.acquired_from, disposal.acquired_until) == (NOW, NOW + timedelta(hours=1))


def test_a_fee_adds_to_the_cost_and_lessens_the_proceeds() -> None:
    rows = tax_rows(*ledger((0, BUY, 1, 100, 2), (1, SELL, 1, 150, 3)))
    assert [(row.event, row.quantity, row.value) for row in rows] == [("BUY", 1, 102), ("SELL", -1, 147)]
    assert gains(rows) == [(D(45), D(45))]


def test_a_fee_in_the_coin_itself_is_what_is_not_received() -> None:
    rows = tax_rows(*ledger((0, BUY, 1, 100, "0.01", "BTC"), (1, SELL, "0.99", 200)))
    assert [(row.quantity, row.value) for row in rows] == [(D("0.99"), 100), (D("-0.99"), 198)]


def test_a_fee_in_a_third_coin_disposes_of_it() -> None:
    taxes = TaxLedger("USDT", rate(BNB=600), DepositCost.VALUE)
    taxes.apply_transfer(paid(1, "BNB"))
    dear = replace(ledger((0, BUY, 1, 100, "0.01", "BNB"))[0], fee_rate=D(700))
    rows = tax_rows(dear, *ledger((1, SELL, 1, 200, "0.01", "BNB")), ledger=taxes)
    assert [(row.event, row.asset, row.quantity, row.value) for row in rows] == [
        ("BUY", "BTC", 1, 107),
        ("FEE", "BNB", D("-0.01"), 7),
        ("SELL", "BTC", -1, 194),
        ("FEE", "BNB", D("-0.01"), 6),
    ]
    assert gains(rows) == [(D(1), D(1)), (D(87), D(87)), (D(0), D(0))]


def test_a_coin_for_a_coin_sells_the_one_for_the_other() -> None:
    taxes = TaxLedger("USDT", rate(BTC=50_000))
    fills = ledger((0, BUY, 1, 40_000), (1, BUY, 10, "0.05", 0, "BTC", ETH_BTC))
    rows = tax_rows(*fills, ledger=taxes)
    assert [(row.event, row.asset, row.quantity, row.value) for row in rows] == [
        ("BUY", "BTC", 1, 40_000),
        ("SELL", "BTC", D("-0.5"), 25_000),
        ("BUY", "ETH", 10, 25_000),
    ]
    assert gains(rows) == [(D(5_000), D(5_000))]


def test_what_is_not_known_is_no_number() -> None:
    rows = tax_rows(*ledger((0, BUY, 10, "0.05", 0, "BTC", ETH_BTC)))
    assert [(row.asset, row.value, row.notes) for row in rows] == [
        ("BTC", None, ("no price of BTC is known at this time", "0.50 more than was known to be held")),
        ("ETH", None, ("no price of BTC is known at this time",)),
    ]
    taxes = TaxLedger("USDT", rate())
    (came,) = taxes.apply_transfer(paid(1))
    assert (came.value, came.notes) == (None, ("what it has cost isn't known",))
    (sold,) = tax_rows(*ledger((0, SELL, "0.5", 100)), ledger=taxes)
    assert sold.disposal is not None
    assert (sold.value, sold.disposal.fifo_cost, sold.disposal.average_cost) == (50, None, None)
    (fee_row,) = [row for row in tax_rows(*ledger((0, BUY, 1, 100, 1, "BNB"))) if row.asset == "BTC"]
    assert (fee_row.value, fee_row.notes) == (
        100,
        ("the fee in BNB is left out, since no price of it is known at this time",),
    )


def test_a_payment_out_takes_its_lots_along_and_gains_nothing() -> None:
    taxes = TaxLedger("USDT", rate())
    tax_rows(*ledger((0, BUY, 1, 100), (1, BUY, 1, 200)), ledger=taxes)
    (left,) = taxes.apply_transfer(paid(-1, kind=TransferKind.WITHDRAWAL))
    assert left.value is None
    assert left.disposal is not None
    assert (left.disposal.fifo_cost, left.disposal.average_cost) == (100, 150)
    assert gains(tax_rows(*ledger((2, SELL, 1, 300)), ledger=taxes)) == [(D(100), D(150))]


def test_an_amount_of_the_exports_own_currency_is_no_coin() -> None:
    assert TaxLedger("USDT", rate()).apply_transfer(paid(1000, "USDT")) == []


amounts = st.integers(1, 10**6)
cents = st.integers(0, 10**6).map(lambda number: Decimal(number) / 100)
trades = st.lists(
    st.tuples(st.booleans(), amounts, cents, cents, st.sampled_from(["USDT", "BNB"])), min_size=1, max_size=15
)


@given(trades)
@settings(max_examples=60)
def test_both_methods_agree_when_all_is_sold_and_come_to_the_money_that_moved(
    trades: list[tuple[bool, int, Decimal, Decimal, str]],
) -> None:
    taxes = TaxLedger("USDT", rate(BNB=600), DepositCost.VALUE)
    taxes.apply_transfer(paid(10**12, "BNB"))
    held, cash, rows = 0, ZERO, list[TaxRow]()
    for hour, (sells, quantity, price, fee, fee_currency) in enumerate([*trades, (True, 10**9, *trades[0][2:])]):
        amount = min(quantity, held) if sells else quantity
        if amount:
            side = SELL if sells else BUY
            rows += tax_rows(*ledger((hour, side, amount, price, fee, fee_currency)), ledger=taxes)
            held += -amount if sells else amount
            cash += (amount * price if sells else -amount * price) - (fee if fee_currency == "USDT" else fee * 600)
    assert held == taxes.book("BTC").quantity == 0
    found = gains(rows)
    assert abs(sum(fifo for fifo, _ in found) - cash) < D("1e-9")
    assert abs(sum(average for _, average in found) - cash) < D("1e-9")


@given(st.lists(st.tuples(amounts, cents, st.integers(0, 10**6)), min_size=1, max_size=15))
@settings(max_examples=60)
def test_what_is_left_and_what_has_gone_cost_what_was_paid(steps: list[tuple[int, Decimal, int]]) -> None:
    book, paid_for, gone_fifo, gone_average = AssetBook(), ZERO, ZERO, ZERO
    for quantity, cost, sold in steps:
        book.acquire(NOW, Decimal(quantity), cost)
        paid_for += cost
        disposal = book.dispose(min(Decimal(sold), book.quantity))
        assert disposal.fifo_cost is not None
        assert disposal.average_cost is not None
        assert book.cost is not None
        gone_fifo, gone_average = gone_fifo + disposal.fifo_cost, gone_average + disposal.average_cost
        assert gone_average + book.cost == paid_for
        assert 0 <= gone_fifo <= paid_for
    rest = book.dispose(book.quantity)
    assert gone_fifo + (rest.fifo_cost or 0) == paid_for == gone_average + (rest.average_cost or 0)
    assert book.quantity == 0
