"""Says of the protections of an account's positions when the engine can't watch them, and when it can again.

The rows stay as they are otherwise. Once prices come again, the watch goes on from what it has seen, by the candles.
"""

from domain.execution.feed_outages import FeedOutage, FeedOutages
from domain.model.markets import MarketSymbol
from domain.model.protection import PositionProtection
from domain.model.trading import Position
from domain.ports.unit_of_work import UnitOfWork
from domain.trading.keeper_context import KeeperContext
from domain.trading.protection_updater import ProtectedAccount


class UnwatchedProtection:
    """Brings `unwatched_since` of the protections up to what comes of their markets."""

    def __init__(self, context: KeeperContext) -> None:
        self._context = context
        self._outages = FeedOutages(context.feed, context.clock, context.timings.execution.unwatched_after)

    def __repr__(self) -> str:
        return f"UnwatchedProtection({self._context!r}, {self._outages!r})"

    async def update(self, state: ProtectedAccount, behind: set[MarketSymbol]) -> bool:
        """Note what has changed; return whether anything has. `behind` are the markets whose candles don't come."""
        has_changed = False
        markets = {protection.market for protection in state.protections}
        self._outages.forget_all_but(markets)
        outages = {market: self._outages.of(market, lacks_candles=market in behind) for market in sorted(markets)}
        for protection in state.protections:
            position, outage = state.position_of(protection), outages[protection.market]
            if position is None or not protection.is_active or protection.rules.is_empty:
                continue
            if outage is None and protection.unwatched_since is not None:
                has_changed |= await self._note(protection, position, None)
            elif outage is not None and outage.is_long and protection.unwatched_since is None:
                has_changed |= await self._note(protection, position, outage)
        return has_changed

    async def _note(self, known: PositionProtection, position: Position, outage: FeedOutage | None) -> bool:
        async with self._context.transaction() as unit_of_work:
            protection = await unit_of_work.protection.get_for_update(known.id)
            if protection is None or protection.ended_at is not None:
                return False
            since, reason = (None, None) if outage is None else (self._context.clock.now(), outage.reason)
            await unit_of_work.protection.save(protection.changed(unwatched_since=since, unwatched_reason=reason))
            self._context.publish_position(unit_of_work, position, reason or "watched again")
            await self._alert(unit_of_work, known.market, outage)
        return True

    async def _alert(self, unit_of_work: UnitOfWork, market: MarketSymbol, outage: FeedOutage | None) -> None:
        key = f"unwatched:{market}"
        if outage is None:
            await unit_of_work.accounts.delete_alert(self._context.account.id, key)
            return
        message = (
            f"The protection of a position on {market} can't be watched: {outage.reason} It is kept, and goes on by "
            "itself once prices come again; only orders that rest at the venue can act until then."
        )
        await self._context.alert(unit_of_work, key, message)
