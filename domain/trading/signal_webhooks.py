"""Creates, rotates and revokes the webhooks of trading sessions."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.validation import normalise_name
from domain.model.trading import SignalWebhook
from domain.model.users import Identity
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.users import TokenSource
from domain.users.activity import record_activity
from domain.users.recent_sign_in import lock_recent_sign_in
from domain.users.tokens import credential_hash, new_webhook_secret

MAXIMUM_WEBHOOKS = 10
"""How many webhooks one trading session can have."""

Change = Callable[[SignalWebhook, datetime], SignalWebhook]


class SignalWebhookService:
    """Manages the webhooks of users' trading sessions."""

    def __init__(self, database: Database, tokens: TokenSource, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def create(self, identity: Identity, session_id: UUID, name: str) -> tuple[SignalWebhook, str]:
        """Return a new webhook of the trading session and its secret, which is never shown again.

        Raises INVALID (name), NOT_FOUND, CONFLICT for a trading session that has ended, LIMIT_REACHED,
        CONFIRMATION_REQUIRED, and `Forbidden` if the request came with an API key: a thief mustn't be able to make an
        address that outlives the stolen key.
        """
        _require_login(identity)
        name = normalise_name(name, "name")
        user_id, now, secret = identity.user.id, self._clock.now(), new_webhook_secret(self._tokens)
        webhook = SignalWebhook(self._ids.next_id(), user_id, session_id, name, now, credential_hash(secret))
        async with self._database.transaction() as transaction:
            await lock_recent_sign_in(transaction, identity, now)
            await _check_session(transaction, user_id, session_id)
            await transaction.signal_webhooks.add(webhook)
            await self._record(transaction, webhook, now, "signalWebhookCreate")
        return webhook, secret

    async def rotate(self, identity: Identity, webhook_id: UUID) -> tuple[SignalWebhook, str]:
        """Return the webhook and its new secret; the old one ends at once. Raises as `create`."""
        _require_login(identity)
        secret = new_webhook_secret(self._tokens)
        rotated = await self._change(
            identity.user.id,
            webhook_id,
            "signalWebhookRotate",
            lambda webhook, now: replace(webhook, secret_hash=credential_hash(secret), rotated_at=now),
            identity,
        )
        return rotated, secret

    async def revoke(self, user_id: UUID, webhook_id: UUID) -> SignalWebhook:
        """Revoke a webhook of the user at once; raises NOT_FOUND."""
        return await self._change(
            user_id, webhook_id, "signalWebhookRevoke", lambda webhook, now: replace(webhook, revoked_at=now)
        )

    async def _change(
        self, user_id: UUID, webhook_id: UUID, action: str, change: Change, identity: Identity | None = None
    ) -> SignalWebhook:
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            if identity is not None:
                await lock_recent_sign_in(transaction, identity, now)
            webhook = await transaction.signal_webhooks.get_for_update(webhook_id)
            if webhook is None or webhook.user_id != user_id:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such webhook.", ("id",))
            changed = change(webhook, now)
            await transaction.signal_webhooks.save(changed)
            await self._record(transaction, changed, now, action)
        return changed

    def _record(self, transaction: UnitOfWork, webhook: SignalWebhook, at: datetime, action: str) -> Awaitable[None]:
        subject = ("SignalWebhook", str(webhook.id))
        return record_activity(transaction, self._ids, at, webhook.user_id, action, subject, webhook.name)


def _require_login(identity: Identity) -> None:
    if not identity.is_login_session:
        raise Forbidden(
            "An API key can't make the address of a webhook, else a stolen key were good for ever; sign in."
        )


async def _check_session(transaction: UnitOfWork, user_id: UUID, session_id: UUID) -> None:
    session = await transaction.trading_sessions.get_for_update(session_id)
    if session is None or session.user_id != user_id:
        raise InputError(ErrorCode.NOT_FOUND, "You have no such trading session.", ("input", "tradingSession"))
    if session.status.is_final:
        message = f"A trading session that is {session.status.value} acts on no signal."
        raise InputError(ErrorCode.CONFLICT, message, ("input", "tradingSession"))
    if len(await transaction.signal_webhooks.list_of_trading_sessions([session_id])) >= MAXIMUM_WEBHOOKS:
        message = f"A trading session has at most {MAXIMUM_WEBHOOKS} webhooks; revoke one first."
        raise InputError(ErrorCode.LIMIT_REACHED, message, ("input", "tradingSession"))
