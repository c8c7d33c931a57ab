import itertools
import re
from uuid import UUID

from domain.model.client_order_ids import client_order_id, is_engine_order_id
from domain.model.orders import OrderRole

ACCOUNT = UUID(int=7)


def test_the_same_cause_makes_the_same_id_in_every_version() -> None:
    # Another id would let a cause that was carried out before an upgrade make a second order after it.
    made = client_order_id(ACCOUNT, "signal", "42", OrderRole.ENTRY, 0)
    assert made == "r3-9d0dd130bbaa83f6081db424e8d89d47"


def test_every_venue_takes_the_id() -> None:
    made = client_order_id(ACCOUNT, "orderPlace", "ключ" * 50, OrderRole.MANUAL, 10**9)
    assert re.fullmatch(r"r3-[A-Za-z0-9_-]{1,33}", made)
    assert len(made) <= 36
    assert is_engine_order_id(made)
    assert not is_engine_order_id("x-TKT5PX2F")
    assert not is_engine_order_id(None)


def test_no_two_causes_share_an_id() -> None:
    causes = itertools.product(
        (ACCOUNT, UUID(int=8)), ("a", "ab"), ("b", "", "bMANUAL"), (OrderRole.MANUAL, OrderRole.EXIT), (0, 1, 10)
    )
    ids = [client_order_id(*cause) for cause in causes]
    assert len(set(ids)) == len(ids)
