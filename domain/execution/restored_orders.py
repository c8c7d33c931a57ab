"""Finds the orders that an account made after the moment to which its database was restored, by asking the venue.

The venue has them under the engine's client order ids. They become orders of the account again before anything is sent,
so that its positions are those that it has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.execution.account_context import AccountContext
from domain.execution.in_doubt import InDoubtResolver
from domain.execution.order_steps import OrderStep
from domain.model.client_order_ids import client_order_id, is_engine_order_id
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import PositionIntent
from domain.model.trading import Position
from domain.ports.execution_client import FillReport, OrderReport
from domain.rules.direction import Direction
from domain.rules.order_lifecycle import doubt_unsent, initial_transition

_MARGIN = timedelta(minutes=1)
"""How long before the moment the venue is asked from, since its clock and the database's differ."""
_TRIES = 100
"""How many orders an intent may have made since."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """What an order was for, as far as that can be found out."""

    role: OrderRole = OrderRole.MANUAL
    trading_session_id: UUID | None = None


class RestoredOrders:
    """The orders of an account that its restored database has forgotten."""

    def __init__(self, context: AccountContext, resolver: InDoubtResolver) -> None:
        self._context = context
        self._resolver = resolver

    async def adopt(self) -> None:
        """Store the forgotten orders and count their fills; does nothing unless the database was restored.

        Raises `VenueUnreachable` and `Unavailable`; what was done by then isn't done again.
        """
        restored_to = self._context.restored_to
        if restored_to is None:
            return
        resting = await self._context.venue.open_orders()
        since = self._context.to_venue_time(restored_to) - _MARGIN  # whose clock is known from the first answer
        fills = await self._fills(resting, since)
        causes = await self._causes()
        adopted = [
            await self._adopt(report, since, causes)
            for report in (*resting, *await self._traded(fills))
            if not _is_older(report, since) and not await self._is_known(report.client_order_id)
        ]
        await self._doubt_those_at_venue(since)
        for fill in fills:
            # In their order, over all orders: a sale must not be counted before the purchase of what it sells.
            await self._resolver.report_handler.on_fill(fill)
        await self._alert(restored_to, adopted)
        async with self._context.fenced_transaction() as transaction:
            await transaction.restores.settle(self._context.account.id)
        self._context.restored_to = None

    async def _fills(self, resting: Iterable[OrderReport], since: datetime) -> list[FillReport]:
        """Return the fills of the engine's orders since then, oldest first, each with its client order id."""
        venue, names, found = self._context.venue, dict[tuple[MarketSymbol, str], str | None](), []
        for market in sorted(await self._markets(resting)):
            for fill in await venue.fills(market, since):
                key = (market, fill.venue_order_id)
                if key not in names:
                    names[key] = fill.client_order_id or await venue.query_client_order_id(*key)
                if is_engine_order_id(names[key]):
                    found.append(replace(fill, client_order_id=names[key]))
        return sorted(found, key=lambda fill: fill.at)

    async def _markets(self, resting: Iterable[OrderReport]) -> set[MarketSymbol]:
        """Return the markets that the account may have traded: before the moment, now, or for what it holds."""
        account, catalogue = self._context.account, self._context.markets.catalogue
        async with self._context.database.read_only() as reading:
            markets = await reading.restores.traded_markets(account.id)
            before = (await reading.accounts.balances([account.id])).get(account.id, [])
        currencies = {balance.currency for balance in (*before, *await self._context.venue.balances())}
        pairs = (MarketSymbol(account.venue, f"{base}/{quote}") for base in currencies for quote in currencies)
        listed = {market for market in pairs if catalogue.get(market) is not None}
        return markets | listed | {report.market for report in resting}

    async def _traded(self, fills: Sequence[FillReport]) -> list[OrderReport]:
        """Return the orders of those fills that aren't known, in the order of their first fills."""
        by_name = dict[str, list[FillReport]]()
        for fill in fills:
            by_name.setdefault(fill.client_order_id or "", []).append(fill)
        return [await self._report(name, own) for name, own in by_name.items() if not await self._is_known(name)]

    async def _report(self, name: str, fills: Sequence[FillReport]) -> OrderReport:
        """Return the order of some fills as the venue has it, or as they show it if the venue has forgotten it."""
        first, filled = fills[0], ZERO
        for fill in fills:
            filled = EXACT.add(filled, fill.quantity)
        shown = OrderReport(
            market=first.market,
            client_order_id=name,
            venue_order_id=first.venue_order_id,
            status=OrderStatus.FILLED,
            side=first.side,
            type=OrderType.MARKET,
            quantity=filled,
            filled_quantity=filled,
            price=None,
            stop_price=None,
            at=first.at,
        )
        return await self._context.venue.query_order(self._order(shown, _Owner())) or shown

    async def _is_known(self, name: str) -> bool:
        """Return whether the order is known, another account's that shares the key, or not the engine's."""
        if not is_engine_order_id(name):
            return True
        account = self._context.account
        async with self._context.database.read_only() as reading:
            if await reading.orders.get_by_client_id(account.id, name) is not None:
                return True
            return await reading.orders.is_followed(account.venue, name)

    async def _causes(self) -> "_Causes":
        """Return what orders can have been for; no fill is counted while orders are adopted."""
        account_id = self._context.account.id
        async with self._context.database.read_only() as reading:
            intents = await reading.protection.list_open_intents(account_id)
            return _Causes(_owners(intents), await reading.positions.list_open(account_id))

    async def _adopt(self, report: OrderReport, since: datetime, causes: "_Causes") -> Order:
        """Store an order as one whose outcome isn't known."""
        order = self._order(report, causes.owner(report))
        reason = "it was placed after the moment to which the database was restored, as the venue shows"
        doubt = doubt_unsent(order, self._context.clock.now(), reason, since)
        async with self._context.fenced_transaction() as transaction:
            await transaction.orders.add(order)
            transaction.events.append(initial_transition(order).log_events())
            self._context.write(transaction, [OrderStep.of(order, doubt)])
        self._resolver.enqueue(order.id)
        return order

    async def _doubt_those_at_venue(self, since: datetime) -> None:
        """Doubt the orders that were placed since the start and that the venue has: by the same key as a forgotten one.

        One answer of the venue is enough: the process that sent such an order has ended before this start.
        """
        context = self._context
        async with context.database.read_only() as reading:
            active = await reading.orders.list_active(context.account.id)
        for order in active:
            if order.status is OrderStatus.PENDING and await context.venue.query_order(order) is not None:
                reason, now = "the venue has it from before the database was restored", context.clock.now()
                await context.update(order.id, lambda current: doubt_unsent(current, now, reason, since))  # noqa: B023
                self._resolver.enqueue(order.id)

    def _order(self, report: OrderReport, owner: _Owner) -> Order:
        context, now = self._context, self._context.clock.now()
        return Order(
            id=context.ids.next_id(),
            user_id=context.account.user_id,
            account_id=context.account.id,
            market=report.market,
            client_order_id=report.client_order_id,
            side=report.side,
            type=report.type,
            role=owner.role,
            quantity=report.quantity,
            created_at=now,
            updated_at=now,
            price=report.price,
            stop_price=report.stop_price,
            trading_session_id=owner.trading_session_id,
        )

    async def _alert(self, restored_to: datetime, adopted: Sequence[Order]) -> None:
        if not adopted:
            return
        by_hand = sum(order.trading_session_id is None for order in adopted)
        message = (
            f"The database was restored to {restored_to:%Y-%m-%d %H:%M:%S} UTC. {len(adopted)} orders that the account "
            f"made after that were found at the venue and count again, {by_hand} of them as orders by hand and without "
            "protection, since it isn't known what they were for. Look at the account's open orders and positions."
        )
        await self._context.alerts.raise_alert(f"restored:{restored_to.isoformat()}", message)


