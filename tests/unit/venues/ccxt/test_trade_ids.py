from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.model.markets import Trade
from domain.model.order_side import OrderSide
from domain.ports.market_data import VenueGap
from infra.venues.ccxt.market_data import TradeIdSequence
from tests.support.venues import BTC


def trades(*numbers: int) -> list[Trade]:
    at = datetime(2024, 8, 8, tzinfo=UTC)
    return [Trade(BTC, str(number), at, Decimal(1), Decimal(1), OrderSide.BUY) for number in numbers]


def test_trades_that_follow_on_each_other_are_whole_also_where_some_come_again() -> None:
    ids = TradeIdSequence()
    ids.check(trades(98, 99, 100))
    ids.check(trades(99, 100, 101))
    ids.check([])
    ids.check(trades(102))


@pytest.mark.parametrize("second", [(102,), (101, 103), (101, 102, 200)])
def test_a_number_that_is_skipped_is_a_gap(second: tuple[int, ...]) -> None:
    ids = TradeIdSequence()
    ids.check(trades(99, 100))
    with pytest.raises(VenueGap, match="of sandbox:BTC/USDT are missing"):
        ids.check(trades(*second))
