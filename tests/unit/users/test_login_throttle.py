import asyncio
from dataclasses import dataclass, field

from domain.core.errors import RateLimited
from domain.users.login_throttle import (
    FREE_FAILURES,
    MAXIMUM_AT_ONCE,
    MAXIMUM_DELAY_SECONDS,
    WAITING_FOR_ACCOUNT,
    WINDOW_SECONDS,
    LoginThrottle,
)
from infra.embedded.cache import EmbeddedCache
from tests.support.clocks import ManualClock
from tests.support.sign_in import AwayCache

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@dataclass
class ThrottleHarness:
    """A throttle whose delays are recorded instead of waited for."""

    clock: ManualClock = field(default_factory=ManualClock)
    cache: EmbeddedCache | AwayCache | None = None
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = self.cache or EmbeddedCache(self.clock)
        self.throttle = LoginThrottle(self.cache, self.clock, self._wait)

    async def attempt_login(self, address: str, email: str, *, right: bool = False) -> float:
        """Return how long the attempt was delayed."""

        async def check() -> bool:
            return right

        before = sum(self.waits)
        assert await self.throttle.verify(address, email, check) is right
        return sum(self.waits) - before

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)


async def test_ten_wrong_passwords_are_free_and_each_one_more_waits_longer_up_to_a_limit() -> None:
    harness = ThrottleHarness()
    waits = [await harness.attempt_login(HERE, "ada@example.com") for _ in range(FREE_FAILURES + 12)]

    assert waits[:FREE_FAILURES] == [0.0] * FREE_FAILURES
    later = waits[FREE_FAILURES:]
    assert later[0] == 0.5
    assert later == sorted(later)
    assert later[-1] == MAXIMUM_DELAY_SECONDS


async def test_an_account_is_slowed_down_from_every_address_and_an_address_for_every_account() -> None:
    harness = ThrottleHarness()
    for number in range(FREE_FAILURES):
        await harness.attempt_login(f"198.51.100.{number}", "ada@example.com")
    assert await harness.attempt_login(ELSEWHERE, "ada@example.com") > 0
    assert await harness.attempt_login(ELSEWHERE, "bob@example.com") == 0

    for number in range(FREE_FAILURES):
        await harness.attempt_login(HERE, f"{number}@example.com")
    assert await harness.attempt_login(HERE, "eve@example.com") > 0


async def test_the_right_password_waits_too_and_then_gets_in() -> None:
    harness = ThrottleHarness()
    for _ in range(FREE_FAILURES + 5):
        await harness.attempt_login(HERE, "ada@example.com")

    assert 0 < await harness.attempt_login(HERE, "ada@example.com", right=True) <= MAXIMUM_DELAY_SECONDS


async def test_right_passwords_are_never_counted() -> None:
    harness = ThrottleHarness()
    assert [await harness.attempt_login(HERE, "ada@example.com", right=True) for _ in range(50)] == [0.0] * 50


async def test_after_a_minute_nobody_waits_any_more() -> None:
    harness = ThrottleHarness()
    for _ in range(FREE_FAILURES + 3):
        await harness.attempt_login(HERE, "ada@example.com")
    harness.clock.move(WINDOW_SECONDS)

    assert await harness.attempt_login(HERE, "ada@example.com") == 0


async def test_nodes_that_share_a_cache_share_the_count() -> None:
    node = ThrottleHarness()
    other = ThrottleHarness(node.clock, node.cache)
    for _ in range(FREE_FAILURES):
        await node.attempt_login(HERE, "ada@example.com")

    # The other node learns the sum with the first wrong password that it sees itself.
    await other.attempt_login(HERE, "ada@example.com")
    assert await other.attempt_login(HERE, "ada@example.com") > 0


async def test_tries_at_the_same_time_count_as_failures_and_all_but_a_few_for_one_account_wait() -> None:
    harness = ThrottleHarness()
    for number in range(FREE_FAILURES - 2):
        await harness.attempt_login(f"198.51.100.{number}", "ada@example.com")
    release = asyncio.Event()

    async def check() -> bool:
        await release.wait()
        return False

    addresses = [f"203.0.113.{number}" for number in range(MAXIMUM_AT_ONCE + WAITING_FOR_ACCOUNT)]
    tries = [asyncio.create_task(harness.throttle.verify(address, "ada@example.com", check)) for address in addresses]
    await asyncio.sleep(0)
    assert not any(attempt.done() for attempt in tries)
    assert len(harness.waits) == MAXIMUM_AT_ONCE - 2, "only so many are under way, and all but two of them wait longer"
    release.set()
    assert await asyncio.gather(*tries) == [False] * len(tries)
    assert len(harness.waits) == len(tries) - 2
    assert harness.throttle.attempt_count == 0


