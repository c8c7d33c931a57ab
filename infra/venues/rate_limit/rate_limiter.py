"""The rate budget of one venue and address, which every account and every public call of this process shares.

Binance counts a weight a minute by address and tells the sum in each answer (`x-mbx-used-weight-1m`), so nodes behind
one address learn of each other's calls; who goes on after a 429 is banned with a 418
(https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits). Other venues are asked at ccxt's pace.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum

from domain.core.clock import Clock
from domain.ports.market_data import VenueUnreachable
from infra.venues.rate_limit.ban import TOO_MANY, VenueBan
from infra.venues.rate_limit.windows import Allowance, FixedWindow, TokenBucket

USED_WEIGHT = "x-mbx-used-weight-1m"
BAD_ANSWER = 400
TRADING_WAITS_SECONDS = 5.0
"""How long an order waits for the budget: one that was sent much later would meet another market."""

HISTORY_WAITS_SECONDS = 60.0
"""How long history waits before it counts as live data, so that a busy venue doesn't starve it."""

LOOK_AGAIN_SECONDS = 5.0


class Priority(Enum):
    """What a call is for; the value is the share of the budget up to which such calls may use it."""

    TRADING = 1.0
    LIVE = 0.9
    HISTORY = 0.6


_urgency: ContextVar[Priority] = ContextVar("urgency", default=Priority.LIVE)


@contextmanager
def urgency(value: Priority) -> Iterator[None]:
    """Make calls inside the block count as `value`."""
    token = _urgency.set(value)
    try:
        yield
    finally:
        _urgency.reset(token)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call under way, and the minute in which it was counted."""

    weight: float
    minute: int


_call: ContextVar[_Call | None] = ContextVar("call", default=None)


@dataclass(eq=False, slots=True)
class _Waiting:
    weight: float
    urgency: Priority
    since: float
    look: asyncio.Event = field(default_factory=asyncio.Event)

    def urgent_at(self, now: float) -> Priority:
        """Return its urgency, which grows where it has waited long."""
        is_old = self.urgency is Priority.HISTORY and now - self.since >= HISTORY_WAITS_SECONDS
        return Priority.LIVE if is_old else self.urgency


class RateLimiter:
    """Calls wait until their urgency's share holds them: the most urgent goes first, then who came first."""

    def __init__(self, clock: Clock, weight_per_minute: int = 6_000) -> None:
        self.silence = VenueBan(clock)
        self.on_silence: Callable[[], None] = lambda: None
        """Called when the venue has asked for silence."""
        self._clock = clock
        self._window = FixedWindow(clock, weight_per_minute)
        self._pace: TokenBucket | None = None
        self._under_way = 0.0
        self._waiting: list[_Waiting] = []

    @property
    def weight_per_minute(self) -> int | None:
        """The weight that the venue takes a minute; None where it is asked at a pace."""
        return self._window.limit if self._pace is None else None

    @property
    def used(self) -> float:
        """The weight used in the present minute, as far as is known."""
        return self._window.used

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    @property
    def silent_seconds(self) -> float:
        """How long the venue still wants to be left alone; 0 where it doesn't."""
        return self.silence.seconds

    def limit(self, weight_per_minute: int) -> None:
        """Learn the venue's limit from its own word."""
        self._window.limit = weight_per_minute

    def follow(self, venue_ms: Callable[[], int]) -> None:
        """Count by the minutes of the venue's clock from now on."""
        self._window.follow(venue_ms)

    def keep_pace(self, token_seconds: float) -> None:
        """Ask the venue at ccxt's pace, one call of weight 1 every so often, instead of counting minutes."""
        if self._pace is None or self._pace.token_seconds != token_seconds:
            self._pace = TokenBucket(self._clock, token_seconds)

    async def take(self, weight: float) -> None:
        """Count a call of `weight`, after waiting where it must.

        Raises `VenueUnreachable` while the venue has asked for silence, and where a call of trading would wait longer
        than `TRADING_WAITS_SECONDS`.
        """
        turn = _Waiting(weight, _urgency.get(), self._clock.monotonic())
        self._waiting.append(turn)
        try:
            while (seconds := self._seconds(turn)) > 0:
                turn.look.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(seconds, LOOK_AGAIN_SECONDS)):
                        await turn.look.wait()
            self._allowance.take(weight)
        finally:
            self._waiting.remove(turn)
            self._look_again()

    @contextmanager
    def under_way(self, weight: float) -> Iterator[None]:
        """Count the call inside the block, taken before, as one that the venue may not have counted yet."""
        token = _call.set(_Call(weight, self._window.minute))
        self._under_way += weight
        try:
            yield
        finally:
            self._under_way -= weight
            _call.reset(token)

    def observe(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        """Learn from an answer what the venue has counted, and whether it wants silence."""
        call = _call.get()
        told = headers.get(USED_WEIGHT, "")
        # An answer to a call of an earlier minute tells that minute's sum.
        if told.isdigit() and (call is None or call.minute == self._window.minute):
            others = self._under_way - (call.weight if call is not None else 0.0)
            self._window.told(int(told) + max(0.0, others))
        if status in TOO_MANY:
            self.refuse(status, headers, text)
        elif status < BAD_ANSWER:
            self.silence.answered()
        self._look_again()

    def refuse(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        """Be silent, as the venue asks for."""
        self.silence.asked(status, headers, text)
        self.on_silence()
        self._look_again()

    def hush(self, seconds: float) -> None:
        """Be silent because another node of this address was asked to be."""
        self.silence.keep(seconds)
        self._look_again()

    @property
    def _allowance(self) -> Allowance:
        return self._window if self._pace is None else self._pace

    def _seconds(self, turn: _Waiting) -> float:
        """Return how long to wait before looking again; 0 where it may go, as `take` tells."""
        if self.silent_seconds:
            raise VenueUnreachable("The venue asked for fewer requests.", self.silent_seconds)
        now = self._clock.monotonic()
        ahead = self._ahead(turn, now)
        seconds = self._allowance.seconds_until(turn.weight, turn.urgent_at(now).value)
        if turn.urgency is Priority.TRADING and now + seconds > turn.since + TRADING_WAITS_SECONDS:
            raise VenueUnreachable("The venue's rate limit is used up.", seconds)
        return max(seconds, LOOK_AGAIN_SECONDS) if ahead else seconds

    def _ahead(self, turn: _Waiting, now: float) -> Sequence[_Waiting]:
        rank = _rank(turn, now)
        return [each for each in self._waiting if each is not turn and _rank(each, now) < rank]

    def _look_again(self) -> None:
        for turn in self._waiting:
            turn.look.set()


def _rank(turn: _Waiting, now: float) -> tuple[float, float, int]:
    return (-turn.urgent_at(now).value, turn.since, id(turn))
