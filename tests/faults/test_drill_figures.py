"""What drills take for a stall, for lost and for repeated, and what their table and picture show of it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.drills.catalogue import DRILLS
from tests.faults.drills.document import BEGIN, END, markdown_table, write_document
from tests.faults.drills.followed_log import FollowedLog
from tests.faults.drills.load import Load
from tests.faults.drills.picture import chart
from tests.faults.drills.results import streak, summary
from tests.faults.drills.stalls import Kind, Stalls
from tests.support.engine import ROOT


class _Times:
    """A clock that gives one time after the other."""

    def __init__(self, *times: float) -> None:
        self._times = iter(times)

    def __call__(self) -> float:
        return next(self._times)


def noted(*times: float) -> Stalls:
    stalls = Stalls(_Times(*times))
    for _ in times:
        stalls.note(Kind.ORDER, "ann")
    return stalls


@pytest.mark.parametrize(
    ("times", "longest"),
    [((9, 12, 13, 19), 6), ((9, 15, 16, 19), 5), ((), 10), ((9, 21), 10), ((11, 12, 13), 7)],
    ids=["between two", "from the fault on", "never", "none within", "to the end"],
)
def test_a_stall_is_the_longest_time_without_success_since_the_fault(times: tuple[float, ...], longest: float) -> None:
    stalls = noted(*times)
    stalls.expect(Kind.QUERY, "ann")
    gaps = stalls.longest(10, 20)
    assert gaps[Kind.QUERY] == 10
    assert gaps.get(Kind.ORDER, 10) == longest


def test_the_stall_of_a_kind_is_that_of_the_user_who_waited_longest() -> None:
    stalls = Stalls(_Times(1, 2, 3, 9))
    for user in ("ann", "ann", "ann", "bob"):
        stalls.note(Kind.ORDER, user)
    assert stalls.longest(0, 10)[Kind.ORDER] == 9


def test_who_has_had_too_few_successes_is_named() -> None:
    stalls = noted(1, 2, 3)
    stalls.expect(Kind.LOGIN, "bob")
    assert stalls.without(3) == ["login by bob"]
    assert stalls.without(2, since=2) == ["login by bob"]
    assert stalls.without(3, since=2) == ["order placed by ann", "login by bob"]


async def test_a_load_counts_everybody_as_without_success_before_it_has_begun() -> None:
    users = [SimpleNamespace(account=name, start_cursor="c0") for name in ("ann", "bob")]
    load = Load(SimpleNamespace(clients=list), users)
    assert len(load.stalls.without(1)) == 2 * len(Kind) - 1  # one of them signs in


def event(number: int) -> dict[str, Any]:
    return {"cursor": f"c{number}", "sequence": str(number), "kind": "ORDER_FILLED"}


@pytest.mark.parametrize(
    ("numbers", "found"),
    [((4, 5, 6), ""), ((4, 6), "after event 4 came 6"), ((4, 5, 5, 6), "after event 5 came 5"), ((4, 5), "never came")],
    ids=["whole", "lost", "repeated", "not at the head"],
)
def test_a_followed_log_names_what_did_not_come_once_and_in_order(numbers: tuple[int, ...], found: str) -> None:
    log = FollowedLog("c3")
    for number in numbers:
        log.take(event(number))
    violations = log.violations("c6")
    assert len(violations) == bool(found)
    assert found in " ".join(violations)


def row(*violations: str, seconds: float = 1.0) -> dict[str, Any]:
    stalls = {kind.value: seconds for kind in Kind}
    return {"drill": "nothing", "violations": list(violations), "stalls": stalls, "machine_load": 2.0, "commit": "abc"}


def test_a_summary_counts_what_was_lost_and_repeated_and_how_long_it_stalled() -> None:
    rows = [row("acknowledged and lost: 1 2", "2 times at the venue: 3", seconds=99), row(seconds=2), row(seconds=5)]
    found = summary("nothing", rows)
    assert (found.runs, found.passed, found.streak, found.lost, found.repeated) == (3, 2, 2, 1, 1)
    assert found.stalls[Kind.FRAME].median == 3.5
    assert found.stalls[Kind.FRAME].longest == 5
    assert found.as_json()["stalls"]["login"] == {"median_seconds": 3.5, "longest_seconds": 5}


def test_a_streak_ends_with_the_last_violation() -> None:
    assert streak([]) == 0
    assert streak([row(), row()]) == 2
    assert streak([row(), row("lost"), row()]) == 1
    assert streak([row(), row("lost")]) == 0


def test_the_picture_has_a_row_a_drill_and_a_column_a_kind() -> None:
    drawn = chart([summary(name, [row(seconds=3)]) for name in ("nothing", "web-killed")])
    values = drawn["data"]["values"]
    assert {(value["drill"], value["kind"]) for value in values} == {
        (name, kind.value) for name in ("nothing", "web-killed") for kind in Kind
    }
    assert {value["longest"] for value in values} == {3}


def test_the_table_of_the_document_is_that_of_its_figures() -> None:
    document = ROOT / "docs" / "drills.md"
    rows = json.loads(document.with_suffix(".json").read_text())
    assert markdown_table(rows) in document.read_text()
    assert {row["drill"] for row in rows} <= DRILLS.keys()


def test_the_table_of_a_document_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "drills.md"
    document.write_text(f"before\n{BEGIN}old\n{END}after\n")
    write_document(document, [summary("nothing", [row(seconds=2.5), row("lost")])])
    before, table, after = document.read_text().partition(
        markdown_table(json.loads(document.with_suffix(".json").read_text()))
    )
    assert (before, after) == (f"before\n{BEGIN}", f"{END}after\n")
    assert "| `nothing` | 1 of 2 | 1 | 0 | 2.0 | 2.5, 2.5 |" in table
    write_document(document, [summary("web-killed", [row(seconds=1)])])
    drills = [each["drill"] for each in json.loads(document.with_suffix(".json").read_text())]
    assert drills == ["nothing", "web-killed"]  # what was there is kept
    document.write_text("no marks\n")
    with pytest.raises(ValueError, match="has no lines"):
        write_document(document, [])
    assert document.read_text() == "no marks\n"


def test_every_drill_says_what_breaks() -> None:
    assert all(drill.what and name == drill.name for name, drill in DRILLS.items())
