"""Accounts: balances, equity and transfers, and their mutations."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from domain.accounts.admission import AccountRequest
from domain.accounts.transfer_entries import TransferCorrection, TransferEntry
from domain.core.changes import Changes, Unchanged
from domain.core.pagination import CursorScope, Page
from domain.model.markets import MarketSymbol, Venue
from domain.model.trading import Account, AccountTransfer, Balance, RiskLimits, VenueCredentials
from domain.model.users import ApiScope
from domain.portfolio.valuation import Equity, compute_equity
from domain.ports.lists import NoFilter
from resolvers.context import RequestContext
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments

MAX_FEEDS_TO_START = 8
"""How many feeds a query for an account's equity starts: a wallet of fifty kinds of dust must not start fifty."""


async def balances(context: RequestContext, account: Account) -> list[Balance]:
    """Return the account's balances, sorted by currency."""
    return await context.loaders.balances.load(account.id)


async def equity(context: RequestContext, account: Account) -> Equity:
    """Return the account's equity in its currency, and the currencies that can't be priced now.

    The feeds that would price them are started if they don't run, a few at a time, and waited for briefly.
    """
    held = await context.loaders.balances.load(account.id)
    present = _equity(context, account, held)
    unpriced = _unpriced_markets(context, account, present.unpriced)
    if not unpriced:
        return present
    services = context.services
    await asyncio.gather(*(services.markets.depth(market, services.price_wait_seconds) for market in unpriced))
    return _equity(context, account, held)


def _equity(context: RequestContext, account: Account, held: Sequence[Balance]) -> Equity:
    def convert(amount: Decimal, currency: str, into: str) -> Decimal | None:
        return context.services.markets.convert(account.venue, amount, currency, into)

    return compute_equity(account.currency, held, convert)


def _unpriced_markets(context: RequestContext, account: Account, currencies: Sequence[str]) -> list[MarketSymbol]:
    """Return the markets without a price that convert the currencies, at most `MAX_FEEDS_TO_START`."""
    markets = context.services.markets
    graph = markets.graph(account.venue)
    paths = (graph.active_path(currency, account.currency) for currency in currencies)
    markets_to_start = dict.fromkeys(
        step.market for path in paths for step in path or () if markets.price_of(step.market) is None
    )
    return list(markets_to_start)[:MAX_FEEDS_TO_START]


async def transfers(
    context: RequestContext, account: Account, page: PageArguments, order: TimeOrder = TimeOrder.NEWEST_FIRST
) -> Page[AccountTransfer]:
    """Return a page of the account's transfers."""
    scope = CursorScope("transfers", str(account.id))
    return await list_page(context.lists.transfers, scope, owned_by(account, NoFilter()), page, order)


async def transfer_account(context: RequestContext, transfer: AccountTransfer) -> Account | None:
    """Return the account of a transfer."""
    return await context.loaders.accounts.load(transfer.account_id)


def venue(context: RequestContext, account: Account) -> Venue:
    """Return the account's venue; a venue that is no longer configured is returned by its name."""
    return context.services.venues.get(account.venue) or Venue(account.venue, live=True)


async def create(context: RequestContext, request: AccountRequest) -> Account:
    """Open an account."""
    return await context.services.accounts.create(context.require_user(ApiScope.ADMIN).id, request)


async def update(
    context: RequestContext,
    account_id: UUID,
    name: str | Unchanged | None,
    risk: Changes[RiskLimits] | Unchanged | None,
) -> Account:
    """Change name and limits."""
    user = context.require_user(ApiScope.ADMIN)
    return await context.services.accounts.update(user.id, account_id, name, risk)


async def archive(context: RequestContext, account_id: UUID) -> Account:
    """Close an account for new orders."""
    return await context.services.accounts.archive(context.require_user(ApiScope.ADMIN).id, account_id)


async def replace_credentials(context: RequestContext, account_id: UUID, credentials: VenueCredentials) -> Account:
    """Give a live account other credentials."""
    user = context.require_user(ApiScope.ADMIN)
    return await context.services.accounts.replace_credentials(user.id, account_id, credentials)


async def record_transfer(context: RequestContext, account_id: UUID, entry: TransferEntry, key: str) -> AccountTransfer:
    """Record a deposit or a withdrawal by hand."""
    user = context.require_user(ApiScope.ADMIN)
    return await context.services.transfer_entries.record(user.id, account_id, entry, key)


async def correct_transfer(
    context: RequestContext, transfer_id: UUID, correction: TransferCorrection
) -> AccountTransfer:
    """Correct an adjustment or an entry."""
    user = context.require_user(ApiScope.ADMIN)
    return await context.services.transfer_entries.correct(user.id, transfer_id, correction)


async def deposit(
    context: RequestContext, account_id: UUID, currency: str, amount: Decimal, key: str
) -> tuple[Account, AccountTransfer | None]:
    """Pay into a paper account; the transfer is None for a key that was used before transfers were recorded."""
    user = context.require_user(ApiScope.ADMIN)
    return await context.services.accounts.deposit(user.id, account_id, currency, amount, key)
