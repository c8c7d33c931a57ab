"""Carries out the operations of a plan, as users of the API do, and as somebody with the same venue key does."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from tests.faults.model.plan import Action, Operation
from tests.faults.model.trader import BRACKET_PROFIT_PERCENT, BRACKET_STOP_PERCENT, Trader
from tests.faults.model.venue import MARKET as VENUE_SYMBOL
from tests.faults.model.venue import Venue
from tests.support.trader_client import CANCEL, FINAL, MARKET, PLACE

CANCEL_ALL = (
    "mutation($input: OrdersCancelInput!) { ordersCancel(input: $input) { requested errors { code message } } }"
)
AMEND = """mutation($id: ID!, $input: OrderAmendInput!) { orderAmend(id: $id, input: $input) {
  order { id } errors { code message } } }"""
CLOSE = """mutation($id: ID!, $input: PositionCloseInput!) { positionClose(id: $id, input: $input) {
  errors { code message } } }"""
PROTECT = """mutation($id: ID!, $input: PositionProtectInput!) { positionProtect(id: $id, input: $input) {
  errors { code message } } }"""
SUBMIT = """mutation($input: SignalSubmitInput!) { signalSubmit(input: $input) {
  signal { id } errors { code message } } }"""
HALT = """mutation($id: ID!, $input: TradingHaltInput) { tradingHalt(id: $id, input: $input) {
  errors { code message } } }"""
RESUME = "mutation($id: ID!) { tradingResume(id: $id) { errors { code message } } }"
PAUSE_SESSION = "mutation($id: ID!) { tradingSessionPause(id: $id) { errors { code message } } }"
RESUME_SESSION = "mutation($id: ID!) { tradingSessionResume(id: $id) { errors { code message } } }"
STOP_SESSION = """mutation($id: ID!) { tradingSessionStop(id: $id, input: {closePosition: true}) {
  errors { code message } } }"""
DEPOSIT = """mutation($id: ID!, $input: PaperDepositInput!) { paperDeposit(id: $id, input: $input) {
  errors { code message } } }"""

SAME_KEY_CONNECTIONS = 8
SAME_SIGNAL_CONNECTIONS = 3
_PROTECTION_PERCENT = 1.8
_PROTECT_AT = ("VENUE", "ENGINE", "BEST")


class Operator:
    """Carries out one run's operations; keys are made of the seed and the operation's index, so that it can repeat."""

    def __init__(self, venue: Venue, traders: list[Trader], seed: int) -> None:
        self._venue = venue
        self._traders = traders
        self._seed = seed
        self._do: dict[Action, Callable[[Trader, Operation, str], Awaitable[None]]] = {
            Action.MARKET_ORDER: self._market_order,
            Action.LIMIT_ORDER: self._limit_order,
            Action.STOP_ORDER: self._stop_order,
            Action.BRACKET: self._bracket,
            Action.TRAILING_ORDER: self._trailing_order,
            Action.SAME_KEY: self._same_key,
            Action.CANCEL: self._cancel,
            Action.CANCEL_ALL: self._cancel_all,
            Action.AMEND: self._amend,
            Action.PROTECT_POSITION: self._protect_position,
            Action.CLOSE_POSITION: self._close_position,
            Action.SIGNAL: self._signal,
            Action.WEBHOOK: self._alert,
            Action.HALT: self._halt,
            Action.REDUCE_ONLY_HALT: self._halt,
            Action.RESUME: self._resume,
            Action.PAUSE_SESSION: self._pause_session,
            Action.RESUME_SESSION: self._resume_session,
            Action.STOP_SESSION: self._stop_session,
            Action.MOVE_PRICE: self._move_price,
            Action.NEXT_CANDLE: self._next_candle,
            Action.TRADE_BY_HAND: self._trade_by_hand,
            Action.DEPOSIT: self._deposit,
        }

    async def carry_out(self, index: int, operation: Operation) -> None:
        """Do it, and return when it is answered, however often the engine dies meanwhile."""
        trader = self._traders[operation.account]
        salt = trader.account
        key = hashlib.sha256(f"{self._seed}:{index}:{salt}".encode()).hexdigest()[:32]
        await self._do[operation.action](trader, operation, key)

    # ---- orders

    async def _market_order(self, trader: Trader, operation: Operation, key: str) -> None:
        await trader.place(PLACE, self._order(trader, operation, key, "MARKET"))

    async def _limit_order(self, trader: Trader, operation: Operation, key: str) -> None:
        order = self._order(trader, operation, key, "LIMIT")
        sign = -1 if order["side"] == "BUY" else 1
        await trader.place(PLACE, order | {"price": await self._price(sign * abs(operation.distance))})

    async def _stop_order(self, trader: Trader, operation: Operation, key: str) -> None:
        order = self._order(trader, operation, key, "STOP" if operation.pick < 0.5 else "STOP_LIMIT")
        sign = 1 if order["side"] == "BUY" else -1
        stop = {"stopPrice": await self._price(sign * abs(operation.distance))}
        limit = {"price": stop["stopPrice"]} if order["type"] == "STOP_LIMIT" else {}
        await trader.place(PLACE, order | stop | limit)

    async def _bracket(self, trader: Trader, operation: Operation, key: str) -> None:
        order = self._order(trader, operation, key, "MARKET") | {"side": "BUY"}
        levels = {"stopLoss": BRACKET_STOP_PERCENT, "takeProfit": BRACKET_PROFIT_PERCENT}
        protection = {name: {"percent": percent} for name, percent in levels.items()}
        await trader.place(PLACE, order | protection | {"protectAt": _protect_at(operation)})

    async def _trailing_order(self, trader: Trader, operation: Operation, key: str) -> None:
        order = self._order(trader, operation, key, "TRAILING_STOP")
        await trader.place(PLACE, order | {"trailing": {"percent": f"{abs(operation.distance) + 0.1:.2f}"}})

    async def _same_key(self, trader: Trader, operation: Operation, key: str) -> None:
        order = self._order(trader, operation, key, "MARKET")
        await asyncio.gather(*(trader.place(PLACE, order) for _ in range(SAME_KEY_CONNECTIONS)))

    async def _cancel(self, trader: Trader, operation: Operation, key: str) -> None:
        if order := await self._active(trader, operation):
            await trader.insist(CANCEL, id=order["id"])

    async def _cancel_all(self, trader: Trader, operation: Operation, key: str) -> None:
        await trader.insist(CANCEL_ALL, input={"account": trader.account})

    async def _amend(self, trader: Trader, operation: Operation, key: str) -> None:
        order = await self._active(trader, operation)
        if order is None or order["type"] != "LIMIT":
            return
        sign = -1 if order["side"] == "BUY" else 1
        price = await self._price(sign * (abs(operation.distance) + 0.2))
        payload = await trader.insist(AMEND, id=order["id"], input={"price": price, "idempotencyKey": key})
        if payload["order"] is not None:
            trader.acknowledged.setdefault(key, payload["order"]["id"])

    # ---- positions, sessions, halts

    async def _protect_position(self, trader: Trader, operation: Operation, key: str) -> None:
        by_hand = [position for position in await trader.open_positions() if position["tradingSession"] is None]
        if not by_hand:
            return
        stop, profit = await self._price(-_PROTECTION_PERCENT), await self._price(_PROTECTION_PERCENT)
        trader.protected.append((await self._venue.time(), Decimal(stop), Decimal(profit)))
        levels = {"stopLoss": {"price": stop}, "takeProfit": {"price": profit}, "protectAt": _protect_at(operation)}
        await trader.insist(PROTECT, id=by_hand[0]["id"], input=levels)

    async def _close_position(self, trader: Trader, operation: Operation, key: str) -> None:
        positions = await trader.open_positions()
        if positions:
            position = positions[int(operation.pick * len(positions))]
            trader.asked.add("CLOSE")
            await trader.insist(CLOSE, id=position["id"], input={"idempotencyKey": key})

    async def _signal(self, trader: Trader, operation: Operation, key: str) -> None:
        action = "ENTER_LONG" if operation.pick < 0.6 else "EXIT_LONG"
        trader.asked |= {"EXIT"} if action == "EXIT_LONG" else set()
        signal = {"tradingSession": trader.session, "action": action, "idempotencyKey": key}
        await asyncio.gather(*(trader.submit(SUBMIT, signal) for _ in range(SAME_SIGNAL_CONNECTIONS)))

    async def _alert(self, trader: Trader, operation: Operation, key: str) -> None:
        action = "buy" if operation.pick < 0.6 else "sell"
        trader.asked |= {"EXIT"} if action == "sell" else set()
        message = {"action": action, "ticker": VENUE_SYMBOL, "id": key}
        await asyncio.gather(*(trader.alert(message) for _ in range(SAME_SIGNAL_CONNECTIONS)))

    async def _halt(self, trader: Trader, operation: Operation, key: str) -> None:
        reduce_only = operation.action is Action.REDUCE_ONLY_HALT
        await trader.insist(HALT, id=trader.account, input={"cancelOrders": True, "reduceOnly": reduce_only})
        trader.halted = operation.action.value

    async def _resume(self, trader: Trader, operation: Operation, key: str) -> None:
        await trader.insist(RESUME, id=trader.account)
        trader.halted = ""

    async def _pause_session(self, trader: Trader, operation: Operation, key: str) -> None:
        await trader.insist(PAUSE_SESSION, id=trader.session)

    async def _resume_session(self, trader: Trader, operation: Operation, key: str) -> None:
        await trader.insist(RESUME_SESSION, id=trader.session)

    async def _stop_session(self, trader: Trader, operation: Operation, key: str) -> None:
        trader.asked.add("CLOSE")
        await trader.insist(STOP_SESSION, id=trader.session)

    # ---- the market, and others

    async def _move_price(self, trader: Trader, operation: Operation, key: str) -> None:
        await self._venue.move_price(await self._price(operation.distance))

    async def _next_candle(self, trader: Trader, operation: Operation, key: str) -> None:
        await self._venue.next_minute()

    async def _trade_by_hand(self, trader: Trader, operation: Operation, key: str) -> None:
        client_order_id = f"hand-{key[:20]}"
        trader.by_hand.add(client_order_id)
        side = "SELL" if operation.pick < 0.7 else "BUY"
        await trader.venue.post(
            "/api/v3/order", symbol=VENUE_SYMBOL, side=side, type="MARKET", quantity=operation.size,
            newClientOrderId=client_order_id,
        )  # fmt: skip

    async def _deposit(self, trader: Trader, operation: Operation, key: str) -> None:
        amount = "400000" if operation.pick < 0.5 else "1000"
        trader.deposits.append(Decimal(amount))
        given = {"currency": "USDT", "amount": amount, "idempotencyKey": key}
        await asyncio.gather(*(trader.insist(DEPOSIT, id=trader.account, input=given) for _ in range(2)))

    # ---- what they need

    def _order(self, trader: Trader, operation: Operation, key: str, kind: str) -> dict[str, Any]:
        side = "BUY" if operation.pick < 0.6 else "SELL"
        return {
            "account": trader.account, "market": MARKET, "side": side, "type": kind, "quantity": operation.size,
            "idempotencyKey": key,
        }  # fmt: skip

    async def _price(self, percent: float) -> str:
        return f"{await self._venue.price() * (1 + percent / 100):.2f}"

    @staticmethod
    async def _active(trader: Trader, operation: Operation) -> dict[str, Any] | None:
        active = [order for order in await trader.orders() if order["status"] not in FINAL]
        return active[int(operation.pick * len(active))] if active else None


def _protect_at(operation: Operation) -> str:
    return _PROTECT_AT[int(operation.pick * len(_PROTECT_AT))]
