"""Answers that are shared: how long they are given, and what those get who ask while one is made."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from infra.web.encoding import encode_json
from infra.web.metrics import WebMetrics
from infra.web.shared_answers import MAX_AGE_SECONDS, MAX_ANSWER_BYTES, SharedAnswers, shared_data
from resolvers.sources import Sources
from tests.support.waiting import eventually

KEY = ("{ book }", None, "", "all")
MEGABYTE = 1024 * 1024


class Caller:
    """A context of one operation."""

    sources: Sources | None = None
    sharing_scope = "all"


class Book:
    """A source whose answers are made by hand."""

    def __init__(self, max_bytes: int = MEGABYTE) -> None:
        self.registry = CollectorRegistry()
        self.now = 0.0
        self.answers = SharedAnswers(max_bytes, WebMetrics(self.registry), lambda: self.now)
        self.sequence = 0
        self.executions = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.extra: dict[str, Any] = {}
        self.note: Callable[[Sources, int], None] = lambda sources, seen: sources.add(lambda: self.sequence == seen)

    async def ask(self, key: Any = KEY) -> Any:
        caller = Caller()

        async def execute() -> dict[str, Any]:
            self.executions += 1
            assert caller.sources is not None
            seen = self.sequence
            self.note(caller.sources, seen)
            await self.gate.wait()
            return {"data": {"sequence": seen}, **self.extra}

        payload = await self.answers.answer(key, caller, execute)
        assert caller.sources is None
        return msgspec.json.decode(encode_json(payload["data"]))["sequence"]

    def count(self, result: str) -> float | None:
        return self.registry.get_sample_value("r3edge_shared_answers_total", {"result": result})


@pytest.fixture
async def book() -> Book:
    return Book()


async def test_an_answer_is_given_again_until_what_it_was_made_of_changes(book: Book) -> None:
    assert [await book.ask() for _ in range(3)] == [0, 0, 0]
    assert book.executions == 1
    book.sequence = 1
    assert await book.ask() == 1
    assert (book.count("hit"), book.count("miss")) == (2, 2)


async def test_an_answer_is_made_again_when_it_is_old(book: Book) -> None:
    await book.ask()
    book.now = MAX_AGE_SECONDS
    await book.ask()
    assert book.executions == 2


OTHERS = [("{ book }", "A", "", "all"), ("{ book }", None, "1", "all"), ("{ book }", None, "", 2)]


@pytest.mark.parametrize("key", OTHERS)
async def test_another_operation_other_variables_and_another_scope_have_an_answer_of_their_own(
    book: Book, key: Any
) -> None:
    await book.ask()
    await book.ask(key)
    assert book.executions == 2


async def test_answers_with_errors_refused_ones_and_those_without_a_source_are_never_kept(book: Book) -> None:
    book.extra = {"errors": [{"message": "no"}]}
    await book.ask()
    book.extra, book.note = {}, lambda _sources, _seen: None
    await book.ask()
    book.note = lambda sources, _seen: (sources.add(lambda: True), sources.refuse())  # type: ignore[assignment]
    await book.ask()
    await book.ask()
    assert (book.executions, book.count("hit")) == (4, 0)


async def test_memory_is_bounded_and_large_answers_are_not_kept() -> None:
    book = Book(max_bytes=8_000)
    for number in range(50):
        await book.ask((f"{{ book{number} }}", None, "", "all"))
    used = book.registry.get_sample_value("r3edge_shared_answer_bytes")
    assert used is not None
    assert 0 < used <= 8_000
    large = Book()
    large.extra = {"data": {"sequence": 0, "text": "x" * MAX_ANSWER_BYTES}}
    await large.ask()
    await large.ask()
    assert large.executions == 2


async def asked(book: Book, count: int) -> list["asyncio.Task[Any]"]:
    """Return those who ask while the answer is made."""
    book.gate.clear()
    tasks = [asyncio.create_task(book.ask()) for _ in range(count)]
    await eventually(lambda: book.executions == 1, "one makes the answer")
    return tasks


async def test_those_who_ask_at_once_share_one_execution(book: Book) -> None:
    tasks = await asked(book, 100)
    book.gate.set()
    assert await asyncio.gather(*tasks) == [0] * 100
    assert book.executions == 1


async def test_who_asks_after_a_change_gets_no_answer_from_before_it(book: Book) -> None:
    first, *_ = await asked(book, 1)
    book.sequence = 1
    later = [asyncio.create_task(book.ask()) for _ in range(5)]
    await asyncio.sleep(0)
    book.gate.set()
    assert await first == 0
    assert await asyncio.gather(*later) == [1] * 5


async def test_one_that_is_cancelled_harms_none_that_waits_for_its_answer(book: Book) -> None:
    first, *others = await asked(book, 20)
    others[3].cancel()
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    book.gate.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [index for index, result in enumerate(results) if result != 0] == [0, 4]
    assert book.executions == 2


async def test_a_failure_is_not_shared(book: Book) -> None:
    failures = iter([TimeoutError()])

    def note(sources: Sources, seen: int) -> None:
        if failure := next(failures, None):
            raise failure
        sources.add(lambda: book.sequence == seen)

    book.note = note
    results = await asyncio.gather(*(book.ask() for _ in range(5)), return_exceptions=True)
    assert isinstance(results[0], TimeoutError)
    assert results[1:] == [0] * 4
    assert book.executions == 2


def test_only_data_that_may_be_shared_is_marked_as_such() -> None:
    assert shared_data({"data": msgspec.Raw(b"{}")}) == msgspec.Raw(b"{}")
    assert shared_data({"data": {}}) is None