@dataclass(frozen=True, slots=True)
class _Causes:
    """What orders can have been for: known intents to close, by the ids of their orders, and open positions."""

    intents: Mapping[str, _Owner]
    positions: Sequence[Position]

    def owner(self, report: OrderReport) -> _Owner:
        """Return what an order was for: by its id if it is of a known intent, or else by what it can have closed.

        An intent from after the moment isn't known: its order is taken for one that closes the only position of a
        trading session that it can have closed.
        """
        if (owner := self.intents.get(report.client_order_id)) is not None:
            return owner
        closed = [position for position in self.positions if _closes(report, position)]
        exact = [position for position in closed if abs(position.quantity) == report.quantity]
        candidates = exact if len(exact) == 1 else closed
        if len(candidates) == 1 and candidates[0].trading_session_id is not None:
            return _Owner(OrderRole.CLOSE, candidates[0].trading_session_id)
        return _Owner()


def _owners(intents: Iterable[PositionIntent]) -> dict[str, _Owner]:
    """Return the owner of each order that the intents may have made since: an id is a hash of its cause."""
    return {
        client_order_id(intent.account_id, "intent", str(intent.id), intent.role, intent.tries + number): _Owner(
            intent.role, intent.trading_session_id
        )
        for intent in intents
        for number in range(_TRIES)
    }


def _is_older(report: OrderReport, since: datetime) -> bool:
    """Return whether an order is from before the moment: the database has all of ours, so it is a stranger's."""
    return report.at is not None and report.at < since


def _closes(report: OrderReport, position: Position) -> bool:
    return (
        position.market == report.market
        and Direction.of(position.quantity).exit_side is report.side
        and report.quantity <= abs(position.quantity)
    )
