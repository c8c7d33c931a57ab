from infra.sandbox.streams.hub import Hub, Outbox, Subscriber


async def test_a_reader_that_falls_too_far_behind_is_cut_instead_of_queued_for() -> None:
    outbox = Outbox(limit_bytes=100)
    cut: list[bool] = []
    outbox.on_close = lambda: cut.append(True)
    for _ in range(10):
        outbox.put("x" * 10)
    assert not outbox.closed
    outbox.put("one more")
    assert outbox.closed
    assert cut == [True]
    assert await outbox.next() is None


async def test_messages_leave_in_their_order_and_make_room() -> None:
    outbox = Outbox(limit_bytes=10)
    for text in ("first", "then", "last"):
        outbox.put(text)
        assert await outbox.next() == text
    assert not outbox.closed


def test_a_message_is_made_once_for_all_its_listeners_and_not_at_all_for_none() -> None:
    hub, made = Hub(), []

    def make() -> dict[str, int]:
        made.append(1)
        return {"n": 1}

    hub.publish("btcusdt@trade", make)
    assert made == []
    plain, combined = Subscriber(combined=False), Subscriber(combined=True)
    for subscriber in (plain, combined):
        hub.add(subscriber, "btcusdt@trade")
    hub.publish("btcusdt@trade", make)
    assert made == [1]
    hub.forget(plain)
    hub.forget(combined)
    assert not hub.wanted("btcusdt@trade")
