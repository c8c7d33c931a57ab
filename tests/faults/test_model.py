"""Seeded runs against a real engine under faults: the short part of `r3edge-faults`, and the plans that it follows."""

from pathlib import Path

import pytest

from tests.faults.model.plan import Action, FaultKind, plan_of
from tests.faults.model.run import run_seed
from tests.faults.model.world import running_world

SEEDS = {1: (19, 41), 2: (22,)}
"""By the number of nodes; with two of them, one dies and so does Hazelcast."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("nodes", SEEDS)
async def test_every_order_is_sent_once_and_every_position_watched_whatever_strikes(
    data_folder: Path, nodes: int
) -> None:
    async with running_world(data_folder, 1, nodes) as world:
        results = [await run_seed(world, seed) for seed in SEEDS[nodes]]
    assert [result.violations for result in results] == [[] for _ in results]
    assert all(result.fills for result in results)


def test_a_seed_always_gives_the_same_plan() -> None:
    assert [plan_of(seed) for seed in range(50)] == [plan_of(seed) for seed in range(50)]


def test_the_plans_of_many_seeds_have_every_operation_and_every_fault() -> None:
    plans = [plan_of(seed, nodes=2) for seed in range(300)]
    assert {operation.action for plan in plans for operation in plan.operations} == set(Action)
    assert {fault.kind for plan in plans for fault in plan.faults} == set(FaultKind)
