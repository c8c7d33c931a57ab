"""Creates, changes, tests and deletes users' notification channels."""

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final, Protocol
from uuid import UUID

from domain.core.changes import UNCHANGED, Unchanged, reject_nulls, value_or_current
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError, InputErrors, RateLimited
from domain.core.validation import normalise_name
from domain.model.events import UserEventKind
from domain.model.notifications import (
    HUMAN_KINDS,
    ChannelDelivery,
    ChannelKind,
    ChannelStatus,
    DeliveryStatus,
    NotificationChannel,
    QuietHours,
)
from domain.model.users import Identity, User
from domain.notifications.channel_requests import ChannelRequest, invalid, kind_errors, people_errors
from domain.notifications.messages import trial_message
from domain.notifications.recipients import recipient_of, unsealed
from domain.ports.notifications import ChannelSender, NotDelivered
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.users import SecretVault, TokenSource
from domain.users.activity import record_activity
from domain.users.identity_lock import lock_identity, lock_user
from domain.users.recent_sign_in import lock_recent_sign_in

MAXIMUM_CHANNELS: Final = 10
"""How many channels one user can have."""

DEFAULT_PER_HOUR: Final = 20
"""The cap of a channel that people read."""

TESTS_PER_MINUTE: Final = 5
ROTATION: Final = timedelta(hours=24)
"""For how long the secret before the present one signs too."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what a secret begins with, not one
_MINUTE: Final = timedelta(minutes=1)


class WebhookAddresses(Protocol):
    """Tells which addresses may be called at all; where their names lead to is checked when they are called."""

    def error(self, address: str) -> str | None:
        """Return what is wrong with an address, as a sentence; None if nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelChanges:
    """Changes of a channel; a field that isn't given stays as it is."""

    name: str | Unchanged | None = UNCHANGED
    event_kinds: Sequence[UserEventKind] | Unchanged | None = UNCHANGED
    url: str | Unchanged | None = UNCHANGED
    chat: str | Unchanged | None = UNCHANGED
    bot_token: str | Unchanged | None = UNCHANGED
    quiet_hours: QuietHours | Unchanged | None = UNCHANGED
    max_per_hour: int | Unchanged | None = UNCHANGED
    enabled: bool | Unchanged | None = UNCHANGED


