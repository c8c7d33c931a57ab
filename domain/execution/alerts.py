"""The alerts of an account: each is raised once, and again only after its condition has ended."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading import Account
from domain.ports.unit_of_work import Database

_log = logging.getLogger(__name__)

_REFRESH = timedelta(days=1)
"""How long an alert is remembered in memory before the database is asked again, which also renews its row."""


class AccountAlerts:
    """Alerts the account's user of conditions, each known by a key, across restarts and take-overs.

    While a condition lasts its row is renewed once a day: rows that aren't renewed are deleted after a time.
    """

    def __init__(self, account: Account, database: Database, clock: Clock) -> None:
        self.database = database
        self._account = account
        self._clock = clock
        self._raised: dict[str, datetime] = {}

    async def raise_alert(self, key: str, message: str) -> None:
        """Alert the user of a condition, unless that was done before."""
        await self.raise_for_all([key], lambda _new: message)

    async def raise_for_all(self, keys: Sequence[str], describe: Callable[[Sequence[str]], str]) -> None:
        """Alert the user once of those of several conditions that are new; `describe` gets their keys."""
        now = self._clock.now()
        unknown = [key for key in dict.fromkeys(keys) if not self._is_known(key, now)]
        if not unknown:
            return
        async with self.database.transaction() as transaction:
            recorded = await transaction.accounts.record_alerts(self._account.id, unknown, now)
            new = [key for key in unknown if key in recorded]
            if new:
                message = describe(new)
                transaction.events.append([NewEvent(self._account.user_id, now, UserEventKind.ALERT, None, message)])
        recent = {known: at for known, at in self._raised.items() if now - at < _REFRESH}
        self._raised = recent | dict.fromkeys(unknown, now)
        if new:
            _log.warning("alert", extra={**self._log_ids, "reason": message})

    async def raise_error(self, what: str, error: Exception) -> None:
        """Log an unexpected error that concerns one order or report alone, and alert the user of it."""
        _log.error("%s failed by an unexpected error", what, exc_info=error, extra=self._log_ids)
        message = f"The engine failed at {what}. That is a fault of the engine; the account's other orders go on."
        with suppress(Unavailable):
            await self.raise_alert(f"error:{what}", message)

    async def clear(self, key: str) -> None:
        """Note that an alert's condition has ended, so that the user is alerted when it begins again."""
        self._raised.pop(key, None)
        async with self.database.transaction() as transaction:
            await transaction.accounts.delete_alert(self._account.id, key)

    def _is_known(self, key: str, now: datetime) -> bool:
        return key in self._raised and now - self._raised[key] < _REFRESH

    @property
    def _log_ids(self) -> dict[str, str]:
        return {"user_id": str(self._account.user_id), "account_id": str(self._account.id)}
