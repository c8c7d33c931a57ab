from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest
import uuid_utils

from infra.clock import SystemClock, TimeOrderedIds


def test_now_is_aware_utc_and_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert all(earlier <= later for earlier, later in pairwise(clock.monotonic() for _ in range(1000)))


def test_ids_are_of_version_7_and_strictly_increasing_even_within_a_millisecond() -> None:
    source = TimeOrderedIds()
    ids = [source.next_id() for _ in range(20_000)]
    assert all(earlier < later for earlier, later in pairwise(ids))
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, RFC_4122)}
    assert type(ids[0]) is UUID


def test_an_id_shows_when_it_was_made() -> None:
    before = datetime.now(UTC)
    milliseconds = TimeOrderedIds().next_id().int >> 80
    assert abs(milliseconds / 1000 - before.timestamp()) < 60


def test_ids_made_by_several_threads_are_all_different() -> None:
    source = TimeOrderedIds()
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(lambda _: source.next_id(), range(4_000)))
    assert len(set(ids)) == 4_000


def test_ids_go_on_increasing_where_the_machines_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source = TimeOrderedIds()
    tomorrow = UUID(int=source.next_id().int + (86_400_000 << 80))
    with monkeypatch.context() as patched:
        patched.setattr(uuid_utils, "uuid7", lambda: tomorrow)
        assert source.next_id() == tomorrow
    first, second = source.next_id(), source.next_id()
    assert tomorrow < first < second
    assert first.version == 7
