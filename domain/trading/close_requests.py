"""Requests to close positions, by users and by halts: each stores an intent, which the position keeper carries out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.core.money import ZERO, is_multiple, plain
from domain.core.polling import read_until
from domain.events.idempotency import reserve, validate_key
from domain.execution.service import ANSWER_WITHIN_SECONDS, OrderService
from domain.model.client_order_ids import client_order_id
from domain.model.markets import Market
from domain.model.orders import Order, OrderRole
from domain.model.protection import PositionIntent
from domain.model.trading import Position
from domain.portfolio.positions import is_dust
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import Database, UnitOfWork

BY_USER = "The user asked to close it."
BY_HALT = "A halt of trading closes it."


@dataclass(frozen=True, slots=True)
class PositionCloseRequest:
    """The position to close; `quantity`, in base, is the part to close, None for all of it."""

    position_id: UUID
    quantity: Decimal | None = None


class PositionService:
    """Closes positions for users."""

    def __init__(
        self,
        database: Database,
        markets: MarketView,
        bus: MessageBus,
        clock: Clock,
        ids: IdGenerator,
        orders: OrderService,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
    ) -> None:
        self._database = database
        self._markets = markets
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._orders = orders
        self._answer_within_seconds = answer_within_seconds

    async def close(self, user_id: UUID, request: PositionCloseRequest, idempotency_key: str) -> Order | None:
        """Close a position, or a part of it, and return the order once it has an answer, or as it is after 2 s.

        None if the keeper hasn't placed an order within that time: orders that lock what is to be sold are cancelled
        first, and the account may not have reconciled. The same key with the same input returns the same order. Raises
        NOT_FOUND, INVALID for a quantity, and CONFLICT if the position isn't open or is being closed.
        """
        validate_key(idempotency_key)
        intent_id = self._ids.next_id()
        async with self._database.transaction() as transaction:
            known = await reserve(
                transaction, self._clock, user_id, "positionClose", idempotency_key, request, intent_id
            )
            position = await transaction.positions.get(user_id, request.position_id)
            if position is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such position.", ("id",))
            if known is None:
                quantity = self._quantity(position, request.quantity)
                intent = _intent(intent_id, position, BY_USER, self._clock.now(), quantity)
                if not await transaction.protection.add_intent(intent):
                    raise InputError(ErrorCode.CONFLICT, "The position is being closed already.", ("id",))
        if known is None:
            await self._bus.publish(commands_topic(position.account_id), b"")
        return await self._wait_for_order(user_id, position.account_id, known or intent_id)

    def _quantity(self, position: Position, quantity: Decimal | None) -> Decimal | None:
        """Return the part to close, None for all; raises CONFLICT and INVALID."""
        if position.closed_at is not None:
            raise InputError(ErrorCode.CONFLICT, "The position is closed.", ("id",))
        held = abs(position.quantity)
        if quantity is None or quantity == held:
            return None
        market = self._markets.catalogue.get(position.market)
        message = None
        if quantity <= 0 or quantity > held:
            message = f"The quantity must be more than 0 and at most the position's {plain(held)}."
        elif market is not None and not is_multiple(quantity, market.quantity_increment):
            message = f"The quantity must be a multiple of the market's {plain(market.quantity_increment)}."
        elif market is not None and is_dust(quantity, market, self._price(position, market)):
            message = f"{plain(quantity)} is too little for an order on {position.market}."
        if message is not None:
            raise InputError(ErrorCode.INVALID, message, ("input", "quantity"))
        return quantity

    def _price(self, position: Position, market: Market) -> Decimal:
        depth = self._markets.latest_depth(market.symbol)
        return depth.bids[0].price if depth is not None and depth.bids else position.average_price or ZERO

    async def _wait_for_order(self, user_id: UUID, account_id: UUID, intent_id: UUID) -> Order | None:
        """Return the first order of an intent once it has an answer; None if there is none in time."""
        first = client_order_id(account_id, "intent", str(intent_id), OrderRole.CLOSE, 0)

        async def read() -> Order | None:
            async with self._database.read_only() as reading:
                return await reading.orders.get_by_client_id(account_id, first)

        order = await read_until(read, lambda found: found is not None, self._clock, self._answer_within_seconds)
        return None if order is None else await self._orders.wait_for_answer(user_id, order.id)


async def close_halted_positions(
    unit_of_work: UnitOfWork, accounts: Sequence[UUID] | None, ids: IdGenerator, at: datetime
) -> list[Position]:
    """Request the close of every open position that a halt in force closes, on these accounts (None: on all).

    Return those that weren't being closed yet.
    """
    halted = await unit_of_work.positions.list_halted(accounts)
    return [
        position
        for position in halted
        if await unit_of_work.protection.add_intent(_intent(ids.next_id(), position, BY_HALT, at))
    ]


def _intent(
    intent_id: UUID, position: Position, reason: str, at: datetime, quantity: Decimal | None = None
) -> PositionIntent:
    return PositionIntent(
        id=intent_id,
        user_id=position.user_id,
        account_id=position.account_id,
        market=position.market,
        role=OrderRole.CLOSE,
        reason=reason,
        since=at,
        trading_session_id=position.trading_session_id,
        position_id=position.id,
        quantity=quantity,
    )
