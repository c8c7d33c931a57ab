"""Writes what an account bought and sold as CSV for its owner's taxes, page by page, so that memory stays bounded."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.core.csv_rows import Cell, csv_text
from domain.core.money import EXACT
from domain.model.orders import Fill
from domain.model.tax import DepositCost, TaxRow
from domain.model.trading import Account, AccountTransfer
from domain.performance.tax_rows import TaxLedger, currencies_of
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.past_rates import Graphs, PastRates

FILLS_AT_ONCE: Final = 2_000
PAGES_AT_ONCE: Final = 2
"""How many pages a node reads and computes at once; while a reader takes one, others are computed."""

COLUMNS: Final = (
    "time", "account", "venue", "market", "event", "asset", "quantity", "currency", "value", "fifo_cost", "fifo_gain",
    "average_cost", "average_gain", "acquired_from", "acquired_until", "reference", "notes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TaxRequest:
    """What to export: the accounts (None: all of the user's) from `start`, included, to `end`, in `currency`.

    What came before `start` counts for the costs, and isn't shown.
    """

    user_id: UUID
    account_id: UUID | None
    currency: str
    start: datetime | None = None
    end: datetime | None = None
    deposit_cost: DepositCost = DepositCost.UNKNOWN


class TaxExport:
    """Writes exports; `graphs` are the currencies of venues, `venues` those whose prices may be used."""

    def __init__(
        self, database: Database, venues: Sequence[str], graphs: Graphs, fills_at_once: int = FILLS_AT_ONCE
    ) -> None:
        self._database = database
        self._venues = venues
        self._graphs = graphs
        self._fills_at_once = fills_at_once
        self._slots = asyncio.Semaphore(PAGES_AT_ONCE)

    async def pieces(self, request: TaxRequest, accounts: Sequence[Account]) -> AsyncIterator[bytes]:
        """Yield the file piece by piece: a line of names, then the accounts one after the other, each by time.

        No connection is held while a piece is taken. Memory grows with the lots that are held, not with the fills.
        """
        yield csv_text([COLUMNS]).encode()
        for account in accounts:
            async for piece in self._account_pieces(request, account):
                yield piece

    async def _account_pieces(self, request: TaxRequest, account: Account) -> AsyncIterator[bytes]:
        async with self._slots, self._database.read_only() as reading:
            transfers = await reading.transfers.list_all(account.id)
        left = sorted(
            (each for each in transfers if request.end is None or each.at < request.end),
            key=lambda each: (each.at, each.id),
            reverse=True,
        )
        rates = _PageRates(account, request, self._venues, self._graphs)
        ledger = TaxLedger(request.currency, rates.rate, request.deposit_cost)
        selected, after = OrderFilter(account_id=account.id, end=request.end), None
        while True:
            async with self._slots:
                async with self._database.read_only() as reading:
                    fills = await reading.reports.fills_page(request.user_id, selected, after, self._fills_at_once)
                    is_last = len(fills) < self._fills_at_once
                    due = _take_until(left, None if is_last else fills[-1].at)
                    await rates.load(reading, fills, due)
                piece = await asyncio.to_thread(_page, ledger, request, account, fills, due)
            yield piece
            if is_last:
                return
            after = fills[-1]


class _PageRates:
    """The rates of one page of fills: those that its amounts need, at the times of its fills."""

    def __init__(self, account: Account, request: TaxRequest, venues: Sequence[str], graphs: Graphs) -> None:
        self._account = account
        self._request = request
        self._create: Callable[[], PastRates] = lambda: PastRates(request.currency, [account.venue, *venues], graphs)
        self._rates = self._create()

    async def load(self, reading: UnitOfWork, fills: Iterable[Fill], transfers: Iterable[AccountTransfer]) -> None:
        """Read the rates of a page in the place of those of the page before."""
        moments: defaultdict[tuple[str, str], set[datetime]] = defaultdict(set)
        for fill in fills:
            base, quote = currencies_of(fill)
            moments[self._account.venue, quote].add(fill.at)
            if fill.fee and fill.fee_rate is None and fill.fee_currency not in {base, quote}:
                moments[self._account.venue, fill.fee_currency].add(fill.at)
        if self._request.deposit_cost is DepositCost.VALUE:
            for transfer in transfers:
                moments[self._account.venue, transfer.currency].add(transfer.at)
        self._rates = self._create()
        await self._rates.load(reading.prices, moments)

    def rate(self, currency: str, at: datetime) -> Decimal | None:
        """Return what one unit of a currency was worth."""
        return self._rates.rate(self._account.venue, currency, at)


def _take_until(transfers: list[AccountTransfer], until: datetime | None) -> list[AccountTransfer]:
    """Remove the transfers until a time from the end of a list that is newest first, and return them oldest first."""
    taken = []
    while transfers and (until is None or transfers[-1].at <= until):
        taken.append(transfers.pop())
    return taken


def _page(
    ledger: TaxLedger,
    request: TaxRequest,
    account: Account,
    fills: Sequence[Fill],
    transfers: Sequence[AccountTransfer],
) -> bytes:
    """Apply a page in order of time; of the same time, payments come before what may have been bought with them."""
    rows: list[TaxRow] = []
    steps: list[Fill | AccountTransfer] = sorted([*transfers, *fills], key=lambda step: step.at)
    for step in steps:
        rows += ledger.apply_fill(step) if isinstance(step, Fill) else ledger.apply_transfer(step)
    shown = [row for row in rows if request.start is None or row.at >= request.start]
    return csv_text(_cells(row, account, request.currency) for row in shown).encode()


def _cells(row: TaxRow, account: Account, currency: str) -> tuple[Cell, ...]:
    disposal = row.disposal
    fifo, average = (None, None) if disposal is None else (disposal.fifo_cost, disposal.average_cost)
    return (
        row.at,
        account.name,
        account.venue,
        None if row.market is None else str(row.market),
        row.event.value,
        row.asset,
        row.quantity,
        currency,
        row.value,
        fifo,
        _gain(row.value, fifo),
        average,
        _gain(row.value, average),
        None if disposal is None else disposal.acquired_from,
        None if disposal is None else disposal.acquired_until,
        row.reference,
        "; ".join(row.notes),
    )


def _gain(value: Decimal | None, cost: Decimal | None) -> Decimal | None:
    return None if value is None or cost is None else EXACT.subtract(value, cost)
