"""Equity and profit of an account or a trading session now, from its ledger and present prices.

The ledger (transfers and fills) is used and not the balances: a fill or a deposit changes it in one transaction, so no
message that is on its way makes a profit or a loss that isn't one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.model.equity import AccountLedger, StoredEquity, TradingSessionLedger
from domain.model.markets import MarketSymbol

Convert = Callable[[Decimal, str, str], Decimal | None]
"""Converts an amount from one currency into another at present prices; None if no price is known."""

Connects = Callable[[str, str], bool]
"""Returns whether markets connect two currencies, whether they have a price now or not."""

PriceOf = Callable[[MarketSymbol], Decimal | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """The equity of a subject now and what was deposited until then; `worths` are those of transfers by id.

    `missing` are currencies and markets that have a price at other times and none now; equity then isn't known. A
    currency that no market connects with the account's has no worth, neither held nor deposited: those that are held
    are `unpriced`. While nothing but the account's own currency is held, the account `rests`.
    """

    equity: Decimal = ZERO
    deposited: Decimal = ZERO
    worths: tuple[tuple[UUID, Decimal], ...] = ()
    missing: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()
    rests: bool = False

    @property
    def profit(self) -> Decimal:
        """What trading has earned."""
        return EXACT.subtract(self.equity, self.deposited)

    def point(self, subject_id: UUID, account_id: UUID, at: datetime, last: StoredEquity | None) -> StoredEquity:
        """Return the point to store after `last`."""
        point = StoredEquity(
            subject_id, account_id, at, self.equity, self.deposited, self.profit, rests=self.rests,
            unpriced=self.unpriced,
        )  # fmt: skip
        if last is None:
            return point
        growth = last.growth * growth_between(last, self.equity, self.deposited)
        highest = max(last.highest_growth, growth)
        return replace(point, peak=max(self.profit, last.peak), growth=growth, highest_growth=highest)


def growth_between(last: StoredEquity, equity: Decimal, deposited: Decimal) -> float:
    """Return what 1 invested at the last point has become, without what was paid in since; 1 if nothing was invested.

    The payment counts as of now, just before which the equity was less by it (time-weighted rate of return: Global
    Investment Performance Standards 2020, provision 2.A.21).
    """
    if last.equity <= 0:
        return 1.0
    earned = EXACT.subtract(equity, EXACT.subtract(deposited, last.deposited))
    return max(float(EXACT.divide(earned, last.equity)), 0.0)


def account_standing(ledger: AccountLedger, convert: Convert, connects: Connects) -> Standing:
    """Return the standing of an account."""
    currency, missing = ledger.account.currency, dict[str, None]()

    def worth(amount: Decimal, held: str) -> Decimal:
        value = convert(amount, held, currency) if amount else ZERO
        if value is None and connects(held, currency):
            missing[held] = None
        return value or ZERO

    def is_unpriced(held: str) -> bool:
        return held != currency and convert(Decimal(1), held, currency) is None and not connects(held, currency)

    equity, deposited = ZERO, ledger.deposited
    totals = {held: amount for held, amount in ledger.totals.items() if amount}
    for held, amount in totals.items():
        equity = EXACT.add(equity, worth(amount, held))
    worths = tuple((transfer.id, worth(transfer.amount, transfer.currency)) for transfer in ledger.unvalued)
    for _, value in worths:
        deposited = EXACT.add(deposited, value)
    unpriced = [held for held in totals if is_unpriced(held)]
    return Standing(equity, deposited, worths, tuple(missing), tuple(unpriced), rests=totals.keys() <= {currency})


def session_standing(ledger: TradingSessionLedger, currency: str, convert: Convert, price_of: PriceOf) -> Standing:
    """Return the standing of a trading session: its equity at the start, and what its positions have earned since."""
    start, profit, missing = ledger.session.start_equity, ZERO, []
    for result in ledger.results:
        price = price_of(result.market) if result.quantity else ZERO
        quote = result.market.symbol.partition("/")[2]
        rate = convert(Decimal(1), quote, currency)
        if price is None or rate is None:
            missing.append(str(result.market))
            continue
        held = EXACT.subtract(EXACT.multiply(result.quantity, price), result.cost)
        profit = EXACT.add(profit, EXACT.multiply(EXACT.add(result.realized_profit, held), rate))
    if start is None:
        missing.append("the trading session's equity at its start")
    return Standing(EXACT.add(start or ZERO, profit), start or ZERO, (), tuple(missing))
