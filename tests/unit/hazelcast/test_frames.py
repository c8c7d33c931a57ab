"""The bytes of the bus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.hazelcast.frames import SHARDS, Frame, shard_for
from infra.hazelcast.seal import Seal

TOPICS = st.text(max_size=100)
FRAMES = st.builds(
    Frame, st.binary(min_size=16, max_size=16), TOPICS, st.binary(), st.booleans(), *[st.integers(0, 2**64 - 1)] * 2
)


@given(FRAMES)
def test_a_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert Frame.decode(frame.encode()) == frame


@given(st.binary(max_size=60))
def test_any_bytes_are_a_frame_or_a_value_error(data: bytes) -> None:
    try:
        frame = Frame.decode(data)
    except ValueError:
        return
    assert Frame.decode(frame.encode()) == frame


@pytest.mark.parametrize("length", [0, 34, 38])
def test_a_frame_that_was_cut_is_a_value_error(length: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        Frame.decode(Frame(bytes(16), "user/1", b"").encode()[:length])


@given(TOPICS)
def test_a_topic_has_one_shard(topic: str) -> None:
    assert shard_for(topic) in SHARDS


def test_topics_spread_over_all_shards_and_keep_theirs() -> None:
    # Another way would break the bus between an old node and a new one, so the figures are written down.
    assert [shard_for(topic) for topic in ("user/1", "depth/binance:BTC/USDT")] == ["r3edge-bus-6", "r3edge-bus-12"]
    assert {shard_for(f"user/{number}") for number in range(500)} == set(SHARDS)


SEAL = Seal(bytes(32))


@given(st.binary(), st.text())
def test_what_is_sealed_is_opened_in_its_place_alone(value: bytes, place: str) -> None:
    sealed = SEAL.seal(value, place)
    assert SEAL.open(sealed, place) == value
    assert SEAL.open(sealed, f"{place}/") is None
    assert Seal(bytes(31) + b"1").open(sealed, place) is None


@given(st.binary(max_size=40), st.binary(min_size=1, max_size=40))
def test_no_bytes_but_those_that_were_sealed_open(forged: bytes, value: bytes) -> None:
    sealed = SEAL.seal(value, "here")
    assert forged == sealed or SEAL.open(forged, "here") is None
    for number in range(len(sealed)):
        changed = sealed[:number] + bytes([sealed[number] ^ 1]) + sealed[number + 1 :]
        assert SEAL.open(changed, "here") is None


def test_a_node_with_a_new_key_still_understands_those_with_the_earlier_one() -> None:
    new = Seal(b"n" * 32, [bytes(32)])
    assert new.open(SEAL.seal(b"value", "here"), "here") == b"value"
    assert SEAL.open(new.seal(b"value", "here"), "here") is None
