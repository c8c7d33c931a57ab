"""The executor of one account: the only one who sends the account's orders, and follows them to their end."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn
from uuid import UUID

from domain.core.background import BackgroundTasks, TaskGroup
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.execution.account_context import AccountContext
from domain.execution.command_queue import CommandQueue, is_plain
from domain.execution.decision_waits import DecisionWaits, Lacking
from domain.execution.expired_orders import cancel_expired
from domain.execution.halted_orders import cancel_halted
from domain.execution.in_doubt import InDoubtResolver
from domain.execution.order_decider import OrderDecider
from domain.execution.order_groups import OrderGroups
from domain.execution.order_placer import OrderPlacer
from domain.execution.order_replacer import OrderReplacer, is_amendment
from domain.execution.order_sender import OrderSender
from domain.execution.reconciliation import Reconciler
from domain.execution.recovery import may_be_forgotten, recover
from domain.execution.report_stream import ReportStream
from domain.execution.trailing_orders import TrailingOrders
from domain.execution.undecidable_orders import UndecidableOrders
from domain.model.orders import Order, OrderStatus
from domain.ports.leases import StaleLease
from domain.ports.orders import StaleOrder

_log = logging.getLogger(__name__)

_PENDING = OrderStatus.PENDING
_UNANSWERED = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})
_TO_SEND = frozenset({OrderStatus.SUBMITTED, OrderStatus.PENDING_CANCEL})
_IN_FLIGHT = _UNANSWERED | {OrderStatus.PENDING_CANCEL}


class AccountExecutor:
    """Decides an account's commands in series and sends what follows from them concurrently.

    Meanwhile it handles the venue's reports and resolves unknown outcomes. `cancel_foreign` also cancels resting orders
    that the engine doesn't know.
    """

    def __init__(self, context: AccountContext, *, cancel_foreign: bool = False) -> None:
        self._context = context
        self._trailing = TrailingOrders(context, self.wake)
        self._resolver = InDoubtResolver(
            context, self._retry_cancel, self._trailing.on_unsent, cancel_foreign=cancel_foreign
        )
        self.query_later = self._resolver.enqueue_later
        self._sender = OrderSender(context, self._resolver, self._trailing.on_unsent)
        self._replacer = OrderReplacer(context, self._sender, self._resolver, self._trailing)
        self._groups = OrderGroups(context)
        self._reconciler = Reconciler(context, self._resolver)
        self._stream = ReportStream(context, self._resolver, self._reconciler)
        self._queue = CommandQueue()
        self._woken: set[UUID] = set()
        self._handed: dict[UUID, Order] = {}
        self._must_load = True
        self._cancel_retries: set[UUID] = set()
        self._requests = BackgroundTasks()
        self._adding_risk: set[UUID] = set()
        self._deferred: set[UUID] = set()
        self.waits = DecisionWaits(context, self._resolver.balances, self._requests.start, self.wake)
        self._decider = OrderDecider(context, self._trailing, self.waits)
        self._undecidable = UndecidableOrders(context)
        self._placer = OrderPlacer(
            context,
            self._decider.decide,
            self._requests.start,
            self._room_to_place,
            self._send,
            self._resolver.enqueue,
        )
        self._commands: asyncio.Task[NoReturn] | None = None
        self._wakeup = Wakeup()

    def __repr__(self) -> str:
        return f"AccountExecutor({self._context!r}, queued={len(self._queue)})"

    @property
    def reconciled(self) -> bool:
        """Whether the account agrees with its venue, so that new orders are sent."""
        return self._context.reconciled

    @property
    def has_reconciled(self) -> bool:
        """Whether the account has agreed with its venue since this executor was started."""
        return self._reconciler.has_succeeded

    @property
    def queued(self) -> tuple[UUID, ...]:
        """The ids of the orders to be decided, the next one first."""
        return tuple(self._queue)

    def wake(self, command: Order | UUID | None = None) -> None:
        """Have the order processed, or all commands loaded; never waits. A new order needn't be read again."""
        if command is None:
            self._must_load = True
        elif isinstance(command, Order):
            self._woken.add(command.id)
            if command.status is _PENDING:
                self._handed[command.id] = command
        else:
            self._handed.pop(command, None)
            self._woken.add(command)
        self._wakeup.set()

    async def refresh_balances(self) -> None:
        """Ask the venue for the balances and store them; raises `VenueUnreachable` and `Unavailable`."""
        await self._resolver.balances.refresh()

    def forget_book(self) -> None:
        """Have what is known of the account read again: somebody else has changed it."""
        self._context.book.forget()

    async def run(self) -> NoReturn:
        """Work until cancelled; raises `StaleLease` once another node may trade the account."""
        account_id = self._context.account.id
        stop = await self._context.notifier.listen_for_commands(account_id, self.wake, self._placer)
        try:
            await recover(self._context, self._resolver)
            async with self._requests, TaskGroup() as tasks:
                foreign_orders = self._resolver.report_handler.foreign_orders
                for part in (self._stream, self._resolver, self._reconciler, foreign_orders, self._trailing):
                    tasks.create_task(part.run())
                self._commands = tasks.create_task(self._command_loop())
        except BaseExceptionGroup as group:
            _, others = group.split(StaleLease)
            if others is not None:
                raise others from None
        finally:
            self._context.reconciled = False
            await stop()
        raise StaleLease(f"account {account_id} may be traded by another node")

    def _room_to_place(self) -> int:
        """Return how many new orders needn't wait: for the reconciliation, for others' turns or for their answers."""
        is_running = self._commands is not None and not self._commands.done()
        if not (is_running and self._context.reconciled) or self._queue or self._woken:
            return 0
        return self._room

    async def _command_loop(self) -> NoReturn:
        while True:
            self._wakeup.clear()
            try:
                await self.load_commands()
                while turn := self._queue.pop_turn(self._room, self._context.timings.maximum_requests):
                    await (self._process(turn[0]) if len(turn) == 1 else self._process_together(turn))
                    await self.load_commands()
            except Unavailable:
                self._must_load = True
                await asyncio.sleep(self._context.timings.retry_delay)
            else:
                await self._wakeup.wait()

    async def load_commands(self) -> None:
        """Put the orders to be sent or cancelled into the queue: those that it was woken for, or all of the account."""
        must_load = self._must_load
        if not (must_load or self._woken):
            return
        handed = [self._handed.pop(order_id) for order_id in self._woken if order_id in self._handed]
        woken = self._woken - {order.id for order in handed}
        self._must_load, self._woken = False, set()
        try:
            if must_load:
                woken |= await cancel_expired(self._context)
            orders = handed + await self._read_commands(woken, everything=must_load)
        except Unavailable:
            self._woken |= woken | {order.id for order in handed}
            raise
        for order in sorted(orders, key=lambda order: order.id):
            if not self._must_wait(order):
                self._queue.put(order)

    async def _read_commands(self, woken: set[UUID], *, everything: bool) -> list[Order]:
        if not (woken or everything):
            return []
        async with self._context.database.read_only() as transaction:
            orders = await transaction.orders.get_many(list(woken)) if woken else []
            commands = await transaction.orders.list_commands(self._context.account.id) if everything else []
        return orders + await cancel_halted(self._context, commands)

    def _must_wait(self, order: Order) -> bool:
        """Return whether the order can't be decided now; what it waits for wakes the executor when it has come."""
        if order.id in self._context.in_flight:
            self._deferred.add(order.id)
            if order.cancel_requested_at is not None:
                self._context.withdrawn.add(order.id)
            return True
        # An order in doubt is cancelled once its outcome is known.
        is_in_doubt = order.status in _UNANSWERED or may_be_forgotten(self._context, order)
        return is_in_doubt or order.id in self.waits or order.id in self._undecidable

    @property
    def _room(self) -> int:
        """How many more orders that may add risk may be under way."""
        return max(self._context.timings.maximum_requests - len(self._adding_risk), 0)

    async def _process_together(self, queued: Sequence[Order]) -> None:
        """Decide about new orders by one commit, and only then send them; if that can't be, process each alone."""
        turn = [order for order in queued if order.id not in self._context.in_flight]
        self._deferred |= {order.id for order in queued} - {order.id for order in turn}
        self._context.in_flight |= {order.id for order in turn}
        decided = None
        try:
            decided = await self._context.decide(turn, await self._decider.prepare(turn))
        except (Unavailable, StaleLease):
            for order in turn:
                self._resolver.enqueue(order.id)
                self._woken.add(order.id)
            raise
        except Exception as failure:  # noqa: BLE001  # alone, each meets its own error
            _log.warning("%d orders can't be decided by one commit: %r", len(turn), failure)
        finally:
            sent = {} if decided is None else decided.submitted
            for order_id in {order.id for order in turn} - sent.keys():
                self._leave(order_id)
            self._release_deferred()
        if decided is None:
            for order in turn:
                await self._process(order)
            return
        for step in decided.steps:
            self.waits.forget(step.after.id)
        for order in sent.values():
            self._send(order)
        for order_id, error in decided.errors.items():
            await self._on_undecided(order_id, error)

    async def _on_undecided(self, order_id: UUID, error: Exception) -> None:
        if isinstance(error, Lacking):
            self.waits.wait(order_id, error)
        elif isinstance(error, StaleOrder):
            self._woken.add(order_id)  # A halt was committed meanwhile: the order is decided about again.
        else:
            await self._undecidable.deny(order_id, error)  # Whatever it is, the other orders of the account go on.

    async def _process(self, queued: Order) -> None:
        """Decide about the order as it is now, commit the decision, and only then send what follows from it."""
        order_id = queued.id
        if order_id in self._context.in_flight:
            self._deferred.add(order_id)
            return
        self._context.in_flight.add(order_id)
        order = None
        try:
            order = await self._commit_decision(queued)
        except (Unavailable, StaleLease):
            # The commit may have happened, or may still happen, and nothing was sent.
            self._resolver.enqueue(order_id)
            self._woken.add(order_id)
            raise
        except Exception as error:  # noqa: BLE001  # of one order
            await self._on_undecided(order_id, error)
        finally:
            if order is None:
                self._leave(order_id)
                self._release_deferred()
        if order is not None:
            self._send(order)

    def _leave(self, order_id: UUID) -> None:
        """Note that no request for the order is under way."""
        self._context.in_flight.discard(order_id)
        self._context.withdrawn.discard(order_id)
        self._cancel_retries.discard(order_id)

    def _send(self, order: Order) -> None:
        if is_amendment(order) and order.replaces_id in self._context.in_flight:
            self._deferred.add(order.id)
            self._context.in_flight.discard(order.id)
            return
        self._context.in_flight |= self._groups.ids_of(order)
        if order.status is OrderStatus.SUBMITTED and not order.reduce_only:
            self._adding_risk.add(order.id)
        self._requests.start(self._request(order), name=f"request:{order.id}")

    async def _request(self, order: Order) -> None:
        try:
            if (pair := self._groups.pair_of(order)) is not None:
                await self._sender.place_group(pair)
            elif order.status is OrderStatus.SUBMITTED:
                await self._sender.place(order)
            elif order.status is OrderStatus.PENDING_CANCEL:
                await self._sender.cancel(order)
            elif await self._replacer.advance(order):
                self._woken.add(order.id)
        except (StaleLease, Unavailable):
            self._resolver.enqueue(order.id)  # If another node trades the account now, it saves the outcome.
        except Exception as error:  # noqa: BLE001  # as above
            if is_amendment(order):
                await self._undecidable.deny(order.id, error)
            else:
                self._resolver.enqueue(order.id)
                await self._context.alerts.raise_error(f"the request for order {order.id}", error)
        finally:
            self._on_processed(order)

    def _on_processed(self, order: Order) -> None:
        order_ids = self._groups.ids_of(order)
        self._context.in_flight -= order_ids
        self._context.withdrawn -= order_ids
        self._groups.forget(order)
        self._adding_risk.discard(order.id)
        self._cancel_retries.discard(order.id)
        self._release_deferred()

    def _release_deferred(self) -> None:
        """Process what had to wait for a request, such as a cancel that was requested meanwhile."""
        self._woken |= self._deferred
        self._deferred.clear()
        self._wakeup.set()

    async def _commit_decision(self, queued: Order) -> Order | None:
        """Return the order if a request is to be sent for it now."""
        order_id = queued.id
        if queued.status is _PENDING and queued.group_id is not None:
            return await self._groups.decide(queued.group_id)
        if is_plain(queued):
            decided = await self._context.decide([queued], self._decider.decide)
            if decided is not None:
                if order_id in decided.errors:
                    raise decided.errors[order_id]
                self.waits.forget(order_id)
                return decided.submitted.get(order_id)
        async with self._context.fenced_transaction() as transaction:
            await transaction.halts.hold_off()
            order = await transaction.orders.get_for_update(order_id)
            if order is None:
                return None
            update = self._context.order_update(transaction, order)
            update.apply(await self._decider.decide(order, transaction))
            step = await update.step()
            self._context.write(transaction, [step])
        self._trailing.on_committed(update.order)
        self.waits.forget(order_id)
        is_retried = order.id in self._cancel_retries and order.status is OrderStatus.PENDING_CANCEL
        if is_retried or is_amendment(order) or (step.has_changed and step.after.status in _TO_SEND):
            return update.order
        if order.status in _IN_FLIGHT:
            self._resolver.enqueue_later(order.id)  # An earlier commit of this node may have succeeded after all.
        return None

    def _retry_cancel(self, order_id: UUID) -> None:
        self._cancel_retries.add(order_id)
        self.wake(order_id)
