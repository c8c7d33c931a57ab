"""Takes in the messages that are sent to the webhooks of trading sessions: each becomes a submitted signal, once."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, RateLimited
from domain.events.idempotency import reserve
from domain.model.trading import Signal, SignalWebhook, TradingSession
from domain.ports.cache import Cache
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.rules.signal_message import SignalMessage, market_of, parse_message
from domain.trading.session_transactions import record_signals
from domain.trading.signal_actor import as_missed
from domain.trading.signal_requests import SignalRequest, SignalService, acts_on_signals, add_waiting, waiting_signal
from domain.users.activity import record_activity
from domain.users.tokens import credential_hash

MESSAGES_PER_MINUTE: Final = 60
"""How many entries, exits and other messages a webhook takes, each by themselves: no entry keeps an exit out."""

UNKNOWN_PER_MINUTE: Final = 60
"""How many messages with a secret that is none an address may send before it is told to wait."""

REPEATED_WITHIN: Final = timedelta(seconds=30)
"""TradingView sends an alert again after an error of the server, three times, five seconds apart."""

CLOCKS_DIFFER_BY: Final = timedelta(minutes=1)
"""A message's time that is further in the future doesn't make those after it late."""

LATE_AFTER: Final = timedelta(minutes=2)
"""The age from which an entry is late by its message's time: TradingView sometimes delivers an alert hours later."""

_MINUTE_SECONDS: Final = 60
_PRICE_WAIT_SECONDS: Final = 1.0


