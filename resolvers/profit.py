"""Realised profit of accounts and users, and the tags of positions."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.core.errors import FaultCode, RequestFault
from domain.core.pagination import KeysetPage
from domain.model.profit import ProfitGroup, ProfitGrouping, ProfitPeriod, ProfitSummary
from domain.model.strategies import Strategy
from domain.model.trading import Account, Position
from domain.model.users import ApiScope, User
from domain.performance.profit_groups import profit_query
from domain.reports.past_rates import PastRates
from domain.reports.profit_summary import profit_summary
from domain.users.profile import currency_code
from resolvers.context import RequestContext

MAX_ACCOUNTS = 100
"""As many as a user can have."""


@dataclass(frozen=True, slots=True)
class ProfitArguments:
    """The arguments of a profit summary."""

    period: ProfitPeriod | None
    grouping: ProfitGrouping | None
    start: datetime | None
    end: datetime | None


async def account_profit(context: RequestContext, account: Account, arguments: ProfitArguments) -> ProfitSummary:
    """Return what the account's positions have earned, in its currency."""
    return await _summary(context, [account], account.currency, arguments)


async def user_profit(
    context: RequestContext, user: User, currency: str | None, arguments: ProfitArguments
) -> ProfitSummary:
    """Return what the positions on all of the user's accounts have earned, in one currency."""
    accounts = await user_accounts(context, user)
    return await _summary(context, accounts, chosen_currency(user, currency, accounts), arguments)


async def user_accounts(context: RequestContext, user: User) -> list[Account]:
    """Return all accounts of the user, archived ones too."""
    async with context.reads.read_only() as reading:
        return await reading.accounts.list_page(user.id, KeysetPage(limit=MAX_ACCOUNTS))


def chosen_currency(user: User | None, currency: str | None, accounts: list[Account]) -> str:
    """Return the currency that is asked for, that of the profile, or the one that all accounts have.

    Raises `RequestFault` (INVALID) if the accounts have several.
    """
    chosen = (user and user.report_currency) if currency is None else currency_code(currency)
    if currency is not None and chosen is None:
        message = f"`currency` is {currency[:50]!r}, which is no currency such as EUR or USDT."
        raise RequestFault(FaultCode.INVALID, message)
    known = {account.currency for account in accounts}
    if chosen is None and len(known) > 1:
        message = (
            f"The accounts count in several currencies ({', '.join(sorted(known))}): give `currency`, or set "
            "`reportCurrency` by userUpdate."
        )
        raise RequestFault(FaultCode.INVALID, message)
    return chosen or next(iter(known), "USDT")


async def strategy(context: RequestContext, group: ProfitGroup) -> Strategy | None:
    """Return the strategy of a group; None if it has none."""
    return await context.loaders.strategies.load(group.key) if isinstance(group.key, UUID) else None


async def tag(context: RequestContext, position: Position) -> str | None:
    """Return the tag of the position; None if it has none."""
    return await context.loaders.position_tags.load(position.id)


async def set_tag(context: RequestContext, position_id: UUID, tag: str | None) -> Position:
    """Give the user's position a tag, or take it away."""
    user_id = context.require(ApiScope.TRADE).user.id
    return await context.services.position_tags.tag(user_id, position_id, tag)


async def _summary(
    context: RequestContext, accounts: list[Account], currency: str, arguments: ProfitArguments
) -> ProfitSummary:
    services = context.services
    query = profit_query(
        arguments.start, arguments.end, arguments.period, arguments.grouping, await _time_zone(context),
        services.clock.now(),
    )  # fmt: skip
    venues = [*(account.venue for account in accounts), *(venue.name for venue in services.venues.all())]
    rates = PastRates(currency, venues, services.markets.graph)
    async with services.database.read_only() as reading:
        return await profit_summary(reading, [account.id for account in accounts], query, rates)


async def _time_zone(context: RequestContext) -> ZoneInfo:
    """Return the user's time zone as it is stored now: the identity of a request is cached for some seconds."""
    user = context.require_user(ApiScope.READ)
    async with context.reads.read_only() as reading:
        stored = await reading.users.get(user.id)
    return ZoneInfo((stored or user).time_zone)
