from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import FaultCode, RequestFault
from domain.core.pagination import (
    CursorScope,
    KeysetPage,
    Page,
    TimeKeysetPage,
    build_page,
    decode_cursor,
    encode_cursor,
    id_key,
    page_request,
    slice_page,
    time_key,
)

ORDERS = CursorScope("orders", "user-1")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30), max_size=3))
def test_a_cursor_comes_back_as_it_went_out(key: list[str]) -> None:
    assert decode_cursor(ORDERS, encode_cursor(ORDERS, tuple(key))) == tuple(key)


@given(st.text(max_size=600))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(RequestFault) as raised:
        decode_cursor(ORDERS, text)
    assert raised.value.code is FaultCode.INVALID


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"])
def test_a_forged_cursor_with_text_that_no_database_takes_is_refused(text: str) -> None:
    with pytest.raises(RequestFault, match="not one of this list"):
        decode_cursor(ORDERS, encode_cursor(ORDERS, ("1", text)))


@pytest.mark.parametrize("scope", [CursorScope("orders", "user-2"), CursorScope("fills", "user-1"), CursorScope("")])
def test_a_cursor_of_another_user_or_list_is_refused(scope: CursorScope) -> None:
    with pytest.raises(RequestFault, match="not one of this list"):
        page_request(ORDERS, after=encode_cursor(scope, ("x",)))


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [(1, 1, "not both"), (-1, None, "`first` is -1"), (None, -1, "`last` is -1"), (101, None, "from 0 to 100")],
)
def test_impossible_sizes_are_refused(first: int | None, last: int | None, message: str) -> None:
    with pytest.raises(RequestFault, match=message):
        page_request(ORDERS, first=first, last=last)


def test_a_list_can_allow_longer_pages() -> None:
    assert page_request(ORDERS, first=1000, maximum=1000).limit == 1000
    assert page_request(ORDERS).limit == 50


def test_windows_ask_for_one_more_and_pass_the_keys_on() -> None:
    after = uuid4()
    request = page_request(ORDERS, last=2, before=encode_cursor(ORDERS, id_key(after)))
    assert request.keyset_page() == KeysetPage(3, None, after, backwards=True)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1)
    request = page_request(ORDERS, first=2, after=encode_cursor(ORDERS, time_key(at)))
    assert request.time_keyset_page(start=at) == TimeKeysetPage(3, at, None, at)


@pytest.mark.parametrize("key", [("x",), (), ("1", "2"), ("9" * 40,)])
def test_a_cursor_with_a_key_of_another_kind_is_refused(key: tuple[str, ...]) -> None:
    request = page_request(ORDERS, after=encode_cursor(ORDERS, key))
    for window in (request.keyset_page, request.time_keyset_page):
        with pytest.raises(RequestFault):
            window()


@given(st.integers(0, 40), st.integers(1, 9))
def test_going_through_all_pages_either_way_sees_everything_once(count: int, size: int) -> None:
    ids = [UUID(int=n) for n in range(count)]

    def all_pages(forwards: bool) -> list[UUID]:
        seen: list[UUID] = []
        cursor = None
        while True:
            request = page_request(ORDERS, first=size, after=cursor) if forwards else page_request(
                ORDERS, last=size, before=cursor
            )  # fmt: skip
            page: Page[UUID] = slice_page(request, ids, id_key)
            seen = [*seen, *page.nodes] if forwards else [*page.nodes, *seen]
            info = page.page_info
            cursor = info.end_cursor if forwards else info.start_cursor
            if not (info.has_next_page if forwards else info.has_previous_page):
                return seen

    assert all_pages(forwards=True) == all_pages(forwards=False) == ids


def test_an_empty_page_has_no_cursors() -> None:
    info = build_page(page_request(ORDERS, first=0), [1], lambda n: (str(n),)).page_info
    assert (info.start_cursor, info.end_cursor, info.has_next_page) == (None, None, True)
    info = build_page(page_request(ORDERS, last=0), [1], lambda n: (str(n),)).page_info
    assert (info.start_cursor, info.has_previous_page) == (None, True)


def test_a_page_between_two_cursors_has_neighbours_on_both_sides() -> None:
    ids = [UUID(int=n) for n in range(9)]
    cursors = [encode_cursor(ORDERS, id_key(id_)) for id_ in ids]
    for size in ({"first": 9}, {"last": 9}, {"first": 1}, {"last": 1}):
        page = slice_page(page_request(ORDERS, after=cursors[2], before=cursors[6], **size), ids, id_key)
        assert (page.has_previous, page.has_next) == (True, True)


def test_a_cursor_outside_of_the_period_has_nothing_on_its_far_side() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    cursor = encode_cursor(ORDERS, time_key(at))
    request = page_request(ORDERS, after=cursor, before=cursor)
    second = timedelta(seconds=1)
    assert request.drop_cursors_outside(at + second, at) == page_request(ORDERS)
    assert request.drop_cursors_outside(at, at + second) == request.drop_cursors_outside(None, None) == request
