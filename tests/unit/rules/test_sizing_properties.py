"""How large an entry is: never more than was asked, never more than is free where that cuts, always on the lot."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import is_multiple
from domain.model.definitions import Sizing
from domain.model.markets import PriceLevel
from domain.rules.sizing import SizingContext, SizingError, check_sellable, size_entry
from tests.support.orders import a_market

PERCENT = st.decimals(Decimal("0.01"), 100, places=2)
PRICE = st.decimals(Decimal("0.01"), 100_000, places=2)
AMOUNT = st.decimals(0, 1_000_000, places=2)


@st.composite
def contexts(draw: st.DrawFn) -> SizingContext:
    price = draw(PRICE)
    steps = draw(
        st.lists(st.tuples(st.decimals(0, 5, places=2), st.decimals(Decimal("0.01"), 50, places=2)), max_size=5)
    )
    asks = [PriceLevel(price, Decimal("0.1"))] if steps else []
    for step, size in steps:
        asks.append(PriceLevel(asks[-1].price + step, size))
    return SizingContext(
        market=a_market(),
        price=price,
        free_quote=draw(AMOUNT),
        equity=draw(AMOUNT),
        quote_rate=draw(st.decimals(Decimal("0.1"), 10, places=2)),
        atr=draw(PRICE),
        stop_distance=draw(PRICE),
        asks=asks,
    )


def sized(sizing: Sizing, context: SizingContext) -> Decimal:
    """Return the quantity, 0 where there is none."""
    try:
        return size_entry(sizing, context)
    except SizingError:
        return Decimal(0)


def cost(size: Decimal, context: SizingContext) -> Decimal:
    """Return what a market order pays for it, its fee included."""
    left, paid = size, Decimal(0)
    for level in context.asks or [PriceLevel(context.price, size)]:
        taken = min(left, level.quantity)
        paid, left = paid + taken * level.price, left - taken
    return (paid + left * (context.asks[-1].price if context.asks else context.price)) * (1 + context.market.taker_fee)


@given(contexts(), st.decimals(1, 1_000_000, places=2))
def test_a_fixed_amount_is_never_exceeded(context: SizingContext, amount: Decimal) -> None:
    size = sized(Sizing(quote_amount=amount), context)
    assert size * context.price <= amount + Decimal("1e-9")
    assert is_multiple(size, context.market.quantity_increment)


@given(contexts(), PERCENT)
def test_a_share_of_equity_is_never_exceeded_nor_is_what_is_free(context: SizingContext, percent: Decimal) -> None:
    size = sized(Sizing(equity_percent=percent), context)
    assert size * context.price * context.quote_rate <= context.equity * percent / 100 + Decimal("1e-9")
    assert cost(size, context) <= context.free_quote
    assert is_multiple(size, context.market.quantity_increment)


@given(contexts(), PERCENT)
def test_the_risk_over_the_stop_is_never_exceeded_nor_is_what_is_free(context: SizingContext, percent: Decimal) -> None:
    size = sized(Sizing(risk_percent=percent), context)
    assert size * context.stop_distance * context.quote_rate <= context.equity * percent / 100 + Decimal("1e-9")
    assert cost(size, context) <= context.free_quote


@given(contexts(), PERCENT)
def test_the_move_by_one_atr_is_never_exceeded_nor_is_what_is_free(context: SizingContext, percent: Decimal) -> None:
    size = sized(Sizing(volatility_percent=percent), context)
    assert size * context.atr * context.quote_rate <= context.equity * percent / 100 + Decimal("1e-9")
    assert cost(size, context) <= context.free_quote


@pytest.mark.parametrize(
    ("sizing", "missing"),
    [
        (Sizing(equity_percent=Decimal(1)), {"equity": None}),
        (Sizing(equity_percent=Decimal(1)), {"quote_rate": None}),
        (Sizing(risk_percent=Decimal(1)), {"stop_distance": None}),
        (Sizing(volatility_percent=Decimal(1)), {"atr": None}),
        (Sizing(), {}),
    ],
)
def test_what_cant_be_known_cant_be_sized(sizing: Sizing, missing: dict[str, None]) -> None:
    known = {"equity": Decimal(1000), "atr": Decimal(1), "stop_distance": Decimal(1)} | missing
    with pytest.raises(SizingError):
        size_entry(sizing, SizingContext(a_market(), Decimal(100), Decimal(1000), **known))


def test_a_fixed_amount_isnt_limited_so_that_the_risk_check_reports_what_is_missing() -> None:
    context = SizingContext(a_market(), Decimal(100), free_quote=Decimal(1))
    assert size_entry(Sizing(quote_amount=Decimal(500)), context) == 5


@pytest.mark.parametrize(
    ("quantity", "stop_distance", "is_sellable"),
    [
        ("0.00009", None, False),
        ("0.0001", None, True),
        ("0.0001", "2000", True),
        ("0.0001", "5000", False),
        ("0.00011", "5000", True),
        ("0.00008", None, True),
    ],
    ids=[
        "worth too little without the fee and the part of a lot",
        "worth enough",
        "worth enough at the stop",
        "worth too little at the stop",
        "a lot more",
        "too little for the entry too, which the risk checks say",
    ],
)
def test_an_entry_that_could_not_be_sold_again_is_not_made(
    quantity: str, stop_distance: str | None, is_sellable: bool
) -> None:
    distance = None if stop_distance is None else Decimal(stop_distance)
    context = SizingContext(a_market(), Decimal(60_000), Decimal(1000), stop_distance=distance)
    if is_sellable:
        check_sellable(Decimal(quantity), context, base_fee=Decimal("0.001"))
    else:
        with pytest.raises(SizingError, match="too little to be sold again"):
            check_sellable(Decimal(quantity), context, base_fee=Decimal("0.001"))
