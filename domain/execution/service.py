"""Places, amends, previews and cancels orders for users: committed rows, which the account's executor carries out."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from domain.core.backoff import Backoff
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors, Unavailable
from domain.core.polling import FIRST_READ_SECONDS, SLOWEST_READ_SECONDS
from domain.core.tracing import carry
from domain.events.idempotency import reservation, reserve, used_for_another_input, validate_key
from domain.execution.commands import cancel_order, cancel_orders, place_order, replace_order
from domain.execution.feed_warmup import BOOK_WAIT_SECONDS, is_warming_up
from domain.execution.notifications import OrderNotifier
from domain.execution.order_preview import OrderPreview, estimate, verdicts
from domain.execution.risk_loader import load_risk_context
from domain.model.client_order_ids import client_order_id
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, RiskDenial
from domain.model.protection import ExitLevel
from domain.model.trading import Account
from domain.ports.orders import DuplicateOrder, MarketView, OrderFilter
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.venues import AbilitiesOf
from domain.risk.checks import check_order
from domain.risk.context import RiskContext, without_replaced
from domain.risk.plan import plan_limit
from domain.rules.bracket_request import BracketRequest, validate_bracket, validate_trail
from domain.rules.order_amendment import AmendmentRequest, amended_order, validate_amendment
from domain.rules.order_replacement import quantity_left
from domain.rules.order_request import OrderRequest, validate_order
from domain.rules.protected_position import new_protection
from domain.users.identity_lock import lock_user

ANSWER_WITHIN_SECONDS = 2.0
_LOCAL_READ_SECONDS = 0.8
"""How often an order is read whose executor runs on this node and notifies by itself: it may end meanwhile."""
_UNANSWERED = frozenset({OrderStatus.PENDING, OrderStatus.SUBMITTED})
_NOT_CANCELABLE = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.FILLED})

Predicate = Callable[[Order], bool]


class OrderService:
    """Accepts orders and cancels; the account's executor carries them out, on whichever node it runs."""

    def __init__(
        self,
        database: Database,
        markets: MarketView,
        clock: Clock,
        ids: IdGenerator,
        notifier: OrderNotifier,
        abilities: AbilitiesOf,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
    ) -> None:
        self._database = database
        self._markets = markets
        self._clock = clock
        self._ids = ids
        self._notifier = notifier
        self._abilities = abilities
        self._answer_within_seconds = answer_within_seconds

    async def place(
        self,
        user_id: UUID,
        request: OrderRequest,
        idempotency_key: str,
        bracket: BracketRequest | None = None,
        trail: ExitLevel | None = None,
    ) -> Order:
        """Place an order and return it once it has left PENDING and SUBMITTED, or as it is after 2 s.

        With a `bracket`, what it fills is protected from its first fill on. `trail` is the distance of a TRAILING_STOP.

        The same key with the same input returns the same order, a DENIED one included. Raises `InputErrors` for an
        invalid order, and CONFLICT if the key was used for another input.
        """
        validate_key(idempotency_key)
        request = request.normalised()
        await self._warm_up(request.market)
        order = self._new_order(user_id, request, idempotency_key, trail)
        carry(order.id)
        if bracket is None and trail is None:
            placed = await self._place_at_once(user_id, request, order, idempotency_key)
            if placed is not None:
                return placed
        given = request if bracket is None and trail is None else (request, bracket, trail)
        try:
            async with self._database.transaction() as transaction:
                await lock_user(transaction, user_id)  # an erasure waits for the order, or is seen here
                known = await reserve(transaction, self._clock, user_id, "orderPlace", idempotency_key, given, order.id)
                if known is None:
                    await self._validate(transaction, user_id, request, bracket, trail)
                    order = await place_order(transaction, order)
                    if bracket is not None:
                        protection_id = self._ids.next_id()
                        protection = new_protection(order, bracket.rules, protection_id, bracket.protect_at)
                        await transaction.protection.add(protection)
        except DuplicateOrder:
            known = await self._placed_by_forgotten_key(order, idempotency_key)
        if known is None:
            return await self._follow(order, _has_answer)
        before = await self._read(user_id, known)
        return before if _has_answer(before) else await self.wait_until(user_id, known, _has_answer)

    async def _placed_by_forgotten_key(self, order: Order, key: str) -> UUID:
        """Return the order that a key has made which isn't stored any more: a restored database has forgotten it.

        The client order id is a hash of the key. Raises CONFLICT if the order is another than `order`.
        """
        async with self._database.read_only() as reading:
            placed = await reading.orders.get_by_client_id(order.account_id, order.client_order_id)
        assert placed is not None, "orders are never deleted"
        if (placed.market, placed.side, placed.quantity) != (order.market, order.side, order.quantity):
            raise used_for_another_input("orderPlace", key)
        return placed.id

    async def _place_at_once(self, user_id: UUID, request: OrderRequest, order: Order, key: str) -> Order | None:
        """Place an order by the account's executor on this node; None if that can't be, or if anything is wrong."""
        placer = self._notifier.placer_here(request.account_id)
        if placer is None or placer.account.user_id != user_id:
            return None
        market = self._markets.catalogue.get(request.market)
        if validate_order(request, placer.account, market, self._clock.now()):
            return None
        placed: Order | None = None
        with suppress(Unavailable):  # If it was stored all the same, the usual way finds its key.
            placed = await placer.place(order, reservation(self._clock, user_id, "orderPlace", key, request))
        if placed is None:
            return None
        # What is committed meanwhile is not awaited: it has passed before anybody waits for it.
        newest = placer.newest(placed)
        if _has_answer(newest):
            return newest
        return await self.wait_until(user_id, order.id, _has_answer, order.account_id)

    async def amend(self, user_id: UUID, request: AmendmentRequest, idempotency_key: str) -> Order:
        """Amend an order and return the new one once that has left PENDING and SUBMITTED, or as it is after 2 s.

        The same key with the same input returns the same order. Raises `InputErrors` for an invalid amendment, above
        all of an order that has ended or is being replaced or cancelled, and CONFLICT if the key was used for another.
        """
        new_id, now = self._ids.next_id(), self._clock.now()
        carry(new_id)
        async with self._database.transaction() as transaction:
            known = await reserve(transaction, self._clock, user_id, "orderAmend", idempotency_key, request, new_id)
            if known is None:
                replaced = await self._lock_own(transaction, user_id, request.order_id)
                replacements = await transaction.orders.list_replacements([replaced.id])
                errors = validate_amendment(request, replaced, replacements[-1] if replacements else None)
                if errors:
                    raise InputErrors(errors)
                cause = f"{user_id}:{idempotency_key}"
                client_id = client_order_id(replaced.account_id, "orderAmend", cause, replaced.role, 0)
                amendment = amended_order(request, replaced, new_id, client_id, now)
                after = await replace_order(transaction, replaced, amendment, now, self._ids)
        if known is not None:
            return await self.wait_until(user_id, known, _has_answer)
        if after.status.is_final:
            self._notifier.publish(after)
        return await self._wake_and_wait(amendment, _has_answer)

    async def preview(
        self,
        user_id: UUID,
        request: OrderRequest,
        idempotency_key: str,
        bracket: BracketRequest | None = None,
        trail: ExitLevel | None = None,
    ) -> OrderPreview:
        """Return what `place` would do now with a new key: nothing is stored, and nothing is asked of the venue.

        An order that `place` would let wait, for the reconciliation of its account or for what the venue answers about
        the balances, is judged by what is known now. Only the feed of the market is started, as by any reader.
        """
        try:
            validate_key(idempotency_key)
        except InputError as error:
            return OrderPreview((error,))
        request = request.normalised()
        await self._warm_up(request.market)
        order = self._new_order(user_id, request, idempotency_key, trail)
        async with self._database.read_only() as reading:
            try:
                await self._validate(reading, user_id, request, bracket, trail)
            except InputErrors as invalid:
                return OrderPreview(tuple(invalid.errors))
            beyond_plan = plan_limit(order, await reading.orders.plan_usage(user_id))
            risk = await self._risk_of(reading, order)
        return self._previewed(order, risk, beyond_plan)

    async def preview_amendment(self, user_id: UUID, request: AmendmentRequest) -> OrderPreview:
        """Return what `amend` would do now, as `preview` does for a new order."""
        new_id, now = self._ids.next_id(), self._clock.now()
        async with self._database.read_only() as reading:
            replaced = await reading.orders.get(user_id, request.order_id)
            if replaced is None:
                return OrderPreview((_no_such_order(),))
            replacements = await reading.orders.list_replacements([replaced.id])
            errors = validate_amendment(request, replaced, replacements[-1] if replacements else None)
            if errors:
                return OrderPreview(tuple(errors))
            order = amended_order(request, replaced, new_id, "", now)
            order = replace(order, quantity=quantity_left(replaced, order))
            risk = without_replaced(await self._risk_of(reading, order), replaced)
        return self._previewed(order, risk)

    async def wake(self, account_id: UUID, order_id: UUID | None = None) -> None:
        """Notify the account's executor of a command for an order, or for any."""
        await self._notifier.notify_executor(account_id, order_id)

    async def cancel(self, user_id: UUID, order_id: UUID) -> Order:
        """Request an order's cancel and return the order once that has ended, or as it is after 2 s.

        An order that is already CANCELED or EXPIRED is returned as it is. Raises NOT_FOUND, and CONFLICT if the order
        can't be cancelled any more.
        """
        async with self._database.transaction() as transaction:
            order = await self._lock_own(transaction, user_id, order_id)
            if order.status in _NOT_CANCELABLE:
                message = f"The order is {order.status} and can't be cancelled any more."
                raise InputError(ErrorCode.CONFLICT, message, ("id",))
            order = await cancel_order(transaction, order, CancelCode.REQUESTED, self._clock.now())
        carry(order.id)
        return await self._follow(order, _has_ended)

    async def cancel_all(
        self,
        user_id: UUID,
        account_id: UUID,
        market: MarketSymbol | None = None,
        trading_session_id: UUID | None = None,
    ) -> list[Order]:
        """Request the cancel of every matching active order and return these orders; their events report the outcome.

        Raises NOT_FOUND if there is no such account, market or trading session: a user who cancels in a hurry must not
        take an empty result for success.
        """
        async with self._database.transaction() as transaction:
            account = await transaction.accounts.get(user_id, account_id)
            if account is None:
                raise _not_found("account", "account of yours")
            if trading_session_id is not None:
                session = await transaction.trading_sessions.get(user_id, trading_session_id)
                if session is None or session.account_id != account_id:
                    raise _not_found("tradingSession", "trading session on this account")
            selected = OrderFilter(account_id, trading_session_id, market)
            orders = await cancel_orders(transaction, user_id, selected, CancelCode.REQUESTED, self._clock.now())
        if not orders and market is not None:
            self._check_market(account, market)
        await self.wake(account_id)
        return orders

    async def _lock_own(self, transaction: UnitOfWork, user_id: UUID, order_id: UUID) -> Order:
        order = await transaction.orders.get_for_update(order_id)
        if order is None or order.user_id != user_id:
            raise _no_such_order()
        return order

    def _check_market(self, account: Account, market: MarketSymbol) -> None:
        """Raise NOT_FOUND for a market on which the account can't have orders."""
        if market.venue != account.venue or self._markets.catalogue.get(market) is None:
            raise _not_found("market", f"market {market} at the account's venue, {account.venue}")

    async def _warm_up(self, market: MarketSymbol) -> None:
        """Start the market's feed if it isn't running, before the order is created."""
        listed = self._markets.catalogue.get(market) is not None
        if listed and is_warming_up(self._markets, market, self._clock.now()):
            await self._markets.depth(market, BOOK_WAIT_SECONDS)

    async def _risk_of(self, reading: UnitOfWork, order: Order) -> RiskContext:
        """Return the input of the risk checks of an order that isn't stored.

        Whether the account agrees with its venue is known where its executor runs; elsewhere it is taken for granted.
        """
        placer = self._notifier.placer_here(order.account_id)
        reconciled = placer is None or placer.reconciled
        risk = await load_risk_context(reading, order, self._markets, self._clock.now(), reconciled=reconciled)
        return risk if placer is None else replace(risk, refusal=placer.refusal)

    def _previewed(self, order: Order, risk: RiskContext, beyond_plan: tuple[RiskDenial, ...] = ()) -> OrderPreview:
        """Return the preview of a valid order; one that is beyond the plan is denied before it is checked."""
        assert risk.market is not None  # or the order isn't valid
        failed = check_order(order, risk)
        knows_account = self._notifier.placer_here(order.account_id) is not None
        return OrderPreview(
            denials=beyond_plan or failed,
            checks=verdicts((*beyond_plan, *failed), knows_account=knows_account),
            estimate=estimate(order, risk, risk.market),
        )

    def _new_order(self, user_id: UUID, request: OrderRequest, idempotency_key: str, trail: ExitLevel | None) -> Order:
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
            trail_percent=None if trail is None else trail.percent,
            trail_absolute=None if trail is None else trail.absolute,
        )

    async def _validate(
        self,
        transaction: UnitOfWork,
        user_id: UUID,
        request: OrderRequest,
        bracket: BracketRequest | None,
        trail: ExitLevel | None,
    ) -> None:
        account = await transaction.accounts.get(user_id, request.account_id, keep_unarchived=True)
        market = self._markets.catalogue.get(request.market)
        errors = validate_order(request, account, market, self._clock.now())
        depth = self._markets.latest_depth(request.market)
        bid = depth.bids[0].price if depth is not None and depth.bids else None
        errors += validate_trail(request.type, trail, bid if request.side is OrderSide.SELL else None)
        if bracket is not None:
            ask = depth.asks[0].price if depth is not None and depth.asks else None
            abilities = await self._abilities(request.market.venue)
            errors += validate_bracket(request, bracket, market, ask, abilities)
        if errors:
            raise InputErrors(errors)

    async def _follow(self, order: Order, is_done: Predicate) -> Order:
        """Have what was committed carried out; an order that ended with it is done."""
        if order.status.is_final:
            self._notifier.publish(order)
            return order
        return await self._wake_and_wait(order, is_done)

    async def _wake_and_wait(self, order: Order, is_done: Predicate) -> Order:
        await self._notifier.notify_executor(order.account_id, order)
        return await self.wait_until(order.user_id, order.id, is_done, order.account_id)

    async def wait_for_answer(self, user_id: UUID, order_id: UUID) -> Order:
        """Return the order once it has left PENDING and SUBMITTED, or as it is after 2 s."""
        return await self.wait_until(user_id, order_id, _has_answer)

    async def wait_until(
        self, user_id: UUID, order_id: UUID, is_done: Predicate, account_id: UUID | None = None
    ) -> Order:
        """Return the order once `is_done`, notified by this node's executor or read again with growing delays.

        It is read seldom if the executor of its `account_id` runs on this node.
        """
        deadline = self._clock.monotonic() + self._answer_within_seconds
        backoff = Backoff(FIRST_READ_SECONDS, SLOWEST_READ_SECONDS)
        if account_id is not None and self._notifier.listens_here(account_id):
            backoff = Backoff(_LOCAL_READ_SECONDS, _LOCAL_READ_SECONDS)
        while True:
            left = deadline - self._clock.monotonic()
            order = await self._notifier.wait_for_change(order_id, max(min(backoff.next_delay(), left), 0))
            if order is None:
                order = await self._read(user_id, order_id)
            if is_done(order) or left <= 0:
                return order

    async def _read(self, user_id: UUID, order_id: UUID) -> Order:
        async with self._database.read_only() as transaction:
            order = await transaction.orders.get(user_id, order_id)
        assert order is not None
        return order


def _has_answer(order: Order) -> bool:
    return order.status not in _UNANSWERED


def _has_ended(order: Order) -> bool:
    """Return whether a cancel has ended: with the order, or by the venue's refusal."""
    return order.status.is_final or order.cancel_requested_at is None


def _no_such_order() -> InputError:
    return InputError(ErrorCode.NOT_FOUND, "There is no such order of yours.", ("id",))


def _not_found(field: str, what: str) -> InputError:
    return InputError(ErrorCode.NOT_FOUND, f"There is no such {what}.", ("input", field))