class UnknownWebhook(Exception):
    """No webhook has this secret, or it was revoked or replaced."""


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message, what it was read from, and the webhook as it was when the secret was looked up."""

    webhook: SignalWebhook
    message: SignalMessage
    body_hash: bytes


class WebhookReceiver:
    """Submits the signals of messages for the owners of the webhooks."""

    def __init__(
        self,
        database: Database,
        signals: SignalService,
        cache: Cache,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._signals = signals
        self._cache = cache
        self._clock = clock
        self._ids = ids

    async def receive(self, secret: str, body: bytes, address: str) -> Signal:
        """Store the signal of the message and return it, or that of the first message if this is a repeated one.

        Raises `UnknownWebhook`, `RateLimited`, `Unavailable`, and `InputError` (INVALID, UNSUPPORTED, CONFLICT of the
        id, LIMIT_REACHED), which the webhook's owner can read too.
        """
        async with self._database.read_only() as reading:
            webhook = await reading.signal_webhooks.get_by_secret(credential_hash(secret))
        if webhook is None:
            await self._count(f"unknown-webhook:{address}", UNKNOWN_PER_MINUTE)
            raise UnknownWebhook
        try:
            message = parse_message(body)
            await self._count(f"webhook:{webhook.id}:{message.action}", MESSAGES_PER_MINUTE)
            return await self._submit(_Delivery(webhook, message, hashlib.sha256(body).digest()))
        except InputError as error:
            await self._count(f"webhook:{webhook.id}:refused", MESSAGES_PER_MINUTE)
            await self._record_refusal(webhook.id, error.message)
            raise

    async def outcome(self, signal: Signal, within_seconds: float) -> Signal:
        """Return the signal once it has been acted on or missed, or as it is when the time is over."""
        return await self._signals.wait(signal.user_id, signal.id, within_seconds)

    async def _count(self, key: str, per_minute: int) -> None:
        if await self._cache.increment(key, _MINUTE_SECONDS) > per_minute:
            raise RateLimited(f"More than {per_minute} messages came within a minute", _MINUTE_SECONDS)

    async def _submit(self, delivery: _Delivery) -> Signal:
        webhook, message = delivery.webhook, delivery.message
        async with self._database.read_only() as reading:
            session = await reading.trading_sessions.get(webhook.user_id, webhook.trading_session_id)
        assert session is not None  # the webhook's row refers to it
        market = market_of(message, session.markets)
        price = await self._signals.price(session, market, _PRICE_WAIT_SECONDS)
        now, signal_id = self._clock.now(), self._ids.next_id()
        async with self._database.transaction() as transaction:
            session, stored = await self._lock(transaction, webhook)
            known = await self._first_of_repeated(transaction, stored, delivery, signal_id, now)
            if known is not None:
                first = await transaction.trading_sessions.get_signal(webhook.user_id, known)
                assert first is not None  # signals are never deleted
                return first
            reason = message.reason or f"webhook {stored.name}"
            request = SignalRequest(session.id, message.action, reason, market)
            signal = waiting_signal(session, request, signal_id, price, now)
            signal = await _add(transaction, signal, _why_missed(session, stored, message, now), now)
            await self._record_use(transaction, stored, delivery, signal_id, now)
        await self._signals.wake_worker(session)
        return signal

    async def _lock(self, transaction: UnitOfWork, known: SignalWebhook) -> tuple[TradingSession, SignalWebhook]:
        """Return the trading session and the webhook as they are now; raises `UnknownWebhook` for an old secret."""
        session = await transaction.trading_sessions.get_for_update(known.trading_session_id)
        webhook = await transaction.signal_webhooks.get_for_update(known.id)
        if session is None or webhook is None or webhook.secret_hash != known.secret_hash:
            raise UnknownWebhook
        return session, webhook

    async def _first_of_repeated(
        self, transaction: UnitOfWork, webhook: SignalWebhook, delivery: _Delivery, signal_id: UUID, now: datetime
    ) -> UUID | None:
        """Return the signal of the same message if it came before.

        A message is known by its id. Without one, an entry is known by its whole text, for as long as idempotency keys
        are kept if a time is in it, and else if it is the newest message and came just now. A repeated exit does no
        harm, and one that is taken for a repeated one would.
        """
        message = delivery.message
        if message.id is not None:
            return await self._reserve(transaction, webhook, "id", message.id, message, signal_id)
        if not message.action.enters:
            return None
        if message.time is not None:
            return await self._reserve(transaction, webhook, "text", delivery.body_hash.hex(), message, signal_id)
        is_newest = webhook.last_message_hash == delivery.body_hash
        is_recent = webhook.last_used_at is not None and now - webhook.last_used_at < REPEATED_WITHIN
        return webhook.last_signal_id if is_newest and is_recent else None

    async def _reserve(
        self,
        transaction: UnitOfWork,
        webhook: SignalWebhook,
        kind: str,
        key: str,
        message: SignalMessage,
        signal_id: UUID,
    ) -> UUID | None:
        operation = f"signalWebhook:{webhook.id}:{kind}"
        try:
            return await reserve(transaction, self._clock, webhook.user_id, operation, key, message, signal_id)
        except InputError:
            text = f"The id {key!r} came with another message before; each message needs an id of its own."
            raise InputError(ErrorCode.CONFLICT, text, ("id",)) from None

    async def _record_use(
        self, transaction: UnitOfWork, webhook: SignalWebhook, delivery: _Delivery, signal_id: UUID, now: datetime
    ) -> None:
        used = replace(
            webhook,
            last_used_at=now,
            signal_count=webhook.signal_count + 1,
            last_signal_id=signal_id,
            last_message_hash=delivery.body_hash,
            last_sent_at=_latest(webhook.last_sent_at, delivery.message.sent_at, now),
        )
        await transaction.signal_webhooks.save(used)
        subject = ("SignalWebhook", str(webhook.id))
        await record_activity(transaction, self._ids, now, webhook.user_id, "signalSubmit", subject, webhook.name)

    async def _record_refusal(self, webhook_id: UUID, message: str) -> None:
        async with self._database.transaction() as transaction:
            webhook = await transaction.signal_webhooks.get_for_update(webhook_id)
            if webhook is not None:
                refused, now = webhook.refused_count + 1, self._clock.now()
                changed = replace(webhook, refused_count=refused, last_error=message, last_error_at=now)
                await transaction.signal_webhooks.save(changed)


async def _add(transaction: UnitOfWork, signal: Signal, why_missed: str | None, now: datetime) -> Signal:
    """Store the signal and return it: it waits for the trading session, or is missed for that reason."""
    if why_missed is None:
        await add_waiting(transaction, signal)
        return signal
    missed = replace(as_missed(signal, why_missed), waiting=False)
    await record_signals(transaction, [missed], now)
    return missed


def _why_missed(session: TradingSession, webhook: SignalWebhook, message: SignalMessage, now: datetime) -> str | None:
    """Return why nothing can follow from the message: the session has ended, or an entry is late by its own time.

    TradingView sends an alert again after an error, and later alerts don't wait for it. An exit is never too late.
    """
    if not acts_on_signals(session):
        return f"the trading session is {session.status.value}"
    sent_at, latest = message.sent_at, webhook.last_sent_at
    if sent_at is None or not message.action.enters:
        return None
    if latest is not None and sent_at < latest:
        return f"a message of {latest:%H:%M:%S} UTC came before it"
    if now - sent_at > LATE_AFTER:
        return f"its time is more than {LATE_AFTER.total_seconds():.0f} s ago"
    return None


def _latest(known: datetime | None, sent_at: datetime | None, now: datetime) -> datetime | None:
    if sent_at is None or sent_at > now + CLOCKS_DIFFER_BY:
        return known
    return sent_at if known is None else max(known, sent_at)
