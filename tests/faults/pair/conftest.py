"""The pair of PostgreSQL servers that the tests of a module share; each finds both in step."""

import shutil
from collections.abc import Iterator

import pytest

from tests.support.patroni import PatroniCluster, new_cluster
from tests.support.postgres import run_aside
from tests.support.run_folder import new_folder


@pytest.fixture(scope="module")
def module_pair() -> Iterator[PatroniCluster]:
    """A pair that has been started, in whatever state the last test left it."""
    folder = new_folder()
    cluster = new_cluster(folder)
    try:
        run_aside(cluster.start())
        yield cluster
    finally:
        cluster.close()
        shutil.rmtree(folder)


@pytest.fixture
async def pair(module_pair: PatroniCluster) -> PatroniCluster:
    """A pair in step: the replica has all that the primary acknowledges."""
    await module_pair.heal()
    return module_pair
