"""Very many fills as lines of text and as sums: an object for each would take most of the time."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide

FILL_LINE_COLUMNS: Final = (
    "market",
    "side",
    "quantity",
    "price",
    "fee",
    "fee_currency",
    "maker",
    "account_id",
    "trading_session_id",
    "order_id",
    "venue_trade_id",
    "at",
    "id",
)
"""The columns of `FillLines.text`: amounts without exponent and trailing zeros, `maker` t or f, `at` in microseconds
since 1970."""

FillPlace: TypeAlias = tuple[datetime, UUID]
"""The time and the id of a fill, by which fills are ordered."""


@dataclass(frozen=True, slots=True)
class FillLines:
    """Fills, oldest first, as lines of CSV (RFC 4180, with line feeds); how many, and the place of the last."""

    text: bytes
    count: int
    last: FillPlace | None


class FillSums(NamedTuple):
    """The sums of fills of one market, side and fee currency: base quantity, cost in quote, and fees."""

    market: MarketSymbol
    side: OrderSide
    fee_currency: str
    quantity: Decimal
    cost: Decimal
    fee: Decimal
