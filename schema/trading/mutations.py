"""Starting, pausing, resuming and stopping trading sessions."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import trading
from resolvers.trading import WEBHOOK_PATH
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.trading.inputs import (
    SignalSubmitInput,
    SignalWebhookCreateInput,
    TradingSessionStartInput,
    TradingSessionStopInput,
)
from schema.trading.types import Signal, SignalWebhook, TradingSession

WebhookId = Annotated[strawberry.ID, strawberry.argument(description="The id of the webhook.")]


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
class SignalWebhookAddress(Payload):
    """What creating a webhook and rotating its secret have in common."""

    signal_webhook: SignalWebhook | None = strawberry.field(description="The webhook. Null if there are errors.")
    path: str | None = strawberry.field(
        description=(
            "The path of the webhook's address, which contains its secret: `/hooks/signals/…`. Put `https://` and the "
            "engine's public name before it. It can't be read again. Null if there are errors."
        )
    )
    secret: str | None = strawberry.field(
        description="The secret alone, the last part of `path`. It can't be read again. Null if there are errors."
    )


@strawberry.type(description="The result of `signalWebhookCreate`.")
class SignalWebhookCreatePayload(SignalWebhookAddress): ...


@strawberry.type(description="The result of `signalWebhookRotate`.")
class SignalWebhookRotatePayload(SignalWebhookAddress): ...


@strawberry.type(description="The result of `signalWebhookRevoke`.")
class SignalWebhookRevokePayload(Payload):
    signal_webhook: SignalWebhook | None = strawberry.field(
        description="The revoked webhook. Null if there are errors."
    )


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

    @mutation(
        SignalWebhookCreatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Create a webhook: an address at which a program without an API key, such as TradingView, submits signals "
            "to a trading session. It requires a login session with a recent sign-in: otherwise the error is "
            "CONFIRMATION_REQUIRED, or FORBIDDEN for an API key. A trading session can have at most 10 webhooks."
        ),
    )
    async def signal_webhook_create(self, info: Info, input: Annotated[SignalWebhookCreateInput, INPUT]) -> Fields:
        session_id = decode_uuid(input.trading_session, "TradingSession", ("input", "tradingSession"))
        return _address(*await trading.create_signal_webhook(info.context, session_id, input.name))

    @mutation(
        SignalWebhookRotatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Give a webhook a new address; the old one ends at once. It requires a login session with a recent "
            "sign-in: otherwise the error is CONFIRMATION_REQUIRED, or FORBIDDEN for an API key."
        ),
    )
    async def signal_webhook_rotate(self, info: Info, id: WebhookId) -> Fields:
        webhook_id = decode_uuid(id, "SignalWebhook", ("id",))
        return _address(*await trading.rotate_signal_webhook(info.context, webhook_id))

    @mutation(
        SignalWebhookRevokePayload,
        scope=ApiScope.ADMIN,
        description="Revoke a webhook at once. Its address answers as one that never existed.",
    )
    async def signal_webhook_revoke(self, info: Info, id: WebhookId) -> Fields:
        webhook_id = decode_uuid(id, "SignalWebhook", ("id",))
        return {"signal_webhook": await trading.revoke_signal_webhook(info.context, webhook_id)}


def _address(webhook: object, secret: str) -> Fields:
    return {"signal_webhook": webhook, "path": f"{WEBHOOK_PATH}{secret}", "secret": secret}
