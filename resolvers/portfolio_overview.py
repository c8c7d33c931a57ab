"""What all accounts of the viewer are worth together."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.trading import Account, Balance
from domain.model.users import User
from domain.portfolio.overview import PortfolioOverview, portfolio_overview
from resolvers.accounts import MAX_FEEDS_TO_START
from resolvers.context import RequestContext
from resolvers.profit import chosen_currency, user_accounts


async def overview(context: RequestContext, user: User, currency: str | None) -> PortfolioOverview:
    """Return what all open accounts of the user are worth now, in one currency.

    Feeds that would price what has no price are started, a few at a time, and waited for briefly.
    """
    accounts = [account for account in await user_accounts(context, user) if account.archived_at is None]
    into = chosen_currency(user, currency, accounts)
    ids = [account.id for account in accounts]
    balances = dict(zip(ids, await context.loaders.balances.load_many(ids), strict=True))
    prices = _Prices(context, into)
    missing = prices.to_start(accounts, balances)
    if missing:
        services = context.services
        await asyncio.gather(*(services.markets.depth(market, services.price_wait_seconds) for market in missing))
    return portfolio_overview(into, accounts, balances, prices.convert, context.services.clock.now())


class _Prices:
    """Present prices in one currency: of a venue, or of another if that has none."""

    def __init__(self, context: RequestContext, into: str) -> None:
        self._into = into
        self._markets = context.services.markets
        self._venues = [venue.name for venue in context.services.venues.all()]

    def convert(self, venue: str, amount: Decimal, currency: str) -> Decimal | None:
        """Return the worth of an amount at a venue; None if no venue has a price."""
        for each in dict.fromkeys([venue, *self._venues]):
            worth = self._markets.convert(each, amount, currency, self._into)
            if worth is not None:
                return worth
        return None

    def to_start(self, accounts: Sequence[Account], balances: Mapping[UUID, Sequence[Balance]]) -> list[MarketSymbol]:
        """Return markets without a price that would price what has none, at most `MAX_FEEDS_TO_START`."""
        found = dict[MarketSymbol, None]()
        for account in accounts:
            for balance in balances[account.id]:
                if balance.total and self.convert(account.venue, balance.total, balance.currency) is None:
                    path = self._markets.graph(account.venue).active_path(balance.currency, self._into) or ()
                    needed = [step.market for step in path if self._markets.price_of(step.market) is None]
                    found |= dict.fromkeys(needed)
        return list(found)[:MAX_FEEDS_TO_START]
