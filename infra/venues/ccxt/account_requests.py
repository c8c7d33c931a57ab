"""The requests of one account: signed with its key, sent once, and their errors read as outcomes."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.model.trading import VenueCredentials
from domain.ports.execution_client import NotSent, OutcomeUnknown, SendGuard, VenueRefused
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt.client import PrivateTurns
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import command_error, describe, is_clock_error, query_error
from infra.venues.ccxt.transport import IN_FLIGHT, InFlightCommand
from infra.venues.rate_limit.rate_limiter import Priority, request_priority

CLOCK_ATTEMPTS = 3
"""How often a request that the venue refuses for its time is sent, each time after the clock was measured."""

T = TypeVar("T")
Request = Callable[[CcxtValue], Awaitable[CcxtValue]]


class AccountRequests:
    """Sends an account's commands and queries by an exchange object of ccxt, which connects at the first of them."""

    def __init__(self, connection: VenueConnection, credentials: VenueCredentials) -> None:
        self.exchange: CcxtValue = None
        """Ccxt's exchange object of the account; None before the first request."""
        self._connection = connection
        self._credentials = credentials
        self._turns = PrivateTurns()
        self._closed = False

    async def close(self) -> None:
        """Close the connections; every later request raises `VenueUnreachable` or `NotSent`."""
        self._closed = True
        if self.exchange is not None:
            await self.exchange.close()

    async def exchange_for_requests(self) -> CcxtValue:
        """Return the account's exchange object; raises `VenueUnreachable` unless the venue can be reached."""
        if self.exchange is None:
            await self._connection.ensure_connected()
        if self._closed:
            raise VenueUnreachable("the account's connection is closed")
        if self.exchange is None:
            self.exchange = self._new_exchange()
        return self.exchange

    async def exchange_for_streams(self) -> CcxtValue:
        """Return a new exchange object that signs for the account too, which the caller closes."""
        if self._closed:
            raise VenueUnreachable("the account's connection is closed")
        await self._connection.ensure_connected()
        return self._new_exchange()

    def query_error(self, error: Exception) -> VenueUnreachable:
        """Return the error of a failed query or stream; one that concerns the time has the clock measured again."""
        if is_clock_error(error):
            self._connection.clock.invalidate()
        return query_error(error)

    async def send(
        self, guard: SendGuard, request: Request, read: Callable[[CcxtValue], T], *, may_repeat: bool = False
    ) -> T:
        """Send a command, and again only if the venue has refused it for its time and so has done nothing.

        Raises `VenueRefused`, `OutcomeUnknown` or `NotSent`.
        """
        try:
            exchange = await self.exchange_for_requests()
        except VenueUnreachable as error:
            raise NotSent(str(error)) from None
        for attempt in range(1, CLOCK_ATTEMPTS + 1):
            command = InFlightCommand(guard)
            token = IN_FLIGHT.set(command)
            try:
                with request_priority(Priority.TRADING):
                    return read(await request(exchange))
            except (NotSent, VenueRefused):
                raise
            except VenueUnreachable as error:
                # Only the rate limiter raises it, before the request is sent.
                raise NotSent(str(error)) from None
            except Exception as error:  # noqa: BLE001  # whatever ccxt raises, and an answer that can't be read
                outcome = self._outcome(error, may_have_left=command.may_have_left, may_repeat=may_repeat)
                is_refused_for_its_time = is_clock_error(error)
            finally:
                IN_FLIGHT.reset(token)
            if not (is_refused_for_its_time and attempt < CLOCK_ATTEMPTS and await self._measure_clock()):
                raise outcome
        raise outcome

    async def query(self, request: Request, read: Callable[[CcxtValue], T]) -> T:
        """Send a query and return what `read` makes of the answer; raises `VenueUnreachable`."""
        exchange = await self.exchange_for_requests()
        try:
            return read(await request(exchange))
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, or an answer that can't be read
            raise self.query_error(error) from None

    def _new_exchange(self) -> CcxtValue:
        exchange = self._connection.new_account_exchange(self._credentials)
        exchange.turns = self._turns
        return exchange

    async def _measure_clock(self) -> bool:
        try:
            await self._connection.measure_clock()
        except VenueUnreachable:
            return False
        return True

    def _outcome(self, error: Exception, *, may_have_left: bool, may_repeat: bool) -> VenueRefused | OutcomeUnknown:
        if is_clock_error(error):
            self._connection.clock.invalidate()
            if may_repeat:
                # Only the timestamp was rejected: the caller repeats the request after the clock was measured.
                return OutcomeUnknown(describe(error))
        return command_error(error, may_have_left=may_have_left)
