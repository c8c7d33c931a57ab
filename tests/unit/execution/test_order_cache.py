from domain.execution.order_cache import MAXIMUM_ORDERS, OrderCache
from tests.support.orders import an_order, fill_report


def test_trades_add_up_and_only_known_ones_are_counted() -> None:
    cache = OrderCache()
    cache.put(an_order(), ["1"])
    cache.put(an_order(revision=2), ["2"])
    newest = cache.get("r3-1")
    assert newest is not None
    assert newest.revision == 2
    assert cache.has_fills("r3-1", [fill_report("1", "1"), fill_report("2", "1")])
    assert not cache.has_fills("r3-1", [fill_report("3", "1")])
    assert not cache.has_fills("r3-2", [fill_report("1", "1")])


def test_only_the_newest_are_kept() -> None:
    cache = OrderCache()
    for number in range(MAXIMUM_ORDERS + 1):
        cache.put(an_order(client_order_id=f"r3-{number}"), ["1"])
    assert cache.get("r3-0") is None
    assert cache.get("r3-1") is not None
    assert not cache.has_fills("r3-0", [fill_report("1", "1")])
