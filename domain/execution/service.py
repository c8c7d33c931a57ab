"""What users do with orders: place, cancel, cancel all. Each commits a row, which is the command."""

from collections.abc import Callable
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.events.idempotency import reserve, validate_key
from domain.execution.feed_warmup import COLD_FEED_SECONDS, is_warming_up
from domain.execution.log_events import order_events
from domain.execution.notifications import OrderNotifier
from domain.model.client_order_ids import client_order_id
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderRole, OrderStatus
from domain.model.trading import Account
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.rules.order_lifecycle import Step, cancel_unsent, pending
from domain.rules.order_request import OrderRequest, validate_order

ANSWER_WITHIN_SECONDS = 2.0
_FIRST_LOOK_SECONDS = 0.05
_SLOWEST_LOOK_SECONDS = 0.4
_ON_ITS_WAY = frozenset({OrderStatus.PENDING, OrderStatus.SUBMITTED})
_NEVER_RESTED = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.FILLED})

Done = Callable[[Order], bool]


class OrderService:
    """Takes orders and cancels in; the account's executor, wherever it runs, carries them out."""

    def __init__(
        self,
        database: Database,
        markets: MarketView,
        clock: Clock,
        ids: IdGenerator,
        bell: OrderNotifier,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
    ) -> None:
        self._database = database
        self._markets = markets
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._answer_within_seconds = answer_within_seconds

    async def place(self, user_id: UUID, request: OrderRequest, idempotency_key: str) -> Order:
        """Place an order and return it once it has left PENDING and SUBMITTED, or as it is when the time is over.

        The same key with the same input answers with the same order, a DENIED one included. Raises `InputErrors` for
        an order that can't be read, and CONFLICT where the key was used for another input.
        """
        validate_key(idempotency_key)
        request = request.normal()
        await self._warm(request.market)
        order = self._intended(user_id, request, idempotency_key)
        async with self._database.transaction() as transaction:
            known = await reserve(transaction, self._clock, user_id, "orderPlace", idempotency_key, request, order.id)
            if known is None:
                await self._check(transaction, user_id, request)
                await self._commit(transaction, order)
        if known is None:
            return await self._wake_and_wait(order, _has_answer)
        before = await self._read(user_id, known)
        return before if _has_answer(before) else await self._wait(user_id, known, _has_answer)

    async def wake(self, account_id: UUID, order_id: UUID | None = None) -> None:
        """Have the account's executor look at an order, or at all there is to do."""
        await self._bell.ring(account_id, order_id)

    async def cancel(self, user_id: UUID, order_id: UUID) -> Order:
        """Ask for an order's cancel and return it once that has ended, or as it is when the time is over.

        One that was CANCELED or EXPIRED already is returned as it is. Raises NOT_FOUND, and CONFLICT where the order
        can't be cancelled any more.
        """
        async with self._database.transaction() as transaction:
            order = await transaction.orders.locked(order_id)
            if order is None or order.user_id != user_id:
                raise InputError(ErrorCode.NOT_FOUND, "There is no such order of yours.", ("id",))
            step = self._asked_to_cancel(order)
            if step.order is not order:
                await transaction.orders.save(step.order)
                transaction.events.append(order_events(step.events))
        if step.order.status.is_final:
            self._bell.tell(step.order)
            return step.order
        return await self._wake_and_wait(step.order, _has_ended)

    async def cancel_all(
        self,
        user_id: UUID,
        account_id: UUID,
        market: MarketSymbol | None = None,
        trading_session_id: UUID | None = None,
    ) -> list[Order]:
        """Ask for the cancel of every active order that fits and return them; the events tell the rest.

        Raises NOT_FOUND for an account, a market or a trading session that there isn't: whoever cancels in a hurry
        must not read in "no orders" that all is well.
        """
        async with self._database.transaction() as transaction:
            account = await transaction.accounts.get(user_id, account_id)
            if account is None:
                raise _missing("account", "account of yours")
            if trading_session_id is not None:
                session = await transaction.trading_sessions.get(user_id, trading_session_id)
                if session is None or session.account_id != account_id:
                    raise _missing("tradingSession", "trading session on this account")
            orders = await transaction.orders.request_cancels(
                user_id, account_id, market, trading_session_id, self._clock.now()
            )
        if not orders and market is not None:
            self._check_market(account, market)
        await self.wake(account_id)
        return orders

    def _check_market(self, account: Account, market: MarketSymbol) -> None:
        """Raise NOT_FOUND for a market on which the account can have no orders, nor had any to cancel."""
        if market.venue != account.venue or self._markets.catalogue.get(market) is None:
            raise _missing("market", f"market {market} at the account's venue, {account.venue}")

    async def _warm(self, market: MarketSymbol) -> None:
        """Start the market's feed where it is cold, before the order's time runs."""
        listed = self._markets.catalogue.get(market) is not None
        if listed and is_warming_up(self._markets, market, self._clock.now()):
            await self._markets.depth(market, COLD_FEED_SECONDS)

    def _intended(self, user_id: UUID, request: OrderRequest, idempotency_key: str) -> Order:
        now = self._clock.now()
        cause = f"{user_id}:{idempotency_key}"
        return Order(
            id=self._ids.next_id(),
            user_id=user_id,
            account_id=request.account_id,
            market=request.market,
            client_order_id=client_order_id(request.account_id, "orderPlace", cause, OrderRole.MANUAL, 0),
            side=request.side,
            type=request.type,
            role=OrderRole.MANUAL,
            quantity=request.quantity,
            created_at=now,
            updated_at=now,
            price=request.price,
            stop_price=request.stop_price,
            time_in_force=request.effective_time_in_force,
            expires_at=request.expires_at,
            post_only=request.post_only,
            reduce_only=request.reduce_only,
        )

    async def _check(self, transaction: UnitOfWork, user_id: UUID, request: OrderRequest) -> None:
        account = await transaction.accounts.get(user_id, request.account_id)
        market = self._markets.catalogue.get(request.market)
        errors = validate_order(request, account, market, self._clock.now())
        if errors:
            raise InputErrors(errors)

    async def _commit(self, transaction: UnitOfWork, order: Order) -> None:
        await transaction.orders.add(order)
        transaction.events.append(order_events(pending(order).events))

    def _asked_to_cancel(self, order: Order) -> Step:
        if order.status in _NEVER_RESTED:
            message = f"The order is {order.status} and can't be cancelled any more."
            raise InputError(ErrorCode.CONFLICT, message, ("id",))
        now = self._clock.now()
        if order.status is OrderStatus.PENDING:
            return cancel_unsent(order, now, "cancelled before it was sent")
        if order.status.is_final or order.cancel_requested_at is not None:
            return Step(order)
        return Step(order.changed(now, cancel_requested_at=now))

    async def _wake_and_wait(self, order: Order, done: Done) -> Order:
        await self.wake(order.account_id, order.id)
        return await self._wait(order.user_id, order.id, done)

    async def _wait(self, user_id: UUID, order_id: UUID, done: Done) -> Order:
        """Return the order once `done`, told by this node's executor or read again with growing pauses."""
        deadline = self._clock.monotonic() + self._answer_within_seconds
        pause = _FIRST_LOOK_SECONDS
        while True:
            left = deadline - self._clock.monotonic()
            order = await self._bell.next_change(order_id, max(min(pause, left), 0))
            if order is None:
                order = await self._read(user_id, order_id)
                pause = min(pause * 2, _SLOWEST_LOOK_SECONDS)
            if done(order) or left <= 0:
                return order

    async def _read(self, user_id: UUID, order_id: UUID) -> Order:
        async with self._database.read_only() as transaction:
            order = await transaction.orders.get(user_id, order_id)
        assert order is not None
        return order


def _has_answer(order: Order) -> bool:
    return order.status not in _ON_ITS_WAY


def _has_ended(order: Order) -> bool:
    """Tell whether a cancel has ended: with the order, or by the venue's refusal."""
    return order.status.is_final or order.cancel_requested_at is None


def _missing(field: str, what: str) -> InputError:
    return InputError(ErrorCode.NOT_FOUND, f"There is no such {what}.", ("input", field))
