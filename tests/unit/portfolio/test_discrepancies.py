from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.trading import Balance
from domain.portfolio.discrepancies import significant_differences

amounts = st.decimals(0, 10**9, places=18)


@given(amounts, st.sampled_from(range(4, 9)), st.sampled_from(["ROUND_FLOOR", "ROUND_CEILING", "ROUND_HALF_EVEN"]))
def test_no_venues_rounding_is_a_movement(held: Decimal, places: int, rounding: str) -> None:
    reported = held.quantize(Decimal(1).scaleb(-places), rounding=rounding)
    assert significant_differences({"BTC": reported - held}, [Balance("BTC", reported, reported)]) == {}


@pytest.mark.parametrize(
    ("reported", "amount"),
    [("1000.1237", "0.0002"), ("1000", "0.00011"), ("3", "1"), ("0.12345678", "-0.00000002"), ("1E+3", "5")],
)
def test_what_rounding_cant_make_is_a_movement(reported: str, amount: str) -> None:
    balance = Balance("BTC", Decimal(reported), Decimal(reported))
    assert significant_differences({"BTC": Decimal(amount)}, [balance]) == {"BTC": Decimal(amount)}


def test_where_no_balance_is_left_all_that_is_missing_is_a_movement() -> None:
    assert significant_differences({"ETH": Decimal("-0.00002")}, []) == {"ETH": Decimal("-0.00002")}