class ChannelService:
    """Manages the channels of users."""

    def __init__(
        self,
        database: Database,
        senders: Mapping[ChannelKind, ChannelSender],
        addresses: WebhookAddresses,
        vault: SecretVault,
        tokens: TokenSource,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._senders = senders
        self._addresses = addresses
        self._vault = vault
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def create(self, identity: Identity, request: ChannelRequest) -> tuple[NotificationChannel, str | None]:
        """Return a new channel, which delivers what happens from now on, and the secret of a webhook.

        Raises `InputErrors` with all that is wrong, UNSUPPORTED for a kind that this server doesn't send,
        LIMIT_REACHED, CONFIRMATION_REQUIRED, and `Forbidden` if the request came with an API key: events would be sent
        on after a stolen key was revoked.
        """
        _require_login(identity)
        if request.kind not in self._senders:
            raise _unsupported(request.kind)
        name, user_id, now = normalise_name(request.name, "name"), identity.user.id, self._clock.now()
        self._validate(request)
        is_webhook = request.kind is ChannelKind.WEBHOOK
        secret = new_signing_secret(self._tokens) if is_webhook else request.bot_token
        quiet, is_human = request.quiet_hours, request.kind in HUMAN_KINDS
        channel = NotificationChannel(
            id=self._ids.next_id(),
            user_id=user_id,
            kind=request.kind,
            name=name,
            target=request.url if is_webhook else request.chat,
            secret=None if secret is None else self._vault.seal_secret(secret, user_id),
            event_kinds=_distinct(request.event_kinds),
            status=ChannelStatus.ACTIVE,
            created_at=now,
            sequence=0,
            due_at=now,
            quiet_from=None if quiet is None else quiet.start,
            quiet_until=None if quiet is None else quiet.end,
            max_per_hour=request.max_per_hour or (DEFAULT_PER_HOUR if is_human else None),
        )
        async with self._database.transaction() as transaction:
            await lock_recent_sign_in(transaction, identity, now)
            if len(await transaction.channels.list_of_user(user_id)) >= MAXIMUM_CHANNELS:
                message = f"You have {MAXIMUM_CHANNELS} notification channels, the most that there can be; delete one."
                raise InputError(ErrorCode.LIMIT_REACHED, message)
            sequence, at = await transaction.events.head(user_id)
            channel = replace(channel, sequence=sequence, sequence_at=at)
            await transaction.channels.add(channel)
            await self._record(transaction, channel, now, "notificationChannelCreate")
        return channel, secret if is_webhook else None

    async def update(self, identity: Identity, channel_id: UUID, changes: ChannelChanges) -> NotificationChannel:
        """Change a channel; enabling it again goes on with the first event that it has not delivered.

        Raises NOT_FOUND, `InputErrors`, and `Forbidden` if an API key names another receiver.
        """
        reject_nulls(
            name=changes.name,
            eventKinds=changes.event_kinds,
            url=changes.url,
            chat=changes.chat,
            botToken=changes.bot_token,
            enabled=changes.enabled,
        )
        receiver = (changes.url, changes.chat, changes.bot_token)
        is_redirected = not all(isinstance(value, Unchanged) for value in receiver)
        if is_redirected:
            _require_login(identity)
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await (lock_recent_sign_in if is_redirected else lock_identity)(transaction, identity, now)
            return await self._save(transaction, identity.user.id, channel_id, changes, now)

    async def update_settings(self, user_id: UUID, channel_id: UUID, changes: ChannelChanges) -> NotificationChannel:
        """Change a channel for the operator of the machine; raises as `update`, and FORBIDDEN for another receiver."""
        if any(isinstance(value, str) for value in (changes.url, changes.chat, changes.bot_token)):
            raise Forbidden("Only the user can say where events are sent to.")
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await lock_user(transaction, user_id)
            return await self._save(transaction, user_id, channel_id, changes, now)

    async def delete(self, user_id: UUID, channel_id: UUID) -> NotificationChannel:
        """Delete a channel with its log of deliveries, at once; raises NOT_FOUND."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            channel = await _owned(transaction, user_id, channel_id)
            await transaction.channels.delete(channel_id)
            await self._record(transaction, channel, now, "notificationChannelDelete")
        return channel

    async def rotate(self, identity: Identity, channel_id: UUID) -> tuple[NotificationChannel, str]:
        """Return a webhook and its new secret; the earlier one signs too for `ROTATION`, so that nothing is refused.

        Raises NOT_FOUND, INVALID for a channel that isn't a webhook, CONFIRMATION_REQUIRED, and `Forbidden`.
        """
        _require_login(identity)
        now, user_id, secret = self._clock.now(), identity.user.id, new_signing_secret(self._tokens)
        async with self._database.transaction() as transaction:
            await lock_recent_sign_in(transaction, identity, now)
            channel = await _owned(transaction, user_id, channel_id)
            if channel.kind is not ChannelKind.WEBHOOK:
                raise InputError(ErrorCode.INVALID, "Only a webhook has a secret that signs its messages.", ("id",))
            sealed = self._vault.seal_secret(secret, user_id)
            changed = replace(channel, secret=sealed, previous_secret=channel.secret, previous_until=now + ROTATION)
            await transaction.channels.save(changed)
            await self._record(transaction, changed, now, "notificationChannelSecretRotate")
        return changed, secret

    async def test(self, user: User, channel_id: UUID) -> ChannelDelivery:
        """Send a test message now, once; return how that ended.

        Raises NOT_FOUND, UNSUPPORTED, and `RateLimited` after `TESTS_PER_MINUTE`.
        """
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await transaction.users.lock(user.id)
            channel = await _owned(transaction, user.id, channel_id)
            if await transaction.channels.count_tests(user.id, now - _MINUTE) >= TESTS_PER_MINUTE:
                raise RateLimited("Too many test messages were sent", int(_MINUTE.total_seconds()))
            current = await transaction.users.get(user.id)
            delivery_id = self._ids.next_id()
            message = trial_message(channel, delivery_id, now)
            delivery = ChannelDelivery(
                delivery_id, channel.id, user.id, message.id, now, DeliveryStatus.RETRYING, attempts=1
            )
            await transaction.channels.log_delivery(delivery)
            await self._record(transaction, channel, now, "notificationChannelTest")
        sender = self._senders.get(channel.kind)
        if sender is None:
            raise _unsupported(channel.kind)
        try:
            recipient = recipient_of(channel, current or user)
            await sender.send(channel, recipient, unsealed(channel, self._vault, now), message)
            ended = replace(delivery, status=DeliveryStatus.DELIVERED, finished_at=self._clock.now())
        except NotDelivered as error:
            at = self._clock.now()
            ended = replace(delivery, status=DeliveryStatus.FAILED, finished_at=at, error=error.reason)
        async with self._database.transaction() as transaction:
            if await transaction.channels.get_for_update(user.id, channel.id) is not None:
                await transaction.channels.log_delivery(ended)
        return ended

    async def _save(
        self, transaction: UnitOfWork, user_id: UUID, channel_id: UUID, changes: ChannelChanges, now: datetime
    ) -> NotificationChannel:
        channel = await _owned(transaction, user_id, channel_id)
        changed = self._changed(channel, changes, now)
        await transaction.channels.save(changed)
        await self._record(transaction, changed, now, "notificationChannelUpdate")
        return changed

    def _changed(self, channel: NotificationChannel, changes: ChannelChanges, now: datetime) -> NotificationChannel:
        quiet = value_or_current(changes.quiet_hours, channel.quiet_hours)
        kinds = value_or_current(changes.event_kinds, channel.event_kinds)
        is_webhook = channel.kind is ChannelKind.WEBHOOK
        token = changes.bot_token if isinstance(changes.bot_token, str) else None
        asked = ChannelRequest(
            channel.kind,
            value_or_current(changes.name, channel.name) or channel.name,
            kinds if kinds is not None else (),
            url=_given(changes.url) or (channel.target if is_webhook else None),
            chat=_given(changes.chat) or (None if is_webhook else channel.target),
            bot_token=token,
            quiet_hours=quiet,
            max_per_hour=value_or_current(changes.max_per_hour, channel.max_per_hour),
        )
        self._validate(asked, is_new=False)
        changed = replace(
            channel,
            name=normalise_name(asked.name, "name"),
            event_kinds=_distinct(asked.event_kinds),
            target=asked.url if is_webhook else asked.chat,
            secret=channel.secret if token is None else self._sealed(channel, token, now),
            quiet_from=None if quiet is None else quiet.start,
            quiet_until=None if quiet is None else quiet.end,
            max_per_hour=asked.max_per_hour,
        )
        if changes.enabled is False:
            return replace(changed, status=ChannelStatus.DISABLED)
        if changes.enabled is True:
            changed = replace(changed, status=ChannelStatus.ACTIVE)
        is_redirected = changed.target != channel.target or changed.secret != channel.secret
        if not is_redirected and changed.status is channel.status:
            # A channel that fails is tried when it was to be: no number of changes calls its receiver more often.
            return changed if channel.attempts else replace(changed, due_at=now)
        # What was wrong may be mended: it is tried at once, and its time of failing begins again.
        return replace(changed, attempts=0, failing_since=None, due_at=now)

    def _sealed(self, channel: NotificationChannel, token: str, now: datetime) -> bytes | None:
        """Return a token as it is stored; as it is already if the channel has the same."""
        with suppress(NotDelivered):
            if unsealed(channel, self._vault, now) == [token]:
                return channel.secret
        return self._vault.seal_secret(token, channel.user_id)

    def _validate(self, request: ChannelRequest, *, is_new: bool = True) -> None:
        errors = [*kind_errors(request, is_new=is_new), *people_errors(request)]
        if request.kind is ChannelKind.WEBHOOK and request.url is not None:
            wrong = self._addresses.error(request.url)
            if wrong is not None:
                errors.append(invalid("url", wrong))
        if errors:
            raise InputErrors(errors)

    async def _record(self, transaction: UnitOfWork, channel: NotificationChannel, at: datetime, action: str) -> None:
        subject = ("NotificationChannel", str(channel.id))
        await record_activity(transaction, self._ids, at, channel.user_id, action, subject, channel.name)


def new_signing_secret(tokens: TokenSource) -> str:
    """Return a secret of 32 random bytes as Standard Webhooks writes it."""
    raw = base64.urlsafe_b64decode(tokens.next_token() + "=")
    return SECRET_PREFIX + base64.b64encode(raw).decode()


def quiet_hours(start: time, end: time) -> QuietHours:
    """Return quiet hours; raises INVALID if they have no length."""
    if start == end:
        message = "from and to are the same time; leave quietHours out if the channel is never quiet."
        raise InputError(ErrorCode.INVALID, message, ("input", "quietHours"))
    return QuietHours(start, end)


async def _owned(transaction: UnitOfWork, user_id: UUID, channel_id: UUID) -> NotificationChannel:
    channel = await transaction.channels.get_for_update(user_id, channel_id)
    if channel is None:
        raise InputError(ErrorCode.NOT_FOUND, "You have no such notification channel.", ("id",))
    return channel


def _distinct(kinds: Sequence[UserEventKind]) -> tuple[UserEventKind, ...]:
    return tuple(dict.fromkeys(kinds))


def _given(value: str | Unchanged | None) -> str | None:
    return value if isinstance(value, str) else None


def _unsupported(kind: ChannelKind) -> InputError:
    message = f"This server doesn't send to channels of the kind {kind.value}; ask its operator."
    return InputError(ErrorCode.UNSUPPORTED, message, ("input", "kind"))


def _require_login(identity: Identity) -> None:
    if not identity.is_login_session:
        message = "An API key can't say where events are sent to, else a stolen key were good for ever; sign in."
        raise Forbidden(message)
