"""The further entries into a trading session's position: which were made, and those that a price leads to."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from domain.core.money import plain, rounded
from domain.core.wakeup import Wakeup
from domain.model.markets import Trade
from domain.model.orders import Order
from domain.model.trading import Position, Signal, SignalAction, TradingSessionStatus
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.direction import Direction
from domain.rules.ladder import Ladder, LadderLevel, add_at_price, has_adds_left, price_levels
from domain.rules.protected_position import protection_state, step_trade
from domain.rules.protection import ExitCause
from domain.trading.session_context import TradingSessionContext
from domain.trading.session_state import TradingSessionState
from domain.trading.session_transactions import TradingSessionTransaction
from domain.trading.signal_actor import SignalActor
from domain.trading.strategy_evaluator import StrategyEvaluator


@dataclass(frozen=True, slots=True)
class PositionLadder:
    """The ladder of a trading session's open position, and the order that entered it last."""

    ladder: Ladder
    last_entry: Order | None


async def load_ladder(
    context: TradingSessionContext, unit_of_work: UnitOfWork, state: TradingSessionState, price: Decimal | None
) -> PositionLadder | None:
    """Return the ladder of the position; None if no further entry may be made now, at `price` if it is known.

    While a halt stands none is: its order would be denied, and the add be used up. None is made at a price that closes
    the position: it would move the stop-loss that was reached.
    """
    adds, position, session = context.plan.definition.adds, state.position, state.session
    is_at_work = bool(state.entries) or state.intent is not None
    if not adds or position is None or is_at_work or session.status is not TradingSessionStatus.RUNNING:
        return None
    taken = await unit_of_work.trading_sessions.list_adds(position.id)
    if not has_adds_left(adds, taken) or await unit_of_work.halts.apply_to(session):
        return None
    if price is not None and await _is_closed_by(context, unit_of_work, position, price):
        return None
    entry = await unit_of_work.orders.get_last_entry(session.id, context.symbol)
    last_price = position.average_price if entry is None else entry.average_price
    return None if last_price is None else PositionLadder(Ladder(adds, frozenset(taken), last_price), entry)


async def _is_closed_by(
    context: TradingSessionContext, unit_of_work: UnitOfWork, position: Position, price: Decimal
) -> bool:
    """Return whether a price reaches what closes the whole position."""
    market, direction = context.market, Direction.of(position.quantity)
    if market is None:
        return False
    now = context.feed.venue_now(market.symbol.venue)
    for protection in await unit_of_work.protection.list_of_positions([position.id]):
        if protection.is_active:
            _, reached = step_trade(protection_state(protection, market, direction), price, now, market, direction)
            if reached is not None and reached.cause is not ExitCause.TARGET:
                return True
    return False


class LadderWatch:
    """Follows the trades of the market while a price alone leads to a further entry, and makes it then.

    Trades up to the last entry's newest fill don't count. What it watches for is computed from rows alone, so a restart
    goes on with the next trade. `wake` has them computed again soon.
    """

    def __init__(
        self,
        context: TradingSessionContext,
        evaluator: StrategyEvaluator,
        actor: SignalActor,
        wake: Callable[[], None],
    ) -> None:
        self._context = context
        self._evaluator = evaluator
        self._actor = actor
        self._wake = wake
        self._levels: Sequence[LadderLevel] = ()
        self._since: datetime | None = None
        self._wakeup = Wakeup()

    def __repr__(self) -> str:
        return f"LadderWatch({self._context!r}, {self._levels})"

    async def refresh(self, state: TradingSessionState) -> None:
        """Compute again what to watch for, from the rows as they are now."""
        if not any(add.waits_for_price for add in self._context.plan.definition.adds):
            return
        async with self._context.database.read_only() as reading:
            known = await load_ladder(self._context, reading, state, None)
            self._levels = () if known is None else self._levels_of(known)
            if known is not None and known.last_entry is not None:
                fills = await reading.orders.list_fills_of_order(known.last_entry.id)
                self._since = max((fill.at for fill in fills), default=None)
        self._wakeup.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._wakeup.clear()
            if self._levels and self._context.executor.reconciled:
                await self._follow_trades()
            else:
                await self._wakeup.wait(self._context.timings.poll_interval if self._levels else None)

    async def _follow_trades(self) -> None:
        async with aclosing(self._context.feed.trade_stream(self._context.symbol)) as stream:
            async for trades in stream:
                trade = next((trade for trade in trades if self._reached(self._levels, trade) is not None), None)
                if trade is not None:
                    await self._act(trade)
                if not self._levels:
                    return

    def _levels_of(self, known: PositionLadder) -> Sequence[LadderLevel]:
        market = self._context.market
        return () if market is None else price_levels(known.ladder, market, self._evaluator.atr)

    def _reached(self, levels: Sequence[LadderLevel], trade: Trade) -> int | None:
        market = self._context.market
        if market is None or (self._since is not None and trade.at <= self._since):
            return None
        return add_at_price(levels, trade.price, market)

    async def _act(self, trade: Trade) -> None:
        """Make the further entry that a trade leads to, unless the rows have changed meanwhile."""
        self._levels = ()
        await self._actor.wait_for_depth()
        added = await self._context.transact(partial(self._add, trade))
        if added is not None:
            self._actor.wake(*added)
        self._wake()

    async def _add(self, trade: Trade, transaction: TradingSessionTransaction) -> tuple[Signal, Order | None] | None:
        known = await load_ladder(self._context, transaction.unit_of_work, transaction.state, trade.price)
        number = None if known is None else self._reached(self._levels_of(known), trade)
        if known is None or number is None:
            return None
        assert transaction.state.position is not None
        last_price = plain(rounded(known.ladder.last_price))
        reason = f"add {number}: the price is {plain(trade.price)}, and was {last_price} at the last entry"
        signal = Signal(
            id=self._context.ids.next_id(),
            user_id=transaction.state.session.user_id,
            trading_session_id=transaction.state.session.id,
            at=transaction.now,
            action=SignalAction.ENTER_LONG,
            price=trade.price,
            reason=reason,
            market=self._context.symbol,
            position_id=transaction.state.position.id,
            add_number=number,
        )
        return signal, await self._actor.add(transaction, signal, known.ladder, self._evaluator.atr)
