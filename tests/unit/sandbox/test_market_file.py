"""Markets come from a file as Binance's exchangeInfo has them, thousands of them and tiny prices included."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.sandbox.errors import UnlistedMarketError
from infra.sandbox.fixed_point import format_units
from infra.sandbox.market_data.sleeping_markets import MOST_AWAKE
from infra.sandbox.matching.market_file import MarketFileError, read_market_file
from infra.sandbox.matching.market_filters import symbol_json
from infra.sandbox.matching.market_specs import MARKETS
from infra.sandbox.options import SandboxOptions
from infra.sandbox.orders import NewOrder, OrderType, Side, TimeInForce
from infra.sandbox.simulation import Simulation
from infra.sandbox.state.state_folder import StateFolder
from tests.support.exchange import units

PEPE = {"symbol": "PEPEUSDT", "baseAsset": "PEPE", "quoteAsset": "USDT", "price": "0.00000123"}


def written(folder: Path, content: Any) -> Path:
    path = folder / "markets.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def markets(count: int, price: str = "1.5") -> list[dict[str, str]]:
    return [
        {"symbol": f"C{number}USDT", "baseAsset": f"C{number}", "quoteAsset": "USDT", "price": price}
        for number in range(count)
    ]


def test_what_an_exchange_reports_of_its_markets_can_be_listed(tmp_path: Path) -> None:
    given = {"timezone": "UTC", "symbols": [symbol_json(spec) for spec in MARKETS.values()]}
    found = {spec.symbol: spec for spec in read_market_file(written(tmp_path, given))}
    for symbol, spec in MARKETS.items():
        same = {"first_price": 0, "flow": spec.flow, "max_position": 0}
        assert replace(found[symbol], **same) == replace(spec, **same)


def test_a_market_that_doesnt_trade_and_values_that_arent_known_are_left_out(tmp_path: Path) -> None:
    filters = [
        {"filterType": "T_PLUS_SELL", "endTime": 5},
        {"filterType": ["LOT_SIZE"]},
        {"filterType": "LOT_SIZE", "stepSize": "1", "maxQty": "46116860414.00000000", "more": 1},
    ]
    content = [PEPE | {"filters": filters}, markets(1)[0] | {"status": "BREAK"}]
    (spec,) = read_market_file(written(tmp_path, content))
    assert (spec.symbol, spec.step) == ("PEPEUSDT", units(1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "exchangeInfo"),
        ("[]", "has 0 markets"),
        ([{"symbol": "X"}], "exchangeInfo"),
        ([PEPE | {"symbol": "PEPE/USDT"}], "capital letters"),
        ([PEPE | {"baseAsset": "SHIB"}], "isn't 'SHIB' and 'USDT' together"),
        ([PEPE | {"price": "0"}], "PEPEUSDT: its price is 0 or too high; it takes 0.00000001 to"),
        ([PEPE | {"price": "99999999999999999999"}], "too high"),
        ([PEPE | {"price": "0.000000001"}], "PEPEUSDT: '0.000000001' is not a decimal with at most 8 places"),
        ([PEPE | {"price": "-1"}], "PEPEUSDT"),
        ([PEPE | {"filters": [{"filterType": "LOT_SIZE", "stepSize": "0"}]}], "PEPEUSDT: step can't be 0"),
        ([PEPE | {"filters": [{"filterType": "PRICE_FILTER", "maxPrice": "0.000001"}]}], "is above maxPrice"),
    ],
)
def test_a_file_that_cant_be_listed_says_which_market_and_why(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(MarketFileError, match=message):
        read_market_file(written(tmp_path, content))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError, match="No such file"):
        read_market_file(tmp_path / "nowhere")


@pytest.fixture
def many(tmp_path: Path) -> Any:
    """Return a simulation of 300 markets beside the usual ones."""
    path = written(tmp_path, markets(300))
    with StateFolder(tmp_path / "state") as folder:
        yield Simulation(folder, SandboxOptions(tmp_path / "state", seed=1, markets=path))


def test_a_market_has_order_flow_only_while_somebody_looks(many: Simulation) -> None:
    exchange, market = many.exchange, many.exchange.markets["C7USDT"]
    assert market.is_asleep
    many.step()
    assert market.book.bids.best() is None
    exchange.market("C7USDT")
    assert not market.is_asleep
    assert market.book.bids.best()
    for _ in range(30):
        many.step()
    assert market.update_ids.last > 0
    last = market.last_price
    for _ in range(2):
        many._sleeping.review()
    assert market.is_asleep
    assert market.book.bids.best() is None
    assert market.last_price == last
    exchange.market("C7USDT")
    assert market.book.bids.best()


def test_no_more_markets_are_awake_than_the_limit_but_those_with_orders_stay(many: Simulation) -> None:
    exchange = many.exchange
    ann = exchange.create_account("ann", {"USDT": units(1_000)})
    order = NewOrder("C0USDT", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, "a", units(1), units(10))
    exchange.place(ann, order)
    for number in range(1, MOST_AWAKE * 2):
        exchange.market(f"C{number}USDT")
    awake = {symbol for symbol, market in exchange.markets.items() if not market.is_asleep} - set(MARKETS)
    assert len(awake) == MOST_AWAKE
    for _ in range(3):
        many._sleeping.review()
    awake = {symbol for symbol, market in exchange.markets.items() if not market.is_asleep} - set(MARKETS)
    assert awake == {"C0USDT"}


def test_a_folder_with_orders_in_a_market_needs_the_file_that_lists_it(tmp_path: Path) -> None:
    path, options = written(tmp_path, [PEPE]), SandboxOptions(tmp_path / "state", seed=1)
    with StateFolder(tmp_path / "state") as folder:
        exchange = Simulation(folder, replace(options, markets=path)).exchange
        ann = exchange.create_account("ann", {"USDT": units(100)})
        tick = exchange.markets["PEPEUSDT"].spec.tick
        order = NewOrder(
            "PEPEUSDT", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, "a", 100 // tick * tick, units(100_000)
        )  # fmt: skip
        exchange.place(ann, order)
        with pytest.raises(UnlistedMarketError, match="PEPEUSDT"):
            Simulation(folder, options)
        again = Simulation(folder, replace(options, markets=path)).exchange
        assert again.open_orders(ann.uid)
        assert not again.markets["PEPEUSDT"].is_asleep


@settings(max_examples=8, deadline=None)
@given(price=st.integers(1, 10**16))
def test_a_market_of_any_price_trades_on_its_grid(price: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder_path = tmp_path_factory.mktemp("any")
    path = written(folder_path, [PEPE | {"price": format_units(price)}])
    with StateFolder(folder_path / "state") as folder:
        simulation = Simulation(folder, SandboxOptions(folder_path / "state", seed=1, markets=path))
        exchange, market = simulation.exchange, simulation.exchange.market("PEPEUSDT")
        ann = exchange.create_account("ann", {"USDT": units(1_000_000)})
        for _ in range(10):
            simulation.step()
        order = NewOrder(
            "PEPEUSDT", Side.BUY, OrderType.MARKET, TimeInForce.GTC, "a", quantity=market.spec.min_quantity
        )
        placed = exchange.place(ann, order)
        assert placed.fills
        assert all(fill.price % market.spec.tick == 0 for fill in placed.fills)
        bid, ask = market.book.bids.best(), market.book.asks.best()
        assert bid is None or ask is None or 0 < bid < ask
        assert market.day().low > 0
        assert exchange.ledger.total("PEPE") == 0
        simulation.save()
