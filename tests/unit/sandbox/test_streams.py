from infra.sandbox.streams.hub import SendQueue, StreamHub, Subscriber


async def test_a_reader_that_falls_too_far_behind_is_cut_instead_of_queued_for() -> None:
    send_queue = SendQueue(limit_bytes=100)
    cut: list[bool] = []
    send_queue.on_close = lambda: cut.append(True)
    for _ in range(10):
        send_queue.put("x" * 10)
    assert not send_queue.closed
    send_queue.put("one more")
    assert send_queue.closed
    assert cut == [True]
    assert await send_queue.next() is None


async def test_messages_leave_in_their_order_and_make_room() -> None:
    send_queue = SendQueue(limit_bytes=10)
    for text in ("first", "then", "last"):
        send_queue.put(text)
        assert await send_queue.next() == text
    assert not send_queue.closed


def test_a_message_is_made_once_for_all_its_listeners_and_not_at_all_for_none() -> None:
    hub, made = StreamHub(), []

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
    hub.remove_subscriber(plain)
    hub.remove_subscriber(combined)
    assert not hub.has_subscribers("btcusdt@trade")
