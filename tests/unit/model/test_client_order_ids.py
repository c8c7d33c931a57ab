import itertools
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.client_order_ids import OrderIdForm, client_order_id, is_engine_order_id
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


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        (OrderIdForm.PREFIXED, r"r3-[0-9a-f]{32}"),  # Binance and Bybit take 36 of these characters, Coinbase any
        (OrderIdForm.HEXADECIMAL, r"[0-9a-f]{32}"),  # OKX takes 32 letters and digits, Kraken a UUID without dashes
    ],
)
@given(cause=st.text())
def test_an_id_fits_each_venue_and_is_known_again(form: OrderIdForm, pattern: str, cause: str) -> None:
    made = client_order_id(ACCOUNT, "signal", cause, OrderRole.ENTRY, 0)
    sent = form.for_venue(made)
    assert re.fullmatch(pattern, sent)
    assert len(sent) == form.length
    assert form.from_venue(sent) == made


def test_the_form_of_an_id_at_a_venue_never_changes() -> None:
    # An order that rests at a venue would not be found any more under another form of its id.
    made = "r3-9d0dd130bbaa83f6081db424e8d89d47"
    assert OrderIdForm.PREFIXED.for_venue(made) == made
    assert OrderIdForm.HEXADECIMAL.for_venue(made) == "9d0dd130bbaa83f6081db424e8d89d47"


@pytest.mark.parametrize("form", list(OrderIdForm))
@pytest.mark.parametrize("foreign", ["", "x-TKT5PX2F", "web-1", "9D0DD130BBAA83F6081DB424E8D89D47", "r3-short"])
def test_an_id_of_others_stays_as_it_is(form: OrderIdForm, foreign: str) -> None:
    assert form.for_venue(foreign) == form.from_venue(foreign) == foreign


def test_no_two_causes_share_an_id() -> None:
    causes = itertools.product(
        (ACCOUNT, UUID(int=8)), ("a", "ab"), ("b", "", "bMANUAL"), (OrderRole.MANUAL, OrderRole.EXIT), (0, 1, 10)
    )
    ids = [client_order_id(*cause) for cause in causes]
    assert len(set(ids)) == len(ids)
