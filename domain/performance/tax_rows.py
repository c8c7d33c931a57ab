"""The acquisitions and disposals that fills and payments of one account are, each valued in one currency.

A trade acquires one coin for another. The fee of a purchase adds to its cost and that of a sale lessens its proceeds; a
fee in a coin disposes of that coin too. A payment out is no sale: what leaves with it makes no gain.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.core.money import EXACT, ZERO
from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.model.tax import DepositCost, TaxEvent, TaxRow
from domain.model.trading import AccountTransfer
from domain.performance.tax_lots import AssetBook

NO_PRICE: Final = "no price of {} is known at this time"
NO_FEE_PRICE: Final = "the fee in {} is left out, since no price of it is known at this time"
NOT_HELD: Final = "{} more than was known to be held"
COST_UNKNOWN: Final = "what it has cost isn't known"
COST_IS_VALUE: Final = "counts as bought for what it was worth"

Rate = Callable[[str, datetime], Decimal | None]
"""Returns what one unit of a currency is in the currency of the export at a time; None if it isn't known."""


class TaxLedger:
    """The coins of one account. Fills and payments have to come in order of time."""

    def __init__(self, currency: str, rate: Rate, deposit_cost: DepositCost = DepositCost.UNKNOWN) -> None:
        self._currency = currency
        self._rate = rate
        self._deposit_cost = deposit_cost
        self._books: defaultdict[str, AssetBook] = defaultdict(AssetBook)

    def book(self, asset: str) -> AssetBook:
        """Return what is held of a coin."""
        return self._books[asset]

    def apply_fill(self, fill: Fill) -> list[TaxRow]:
        """Apply a fill; return what it disposes of and acquires. The currency of the export is no coin."""
        base, quote = currencies_of(fill)
        amount = EXACT.multiply(fill.price, fill.quantity)
        value, fee_value = self._value(quote, amount, fill.at), self._fee_value(fill, base, quote)
        notes = [] if value is not None else [NO_PRICE.format(quote)]
        if fee_value is None:
            notes.append(NO_FEE_PRICE.format(fill.fee_currency))
        in_base, in_quote = (fill.fee if fill.fee_currency == currency else ZERO for currency in (base, quote))
        counted = ZERO if in_base or fee_value is None else fee_value
        of_quote = counted if in_quote else ZERO
        if fill.side is OrderSide.BUY:
            moves = [
                (quote, -EXACT.add(amount, in_quote), _plus(value, of_quote)),
                (base, EXACT.subtract(fill.quantity, in_base), _plus(value, counted)),
            ]
        else:
            moves = [
                (base, -EXACT.add(fill.quantity, in_base), _plus(value, -counted)),
                (quote, EXACT.subtract(amount, in_quote), _plus(value, -of_quote)),
            ]
        rows = [self._row(fill, asset, quantity, worth, notes) for asset, quantity, worth in moves]
        if not in_base and not in_quote:
            paid = None if fee_value is None else abs(fee_value)
            rows.append(self._row(fill, fill.fee_currency, -fill.fee, paid, notes, TaxEvent.FEE))
        return [row for row in rows if row is not None]

    def apply_transfer(self, transfer: AccountTransfer) -> list[TaxRow]:
        """Apply a payment; return its row, none for the currency of the export."""
        asset, at, event = transfer.currency, transfer.at, TaxEvent(transfer.kind.value)
        if asset == self._currency:
            return []
        if transfer.amount < 0:
            disposal = self._books[asset].dispose(-transfer.amount)
            notes = (NOT_HELD.format(f"{disposal.uncovered:f}"),) if disposal.uncovered else ()
            return [TaxRow(at, event, asset, transfer.amount, None, disposal, None, transfer.reference, notes)]
        cost, note = None, COST_UNKNOWN
        if self._deposit_cost is DepositCost.VALUE:
            cost = self._value(asset, transfer.amount, at)
            note = NO_PRICE.format(asset) if cost is None else COST_IS_VALUE
        self._books[asset].acquire(at, transfer.amount, cost)
        return [TaxRow(at, event, asset, transfer.amount, cost, None, None, transfer.reference, (note,))]

    def _row(
        self,
        fill: Fill,
        asset: str,
        quantity: Decimal,
        value: Decimal | None,
        notes: list[str],
        event: TaxEvent | None = None,
    ) -> TaxRow | None:
        """Acquire or, if the quantity is negative, dispose of a coin; return its row."""
        if asset == self._currency or not quantity:
            return None
        event, remarks, disposal = event or (TaxEvent.BUY if quantity > 0 else TaxEvent.SELL), tuple(notes), None
        if quantity > 0:
            self._books[asset].acquire(fill.at, quantity, value)
        else:
            disposal = self._books[asset].dispose(-quantity)
            if disposal.uncovered:
                remarks += (NOT_HELD.format(f"{disposal.uncovered:f}"),)
            elif disposal.fifo_cost is None or disposal.average_cost is None:
                remarks += (COST_UNKNOWN,)
        return TaxRow(fill.at, event, asset, quantity, value, disposal, fill.market, fill.venue_trade_id, remarks)

    def _value(self, currency: str, amount: Decimal, at: datetime) -> Decimal | None:
        rate = Decimal(1) if currency == self._currency else self._rate(currency, at)
        return None if rate is None else EXACT.multiply(amount, rate)

    def _fee_value(self, fill: Fill, base: str, quote: str) -> Decimal | None:
        """Return the worth of a fee; one in a third currency by the price that is kept with its fill, if any."""
        if not fill.fee or fill.fee_currency == base:
            return ZERO
        if fill.fee_rate is not None and fill.fee_currency not in {quote, self._currency}:
            return self._value(quote, EXACT.multiply(fill.fee, fill.fee_rate), fill.at)
        return self._value(fill.fee_currency, fill.fee, fill.at)


def currencies_of(fill: Fill) -> tuple[str, str]:
    """Return the base and the quote currency of the fill's market."""
    base, _, quote = fill.market.symbol.partition("/")
    return base, quote.partition(":")[0]


def _plus(value: Decimal | None, more: Decimal) -> Decimal | None:
    return None if value is None else EXACT.add(value, more)
