"""Requests to protect an open position: each stores a row, which the position keeper watches."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.events.idempotency import reserve
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market
from domain.model.protection import PositionProtection, ProtectAt, ProtectionRules
from domain.model.trading import Position
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.venues import AbilitiesOf
from domain.rules.bracket_request import level_errors, trail_errors
from domain.rules.direction import Direction
from domain.rules.protected_position import protection_state, with_fills
from domain.rules.resting_protection import venue_errors
from domain.users.activity import record_activity


@dataclass(frozen=True, slots=True)
class PositionProtectRequest:
    """The position to protect, and what is to close it from now on; empty rules take the protection away."""

    position_id: UUID
    rules: ProtectionRules
    protect_at: ProtectAt = ProtectAt.BEST


class ProtectionService:
    """Protects positions that were opened by hand."""

    def __init__(
        self,
        database: Database,
        feed: MarketDataProvider,
        bus: MessageBus,
        clock: Clock,
        ids: IdGenerator,
        abilities: AbilitiesOf,
    ) -> None:
        self._database = database
        self._clock = clock
        self._feed = feed
        self._bus = bus
        self._ids = ids
        self._abilities = abilities

    async def protect(
        self, user_id: UUID, request: PositionProtectRequest, idempotency_key: str | None = None
    ) -> Position:
        """Set what closes a whole position, in the place of what was set so before; return the position.

        Brackets of the orders that opened it stay. Raises NOT_FOUND, CONFLICT for a closed position, UNSUPPORTED for
        that of a trading session, and `InputErrors` for levels that make no sense. With a key that was used for the
        same input nothing is changed; one that was used for another is a CONFLICT.
        """
        async with self._database.transaction() as transaction:
            if idempotency_key is not None and await self._is_known(transaction, user_id, request, idempotency_key):
                return await self._own(transaction, user_id, request.position_id)
            replaced = await self._lock_protections(transaction, request.position_id)
            position = await self._lock(transaction, user_id, request.position_id)
            market = self._feed.catalogue.get(position.market)
            depth = self._feed.latest_depth(position.market)
            price = depth.bids[0].price if depth is not None and depth.bids else position.average_price
            now = self._feed.venue_now(position.market.venue)
            protection = PositionProtection(
                id=self._ids.next_id(),
                user_id=position.user_id,
                account_id=position.account_id,
                market=position.market,
                rules=request.rules,
                created_at=now,
                position_id=position.id,
                high_water=price,
                # By a clock of the venue that is behind, what was traded before the position would count.
                watched_until=max(now, position.opened_at),
                protect_at=request.protect_at,
            )
            errors = _errors(protection, position, market, price)
            errors += await self._venue_errors(request, position)
            if errors:
                raise InputErrors(errors)
            for before in replaced:
                await transaction.protection.save(before.changed(ended_at=now))
            if not request.rules.is_empty:
                await transaction.protection.add(protection)
            await record_activity(
                transaction, self._ids, now, user_id, "positionProtect", ("Position", str(position.id))
            )
            message = "its protection was taken away" if request.rules.is_empty else "its protection was set"
            transaction.events.append([NewEvent(user_id, now, UserEventKind.POSITION, position, message)])
        await self._bus.publish(commands_topic(position.account_id), b"")
        return position

    async def _is_known(
        self, transaction: UnitOfWork, user_id: UUID, request: PositionProtectRequest, key: str
    ) -> bool:
        known = await reserve(transaction, self._clock, user_id, "positionProtect", key, request, request.position_id)
        return known is not None

    async def _venue_errors(self, request: PositionProtectRequest, position: Position) -> list[InputError]:
        rules, venue = request.rules, position.market.venue
        if rules.is_empty:
            return []
        stop = rules.stop_loss is not None or rules.trailing_stop is not None
        abilities, path = await self._abilities(venue), ("input", "protectAt")
        profit = rules.take_profit is not None
        return [*venue_errors(request.protect_at, venue, abilities, path, stop=stop, profit=profit)]

    async def _lock_protections(self, transaction: UnitOfWork, position_id: UUID) -> list[PositionProtection]:
        """Lock what a new protection takes the place of, before the position, as the keeper does."""
        known = [row for row in await transaction.protection.list_of_positions([position_id]) if _is_set_by_hand(row)]
        locked = [await transaction.protection.get_for_update(row.id) for row in known]
        return [row for row in locked if row is not None and _is_set_by_hand(row)]

    async def _own(self, transaction: UnitOfWork, user_id: UUID, position_id: UUID) -> Position:
        found = await transaction.positions.get(user_id, position_id)
        if found is None:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such position.", ("id",))
        return found

    async def _lock(self, transaction: UnitOfWork, user_id: UUID, position_id: UUID) -> Position:
        found = await self._own(transaction, user_id, position_id)
        if found.trading_session_id is not None:
            message = "A trading session's position is protected by its strategy; stop the session to close it."
            raise InputError(ErrorCode.UNSUPPORTED, message, ("id",))
        position = await transaction.positions.get_open_for_update(found.account_id, found.market, None)
        if position is None or position.id != found.id:
            raise InputError(ErrorCode.CONFLICT, "The position is closed.", ("id",))
        return position


def _is_set_by_hand(protection: PositionProtection) -> bool:
    return protection.entry_order_id is None and protection.ended_at is None


def _errors(
    protection: PositionProtection, position: Position, market: Market | None, price: Decimal | None
) -> list[InputError]:
    """Return what is wrong with the levels: they must lie on their side of the present price."""
    rules = protection.rules
    errors = [
        *(level_errors("stopLoss", rules.stop_loss, -1, price, market) if rules.stop_loss else ()),
        *(level_errors("takeProfit", rules.take_profit, 1, price, market) if rules.take_profit else ()),
        *(trail_errors(rules.trailing_stop, price) if rules.trailing_stop else ()),
    ]
    if errors or market is None or price is None:
        return errors
    direction = Direction.of(position.quantity)
    state = protection_state(with_fills(protection, position, (), market), market, direction)
    tick = market.price_increment
    stops = (("stopLoss", state.stop_loss), ("trailingStop", state.trailing_stop))
    return [
        InputError(
            ErrorCode.INVALID,
            f"The {field} would be at {abs(stop) * tick}, which the market has passed: it is at {price}.",
            ("input", field),
        )
        for field, stop in stops
        if stop is not None and stop * tick >= price * direction
    ]