async def test_more_than_a_few_tries_of_one_address_at_once_are_refused_whatever_the_account() -> None:
    harness = ThrottleHarness()
    release = asyncio.Event()

    async def check() -> bool:
        await release.wait()
        return False

    tries = [asyncio.create_task(harness.throttle.verify(HERE, f"{number}@example.com", check)) for number in range(8)]
    await asyncio.sleep(0)
    assert [attempt.done() for attempt in tries] == [False] * MAXIMUM_AT_ONCE + [True] * 3
    release.set()
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [isinstance(outcome, RateLimited) for outcome in outcomes] == [False] * MAXIMUM_AT_ONCE + [True] * 3


async def test_tries_that_one_address_keeps_under_way_do_not_keep_the_owner_out_who_comes_from_an_unknown_one() -> None:
    harness = ThrottleHarness()
    never = asyncio.Event()

    async def wrong() -> bool:
        await never.wait()
        return False

    async def right() -> bool:
        return True

    tries = [
        asyncio.create_task(harness.throttle.verify(HERE, "ada@example.com", wrong)) for _ in range(MAXIMUM_AT_ONCE)
    ]
    await asyncio.sleep(0)
    assert await harness.throttle.verify(ELSEWHERE, "ada@example.com", right)
    never.set()
    assert await asyncio.gather(*tries) == [False] * MAXIMUM_AT_ONCE


async def test_the_owner_waits_for_nobody_where_few_addresses_keep_many_tries_under_way() -> None:
    harness = ThrottleHarness()
    order: list[str] = []
    all_have_come = asyncio.Event()

    async def try_from(address: str) -> None:
        async def check() -> bool:
            order.append(address)
            await all_have_come.wait()
            return False

        await harness.throttle.verify(address, "ada@example.com", check)

    attackers = [f"203.0.113.{number}" for number in range(2)]
    tries = [asyncio.create_task(try_from(address)) for address in attackers * MAXIMUM_AT_ONCE]
    await asyncio.sleep(0)
    tries.append(asyncio.create_task(try_from(ELSEWHERE)))
    await asyncio.sleep(0)
    all_have_come.set()
    await asyncio.gather(*tries, return_exceptions=True)
    assert order.index(ELSEWHERE) == 2, "it waits for nobody, though others do"


async def test_an_owner_waits_in_turn_where_several_addresses_try_and_is_refused_only_where_many_do() -> None:
    harness = ThrottleHarness()
    release = asyncio.Event()

    async def check() -> bool:
        await release.wait()
        return True

    def attempt(address: str) -> "asyncio.Task[bool]":
        return asyncio.create_task(harness.throttle.verify(address, "ada@example.com", check))

    few = [attempt(f"203.0.113.{number}") for number in range(3) for _ in range(MAXIMUM_AT_ONCE)]
    await asyncio.sleep(0)
    owner = attempt(ELSEWHERE)
    await asyncio.sleep(0)
    assert not owner.done()
    many = [attempt(f"198.51.100.{number}") for number in range(WAITING_FOR_ACCOUNT + 1)]
    await asyncio.sleep(0)
    assert not owner.done()
    assert many[-1].done()
    release.set()
    assert await owner
    await asyncio.gather(*few, *many, return_exceptions=True)
    assert harness.throttle.attempt_count == 0


async def test_who_has_signed_in_from_an_address_waits_for_what_that_address_did_alone() -> None:
    harness = ThrottleHarness()
    await harness.attempt_login(HERE, "ada@example.com", right=True)
    for number in range(FREE_FAILURES + 5):
        await harness.attempt_login(f"198.51.100.{number}", "ada@example.com")
    assert await harness.attempt_login(HERE, "ada@example.com", right=True) == 0
    for number in range(FREE_FAILURES):
        await harness.attempt_login(HERE, f"{number}@example.com")
    assert await harness.attempt_login(HERE, "ada@example.com", right=True) > 0
