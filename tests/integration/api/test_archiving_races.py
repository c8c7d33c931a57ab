"""An order that is placed while its account is archived, or its user erased: one of the two sees the other."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.personal_data.erasure import Erasure
from domain.users.authentication import Authenticator
from infra.embedded.cache import EmbeddedCache
from tests.support.api import Api
from tests.support.waiting import read_until

ACTIVE = "SELECT count(*) FROM orders WHERE status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN')"
_WAITS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

HERE_OR_ELSEWHERE = pytest.mark.parametrize("traded_here", [True, False])
"""Whether this node trades the account: it stores and decides then by one statement."""


async def somebody_waits(api: Api) -> None:
    await read_until(lambda: api.harness.pool.fetchval(_WAITS), bool, "a transaction that waits for a lock")


async def test_an_account_is_not_archived_while_an_order_is_being_placed(api: Api) -> None:
    user, account = api.harness.user, api.harness.account
    async with api.harness.database.transaction() as placing:
        await placing.accounts.get(user.id, account.id, keep_unarchived=True)
        archiving = asyncio.create_task(api.services.accounts.archive(user.id, account.id))
        await somebody_waits(api)
        await placing.orders.add(api.floor_order())
    with pytest.raises(InputError) as error:
        await archiving
    assert error.value.code is ErrorCode.CONFLICT


@HERE_OR_ELSEWHERE
async def test_no_order_is_placed_on_an_account_that_is_being_archived(api: Api, *, traded_here: bool) -> None:
    harness = api.harness
    if traded_here:
        await harness.start()
    async with harness.database.transaction() as archiving:
        account = await archiving.accounts.get_for_update(harness.account.id, keep_new_rows_out=True)
        assert account is not None
        await archiving.accounts.update(replace(account, archived_at=harness.clock.now()))
        placing = asyncio.create_task(harness.limit())
        await somebody_waits(api)
    with pytest.raises(InputErrors, match="archived"):
        await placing
    assert await harness.pool.fetchval("SELECT count(*) FROM orders") == 0


@HERE_OR_ELSEWHERE
@pytest.mark.parametrize("head_start", [0, 3, 10, 40])
async def test_a_user_is_erased_or_trades_and_never_both(api: Api, *, traded_here: bool, head_start: int) -> None:
    harness = api.harness
    if traded_here:
        await harness.start()
    authenticator = Authenticator(api.database, EmbeddedCache(harness.clock), harness.bus, harness.clock)
    erasure = Erasure(api.database, authenticator, harness.bus, harness.clock, harness.ids)
    placing = [asyncio.create_task(harness.limit(f"k{number}", quantity=Decimal("0.1"))) for number in range(3)]
    for _ in range(head_start):
        await asyncio.sleep(0)
    (erased,) = await asyncio.gather(erasure.erase(harness.user.id), return_exceptions=True)
    await asyncio.gather(*placing, return_exceptions=True)
    is_erased = await harness.pool.fetchval("SELECT erased_at IS NOT NULL FROM users WHERE id = $1", harness.user.id)
    active = await harness.pool.fetchval(ACTIVE)
    if is_erased:
        assert (erased, active) == (None, 0)
    else:
        assert isinstance(erased, InputError), erased
        assert (erased.code, active > 0) == (ErrorCode.CONFLICT, True)
