"""The short part of `r3edge-drill`: lines of two nodes are cut under load, which no other test does."""

from pathlib import Path

import pytest

from tests.faults.drills.catalogue import DRILLS, TWO_NODES
from tests.faults.drills.run import run_drill
from tests.faults.drills.stage import running_stage

NAMES = ("postgres-cut", "hazelcast-cut", "venue-answers-cut")
"""Drills of one topology, so that they share its parts."""


@pytest.mark.timeout(900)
async def test_nothing_acknowledged_is_lost_and_nothing_sent_twice_whichever_line_is_cut(data_folder: Path) -> None:
    async with running_stage(data_folder, TWO_NODES) as stage:
        results = [await run_drill(stage, DRILLS[name]) for name in NAMES]
    assert [(result.drill, result.violations) for result in results] == [(name, []) for name in NAMES]
    assert all(result.fills for result in results)
