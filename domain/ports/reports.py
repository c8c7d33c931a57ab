"""The ports of reports: the reports, and the historical prices that they are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage, TimeKeysetPage
from domain.model.fill_lines import FillLines, FillPlace, FillSums
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.orders import Fill, OrderRole
from domain.model.price_ranges import PriceRanges
from domain.model.prices import Mark
from domain.model.reports import Extremes, Report, ReportResult, Span
from domain.ports.orders import OrderFilter


class PastCandles(Protocol):
    """Historical candles, fetched from the venue if need be; implemented by `domain.market_data.history`."""

    async def candles(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> list[Candle]:
        """Return closed candles, including those that weren't stored and arrived within some seconds."""
        ...


class PriceRepository(Protocol):
    """Historical prices from stored candles of whichever timeframes are stored."""

    async def priced_markets(self, markets: Sequence[MarketSymbol], before: datetime) -> set[MarketSymbol]:
        """Return those of the markets of which any candle before that time is stored."""
        ...

    async def closes(
        self, market: MarketSymbol, timeframes: Sequence[Timeframe], start: datetime, end: datetime
    ) -> list[Mark]:
        """Return the closes of candles of these timeframes that closed after `start` and until `end`."""
        ...

    async def last_closes(
        self, moments: Sequence[tuple[MarketSymbol, datetime]], max_age: timedelta | None = None
    ) -> list[Mark]:
        """Return for each market and time the last close before it, unless that is `max_age` old or older."""
        ...

    async def ranges(self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime) -> PriceRanges:
        """Return the stored candles that open from `start` to before `end`."""
        ...

    async def extremes(self, spans: Sequence[Span]) -> dict[int, Extremes]:
        """Return, by the index of each span, the extremes of the stored candles that lie wholly inside of it.

        For a span too short to contain one, those of the minute candles that overlap it. A span without candles is
        left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class FillSpan:
    """How many fills there are, the times of the first and the last, and times that cut them into equal parts."""

    count: int
    first: datetime
    last: datetime
    cuts: tuple[datetime, ...]


class OrderFacts(NamedTuple):
    """An order's role, and the price that its slippage is measured from."""

    id: UUID
    role: OrderRole
    arrival_price: Decimal | None


class ReportRepository(Protocol):
    """Reports, which jobs compute."""

    async def add_report(self, report: Report) -> None:
        """Insert a report whose job has yet to run."""
        ...

    async def get_report(self, user_id: UUID, report_id: UUID) -> Report | None:
        """Return a report of the user."""
        ...

    async def get_report_for_job(self, job_id: UUID) -> Report | None:
        """Return the report that the job computes."""
        ...

    async def list_reports(self, user_id: UUID, page: KeysetPage) -> list[Report]:
        """Return a page of the user's reports."""
        ...

    async def sessions_of_strategy(
        self, user_id: UUID, strategy_id: UUID, start: datetime, end: datetime, limit: int
    ) -> list[tuple[UUID, UUID, int]]:
        """Return the trading sessions of all versions that were live in the period, with account and version number."""
        ...

    async def accounts_of_user(self, user_id: UUID, end: datetime, limit: int) -> list[UUID]:
        """Return the accounts, archived ones too, that were created before a time, oldest first."""
        ...

    async def fill_span(self, user_id: UUID, order_filter: OrderFilter, every: int) -> FillSpan | None:
        """Return how many fills are selected, and the times between which about `every` of them lie; None for none."""
        ...

    async def fill_currencies(self, user_id: UUID, order_filter: OrderFilter) -> list[tuple[MarketSymbol, str]]:
        """Return the markets of the selected fills, each with the currencies of their fees."""
        ...

    async def fill_sums(self, user_id: UUID, order_filter: OrderFilter) -> list[FillSums]:
        """Return the exact sums of the selected fills, by market, side and fee currency."""
        ...

    async def order_facts(self, user_id: UUID, order_filter: OrderFilter) -> list[OrderFacts]:
        """Return what a report needs of the orders of the selected fills."""
        ...

    async def with_fills_from(
        self, user_id: UUID, order_filter: OrderFilter, start: datetime, end: datetime
    ) -> set[UUID]:
        """Return those of the orders of the selected fills that also have a fill from `start` to before `end`."""
        ...

    async def fills_page(self, user_id: UUID, order_filter: OrderFilter, after: Fill | None, limit: int) -> list[Fill]:
        """Return at most `limit` of the selected fills, oldest first, those after a fill of the page before."""
        ...

    async def fill_lines(
        self, user_id: UUID, order_filter: OrderFilter, after: FillPlace | None, limit: int
    ) -> FillLines:
        """Return at most `limit` of the selected fills as lines, oldest first, those after the last of others."""
        ...

    async def set_result(self, report_id: UUID, result: ReportResult) -> None:
        """Store the report's result."""
        ...

    async def get_result(self, report_id: UUID) -> ReportResult | None:
        """Return the report's result; None until its job has succeeded."""
        ...
