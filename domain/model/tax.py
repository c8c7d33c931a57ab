"""Acquisitions and disposals of coins, for the taxes on their gains."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.model.markets import MarketSymbol


class TaxEvent(StrEnum):
    """What changed the quantity of a coin."""

    BUY = "BUY"
    SELL = "SELL"
    FEE = "FEE"
    OPENING = "OPENING"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    ADJUSTMENT = "ADJUSTMENT"


class DepositCost(StrEnum):
    """What coins that were paid in have cost: nobody told the engine, or what they were worth when they came."""

    UNKNOWN = "UNKNOWN"
    VALUE = "VALUE"


@dataclass(frozen=True, slots=True)
class Disposal:
    """What a quantity that left has cost, by first in, first out and by average cost; None if that isn't known.

    `acquired_from` and `acquired_until` are when its first and its last part were acquired, by first in, first out.
    `uncovered` is what left beyond all that was known to be held.
    """

    fifo_cost: Decimal | None
    average_cost: Decimal | None
    acquired_from: datetime | None = None
    acquired_until: datetime | None = None
    uncovered: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One change of the quantity of a coin; it is negative if the coin left the account.

    `value` is what was paid for it or received for it, after the fees of the trade, in the currency of the export; None
    if no price was known. `disposal` is that of a coin that left. A payment out is none for gains: it has no value.
    """

    at: datetime
    event: TaxEvent
    asset: str
    quantity: Decimal
    value: Decimal | None
    disposal: Disposal | None = None
    market: MarketSymbol | None = None
    reference: str = ""
    notes: tuple[str, ...] = ()
