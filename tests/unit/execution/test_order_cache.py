from domain.execution import order_cache as recent
from domain.execution.order_cache import OrderCache
from tests.support.orders import an_order, told_fill


def test_trades_add_up_and_only_known_ones_are_counted() -> None:
    kept = OrderCache()
    kept.keep(an_order(), ["1"])
    kept.keep(an_order(revision=2), ["2"])
    newest = kept.get("r3-1")
    assert newest is not None
    assert newest.revision == 2
    assert kept.counted("r3-1", [told_fill("1", "1"), told_fill("2", "1")])
    assert not kept.counted("r3-1", [told_fill("3", "1")])
    assert not kept.counted("r3-2", [told_fill("1", "1")])


def test_only_the_newest_are_kept() -> None:
    kept = OrderCache()
    for number in range(recent._MOST + 1):
        kept.keep(an_order(client_order_id=f"r3-{number}"), ["1"])
    assert kept.get("r3-0") is None
    assert kept.get("r3-1") is not None
    assert not kept.counted("r3-0", [told_fill("1", "1")])
