"""Realised profit by period, market, strategy, tag and exit reason."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.orders import OrderRole


class ProfitPeriod(StrEnum):
    """The length of the parts of a profit summary, in the user's time zone."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class ProfitGrouping(StrEnum):
    """What round trips are grouped by."""

    MARKET = "MARKET"
    STRATEGY = "STRATEGY"
    TAG = "TAG"
    EXIT_REASON = "EXIT_REASON"


GroupKey = MarketSymbol | UUID | str | OrderRole | None
"""A market, the id of a strategy, a tag or an exit reason; None if there is none."""


@dataclass(frozen=True, slots=True)
class ProfitRow:
    """The sum of the round trips that belong together, in the quote currency `quote` of markets at `venue`.

    `part` is the place of their period from 0, `day` the day (UTC) on which they closed, by which they are converted.
    `unpriced_fees` are the currencies of fees that the amounts leave out.
    """

    part: int
    key: GroupKey
    venue: str
    quote: str
    day: datetime
    profit: Decimal
    fees: Decimal
    round_trips: int
    wins: int
    losses: int
    unpriced_fees: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CurrencyAmount:
    """An amount of a currency."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ProfitGroup:
    """What the round trips that closed from `start` to `end` have earned after fees, in the currency of the summary.

    `unpriced` are profits in currencies that can't be converted, which `profit` and `fees` leave out; both are None if
    nothing is left.
    """

    start: datetime | None
    end: datetime
    key: GroupKey
    profit: Decimal | None
    fees: Decimal | None
    round_trips: int
    wins: int
    losses: int
    unpriced: tuple[CurrencyAmount, ...] = ()
    unpriced_fees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfitSummary:
    """Realised profit from `start` (None: since ever) to `end`, altogether and by groups, oldest first."""

    currency: str
    time_zone: str
    start: datetime | None
    end: datetime
    period: ProfitPeriod | None
    grouping: ProfitGrouping | None
    total: ProfitGroup
    groups: tuple[ProfitGroup, ...]
