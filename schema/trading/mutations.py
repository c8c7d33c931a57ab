"""Starting, pausing, resuming and stopping trading sessions."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import trading
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.trading.inputs import SignalSubmitInput, TradingSessionStartInput, TradingSessionStopInput
from schema.trading.types import Signal, TradingSession


@strawberry.type(description="The result of `tradingSessionStart`.")
class TradingSessionStartPayload(Payload):
    trading_session: TradingSession | None = strawberry.field(
        description="The new trading session. Null if there are errors."
    )


@strawberry.type(description="The result of `tradingSessionPause`.")
class TradingSessionPausePayload(Payload):
    trading_session: TradingSession | None = strawberry.field(
        description="The trading session after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `tradingSessionResume`.")
class TradingSessionResumePayload(Payload):
    trading_session: TradingSession | None = strawberry.field(
        description="The trading session after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `tradingSessionStop`.")
class TradingSessionStopPayload(Payload):
    trading_session: TradingSession | None = strawberry.field(
        description="The trading session after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `signalSubmit`.")
class SignalSubmitPayload(Payload):
    signal: Signal | None = strawberry.field(description="The signal. Null if there are errors.")


@strawberry.type
class TradingMutation:
    @mutation(
        TradingSessionStartPayload,
        scope=ApiScope.TRADE,
        description=(
            "Start a trading session. Its status is STARTING until it has all candles that it needs. The user's plan "
            "limits the number of sessions: see `Plan.maxTradingSessions`."
        ),
    )
    async def trading_session_start(self, info: Info, input: Annotated[TradingSessionStartInput, INPUT]) -> Fields:
        session = await trading.start(info.context, input.to_domain(), input.idempotency_key)
        return {"trading_session": session}

    @mutation(
        TradingSessionPausePayload,
        scope=ApiScope.TRADE,
        description=(
            "Pause a trading session. It opens no new positions, and entries that rest in the book are cancelled. "
            "Exits and protection continue."
        ),
    )
    async def trading_session_pause(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the trading session.")],
    ) -> Fields:
        session = await trading.pause(info.context, decode_uuid(id, "TradingSession", ("id",)))
        return {"trading_session": session}

    @mutation(
        TradingSessionResumePayload,
        scope=ApiScope.TRADE,
        description="Resume a paused trading session. It can open positions again from the next closed candle on.",
    )
    async def trading_session_resume(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the trading session.")],
    ) -> Fields:
        session = await trading.resume(info.context, decode_uuid(id, "TradingSession", ("id",)))
        return {"trading_session": session}

    @mutation(
        TradingSessionStopPayload,
        scope=ApiScope.TRADE,
        description=(
            "Stop a trading session. Its open orders are cancelled and, with `closePosition`, its position is closed. "
            "Its status is STOPPING until then, and STOPPED afterwards."
        ),
    )
    async def trading_session_stop(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the trading session.")],
        input: Annotated[TradingSessionStopInput | None, INPUT] = None,
    ) -> Fields:
        session_id = decode_uuid(id, "TradingSession", ("id",))
        close = input is not None and input.close_position
        return {"trading_session": await trading.stop(info.context, session_id, close_position=close)}

    @mutation(
        SignalSubmitPayload,
        scope=ApiScope.TRADE,
        description=(
            "Submit a signal to a running trading session, which acts on it as on one of its own strategy: an entry "
            "becomes an order, of the strategy's size and with its protection; an exit closes the position and cancels "
            "entries. The answer has what followed, or the signal as `waiting` after 2 s. An entry is missed, with the "
            "reason in `Signal.reason`, if the session is paused, has a position or an order, or can't act within 10 "
            "s; an exit isn't given up. At most 10 signals of one action can wait for a session."
        ),
    )
    async def signal_submit(self, info: Info, input: Annotated[SignalSubmitInput, INPUT]) -> Fields:
        return {"signal": await trading.submit_signal(info.context, input.to_domain(), input.idempotency_key)}
