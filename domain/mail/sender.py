"""Sends the mails of the outbox: at least once each, tried again with growing delays, and given up after days."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from domain.core.backoff import Backoff
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.model.mail import Mail, MailMessage
from domain.ports.mail import MailNotSent, MailTransport
from domain.ports.unit_of_work import Database, UnitOfWork

log = logging.getLogger(__name__)


class MailComposer(Protocol):
    """Writes mails."""

    async def compose(self, transaction: UnitOfWork, mail: Mail) -> MailMessage | None:
        """Return the mail as it is sent; None if nobody is to receive it any more.

        Codes in it are stored in the transaction, which is committed before the mail is sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class MailSenderOptions:
    """How mails are sent: `at_once` at a time, each within `send_seconds`.

    A mail that is refused is tried again after `retry_seconds`, then after twice as long, up to `retry_cap_seconds`. It
    is given up when it is older than `give_up_after` (RFC 5321, 4.5.4.1: at least four to five days).
    """

    at_once: int = 10
    send_seconds: float = 60.0
    poll_seconds: float = 1.0
    retry_seconds: float = 30.0
    retry_cap_seconds: float = 3_600.0
    give_up_after: timedelta = timedelta(days=5)


@dataclass(slots=True)
class DeliveryCounts:
    """How the attempts of this node ended since it started."""

    by_outcome: dict[str, int] = field(default_factory=lambda: {"sent": 0, "refused": 0, "given_up": 0})


class MailSender:
    """Sends due mails until it is cancelled. Every worker may: each mail is claimed by one."""

    def __init__(
        self,
        database: Database,
        transport: MailTransport,
        composer: MailComposer,
        clock: Clock,
        counts: DeliveryCounts,
        options: MailSenderOptions | None = None,
    ) -> None:
        self._database = database
        self._transport = transport
        self._composer = composer
        self._clock = clock
        self._counts = counts
        self._options = options or MailSenderOptions()

    async def run(self) -> None:
        """Send mails as they fall due, whatever becomes of one; while the database can't be reached, wait for it."""
        while True:
            try:
                claimed = await self.send_due()
            except Unavailable as error:
                log.warning("mails wait for the database: %s", error.message)
                claimed = 0
            except Exception:
                log.exception("mails could not be sent; they are tried again")
                claimed = 0
            if claimed < self._options.at_once:
                await asyncio.sleep(self._options.poll_seconds)

    async def send_due(self) -> int:
        """Claim the mails that are due and try to send each; return how many there were."""
        now = self._clock.now()
        # An attempt that its node didn't survive is repeated when it would have ended, with time to store its end.
        again_at = now + timedelta(seconds=2 * self._options.send_seconds)
        async with self._database.transaction() as transaction:
            mails = await transaction.mails.claim_due(now, again_at, self._options.at_once)
        outcomes = await asyncio.gather(*map(self._send, mails), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(mails)

    async def _send(self, mail: Mail) -> None:
        try:
            await self._attempt(mail)
        except Unavailable:
            raise
        except Exception:
            log.exception("mail %s (%s) could not be sent", mail.id, mail.kind)
            await self._store_failure(mail, "a fault of the engine, which its log describes")

    async def _attempt(self, mail: Mail) -> None:
        async with self._database.transaction() as transaction:
            # The user first, as everything does that withdraws mails: it may have been withdrawn since it was claimed.
            is_due = mail.user_id is None or await transaction.users.lock(mail.user_id)
            if not is_due or not await transaction.mails.lock_open(mail.id):
                return
            message = await self._composer.compose(transaction, mail)
            if message is None:
                await transaction.mails.delete(mail.id)
                return
        try:
            async with asyncio.timeout(self._options.send_seconds):
                await self._transport.send(message)
        except TimeoutError:
            await self._store_failure(mail, f"the server took longer than {self._options.send_seconds:.0f} s")
        except MailNotSent as error:
            await self._store_failure(mail, str(error))
        else:
            async with self._database.transaction() as transaction:
                await transaction.mails.mark_sent(mail.id, self._clock.now())
            self._counts.by_outcome["sent"] += 1
            log.info("mail %s (%s) was sent at attempt %d", mail.id, mail.kind, mail.attempts)

    async def _store_failure(self, mail: Mail, reason: str) -> None:
        now = self._clock.now()
        is_over = now - mail.created_at >= self._options.give_up_after
        async with self._database.transaction() as transaction:
            if is_over:
                await transaction.mails.give_up(mail.id, now, reason)
            else:
                await transaction.mails.postpone(mail.id, now + self._delay(mail.attempts), reason)
        self._counts.by_outcome["given_up" if is_over else "refused"] += 1
        if is_over:
            log.error("mail %s (%s) was given up after %d attempts: %s", mail.id, mail.kind, mail.attempts, reason)
        else:
            log.warning("mail %s (%s) was not sent at attempt %d: %s", mail.id, mail.kind, mail.attempts, reason)

    def _delay(self, attempts: int) -> timedelta:
        backoff = Backoff(self._options.retry_seconds, self._options.retry_cap_seconds)
        delay = backoff.next_delay()
        for _ in range(attempts - 1):
            delay = backoff.next_delay()
        return timedelta(seconds=delay)
