"""Reads what `r3edge account` prints, from the database of an engine that runs or doesn't."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.core.csv_rows import Cell, csv_text
from domain.core.errors import RequestFault
from domain.core.money import EXACT, plain, rounded
from domain.core.pagination import KeysetPage
from domain.market_data.catalogue import MarketCatalogue
from domain.model.equity import EquityInterval, StoredEquity
from domain.model.profit import CurrencyAmount, ProfitGroup, ProfitGrouping, ProfitPeriod
from domain.model.tax import DepositCost
from domain.model.trading import Account
from domain.model.users import User
from domain.performance.profit_groups import profit_query
from domain.portfolio.equity_history import equity_history, history_period
from domain.portfolio.overview import portfolio_overview
from domain.reports.past_rates import PastRates
from domain.reports.profit_summary import profit_summary
from domain.reports.tax_export import TaxExport, TaxRequest
from domain.users.profile import currency_code
from infra.cli.arguments import BadArgument
from infra.cli.named_objects import chosen
from infra.cli.user_scope import found_user
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings

_PURPOSE: Final = "r3edge account"
MAX_ACCOUNTS: Final = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Opened:
    database: PostgresDatabase
    user: User
    accounts: Sequence[Account]
    catalogue: MarketCatalogue

    @property
    def venues(self) -> list[str]:
        return sorted({market.symbol.venue for market in self.catalogue.all()})

    def select(self, name: str | None) -> list[Account]:
        """Return the account of a name or an id, or all accounts; raises `BadArgument`."""
        if name is None:
            return list(self.accounts)
        return [chosen("account", "Account", self.accounts, name)]

    def currency(self, asked: str | None, accounts: Sequence[Account], *, is_one: bool) -> str:
        """Return the currency that is asked for, or that of the account, the profile or all accounts."""
        chosen = currency_code(asked) if asked is not None else None if is_one else self.user.report_currency
        if asked is not None and chosen is None:
            raise BadArgument(f"--currency is {asked!r}, which is no currency such as EUR or USDT")
        known = sorted({account.currency for account in accounts})
        if chosen is None and len(known) != 1:
            raise BadArgument(f"--currency: the accounts count in several ({', '.join(known)}); name one")
        return chosen or known[0]


class AccountReads:
    """Reads as the user with that email, or as the only one."""

    def __init__(self, settings: Settings, email: str | None) -> None:
        self._settings = settings
        self._email = email

    async def equity(self, name: str, interval: EquityInterval, start: datetime | None, end: datetime | None) -> str:
        """Return the equity history of an account as CSV, with its gaps."""
        async with self._open() as opened:
            (account,) = opened.select(name)
            until = account.archived_at or SystemClock().now()
            period = _valid(lambda: history_period(interval, start, end, account.created_at, until))
            before: StoredEquity | None = None
            points: list[StoredEquity] = []
            if period.intervals:
                async with opened.database.read_only() as reading:
                    before, points = await reading.equity.history(account.id, period.intervals)
        found = equity_history(account.currency, period, before, points)
        lines: list[tuple[Cell, ...]] = [
            (
                point.at, point.recorded_at, account.currency, point.equity, point.net_deposits, point.profit,
                _percent(point.return_percent), _percent(point.drawdown_percent), " ".join(point.unpriced),
            )
            for point in found.points
        ]  # fmt: skip
        lines += [(gap.start, None, account.currency, *[None] * 6) for gap in found.gaps]
        names = (
            "time", "recorded_at", "currency", "equity", "net_deposits", "profit", "return_percent",
            "drawdown_percent", "unpriced",
        )  # fmt: skip
        return csv_text([names, *sorted(lines, key=lambda line: str(line[0]))])

    async def profit(
        self,
        name: str | None,
        currency: str | None,
        period: ProfitPeriod | None,
        by: ProfitGrouping | None,
        start: datetime | None,
        end: datetime | None,
    ) -> str:
        """Return realised profit as CSV: a line for each period and group, and the sum of all."""
        async with self._open() as opened:
            accounts = opened.select(name)
            zone, now = ZoneInfo(opened.user.time_zone), SystemClock().now()
            query = _valid(lambda: profit_query(start, end, period, by, zone, now))
            chosen = opened.currency(currency, accounts, is_one=name is not None)
            rates = PastRates(chosen, opened.venues, opened.catalogue.graph)
            async with opened.database.read_only() as reading:
                found = await profit_summary(reading, [account.id for account in accounts], query, rates)
                strategies = [group.key for group in found.groups if isinstance(group.key, UUID)]
                names = {strategy.id: strategy.name for strategy in await reading.strategies.get_many(strategies)}
        lines = [_profit_line(group, found.currency, names) for group in found.groups]
        columns = ("from", "to", "group", "currency", "profit", "fees", "round_trips", "wins", "losses", "unpriced")
        total = _profit_line(found.total, found.currency, names)
        return csv_text([columns, *lines, (*total[:2], "total", *total[3:])])

    async def portfolio(self, currency: str | None) -> str:
        """Return what all open accounts hold as CSV, by the last stored prices: currencies, accounts, and the total."""
        async with self._open() as opened:
            accounts = [account for account in opened.accounts if account.archived_at is None]
            chosen, now = opened.currency(currency, opened.accounts, is_one=False), SystemClock().now()
            venues = [*opened.venues, *(account.venue for account in accounts)]  # one may have no market stored
            rates = PastRates(chosen, venues, opened.catalogue.graph)
            async with opened.database.read_only() as reading:
                balances = await reading.accounts.balances([account.id for account in accounts])
                held = {(each.venue, balance.currency) for each in accounts for balance in balances[each.id]}
                await rates.load(reading.prices, {key: {now} for key in held})

        def convert(venue: str, amount: Decimal, currency: str) -> Decimal | None:
            rate = rates.rate(venue, currency, now)
            return None if rate is None else EXACT.multiply(amount, rate)

        found = portfolio_overview(chosen, accounts, balances, convert, now)
        lines: list[tuple[Cell, ...]] = [
            ("asset", each.currency, each.amount, chosen, _shown(each.worth), _share(each.share_percent),
             plain(each.unpriced_amount) if each.unpriced_amount else None)
            for each in found.assets
        ]  # fmt: skip
        lines += [
            ("account", each.account.name, None, chosen, _shown(each.worth), _share(each.share_percent),
             _amounts(each.unpriced))
            for each in found.accounts
        ]  # fmt: skip
        lines.append(("total", None, None, chosen, _shown(found.total), None, _amounts(found.unpriced)))
        return csv_text([("group", "name", "amount", "currency", "worth", "share_percent", "unpriced"), *lines])

    async def taxes(
        self,
        name: str | None,
        currency: str | None,
        start: datetime | None,
        end: datetime | None,
        deposit_cost: DepositCost,
    ) -> AsyncIterator[bytes]:
        """Yield a tax export piece by piece."""
        async with self._open() as opened:
            accounts = opened.select(name)
            chosen = opened.currency(currency, accounts, is_one=name is not None)
            request = TaxRequest(opened.user.id, None, chosen, start, end, deposit_cost)
            export = TaxExport(opened.database, opened.venues, opened.catalogue.graph)
            async for piece in export.pieces(request, list(reversed(accounts))):
                yield piece

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[_Opened]:
        async with open_command_resources(self._settings, _PURPOSE) as resources:
            pool = await resources.pool()
            archives = await resources.archives(pool)
            database = PostgresDatabase(pool, EmbeddedBus(), SystemClock(), archives=archives)
            catalogue = MarketCatalogue(database)
            await catalogue.refresh()
            try:
                async with database.read_only() as reading:
                    user = await found_user(reading, self._email)
                    accounts = await reading.accounts.list_page(user.id, KeysetPage(limit=MAX_ACCOUNTS))
                if not accounts:
                    raise BadArgument(f"{user.email} has no account")
                yield _Opened(database, user, accounts, catalogue)
            finally:
                await database.close()


def _valid(read: Callable[[], T]) -> T:
    """Return what a request is read as; a fault of it is one of the command's arguments."""
    try:
        return read()
    except RequestFault as fault:
        raise BadArgument(fault.message.replace("`from`", "--from").replace("`to`", "--to")) from None


def _percent(value: float) -> Decimal:
    return Decimal(f"{value:.6f}")


def _profit_line(group: ProfitGroup, currency: str, names: Mapping[UUID, str]) -> tuple[Cell, ...]:
    key = names.get(group.key, "") if isinstance(group.key, UUID) else "" if group.key is None else str(group.key)
    counts = (Decimal(group.round_trips), Decimal(group.wins), Decimal(group.losses))
    amounts = [_shown(amount) for amount in (group.profit, group.fees)]
    return group.start, group.end, key, currency, *amounts, *counts, _amounts(group.unpriced)


def _amounts(amounts: Iterable[CurrencyAmount]) -> str:
    return " ".join(f"{plain(each.amount)} {each.currency}" for each in amounts)


def _shown(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else rounded(amount)


def _share(percent: float | None) -> Decimal | None:
    return None if percent is None else _percent(percent)
