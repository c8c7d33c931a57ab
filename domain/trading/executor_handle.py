"""The executor of an account, as its trading sessions and its position keeper know it."""

import logging
from uuid import UUID

from domain.core.errors import Unavailable
from domain.execution.executor import AccountExecutor
from domain.ports.market_data import VenueUnreachable

log = logging.getLogger(__name__)


class ExecutorHandle:
    """The account's executor, None while there is none: one that fails is replaced by another."""

    def __init__(self) -> None:
        self.executor: AccountExecutor | None = None

    def __repr__(self) -> str:
        return f"ExecutorHandle({self.executor!r})"

    @property
    def reconciled(self) -> bool:
        """Whether the account agrees with its venue now."""
        return self.executor is not None and self.executor.reconciled

    @property
    def has_reconciled(self) -> bool:
        """Whether the account has agreed with its venue since the executor was started, now or before a reconnect."""
        return self.executor is not None and self.executor.has_reconciled

    def wake(self, order_id: UUID | None) -> None:
        """Have an order (None: any) sent or cancelled soon."""
        if self.executor is not None:
            self.executor.wake(order_id)

    def expects_coins(self, order_id: UUID) -> bool:
        """Return whether an order by hand waits for coins that orders at the venue keep for a protection."""
        return self.executor is not None and self.executor.waits.expects_coins(order_id)

    def query(self, order_id: UUID) -> None:
        """Have the venue asked about an order of which a report may have been lost."""
        if self.executor is not None:
            self.executor.query_later(order_id)

    def forget_book(self) -> None:
        """Have the executor read the account again, since the caller has changed a position of it."""
        if self.executor is not None:
            self.executor.forget_book()

    async def refresh_balances(self) -> bool:
        """Have the venue asked for the balances, and the answer stored; return whether it answered."""
        if self.executor is None:
            return False
        try:
            await self.executor.refresh_balances()
        except (VenueUnreachable, Unavailable) as error:
            log.info("the balances couldn't be asked for: %s", error)
            return False
        return True
