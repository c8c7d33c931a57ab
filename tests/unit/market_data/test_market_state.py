"""How long a node takes a book for fresh."""

from datetime import UTC, datetime
from decimal import Decimal

from domain.market_data.market_state import MarketState
from domain.market_data.timings import HubTimings
from domain.model.markets import Depth, MarketSymbol, PriceLevel
from infra.embedded.bus import EmbeddedBus
from tests.support.clocks import ManualClock

FRESH_SECONDS = HubTimings().fresh_seconds
BTC = MarketSymbol("sandbox", "BTC/USDT")
AT = datetime(2024, 8, 8, tzinfo=UTC)


def book(sequence: int, epoch: str = "e") -> Depth:
    return Depth(BTC, epoch, sequence, (PriceLevel(Decimal(9), Decimal(sequence)),), (), AT, AT)


async def test_a_book_that_is_published_again_is_fresh_again_and_an_older_one_changes_nothing() -> None:
    clock = ManualClock()
    state = MarketState(BTC, EmbeddedBus(), clock)
    state.apply_depth(book(5))
    clock.move(FRESH_SECONDS - 1)
    state.apply_depth(book(5))
    clock.move(FRESH_SECONDS - 1)
    assert state.fresh_depth == book(5)
    state.apply_depth(book(4))
    assert state.fresh_depth == book(5)
    clock.move(2)
    assert state.fresh_depth is None


async def test_a_book_of_a_new_epoch_counts_whatever_its_number() -> None:
    state = MarketState(BTC, EmbeddedBus(), ManualClock())
    state.apply_depth(book(5))
    state.apply_depth(book(2, "f"))
    assert state.fresh_depth == book(2, "f")
