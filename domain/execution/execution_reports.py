"""Takes in what a venue tells of an account: orders, fills and balances."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from domain.execution.account_context import AccountContext
from domain.execution.order_update import OrderUpdate
from domain.model.client_order_ids import is_engine_order_id
from domain.model.markets import MarketSymbol
from domain.model.order_transitions import IllegalTransition
from domain.model.orders import Order, OrderRole, OrderStatus
from domain.ports.execution_client import BalanceReport, FillReport, NotSent, OrderReport, OutcomeUnknown, VenueRefused
from domain.ports.orders import StaleOrder
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.order_lifecycle import apply_venue_order, is_missing_fills

_MOST_VENUE_IDS = 10_000
"""How many orders are known by their venue's id: whoever waits for news of older ones asks for them by our own id."""

_ENDED = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})
AskLater = Callable[[UUID], None]
"""Called with an order of which the venue knows more than it told."""


class ReportHandler:
    """Applies the venue's messages to the account's orders, however often and in whichever order they come."""

    def __init__(self, desk: AccountContext, ask_later: AskLater, *, cancel_foreign: bool = False) -> None:
        self.balances_changed = False
        self._desk = desk
        self._ask_later = ask_later
        self._cancel_foreign = cancel_foreign
        # Binance numbers orders by market, so an id alone may be that of two orders.
        self._by_venue_id: OrderedDict[tuple[MarketSymbol, str], str] = OrderedDict()

    async def take_order(self, told: OrderReport, *, complete: bool = False) -> Order | None:
        """Apply an order that the venue tells of; return it as it then is, None where it isn't ours.

        `complete` says that the venue was asked and told all: an end then counts even where fills are missing.
        """
        desk = self._desk
        # The answer to a request and the stream tell the same at the same time: who comes second finds it committed.
        await desk.settled()
        known = desk.recent.get(self._client_order_id(told))
        if known is not None:
            if self._says_nothing_new(known, told):
                return known
            after = await self._advance(known, told)
            if after is not None:
                return after
        try:
            async with desk.moving() as transaction:
                order = await self._locked(transaction, told)
                if order is not None:
                    recorder = desk.recorder(transaction, order)
                    await self._apply(recorder, told, complete=complete)
                    await recorder.finish()
        except IllegalTransition as illegal:
            await desk.alert(f"illegal:{illegal.order.id}", f"{illegal}, as the venue says; it was left as it is")
            return illegal.order
        if order is None:
            await self._meet_foreign(told)
            return None
        self._learn(told.market, told.venue_order_id, order.client_order_id)
        desk.tell(recorder)
        return recorder.order

    async def take_fill(self, told: FillReport) -> bool:
        """Count a fill; return False where its order isn't known here."""
        desk = self._desk
        if desk.recent.counted(self._client_order_id(told), [told]):
            return True
        try:
            async with desk.moving() as transaction:
                order = await self._locked(transaction, told)
                if order is None:
                    return False
                recorder = desk.recorder(transaction, order)
                await recorder.count_fills([told])
                await recorder.finish()
        except IllegalTransition as illegal:
            await desk.alert(f"illegal:{illegal.order.id}", f"{illegal}, though the venue tells of a fill")
            return True
        desk.tell(recorder)
        return True

    async def take_balances(self, told: BalanceReport, *, all_of_them: bool = False) -> None:
        """Store balances."""
        async with self._desk.moving() as transaction:
            save = transaction.accounts.replace_balances if all_of_them else transaction.accounts.upsert_balances
            await save(self._desk.account.id, told.balances)
        self.balances_changed = True

    def remember(self, order: Order) -> None:
        """Know the order by its venue's id, for fills that come without ours."""
        if order.venue_order_id is not None:
            self._learn(order.market, order.venue_order_id, order.client_order_id)

    def knows(self, told: FillReport) -> bool:
        """Tell whether the fill is one of an order of ours."""
        return bool(self._client_order_id(told))

    def _learn(self, market: MarketSymbol, venue_order_id: str, client_order_id: str) -> None:
        self._by_venue_id[market, venue_order_id] = client_order_id
        self._by_venue_id.move_to_end((market, venue_order_id))
        if len(self._by_venue_id) > _MOST_VENUE_IDS:
            self._by_venue_id.popitem(last=False)

    def _client_order_id(self, told: OrderReport | FillReport) -> str:
        """Return our id of the order that is told of, which some venues don't repeat; empty where it isn't known."""
        return told.client_order_id or self._by_venue_id.get((told.market, told.venue_order_id), "")

    async def _locked(self, transaction: UnitOfWork, told: OrderReport | FillReport) -> Order | None:
        """Return the order that is told of, its row held; None where it isn't ours, however old an order may be."""
        account_id, client_order_id = self._desk.account.id, self._client_order_id(told)
        if client_order_id:
            order = await transaction.orders.locked_by_client_id(account_id, client_order_id)
        else:
            order = await transaction.orders.locked_by_venue_id(account_id, told.market, told.venue_order_id)
            if order is not None:
                self.remember(order)
        return order if order is not None and order.market == told.market else None

    def _says_nothing_new(self, known: Order, told: OrderReport) -> bool:
        """Tell whether the message repeats what is committed, as most of the stream does after an answer."""
        if is_missing_fills(known, told) or not self._desk.recent.counted(known.client_order_id, told.fills):
            return False
        try:
            return not apply_venue_order(known, told, known.updated_at).events
        except IllegalTransition:
            return False

    async def _advance(self, known: Order, told: OrderReport) -> Order | None:
        """Apply a message without fills, as an answer mostly is, in one statement; None where it needs more."""
        if told.fills or is_missing_fills(known, told) or told.market != known.market:
            return None
        try:
            step = apply_venue_order(known, told, self._desk.clock.now())
            if step.order is known or (step.order.status.is_final and step.order.filled_quantity):
                return None  # Nothing to write, or its position may be dust now.
            after = await self._desk.advance(known, step)
        except (IllegalTransition, StaleOrder):
            return None
        self._learn(told.market, told.venue_order_id, known.client_order_id)
        return after

    async def _apply(self, recorder: OrderUpdate, told: OrderReport, *, complete: bool) -> None:
        await recorder.count_fills(told.fills)
        if is_missing_fills(recorder.order, told) and not complete:
            self._ask_later(recorder.order.id)
            if told.status in _ENDED and not recorder.order.status.is_final:
                return  # An end without its fills would be a lie, if a short one.
        recorder.take(apply_venue_order(recorder.order, told, self._desk.clock.now()))

    async def _meet_foreign(self, told: OrderReport) -> None:
        if told.status in {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED}:
            whose = "an earlier installation" if is_engine_order_id(told.client_order_id) else "somebody else"
            message = (
                f"The venue has an order of {whose}: {told.side} {told.quantity} {told.market}, "
                f"client order id {told.client_order_id}."
            )
            await self._desk.alert(foreign_order_alert_key(told), message)
            if self._cancel_foreign:
                await self._cancel(told)

    async def _cancel(self, told: OrderReport) -> None:
        order = _foreign_order(self._desk, told, self._desk.clock.now())
        try:
            await self._desk.venue.cancel(order, self._desk.guard)
        except (VenueRefused, OutcomeUnknown, NotSent):
            return  # The next reconciliation meets it again, if it is still there.


def foreign_order_alert_key(told: OrderReport | FillReport) -> str:
    """Return the key of the one alert about a foreign order, whether it is met itself or a fill of it is."""
    return f"foreign:{told.market}:{told.venue_order_id}"


def _foreign_order(desk: AccountContext, told: OrderReport, now: datetime) -> Order:
    return Order(
        id=desk.ids.next_id(),
        user_id=desk.account.user_id,
        account_id=desk.account.id,
        market=told.market,
        client_order_id=told.client_order_id,
        side=told.side,
        type=told.type,
        role=OrderRole.FOREIGN,
        quantity=told.quantity,
        created_at=told.at or now,
        updated_at=now,
        status=told.status,
        price=told.price,
        stop_price=told.stop_price,
        venue_order_id=told.venue_order_id,
    )
